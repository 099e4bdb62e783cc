"""A run is its list of events: what they are, in which order, and what their data says."""

from __future__ import annotations

import asyncio
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import Event, RetryPolicy, Run, Step, StepContext, Workflow, create_step, create_workflow, from_step, value
from engine.events import EVENT_TYPES
from tests.fixtures import OpenEngine, add, fail, launch, lines

TYPES = """
run.created run.started run.suspended run.resumed run.paused run.waiting run.succeeded run.failed run.canceled
run.forked run.recovered run.cancel_requested run.continued run.stepped run.breakpoints_set run.blocked
run.definition_changed
step.started step.output step.suspended step.resumed step.succeeded step.failed step.retrying step.skipped step.canceled
step.bailed step.held step.interrupted step.late
branch.chosen loop.checked timer.started timer.fired event.received suspension.expired state.changed log
"""

STATUS_AFTER = {
    "run.started": "running",
    "run.resumed": "running",
    "run.continued": "running",
    "run.stepped": "running",
    "run.suspended": "suspended",
    "run.paused": "paused",
    "run.waiting": "waiting",
    "run.succeeded": "success",
    "run.failed": "failed",
    "run.canceled": "canceled",
}


async def _events(run: Run) -> list[Event]:
    return [event async for event in run.events(follow=False)]


async def _data(run: Run, *types: str) -> list[dict[str, Any]]:
    """The data of the run's events of some types."""
    return [event.data for event in await _events(run) if event.type in types]


async def _changes(run: Run) -> list[str]:
    """The types of events that change the run's status."""
    return [event.type for event in await _events(run) if event.type in STATUS_AFTER]


def _asks(id: str, **question: Any) -> Step[Any, Any]:
    async def execute(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask({"of": id}, int, **question)

    return create_step(id=id, execute=execute)


def _does(id: str, work: Any) -> Step[Any, Any]:
    async def execute(data: Any, ctx: StepContext) -> Any:
        return await work(ctx) or data

    return create_step(id=id, execute=execute)


# -- what an event is


def test_there_are_these_types_and_no_others() -> None:
    assert sorted(EVENT_TYPES) == sorted(TYPES.split())


async def test_an_event_is_frozen_and_has_these_fields(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    before = datetime.now(UTC)
    run = await launch(engine, "w", {"n": 0})
    event = (await _events(run))[2]
    assert [field.name for field in fields(Event)] == ["seq", "run_id", "at", "type", "path", "attempt", "data"]
    assert before - timedelta(seconds=1) <= event.at <= datetime.now(UTC)
    assert (event.seq, event.run_id, event.type, event.path, event.attempt) == (3, run.run_id, "step.started", "a", 1)
    with pytest.raises(FrozenInstanceError):
        event.seq = 4  # type: ignore[misc]


async def test_seq_counts_from_one_without_holes_whatever_happens(open_engine: OpenEngine) -> None:
    async def talk(ctx: StepContext) -> None:
        for number in range(20):
            await ctx.write(number)
            ctx.logger.info("said %s", number)

    workflow = (
        create_workflow(id="w")
        .parallel([_does("talk", talk), _asks("ask"), fail("bad")], allow_failure=True)
        .map(from_step("talk"))
        .then(add("z"))
    )
    engine = await open_engine(workflow)
    run = await launch(engine, "w", {"n": 0})
    await run.resume(1)
    events = await _events(run)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert {event.run_id for event in events} == {run.run_id}


async def test_paths_say_where_a_step_is(open_engine: OpenEngine) -> None:
    inner = create_workflow(id="inner").foreach(add("item"))
    engine = await open_engine(create_workflow(id="w").then(inner))
    run = await launch(engine, "w", [{"n": 0}, {"n": 1}])
    begun = [event.path for event in await _events(run) if event.type == "step.started"]
    assert begun == ["inner", "inner/item", "inner/item[0]", "inner/item[1]"]


# -- the order


async def test_the_events_of_a_plain_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")))
    run = await launch(engine, "w", {"n": 0})
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started a",
        "step.succeeded a",
        "step.started b",
        "step.succeeded b",
        "run.succeeded",
    ]


async def test_the_events_of_a_failure(open_engine: OpenEngine) -> None:
    policy = RetryPolicy(attempts=2, delay=0)
    engine = await open_engine(create_workflow(id="w").then(fail("bad", retry=policy)).then(add("b")))
    run = await launch(engine, "w")
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started bad",
        "step.retrying bad",
        "step.started bad",
        "step.failed bad",
        "run.failed",
    ]


