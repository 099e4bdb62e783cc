"""Ends before the end: a step that ends its workflow, one that cancels its run, and a cancel from outside."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from engine import Engine, NotSuspended, RetryPolicy, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines, statuses


def bailing(id: str = "bail", value: Any = "bye") -> Any:
    async def leave(data: Any, ctx: StepContext) -> Any:
        ctx.bail(value)

    return create_step(id=id, execute=leave)


class Blocked:
    """A step that runs until it is cancelled."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    def step(self, id: str = "slow", **options: Any) -> Any:
        async def wait(data: Any, ctx: StepContext) -> Any:
            self.started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                assert ctx.cancelled.is_set()
                self.cancelled.set()
                raise

        return create_step(id=id, execute=wait, **options)


async def test_a_bail_ends_the_run_with_its_value(open_engine: OpenEngine) -> None:
    """K1: success; what follows does not run."""
    engine = await open_engine(create_workflow(id="w").then(bailing(value={"early": 1})).then(add("b")))
    run = await launch(engine, "w", {"n": 1})
    result = await run.result()
    assert (result.status, result.result, statuses(result.steps)) == ("success", {"early": 1}, {"bail": "bailed"})
    assert await lines(run) == ["run.created", "run.started", "step.started bail", "step.bailed bail", "run.succeeded"]


async def test_a_bail_in_an_arm_ends_the_run(open_engine: OpenEngine) -> None:
    """K3: its siblings are cancelled first, those that run and those that wait."""
    blocked = Blocked()

    async def leave(data: Any, ctx: StepContext) -> Any:
        await blocked.started.wait()
        ctx.bail("bye")

    async def ask(data: Any, ctx: StepContext) -> Any:
        await ctx.ask("?")

    arms = [blocked.step(), create_step(id="ask", execute=ask), create_step(id="leave", execute=leave)]
    engine = await open_engine(create_workflow(id="w").parallel(arms).then(add("next")))
    result = await (await launch(engine, "w")).result()
    assert (result.status, result.result, blocked.cancelled.is_set()) == ("success", "bye", True)
    assert statuses(result.steps) == {"slow": "canceled", "ask": "canceled", "leave": "bailed"}


async def test_a_bail_in_a_loop_or_a_branch_ends_the_run(open_engine: OpenEngine) -> None:
    """K3: as anywhere else."""
    engine = await open_engine(
        create_workflow(id="loop").do_while(bailing(), "True").then(add("next")),
        create_workflow(id="branch").branch([("True", bailing())]).then(add("next")),
    )
    for id in ("loop", "branch"):
        result = await (await launch(engine, id, {"n": 1})).result()
        assert (result.status, result.result) == ("success", "bye")


async def test_a_cancel_stops_the_step_that_runs(open_engine: OpenEngine) -> None:
    """K4: at once; what follows does not run; the reason is kept."""
    blocked = Blocked()
    engine = await open_engine(create_workflow(id="w").then(blocked.step()).then(add("next")))
    run = await engine.create_run("w")
    await run.start_soon()
    await blocked.started.wait()
    assert await run.cancel("enough") is True
    result = await run.wait()
    assert (result.status, await run.status(), blocked.cancelled.is_set()) == ("canceled", "canceled", True)
    assert statuses(result.steps) == {"slow": "canceled"}
    last = [event async for event in run.events(follow=False)][-1]
    assert (last.type, last.data) == ("run.canceled", {"reason": "enough"})


async def test_a_step_that_does_not_heed_the_cancel_does_not_win(open_engine: OpenEngine) -> None:
    """K6: canceled, not success, though it ended well in time."""
    started = asyncio.Event()

    async def deaf(data: Any) -> str:
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "done"

    engine = await open_engine(create_workflow(id="w").then(create_step(id="deaf", execute=deaf)))
    run = await engine.create_run("w")
    await run.start_soon()
    await started.wait()
    assert await run.cancel() is True
    result = await run.wait()
    assert (result.status, result.result, statuses(result.steps)) == ("canceled", None, {"deaf": "canceled"})


