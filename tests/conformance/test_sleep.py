"""Sleeping, and waiting for an event."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import AlreadyEnded, Engine, InvalidInput, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines, statuses


async def slept(run: Any) -> float:
    """Seconds between the start of a timer and its end."""
    at = {event.type: event.at async for event in run.events(follow=False) if event.type.startswith("timer")}
    return float((at["timer.fired"] - at["timer.started"]).total_seconds())


@pytest.mark.parametrize(
    "duration",
    [0.03, timedelta(milliseconds=30), lambda data: data["n"] * 0.03, lambda _, ctx: ctx.init["n"] * 0.03],
    ids=["seconds", "timedelta", "function", "function with context"],
)
async def test_a_sleep_delays_and_passes_its_input_on(open_engine: OpenEngine, duration: Any) -> None:
    """U1, U2: seconds, a timedelta, or a function of the input."""
    engine = await open_engine(create_workflow(id="w").sleep(duration).then(add("a")))
    run = await launch(engine, "w", {"n": 1})
    assert (await run.result()).result == {"n": 2}
    assert await slept(run) >= 0.028  # timers may fire a millisecond early


async def test_a_sleep_until_a_time(open_engine: OpenEngine) -> None:
    """U1: given or computed."""
    when = datetime.now(UTC) + timedelta(seconds=0.05)
    engine = await open_engine(
        create_workflow(id="fixed").sleep_until(when),
        create_workflow(id="computed").sleep_until(lambda _: datetime.now(UTC) + timedelta(seconds=0.01)),
    )
    for id in ("fixed", "computed"):
        run = await launch(engine, id, {"n": 1})
        assert (await run.result()).result == {"n": 1}
    (fired,) = [event async for event in run.events(follow=False) if event.type == "timer.fired"]
    assert fired.at >= when or id == "computed"


@pytest.mark.parametrize("amount", [0, lambda _: -5], ids=["none", "negative"])
async def test_no_time_at_all_ends_at_once(open_engine: OpenEngine, amount: Any) -> None:
    """U4: nothing, a negative number from a function, or a time that has passed."""
    past = datetime.now(UTC) - timedelta(days=1)
    engine = await open_engine(create_workflow(id="w").sleep(amount).sleep_until(past).then(add("a")))
    run = await engine.create_run("w")
    result = await asyncio.wait_for(run.start({"n": 1}), 2)
    assert (result.result, list(result.steps)) == ({"n": 2}, ["sleep-1", "sleep_until-1", "a"])


async def test_a_sleeping_run_is_stored_as_waiting(open_engine: OpenEngine) -> None:
    """U5: the run and the step; in lists, too."""
    engine = await open_engine(create_workflow(id="w").sleep(3600))
    run = await engine.create_run("w")
    await run.start_soon({})
    assert [row.run_id for row in (await engine.list_runs(status="waiting")).items] == [run.run_id]
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("waiting", {"sleep-1": "waiting"})
    await run.cancel()


async def test_a_sleep_in_an_arm(open_engine: OpenEngine) -> None:
    """U7: through a nested workflow; the other arm does not wait for it."""
    nap = create_workflow(id="nap").sleep(0.02).then(add("i"))
    engine = await open_engine(create_workflow(id="w").branch([("n == 1", nap), ("n < 5", add("quick"))]))
    run = await launch(engine, "w", {"n": 1})
    assert (await run.result()).result == {"nap": {"n": 2}, "quick": {"n": 2}}
    happened = await lines(run)
    assert happened.index("step.succeeded quick") < happened.index("timer.fired nap/sleep-1")


async def test_sleeps_have_stable_ids(open_engine: OpenEngine) -> None:
    """U8: counted in their workflow, unless named; the same in every build."""

    def build() -> Any:
        return create_workflow(id="w").sleep(0).sleep(0, id="nap").sleep(0)

    engine = await open_engine(build())
    assert list((await (await launch(engine, "w", {})).result()).steps) == ["sleep-1", "nap", "sleep-2"]
    assert build().plan.version == build().plan.version


async def test_an_event_ends_a_wait(open_engine: OpenEngine) -> None:
    """Its data is the output; while it is waited for the run waits, and nobody has to approve anything."""
    engine = await open_engine(create_workflow(id="w").wait_for_event("paid", dict[str, int]).then(add("a")))
    run = await engine.create_run("w")
    await run.start_soon({})
    assert (await run.status(), (await engine.suspensions()).items) == ("waiting", [])
    with pytest.raises(InvalidInput):
        await engine.send_event(run.run_id, "paid", {"n": "x"})
    await engine.send_event(run.run_id, "other", {"n": 5})
    assert await run.status() == "waiting"
    await engine.send_event(run.run_id, "paid", {"n": 1})
    assert (await run.wait()).result == {"n": 2}
    with pytest.raises(AlreadyEnded):
        await engine.send_event(run.run_id, "paid", {"n": 1})


async def test_an_event_that_comes_early_is_kept(open_engine: OpenEngine) -> None:
    """Also before the start; each is taken once."""
    flow = (
        create_workflow(id="w").wait_for_event("go").wait_for_event("go", id="again").wait_for_event("go", id="third")
    )
    engine = await open_engine(flow)
    run = await engine.create_run("w")
    await engine.send_event(run.run_id, "go", 1)
    await engine.send_event(run.run_id, "go", 2)
    await run.start_soon({})
    assert await run.status() == "waiting"
    await engine.send_event(run.run_id, "go", 3)
    assert [record.output for record in (await run.wait()).steps.values()] == [1, 2, 3]


async def test_an_event_that_does_not_come_in_time_fails_the_step(open_engine: OpenEngine) -> None:
    """As any step that takes too long."""
    engine = await open_engine(create_workflow(id="w").wait_for_event("go", timeout=0.02))
    result = await (await launch(engine, "w", {})).result()
    assert (result.status, result.error and result.error["type"]) == ("failed", "StepTimeout")


async def test_a_wait_outlives_its_engine(sqlite_url: str) -> None:
    """What was sent before and after a restart arrives."""
    flow = create_workflow(id="w").wait_for_event("one").wait_for_event("two").map(lambda data: data)
    async with Engine([flow], store=sqlite_url) as engine:
        run = await engine.create_run("w", run_id="r")
        await run.start_soon({})
        await engine.send_event("r", "two", 2)
    async with Engine([flow], store=sqlite_url) as engine:
        await engine.send_event("r", "one", 1)
        assert [one.output for one in (await (await engine.get_run("r")).wait()).steps.values()] == [1, 2, 2]
