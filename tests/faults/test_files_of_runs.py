"""What happens to the file behind a store, seen through the engine: cut, damaged, too old, too new."""

from __future__ import annotations

import ast
import hashlib
import random
import re
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import Engine, StepContext, create_step, create_workflow, value
from engine.errors import StoreCorrupt, StoreNewer, UnknownRun
from engine.stores import sqlite
from engine.stores.sqlite import tables
from engine.verify import verify
from tests.fixtures import add, launch, lines


async def ask(data: Any, ctx: StepContext) -> Any:
    return {"n": data["n"] + await ctx.ask("?", int)}


def flow() -> Any:
    each = create_workflow(id="each").map(value([{"n": n} for n in range(5)])).foreach(add("item"), concurrency=2)
    asked = create_step(id="approve", execute=ask)
    return create_workflow(id="w").then(each).map(lambda items: items[-1]).then(asked).then(add("last")).commit()


async def suspended(path: Path) -> str:
    """A run that waits for an answer, in a closed store; its id."""
    async with Engine([flow()], store=path) as engine:
        run = await launch(engine, "w", {"n": 0})
        assert await run.status() == "suspended"
        return run.run_id


async def finish(path: Path, run_id: str) -> Any:
    """Go on with a run whatever it has come to; its result. ``None``: there is no such run."""
    async with Engine([flow()], store=path) as engine:
        try:
            run = await engine.get_run(run_id)
        except UnknownRun:
            return None
        if await run.status() == "pending":
            await run.start_soon({"n": 0})
        result = await run.wait(10)
        if result.status == "suspended":
            result = await run.resume(100)
        return result.result


async def log_of_a_whole_run(tmp_path: Path) -> tuple[Path, str]:
    """A copy of the files as a kill would leave them, with everything still in the write-ahead log; the run's id."""
    async with Engine([flow()], store=tmp_path / "live.db") as engine:
        run = await launch(engine, "w", {"n": 0})
        assert (await run.resume(100)).result == {"n": 106}
        for name in ("live.db", "live.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / name.replace("live", "cut"))
    return tmp_path / "cut.db", run.run_id


async def read(path: Path, run_id: str) -> list[str]:
    async with Engine(store=path, recover=False) as engine:
        return await lines(await engine.get_run(run_id))


@pytest.mark.parametrize("harm", ["cut", "zeroed", "flipped"])
async def test_a_log_with_a_torn_end_gives_a_prefix_of_the_run_and_the_run_goes_on(tmp_path: Path, harm: str) -> None:
    path, run_id = await log_of_a_whole_run(tmp_path)
    wal = path.with_name("cut.db-wal")
    whole, base = wal.read_bytes(), path.read_bytes()
    complete: list[str] = []
    chance = random.Random(11)
    for at in [len(whole), *sorted(chance.randrange(33, len(whole)) for _ in range(25))]:
        match harm:
            case "cut":
                body = whole[:at]
            case "zeroed":
                body = whole[:at] + bytes(len(whole) - at)
            case _:
                body = whole if at == len(whole) else whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        path.write_bytes(base)
        wal.write_bytes(body)
        path.with_name("cut.db-shm").unlink(missing_ok=True)
        try:
            found = await read(path, run_id)
        except UnknownRun:
            found = []
        complete = complete or found
        assert found == complete[: len(found)]
        assert verify(path) == []
        assert await finish(path, run_id) in ({"n": 106}, None)
        assert verify(path) == []


async def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await suspended(path)
    body = bytearray(path.read_bytes())
    body[4096 * 2 : 4096 * 2 + 2000] = b"\xff" * 2000
    path.write_bytes(body)
    with pytest.raises(StoreCorrupt, match=r"runs\.db is damaged .*--repair"):
        async with Engine([flow()], store=path):
            raise AssertionError("it was opened")
    assert path.read_bytes() == bytes(body)


async def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await suspended(path)
    with apsw.Connection(str(path)) as connection:
        connection.execute(f"PRAGMA user_version={len(tables.MIGRATIONS) + 1}")
    connection.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(StoreNewer, match="newer version"):
        async with Engine([flow()], store=path):
            raise AssertionError("it was opened")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


async def test_a_file_of_an_older_version_is_brought_up_to_date_and_its_runs_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.db"
    run_id = await suspended(path)
    old = path.read_bytes()
    newer = [
        *tables.MIGRATIONS,
        "ALTER TABLE runs ADD COLUMN later TEXT",
        "CREATE TABLE later (id INTEGER PRIMARY KEY)",
    ]
    monkeypatch.setattr(tables, "MIGRATIONS", newer)
    assert await finish(path, run_id) == {"n": 106}
    with apsw.Connection(str(path)) as connection:
        assert connection.execute("PRAGMA user_version").get == len(newer)
    connection.close()
    assert verify(path) == []
    monkeypatch.undo()
    copy = tmp_path / f"runs.db.bak-v{len(tables.MIGRATIONS)}"
    (tmp_path / "again.db").write_bytes(copy.read_bytes())
    assert await finish(tmp_path / "again.db", run_id) == {"n": 106}
    assert len(old) == len(copy.read_bytes())


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.db"
    run_id = await suspended(path)
    broken = [*tables.MIGRATIONS, "ALTER TABLE runs ADD COLUMN later TEXT; ALTER TABLE nowhere ADD COLUMN x TEXT"]
    monkeypatch.setattr(tables, "MIGRATIONS", broken)
    with pytest.raises(Exception, match="nowhere"):
        async with Engine([flow()], store=path):
            raise AssertionError("it was opened")
    monkeypatch.undo()
    assert verify(path) == []
    assert await finish(path, run_id) == {"n": 106}


def test_every_write_is_in_a_transaction_that_was_begun_for_writing() -> None:
    """A transaction that reads first and writes then fails at once when somebody else has written in between."""
    begins = []
    for file in Path(sqlite.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                begins += re.findall(r"^\s*(BEGIN\b.*)$", node.value)
    assert set(begins) == {"BEGIN IMMEDIATE"}


async def test_two_engines_that_write_by_turns_never_meet_a_stale_read(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with Engine([flow()], store=path) as one, Engine([flow()], store=path) as other:
        for n in range(10):
            run = await launch(one if n % 2 else other, "w", {"n": 0})
            there = await (other if n % 2 else one).get_run(run.run_id)
            assert (await there.resume(n)).result == {"n": n + 6}
    assert verify(path) == []