async def test_a_suspended_run_can_be_canceled(open_engine: OpenEngine) -> None:
    """K7: its question is closed, and nobody can answer it."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        await ctx.ask("?")

    engine = await open_engine(create_workflow(id="w").then(create_step(id="ask", execute=ask)))
    run = await launch(engine, "w")
    assert await run.cancel() is True
    assert (await run.status(), (await engine.suspensions()).items) == ("canceled", [])
    with pytest.raises(NotSuspended):
        await run.resume(True)


async def test_a_run_can_be_canceled_before_it_starts(open_engine: OpenEngine) -> None:
    """K9: a start says so, and runs nothing."""
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await engine.create_run("w")
    assert await run.cancel() is True
    result = await run.start({"n": 1})
    assert (result.status, result.steps, await run.status()) == ("canceled", {}, "canceled")


@pytest.mark.parametrize("how", ["success", "failed", "canceled"])
async def test_an_end_is_final(open_engine: OpenEngine, how: str) -> None:
    """K10: a cancel afterwards gives false and changes nothing."""

    async def end(data: Any, ctx: StepContext) -> Any:
        if how == "failed":
            raise ValueError("no")
        if how == "canceled":
            ctx.abort()

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=end)))
    run = await launch(engine, "w")
    before = await lines(run)
    assert await run.cancel("late") is False
    assert (await run.status(), await lines(run)) == (how, before)


async def test_a_step_can_cancel_its_run(open_engine: OpenEngine) -> None:
    """K12: it ends there, with its reason."""

    async def give_up(data: Any, ctx: StepContext) -> Any:
        ctx.abort("no stock")

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=give_up)).then(add("next")))
    run = await launch(engine, "w")
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("canceled", {"a": "canceled"})
    last = [event async for event in run.events(follow=False)][-1]
    assert (last.type, last.data) == ("run.canceled", {"reason": "no stock"})


async def test_a_cancel_stops_the_wait_for_a_retry(open_engine: OpenEngine) -> None:
    """K13: at once; no further attempt."""
    calls: list[int] = []
    failing = asyncio.Event()

    async def never(data: Any) -> None:
        calls.append(1)
        raise ValueError("no")

    patient = RetryPolicy(attempts=50, delay=30, jitter=False)
    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=never, retry=patient)))
    run = await engine.create_run("w")
    run.watch(lambda event: failing.set() if event.type == "step.retrying" else None)
    await run.start_soon()
    await failing.wait()
    assert await run.cancel() is True
    assert ((await run.wait(timeout=5)).status, len(calls)) == ("canceled", 1)


async def test_a_cancel_wakes_a_sleeper(open_engine: OpenEngine) -> None:
    """A run that waits is canceled at once, too."""
    waiting = asyncio.Event()
    engine = await open_engine(create_workflow(id="w").sleep(3600))
    run = await engine.create_run("w")
    run.watch(lambda event: waiting.set() if event.type == "run.waiting" else None)
    await run.start_soon()
    await waiting.wait()
    assert await run.cancel() is True
    result = await run.wait(timeout=5)
    assert (result.status, statuses(result.steps)) == ("canceled", {"sleep-1": "canceled"})


async def test_the_events_of_a_cancel(open_engine: OpenEngine) -> None:
    """K15: asked for, then what was open from the inside out, then the end."""
    blocked = Blocked()
    child = create_workflow(id="n").then(blocked.step())
    engine = await open_engine(create_workflow(id="w").then(child))
    run = await engine.create_run("w")
    await run.start_soon()
    await blocked.started.wait()
    await run.cancel()
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started n",
        "step.started n/slow",
        "run.cancel_requested",
        "step.canceled n/slow",
        "step.canceled n",
        "run.canceled",
    ]


async def test_a_cancel_after_a_restart_reaches_everything(sqlite_url: str) -> None:
    """K16: nested questions and sleepers of a run that another engine began."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        await ctx.ask("?")

    nested = create_workflow(id="n").then(create_step(id="ask", execute=ask))
    sleeper = create_workflow(id="s").sleep(3600)
    workflow = create_workflow(id="w").parallel([nested, sleeper])
    async with Engine([workflow], store=sqlite_url) as engine:
        run_id = (await launch(engine, "w")).run_id
    async with Engine([workflow], store=sqlite_url) as engine:
        run = await engine.get_run(run_id)
        assert await run.cancel() is True
        result = await run.result()
        assert (result.status, await run.status(), (await engine.suspensions()).items) == ("canceled", "canceled", [])
        assert statuses(result.steps) == dict.fromkeys(["n", "s", "n/ask", "s/sleep-1"], "canceled")
