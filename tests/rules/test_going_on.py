"""``max_running`` holds for runs that go on, too: answered, woken or released, they wait before those that start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine import Engine, Run, StepContext, chain, create_step, create_workflow
from engine.clock import SystemClock
from engine.verify import verify
from tests.fixtures import OpenEngine, add, lines
from tests.rules.test_max_running import Gate, statuses_of

SOON = 5.0


class Alarms(SystemClock):
    """A clock whose timers fire when the test says so."""

    def __init__(self) -> None:
        self._set: list[Callable[[], None]] = []
        self._ahead = 0.0

    def now(self) -> float:
        return super().now() + self._ahead

    def call_at(self, when: float, callback: Callable[[], None]) -> Alarms:  # noqa: ARG002
        self._set.append(callback)
        return self

    def cancel(self) -> None:
        """No timer is taken back here."""

    def ring(self) -> None:
        """A minute has passed."""
        self._ahead += 60
        for callback in self._set:
            callback()


async def _ask(data: Any, ctx: StepContext) -> Any:
    await ctx.ask("Sure?")
    return data


def _asks(id: str = "ask") -> Any:
    return create_step(id=id, execute=_ask)


async def _of_the_run(run: Run) -> list[str]:
    """The changes of the run's status, as its events tell."""
    return [
        event.type.removeprefix("run.") + (f" as {event.data['status']}" if "status" in event.data else "")
        async for event in run.events(follow=False)
        if event.path is None
    ]


async def _started(engine: Engine, workflow: str, data: Any, **options: Any) -> Run:
    run = await engine.create_run(workflow)
    await run.start_soon(data, **options)
    return run


async def test_an_answered_run_waits_for_a_place_and_comes_before_those_that_start(open_engine: OpenEngine) -> None:
    gate = Gate()
    asks = create_workflow(id="asks").then(_asks()).then(gate.step)
    engine = await open_engine(asks, create_workflow(id="flow").then(gate.step), max_running=1)
    asked = [await _started(engine, "asks", f"asked {number}") for number in range(2)]
    for run in asked:
        assert (await run.wait(SOON)).status == "suspended"
    others = [await _started(engine, "flow", number) for number in range(2)]
    await gate.until(1)
    for run in asked:
        await run.resume_soon("yes")
    assert await statuses_of([*asked, *others]) == ["pending", "pending", "running", "pending"]
    assert (await engine.suspensions()).items == []
    gate.let_out(4)
    assert [(await run.wait(SOON)).status for run in (*asked, *others)] == ["success"] * 4
    assert (gate.came, gate.most) == ([0, "asked 0", "asked 1", 1], 1)
    assert await _of_the_run(asked[0]) == [
        "created",
        "started",
        "suspended",
        "resumed as pending",
        "resumed",
        "succeeded",
    ]


async def test_a_woken_and_a_released_run_wait_for_a_place(open_engine: OpenEngine) -> None:
    gate = Gate()
    sleeps = create_workflow(id="sleeps").sleep(10).then(gate.step)
    waits = create_workflow(id="waits").wait_for_event("go").then(gate.step)
    flow = create_workflow(id="flow").then(gate.step)
    alarms = Alarms()
    engine = await open_engine(sleeps, waits, flow, max_running=1, clock=alarms)
    paused = await _started(engine, "flow", "released", paused=True)
    assert (await paused.wait(SOON)).status == "paused"
    waiting = await _started(engine, "waits", None)
    async for event in waiting.events():
        if event.type == "run.waiting":
            break
    sleeping = await _started(engine, "sleeps", "woken")
    running = await _started(engine, "flow", "first")
    await gate.until(1)
    alarms.ring()
    async for event in sleeping.events():
        if event.type == "run.resumed":
            break
    await engine.send_event(waiting.run_id, "go", "told")
    await paused.proceed()
    assert await statuses_of([sleeping, waiting, paused, running]) == ["pending"] * 3 + ["running"]
    gate.let_out(4)
    assert [(await run.wait(SOON)).status for run in (sleeping, waiting, paused, running)] == ["success"] * 4
    assert (gate.came, gate.most) == (["first", "woken", "told", "released"], 1)


