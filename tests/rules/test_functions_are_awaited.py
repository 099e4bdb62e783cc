"""A function of a definition that is awaited is called like a step: after the commit, beside others, within reach."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import StepContext, Workflow, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines


class Gate:
    """A function that says it has been called, and waits."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.open = asyncio.Event()
        self.was_cancelled = False

    async def wait(self) -> None:
        self.called.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


def flows(gate: Gate) -> dict[str, Workflow[Any, Any]]:
    """One workflow for each kind of function, all after a step ``first``."""

    async def same(data: Any) -> Any:
        await gate.wait()
        return data

    async def yes(_: Any) -> bool:
        await gate.wait()
        return True

    async def nothing(_: Any) -> float:
        await gate.wait()
        return 0.0

    async def one(_: Any) -> int:
        await gate.wait()
        return 1

    start = create_workflow(id="flow").then(add("first"))
    return {
        "map": start.map(same),
        "branch": start.branch([(yes, add("arm"))]),
        "loop": start.do_until(add("body"), yes),
        "sleep": start.sleep(nothing),
        "foreach": start.map(lambda data: [data]).foreach(add("item"), concurrency=one),
    }


KINDS = ["map", "branch", "loop", "sleep", "foreach"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_led_to_a_function_is_stored_before_it_is_called(open_engine: OpenEngine, kind: str) -> None:
    gate = Gate()
    engine = await open_engine(flows(gate)[kind])
    run = await engine.create_run("flow")
    await run.start_soon({"n": 0})
    await gate.called.wait()
    assert "step.succeeded first" in await lines(run)
    gate.open.set()
    assert (await run.wait()).status == "success"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancel_reaches_a_function(open_engine: OpenEngine, kind: str) -> None:
    gate = Gate()
    engine = await open_engine(flows(gate)[kind])
    run = await engine.create_run("flow")
    await run.start_soon({"n": 0})
    await gate.called.wait()
    assert await run.cancel() is True
    assert gate.was_cancelled
    assert (await lines(run))[-1] == "run.canceled"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_function_that_was_cut_is_called_again(sqlite_url: str, kind: str) -> None:
    """Closing the engine interrupts it; the next engine asks it again."""
    from engine import Engine  # noqa: PLC0415

    gate = Gate()
    async with Engine([flows(gate)[kind]], store=sqlite_url) as engine:
        run = await engine.create_run("flow")
        await run.start_soon({"n": 0})
        await gate.called.wait()
    again = Gate()
    again.open.set()
    async with Engine([flows(again)[kind]], store=sqlite_url) as engine:
        result = await (await engine.get_run(run.run_id)).wait(5)
    assert again.called.is_set()
    assert result.status == "success"


async def test_an_arm_does_not_wait_for_the_function_of_another(open_engine: OpenEngine) -> None:
    gate = Gate()
    done = asyncio.Event()

    async def quick(data: Any) -> Any:
        done.set()
        return data

    slow = flows(gate)["map"]
    flow = create_workflow(id="both").parallel([slow, create_step(id="quick", execute=quick)])
    engine = await open_engine(flow)
    run = await engine.create_run("both")
    await run.start_soon({"n": 0})
    await asyncio.wait_for(done.wait(), 5)
    gate.open.set()
    assert (await run.wait()).status == "success"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_is_running_while_a_function_is_awaited(open_engine: OpenEngine, kind: str) -> None:
    """Although the arm beside it waits for a person."""
    gate = Gate()

    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask({"sure": True})

    flow = create_workflow(id="both").parallel([flows(gate)[kind], create_step(id="approve", execute=approve)])
    engine = await open_engine(flow)
    run = await engine.create_run("both")
    await run.start_soon({"n": 0})
    await asyncio.wait_for(gate.called.wait(), 5)
    async for event in run.events():
        if event.type == "step.suspended":
            break

    assert (await run.result()).status == "running"
    gate.open.set()
    assert (await run.wait(5)).status == "suspended"
    assert (await run.resume("yes")).status == "success"
    told = [line for line in await lines(run) if line.startswith("run.")]
    assert told == ["run.created", "run.started", "run.suspended", "run.resumed", "run.succeeded"]


async def test_a_loop_of_maps_lets_others_run(open_engine: OpenEngine) -> None:
    """Nothing in it waits, and yet it can be cancelled."""
    body = create_workflow(id="body").map(lambda data: {"n": data["n"] + 1})
    engine = await open_engine(create_workflow(id="flow").do_while(body, lambda _: True))
    run = await engine.create_run("flow")
    await run.start_soon({"n": 0})
    assert await run.cancel() is True
    assert (await launch(engine, "flow", {"n": 0}, paused=True)).run_id
