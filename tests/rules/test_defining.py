"""Steps and the builder: how a workflow is defined, and what a definition is."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from engine import (
    DefinitionError,
    Engine,
    RetryPolicy,
    Step,
    StepContext,
    Workflow,
    clone_step,
    clone_workflow,
    create_step,
    create_workflow,
    step,
)
from tests.fixtures import OpenEngine, add, launch


class Place(BaseModel):
    """Where."""

    city: str


@dataclasses.dataclass
class Forecast:
    """What the sky does."""

    rain_mm: float


class Plan(TypedDict):
    """What to do."""

    what: str


async def same(value: Any) -> Any:
    """Give back what it gets."""
    return value


def wide(a, b, c):  # type: ignore[no-untyped-def]
    """Takes too much."""


def named(a, *, k):  # type: ignore[no-untyped-def]
    """Takes something by name."""


# -- steps


def test_a_decorated_step_has_the_functions_name_and_annotations() -> None:
    @step
    async def fetch_forecast(place: Place) -> Forecast:
        """Ask the weather service.

        More about it.
        """
        return Forecast(rain_mm=len(place.city))

    assert isinstance(fetch_forecast, Step)
    made = (fetch_forecast.id, fetch_forecast.input_schema, fetch_forecast.output_schema, fetch_forecast.description)
    assert made == ("fetch_forecast", Place, Forecast, "Ask the weather service.")


def test_a_decorated_step_stays_callable_as_the_plain_function() -> None:
    @step
    def double(n: int) -> int:
        return 2 * n

    @step(id="triple")
    async def thrice(n: int) -> int:
        return 3 * n

    assert (double(4), asyncio.run(thrice(4))) == (8, 12)


def test_a_step_decorated_with_rules_has_them() -> None:
    policy = RetryPolicy(attempts=3)

    @step(id="approve", retry=policy, timeout=30, resume_schema=Plan, on_crash="ask", metadata={"team": "a"})
    async def anything(cost: int, ctx: StepContext) -> str:
        return f"{cost} {ctx.path}"

    expected = Step(
        id="approve",
        execute=anything.execute,
        input_schema=int,
        output_schema=str,
        resume_schema=Plan,
        retry=policy,
        timeout=30,
        on_crash="ask",
        metadata={"team": "a"},
    )
    assert fields(anything) == fields(expected)


def fields(made: Step[Any, Any]) -> dict[str, Any]:
    """All that a step is."""
    return {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}


def test_the_explicit_form_takes_its_schemas_as_arguments_only() -> None:
    def execute(place: Place) -> Forecast:
        return Forecast(1)

    bare = create_step(id="a", execute=execute)
    full = create_step(id="a", execute=execute, input_schema=Place, output_schema=Forecast, description="d")
    assert (bare.input_schema, bare.output_schema, bare.description) == (None, None, "")
    assert (full.input_schema, full.output_schema, full.description) == (Place, Forecast, "d")


def test_schemas_given_to_the_decorator_win_over_annotations() -> None:
    @step(output_schema=Plan, input_schema=None)
    def decide(place: Place) -> Any:
        return {"what": place.city}

    assert (decide.input_schema, decide.output_schema) == (None, Plan)


def test_a_step_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        add("a").id = "b"  # type: ignore[misc]


@pytest.mark.parametrize("is_async", [True, False])
async def test_execute_takes_nothing_the_input_or_the_input_and_the_context(
    open_engine: OpenEngine, is_async: bool
) -> None:
    async def nothing() -> int:
        return 1

    async def one(value: int) -> int:
        return value + 1

    async def both(value: int, ctx: StepContext) -> list[Any]:
        return [value + 1, ctx.step_id]

    functions: list[Any] = [nothing, one, both]
    if not is_async:
        functions = [lambda: 1, lambda value: value + 1, lambda value, ctx: [value + 1, ctx.step_id]]
    flow: Workflow[Any, Any] = create_workflow(id="w")
    for number, function in enumerate(functions):
        flow = flow.then(create_step(id=f"s{number}", execute=function))
    engine = await open_engine(flow)
    assert (await (await launch(engine, "w")).result()).result == [3, "s2"]


async def test_a_sync_function_runs_in_a_worker_thread_and_has_blocking_verbs(open_engine: OpenEngine) -> None:
    seen: list[threading.Thread] = []

    def work(value: Any, ctx: StepContext) -> Any:
        seen.append(threading.current_thread())
        return ctx.sync.ask({"sure": value})

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=work)))
    run = await launch(engine, "w", 1)
    assert (await run.resume("yes")).result == "yes"
    assert threading.main_thread() not in seen
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("schema", "given", "wrong"),
    [
        (Place, {"city": "Ulm"}, {"town": "Ulm"}),
        (Forecast, {"rain_mm": 1.5}, {}),
        (Plan, {"what": "walk"}, {"what": 1}),
        (list[int], [1, 2], ["x"]),
        (date, "2024-05-06", "soon"),
        ({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, {"n": 1}, {"n": "x"}),
    ],
    ids=["model", "dataclass", "TypedDict", "list", "date", "JSON Schema"],
)
async def test_a_schema_is_anything_pydantic_takes_or_a_json_schema(
    open_engine: OpenEngine, schema: Any, given: Any, wrong: Any
) -> None:
    echo = create_step(id="echo", execute=same, input_schema=schema, output_schema=schema)
    engine = await open_engine(create_workflow(id="w").then(echo))
    good, bad = [await (await launch(engine, "w", data)).result() for data in (given, wrong)]
    assert (good.result, bad.status, bad.error["type"]) == (given, "failed", "InvalidInput")


async def test_no_schema_means_anything_json_able(open_engine: OpenEngine) -> None:
    given = {"a": [1, None, 2.5, "x", {"b": True}]}
    engine = await open_engine(create_workflow(id="w").then(create_step(id="echo", execute=same)))
    assert (await (await launch(engine, "w", given)).result()).result == given


@pytest.mark.parametrize("output", [(1, 2), {1: "a"}], ids=["tuple", "key"])
async def test_an_unannotated_value_that_json_would_change_is_refused_with_the_remedy(
    open_engine: OpenEngine, output: Any
) -> None:
    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=lambda: output)))
    error = (await (await launch(engine, "w")).result()).error
    assert error["type"] == "NotSerializable"
    assert "annotate" in error["message"]


@pytest.mark.parametrize(
    ("options", "what", "remedy"),
    [
        ({"id": "a/b"}, "the id is not usable", "take 1 to 128 printable characters"),
        ({"id": ""}, "the id is not usable", "take 1 to 128 printable characters"),
        ({"id": None}, "the id is not usable", "take 1 to 128 printable characters"),
        ({"execute": 3}, "execute is of type int", "pass a function"),
        ({"execute": wide}, "wide(a, b, c) can't be called", "take (), (input) or (input, ctx)"),
        ({"execute": named}, "named(a, *, k) can't be called", "take (), (input) or (input, ctx)"),
        ({"execute": lambda: (yield)}, "<lambda>() is a generator", "return the output, and stream with ctx.write"),
        ({"timeout": 0}, "timeout=0", "give seconds above 0, or None"),
        ({"timeout": "soon"}, "timeout='soon'", "give seconds above 0, or None"),
        ({"on_crash": "panic"}, "on_crash='panic'", "use 'retry', 'ask' or 'fail'"),
        ({"retry": 3}, "retry=3", "give RetryPolicy(attempts=...), or None"),
    ],
)
def test_what_is_wrong_with_a_step_is_told_with_a_remedy(options: dict[str, Any], what: str, remedy: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        create_step(**{"id": "a", "execute": same, **options})
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == (f"step {options.get('id', 'a')!r}", what)
    assert problem.remedy.startswith(remedy)


def test_everything_wrong_with_a_step_is_told_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        create_step(id="a[0]", execute=wide, timeout=-1)
    assert [problem.what for problem in caught.value.problems] == [
        "the id is not usable",
        "wide(a, b, c) can't be called",
        "timeout=-1",
    ]


def test_annotations_that_cannot_be_read_are_told_with_a_remedy() -> None:
    def late(value: Missing) -> int:  # type: ignore[name-defined]  # noqa: F821
        return 1

    with pytest.raises(DefinitionError, match=r"can't be read \(name 'Missing' is not defined\); import the types"):
        step(late)
    assert step(input_schema=int, output_schema=int)(late).input_schema is int


def test_a_cloned_step_has_another_id_and_the_changes() -> None:
    original = create_step(id="a", execute=same, input_schema=int, timeout=3, description="d")
    clone = clone_step(original, id="b", timeout=5)
    assert fields(clone) == {**fields(original), "id": "b", "timeout": 5}
    with pytest.raises(DefinitionError, match="a step has no tiemout; change any of"):
        clone_step(original, id="b", tiemout=5)


# -- workflows


def test_the_builder_is_immutable() -> None:
    empty = create_workflow(id="w")
    one = empty.then(add("a"))
    two, other = one.then(add("b")), one.map(lambda value: value)
    assert [len(flow.nodes) for flow in (empty, one, two, other)] == [0, 1, 2, 2]
    assert list(two.plan.places) == ["a", "b"]
    assert list(other.plan.places) == ["a", "map-1"]


def test_a_workflow_is_frozen_and_compiled_once() -> None:
    flow = create_workflow(id="w").then(add("a"))
    assert flow.commit() is flow
    assert flow.plan is flow.commit().plan
    with pytest.raises(dataclasses.FrozenInstanceError):
        flow.id = "v"  # type: ignore[misc]


async def test_registering_an_uncommitted_workflow_commits_it(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    assert (await (await launch(engine, "w", {"n": 1})).result()).result == {"n": 2}
    with pytest.raises(DefinitionError, match="it has no steps"):
        Engine([create_workflow(id="empty")])


def test_nesting_an_uncommitted_workflow_commits_it() -> None:
    with pytest.raises(DefinitionError, match="workflow 'inner': it has no steps"):
        create_workflow(id="w").then(create_workflow(id="inner")).commit()


def test_a_workflow_runs_alone_in_memory() -> None:
    flow = create_workflow(id="w").then(add("a"))
    assert flow.run_sync({"n": 1}).result == {"n": 2}


async def test_a_workflow_runs_alone_on_a_loop() -> None:
    flow = create_workflow(id="w").then(add("a"))
    assert (await flow.run({"n": 1})).unwrap() == {"n": 2}


async def test_a_cloned_workflow_runs_under_its_own_id(open_engine: OpenEngine) -> None:
    first = create_workflow(id="first", description="d").then(add("a"))
    second = clone_workflow(first, id="second")
    engine = await open_engine(first, second, create_workflow(id="both").then(first).then(second))
    results = [await (await launch(engine, name, {"n": 1})).result() for name in ("first", "second", "both")]
    assert [result.result for result in results] == [{"n": 2}, {"n": 2}, {"n": 3}]
    assert list(results[2].steps) == ["first", "first/a", "second", "second/a"]


@pytest.mark.parametrize("id", ["", "a/b", " a", "x" * 129, None, 3])
def test_a_workflow_has_a_usable_id(id: Any) -> None:
    for make in (lambda: create_workflow(id=id), lambda: clone_workflow(create_workflow(id="w"), id=id)):
        with pytest.raises(DefinitionError, match="the id is not usable; take 1 to 128 printable characters"):
            make()


async def test_the_workflows_schemas_hold_its_input_result_state_and_context(open_engine: OpenEngine) -> None:
    def use(place: Place, ctx: StepContext) -> dict[str, Any]:
        return {"what": f"{place.city} {ctx.state.what} {ctx.request_context['what']}"}

    class State(BaseModel):
        what: str = "walk"

    flow = create_workflow(
        id="w", input_schema=Place, output_schema=Plan, state_schema=State, request_context_schema=Plan
    ).then(create_step(id="use", execute=use, input_schema=Place))
    engine = await open_engine(flow)
    run = await launch(engine, "w", {"city": "Ulm"}, request_context={"what": "now"})
    result = await run.result()
    assert (result.result, result.state) == ({"what": "Ulm walk now"}, {"what": "walk"})


async def test_the_steps_policy_wins_over_the_workflows(open_engine: OpenEngine) -> None:
    def broken() -> None:
        raise ValueError("no")

    own = create_step(id="own", execute=broken, retry=RetryPolicy(attempts=3))
    flow = (
        create_workflow(id="w", retry=RetryPolicy(attempts=2))
        .parallel([own, create_step(id="theirs", execute=broken)])
        .commit()
    )
    engine = await open_engine(flow)
    result = await (await launch(engine, "w")).result()
    assert {id: result.steps[id].attempts for id in ("own", "theirs")} == {"own": 3, "theirs": 2}
