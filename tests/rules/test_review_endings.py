"""What ends while something is under way: nothing goes on behind an end, and no end waits for what never comes."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from engine import InvalidInput, StepContext, create_step, create_workflow, reduce
from engine.clock import SystemClock
from tests.fixtures import OpenEngine, add, launch, lines, statuses

SOON = 2.0
"""Seconds after which a run that has not come to its end is taken to hang."""


class Gate:
    """An async function of a definition that says when it was called, and returns when it is let go."""

    def __init__(self, made: Any = None) -> None:
        self.made = made
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.left = 0

    async def __call__(self, data: Any) -> Any:
        self.entered.set()
        try:
            await self.open.wait()
        finally:
            self.left += 1
        return data if self.made is None else self.made


def _with_map(gate: Gate) -> Any:
    return create_workflow(id="w").then(add("a")).map(gate).then(add("b")).commit()


def _with_condition(gate: Gate) -> Any:
    return create_workflow(id="w").do_while(add("a"), gate).then(add("b")).commit()


def _with_sleep(gate: Gate) -> Any:
    return create_workflow(id="w").then(add("a")).sleep(gate).then(add("b")).commit()


def _with_branch(gate: Gate) -> Any:
    return create_workflow(id="w").branch([(gate, add("a"))]).then(add("b")).commit()


@pytest.mark.parametrize("make", [_with_map, _with_condition, _with_sleep, _with_branch])
async def test_nothing_is_written_after_the_cancel_of_a_run_whose_function_is_awaited(
    open_engine: OpenEngine, make: Any
) -> None:
    gate = Gate(0)
    engine = await open_engine(make(gate))
    run = await engine.create_run("w")
    await run.start_soon({"n": 0})
    await gate.entered.wait()
    assert await run.cancel() is True
    written = await lines(run)
    assert written[-1] == "run.canceled"
    gate.open.set()
    await asyncio.sleep(0.02)
    assert await lines(run) == written
    assert "step.started b" not in written
    assert (await run.result()).status == "canceled"


@pytest.mark.parametrize("ending", ["bail", "abort"])
async def test_nothing_goes_on_in_an_arm_whose_map_is_awaited_when_another_arm_ends_the_run(
    open_engine: OpenEngine, ending: str
) -> None:
    gate = Gate()

    async def leave(data: Any, ctx: StepContext) -> None:
        await gate.entered.wait()
        getattr(ctx, ending)("bye")

    arm = create_workflow(id="arm").map(gate).then(add("b"))
    workflow = create_workflow(id="w").parallel([create_step(id="leave", execute=leave), arm]).commit()
    engine = await open_engine(workflow)
    run = await engine.create_run("w")
    async with asyncio.timeout(SOON):
        result = await run.start({"n": 0})
    written = await lines(run)
    gate.open.set()
    await asyncio.sleep(0.02)
    assert await lines(run) == written
    assert result.status == {"bail": "success", "abort": "canceled"}[ending]
    assert result.steps["arm"].status == "canceled"
    assert "step.started arm/b" not in written


@pytest.mark.parametrize("seconds", [None, 5])
async def test_a_failed_block_drops_an_arm_that_begins_to_wait_for_an_event_afterwards(
    open_engine: OpenEngine, seconds: float | None
) -> None:
    failed = asyncio.Event()

    async def slow(data: dict[str, int]) -> dict[str, int]:
        await failed.wait()
        return data

    async def bad() -> None:
        failed.set()
        raise ValueError("no")

    arm = create_workflow(id="arm").then(create_step(id="slow", execute=slow)).wait_for_event("go", timeout=seconds)
    workflow = create_workflow(id="w").parallel([create_step(id="bad", execute=bad), arm]).commit()
    engine = await open_engine(workflow)
    run = await engine.create_run("w")
    async with asyncio.timeout(SOON):
        result = await run.start({"n": 0})
    assert (result.status, (result.error or {})["type"]) == ("failed", "ValueError")
    assert statuses(result.steps) == {
        "bad": "failed",
        "arm": "canceled",
        "arm/slow": "success",
        "arm/wait_for_event-1": "canceled",
    }


async def test_an_arm_of_a_failed_block_goes_on_with_an_event_that_came_early(open_engine: OpenEngine) -> None:
    failed = asyncio.Event()
    taken = []

    async def slow(data: int) -> int:
        await failed.wait()
        return data

    async def bad() -> None:
        failed.set()
        raise ValueError("no")

    async def note(data: int) -> int:
        taken.append(data)
        return data

    arm = create_workflow(id="arm").then(create_step(id="slow", execute=slow)).wait_for_event("go", timeout=5)
    arm = arm.then(create_step(id="note", execute=note))
    engine = await open_engine(create_workflow(id="w").parallel([create_step(id="bad", execute=bad), arm]).commit())
    run = await engine.create_run("w")
    await engine.send_event(run.run_id, "go", 7)
    async with asyncio.timeout(SOON):
        result = await run.start(0)
    assert taken == [7]
    assert statuses(result.steps, {"bad", "arm", "arm/note"}) == {
        "bad": "failed",
        "arm": "success",
        "arm/note": "success",
    }


async def _swallow(data: Any) -> Any:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return data


async def _convert(data: Any) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("converted") from None


async def _group(data: Any) -> None:
    async def bad() -> None:
        raise ValueError("child failed")

    async with asyncio.TaskGroup() as group:
        group.create_task(bad())
        group.create_task(asyncio.Event().wait())


async def _raise_cancelled(data: Any) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("timed_out", [_swallow, _convert])
@pytest.mark.parametrize(("after", "error"), [(_group, "ExceptionGroup"), (_raise_cancelled, "StepCanceled")])
async def test_a_step_that_swallows_its_timeout_has_timed_out_and_leaves_nothing_to_the_step_after_it(
    open_engine: OpenEngine, timed_out: Any, after: Any, error: str
) -> None:
    caught = create_step(id="after", execute=after)
    step = create_step(id="a", execute=timed_out, timeout=0.02)
    engine = await open_engine(create_workflow(id="w").then(step, catch=caught).commit())
    run = await engine.create_run("w")
    async with asyncio.timeout(SOON):
        result = await run.start({"n": 0})
    assert (result.steps["a"].error or {})["type"] == "StepTimeout"
    assert (result.status, (result.error or {})["type"]) == ("failed", error)


def _add_later(old: int, new: int) -> int:
    if (old, new) == (0, 1):
        raise ValueError("not as the first")
    return old + new


class Counted(BaseModel):
    """A number that can't begin with 1."""

    k: Annotated[int, reduce(_add_later)] = 0


