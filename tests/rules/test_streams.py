"""Following a run: ``stream``, ``watch``, ``events``."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from engine import Engine, Event, InvalidInput, Run, StepContext, UnknownRun, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines

STORY = [
    "run.created",
    "run.started",
    "step.started a",
    "step.succeeded a",
    "step.started b",
    "step.succeeded b",
    "run.succeeded",
]


def line(event: Event) -> str:
    return f"{event.type} {event.path or ''}".rstrip()


def two_steps() -> Any:
    return create_workflow(id="flow").then(add("a")).then(add("b"))


async def approve(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask("Sure?")


def asking() -> Any:
    return create_workflow(id="ask").then(create_step(id="a", execute=approve))


async def test_stream_gives_every_event_of_the_run_and_then_its_result(open_engine: OpenEngine) -> None:
    run = await (await open_engine(two_steps())).create_run("flow")
    stream = run.stream({"n": 1})
    assert [line(event) async for event in stream] == STORY
    assert (await stream.result()).result == {"n": 3}


async def test_stream_ends_when_start_would_return(open_engine: OpenEngine) -> None:
    engine = await open_engine(asking(), two_steps())
    run = await engine.create_run("ask")
    stream = run.stream()
    assert [line(event) async for event in stream][-2:] == ["step.suspended a", "run.suspended"]
    assert (await stream.result()).status == "suspended"
    run = await engine.create_run("flow")
    stream = run.stream({"n": 1}, paused=True)
    assert [line(event) async for event in stream][-2:] == ["step.held a", "run.paused"]
    assert (await stream.result()).status == "paused"


async def test_stream_raises_what_start_raises(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow", input_schema=dict[str, int]).then(add("a")))
    run = await engine.create_run("flow")
    stream = run.stream({"n": "x"})
    with pytest.raises(InvalidInput):
        [event async for event in stream]
    with pytest.raises(InvalidInput):
        await stream.result()
    assert (await run.result()).status == "pending"


async def test_stream_result_without_iterating_starts_the_run(open_engine: OpenEngine) -> None:
    run = await (await open_engine(two_steps())).create_run("flow")
    assert (await run.stream({"n": 1}).result()).result == {"n": 3}


async def test_a_stream_that_is_left_early_leaves_the_run_alone(open_engine: OpenEngine) -> None:
    go_on = asyncio.Event()

    async def wait() -> str:
        await go_on.wait()
        return "done"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=wait)))
    run = await engine.create_run("flow")
    async for _ in run.stream():
        break
    go_on.set()
    assert (await run.wait()).result == "done"


async def test_events_have_a_seq_from_1_without_holes_and_times_in_order(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(two_steps()), "flow", {"n": 1})
    events = [event async for event in run.events(follow=False)]
    assert [event.seq for event in events] == list(range(1, 8))
    assert {event.run_id for event in events} == {run.run_id}
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert events[0].at.utcoffset() is not None


async def test_events_after_gives_the_rest(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(two_steps()), "flow", {"n": 1})
    for after in range(9):
        assert await lines(run, after) == STORY[after:]


async def test_following_ends_after_the_last_event_of_an_ended_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(two_steps())
    run = await launch(engine, "flow", {"n": 1})
    assert [line(event) async for event in run.events()] == STORY
    assert [event async for event in run.events(after=7)] == []


async def test_following_goes_over_a_suspension_without_gap_or_duplicate(open_engine: OpenEngine) -> None:
    engine = await open_engine(asking())
    run = await engine.create_run("ask")
    suspended = asyncio.Event()

    async def follow() -> list[int]:
        seen = []
        async for event in run.events():
            seen.append(event.seq)
            if event.type == "run.suspended":
                suspended.set()
        return seen

    followers = [asyncio.create_task(follow()) for _ in range(3)]
    await run.start()
    await suspended.wait()
    await run.resume("yes")
    whole = [event.seq async for event in run.events(follow=False)]
    assert await asyncio.gather(*followers) == [whole] * 3
    assert whole == list(range(1, len(whole) + 1))


async def test_joining_in_the_middle_of_many_events_misses_none(open_engine: OpenEngine) -> None:
    async def talk(data: Any, ctx: StepContext) -> None:
        for number in range(700):
            await ctx.write(number)

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="talk", execute=talk)))
    run = await engine.create_run("flow")
    await run.start_soon()
    after = 2
    chunks = [event.data["value"] async for event in run.events(after) if event.type == "step.output"]
    assert chunks == list(range(700))


async def test_nobody_is_told_of_an_event_before_it_is_stored(open_engine: OpenEngine) -> None:
    engine = await open_engine(two_steps())
    run = await engine.create_run("flow")
    early: list[int] = []
    async for event in run.stream({"n": 1}):
        stored = [one.seq async for one in run.events(follow=False)]
        if event.seq not in stored:
            early.append(event.seq)
    assert early == []


async def test_watch_calls_a_sync_or_async_callback_for_each_event(open_engine: OpenEngine) -> None:
    engine = await open_engine(two_steps())
    run = await engine.create_run("flow")
    plain: list[str] = []
    awaited: list[str] = []
    done = asyncio.Event()

    async def callback(event: Event) -> None:
        await asyncio.sleep(0)
        awaited.append(line(event))
        if event.type == "run.succeeded":
            done.set()

    run.watch(lambda event: plain.append(line(event)))
    run.watch(callback)
    await run.start({"n": 1})
    await done.wait()
    assert awaited == STORY[1:]
    assert plain == STORY[1:]


async def test_watch_gives_events_from_now_on(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(asking()), "ask")
    seen: list[str] = []
    done = asyncio.Event()

    def callback(event: Event) -> None:
        seen.append(line(event))
        if event.type == "run.succeeded":
            done.set()

    run.watch(callback)
    await run.resume("yes")
    await done.wait()
    assert seen == ["step.resumed a", "step.started a", "run.resumed", "step.succeeded a", "run.succeeded"]


async def test_unsubscribe_ends_a_watch(open_engine: OpenEngine) -> None:
    engine = await open_engine(asking())
    run = await engine.create_run("ask")
    seen: list[str] = []
    told = asyncio.Event()

    def callback(event: Event) -> None:
        seen.append(line(event))
        if event.type == "run.suspended":
            told.set()

    unsubscribe = run.watch(callback)
    await run.start()
    await told.wait()
    unsubscribe()
    await run.resume("yes")
    assert seen == ["run.started", "step.started a", "step.suspended a", "run.suspended"]
    unsubscribe()


async def test_a_failing_callback_never_hurts_the_run(
    open_engine: OpenEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await open_engine(two_steps())
    run = await engine.create_run("flow")
    calls: list[str] = []
    done = asyncio.Event()

    def bad(event: Event) -> None:
        calls.append(line(event))
        if event.type == "run.succeeded":
            done.set()
        raise ValueError("watcher")

    run.watch(bad)
    with caplog.at_level(logging.ERROR, logger="engine"):
        result = await run.start({"n": 1})
        await done.wait()
    assert (result.status, calls) == ("success", STORY[1:])
    assert "watcher" in caplog.text


async def test_a_slow_watcher_does_not_slow_the_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(two_steps())
    run = await engine.create_run("flow")
    go_on, finished = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def slow(event: Event) -> None:
        await go_on.wait()
        seen.append(line(event))
        if event.type == "run.succeeded":
            finished.set()

    run.watch(slow)
    assert (await run.start({"n": 1})).status == "success"
    assert seen == []
    go_on.set()
    await finished.wait()
    assert seen == STORY[1:]


async def test_events_of_an_unknown_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(two_steps())
    gone = Run(engine, "nobody", "flow", None)
    with pytest.raises(UnknownRun):
        [event async for event in gone.events(follow=False)]
    with pytest.raises(UnknownRun):
        [event async for event in gone.events()]


async def test_the_events_of_a_run_outlive_its_engine(sqlite_url: str) -> None:
    async with Engine([two_steps()], store=sqlite_url) as engine:
        run = await launch(engine, "flow", {"n": 1})
        before = [event async for event in run.events(follow=False)]
    async with Engine([two_steps()], store=sqlite_url) as engine:
        run = await engine.get_run(run.run_id)
        assert [event async for event in run.events()] == before


async def test_each_change_of_the_runs_status_is_one_run_event(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").sleep(0.01).then(create_step(id="a", execute=approve)).wait_for_event("go")
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    await run.start()
    await run.resume_soon("yes")
    waiting = 0
    async for event in run.events():
        waiting += event.type == "run.waiting"
        if waiting == 2:
            break
    await engine.send_event(run.run_id, "go", 1)
    await run.wait()
    assert [event.type async for event in run.events(follow=False) if event.type.startswith("run.")] == [
        "run.created",
        "run.started",
        "run.waiting",
        "run.resumed",
        "run.suspended",
        "run.resumed",
        "run.waiting",
        "run.succeeded",
    ]