# -- one run.* event for each change of status


async def test_each_change_of_status_is_one_event(open_engine: OpenEngine) -> None:
    """Suspended by a question, running with the answer, waiting for an event and then for a time: still waiting."""
    workflow = create_workflow(id="w").then(_asks("ask")).wait_for_event("go").sleep(0.01).then(_asks("last"))
    engine = await open_engine(workflow)
    run = await engine.create_run("w")
    await run.start()
    await run.resume_soon(1)
    await engine.send_event(run.run_id, "go")
    await run.wait(5)
    await run.resume(2)
    assert await _changes(run) == [
        "run.started",
        "run.suspended",
        "run.resumed",
        "run.waiting",
        "run.resumed",
        "run.suspended",
        "run.resumed",
        "run.succeeded",
    ]


async def test_no_event_repeats_the_status_that_is(open_engine: OpenEngine) -> None:
    """Steps, arms and answers that leave the status as it is make no event of the run."""
    arms = [_asks("p"), _asks("q"), add("r")]
    engine = await open_engine(create_workflow(id="w").parallel(arms).map(from_step("r")).then(add("z")))
    run = await launch(engine, "w", {"n": 0})
    await run.resume(1, step="p")
    assert await run.status() == "suspended"
    await run.resume(2, step="q")
    changes = [STATUS_AFTER[change] for change in await _changes(run)]
    assert changes == ["running", "suspended", "running", "suspended", "running", "success"]


