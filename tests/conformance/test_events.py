"""The events of a run: their order, what they carry, and who sees them when.

Left out: usage totals of agents (agents come later), a step's call id (path and attempt name a call).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from engine import Event, InvalidInput, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines


def gate() -> tuple[Any, asyncio.Event, asyncio.Event]:
    """A step that runs until it is released; with the events that it has started and may end."""
    started, release = asyncio.Event(), asyncio.Event()

    async def work(data: Any) -> Any:
        started.set()
        await release.wait()
        return data

    return create_step(id="gate", execute=work), started, release


def told(event: Event) -> str:
    return f"{event.type} {event.path or ''}".rstrip()


async def test_a_stream_is_the_run_from_its_start_to_its_end(open_engine: OpenEngine) -> None:
    """Q1: in order, numbered from 1 without holes; the result comes with it."""
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")))
    run = await engine.create_run("w")
    stream = run.stream({"n": 1})
    events = [event async for event in stream]
    assert [told(event) for event in events] == await lines(run)
    assert [event.seq for event in events] == list(range(1, 8))
    assert {event.run_id for event in events} == {run.run_id}
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert (events[-1].type, events[-1].data) == ("run.succeeded", {"result": {"n": 3}})
    assert (await stream.result()).result == {"n": 3}


async def test_each_event_carries_its_data(open_engine: OpenEngine) -> None:
    """Q1: inputs and outputs, attempts, state."""

    async def work(data: dict[str, int], ctx: StepContext) -> int:
        ctx.set_state(c=1)
        return data["n"]

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=work)))
    run = await launch(engine, "w", {"n": 1}, state={"c": 0}, request_context={"k": "v"})
    assert [(told(event), event.attempt, event.data) async for event in run.events(1, follow=False)] == [
        ("run.started", None, {"input": {"n": 1}, "state": {"c": 0}, "request_context": {"k": "v"}}),
        ("step.started a", 1, {"input": {"n": 1}}),
        ("state.changed a", None, {"changes": {"c": 1}}),
        ("step.succeeded a", 1, {"output": 1}),
        ("run.succeeded", None, {"result": 1}),
    ]


async def test_a_stream_ends_at_a_question(open_engine: OpenEngine) -> None:
    """Q3, Q4: with its payload; the rest comes after the answer, from where one left off."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask({"sure": True})

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=ask)))
    run = await engine.create_run("w")
    events = [event async for event in run.stream()]
    assert [told(event) for event in events[-2:]] == ["step.suspended a", "run.suspended"]
    assert events[-2].data["payload"] == {"sure": True}
    await run.resume("yes")
    after = [event async for event in run.events(events[-1].seq)]
    assert [told(event) for event in after] == [
        "step.resumed a",
        "step.started a",
        "run.resumed",
        "step.succeeded a",
        "run.succeeded",
    ]
    assert after[0].data["answer"] == "yes"


async def test_a_stream_of_a_refused_start_raises(open_engine: OpenEngine) -> None:
    """Q6: from the iteration and from the result; nothing ran."""
    engine = await open_engine(create_workflow(id="w", input_schema=dict[str, int]).then(add("a")))
    run = await engine.create_run("w")
    stream = run.stream("wrong")
    with pytest.raises(InvalidInput):
        _ = [event async for event in stream]
    with pytest.raises(InvalidInput):
        await stream.result()
    assert await lines(run) == ["run.created"]


async def test_a_sleep_is_a_timer_that_starts_and_fires(open_engine: OpenEngine) -> None:
    """Q7: the run waits in between."""
    engine = await open_engine(create_workflow(id="w").sleep(0.01))
    run = await engine.create_run("w")
    assert [told(event) async for event in run.stream({})][2:] == [
        "step.started sleep-1",
        "timer.started sleep-1",
        "run.waiting",
        "timer.fired sleep-1",
        "step.succeeded sleep-1",
        "run.succeeded",
    ]


