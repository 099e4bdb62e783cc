"""Runs beside each other: ids, places, owners, and what each sees of the shared state."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from pydantic import BaseModel, ConfigDict

from engine import (
    Engine,
    RunExists,
    StepContext,
    UnknownStep,
    Workflow,
    create_step,
    create_workflow,
    live,
)
from engine.stores.sqlite import SqliteStore
from tests.fixtures import OpenEngine, add, launch, lines
from tests.rules.process import Life

SOON = 5.0


class Gates:
    """Steps that count their runs and wait to be let go, by run."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.at_once = 0
        self.most = 0
        self._gates: dict[str, asyncio.Event] = {}

    def of(self, run_id: str) -> asyncio.Event:
        return self._gates.setdefault(run_id, asyncio.Event())

    def step(self, id: str = "a") -> Any:
        async def execute(data: Any, ctx: StepContext) -> Any:
            self.calls[ctx.run_id] += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            await self.of(ctx.run_id).wait()
            self.at_once -= 1
            return data

        return create_step(id=id, execute=execute)


async def _until(engine: Engine, condition: Any) -> None:
    """Look again whenever any run has written something."""
    with engine.bus.listen("") as listener:
        async with asyncio.timeout(SOON):
            while not condition():
                await listener.wait(0.01)


async def test_a_taken_id_leaves_the_live_run_alone(open_engine: OpenEngine) -> None:
    gates = Gates()
    engine = await open_engine(create_workflow(id="w").then(gates.step()).commit())
    run = await engine.create_run("w", run_id="order-1")
    await run.start_soon(1)
    with pytest.raises(RunExists, match="'order-1' exists already"):
        await engine.create_run("w", run_id="order-1")
    await run.pause()  # still the one that lives here
    await run.proceed()
    gates.of("order-1").set()
    async with asyncio.timeout(SOON):
        assert (await run.wait()).status == "success"
    assert gates.calls == {"order-1": 1}
    assert "run.recovered" not in await lines(run)


async def test_a_run_that_waits_for_its_place_is_not_put_out_of_memory(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "IDLE_RUNS", 2)
    gates = Gates()
    engine = await open_engine(create_workflow(id="w").then(gates.step()).commit(), max_running=1)
    runs = [await engine.create_run("w", run_id=f"r{n}") for n in range(3)]
    for run in runs:
        await run.start_soon(1)
    for _ in range(10):
        await engine.create_run("w")
    assert [engine.live(run.run_id) is not None for run in runs] == [True, True, True]
    for run in runs:
        gates.of(run.run_id).set()
    assert [(await run.wait(SOON)).status for run in runs] == ["success"] * 3
    assert (gates.most, gates.calls) == (1, {"r0": 1, "r1": 1, "r2": 1})


async def test_a_run_that_begins_to_wait_gives_its_place_to_the_next_in_order(open_engine: OpenEngine) -> None:
    gates = Gates()
    waiting = create_workflow(id="waiting").then(gates.step()).wait_for_event("go").commit()
    plain = create_workflow(id="plain").then(gates.step()).commit()
    engine = await open_engine(waiting, plain, max_running=1)
    first = await engine.create_run("waiting", run_id="first")
    second, third = [await engine.create_run("plain", run_id=id) for id in ("second", "third")]
    for run in (first, second, third):
        await run.start_soon(1)
    gates.of("first").set()
    await _until(engine, lambda: gates.calls["second"])
    assert [await run.status() for run in (first, second, third)] == ["waiting", "running", "pending"]
    fourth = await engine.create_run("plain", run_id="fourth")
    await fourth.start_soon(1)
    gates.of("second").set()
    await _until(engine, lambda: gates.calls["third"])
    assert gates.calls["fourth"] == 0  # whoever came first
    for run in (third, fourth):
        gates.of(run.run_id).set()
        assert (await run.wait(SOON)).status == "success"


async def test_breakpoints_that_were_set_before_the_start_hold_the_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")).commit())
    run = await engine.create_run("w")
    await run.set_breakpoints(["b"])
    result = await run.start({"n": 0})
    assert (result.status, result.steps["a"].status, result.steps["b"].status) == ("paused", "success", "held")
    other = await engine.create_run("w")
    await other.set_breakpoints(["b"])
    result = await other.start({"n": 0}, breakpoints=["a"])  # those of the start replace them
    assert result.steps["a"].status == "held"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("a", "breakpoints='a': give a list of paths"),
        (5, "breakpoints=5: give a list of paths"),
        ([5], "breakpoint 5: give a step's path"),
        ([{"where": "a"}], "breakpoint {'where': 'a'}: give a step's path, a Breakpoint, or a dict of path, when"),
        ([{"path": 5}], "give a step's path"),
        ([{"path": "a", "when": "later"}], "when='later'; use 'before' or 'after'"),
    ],
)
async def test_what_is_no_breakpoint_is_told(open_engine: OpenEngine, wrong: Any, message: str) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).commit())
    run = await engine.create_run("w")
    for call in (run.set_breakpoints, lambda given: run.start({"n": 0}, breakpoints=given)):
        with pytest.raises(ValueError, match=re.escape(message)):
            await call(wrong)
    with pytest.raises(UnknownStep):
        await run.set_breakpoints(["nowhere"])
    assert (await run.start({"n": 0})).status == "success"


