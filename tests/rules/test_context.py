"""What a step sees of its run, and the verbs that are not about suspending or state."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    Event,
    RetryPolicy,
    StepContext,
    chain,
    create_step,
    create_workflow,
    step,
)
from tests.fixtures import OpenEngine, add, launch


async def test_a_step_sees_which_run_it_is_in(open_engine: OpenEngine) -> None:
    async def look(data: Any, ctx: StepContext) -> dict[str, Any]:
        return {
            "run_id": ctx.run_id,
            "workflow_id": ctx.workflow_id,
            "step_id": ctx.step_id,
            "path": ctx.path,
            "attempt": ctx.attempt,
            "iteration": ctx.iteration,
            "resource_id": ctx.resource_id,
            "tags": list(ctx.tags),
            "request_context": ctx.request_context,
            "init": ctx.init,
            "state": ctx.state,
        }

    engine = await open_engine(create_workflow(id="seen").then(create_step(id="look", execute=look)))
    run = await engine.create_run("seen", run_id="r-1", resource_id="user-7", tags=("red", "blue"))
    result = await run.start({"n": 1}, state={"mood": "good"}, request_context={"locale": "de"})
    assert result.result == {
        "run_id": "r-1",
        "workflow_id": "seen",
        "step_id": "look",
        "path": "look",
        "attempt": 1,
        "iteration": 1,
        "resource_id": "user-7",
        "tags": ["red", "blue"],
        "request_context": {"locale": "de"},
        "init": {"n": 1},
        "state": {"mood": "good"},
    }


async def test_the_context_gives_the_engine(open_engine: OpenEngine) -> None:
    seen: list[Any] = []

    async def look(data: Any, ctx: StepContext) -> None:
        seen.append(ctx.engine)

    engine = await open_engine(create_workflow(id="seen").then(create_step(id="look", execute=look)))
    await launch(engine, "seen")
    assert seen == [engine]


async def test_path_attempt_and_iteration_name_the_place(open_engine: OpenEngine) -> None:
    """Paths count from 0, ``ctx.iteration`` and ``ctx.attempt`` from 1."""
    seen: list[tuple[str, str, int, int]] = []

    async def look(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        seen.append((ctx.path, ctx.step_id, ctx.attempt, ctx.iteration))
        return {"n": data["n"] + 1}

    looking = create_step(id="look", execute=look)
    inner = create_workflow(id="inner").then(looking)
    flow = (
        create_workflow(id="flow")
        .then(chain("pair").then(looking))
        .do_while(inner, "n < 3")
        .map(lambda data: [data])
        .foreach(create_step(id="item", execute=look))
    )
    engine = await open_engine(flow)
    await launch(engine, "flow", {"n": 0})
    assert seen == [
        ("pair/look", "look", 1, 1),
        ("inner[0]/look", "look", 1, 1),
        ("inner[1]/look", "look", 1, 2),
        ("item[0]", "item", 1, 1),
    ]


async def test_init_is_the_workflows_own_input(open_engine: OpenEngine) -> None:
    seen: dict[str, Any] = {}

    async def look(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        seen[ctx.path] = ctx.init
        return {"n": data["n"] + 1}

    looking = create_step(id="look", execute=look)
    child = create_workflow(id="child").then(add("more", 10)).then(looking)
    engine = await open_engine(create_workflow(id="parent").then(add("first")).then(child).then(looking))
    await launch(engine, "parent", {"n": 1})
    assert seen == {"child/look": {"n": 2}, "look": {"n": 1}}


async def test_init_is_an_instance_of_the_input_schema_and_a_copy(open_engine: OpenEngine) -> None:
    class Place(BaseModel):
        city: str
        zoom: int = 3

    async def spoil(data: Place, ctx: StepContext) -> None:
        assert ctx.init == Place(city="Rome", zoom=3)
        ctx.init.city = "spoilt"
        data.city = "spoilt too"

    async def look(data: Any, ctx: StepContext) -> str:
        return str(ctx.init.city)

    flow = create_workflow(id="trip", input_schema=Place)
    spoiling = create_step(id="spoil", execute=spoil, input_schema=Place)
    engine = await open_engine(flow.then(spoiling).then(create_step(id="look", execute=look)))
    run = await launch(engine, "trip", {"city": "Rome"})
    result = await run.result()
    assert (result.result, result.input) == ("Rome", {"city": "Rome", "zoom": 3})


async def test_result_of_gives_an_output_or_none_by_step_or_id(open_engine: OpenEngine) -> None:
    first, low, high = add("first"), add("low"), add("high", 10)

    async def look(data: Any, ctx: StepContext) -> list[Any]:
        return [ctx.result_of(one) for one in (first, "first", high, low, "look")]

    flow = create_workflow(id="flow").then(first).branch([("n > 5", high), ("n <= 5", low)])
    engine = await open_engine(flow.then(create_step(id="look", execute=look)))
    run = await launch(engine, "flow", {"n": 0})
    assert (await run.result()).result == [{"n": 1}, {"n": 1}, None, {"n": 2}, None]


async def test_result_of_looks_from_the_innermost_scope_outwards_within_its_workflow(open_engine: OpenEngine) -> None:
    seen: dict[str, Any] = {}

    async def look(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        seen[ctx.path] = (ctx.result_of("a"), ctx.result_of("outer"))
        return data

    looking = create_step(id="look", execute=look)
    pair = chain("pair").then(add("a", 10)).then(looking)
    child = create_workflow(id="child").then(add("b")).then(looking)
    engine = await open_engine(create_workflow(id="flow").then(add("a")).then(add("outer")).then(pair).then(child))
    await launch(engine, "flow", {"n": 0})
    assert seen == {"pair/look": ({"n": 12}, {"n": 2}), "child/look": (None, None)}


async def test_what_a_step_gets_from_result_of_is_a_copy(open_engine: OpenEngine) -> None:
    async def spoil(data: Any, ctx: StepContext) -> Any:
        found: Any = ctx.result_of("make")
        found["names"].append("spoilt")
        data["names"].append("spoilt too")
        return ctx.result_of("make")

    async def make() -> dict[str, list[str]]:
        return {"names": ["x"]}

    flow = create_workflow(id="flow").then(create_step(id="make", execute=make))
    engine = await open_engine(flow.then(create_step(id="spoil", execute=spoil)))
    run = await launch(engine, "flow")
    result = await run.result()
    assert (result.result, result.steps["make"].output) == ({"names": ["x"]}, {"names": ["x"]})


async def test_a_step_that_changes_its_input_changes_nobody_elses(open_engine: OpenEngine) -> None:
    async def spoil(data: dict[str, Any]) -> dict[str, Any]:
        data["list"].append(1)
        return {"saw": len(data["list"])}

    flow = create_workflow(id="flow").parallel([create_step(id=name, execute=spoil) for name in ("a", "b")])
    given: dict[str, Any] = {"list": []}
    run = await launch(await open_engine(flow), "flow", given)
    result = await run.result()
    assert result.result == {"a": {"saw": 1}, "b": {"saw": 1}}
    assert [given, result.input, result.steps["a"].input] == [{"list": []}] * 3


async def test_a_step_that_changes_its_input_does_not_change_what_its_producer_keeps(open_engine: OpenEngine) -> None:
    kept = {"names": ["x"]}

    async def make() -> dict[str, list[str]]:
        return kept

    async def spoil(data: dict[str, list[str]]) -> None:
        data["names"].append("spoilt")

    flow = create_workflow(id="flow").then(create_step(id="make", execute=make))
    await launch(await open_engine(flow.then(create_step(id="spoil", execute=spoil))), "flow")
    assert kept == {"names": ["x"]}


async def test_request_context_reaches_every_step_as_a_copy(open_engine: OpenEngine) -> None:
    async def spoil(data: Any, ctx: StepContext) -> Any:
        ctx.request_context["user"]["name"] = "spoilt"
        return ctx.request_context

    child = create_workflow(id="child").then(create_step(id="inner", execute=spoil))
    engine = await open_engine(create_workflow(id="flow").then(create_step(id="outer", execute=spoil)).then(child))
    run = await launch(engine, "flow", request_context={"user": {"name": "Ann"}})
    assert (await run.result()).result == {"user": {"name": "Ann"}}


async def test_idempotency_key_is_the_same_for_every_attempt_and_differs_by_place(open_engine: OpenEngine) -> None:
    keys: list[tuple[str, int]] = []

    async def look(data: int, ctx: StepContext) -> None:
        keys.append((ctx.idempotency_key, ctx.attempt))
        if ctx.attempt == 1:
            raise ValueError("again")

    flow = create_workflow(id="flow").foreach(create_step(id="item", execute=look, retry=RetryPolicy(attempts=2)))
    await launch(await open_engine(flow), "flow", [1, 2])
    firsts = [key for key, attempt in keys if attempt == 1]
    seconds = [key for key, attempt in keys if attempt == 2]
    assert firsts == seconds
    assert len(set(firsts)) == 2


async def test_a_failure_keeps_type_message_cause_attributes_and_traceback(open_engine: OpenEngine) -> None:
    class NoMoney(Exception):
        def __init__(self) -> None:
            super().__init__("no money")
            self.amount = 12
            self._secret = "hidden"

    async def pay() -> None:
        try:
            raise KeyError("account")
        except KeyError as error:
            raise NoMoney from error

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="pay", execute=pay)))
    error = dict((await (await launch(engine, "flow")).result()).error or {})
    trace, cause = error.pop("traceback"), error.pop("cause")
    assert error == {"type": "NoMoney", "message": "no money", "attributes": {"amount": 12}, "step": "pay"}
    assert (cause["type"], cause["message"]) == ("KeyError", "'account'")
    assert "in pay" in trace


async def test_only_decorated_steps_read_annotations(open_engine: OpenEngine) -> None:
    @dataclass
    class Point:
        x: int

    @step
    async def typed(point: Point) -> Point:
        return dataclasses.replace(point, x=point.x + 1)

    async def plain(point: Point) -> str:
        return type(point).__name__

    engine = await open_engine(create_workflow(id="flow").then(typed).then(create_step(id="plain", execute=plain)))
    assert (await (await launch(engine, "flow", {"x": "4"})).result()).result == "dict"


async def test_an_event_is_a_frozen_dataclass(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="flow").then(add("a"))), "flow", {"n": 1})
    event = await anext(run.events(follow=False))
    names = [field.name for field in dataclasses.fields(Event)]
    assert names == ["seq", "run_id", "at", "type", "path", "attempt", "data"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.seq = 9  # type: ignore[misc]
