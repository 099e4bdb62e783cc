"""Cancelling a run."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine import AlreadyEnded, NotSuspended, Run, Step, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines, statuses


def waiting(id: str, stopped: list[str] | None = None, both: asyncio.Barrier | None = None) -> Step[Any, Any]:
    """A step that runs until it is cancelled."""

    async def execute() -> None:
        if both is not None:
            await both.wait()
        try:
            await asyncio.Event().wait()
        finally:
            if stopped is not None:
                stopped.append(id)

    return create_step(id=id, execute=execute)


async def until(run: Run, line: str) -> None:
    """Return when an event has been written."""
    async for event in run.events():
        if f"{event.type} {event.path or ''}".rstrip() == line:
            return


async def test_cancel_stops_what_runs_at_once_children_too(open_engine: OpenEngine) -> None:
    stopped: list[str] = []
    all_run = asyncio.Barrier(3)
    child = create_workflow(id="child").then(waiting("inner", stopped, all_run)).then(add("never"))
    flow = create_workflow(id="flow").parallel([waiting("outer", stopped, all_run), child]).then(add("after"))
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    await run.start_soon({"n": 1})
    await all_run.wait()
    assert await run.cancel("too slow") is True
    assert sorted(stopped) == ["inner", "outer"]
    result = await run.result()
    assert (result.status, result.result, result.error) == ("canceled", None, None)
    assert statuses(result.steps) == {"outer": "canceled", "child": "canceled", "child/inner": "canceled"}
    events = [event async for event in run.events(follow=False)]
    assert [event.type for event in events if event.type.startswith("run.")] == [
        "run.created",
        "run.started",
        "run.cancel_requested",
        "run.canceled",
    ]
    assert (events[-1].type, events[-1].data) == ("run.canceled", {"reason": "too slow"})


async def test_start_returns_when_the_run_is_cancelled(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(waiting("a")))
    run = await engine.create_run("flow")
    started = asyncio.create_task(run.start())
    await until(run, "step.started a")
    assert await run.cancel()
    assert (await started).status == "canceled"


async def test_cancel_of_an_ended_run_is_false_and_changes_nothing(open_engine: OpenEngine) -> None:
    async def stop(data: Any, ctx: StepContext) -> None:
        ctx.abort()

    engine = await open_engine(
        create_workflow(id="success").then(add("a")),
        create_workflow(id="failed").then(fail("a")),
        create_workflow(id="canceled").then(create_step(id="a", execute=stop)),
    )
    for status in ("success", "failed", "canceled"):
        run = await launch(engine, status, {"n": 1})
        before = await lines(run)
        assert await run.cancel() is False
        assert ((await run.result()).status, await lines(run)) == (status, before)


async def test_terminal_is_final_no_call_changes_it(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")).wait_for_event("go"))
    run = await engine.create_run("flow")
    await run.start_soon({"n": 1})
    await run.cancel()
    before = await lines(run)
    calls: list[tuple[Callable[[], Any], type[Exception]]] = [
        (run.pause, AlreadyEnded),
        (run.step, AlreadyEnded),
        (run.proceed, AlreadyEnded),
        (lambda: run.set_breakpoints(["a"]), AlreadyEnded),
        (lambda: engine.send_event(run.run_id, "go"), AlreadyEnded),
        (run.resume, NotSuspended),
    ]
    for call, error in calls:
        with pytest.raises(error):
            await call()
    assert ((await run.result()).status, await lines(run)) == ("canceled", before)


async def test_a_suspended_run_can_be_cancelled_and_its_question_is_closed(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?")

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await launch(engine, "flow")
    assert await run.cancel() is True
    assert statuses((await run.result()).steps) == {"approve": "canceled"}
    assert (await engine.suspensions(run.run_id)).items == []
    with pytest.raises(NotSuspended):
        await run.resume("yes")


async def test_a_waiting_a_paused_and_a_pending_run_can_be_cancelled(open_engine: OpenEngine) -> None:
    engine = await open_engine(
        create_workflow(id="sleeps").sleep(100).then(add("a")),
        create_workflow(id="waits").wait_for_event("go").then(add("a")),
        create_workflow(id="steps").then(add("a")),
    )
    runs = [await engine.create_run(name) for name in ("sleeps", "waits", "steps", "steps")]
    await runs[0].start_soon({"n": 1})
    await runs[1].start_soon({"n": 1})
    await runs[2].start({"n": 1}, paused=True)
    assert [(await run.result()).status for run in runs] == ["waiting", "waiting", "paused", "pending"]
    assert [await run.cancel() for run in runs] == [True] * 4
    assert [(await run.result()).status for run in runs] == ["canceled"] * 4


async def test_two_cancels_at_once_are_one(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(waiting("a")))
    run = await engine.create_run("flow")
    await run.start_soon()
    await until(run, "step.started a")
    assert await asyncio.gather(run.cancel(), run.cancel()) == [True, True]
    assert [line for line in await lines(run) if line.startswith("run.cancel")] == [
        "run.cancel_requested",
        "run.canceled",
    ]


async def test_the_cancelled_event_is_set_in_the_step(open_engine: OpenEngine) -> None:
    seen: list[bool] = []
    began = asyncio.Event()

    async def wait(data: Any, ctx: StepContext) -> None:
        began.set()
        seen.append(ctx.cancelled.is_set())
        try:
            await ctx.cancelled.wait()
        finally:
            seen.append(ctx.cancelled.is_set())

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=wait)))
    run = await engine.create_run("flow")
    await run.start_soon()
    await began.wait()
    await run.cancel()
    assert seen == [False, True]


async def test_a_step_may_clean_up_while_it_is_cancelled(open_engine: OpenEngine) -> None:
    cleaned: list[str] = []
    began = asyncio.Event()

    async def careful() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.append("done")

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=careful)))
    run = await engine.create_run("flow")
    await run.start_soon()
    await began.wait()
    await run.cancel()
    assert cleaned == ["done"]


async def test_cancel_returns_at_once_for_a_sync_step_whose_late_result_is_noted(open_engine: OpenEngine) -> None:
    go_on, began = threading.Event(), threading.Event()

    def slow(data: Any, ctx: StepContext) -> str:
        began.set()
        go_on.wait(20)
        return f"late, told: {ctx.cancelled.is_set()}"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="slow", execute=slow)))
    run = await engine.create_run("flow")
    await run.start_soon()
    await asyncio.to_thread(began.wait)
    asked = time.monotonic()
    assert await run.cancel() is True
    assert time.monotonic() - asked < 5
    assert statuses((await run.result()).steps) == {"slow": "canceled"}
    go_on.set()
    while (await lines(run))[-1] != "step.late slow":  # noqa: ASYNC110 - nothing tells of what comes after the end
        await asyncio.sleep(0.005)
    last = [event async for event in run.events(follow=False)][-1]
    assert last.data == {"output": "late, told: True"}
    assert statuses((await run.result()).steps) == {"slow": "canceled"}


async def test_an_async_step_that_swallows_its_cancel_is_left_alone_after_2_s(open_engine: OpenEngine) -> None:
    go_on, began = asyncio.Event(), asyncio.Event()

    async def stubborn() -> str:
        began.set()
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="stubborn", execute=stubborn)))
    run = await engine.create_run("flow")
    await run.start_soon()
    await began.wait()
    asked = time.monotonic()
    assert await run.cancel() is True
    assert 1.9 < time.monotonic() - asked < 20
    assert (await run.result()).status == "canceled"
    go_on.set()
    while (await lines(run))[-1] != "step.late stubborn":  # noqa: ASYNC110 - nothing tells of what comes after the end
        await asyncio.sleep(0.005)
    assert (await run.result()).status == "canceled"


async def test_what_a_cancelled_step_returns_in_time_does_not_count(open_engine: OpenEngine) -> None:
    began = asyncio.Event()

    async def heedless() -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done all the same"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=heedless)).then(fail("b")))
    run = await engine.create_run("flow")
    await run.start_soon()
    await began.wait()
    await run.cancel()
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("canceled", {"a": "canceled"})


async def test_catch_does_not_take_a_cancel_nor_a_bail_nor_an_abort(open_engine: OpenEngine) -> None:
    async def leave(data: Any, ctx: StepContext) -> None:
        ctx.bail("early") if data == "bail" else ctx.abort("stop")

    leaving = create_step(id="leave", execute=leave)
    engine = await open_engine(
        create_workflow(id="flow").then(leaving, catch=fail("caught")),
        create_workflow(id="slow").then(waiting("a"), catch=fail("caught")),
    )
    bailed, aborted = [await (await launch(engine, "flow", how)).result() for how in ("bail", "abort")]
    assert [(r.status, statuses(r.steps)) for r in (bailed, aborted)] == [
        ("success", {"leave": "bailed"}),
        ("canceled", {"leave": "canceled"}),
    ]
    run = await engine.create_run("slow")
    await run.start_soon()
    await until(run, "step.started a")
    await run.cancel()
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("canceled", {"a": "canceled"})


async def test_a_cancelled_error_of_the_steps_own_is_a_failure(open_engine: OpenEngine) -> None:
    async def odd() -> None:
        raise asyncio.CancelledError

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="odd", execute=odd)))
    result = await (await launch(engine, "flow")).result()
    assert (result.status, (result.error or {})["type"]) == ("failed", "StepCanceled")
