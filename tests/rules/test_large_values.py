"""A value is stored once, however many steps and runs it passes through; whoever reads gets it whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Step, StepContext, create_step, create_workflow, from_step
from engine.verify import verify
from tests.fixtures import OpenEngine

BIG = {"text": "lorem ipsum " * 50_000}
SIZE = len(BIG["text"])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A store that is sound at the end."""
    path = tmp_path / "runs.db"
    yield path
    assert verify(path) == []


def _same(id: str) -> Step[Any, Any]:
    async def execute(data: Any) -> Any:
        return data

    return create_step(id=id, execute=execute)


def _looks(id: str) -> Step[Any, Any]:
    async def execute(data: Any, ctx: StepContext) -> Any:
        return {"length": len(data["text"])}

    return create_step(id=id, execute=execute)


def _bytes(database: Path) -> int:
    return sum(file.stat().st_size for file in database.parent.glob("runs.db*") if file.is_file())


async def _run(database: Path, workflow: Any, input: Any, *, times: int = 1) -> list[Any]:
    results = []
    async with Engine([workflow], store=f"sqlite:///{database}") as engine:
        for _ in range(times):
            run = await engine.create_run(workflow)
            results.append((await run.start(input)).unwrap())
    return results


async def test_ten_steps_that_pass_a_value_on_store_it_once(database: Path) -> None:
    workflow = create_workflow(id="w")
    for number in range(10):
        workflow = workflow.then(_same(f"s{number}"))
    assert await _run(database, workflow, BIG) == [BIG]
    assert _bytes(database) < 1.5 * SIZE


async def test_ten_runs_of_the_same_input_store_it_once(database: Path) -> None:
    assert await _run(database, create_workflow(id="w").then(_looks("look")), BIG, times=10) == [{"length": SIZE}] * 10
    assert _bytes(database) < 1.5 * SIZE


async def test_arms_that_all_get_a_value_store_it_once(database: Path) -> None:
    arms = [_looks(f"arm{number}") for number in range(10)]
    workflow = create_workflow(id="w").then(_same("a")).parallel(arms).map(from_step("arm9"))
    assert await _run(database, workflow, BIG) == [{"length": SIZE}]
    assert _bytes(database) < 1.5 * SIZE


async def test_a_list_and_its_items_are_stored_once(database: Path) -> None:
    """A foreach gets a list, gives each item to a step, and makes a list of what they give."""
    items = [{"text": f"{number} " * 10_000} for number in range(20)]
    total = sum(len(item["text"]) for item in items)
    workflow = create_workflow(id="w").foreach(_same("item"), concurrency=5).then(_same("z"))
    assert await _run(database, workflow, items) == [items]
    # The list as it came, the items as the steps gave them (the same bytes), and nothing more.
    assert _bytes(database) < 2.5 * total


async def test_every_reader_gets_the_whole_value(database: Path) -> None:
    workflow = create_workflow(id="w").then(_same("a")).then(_same("b")).then(_looks("c"))
    async with Engine([workflow], store=f"sqlite:///{database}") as engine:
        run = await engine.create_run("w", run_id="r")
        await run.start(BIG)
    async with Engine([workflow], store=f"sqlite:///{database}") as engine:
        run = await engine.get_run("r")
        result = await run.result()
        events = [event async for event in run.events(follow=False)]
        after = [event async for event in run.events(after=4, follow=False)]
    assert (result.input, result.steps["a"].output, result.steps["c"].input) == (BIG, BIG, BIG)
    shown = [(event.type, event.path, value) for event in events for value in event.data.values() if value == BIG]
    assert [(kind, path) for kind, path, _ in shown] == [
        ("run.started", None),
        ("step.started", "a"),
        ("step.succeeded", "a"),
        ("step.started", "b"),
        ("step.succeeded", "b"),
        ("step.started", "c"),
    ]
    assert after == events[4:]


async def test_a_large_value_goes_with_the_last_run_that_has_it(database: Path) -> None:
    workflow = create_workflow(id="w").then(_looks("look"))
    async with Engine([workflow], store=f"sqlite:///{database}") as engine:
        runs = [await engine.create_run("w") for _ in range(2)]
        for run in runs:
            await run.start(BIG)
        await engine.delete_run(runs[0].run_id)
        assert (await runs[1].result()).input == BIG
        await engine.delete_run(runs[1].run_id)
        await (await engine.create_run("w")).start({"text": "small"})


async def test_a_step_that_changes_its_input_changes_nobody_elses(database: Path) -> None:
    async def spoil(data: Any) -> Any:
        data["text"] = "spoiled"
        return data

    arms = [create_step(id=f"arm{number}", execute=spoil) for number in range(2)]
    workflow = create_workflow(id="w").then(_same("a")).parallel([*arms, _looks("look")]).map(from_step("look"))
    async with Engine([workflow], store=f"sqlite:///{database}") as engine:
        run = await engine.create_run("w")
        result = await run.start(BIG)
    assert (result.result, result.input, result.steps["a"].output) == ({"length": SIZE}, BIG, BIG)
    assert result.steps["arm0"].output == {"text": "spoiled"}


async def test_others_have_a_turn_before_a_large_value_is_written_and_read(open_engine: OpenEngine) -> None:
    """Encoding, writing and reading it are three pieces of work for the event loop, not one."""
    order: list[str] = []
    others: list[asyncio.Task[None]] = []

    async def other() -> None:
        await asyncio.sleep(1e-6)
        order.append("somebody else")

    async def make(data: Any) -> Any:
        others.append(asyncio.create_task(other()))
        await asyncio.sleep(0)
        order.append("made")
        return data * 4

    async def read(data: Any) -> int:
        order.append("read")
        return len(data)

    steps = [create_step(id=function.__name__, execute=function) for function in (make, read)]
    engine = await open_engine(create_workflow(id="w").then(steps[0]).then(steps[1]))
    result = await (await engine.create_run("w")).start(BIG["text"])
    assert (result.result, order) == (4 * SIZE, ["made", "somebody else", "read"])
