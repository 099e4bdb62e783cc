"""Whatever a workflow is made of, a run of it comes to what plain recursion says."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from engine import Engine, Run
from engine.verify import verify
from tests.properties import building
from tests.properties.building import Book
from tests.properties.oracle import Expected
from tests.properties.trees import Flow

STATUS_EVENTS = {
    "run.created": "pending",
    "run.started": "running",
    "run.suspended": "suspended",
    "run.resumed": "running",
    "run.waiting": "waiting",
    "run.succeeded": "success",
    "run.failed": "failed",
    "run.canceled": "canceled",
}


async def _log_faults(run: Run) -> list[str]:
    """What is wrong with the numbers of a run's events, and with its statuses."""
    events = [event async for event in run.events(follow=False)]
    found = [] if [event.seq for event in events] == list(range(1, len(events) + 1)) else ["seq has holes"]
    passed = [STATUS_EVENTS[event.type] for event in events if event.type in STATUS_EVENTS]
    found += [f"{one} is said twice in a row" for one, next in itertools.pairwise(passed) if one == next]
    ended = [event.type for event in events if event.type in ("run.succeeded", "run.failed", "run.canceled")]
    return found + ([] if len(ended) == 1 and events[-1].type == ended[0] else [f"it ends with {ended}"])


def _call_faults(book: Book, expected: Expected, attempts: dict[str, int]) -> list[str]:
    """Calls of steps that are too many, too few, or with another input."""
    world, counts = expected.world, book.counts("r")
    found = [f"{path} called {n} times, attempts {attempts[path]}" for path, n in counts.items() if n > attempts[path]]
    certain = {path: n for path, n in counts.items() if building.is_certain(path, expected)}
    wanted = {path: n for path, n in world.calls.items() if building.is_certain(path, expected)}
    if certain != wanted:
        more, less = certain.items() - wanted.items(), wanted.items() - certain.items()
        found.append(f"calls: {sorted(more)}, not {sorted(less)}")
    for path, attempt, given in book.of("r"):
        if path in wanted and given != building.trees.plain(world.inputs[path]):
            found.append(f"{path} got {given} in attempt {attempt}")
    return found


async def _check(tree: Flow, expected: Expected, tmp_path: Path, kind: str) -> list[str]:
    with building.fresh(tmp_path) as folder:
        return await _run(tree, expected, folder / "runs.db", kind)


async def _run(tree: Flow, expected: Expected, file: Path, kind: str) -> list[str]:
    book = Book()
    store = ":memory:" if kind == "memory" else f"sqlite:///{file}"
    workflow = building.build(tree, book)
    rng = random.Random(len(str(tree)))
    async with Engine([workflow], store=store) as engine:
        run = await building.start(engine, tree)
        result = await building.answer_all(engine, "r", rng)
        found = building.differences(result, expected)
        found += await _log_faults(run)
    found += _call_faults(book, expected, {path: record.attempts for path, record in result.steps.items()})
    if kind == "sqlite":
        found += verify(file)
    return found


CHUNK = 20
"""Seeds a test: enough that making it costs nothing, few enough to share them among workers."""


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("chunk", range(0, len(building.seeds(300)), CHUNK))
async def test_a_run_comes_to_what_plain_recursion_says(chunk: int, kind: str, tmp_path: Path) -> None:
    """Status, result, error, state, each step's status, input, output and calls; whole events; a clean store."""
    for seed in range(chunk, min(chunk + CHUNK, len(building.seeds(300)))):
        await building.hold(seed, lambda tree, expected: _check(tree, expected, tmp_path, kind))