class Outer(BaseModel):
    """The state of a workflow that knows its keys."""

    model_config = ConfigDict(extra="forbid")
    a: int = 0


class Inner(BaseModel):
    """The state of a workflow inside it."""

    b: int = 0


async def test_a_step_sees_the_keys_of_its_own_state_schema_only(open_engine: OpenEngine) -> None:
    async def inside(data: int, ctx: StepContext) -> int:
        ctx.set_state(b=5)
        return data

    async def outside(data: int, ctx: StepContext) -> dict[str, int]:
        return dict(ctx.state)

    child = create_workflow(id="child", state_schema=Inner).then(create_step(id="inside", execute=inside))
    workflow = create_workflow(id="w", state_schema=Outer).then(child)
    engine = await open_engine(workflow.then(create_step(id="outside", execute=outside)).commit())
    result = await (await launch(engine, "w", 0)).result()
    assert (result.status, result.result, result.state) == ("success", {"a": 0}, {"a": 0, "b": 5})


async def test_what_a_step_wrote_is_taken_back_when_its_question_expires(open_engine: OpenEngine) -> None:
    async def ask(data: int, ctx: StepContext) -> None:
        ctx.set_state(draft="unsent")
        await ctx.suspend("?", expires_in=0.02)

    async def fix(data: Any, ctx: StepContext) -> Any:
        return ctx.state

    step = create_step(id="ask", execute=ask)
    engine = await open_engine(create_workflow(id="w").then(step, catch=create_step(id="fix", execute=fix)).commit())
    run = await launch(engine, "w", 0)
    async for event in run.events():
        if event.type == "run.succeeded":
            break
    result = await run.result()
    assert (result.status, result.result, result.state) == ("success", {}, {})


@contextmanager
def _hosted(*workflows: Workflow[Any, Any], store: str) -> Iterator[Engine]:
    """An engine that lives on the event loop of another thread."""
    loop = asyncio.new_event_loop()
    engine = Engine(workflows, store=store)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(engine.open(), loop).result(SOON)
    try:
        yield engine
    finally:
        asyncio.run_coroutine_threadsafe(engine.close(), loop).result(SOON)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SOON)
        loop.close()


async def test_a_result_that_is_read_from_another_loop_is_that_of_one_moment(store_url: str) -> None:
    async def quick(data: int) -> int:
        await asyncio.sleep(0)
        return data

    workflow = create_workflow(id="w").foreach(create_step(id="a", execute=quick), concurrency=4).commit()
    with _hosted(workflow, store=store_url) as engine:
        run = await engine.create_run("w")
        await run.start_soon(list(range(300)))
        seen = []
        while not seen or seen[-1][0] == "running":
            result = await run.result()
            seen.append((result.status, sum(step.status == "success" for step in result.steps.values())))
            await asyncio.sleep(0)
        assert seen[-1] == ("success", 301)
        assert [done for _, done in seen] == sorted(done for _, done in seen)


class ShakyStore(SqliteStore):
    """A store whose disk is in trouble at the first look for what others wrote."""

    looks = 0

    def changed(self) -> bool:
        """The first time, it can't tell."""
        self.looks += 1
        if self.looks == 1:
            raise apsw.IOError("disk I/O error")
        return super().changed()


async def test_serving_other_processes_survives_a_disk_in_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One look at the store that fails is logged, and the next one comes."""
    workflow = create_workflow(id="w").wait_for_event("go").commit()
    store = ShakyStore(tmp_path / "runs.db")
    async with Engine([workflow], store=store) as owner, Engine([workflow], store=f"sqlite:///{store._path}") as other:
        run = await owner.create_run("w")
        await run.start_soon(1)
        await (await other.get_run(run.run_id)).cancel("enough")
        assert (await run.wait(SOON)).status == "canceled"
    assert "disk I/O error" in caplog.text


async def test_the_dead_to_whom_nothing_open_belongs_are_forgotten(life: Life) -> None:
    """Each left a run behind that has ended."""
    for n in range(2):
        child = await life.spawn()
        await child.run("sequence", {"n": 0}, run_id=f"r{n}")
        await child.send("wait", f"r{n}")
        await child.kill()
    async with life.engine() as engine:
        assert isinstance(engine.store, SqliteStore)
        folder = engine.store._path.with_name(engine.store._path.name + ".owners")
        assert len(list(folder.iterdir())) == 1
        assert [await (await engine.get_run(f"r{n}")).status() for n in range(2)] == ["success"] * 2