async def test_who_comes_late_sees_everything_once(open_engine: OpenEngine) -> None:
    """Q9: what was before, then what comes, without a gap or a duplicate."""
    step, started, release = gate()
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(step).then(add("b")))
    run = await engine.create_run("w")
    await run.start_soon({"n": 1})
    await started.wait()
    seen: list[int] = []
    async for event in run.events():
        seen.append(event.seq)
        if told(event) == "step.started gate":
            release.set()
    assert seen == list(range(1, 10))


async def test_who_knows_some_sees_the_rest(open_engine: OpenEngine) -> None:
    """Q10: events after a number, also of a run that has ended."""
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await launch(engine, "w", {"n": 1})
    assert [event.seq async for event in run.events(3)] == [4, 5]
    assert [event.seq async for event in run.events(5)] == []


async def test_the_numbers_of_one_call_match(open_engine: OpenEngine) -> None:
    """Q13: path and attempt are the same from a start to its outcome, and differ between calls."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("?")

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=ask)))
    run = await launch(engine, "w", [1])
    await run.resume(1)
    calls = [
        (e.type, e.attempt) async for e in run.events(follow=False) if e.path == "a[0]" and e.type != "step.resumed"
    ]
    assert calls == [("step.started", 1), ("step.suspended", 1), ("step.started", 2), ("step.succeeded", 2)]


async def test_what_a_step_writes_is_streamed(open_engine: OpenEngine) -> None:
    """In order, with its path, before the step ends; also from a plain function."""

    async def write(data: Any, ctx: StepContext) -> None:
        for n in range(3):
            await ctx.write({"chunk": n})

    def write_too(data: Any, ctx: StepContext) -> None:
        ctx.sync.write("from a thread")

    workflow = (
        create_workflow(id="w").then(create_step(id="a", execute=write)).then(create_step(id="b", execute=write_too))
    )
    engine = await open_engine(workflow)
    run = await launch(engine, "w")
    assert [(event.path, event.data) async for event in run.events(follow=False) if event.type == "step.output"] == [
        ("a", {"value": {"chunk": 0}}),
        ("a", {"value": {"chunk": 1}}),
        ("a", {"value": {"chunk": 2}}),
        ("b", {"value": "from a thread"}),
    ]


async def test_a_watcher_is_called_for_each_event_from_now_on(open_engine: OpenEngine) -> None:
    """Sync or async; after ``unsubscribe`` no more."""
    step, started, release = gate()
    engine = await open_engine(create_workflow(id="w").then(step))
    run = await engine.create_run("w")
    plain: list[str] = []
    awaited: list[str] = []
    ended = asyncio.Event()

    async def watch(event: Event) -> None:
        awaited.append(told(event))
        if event.type == "run.succeeded":
            ended.set()

    two = asyncio.Event()

    def note(event: Event) -> None:
        plain.append(told(event))
        if len(plain) == 2:
            two.set()

    unsubscribe = run.watch(note)
    run.watch(watch)
    await run.start_soon({})
    await started.wait()
    await two.wait()
    unsubscribe()
    release.set()
    await ended.wait()
    assert awaited == ["run.started", "step.started gate", "step.succeeded gate", "run.succeeded"]
    assert plain == awaited[:2]


async def test_a_watcher_that_fails_hurts_nobody(open_engine: OpenEngine, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the run and other watchers go on."""
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await engine.create_run("w")
    ended = asyncio.Event()

    def broken(event: Event) -> None:
        raise RuntimeError("watcher broke")

    with caplog.at_level(logging.ERROR, logger="engine"):
        run.watch(broken)
        run.watch(lambda event: ended.set() if event.type == "run.succeeded" else None)
        assert (await run.start({"n": 1})).result == {"n": 2}
        await ended.wait()
    assert any("watcher broke" in str(record.exc_info) for record in caplog.records)


async def test_a_success_is_stored_before_anybody_is_told(open_engine: OpenEngine) -> None:
    """Whoever sees an event finds it in the log."""
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")))
    run = await engine.create_run("w")
    async for event in run.stream({"n": 1}):
        stored = [one async for one in run.events(event.seq - 1, follow=False)]
        assert stored[0] == event