async def test_a_reducer_that_raises_while_a_write_is_taken_back_fails_the_step(open_engine: OpenEngine) -> None:
    async def ask(data: int, ctx: StepContext) -> int:
        ctx.set_state(k=2)
        return data if ctx.resume_data is not None else await ctx.suspend("?")

    asked = asyncio.Event()

    async def other(data: int, ctx: StepContext) -> int:
        await asked.wait()
        ctx.set_state(k=1)
        return data

    steps = [create_step(id="ask", execute=ask), create_step(id="other", execute=other)]
    engine = await open_engine(create_workflow(id="w", state_schema=Counted).parallel(steps).commit())
    run = await engine.create_run("w")
    await run.start_soon(1)
    async for event in run.events():
        if event.type == "step.suspended":
            asked.set()
            break
    assert (await run.wait()).status == "suspended"
    async with asyncio.timeout(SOON):
        result = await run.resume(1)
    assert (result.status, (result.error or {})["step"], (result.error or {})["message"]) == (
        "failed",
        "ask",
        "not as the first",
    )
    assert (await lines(run))[-1] == "run.failed"


async def test_a_start_with_a_wrong_request_context_is_refused_and_the_run_can_still_be_started(
    open_engine: OpenEngine,
) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).commit())
    run = await engine.create_run("w")
    wrong: Any
    for wrong in (5, ["x"], {"x": object()}):
        with pytest.raises(InvalidInput, match="request context of workflow 'w'"):
            await run.start({"n": 1}, request_context=wrong)
    assert await lines(run) == ["run.created"]
    assert (await run.start({"n": 1})).result == {"n": 2}


class FaultyClock(SystemClock):
    """A clock that can be told to fail, for once, when it is read for the n-th time from now."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0

    def now(self) -> float:
        """The time."""
        self.left -= 1
        if not self.left:
            raise RuntimeError("the clock is broken")
        return super().now()


async def test_a_run_in_which_something_breaks_half_way_is_let_go_and_taken_up_from_its_log(
    open_engine: OpenEngine,
) -> None:
    """What is in memory may be half done then: only the log counts, and nothing that is not in it has happened."""

    async def ask(data: Any, ctx: StepContext) -> int:
        return await ctx.ask("?", int)

    clock = FaultyClock()
    engine = await open_engine(create_workflow(id="w").then(create_step(id="ask", execute=ask)).commit(), clock=clock)
    run = await launch(engine, "w", 1)
    written = await lines(run)
    clock.left = 2  # the answer is noted, the next pass is not
    with pytest.raises(RuntimeError, match="the clock is broken"):
        await run.resume(5)
    assert await lines(run) == written
    assert await run.status() == "suspended"
    result = await run.resume(6)
    assert (result.status, result.result) == ("success", 6)


async def test_a_condition_or_a_map_that_sets_state_fails_by_name(open_engine: OpenEngine) -> None:
    def condition(data: Any, ctx: StepContext) -> bool:
        ctx.set_state(k=1)
        return True

    async def mapping(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(k=1)
        return data

    branch = create_workflow(id="branch").branch([(condition, add("a"))]).commit()
    mapped = create_workflow(id="mapped").map(mapping).commit()
    engine = await open_engine(branch, mapped)
    for id in ("branch", "mapped"):
        result = await (await launch(engine, id, {"n": 1})).result()
        assert (result.status, (result.error or {})["type"]) == ("failed", "ConditionFailed")
        assert "it called set_state, which only a step can do; move it into one" in (result.error or {})["message"]


async def test_a_thread_that_was_left_behind_writes_no_log_after_the_end_of_its_run(open_engine: OpenEngine) -> None:
    let_go = threading.Event()

    def stuck(data: Any, ctx: StepContext) -> None:
        let_go.wait(SOON)
        ctx.logger.info("still here")

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=stuck, timeout=0.02)).commit())
    run = await launch(engine, "w", 1)
    let_go.set()
    with engine.bus.listen(run.run_id) as listener:
        await listener.wait(SOON)
    assert (await lines(run))[-2:] == ["run.failed", "step.late s"]
