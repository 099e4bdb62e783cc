"""Watchers and hooks that fail, are slow, or are worse: the run does not notice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Event, RunInfo, create_workflow
from engine.errors import EngineError
from tests.fixtures import OpenEngine, add, fail, launch, lines


class Evil(BaseException):
    """Not an Exception, so that a careless ``except`` lets it pass."""


ALL = [
    *("run.created", "run.started", "step.started a", "step.succeeded a", "step.started b", "step.succeeded b"),
    "run.succeeded",
]


def raising(error: BaseException, calls: list[str], *, is_async: bool) -> Callable[[Event], Any]:
    def callback(event: Event) -> None:
        calls.append(event.type)
        raise error

    async def later(event: Event) -> None:
        callback(event)

    return later if is_async else callback


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("error", [RuntimeError("no"), Evil(), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
async def test_a_watcher_that_raises_hurts_neither_the_run_nor_the_other_watchers(
    open_engine: OpenEngine, error: BaseException, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")).commit())
    run = await engine.create_run("w")
    calls: list[str] = []
    seen: list[str] = []
    done = asyncio.Event()

    def good(event: Event) -> None:
        seen.append(f"{event.type} {event.path or ''}".rstrip())
        if event.type == "run.succeeded":
            done.set()

    run.watch(raising(error, calls, is_async=is_async))
    run.watch(good)
    result = await run.start({"n": 0})
    assert (result.status, result.result, await lines(run)) == ("success", {"n": 2}, ALL)
    async with asyncio.timeout(5):
        await done.wait()
        await until(lambda: len(calls) == len(ALL) - 1)
    assert seen == ALL[1:]  # from now on
    assert [record.message for record in caplog.records if "watcher" in record.message] == [
        f"a watcher of run {run.run_id} failed: {error!r}"
    ]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 what a watcher that fails leaves is a list
        await asyncio.sleep(0.002)


async def test_a_watcher_that_fails_ten_times_in_a_row_is_dropped(
    open_engine: OpenEngine, caplog: pytest.LogCaptureFixture
) -> None:
    flow = create_workflow(id="w")
    for n in range(20):
        flow = flow.then(add(f"s{n}"))
    engine = await open_engine(flow.commit())
    run = await engine.create_run("w")
    calls: list[str] = []
    run.watch(raising(RuntimeError("no"), calls, is_async=False))
    assert (await run.start({"n": 0})).status == "success"
    async with asyncio.timeout(5):
        await until(lambda: "is dropped" in caplog.text)
    await asyncio.sleep(0.01)
    assert len(calls) == 10


async def test_a_slow_watcher_holds_up_nobody_and_misses_nothing(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")).commit())
    run = await engine.create_run("w")
    release = asyncio.Event()
    seen: list[str] = []

    async def slow(event: Event) -> None:
        await release.wait()
        seen.append(f"{event.type} {event.path or ''}".rstrip())

    run.watch(slow)
    async with asyncio.timeout(2):
        assert (await run.start({"n": 0})).status == "success"
        others = [await (await engine.create_run("w")).start({"n": n}) for n in range(3)]
    assert [other.result for other in others] == [{"n": 2}, {"n": 3}, {"n": 4}]
    assert seen == []
    release.set()
    async with asyncio.timeout(5):
        await until(lambda: len(seen) == len(ALL) - 1)
    assert seen == ALL[1:]


async def test_a_reader_that_leaves_midway_or_never_reads_leaves_the_run_alone(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")).commit())
    run = await engine.create_run("w")
    idle = run.events()
    first = await anext(idle)
    async for event in run.stream({"n": 0}):
        if event.type == "run.started":
            break
    assert (await run.wait(5)).status == "success"
    rest = [f"{event.type} {event.path or ''}".rstrip() async for event in idle]
    assert [first.type, *rest] == ALL


@pytest.mark.parametrize("error", [RuntimeError("no"), Evil("no"), SystemExit(3), KeyboardInterrupt()])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_hook_of_the_end_that_raises_is_logged_and_changes_nothing(
    open_engine: OpenEngine, error: BaseException, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def hook(info: RunInfo) -> None:
        calls.append(info.status)
        raise error

    async def later(info: RunInfo) -> None:
        hook(info)

    made = later if is_async else hook
    engine = await open_engine(
        create_workflow(id="good", on_finish=made, on_error=made).then(add("a")).commit(),
        create_workflow(id="bad", on_finish=made, on_error=made).then(fail("a")).commit(),
    )
    good, bad = await launch(engine, "good", {"n": 0}), await launch(engine, "bad")
    assert [(await run.result()).status for run in (good, bad)] == ["success", "failed"]
    async with asyncio.timeout(5):
        await until(lambda: len(calls) == 3)
    assert calls == ["success", "failed", "failed"]
    assert [(await launch(engine, "good", {"n": n})).run_id != "" for n in range(2)] == [True, True]
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert all("failed for run" in record.message for record in logged)
    assert len(logged) >= 3


async def test_a_slow_hook_delays_neither_the_end_nor_other_runs(open_engine: OpenEngine) -> None:
    release = asyncio.Event()
    called: list[str] = []

    async def hook(info: RunInfo) -> None:
        await release.wait()
        called.append(info.run_id)

    engine = await open_engine(create_workflow(id="w", on_finish=hook).then(add("a")).commit())
    async with asyncio.timeout(2):
        runs = [await launch(engine, "w", {"n": n}) for n in range(3)]
    assert [(await run.result()).status for run in runs] == ["success"] * 3
    assert called == []
    release.set()
    async with asyncio.timeout(5):
        await until(lambda: len(called) == 3)
    assert sorted(called) == sorted(run.run_id for run in runs)


@pytest.mark.parametrize("error", [RuntimeError("no"), Evil("no"), SystemExit(3)])
async def test_a_hook_of_the_start_that_raises_comes_out_of_start_and_the_run_stays_pending(
    open_engine: OpenEngine, error: BaseException
) -> None:
    allowed = False

    def hook(info: RunInfo) -> None:
        if not allowed:
            raise error

    engine = await open_engine(create_workflow(id="w", on_start=hook).then(add("a")).commit())
    run = await engine.create_run("w")
    # What would end the whole program is told as an error of ours.
    with pytest.raises(EngineError if isinstance(error, SystemExit) else type(error)):
        await run.start({"n": 0})
    assert (await run.status(), await lines(run)) == ("pending", ["run.created"])
    allowed = True
    assert (await run.start({"n": 0})).result == {"n": 1}


async def test_hooks_that_a_crash_kept_from_being_called_are_called_by_the_next_engine(tmp_path: Path) -> None:
    called: list[str] = []
    never = asyncio.Event()

    async def cut(info: RunInfo) -> None:
        await never.wait()

    def flow(hook: Callable[[RunInfo], Any]) -> Any:
        return create_workflow(id="w", on_finish=hook).then(add("a")).commit()

    engine = Engine([flow(cut)], store=tmp_path / "runs.db")
    await engine.open()
    run = await launch(engine, "w", {"n": 0})
    for task in list(engine._tasks):  # the process ends in the middle of the hook
        task.cancel()
    await engine.close()
    for _ in range(2):
        async with Engine([flow(lambda info: called.append(info.run_id))], store=tmp_path / "runs.db"):
            await asyncio.sleep(0.01)
    assert called == [run.run_id]
