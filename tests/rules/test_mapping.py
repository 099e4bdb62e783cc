"""Maps, conditions, templates, and how names are looked up."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    StepContext,
    chain,
    create_step,
    create_workflow,
    from_context,
    from_init,
    from_state,
    from_step,
    template,
    value,
)
from tests.fixtures import OpenEngine, add, fail, launch


async def same(given: Any) -> Any:
    """Give back what it gets."""
    return given


def echo(id: str, **options: Any) -> Any:
    """A step that gives back what it gets."""
    return create_step(id=id, execute=same, **options)


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = 7


async def doubled(given: dict[str, int]) -> int:
    """An async map."""
    return 2 * given["n"]


FIRST = add("first", 1)


# -- maps


@pytest.mark.parametrize(
    ("source", "made"),
    [
        (lambda given: given["n"] + 5, 6),
        (lambda given, ctx: [given["n"], ctx.init["n"], ctx.path], [1, 0, "map"]),
        (doubled, 2),
        (lambda: 4, 4),
        (from_step(FIRST), {"n": 1}),
        (from_step("first", "n"), 1),
        (from_step(["other", FIRST], "n"), 1),
        (from_init(), {"n": 0, "deep": {"list": [{"x": "y"}]}}),
        (from_init("deep.list[0].x"), "y"),
        (from_state("k.z"), 26),
        (from_context("user"), {"name": "Ada"}),
        (value({"a": [1]}), {"a": [1]}),
        (template("${init.n} ${steps.first.n} ${state.k.z} ${value.n} ${context.user.name} $${"), "0 1 26 1 Ada ${"),
        ({}, {}),
        (
            {"a": from_step(FIRST, "n"), "b": value(None), "c": doubled, "d": template("<${init.n}>")},
            {"a": 1, "b": None, "c": 2, "d": "<0>"},
        ),
    ],
)
async def test_a_map_makes_a_value_of_its_sources(open_engine: OpenEngine, source: Any, made: Any) -> None:
    flow = create_workflow(id="w").branch([("false", echo("other"))]).map(from_init()).then(FIRST).map(source, id="map")
    engine = await open_engine(flow)
    run = await launch(
        engine,
        "w",
        {"n": 0, "deep": {"list": [{"x": "y"}]}},
        state={"k": {"z": 26}},
        request_context={"user": {"name": "Ada"}},
    )
    result = await run.result()
    assert (result.status, result.result) == ("success", made)


async def test_from_step_of_a_list_gives_the_arm_that_ran(open_engine: OpenEngine) -> None:
    flow = (
        create_workflow(id="w")
        .branch([("n > 5", add("hi", 100)), ("n < 3", add("lo", 200))], mode="first", otherwise=add("mid", 300))
        .map(from_step(["hi", "lo", "mid"]))
    )
    engine = await open_engine(flow)
    results = [(await (await launch(engine, "w", {"n": n})).result()).result for n in (9, 1, 4)]
    assert results == [{"n": 109}, {"n": 201}, {"n": 304}]


async def test_what_a_skipped_arm_gave_is_none_and_in_a_template_an_empty_text(open_engine: OpenEngine) -> None:
    flow = (
        create_workflow(id="w")
        .branch([("false", add("a"))])
        .map({"whole": from_step("a"), "deep": from_step("a", "n"), "text": template("<${steps.a.n}>")})
    )
    engine = await open_engine(flow)
    result = (await (await launch(engine, "w", {"n": 1})).result()).result
    assert result == {"whole": None, "deep": None, "text": "<>"}


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (from_step("first", "x.y"), "x.y"),
        (from_init("x"), "x"),
        (from_state("x"), "x"),
        (from_context("x"), "x"),
        (template("Hello ${init.x}"), "init.x"),
        (template("Hello ${steps.first.x}"), "steps.first.x"),
    ],
)
async def test_a_path_that_is_missing_at_run_time_fails_and_is_named(
    open_engine: OpenEngine, source: Any, named: str
) -> None:
    engine = await open_engine(create_workflow(id="w").then(FIRST).map({"key": source}))
    result = await (await launch(engine, "w", {"n": 0})).result()
    assert (result.status, result.error["type"], result.error["step"]) == ("failed", "ConditionFailed", "map-1")
    assert named in result.error["message"]
    assert "'key'" in result.error["message"]


async def test_a_map_that_raises_fails_the_run_and_is_named(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").map(lambda given: given["nope"], id="pick"))
    error = (await (await launch(engine, "w", {})).result()).error
    assert (error["type"], error["message"]) == ("ConditionFailed", "map pick failed: KeyError: 'nope'")


async def test_a_map_may_give_a_model(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="w").map(lambda given: Person(name=given)).then(echo("a", input_schema=Person))
    engine = await open_engine(flow)
    result = await (await launch(engine, "w", "Ada")).result()
    assert (result.steps["map-1"].output, result.steps["a"].input) == ({"name": "Ada", "age": 7},) * 2


async def test_a_function_gets_the_typed_value(open_engine: OpenEngine) -> None:
    make = create_step(id="make", execute=lambda: Person(name="Ada"), output_schema=Person)
    flow = create_workflow(id="w").then(make).map(lambda person: f"{person.name} {person.age}")
    engine = await open_engine(flow)
    assert (await (await launch(engine, "w")).result()).result == "Ada 7"


# -- conditions


async def both(given: Any, ctx: StepContext) -> bool:
    """A condition with a context, async."""
    return bool(given["n"] == ctx.init["n"] + 1)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("n == 1 and not flag", False),
        ("n == 1", True),
        ("value.n == 1 and init.n == 0", True),
        ("state.open and context.user == 'Ada'", True),
        ("first.n == 1 or steps.first.n > 5", True),
        ("skipped == null", True),
        ("n in [2, 3]", False),
        (lambda given: given["n"] == 1, True),
        (lambda _, ctx: ctx.state["open"], True),
        (both, True),
        (lambda: False, False),
    ],
    ids=[
        "not",
        "field",
        "value and init",
        "state and context",
        "steps",
        "skipped step",
        "in",
        "function",
        "function with context",
        "async function",
        "function of nothing",
    ],
)
async def test_a_condition_is_a_function_or_an_expression(open_engine: OpenEngine, condition: Any, holds: bool) -> None:
    made = create_step(id="first", execute=lambda given: {"n": given["n"] + 1, "flag": True})
    flow = (
        create_workflow(id="w")
        .branch([("false", echo("skipped"))], otherwise=echo("rest"))
        .map(from_init())
        .then(made)
        .branch([(condition, echo("yes"))])
    )
    engine = await open_engine(flow)
    run = await launch(engine, "w", {"n": 0}, state={"open": True}, request_context={"user": "Ada"})
    result = await run.result()
    assert (result.status, list(result.result)) == ("success", ["yes"] if holds else [])


@pytest.mark.parametrize(
    "condition",
    ["n / 0 > 1", "n > 'x'", "other.deep == 1", lambda given: 1 / given["zero"]],
    ids=["division", "types", "missing path", "function"],
)
@pytest.mark.parametrize("block", ["branch", "loop"])
async def test_a_condition_that_raises_fails_the_run_naming_the_edge(
    open_engine: OpenEngine, condition: Any, block: str
) -> None:
    flow = create_workflow(id="w")
    flow = (
        flow.branch([(condition, echo("a"))], id="edge") if block == "branch" else flow.do_while(echo("a"), condition)
    )
    engine = await open_engine(flow)
    error = (await (await launch(engine, "w", {"n": 1, "zero": 0, "other": {}})).result()).error
    text = condition if isinstance(condition, str) else "<lambda>"
    assert error["type"] == "ConditionFailed"
    assert repr(text) in error["message"]


# -- names


async def test_names_are_looked_up_from_the_innermost_scope_outwards_up_to_their_own_workflow(
    open_engine: OpenEngine,
) -> None:
    async def look(given: Any, ctx: StepContext) -> Any:
        return [ctx.result_of(name) for name in ("outside", "before", "near")]

    links = chain("links").then(echo("near")).then(create_step(id="look", execute=look))
    inner = create_workflow(id="inner").then(echo("before")).foreach(links)
    engine = await open_engine(create_workflow(id="w").then(echo("outside")).then(inner))
    result = await (await launch(engine, "w", [1, 2])).result()
    assert result.result == [[None, [1, 2], 1], [None, [1, 2], 2]]


async def test_an_inner_name_hides_an_outer_one(open_engine: OpenEngine) -> None:
    async def look(given: Any, ctx: StepContext) -> Any:
        return ctx.result_of("a")

    links = chain("links").then(add("a", 10)).then(create_step(id="look", execute=look))
    engine = await open_engine(create_workflow(id="w").then(add("a", 1)).then(links).map(from_step("a")))
    result = await (await launch(engine, "w", {"n": 0})).result()
    assert (result.steps["links"].output, result.result) == ({"n": 11}, {"n": 1})


async def test_a_loop_or_foreach_is_read_by_its_arms_id(open_engine: OpenEngine) -> None:
    flow = (
        create_workflow(id="w")
        .do_while(add("round"), "n < 3")
        .map(lambda given: [given, given])
        .foreach(add("item", 10))
        .map({"last": from_step("round", "n"), "second": from_step("item", "[1].n"), "all": from_step("item")})
    )
    engine = await open_engine(flow)
    result = (await (await launch(engine, "w", {"n": 0})).result()).result
    assert result == {"last": 3, "second": 13, "all": [{"n": 13}, {"n": 13}]}


async def test_parallel_and_branch_open_no_scope_and_can_be_read_themselves(open_engine: OpenEngine) -> None:
    flow = (
        create_workflow(id="w")
        .parallel([add("a"), add("b")], id="both")
        .branch([("true", echo("c"))])
        .map({"a": from_step("a", "n"), "both": from_step("both"), "arm": from_step("branch-1")})
    )
    engine = await open_engine(flow)
    result = await (await launch(engine, "w", {"n": 0})).result()
    output = {"a": {"n": 1}, "b": {"n": 1}}
    assert result.result == {"a": 1, "both": output, "arm": {"c": output}}
    assert list(result.steps) == ["a", "b", "c", "map-1"]


async def test_unnamed_blocks_get_stable_ids(open_engine: OpenEngine) -> None:
    flow = (
        create_workflow(id="w")
        .map(value({"n": 1}))
        .sleep(0)
        .map(value({"n": 2}), id="named")
        .sleep(0)
        .map(value({"n": 3}))
        .then(chain().then(echo("a")))
        .parallel([chain().then(echo("b")), echo("c")])
        .branch([("true", echo("d"))])
        .do_while(echo("e"), "false")
        .map(value([]))
        .foreach(echo("f"))
    )
    assert list(flow.plan.places) == [
        "map-1",
        "sleep-1",
        "named",
        "sleep-2",
        "map-2",
        "chain-1",
        "chain-1/a",
        "parallel-1",
        "chain-2",
        "chain-2/b",
        "c",
        "branch-1",
        "d",
        "e",
        "e[]",
        "map-3",
        "f",
        "f[]",
    ]
    assert [node.name for node in flow.plan.nodes if node.place in {"e", "f"}] == ["do_while-1", "foreach-1"]


async def test_the_output_of_a_failed_step_that_was_caught_is_none_in_a_map(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="w").then(fail("bad"), catch=echo("saved")).map({"bad": from_step("bad")})
    engine = await open_engine(flow)
    assert (await (await launch(engine, "w")).result()).result == {"bad": None}
