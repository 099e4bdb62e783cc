"""Everything wrong in a definition is found at commit, in one error, with a remedy each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    DefinitionError,
    Workflow,
    chain,
    create_step,
    create_workflow,
    from_step,
    template,
    value,
)
from tests.fixtures import add

Flow = Workflow[Any, Any]


class Number(BaseModel):
    """A number."""

    n: int


class Town(BaseModel):
    """A town."""

    town: str


class City(BaseModel):
    """A city."""

    city: str


def plain(given: Any) -> Any:
    """No step."""
    return given


def wide(given: Any, ctx: Any, more: Any) -> Any:
    """Takes too much."""


def taking(id: str, wanted: Any, given: Any = None) -> Any:
    """A step with these schemas."""
    return create_step(id=id, execute=plain, input_schema=wanted, output_schema=given)


def problems(flow: Flow) -> list[str]:
    """What commit says is wrong."""
    with pytest.raises(DefinitionError) as caught:
        flow.commit()
    return [str(problem) for problem in caught.value.problems]


DUPLICATE = (
    "the id is used twice; "
    "ids are unique within a workflow: use clone_step(step, id=...), clone_workflow or .then(step, id=...)"
)
MAP = "add a .map() before it, or rename the field"
EARLIER = "name a step that stands earlier in the same workflow"

WRONG: dict[str, tuple[Callable[[Flow], Flow], str]] = {
    "empty workflow": (lambda w: w, "workflow 'w': it has no steps; add one with .then(step)"),
    "empty nested workflow": (
        lambda w: w.then(create_workflow(id="v")),
        "workflow 'v': it has no steps; add one with .then(step)",
    ),
    "empty chain": (lambda w: w.then(chain()), "chain 'chain-1': it has no steps; add one with .then(step)"),
    "empty parallel": (lambda w: w.parallel([]), "parallel 'parallel-1': it has no arms; give at least one step"),
    "empty branch": (
        lambda w: w.branch([]),
        "branch 'branch-1': its cases are not pairs; give [(condition, arm), ...]",
    ),
    "duplicate ids": (lambda w: w.then(add("a")).then(add("a")), f"a: {DUPLICATE}"),
    "duplicate arms": (lambda w: w.parallel([add("a"), add("a")]), f"a: {DUPLICATE}"),
    "duplicate in a chain": (lambda w: w.then(chain("c").then(add("a")).then(add("a"))), f"c/a: {DUPLICATE}"),
    "duplicate body": (lambda w: w.then(add("a")).do_while(add("a"), "false"), f"a: {DUPLICATE}"),
    "duplicate block": (lambda w: w.then(add("a")).map(plain, id="a"), f"a: {DUPLICATE}"),
    "duplicate catch": (lambda w: w.then(add("a"), catch=add("a")), f"a: {DUPLICATE}"),
    "unusable block id": (
        lambda w: w.map(plain, id="a/b"),
        (
            "a/b: the id is not usable; take 1 to 128 printable characters without '/', '[' and ']', "
            "and no '$' at the start"
        ),
    ),
    "missing field": (
        lambda w: w.then(taking("a", None, Number)).then(taking("b", Town)),
        f"step 'b': expects 'town: str', which is missing (gets 'n: int'); {MAP}",
    ),
    "renamed field": (
        lambda w: w.then(taking("a", None, Town)).then(taking("b", City)),
        f"step 'b': expects 'city: str' but gets 'town: str'; {MAP}",
    ),
    "wrong type": (
        lambda w: w.then(taking("a", None, list[int])).then(taking("b", Number)),
        f"step 'b': expects Number but gets list[int]; {MAP}",
    ),
    "wrong input of a nested workflow": (
        lambda w: w.then(taking("a", None, Town)).then(create_workflow(id="v", input_schema=City).then(add("x"))),
        f"workflow 'v': expects 'city: str' but gets 'town: str'; {MAP}",
    ),
    "wrong input of one arm": (
        lambda w: w.then(taking("a", None, Town)).parallel([taking("b", Town), taking("c", City)]),
        f"step 'c': expects 'city: str' but gets 'town: str'; {MAP}",
    ),
    "missing arm of a parallel": (
        lambda w: w.parallel([taking("a", None, int), add("b")]).then(taking("c", Town)),
        f"step 'c': expects 'town: str', which is missing (gets 'a: int', 'b: any'); {MAP}",
    ),
    "missing key of a map": (
        lambda w: w.map({"n": value(1)}).then(taking("c", Town)),
        f"step 'c': expects 'town: str' but gets 'n: any'; {MAP}",
    ),
    "loop that cannot go round": (
        lambda w: w.do_while(taking("a", Town, City), "false"),
        f"the next round of do_while 'do_while-1': expects 'town: str' but gets 'city: str'; {MAP}",
    ),
    "loop of a chain that cannot go round": (
        lambda w: w.do_until(chain("c").then(taking("a", Town)).then(taking("b", None, City)), "true"),
        f"the next round of do_until 'do_until-1': expects 'town: str' but gets 'city: str'; {MAP}",
    ),
    "foreach after a model": (
        lambda w: w.then(taking("a", None, Number)).foreach(add("b")),
        "foreach 'foreach-1': it needs a list and gets Number; add a .map() that makes a list",
    ),
    "foreach after a text": (
        lambda w: w.then(taking("a", None, str)).foreach(add("b")),
        "foreach 'foreach-1': it needs a list and gets str; add a .map() that makes a list",
    ),
    "wrong items": (
        lambda w: w.then(taking("a", None, list[Town])).foreach(taking("b", City)),
        f"step 'b[]': expects 'city: str' but gets 'town: str'; {MAP}",
    ),
    "unknown step in from_step": (
        lambda w: w.map(from_step("nope")),
        f"map 'map-1': no step 'nope' has run before it; {EARLIER}",
    ),
    "later step in from_step": (
        lambda w: w.map({"x": from_step(["later"])}).then(add("later")),
        f"map 'map-1' 'x': no step 'later' has run before it; {EARLIER}",
    ),
    "step of another workflow in from_step": (
        lambda w: w.then(add("a")).then(create_workflow(id="v").map(from_step("a"))),
        f"map 'v/map-1': no step 'a' has run before it; {EARLIER}",
    ),
    "a function in from_step": (
        lambda w: w.map(from_step(plain)),  # type: ignore[arg-type]
        f"map 'map-1': no step 'plain' has run before it; {EARLIER}",
    ),
    "block id of a loop in from_step": (
        lambda w: w.do_while(add("a"), "false", id="rounds").map(from_step("rounds")),
        "map 'map-1': the output of 'rounds' has its arm's id; name the arm",
    ),
    "unknown step in an expression": (
        lambda w: w.branch([("steps.nope.n > 1", add("a"))]),
        f"branch 'branch-1': no step 'nope' has run before it; {EARLIER}",
    ),
    "unknown step in a template": (
        lambda w: w.map({"t": template("${steps.nope}")}),
        f"map 'map-1' 't': no step 'nope' has run before it; {EARLIER}",
    ),
    "bad template": (
        lambda w: w.map({"t": template("${nope.x}")}),
        (
            "map 'map-1' 't': the template can't be used (the placeholder ${nope.x} starts with 'nope'; it can start "
            "with context, init, iteration, state, steps, value); write ${init.x}, ${steps.id.y} or ${state.z}"
        ),
    ),
    "open template": (
        lambda w: w.map(template("Hello ${init.x")),
        (
            "map 'map-1': the template can't be used (the placeholder '${init.x' is not closed: add a }); "
            "write ${init.x}, ${steps.id.y} or ${state.z}"
        ),
    ),
    "bad expression": (
        lambda w: w.branch([("n >", add("a"))]),
        (
            "branch 'branch-1': the condition can't be used ('n >', column 4: a value is needed); "
            "write (value), (value, ctx) or an expression"
        ),
    ),
    "expression over a missing field": (
        lambda w: w.then(taking("a", None, Number)).branch([("m > 1", add("b"))]),
        "branch 'branch-1': 'm > 1' reads 'm', which is not there; use one of the fields: n",
    ),
    "condition that takes too much": (
        lambda w: w.do_while(add("a"), wide),
        (
            "do_while 'do_while-1': the condition can't be used (wide can't be called with (value) or (value, ctx)); "
            "write (value), (value, ctx) or an expression"
        ),
    ),
    "condition that is none": (
        lambda w: w.do_until(add("a"), 3),  # type: ignore[arg-type]
        (
            "do_until 'do_until-1': the condition can't be used (3 is no function); "
            "write (value), (value, ctx) or an expression"
        ),
    ),
    "map that takes too much": (
        lambda w: w.map(wide),  # type: ignore[arg-type]
        "map 'map-1': wide can't be called with (value) or (value, ctx); write it as (value) or (value, ctx)",
    ),
    "map of nothing": (
        lambda w: w.map({"v": 3}),  # type: ignore[dict-item]
        (
            "map 'map-1' 'v': 3 is no source; "
            "use value(x), from_step, from_init, from_state, from_context, template or a function"
        ),
    ),
    "bad concurrency of a parallel": (
        lambda w: w.parallel([add("a")], concurrency=0),
        "parallel 'parallel-1': concurrency=0; give a whole number of at least 1, or None",
    ),
    "bad concurrency of a foreach": (
        lambda w: w.foreach(add("a"), concurrency=True),
        "foreach 'foreach-1': concurrency=True; give a whole number of at least 1, or a function of the list",
    ),
    "concurrency that takes too much": (
        lambda w: w.foreach(add("a"), concurrency=wide),
        "foreach 'foreach-1': wide can't be called with (value) or (value, ctx); write it as (value) or (value, ctx)",
    ),
    "bad limit": (
        lambda w: w.do_while(add("a"), "false", max_iterations=0),
        "do_while 'do_while-1': max_iterations=0; give a whole number of at least 1, or None",
    ),
    "bad mode": (
        lambda w: w.branch([("true", add("a"))], mode="some"),  # type: ignore[arg-type]
        "branch 'branch-1': mode='some'; use 'all' or 'first'",
    ),
    "bad sleep": (
        lambda w: w.sleep(-1),
        "sleep 'sleep-1': -1 is no duration; give seconds from 0, a timedelta or a function",
    ),
    "time without a zone": (
        lambda w: w.sleep_until(datetime(2030, 1, 1)),  # noqa: DTZ001 - the mistake
        (
            "sleep_until 'sleep_until-1': datetime.datetime(2030, 1, 1, 0, 0) is no moment; "
            "give a datetime with a time zone, or a function"
        ),
    ),
    "bad timeout of a wait": (
        lambda w: w.wait_for_event("go", timeout=0),
        "wait_for_event 'wait_for_event-1': timeout=0; give seconds above 0, or None",
    ),
    "an arm that is no step": (
        lambda w: w.then(plain),  # type: ignore[arg-type]
        "'plain': plain is of type function; decorate it with @step, or use create_step",
    ),
    "a catch that is no step": (
        lambda w: w.then(add("a"), catch=plain),  # type: ignore[arg-type]
        "'plain': plain is of type function; decorate it with @step, or use create_step",
    ),
    "a schema that is none": (
        lambda w: w.then(taking("a", 3)),
        (
            "step 'a' input_schema: 3 can't be a schema: give a type, a JSON Schema dict, or None; "
            "give a type that pydantic takes, a JSON Schema dict, or None"
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_problem_is_told_with_where_it_is_and_a_remedy(name: str) -> None:
    build, problem = WRONG[name]
    assert problems(build(create_workflow(id="w"))) == [problem]


def test_a_result_that_does_not_fit_the_output_schema_is_a_problem() -> None:
    flow = create_workflow(id="w", output_schema=City).then(taking("a", None, Town))
    assert problems(flow) == [f"the result of workflow 'w': expects 'city: str' but gets 'town: str'; {MAP}"]


def test_an_input_that_does_not_fit_the_first_step_is_a_problem() -> None:
    flow = create_workflow(id="w", input_schema=Town).then(taking("a", City))
    assert problems(flow) == [f"step 'a': expects 'city: str' but gets 'town: str'; {MAP}"]


def test_rules_of_the_workflow_itself_are_checked() -> None:
    flow = create_workflow(id="w", retry=3, on_finish=4).then(add("a"))  # type: ignore[call-overload]
    assert problems(flow) == [
        "workflow 'w': retry=3; give RetryPolicy(attempts=...), or None",
        "hooks: on_finish is of type int; give a function of one argument",
    ]


def test_all_problems_are_in_one_error() -> None:
    flow = (
        create_workflow(id="w")
        .then(add("a"))
        .then(add("a"))
        .foreach(add("b"), concurrency=0)
        .branch([("n >", plain)])  # type: ignore[list-item]
        .map({"x": from_step("nope"), "y": template("${")})
        .then(create_workflow(id="empty"))
    )
    with pytest.raises(DefinitionError) as caught:
        flow.commit()
    told = [problem.where for problem in caught.value.problems]
    wheres = ["a", "foreach 'foreach-1'", "branch 'branch-1'", "'plain'", "map 'map-1' 'x'", "map 'map-1' 'y'"]
    assert told == [*wheres, "workflow 'empty'"]
    assert str(caught.value).splitlines() == [
        "workflow 'w' has 7 problems:",
        *(f"  - {problem}" for problem in caught.value.problems),
    ]


@pytest.mark.parametrize(
    "build",
    [
        lambda w: w.then(taking("a", None, Town)).then(taking("b", create_model_like_town())),
        lambda w: w.then(taking("a", None, int)).then(taking("b", float)),
        lambda w: w.then(taking("a", None, Town)).map(lambda town: {"city": town.town}).then(taking("b", City)),
        lambda w: w.parallel([taking("x", None, int), taking("n", None, int)]).then(taking("b", Number)),
        lambda w: w.map({"n": value(1), "more": value(2)}).then(taking("b", Number)),
        lambda w: w.then(add("a")).foreach(taking("b", Number)),
        lambda w: w.then(taking("a", None, Town), catch=add("c")).then(taking("b", City)),
        lambda w: w.then(taking("a", None, Number)).branch([("n > 1 and state.x and steps.a.n", add("b"))]),
        lambda w: w.then(chain("c").then(add("a"))).then(chain("d").then(add("a"))),
        lambda w: w.then(add("a")).then(create_workflow(id="v").then(add("a"))),
    ],
    ids=[
        "two classes with fitting fields",
        "int for float",
        "a map between",
        "parallel checked by fields",
        "dict map checked by fields",
        "list not known",
        "unknown after catch",
        "expression of fields, state and steps",
        "one id in two chains",
        "one id in a nested workflow",
    ],
)
def test_what_can_fit_is_no_problem(build: Callable[[Flow], Flow]) -> None:
    flow = build(create_workflow(id="w"))
    assert flow.commit() is flow


def create_model_like_town() -> type[BaseModel]:
    """Another class with the same field, and one with a default."""

    class Village(BaseModel):
        town: str
        people: int = 0

    return Village
