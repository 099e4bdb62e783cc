"""How many runs there are of each status, and how many questions are open: what every store says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from engine import create_workflow
from engine.events import Fact
from engine.store import Store
from engine.stores.sqlite.tables import MIGRATIONS, bring_up_to_date, connect
from tests.conformance.stores import STORES, add, facts, opened, suspended
from tests.fixtures import OpenEngine, launch
from tests.fixtures import add as adds


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as one:
        yield one


async def test_runs_are_counted_by_status_and_by_workflow(store: Store) -> None:
    assert (await store.counts(None), await store.counts("weather")) == ({}, {})
    await add(store, "r1", Fact("run.started"))
    await add(store, "r2", Fact("run.started"), Fact("run.succeeded"))
    await add(store, "r3", Fact("run.started"), workflow="other")
    assert await store.counts(None) == {"running": 2, "success": 1}
    assert await store.counts("weather") == {"running": 1, "success": 1}
    assert await store.counts("other") == {"running": 1}
    await store.append("r1", facts(Fact("run.failed"), after=2), epoch=1)
    assert await store.counts(None) == {"failed": 1, "running": 1, "success": 1}


async def test_a_run_that_is_removed_is_not_counted(store: Store) -> None:
    for name in ("r1", "r2", "r3"):
        await add(store, name, Fact("run.started"), Fact("run.succeeded"))
    await store.delete("r1")
    assert await store.counts(None) == {"success": 2}
    assert await store.prune(before=datetime.now(UTC), status=[]) == 2
    assert await store.counts(None) == {}


async def test_open_questions_are_counted(store: Store) -> None:
    assert await store.open_questions(None) == 0
    await add(store, "r1", Fact("run.started"), suspended("a", "t1"), suspended("b", "t2"))
    await add(store, "r2", Fact("run.started"), suspended("a", "t3"), workflow="other")
    assert [await store.open_questions(which) for which in (None, "weather", "other", "none")] == [3, 2, 1, 0]
    await store.append("r1", facts(Fact("step.resumed", "a", data={"token": "t1"}), after=4), epoch=1)
    assert [await store.open_questions(which) for which in (None, "weather")] == [2, 1]


async def test_an_engine_counts_its_runs(open_engine: OpenEngine) -> None:
    workflow = create_workflow(id="count").then(adds("one"))
    engine = await open_engine(workflow)
    await launch(engine, workflow, {"n": 1})
    await engine.create_run(workflow)
    assert await engine.counts() == await engine.counts("count") == {"pending": 1, "success": 1}
    assert (await engine.counts("other"), await engine.open_questions()) == ({}, 0)


def test_a_file_from_before_there_were_counts_gets_them(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    old = apsw.Connection(str(path))
    old.execute(MIGRATIONS[0])
    old.execute("PRAGMA user_version=1")
    old.execute(f"PRAGMA application_id={0x41474E54}")
    for name, status in (("a", "success"), ("b", "success"), ("c", "failed")):
        query = "INSERT INTO runs (run_id, workflow_id, status, created_at, changed_at) VALUES (?, 'w', ?, 0, 0)"
        old.execute(query, (name, status))
    old.close()
    connection = connect(path)
    bring_up_to_date(connection, path)
    assert connection.execute("SELECT * FROM counts").fetchall() == [("w", "failed", 1), ("w", "success", 2)]
    connection.close()
