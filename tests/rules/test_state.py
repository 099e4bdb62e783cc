"""The shared state: what a step sees, when its changes count, and how they are merged."""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from engine import (
    Engine,
    InvalidState,
    RetryPolicy,
    Run,
    Step,
    StepContext,
    create_step,
    create_workflow,
    reduce,
)
from tests.fixtures import OpenEngine, launch, statuses


class Trip(BaseModel):
    city: str = "nowhere"
    stops: Annotated[int, reduce(operator.add)] = 0
    notes: Annotated[list[str], reduce(operator.add)] = Field(default_factory=list)


def sets(id: str, **changes: Any) -> Step[Any, Any]:
    async def execute(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(**changes)
        return data

    return create_step(id=id, execute=execute)


async def state_of(run: Run) -> Any:
    return (await run.result()).state


async def changes_of(run: Run) -> list[Any]:
    return [event.data["changes"] async for event in run.events(follow=False) if event.type == "state.changed"]


async def test_state_is_a_dict_without_a_schema_and_last_in_the_result(open_engine: OpenEngine) -> None:
    async def look(data: Any, ctx: StepContext) -> Any:
        return ctx.state

    flow = create_workflow(id="flow").then(sets("a", x=1, y=2)).then(sets("b", y=3))
    run = await launch(await open_engine(flow.then(create_step(id="look", execute=look))), "flow", state={"z": 0})
    result = await run.result()
    assert (result.result, result.state) == ({"z": 0, "x": 1, "y": 3}, {"z": 0, "x": 1, "y": 3})
    assert await changes_of(run) == [{"x": 1, "y": 2}, {"y": 3}]


async def test_state_is_an_instance_of_its_schema_with_defaults(open_engine: OpenEngine) -> None:
    seen: list[Any] = []

    async def look(data: Any, ctx: StepContext) -> None:
        seen.append(ctx.state)

    flow = create_workflow(id="flow", state_schema=Trip).then(sets("a", city="Rome"))
    run = await launch(await open_engine(flow.then(create_step(id="look", execute=look))), "flow")
    assert seen == [Trip(city="Rome")]
    assert await state_of(run) == {"city": "Rome", "stops": 0, "notes": []}


async def test_state_is_a_copy(open_engine: OpenEngine) -> None:
    async def spoil(data: Any, ctx: StepContext) -> Any:
        ctx.state.notes.append("spoilt")
        return ctx.state.notes

    flow = create_workflow(id="flow", state_schema=Trip).then(create_step(id="spoil", execute=spoil))
    result = await (await launch(await open_engine(flow), "flow")).result()
    assert (result.result, result.state["notes"]) == ([], [])


async def test_set_state_takes_keywords_a_dict_a_model_or_a_dataclass(open_engine: OpenEngine) -> None:
    @dataclass
    class Update:
        stops: int

    async def change(data: Any, ctx: StepContext) -> None:
        ctx.set_state({"stops": 1})
        ctx.set_state(Trip(stops=10))
        ctx.set_state(Update(stops=100))
        ctx.set_state(stops=1000, city="Rome")

    flow = create_workflow(id="flow", state_schema=Trip).then(create_step(id="change", execute=change))
    run = await launch(await open_engine(flow), "flow")
    assert await state_of(run) == {"city": "Rome", "stops": 1111, "notes": []}


async def test_a_step_sees_the_state_as_of_its_start(open_engine: OpenEngine) -> None:
    """Neither its own changes nor those of a step beside it."""
    written, looked = asyncio.Event(), asyncio.Event()

    async def write(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(x=1)
        return ctx.state

    async def look(data: Any, ctx: StepContext) -> Any:
        await written.wait()
        looked.set()
        return ctx.state

    async def told(event: Any) -> None:
        if (event.type, event.path) == ("step.succeeded", "write"):
            written.set()

    flow = create_workflow(id="flow").parallel(
        [create_step(id="write", execute=write), create_step(id="look", execute=look)]
    )
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    run.watch(told)
    result = await run.start()
    assert (result.result, result.state, looked.is_set()) == ({"write": {}, "look": {}}, {"x": 1}, True)


async def test_changes_are_dropped_if_the_step_fails(open_engine: OpenEngine) -> None:
    async def flaky(data: Any, ctx: StepContext) -> None:
        ctx.set_state(stops=1)
        if ctx.attempt < 3:
            raise ValueError("again")

    retried = create_step(id="flaky", execute=flaky, retry=RetryPolicy(attempts=3))
    run = await launch(await open_engine(create_workflow(id="flow", state_schema=Trip).then(retried)), "flow")
    assert (await run.result()).status == "success"
    assert (await state_of(run))["stops"] == 1


async def test_a_failed_step_leaves_the_state_as_it_was(open_engine: OpenEngine) -> None:
    async def bad(data: Any, ctx: StepContext) -> None:
        ctx.set_state(x=1)
        raise ValueError("no")

    flow = create_workflow(id="flow").then(sets("a", x=0)).then(create_step(id="bad", execute=bad))
    result = await (await launch(await open_engine(flow), "flow")).result()
    assert (result.status, result.state) == ("failed", {"x": 0})


async def test_changes_are_seen_from_the_suspension_on_and_count_once(open_engine: OpenEngine) -> None:
    seen: list[int] = []

    async def approve(data: Any, ctx: StepContext) -> Any:
        seen.append(ctx.state.stops)
        ctx.set_state(stops=1)
        first = await ctx.ask("Sure?")
        second = await ctx.ask("Really?")
        return [first, second]

    flow = create_workflow(id="flow", state_schema=Trip).then(create_step(id="approve", execute=approve))
    run = await launch(await open_engine(flow), "flow", state={"stops": 10})
    assert (await state_of(run))["stops"] == 11
    await run.resume("yes")
    assert (await state_of(run))["stops"] == 11
    result = await run.resume("yes")
    assert (result.status, result.state["stops"], seen) == ("success", 11, [10, 10, 10])


async def test_what_is_taken_back_leaves_the_writes_of_others(open_engine: OpenEngine) -> None:
    """A suspended step's write is undone when its next pass starts; what another wrote to that key since then stays."""

    async def approve(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(stops=100 if ctx.resume_data is None else 1000)
        return ctx.resume_data or await ctx.suspend()

    flow = create_workflow(id="flow", state_schema=Trip).parallel(
        [
            create_step(id="approve", execute=approve),
            create_workflow(id="later").wait_for_event("go").then(sets("more", stops=7)),
        ]
    )
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    await run.start()
    assert (await state_of(run))["stops"] == 100
    await engine.send_event(run.run_id, "go", 1)
    async for event in run.events():
        if (event.type, event.path) == ("step.succeeded", "later"):
            break
    assert (await state_of(run))["stops"] == 107
    result = await run.resume("yes")
    assert (result.status, result.state["stops"]) == ("success", 1007)


async def test_changes_of_a_suspended_step_go_when_its_next_pass_fails(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> None:
        ctx.set_state(x=1)
        await ctx.ask("Sure?")
        raise ValueError("no")

    run = await launch(
        await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve))), "flow"
    )
    assert await state_of(run) == {"x": 1}
    result = await run.resume("yes")
    assert (result.status, result.state) == ("failed", {})


async def test_disjoint_keys_of_parallel_arms_merge(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").parallel([sets("a", x=1), sets("b", y=2), sets("c", z=3)])
    assert await state_of(await launch(await open_engine(flow), "flow")) == {"x": 1, "y": 2, "z": 3}


async def test_a_key_that_another_step_wrote_since_the_start_fails_with_state_conflict(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").parallel([sets("a", x=1), sets("b", x=2)])
    result = await (await launch(await open_engine(flow), "flow")).result()
    error = result.error or {}
    assert (result.status, error["type"], "reduce(" in error["message"]) == ("failed", "StateConflict", True)
    assert sorted(statuses(result.steps).values()) == ["failed", "success"]


async def test_one_after_the_other_may_write_the_same_key(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").foreach(sets("item", x=1)).then(sets("b", x=2))
    assert await state_of(await launch(await open_engine(flow), "flow", [1, 2, 3])) == {"x": 2}


async def test_a_reducer_merges_writes_of_arms_items_and_nested_workflows(open_engine: OpenEngine) -> None:
    child = create_workflow(id="child").then(sets("c", stops=100))
    flow = (
        create_workflow(id="flow", state_schema=Trip)
        .parallel([sets("a", stops=1, notes=["a"]), sets("b", stops=10), child])
        .map(lambda _: [1, 2, 3])
        .foreach(sets("item", stops=1000), concurrency=3)
    )
    state = await state_of(await launch(await open_engine(flow), "flow"))
    assert state == {"city": "nowhere", "stops": 3111, "notes": ["a"]}


async def test_a_change_that_does_not_fit_the_schema_fails_with_invalid_state(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow", state_schema=Trip)
    for number, wrong in enumerate([{"city": 5}, {"unknown": 1}]):
        named = create_workflow(id=f"flow-{number}", state_schema=Trip).then(sets("a", **wrong))
        result = await (await launch(await open_engine(named), named)).result()
        error = result.error or {}
        assert (result.status, error["type"], error["step"]) == ("failed", "InvalidState", "a")
        assert next(iter(wrong)) in error["message"]
    assert flow.id == "flow"


async def test_a_change_that_is_not_json_fails_with_the_name_of_the_key(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="flow").then(sets("a", thing=object()))), "flow")
    result = await run.result()
    error = result.error or {}
    assert (result.status, "thing" in error["message"]) == ("failed", True)
    assert error["type"] in ("InvalidState", "NotSerializable")


async def test_a_wrong_state_at_the_start_is_refused_and_nothing_ran(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow", state_schema=Trip).then(sets("a", city="Rome")))
    run = await engine.create_run("flow")
    with pytest.raises(InvalidState, match="stops"):
        await run.start(state={"stops": "many"})
    assert (await run.result()).status == "pending"
    assert (await run.start(state=Trip(stops=2))).state == {"city": "Rome", "stops": 2, "notes": []}


async def test_a_step_may_have_a_state_schema_of_its_own(open_engine: OpenEngine) -> None:
    class Part(BaseModel):
        x: int

    async def look(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(x=ctx.state.x + 1)
        return type(ctx.state).__name__

    looking = create_step(id="look", execute=look, state_schema=Part)
    run = await launch(await open_engine(create_workflow(id="flow").then(looking)), "flow", state={"x": 1, "y": 2})
    result = await run.result()
    assert (result.result, result.state) == ("Part", {"x": 2, "y": 2})


async def test_state_is_kept_over_reopening(sqlite_url: str) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(stops=5)
        await ctx.ask("Sure?")
        return ctx.state.model_dump()

    flow = create_workflow(id="flow", state_schema=Trip).then(sets("a", stops=1, city="Rome"))
    flow = flow.then(create_step(id="approve", execute=approve))
    async with Engine([flow], store=sqlite_url) as engine:
        run = await launch(engine, "flow")
    async with Engine([flow], store=sqlite_url) as engine:
        run = await engine.get_run(run.run_id)
        assert (await state_of(run))["stops"] == 6
        result = await run.resume("yes")
        assert result.result == {"city": "Rome", "stops": 1, "notes": []}
        assert result.state == {"city": "Rome", "stops": 6, "notes": []}
