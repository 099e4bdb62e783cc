"""The file is not what it should be: it is left as it is, and the error says what to do."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from engine.errors import StoreCorrupt, StoreError, StoreNewer
from engine.stores.sqlite import SqliteStore, tables
from engine.verify import main, verify
from tests.faults.disk import created, opened, python, said, seqs, started


async def a_store(path: Path, facts: int = 30) -> None:
    """A closed store with a run in it."""
    async with opened(path) as store:
        await store.append("r1", [created(), started(2), *(said(seq, 600) for seq in range(3, facts + 1))], epoch=1)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


async def test_only_their_owner_can_read_the_files(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "deep" / "runs.db"
    async with opened(path) as store:
        await store.append("r1", [created()], epoch=1)
        files = [file for file in path.parent.rglob("*") if file.is_file()]
        assert sorted(file.suffix for file in files) == [".db", ".db-shm", ".db-wal", ".lock"]
        assert {mode(file) for file in files} == {0o600}
        folders = [path.parent, path.parent.parent, *(entry for entry in path.parent.iterdir() if entry.is_dir())]
        assert {mode(folder) for folder in folders} == {0o700}
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await a_store(path)
    path.chmod(0o644)
    async with opened(path):
        assert mode(path) == 0o600


async def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.touch()
    async with opened(path) as store:
        await store.append("r1", [created()], epoch=1)
        assert await seqs(store) == [1]


async def refused(path: Path, error: type[StoreError], words: str) -> None:
    """Opening fails, says this in one line, and leaves no lock behind."""
    with pytest.raises(error, match=words) as caught:
        await SqliteStore(path).open()
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    assert not list(path.parent.rglob("*.lock"))


async def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs.db").mkdir()
    await refused(tmp_path / "runs.db", StoreError, "is a folder")


async def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    await refused(tmp_path / "file" / "runs.db", StoreError, "can't be used")


@pytest.mark.parametrize("name", ["runs.db", "runs.db-wal", "runs.db.owners"])
async def test_a_link_is_refused(tmp_path: Path, name: str) -> None:
    await a_store(tmp_path / "other.db")
    (tmp_path / name).symlink_to(tmp_path / ("other.db" if name == "runs.db" else "nothing"))
    with pytest.raises(StoreError, match="symbolic link"):
        await SqliteStore(tmp_path / "runs.db").open()


async def test_a_folder_behind_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    await a_store(tmp_path / "link" / "runs.db")
    assert (tmp_path / "real" / "runs.db").exists()


async def test_what_can_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.db"
    await a_store(path)
    # The superuser may write everything: so the answer is given here.
    monkeypatch.setattr(os, "access", lambda name, _: Path(name) != path)
    await refused(path, StoreError, "permissions")
    monkeypatch.setattr(os, "access", lambda name, _: Path(name) == path)
    await refused(path, StoreError, "folder of .* can't be written")


async def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (address)")
    connection.close()
    before = path.read_bytes()
    await refused(path, StoreError, "something else")
    assert path.read_bytes() == before


async def test_a_newer_file_is_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await a_store(path)
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    await refused(path, StoreNewer, "newer version .*untouched")
    assert path.read_bytes() == before


async def test_an_older_file_is_copied_and_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.db"
    await a_store(path)
    monkeypatch.setattr(tables, "MIGRATIONS", [*tables.MIGRATIONS, "CREATE TABLE extra (a); CREATE TABLE more (b);"])
    async with opened(path) as store:
        assert len(await seqs(store)) == 30
        await store.append("r2", [created()], epoch=1)
    assert verify(path) == []
    monkeypatch.undo()
    known = len(tables.MIGRATIONS)
    copy = tmp_path / f"runs.db.bak-v{known}"
    assert (verify(copy), mode(copy)) == ([], 0o600)
    assert verify(path) == [f"has format {known + 1}, this version knows {known}"]


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.db"
    await a_store(path)
    monkeypatch.setattr(tables, "MIGRATIONS", [*tables.MIGRATIONS, "CREATE TABLE extra (a);", "CREATE TABLE runs (b);"])
    await refused(path, StoreError, "as it was")
    monkeypatch.undo()
    assert verify(path) == []


@pytest.mark.parametrize("damage", ["page", "header", "text"])
async def test_a_damaged_file_is_left_untouched(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "runs.db"
    await a_store(path)
    body = bytearray(path.read_bytes())
    if damage == "page":
        body[4096 * 2 :] = b"\xff" * (len(body) - 4096 * 2)
    elif damage == "header":
        body[:100] = b"\x00" * 100
    else:
        body[:] = b"these are notes, not a database" * 1000
    path.write_bytes(body)
    await refused(path, StoreCorrupt, "damaged .*untouched.*--repair")
    assert path.read_bytes() == body
    assert verify(path) != []


async def test_a_log_without_its_database_is_not_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    log = tmp_path / "runs.db-wal"
    log.write_bytes(b"committed rows")
    await refused(path, StoreCorrupt, "its log")
    path.touch()
    await refused(path, StoreCorrupt, "its log")
    assert log.read_bytes() == b"committed rows"


async def test_what_is_readable_of_a_damaged_file_is_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, new = tmp_path / "runs.db", tmp_path / "new.db"
    async with opened(path) as store:
        for run in range(20):
            facts = [created(), started(2), *(said(seq, 300 if seq % 5 else 20_000) for seq in range(3, 40))]
            await store.append(f"r{run}", facts, epoch=1)
        await store.put_definition("v1", {"id": "weather"})
    body = bytearray(path.read_bytes())
    pages = len(body) // 4096
    for page in range(pages // 2, pages // 2 + 4):
        body[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    path.write_bytes(body)
    assert main([str(path), "--repair", str(new)]) == 1
    assert path.read_bytes() == body
    assert verify(new) == []
    async with opened(new) as store:
        assert len(await store.claimable(["weather"])) >= 10
    assert "runs copied" in capsys.readouterr().out
    assert main([str(path), "--repair", str(new)]) == 2


async def test_the_other_sqlite_is_refused_in_this_process(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path):
        for name in (path, str(path), os.fsencode(path), f"file:{path}?mode=ro"):
            with pytest.raises(StoreError, match="sqlite3 would drop its locks"):
                sqlite3.connect(name, uri=True)
        with pytest.raises(StoreError, match="sqlite3"):
            sqlite3.connect(os.path.relpath(path))  # noqa: ASYNC240
        sqlite3.connect(tmp_path / "other.db").close()
        sqlite3.connect(":memory:").close()
    sqlite3.connect(path).close()


FORKING = """
import asyncio, os, sys
from engine.errors import StoreError
from tests.faults.disk import SqliteStore, created, said

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    await store.append("r1", [created()], epoch=1)
    await store.read("r1")
    child = os.fork()
    if child == 0:
        for call in (store.append("r1", [said(2)], epoch=1), store.read("r1"), store.claim("r1")):
            try:
                await call
            except StoreError as error:
                assert "parent of this process" in str(error)
            else:
                os._exit(3)
        await store.close()
        sys.exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    await store.append("r1", [said(2)], epoch=1)
    print(code, len(await store.read("r1")), flush=True)
    if os.fork() == 0:
        print("child", flush=True)
        sys.stdin.read()  # outlives its parent
        os._exit(0)
    os._exit(0)

