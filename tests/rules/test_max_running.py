"""How much runs at once: ``max_running``, ``threads``, ``recover``."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from engine import Engine, Run, Step, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch


class Gate:
    """A step that notes who comes in and lets one out at a time."""

    def __init__(self) -> None:
        self.came: list[Any] = []
        self.most = 0
        self._inside = 0
        self._out = asyncio.Semaphore(0)
        self._in = asyncio.Condition()

    @property
    def step(self) -> Step[Any, Any]:
        async def execute(data: Any) -> Any:
            async with self._in:
                self.came.append(data)
                self._in.notify_all()
            self._inside += 1
            self.most = max(self.most, self._inside)
            try:
                await self._out.acquire()
            finally:
                self._inside -= 1
            return data

        return create_step(id="gate", execute=execute)

    def let_out(self, count: int = 1) -> None:
        for _ in range(count):
            self._out.release()

    async def until(self, count: int) -> None:
        """Wait until so many have come."""
        async with self._in:
            await self._in.wait_for(lambda: len(self.came) >= count)


async def statuses_of(runs: list[Run]) -> list[str]:
    return [(await run.result()).status for run in runs]


async def test_over_it_runs_wait_as_pending_in_order(open_engine: OpenEngine) -> None:
    gate = Gate()
    engine = await open_engine(create_workflow(id="flow").then(gate.step), max_running=2)
    runs = [await engine.create_run("flow") for _ in range(5)]
    for number, run in enumerate(runs):
        await run.start_soon(number)
    await gate.until(2)
    assert await statuses_of(runs) == ["running"] * 2 + ["pending"] * 3
    for done in range(1, 4):
        gate.let_out()
        await gate.until(done + 2)
    assert gate.came == [0, 1, 2, 3, 4]
    gate.let_out(2)
    assert [(await run.wait()).result for run in runs] == [0, 1, 2, 3, 4]
    assert gate.most == 2


async def test_start_of_a_queued_run_returns_when_it_has_ended(open_engine: OpenEngine) -> None:
    gate = Gate()
    engine = await open_engine(create_workflow(id="flow").then(gate.step), max_running=1)
    started = [asyncio.create_task(launch(engine, "flow", number)) for number in range(3)]
    await gate.until(1)
    gate.let_out(3)
    runs = await asyncio.gather(*started)
    assert (await statuses_of(list(runs)), gate.most) == (["success"] * 3, 1)


async def test_a_suspended_run_takes_no_place(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?")

    engine = await open_engine(
        create_workflow(id="ask").then(create_step(id="a", execute=approve)),
        create_workflow(id="flow").then(add("a")),
        max_running=1,
    )
    asked = await launch(engine, "ask")
    assert (await (await launch(engine, "flow", {"n": 1})).result()).status == "success"
    assert (await asked.resume("yes")).status == "success"


async def test_a_suspension_lets_the_next_run_in(open_engine: OpenEngine) -> None:
    go_on = asyncio.Event()

    async def approve(data: Any, ctx: StepContext) -> Any:
        await go_on.wait()
        return await ctx.ask("Sure?")

    engine = await open_engine(
        create_workflow(id="ask").then(create_step(id="a", execute=approve)),
        create_workflow(id="flow").then(add("a")),
        max_running=1,
    )
    asked, queued = await engine.create_run("ask"), await engine.create_run("flow")
    await asked.start_soon()
    await queued.start_soon({"n": 1})
    assert (await queued.result()).status == "pending"
    go_on.set()
    assert (await queued.wait(5)).status == "success"
    assert (await asked.resume("yes")).status == "success"


async def test_a_queued_run_can_be_cancelled(open_engine: OpenEngine) -> None:
    gate = Gate()
    engine = await open_engine(create_workflow(id="flow").then(gate.step), max_running=1)
    runs = [await engine.create_run("flow") for _ in range(3)]
    for number, run in enumerate(runs):
        await run.start_soon(number)
    await gate.until(1)
    assert await runs[1].cancel() is True
    gate.let_out(2)
    assert [(await run.wait()).status for run in runs] == ["success", "canceled", "success"]
    assert gate.came == [0, 2]


async def test_a_failed_run_frees_its_place(open_engine: OpenEngine) -> None:
    async def bad(data: Any) -> None:
        raise ValueError("no")

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=bad)), max_running=1)
    runs = [await engine.create_run("flow") for _ in range(4)]
    await asyncio.gather(*(run.start() for run in runs))
    assert await statuses_of(runs) == ["failed"] * 4


async def test_queued_runs_are_kept_over_a_restart(sqlite_url: str) -> None:
    gate = Gate()
    flow = create_workflow(id="flow").then(gate.step)
    async with Engine([flow], store=sqlite_url, max_running=1) as engine:
        runs = [await engine.create_run("flow") for _ in range(3)]
        for number, run in enumerate(runs):
            await run.start_soon(number)
        await gate.until(1)
    gate.let_out(3)
    async with Engine([flow], store=sqlite_url, max_running=1) as engine:
        found = [await (await engine.get_run(run.run_id)).wait(10) for run in runs]
    assert [result.result for result in found] == [0, 1, 2]
    assert (gate.most, gate.came[0], sorted(gate.came[1:])) == (1, 0, [0, 1, 2])


async def test_without_a_limit_all_run_at_once(open_engine: OpenEngine) -> None:
    gate = Gate()
    engine = await open_engine(create_workflow(id="flow").then(gate.step))
    runs = [await engine.create_run("flow") for _ in range(20)]
    for number, run in enumerate(runs):
        await run.start_soon(number)
    await gate.until(20)
    gate.let_out(20)
    assert [(await run.wait()).status for run in runs] == ["success"] * 20


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_limit_under_1_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="max_running"):
        Engine([], max_running=wrong)


async def test_threads_limits_how_many_plain_functions_run_at_once(open_engine: OpenEngine) -> None:
    lock = threading.Lock()
    inside, most = 0, 0
    two = threading.Barrier(2, timeout=5)

    def work(data: Any) -> Any:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        two.wait()
        with lock:
            inside -= 1
        two.wait()
        return data

    flow = create_workflow(id="flow").foreach(create_step(id="item", execute=work), concurrency=6)
    run = await launch(await open_engine(flow, threads=2), "flow", list(range(6)))
    assert ((await run.result()).result, most) == (list(range(6)), 2)


async def test_recover_false_starts_nothing_by_itself(sqlite_url: str) -> None:
    gate = Gate()
    flow = create_workflow(id="flow").then(gate.step)
    async with Engine([flow], store=sqlite_url) as engine:
        run = await engine.create_run("flow")
        await run.start_soon(1)
        await gate.until(1)
    async with Engine([flow], store=sqlite_url, recover=False) as engine:
        found = await engine.get_run(run.run_id)
        assert (await found.result()).status == "running"
        assert len([event async for event in found.events(follow=False)]) > 0
        await asyncio.sleep(0.02)
        assert gate.came == [1]
    gate.let_out()
    async with Engine([flow], store=sqlite_url) as engine:
        assert (await (await engine.get_run(run.run_id)).wait(10)).result == 1
