"""Some of a run's events: by type, by step, and between two numbers, from either end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine import UnknownRun, create_workflow
from engine.events import Fact
from engine.store import EventFilter, Store
from tests.conformance.stores import STORES, add, facts, opened
from tests.fixtures import OpenEngine, launch
from tests.fixtures import add as adds


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as one:
        yield one


async def found(store: Store, *, limit: int = 100, newest: bool = False, **where: Any) -> list[int]:
    return [fact.seq for fact in await store.find("r1", EventFilter(**where), limit=limit, newest=newest)]


def some(after: int) -> list[Fact]:
    """Of blocks, of steps in them, and of steps that only begin alike."""
    paths = ("loop", "loop[0]/a", "loop/a", "loops", "loo", "l%p", None, "LOOP")
    return facts(*(Fact("log" if path == "loo" else "step.started", path) for path in paths), after=after)


@pytest.mark.parametrize("is_written", [True, False])
async def test_they_are_found_whether_they_are_written_or_about_to_be(store: Store, *, is_written: bool) -> None:
    """2 to 9; a path counts with what is inside it, letter by letter. The store may still hold some back."""
    await add(store)
    if is_written:
        await store.append("r1", some(1), epoch=1, solo=True)
    else:
        await store.append("r1", some(1)[:3], epoch=1)
        await store.append("r1", some(1)[3:], epoch=1)
    assert await found(store) == list(range(1, 10))
    assert await found(store, path="loop") == [2, 3, 4]
    assert await found(store, path="l%p") == [7]
    assert await found(store, path="nowhere") == []
    assert await found(store, types=frozenset({"log", "run.created"})) == [1, 6]
    assert await found(store, types=frozenset({"step.started"}), path="loop", after=2) == [3, 4]
    assert await found(store, after=2, before=6) == [3, 4, 5]
    assert await found(store, before=0) == await found(store, after=99) == []
    assert await found(store, limit=2) == [1, 2]
    assert await found(store, limit=2, newest=True) == [8, 9]
    assert await found(store, limit=2, newest=True, path="loop") == [3, 4]
    assert await store.count_facts("r1", EventFilter()) == {"run.created": 1, "step.started": 7, "log": 1}
    assert await store.count_facts("r1", EventFilter(path="loop", after=2)) == {"step.started": 2}
    with pytest.raises(UnknownRun):
        await store.find("nobody", EventFilter(), limit=1)
    with pytest.raises(UnknownRun):
        await store.count_facts("nobody", EventFilter())


async def test_a_run_lists_its_events_with_their_data(open_engine: OpenEngine) -> None:
    """A payload that the log has only once is there, also if the event that it is in is not listed."""
    engine = await open_engine(create_workflow(id="w").then(adds("a")).then(adds("b")))
    run = await launch(engine, "w", {"n": 1})
    every = [event async for event in run.events(follow=False)]
    assert await run.list_events() == every
    ends = await run.list_events(types=["step.succeeded", "run.succeeded"], newest=True, limit=2)
    assert [(event.type, event.path, event.data) for event in ends] == [
        ("step.succeeded", "b", {"output": {"n": 3}}), ("run.succeeded", None, {"result": {"n": 3}})
    ]  # fmt: skip
    (begun,) = await run.list_events(types=["step.started"], path="b")
    assert begun == every[begun.seq - 1]
    assert begun.data == {"input": {"n": 2}}
    with pytest.raises(ValueError, match=r"list_events\(limit=0\): at least 1"):
        await run.list_events(limit=0)
    assert await run.count_events(path="b") == {"step.started": 1, "step.succeeded": 1}
