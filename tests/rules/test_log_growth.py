"""Bytes written grow with the data produced, never with the square of the number of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from engine import Engine, StepContext, Workflow, create_step, create_workflow
from engine.verify import verify
from tests.fixtures import add

FEW, MANY = 100, 1000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where stores are; all are sound at the end."""
    yield tmp_path
    for database in tmp_path.glob("*.db"):
        assert verify(database) == []


def _size(database: Path) -> int:
    """Bytes of the store's files once it is closed: the log has been moved into the database then."""
    return sum(file.stat().st_size for file in database.parent.glob(f"{database.name}*") if file.is_file())


async def _grown(folder: Path, workflow: Workflow[Any, Any], input: Any) -> int:
    """By how many bytes one run of a workflow makes an empty store grow."""
    database = folder / f"{uuid4().hex}.db"
    async with Engine([workflow], store=f"sqlite:///{database}"):
        pass
    empty = _size(database)
    async with Engine([workflow], store=f"sqlite:///{database}") as engine:
        (await (await engine.create_run(workflow)).start(input)).unwrap()
    return _size(database) - empty


def _sequence(steps: int) -> tuple[Workflow[Any, Any], Any]:
    workflow = create_workflow(id="w")
    for number in range(steps):
        workflow = workflow.then(add(f"s{number}"))
    return workflow, {"n": 0}


def _loop(steps: int) -> tuple[Workflow[Any, Any], Any]:
    return create_workflow(id="w").do_while(add("body"), f"n < {steps}"), {"n": 0}


def _foreach(steps: int) -> tuple[Workflow[Any, Any], Any]:
    return create_workflow(id="w").foreach(add("item"), concurrency=10), [{"n": n} for n in range(steps)]


def _nested(steps: int) -> tuple[Workflow[Any, Any], Any]:
    inner = create_workflow(id="inner").then(add("x"))
    return create_workflow(id="w").do_while(inner, f"n < {steps}"), {"n": 0}


def _state(steps: int) -> tuple[Workflow[Any, Any], Any]:
    async def write(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(last=data["n"])
        return {"n": data["n"] + 1}

    return create_workflow(id="w").do_while(create_step(id="body", execute=write), f"n < {steps}"), {"n": 0}


@pytest.mark.parametrize("shape", [_sequence, _loop, _foreach, _nested, _state])
async def test_bytes_per_step_are_flat(folder: Path, shape: Callable[[int], tuple[Workflow[Any, Any], Any]]) -> None:
    few, many = [await _grown(folder, *shape(steps)) / steps for steps in (FEW, MANY)]
    # Pages of 4 KiB round the small number up; the definition of a longer sequence is data, too.
    assert many < few * 1.3
    assert many < 1024


async def test_a_list_that_grows_is_written_as_it_is_and_no_more(folder: Path) -> None:
    """The agent-like loop: each round's output is the whole history. What is written is what the steps give, once."""

    async def remember(data: Any) -> Any:
        return {"n": data["n"] + 1, "history": [*data["history"], "x" * 500]}

    rounds = 60
    produced = sum(500 * length for length in range(1, rounds + 1))
    workflow = create_workflow(id="w").do_while(create_step(id="body", execute=remember), f"n < {rounds}")
    assert await _grown(folder, workflow, {"n": 0, "history": []}) < 1.3 * produced


async def test_bytes_per_streamed_chunk_are_flat(folder: Path) -> None:
    def talk(chunks: int) -> Workflow[Any, Any]:
        async def execute(data: Any, ctx: StepContext) -> None:
            for number in range(chunks):
                await ctx.write(number)

        return create_workflow(id="w").then(create_step(id="talk", execute=execute))

    few, many = [await _grown(folder, talk(chunks), None) / chunks for chunks in (200, 4000)]
    assert many < few * 1.3
    assert many < 200


async def test_two_runs_take_twice_the_bytes_of_one(folder: Path) -> None:
    workflow, input = _loop(300)
    database = folder / "twice.db"
    sizes = []
    for _ in range(3):
        async with Engine([workflow], store=f"sqlite:///{database}") as engine:
            await (await engine.create_run(workflow)).start(input)
        sizes.append(_size(database))
    first, second = sizes[1] - sizes[0], sizes[2] - sizes[1]
    assert second < 1.2 * first
