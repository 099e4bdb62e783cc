"""The studio that is measured: workflows of every size, and a file with very many runs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import Engine, Workflow
from engine.stores.sqlite.tables import MIGRATIONS, connect
from studio.loader import load
from tests.web.process import Studio

FLOWS = """
import asyncio
import time
from engine import StepContext, create_step, create_workflow, step
from studio.live import LIVE_PARTS

def stamp(moment):
    # When the last thing in a frame has happened, so that who gets it knows how old it is.
    return f"<!--at {moment.events[-1].at.timestamp()}-->" if moment.events else ""

LIVE_PARTS.append(stamp)

def passing(name):
    @step(id=name)
    async def go(data: object) -> object:
        return data
    return go

@step
async def ask(data: object, ctx: StepContext) -> object:
    return await ctx.ask("Go on?")

@step
async def break_(data: object) -> object:
    raise ValueError("it is broken")

@step
async def write(count: int, ctx: StepContext) -> None:
    for number in range(count):
        await ctx.write(number)

@step
async def talk(count: int, ctx: StepContext) -> None:
    for number in range(count):
        await ctx.write(number)
        await asyncio.sleep(0.01)

quick = create_workflow(id="quick").then(passing("a")).then(passing("b")).then(passing("c"))
wide = create_workflow(id="wide").then(passing("first")).parallel([passing(f"arm-{n}") for n in range(100)])
long = create_workflow(id="long")
for number in range(1000):
    long = long.then(passing(f"s{number}"))
writes = create_workflow(id="writes").then(write)
talks = create_workflow(id="talks").then(talk)
asks = create_workflow(id="asks").then(ask)
fails = create_workflow(id="fails").then(break_)
"""


@contextmanager
def site(folder: Path, *, store: Path | None = None) -> Iterator[Studio]:
    """A studio over the workflows, in a folder of its own."""
    studio = begin(folder, store=store)
    try:
        yield studio
    finally:
        studio.close()


def begin(folder: Path, *words: str, store: Path | None = None) -> Studio:
    """Start a studio as people do: with bytecode kept, as installed packages have it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flows.py").write_text(FLOWS, "utf-8")
    before = Path.cwd()
    os.chdir(folder)
    try:
        url = f"sqlite:///{store or folder / 'runs.db'}"
        return Studio("flows.py", "--port", "0", "--no-open", "--no-reload", "--store", url, *words)
    finally:
        os.chdir(before)


# -- very many runs


def many_runs(folder: Path, count: int) -> Path:
    """A file with so many runs; made once, and kept for the next time. Logs are cut down to their two ends, but
    for runs that wait."""
    target = folder / f"runs-{count}-format-{len(MIGRATIONS)}.db"
    if not target.exists():
        made = folder / "making.db"
        for old in folder.glob("making.db*"):
            if old.is_file():
                old.unlink()
        asyncio.run(_samples(made))
        _multiply(made, count)
        made.rename(target)
    return target


async def _samples(file: Path) -> None:
    """One run of each kind, as the engine writes it."""
    (file.parent / "flows.py").write_text(FLOWS, "utf-8")
    sys.path.insert(0, str(file.parent))
    flows: dict[str, Workflow[object, object]] = dict(load(str(file.parent / "flows.py")))
    async with Engine(flows.values(), store=f"sqlite:///{file}") as engine:
        for id in ("quick", "fails", "asks", "talks"):
            run = await engine.create_run(id, resource_id="somebody", tags=["nightly", id])
            await run.start(0)


def _multiply(file: Path, count: int) -> None:
    """Copies of the samples: of a thousand, one asks, fifty have failed, and 149 are of another workflow."""
    connection = connect(file)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-200000")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TEMP TABLE samples AS SELECT * FROM runs")
    connection.execute(
        "CREATE TEMP TABLE ends AS SELECT e.* FROM events e WHERE seq = 1"
        " OR seq = (SELECT max(seq) FROM events WHERE run = e.run)"
        " OR run = (SELECT key FROM samples WHERE workflow_id = 'asks')"
    )
    connection.execute("CREATE TEMP TABLE copies (n INTEGER PRIMARY KEY, ago REAL, sample INTEGER)")
    connection.execute(
        "WITH RECURSIVE numbers (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)"
        " INSERT INTO copies SELECT n, 10 * (?1 - n), (SELECT key FROM samples WHERE workflow_id = CASE"
        " WHEN n % 1000 = 0 THEN 'asks' WHEN n % 1000 <= 50 THEN 'fails' WHEN n % 1000 < 200 THEN 'talks'"
        " ELSE 'quick' END) FROM numbers",
        (count + 9,),
    )
    connection.execute(
        "INSERT INTO runs (key, run_id, workflow_id, status, ended, blocked, resource_id, tags, version, created_at,"
        " changed_at, hooked) SELECT n, printf('%08x%s', n * 2654435761 % 4294967296, n), workflow_id, status, ended,"
        " blocked, resource_id, tags, version, created_at - ago, changed_at - ago, 1 FROM copies JOIN samples"
        " ON key = sample"
    )
    connection.execute(
        "INSERT INTO events SELECT n, seq, at - ago, type, path, attempt, data, value, blob, ref, holes"
        " FROM copies JOIN ends ON run = sample"
    )
    connection.execute("INSERT INTO tags SELECT tag, n FROM copies JOIN tags ON run = sample")
    connection.execute(
        "INSERT INTO suspensions (token, run, seq, path, state) SELECT token || n, n, seq, path, state"
        " FROM copies JOIN suspensions ON run = sample"
    )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
