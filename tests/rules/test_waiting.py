"""Sleeps and waits for events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import AlreadyEnded, Engine, InvalidInput, Run, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines

LONG_AGO = datetime(2001, 2, 3, tzinfo=UTC)


async def one_second(given: Any) -> float:
    """An async duration."""
    return 0.01


async def waiting(engine: Engine, workflow: str) -> Run:
    """A new run that has come to wait."""
    run = await engine.create_run(workflow)
    await run.start_soon()
    async for event in run.events():
        if event.type == "run.waiting":
            break
    return run


# -- sleeps


@pytest.mark.parametrize(
    "duration",
    [
        0.01,
        timedelta(milliseconds=10),
        lambda given: given["n"] / 100,
        lambda _, ctx: timedelta(0, ctx.attempt / 100),
        one_second,
    ],
    ids=["seconds", "timedelta", "function", "function with context", "async function"],
)
async def test_a_sleep_passes_its_input_through(open_engine: OpenEngine, duration: Any) -> None:
    engine = await open_engine(create_workflow(id="w").sleep(duration).then(add("a")))
    run = await launch(engine, "w", {"n": 1})
    assert (await run.wait()).result == {"n": 2}
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started sleep-1",
        "timer.started sleep-1",
        "run.waiting",
        "timer.fired sleep-1",
        "step.succeeded sleep-1",
        "step.started a",
        "run.resumed",
        "step.succeeded a",
        "run.succeeded",
    ]


@pytest.mark.parametrize("moment", [LONG_AGO, lambda _: LONG_AGO], ids=["datetime", "function"])
async def test_sleep_until_a_time_that_has_passed_ends_at_once(open_engine: OpenEngine, moment: Any) -> None:
    engine = await open_engine(create_workflow(id="w").sleep_until(moment))
    assert (await (await launch(engine, "w", 5)).wait()).result == 5


async def test_a_sleep_of_no_time_ends_at_once(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").sleep(0).sleep(lambda _: timedelta(0)))
    assert (await (await launch(engine, "w", 5)).result()).result == 5


async def test_a_sleep_takes_its_time(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").sleep(0.03))
    run = await launch(engine, "w")
    step = (await run.wait()).steps["sleep-1"]
    assert step.ended_at - step.started_at >= timedelta(seconds=0.03)


async def test_after_a_restart_a_sleep_ends_at_the_time_first_fixed(open_engine: OpenEngine, sqlite_url: str) -> None:
    asked: list[Any] = []

    def when(given: Any) -> datetime:
        asked.append(given)
        return datetime.now(UTC) + timedelta(seconds=0.05)

    flow = create_workflow(id="w").sleep_until(when)
    first = await open_engine(flow, store=sqlite_url)
    run = await waiting(first, "w")
    (fixed,) = [event.data["due"] async for event in run.events(follow=False) if event.type == "timer.started"]
    await first.close()
    again = await open_engine(flow, store=sqlite_url)
    run = await again.get_run(run.run_id)
    result = await run.wait()
    assert (result.result, asked) == (None, [None])
    assert result.steps["sleep_until-1"].ended_at >= datetime.fromisoformat(fixed)


@pytest.mark.parametrize("made", ["soon", None, float("nan")])
async def test_a_duration_that_is_none_fails_the_run(open_engine: OpenEngine, made: Any) -> None:
    engine = await open_engine(create_workflow(id="w").sleep(lambda _: made))
    result = await (await launch(engine, "w")).wait()
    assert (result.status, result.error["type"], result.error["step"]) == ("failed", "ConditionFailed", "sleep-1")


async def test_a_sleep_is_waiting(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").sleep(60))
    result = await (await waiting(engine, "w")).result()
    assert (result.status, result.steps["sleep-1"].status, result.suspended) == ("waiting", "waiting", [])


# -- waits for events


async def test_a_wait_gives_the_data_of_its_event(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").wait_for_event("go").then(add("a")))
    run = await waiting(engine, "w")
    before = await run.result()
    await engine.send_event(run.run_id, "other", {"n": 100})
    await engine.send_event(run.run_id, "go", {"n": 1})
    assert (before.status, before.suspended, (await run.wait()).result) == ("waiting", [], {"n": 2})


async def test_an_event_sent_early_is_kept(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").wait_for_event("go").wait_for_event("go"))
    run = await engine.create_run("w")
    await engine.send_event(run.run_id, "go", 1)
    await run.start_soon()
    await engine.send_event(run.run_id, "go", 2)
    result = await run.wait()
    assert [step.output for step in result.steps.values()] == [1, 2]


async def test_an_event_is_taken_by_one_wait_only(open_engine: OpenEngine) -> None:
    waits = [create_workflow(id=id).wait_for_event("go") for id in ("a", "b")]
    engine = await open_engine(create_workflow(id="w").parallel(waits))
    run = await waiting(engine, "w")
    await engine.send_event(run.run_id, "go", 1)
    assert (await run.result()).status == "waiting"
    await engine.send_event(run.run_id, "go", 2)
    assert (await run.wait()).result == {"a": 1, "b": 2}


async def test_the_sender_of_data_that_does_not_fit_is_told(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").wait_for_event("go", int))
    run = await waiting(engine, "w")
    with pytest.raises(InvalidInput):
        await engine.send_event(run.run_id, "go", "x")
    await engine.send_event(run.run_id, "go", 3)
    assert (await run.wait()).result == 3


async def test_an_early_misfit_is_logged_and_dropped(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").wait_for_event("go", int))
    run = await engine.create_run("w")
    await engine.send_event(run.run_id, "go", "x")
    await run.start_soon()
    async for event in run.events():
        if event.type == "log":
            break
    assert (await run.result()).status == "waiting"
    await engine.send_event(run.run_id, "go", 3)
    assert (await run.wait()).result == 3


async def test_on_timeout_the_wait_fails_with_step_timeout(open_engine: OpenEngine) -> None:
    saved = create_step(id="saved", execute=lambda caught: caught["error"]["type"])
    engine = await open_engine(
        create_workflow(id="bare").wait_for_event("go", timeout=0.02),
        create_workflow(id="caught").wait_for_event("go", timeout=0.02, catch=saved),
    )
    bare = await (await launch(engine, "bare")).wait()
    assert (bare.status, bare.error["type"], bare.error["step"]) == ("failed", "StepTimeout", "wait_for_event-1")
    assert (await (await launch(engine, "caught")).wait()).result == "StepTimeout"


async def test_an_event_to_an_ended_run_is_refused(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await launch(engine, "w", {"n": 1})
    with pytest.raises(AlreadyEnded):
        await engine.send_event(run.run_id, "go", 1)
