"""Lists over very many runs: every query of a page walks an index in the order of the page, so that it reads no more
than it shows, and sorts nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import Engine, StepContext, create_workflow, step
from engine.store import RunFilter
from engine.stores.sqlite import lists
from engine.stores.sqlite.tables import connect
from tests.fixtures import add

AT = datetime(2026, 1, 31, tzinfo=UTC)
FILTERS = {
    "all": RunFilter(),
    "a status": RunFilter(status=("failed",)),
    "two statuses": RunFilter(status=("failed", "success")),
    "a workflow": RunFilter(workflow="good"),
    "a workflow and a status": RunFilter(workflow="good", status=("success",)),
    "a tag": RunFilter(tag="t"),
    "a tag and a status": RunFilter(tag="t", status=("success",)),
    "a resource": RunFilter(resource_id="r"),
    "since": RunFilter(since=AT),
    "until": RunFilter(until=AT),
    "between, of a status": RunFilter(since=AT, until=AT, status=("failed",)),
    "a text": RunFilter(text="x"),
    "a text of a workflow": RunFilter(text="x", workflow="good"),
}


class Explained:
    """A cursor that keeps the plan of each query that is asked."""

    def __init__(self, cursor: apsw.Cursor) -> None:
        self._cursor = cursor
        self.plans: list[str] = []

    def execute(self, query: str, values: Any = ()) -> Any:
        for row in self._cursor.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall():
            self.plans.append(str(row[-1]))
        return self._cursor.execute(query, values)


@step
async def ask(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask("Go on?")


@pytest.fixture
async def cursor(tmp_path: Path) -> Explained:
    good, asks = create_workflow(id="good").then(add("a")), create_workflow(id="asks").then(ask)
    async with Engine([good, asks], store=f"sqlite:///{tmp_path / 'runs.db'}") as engine:
        for id in ("good", "asks"):
            run = await engine.create_run(id, tags=["t"], resource_id="r")
            await run.start({"n": 1})
    return Explained(connect(tmp_path / "runs.db").cursor())


def whole_tables(plans: list[str]) -> list[str]:
    """Parts of plans that read a table from end to end, or sort."""
    return [one for one in plans if re.match(r"SCAN (?!counts)\w+$", one) or "FOR ORDER BY" in one]


@pytest.mark.parametrize("name", FILTERS)
async def test_a_page_of_runs_reads_along_an_index(cursor: Explained, name: str) -> None:
    lists.runs(cursor, FILTERS[name], limit=50, after=None)
    lists.runs(cursor, FILTERS[name], limit=50, after="1")
    assert whole_tables(cursor.plans) == []


async def test_so_do_questions_and_their_numbers(cursor: Explained) -> None:
    for workflow in (None, "asks"):
        lists.suspensions(cursor, run_id=None, workflow=workflow, limit=20, after="1")
        lists.open_questions(cursor, workflow)
    assert whole_tables(cursor.plans) == []


async def test_times_that_go_back_are_found_all_the_same(tmp_path: Path) -> None:
    """Runs are in the order in which they were written; somebody set the clock back between them."""
    times = [100.0, 300.0, 50.0, 200.0, 250.0, 60.0, 400.0, 40.0]
    flow = create_workflow(id="w").then(add("a"))
    async with Engine([flow], store=f"sqlite:///{tmp_path / 'runs.db'}") as engine:
        for number in range(len(times)):
            await engine.create_run("w", run_id=str(number))
    connection = connect(tmp_path / "runs.db")
    for number, at in enumerate(times):
        connection.execute("UPDATE runs SET created_at = ? WHERE run_id = ?", (at, str(number)))
    for since in (0, 45, 55, 150, 260, 500):
        for until in (0, 45, 55, 150, 260, 500):
            where = RunFilter(since=datetime.fromtimestamp(since, UTC), until=datetime.fromtimestamp(until, UTC))
            found = [int(row.run_id) for row in lists.runs(connection.cursor(), where, limit=50, after=None).items]
            assert found == [n for n in reversed(range(len(times))) if since <= times[n] < until], (since, until)
    connection.close()