async def test_a_run_is_answered_and_cancelled_while_it_waits_for_a_place(open_engine: OpenEngine) -> None:
    """A second answer goes with the first; a cancel waits for nobody."""
    gate = Gate()
    arms = [chain(id=id).then(_asks(f"ask_{id}")).then(gate.step) for id in ("a", "b")]
    engine = await open_engine(
        create_workflow(id="asks").parallel(arms), create_workflow(id="flow").then(gate.step), max_running=1
    )
    asked, dropped = [await _started(engine, "asks", number) for number in ("asked", "dropped")]
    for run in (asked, dropped):
        assert (await run.wait(SOON)).status == "suspended"
    await _started(engine, "flow", 0)
    await gate.until(1)
    await asked.resume_soon("yes", step="ask_a")
    await dropped.resume_soon("yes", step="ask_a")
    await asked.resume_soon("yes", step="ask_b")
    assert await statuses_of([asked, dropped]) == ["pending", "pending"]
    assert await dropped.cancel() is True
    assert (await dropped.result()).status == "canceled"
    gate.let_out(3)
    assert (await asked.wait(SOON)).result == {"a": "asked", "b": "asked"}
    assert gate.came == [0, "asked", "asked"]


async def test_a_run_is_held_and_released_while_it_waits_for_a_place(open_engine: OpenEngine) -> None:
    gate = Gate()
    asks = create_workflow(id="asks").parallel([chain(id="a").then(_asks()).then(add("b", 1)), gate.step])
    engine = await open_engine(asks, create_workflow(id="flow").then(gate.step), max_running=1)
    run = await _started(engine, "asks", {"n": 1})
    await run.set_breakpoints(["a/b"])
    await gate.until(1)
    await run.resume_soon("yes")
    gate.let_out()
    assert (await run.wait(SOON)).status == "paused"
    await _started(engine, "flow", 0)
    await gate.until(2)
    await run.proceed()
    await run.pause()
    await run.proceed()
    assert await run.status() == "pending"
    gate.let_out()
    assert (await run.wait(SOON)).result == {"a": {"n": 2}, "gate": {"n": 1}}
    told = await _of_the_run(run)
    assert told[told.index("paused") :] == [
        "paused",
        "continued as paused",
        "resumed as pending",
        "breakpoints_set",
        "continued as pending",
        "resumed",
        "succeeded",
    ]


@pytest.mark.parametrize("limit", [1, None])
async def test_an_answered_run_that_waits_goes_on_after_a_restart(sqlite_url: str, limit: int | None) -> None:
    gate = Gate()
    arms = [chain(id="a").then(_asks()).then(gate.step), create_workflow(id="b").sleep(0.05).then(gate.step)]
    asks = create_workflow(id="asks").parallel(arms)
    flow = create_workflow(id="flow").then(gate.step)
    async with Engine([asks, flow], store=sqlite_url, max_running=1, clock=Alarms()) as engine:
        asked = await _started(engine, "asks", "asked")
        await asked.wait(SOON)
        running = await _started(engine, "flow", 0)
        await gate.until(1)
        await asked.resume_soon("yes")
        assert await statuses_of([asked, running]) == ["pending", "running"]
    gate.let_out(4)
    async with Engine([asks, flow], store=sqlite_url, max_running=limit) as engine:
        found = [await engine.get_run(run.run_id) for run in (asked, running)]
        assert [(await run.wait(SOON)).status for run in found] == ["success"] * 2
        assert "run.recovered" not in await lines(found[0])
    assert verify(sqlite_url.removeprefix("sqlite:///")) == []


async def test_a_run_that_another_process_takes_over_leaves_its_place(sqlite_url: str) -> None:
    gate = Gate()
    flow = create_workflow(id="flow").then(gate.step)
    async with (
        Engine([flow], store=sqlite_url, max_running=1) as engine,
        Engine([flow], store=sqlite_url, recover=False) as other,
    ):
        taken, queued = [await _started(engine, "flow", name) for name in ("taken", "queued")]
        await gate.until(1)
        await other.take_over(taken.run_id)
        await gate.until(3)
        assert sorted(gate.came) == ["queued", "taken", "taken"]
        gate.let_out(3)
        assert (await queued.wait(SOON)).status == "success"
