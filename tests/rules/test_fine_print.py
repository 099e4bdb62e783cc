"""The fine print: shapes of what is returned, how things are counted, what a step gets that names no types."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    Breakpoint,
    Engine,
    Event,
    Page,
    Run,
    RunInfo,
    RunResult,
    RunRow,
    StepContext,
    StepRecord,
    Suspension,
    create_step,
    create_workflow,
    step,
)
from engine.verify import verify
from tests.fixtures import OpenEngine, add, launch, lines

# -- shapes


def _names(kind: type) -> list[str]:
    assert is_dataclass(kind)
    return [field.name for field in fields(kind)]


def test_the_fields_of_what_is_returned() -> None:
    assert _names(Event) == ["seq", "run_id", "at", "type", "path", "attempt", "data"]
    assert _names(Page) == ["items", "next"]
    listed = ["run_id", "workflow_id", "status", "blocked", "resource_id", "tags", "created_at", "updated_at"]
    assert _names(RunRow)[:9] == [*listed, "parent_run_id"]
    asked = [
        "token",
        "run_id",
        "workflow_id",
        "path",
        "label",
        "title",
        "payload",
        "schema",
        "created_at",
        "expires_at",
    ]
    assert _names(Suspension) == asked
    assert _names(Breakpoint) == ["path", "when", "iteration", "condition"]
    about = ["run_id", "workflow_id", "resource_id", "tags", "status", "input", "result", "error"]
    assert _names(RunInfo) == about


@pytest.mark.parametrize("kind", [Event, Page, RunRow, Suspension, Breakpoint, RunInfo, RunResult, StepRecord])
def test_what_is_returned_is_frozen(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen


def test_all_calls_are_coroutines_but_watch_stream_and_events() -> None:
    calls = {name: member for name, member in inspect.getmembers(Run, inspect.isfunction) if not name.startswith("_")}
    plain = {name for name, member in calls.items() if not inspect.iscoroutinefunction(member)}
    assert plain == {"watch", "stream", "events"}


async def test_a_run_knows_its_ids(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await launch(engine, "w", {"n": 0})
    child = await run.rerun()
    assert (run.workflow_id, run.parent_run_id) == ("w", None)
    assert (child.workflow_id, child.parent_run_id) == ("w", run.run_id)
    found = await engine.get_run(child.run_id)
    assert (found.run_id, found.workflow_id, found.parent_run_id) == (child.run_id, "w", run.run_id)


async def test_calls_of_the_debugger_and_soon_ones_return_none_once_stored(open_engine: OpenEngine) -> None:
    async def ask(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask(None, int)

    engine = await open_engine(create_workflow(id="w").then(add("a")).then(create_step(id="ask", execute=ask)))
    run = await engine.create_run("w")
    assert await run.start_soon({"n": 0}, paused=True) is None  # type: ignore[func-returns-value]
    assert await run.set_breakpoints(["ask"]) is None  # type: ignore[func-returns-value]
    assert (await lines(run))[-1] == "run.breakpoints_set"
    assert await run.step() is None  # type: ignore[func-returns-value]
    assert "run.stepped" in await lines(run)
    await run.wait(5)
    assert await run.proceed() is None  # type: ignore[func-returns-value]
    await run.wait(5)
    assert await run.resume_soon(5) is None  # type: ignore[func-returns-value]
    assert "step.resumed ask" in await lines(run)
    assert (await run.wait(5)).result == 5


async def test_fork_and_rerun_return_a_run_that_is_going(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")))
    run = await launch(engine, "w", {"n": 0})
    for made in (await run.rerun(), await run.fork("b")):
        assert isinstance(made, Run)
        assert (await made.wait(5)).result == {"n": 2}


async def test_result_is_the_run_as_of_now_and_wait_the_run_at_rest(open_engine: OpenEngine) -> None:
    go = asyncio.Event()

    async def work(data: Any) -> Any:
        await go.wait()
        return data

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=work)))
    run = await engine.create_run("w")
    assert (await run.result()).status == "pending"
    await run.start_soon(1)
    now = await run.result()
    go.set()
    assert (await run.wait(5)).status == "success"
    assert (now.status, now.steps["a"].status) == ("running", "running")


# -- counting


async def test_indexes_count_from_zero_and_iteration_and_attempt_from_one(open_engine: OpenEngine) -> None:
    seen: list[tuple[str, int | None, int]] = []

    async def note(data: Any, ctx: StepContext) -> Any:
        seen.append((ctx.path, ctx.iteration, ctx.attempt))
        return data

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="item", execute=note)))
    await launch(engine, "w", ["x", "y"])
    assert seen == [("item[0]", 1, 1), ("item[1]", 2, 1)]


# -- what a step gets


class Visit(BaseModel):
    """Something with types that JSON lacks."""

    day: date
    at: datetime
    places: tuple[int, int]


VISIT = Visit(day=date(2024, 5, 1), at=datetime(2024, 5, 1, 12, tzinfo=UTC), places=(1, 2))


async def test_a_step_without_an_input_schema_gets_plain_json_before_and_after_a_restart(sqlite_url: str) -> None:
    seen: list[Any] = []

    async def give() -> Visit:
        return VISIT

    async def take(data: Any, ctx: StepContext) -> None:
        seen.append(data)
        await ctx.ask(None, bool)

    workflow = (
        create_workflow(id="w")
        .then(create_step(id="give", execute=give, output_schema=Visit))
        .then(create_step(id="take", execute=take))
    )
    async with Engine([workflow], store=sqlite_url) as engine:
        await (await engine.create_run("w", run_id="r")).start()
    async with Engine([workflow], store=sqlite_url) as engine:
        await (await engine.get_run("r")).resume(True)
    assert seen == [{"day": "2024-05-01", "at": "2024-05-01T12:00:00Z", "places": [1, 2]}] * 2
    assert verify(sqlite_url.removeprefix("sqlite:///")) == []


async def test_a_step_with_an_input_schema_gets_its_type_before_and_after_a_restart(sqlite_url: str) -> None:
    seen: list[Any] = []

    @step
    async def give() -> Visit:
        return VISIT

    @step
    async def take(data: Visit, ctx: StepContext) -> None:
        seen.append(data)
        await ctx.ask(None, bool)

    workflow = create_workflow(id="w").then(give).then(take)
    async with Engine([workflow], store=sqlite_url) as engine:
        await (await engine.create_run("w", run_id="r")).start()
    async with Engine([workflow], store=sqlite_url) as engine:
        await (await engine.get_run("r")).resume(True)
    assert seen == [VISIT, VISIT]
    assert verify(sqlite_url.removeprefix("sqlite:///")) == []


@pytest.mark.parametrize("value", [(1, 2), {1: "a"}, {"deep": [{"x": {2: "b"}}]}], ids=repr)
async def test_what_json_would_change_is_not_serializable_without_a_type(open_engine: OpenEngine, value: Any) -> None:
    async def give() -> Any:
        return value

    engine = await open_engine(create_workflow(id="w").then(create_step(id="give", execute=give)))
    result = await (await engine.create_run("w")).start()
    assert result.error is not None
    assert (result.status, result.error["type"], result.error["step"]) == ("failed", "NotSerializable", "give")
    assert "annotate" in result.error["message"]


async def test_the_same_with_a_type_is_kept(open_engine: OpenEngine) -> None:
    @step
    async def give() -> tuple[int, dict[int, str]]:
        return 1, {1: "a"}

    @step
    async def take(data: tuple[int, dict[int, str]]) -> bool:
        return data == (1, {1: "a"})

    engine = await open_engine(create_workflow(id="w").then(give).then(take))
    assert (await (await engine.create_run("w")).start()).result is True


# -- opening


async def test_recover_false_starts_nothing_by_itself(sqlite_url: str) -> None:
    ran: list[str] = []
    begun, go = asyncio.Event(), asyncio.Event()

    async def work(data: Any) -> Any:
        ran.append("work")
        begun.set()
        await go.wait()
        return data

    workflow = create_workflow(id="w").then(create_step(id="a", execute=work))
    async with Engine([workflow], store=sqlite_url) as engine:
        await (await engine.create_run("w", run_id="r")).start_soon(1)
        await asyncio.wait_for(begun.wait(), 5)
    go.set()
    async with Engine([workflow], store=sqlite_url, recover=False) as engine:
        run = await engine.get_run("r")
        assert (ran, await run.status()) == (["work"], "running")
        assert await engine.recover() == ["r"]
        assert (await run.wait(5)).result == 1
    assert ran == ["work", "work"]
    assert verify(sqlite_url.removeprefix("sqlite:///")) == []
