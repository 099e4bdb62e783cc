"""Steps that never end, that swallow their cancel, that leave things half done: the run gets its end all the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine import Engine, Run, Step, StepContext, create_step, create_workflow
from engine.errors import DefinitionError
from tests.fixtures import OpenEngine, add, launch, lines, statuses


def hangs(id: str, left: list[str], started: asyncio.Event | None = None, **options: Any) -> Step[Any, Any]:
    """A step that never ends, and cleans up when it is cancelled."""

    async def execute(data: Any) -> Any:
        if started is not None:
            started.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.append(id)

    return create_step(id=id, execute=execute, **options)


async def begun(engine: Engine, workflow: str, *paths: str, input: Any = None) -> Run:
    """A run whose steps at some paths have started."""
    run = await engine.create_run(workflow)
    await run.start_soon(input)
    wanted = {f"step.started {path}" for path in paths}
    async for event in run.events():
        wanted.discard(f"{event.type} {event.path}")
        if not wanted:
            break
    return run


async def until_late(run: Run) -> None:
    """A run that has ended gets one more event."""
    async with asyncio.timeout(5):
        while "step.late s" not in await lines(run):  # noqa: ASYNC110 nobody is told of what comes after the end
            await asyncio.sleep(0.005)


async def test_a_step_that_never_ends_is_ended_by_its_timeout(open_engine: OpenEngine) -> None:
    left: list[str] = []
    engine = await open_engine(create_workflow(id="w").then(hangs("s", left, timeout=0.02)).commit())
    result = await (await launch(engine, "w")).result()
    assert (result.status, left) == ("failed", ["s"])
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("StepTimeout", "s")


async def test_a_step_that_never_ends_is_ended_by_a_cancel(open_engine: OpenEngine) -> None:
    left: list[str] = []
    engine = await open_engine(create_workflow(id="w").then(hangs("s", left)).then(add("after")).commit())
    run = await begun(engine, "w", "s")
    assert await run.cancel("enough")
    result = await run.wait(1)
    assert (result.status, statuses(result.steps), left) == ("canceled", {"s": "canceled"}, ["s"])
    assert [line for line in await lines(run) if "cancel" in line] == [
        *("run.cancel_requested", "step.canceled s", "run.canceled"),
    ]


@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_a_step_that_swallows_its_cancel_is_left_alone_and_its_late_result_changes_nothing(
    open_engine: OpenEngine, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.stopping.GRACE", 0.05)
    release = asyncio.Event()

    async def stubborn(data: Any) -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    options = {"timeout": 0.02} if how == "timeout" else {}
    step = create_step(id="s", execute=stubborn, **options)
    engine = await open_engine(create_workflow(id="w").then(step).then(add("after")).commit())
    run = await begun(engine, "w", "s")
    if how == "cancel":
        assert await run.cancel()
    result = await run.wait(5)
    expected = ("canceled", {"s": "canceled"}) if how == "cancel" else ("failed", {"s": "failed"})
    assert (result.status, statuses(result.steps)) == expected
    ended = await lines(run)
    release.set()
    await until_late(run)
    assert (await lines(run))[len(ended) :] == ["step.late s"]
    again = await run.result()
    assert (again.status, statuses(again.steps), again.result) == (*expected, None)


async def test_a_thread_that_swallows_its_cancel_holds_nobody_up(open_engine: OpenEngine) -> None:
    release, began = threading.Event(), threading.Event()

    def stubborn(data: Any) -> str:
        began.set()
        release.wait(20)
        return "too late"

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=stubborn)).commit())
    try:
        run = await begun(engine, "w", "s")
        await asyncio.to_thread(began.wait, 5)
        async with asyncio.timeout(1):
            assert await run.cancel()
        assert (await run.result()).status == "canceled"
    finally:
        release.set()
    await until_late(run)
    assert (await run.result()).status == "canceled"


async def test_a_cancel_reaches_every_leaf_and_the_run_ends_last(open_engine: OpenEngine) -> None:
    left: list[str] = []
    deep = create_workflow(id="deep").parallel([hangs("x", left), hangs("y", left)])
    outer = (
        create_workflow(id="outer")
        .parallel(
            [
                create_workflow(id="child").then(add("first")).then(deep).then(add("never")),
                create_workflow(id="asleep").sleep(3600).then(add("late")),
                create_workflow(id="listens").wait_for_event("go"),
                create_workflow(id="items").map(lambda _: [1, 2, 3]).foreach(hangs("item", left), concurrency=2),
                hangs("flat", left),
            ]
        )
        .then(add("after"))
        .commit()
    )
    engine = await open_engine(outer)
    running = ["child/deep/x", "child/deep/y", "items/item[0]", "items/item[1]", "flat"]
    run = await begun(engine, "outer", *running, "asleep/sleep-1", input={"n": 1})
    async with asyncio.timeout(2):
        assert await run.cancel("stop")
    result = await run.result()
    assert result.status == "canceled"
    assert sorted(left) == ["flat", "item", "item", "x", "y"]
    done = {path: status for path, status in statuses(result.steps).items() if status != "canceled"}
    assert done == {"child/first": "success", "items/map-1": "success"}
    log = await lines(run)
    assert log[-1] == "run.canceled"
    canceled = [line.split()[-1] for line in log if line.startswith("step.canceled ")]
    opened = [line.split()[-1] for line in log if line.startswith("step.started ")]
    assert set(canceled) == set(opened) - {"child/first", "items/map-1"}
    assert len(canceled) == len(set(canceled))
    for parent, child in (("child/deep", "child/deep/x"), ("child", "child/deep"), ("parallel-1", "child")):
        assert log.index(f"step.canceled {child}") < log.index(f"step.canceled {parent}")
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(run.run_id)]


async def test_an_async_generator_that_a_step_leaves_midway_is_closed(open_engine: OpenEngine) -> None:
    seen: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for n in range(1000):
                yield n
        finally:
            seen.append("closed")

    async def leaves(data: Any, ctx: StepContext) -> str:
        async for n in numbers():
            await ctx.write({"chunk": n})
            if n == 2:
                break
        return "left"

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=leaves)).commit())
    run = await launch(engine, "w")
    result = await run.result()
    assert (result.status, result.result) == ("success", "left")
    chunks = [event.data["value"] async for event in run.events(follow=False) if event.type == "step.output"]
    assert chunks == [{"chunk": 0}, {"chunk": 1}, {"chunk": 2}]
    async with asyncio.timeout(2):
        while not seen:  # noqa: ASYNC110 the loop closes what nobody holds any more
            await asyncio.sleep(0)
    assert seen == ["closed"]


@pytest.mark.parametrize("how", ["cancel", "timeout", "error"])
async def test_an_async_generator_in_the_middle_of_which_a_step_is_cut_is_closed_and_its_chunks_are_kept(
    open_engine: OpenEngine, how: str
) -> None:
    seen: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 0
            yield 1
            if how == "error":
                raise RuntimeError("dried up")
            await asyncio.Event().wait()
            yield 2
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    async def streams(data: Any, ctx: StepContext) -> None:
        async for n in numbers():
            await ctx.write(n)

    options = {"timeout": 0.05} if how == "timeout" else {}
    step = create_step(id="s", execute=streams, **options)
    engine = await open_engine(create_workflow(id="w").then(step).commit())
    run = await engine.create_run("w")
    await run.start_soon()
    if how == "cancel":
        async for event in run.events():
            if event.type == "step.output" and event.data["value"] == 1:
                break
        assert await run.cancel()
    result = await run.wait(5)
    assert result.status == ("canceled" if how == "cancel" else "failed")
    chunks = [event.data["value"] async for event in run.events(follow=False) if event.type == "step.output"]
    assert (chunks, seen) == ([0, 1], ["closed"])


async def test_a_step_that_returns_a_generator_fails_and_the_generator_is_never_asked(open_engine: OpenEngine) -> None:
    asked: list[int] = []

    def generates() -> Any:
        asked.append(1)
        yield 1

    async def returns(data: Any) -> Any:
        return {"rows": generates()}

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=returns)).commit())
    result = await (await launch(engine, "w")).result()
    assert result.error is not None
    assert (result.status, result.error["type"], result.error["step"], asked) == ("failed", "NotSerializable", "s", [])
    assert "$.rows (type generator)" in result.error["message"]


def test_a_step_that_is_a_generator_function_is_refused_when_it_is_made() -> None:
    def generates(data: Any) -> Any:
        yield 1

    async def generates_too(data: Any) -> Any:
        yield 1

    for function in (generates, generates_too):
        with pytest.raises(DefinitionError, match=r"is a generator; return the output, and stream with ctx\.write"):
            create_step(id="s", execute=function)