asyncio.run(main())
"""


async def test_a_forked_child_can_neither_use_the_store_nor_keep_it_alive(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    process = python(FORKING, path)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "0 2\n"
    assert process.stdout.readline() == "child\n"
    process.wait(timeout=20)
    async with opened(path) as store:
        claim = await store.claim("r1")
        assert claim is not None
        assert claim.previous_owner is not None
        assert await seqs(store) == [1, 2]
    process.communicate()
    assert verify(path) == []


OWNING = """
import asyncio, sys
from tests.faults.disk import SqliteStore, created, said

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    await store.append(sys.argv[2], [created()], epoch=1)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    try:
        await store.append(sys.argv[2], [said(2)], epoch=1)
    except Exception as error:
        print(type(error).__name__, flush=True)
    await store.close()

asyncio.run(main())
"""


def owning(path: Path, run_id: str) -> subprocess.Popen[str]:
    process = python(OWNING, path, run_id)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


async def test_a_run_goes_over_when_its_owner_dies_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    process = owning(path, "r1")
    async with opened(path) as store:
        process.send_signal(signal.SIGSTOP)  # stopped is not dead
        assert await store.claim("r1") is None
        assert await store.claimable(["weather"]) == []
        process.kill()
        process.communicate()
        assert await store.claimable(["weather"]) == ["r1"]
        claim = await store.claim("r1")
        assert claim is not None
        assert claim.epoch == 2
        assert claim.previous_owner
        await store.append("r1", [said(2)], epoch=2)
    async with opened(path) as store:  # let go in order: nobody had it before
        claim = await store.claim("r1")
        assert claim is not None
        assert claim.previous_owner is None
        folder = tmp_path / "runs.db.owners"
        assert len(list(folder.iterdir())) == 1


async def test_a_stopped_owner_is_fenced_when_somebody_takes_over(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    process = owning(path, "r1")
    async with opened(path) as store:
        store.changed()
        claim = await store.claim("r1", force=True)
        assert claim is not None
        assert claim.previous_owner
        await store.append("r1", [said(2)], epoch=2)
        output, errors = process.communicate("go\n", timeout=20)
        assert (output, errors) == ("Fenced\n", "")
        assert store.changed()
        assert await seqs(store) == [1, 2]
        await store.append("r1", [said(3)], epoch=2)
    assert verify(path) == []