async def test_after_stepped_comes_paused_or_an_end(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")))
    run = await engine.create_run("w")
    await run.start({"n": 0}, paused=True)
    await run.step()
    await run.wait(5)
    await run.step()
    await run.wait(5)
    changes = await _changes(run)
    assert changes == ["run.started", "run.paused", "run.stepped", "run.paused", "run.stepped", "run.succeeded"]


async def test_going_on_is_one_event(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await engine.create_run("w")
    await run.start({"n": 0}, paused=True)
    await run.proceed()
    await run.wait(5)
    assert await _changes(run) == ["run.started", "run.paused", "run.continued", "run.succeeded"]


async def test_the_last_event_of_an_ended_run_is_its_end(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(_asks("ask")))
    run = await launch(engine, "w")
    await run.cancel("enough")
    assert (await lines(run))[-3:] == ["run.cancel_requested", "step.canceled ask", "run.canceled"]
    assert await _data(run, "run.cancel_requested", "run.canceled") == [{"reason": "enough"}] * 2


# -- data by type


async def test_data_of_start_and_success(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await engine.create_run("w")
    await run.start({"n": 0}, state={"k": 1}, request_context={"who": "me"})
    assert await _data(run, "run.started") == [{"input": {"n": 0}, "state": {"k": 1}, "request_context": {"who": "me"}}]
    assert await _data(run, "step.started") == [{"input": {"n": 0}}]
    assert await _data(run, "step.succeeded") == [{"output": {"n": 1}}]
    assert await _data(run, "run.succeeded") == [{"result": {"n": 1}}]


async def test_data_of_a_start_with_nothing_given(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").map(value(1)))
    run = await launch(engine, "w")
    assert await _data(run, "run.started") == [{"input": None, "state": {}, "request_context": {}}]


async def test_data_of_failures(open_engine: OpenEngine) -> None:
    policy = RetryPolicy(attempts=2, delay=0.01, jitter=False)
    engine = await open_engine(create_workflow(id="w").then(fail("bad", retry=policy)))
    run = await launch(engine, "w")
    [retrying, failed] = await _data(run, "step.retrying", "step.failed")
    assert (set(retrying), set(failed)) == ({"error", "next_at"}, {"error", "next_at"})
    for error in (retrying["error"], failed["error"]):
        assert (error["type"], error["message"], error["step"]) == ("ValueError", "bad failed", "bad")
        assert "ValueError: bad failed" in error["traceback"]
    assert datetime.fromisoformat(retrying["next_at"]).tzinfo is not None
    assert failed["next_at"] is None
    assert await _data(run, "run.failed") == [{"error": failed["error"]}]


async def test_data_of_a_question_and_its_answer(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(_asks("ask", label="l", title="t", expires_in=60)))
    run = await launch(engine, "w")
    await run.resume(5, by="me")
    [asked], [resumed] = await _data(run, "step.suspended"), await _data(run, "step.resumed")
    shown = {key: asked[key] for key in ("payload", "label", "title", "schema")}
    assert shown == {"payload": {"of": "ask"}, "label": "l", "title": "t", "schema": {"type": "integer"}}
    assert datetime.fromisoformat(asked["expires_at"]) > datetime.now(UTC)
    assert resumed == {"answer": 5, "token": asked["token"], "by": "me"}


async def test_data_of_a_plain_suspension(open_engine: OpenEngine) -> None:
    async def suspend(ctx: StepContext) -> Any:
        return ctx.resume_data or await ctx.suspend()

    engine = await open_engine(create_workflow(id="w").then(_does("s", suspend)))
    run = await launch(engine, "w")
    await run.resume({"yes": 1})
    [asked], [resumed] = await _data(run, "step.suspended"), await _data(run, "step.resumed")
    nothing = {"payload": None, "label": None, "title": None, "schema": None, "expires_at": None}
    assert asked == nothing | {"token": asked["token"]}
    assert resumed == {"answer": {"yes": 1}, "token": asked["token"], "by": None}


async def test_data_of_branch_and_loop(open_engine: OpenEngine) -> None:
    workflow: Workflow[Any, Any] = (
        create_workflow(id="w")
        .branch([("n > 0", add("yes")), ("n > 5", add("more"))])
        .map(from_step("yes"))
        .do_while(add("body"), "n < 4")
    )
    engine = await open_engine(workflow)
    run = await launch(engine, "w", {"n": 1})
    [chosen] = await _data(run, "branch.chosen")
    assert chosen == {"arms": ["yes"], "values": [True, False]}
    checked = [(data["iteration"], data["value"]) for data in await _data(run, "loop.checked")]
    assert checked == [(0, True), (1, False)]


async def test_data_of_a_timer(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").sleep(0.02))
    run = await launch(engine, "w")
    [started] = [event for event in await _events(run) if event.type == "timer.started"]
    due = datetime.fromisoformat(started.data.pop("due"))
    assert started.data == {}
    assert timedelta(0) < due - started.at <= timedelta(seconds=0.021)
    assert await _data(run, "timer.fired") == [{}]


async def test_data_of_an_event_received(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").wait_for_event("go"))
    run = await engine.create_run("w")
    await run.start_soon()
    await engine.send_event(run.run_id, "go", {"n": 1})
    assert await _data(run, "event.received") == [{"name": "go", "data": {"n": 1}}]


async def test_data_of_output_state_log_and_bail(open_engine: OpenEngine) -> None:
    async def work(ctx: StepContext) -> None:
        await ctx.write({"part": 1})
        ctx.set_state(k=1)
        ctx.logger.warning("careful")
        ctx.bail("bye")

    engine = await open_engine(create_workflow(id="w").then(_does("s", work)))
    run = await launch(engine, "w", {})
    assert await _data(run, "step.output") == [{"value": {"part": 1}}]
    assert [data["changes"] for data in await _data(run, "state.changed")] == [{"k": 1}]
    assert await _data(run, "log") == [{"level": "warning", "message": "careful"}]
    assert await _data(run, "step.bailed") == [{"output": "bye"}]
    assert [data["result"] for data in await _data(run, "run.succeeded")] == ["bye"]


# -- reading them


async def test_events_after_a_seq(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await launch(engine, "w", {"n": 0})
    assert await lines(run, after=3) == ["step.succeeded a", "run.succeeded"]
    assert await lines(run, after=99) == []


async def test_following_ends_after_the_last_event_of_an_ended_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(_asks("ask")))
    run = await launch(engine, "w")

    async def follow() -> list[str]:
        return [event.type async for event in run.events()]

    following = asyncio.ensure_future(follow())
    await run.resume(1)
    seen = await asyncio.wait_for(following, 5)
    assert seen == [event.type for event in await _events(run)]
    assert await asyncio.wait_for(follow(), 5) == seen
