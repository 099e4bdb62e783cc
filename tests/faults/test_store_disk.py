"""The disk fails, fills up, or belongs to somebody else for a while: nothing is lost, and nothing is written twice."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine.errors import StoreError
from engine.stores.sqlite import SqliteStore
from engine.verify import verify
from tests.faults.disk import created, opened, python, said, seqs, started
from tests.requires import requires_tool


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 it is what a user sees, and has no event
        await asyncio.sleep(0.002)


async def test_a_lock_of_another_program_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path) as store:
        await store.append("r1", [created()], epoch=1)
        other = apsw.Connection(str(path))
        other.execute("BEGIN EXCLUSIVE")
        waiting = [asyncio.ensure_future(store.append("r1", [said(2)], epoch=1, solo=True))]
        waiting += [asyncio.ensure_future(store.append("r1", [fact], epoch=1)) for fact in (said(3), started(4))]
        for _ in range(10):
            await asyncio.sleep(0)
        assert store.trouble is None  # a short one is nobody's business
        store._writer.patience = 0.0
        await until(lambda: store.trouble)
        assert "locked by another program" in str(store.trouble)
        assert await seqs(store) == [1]
        other.execute("ROLLBACK")
        other.close()
        await asyncio.gather(*waiting)
        assert (await seqs(store), store.trouble) == ([1, 2, 3, 4], None)
    assert verify(path) == []


@pytest.mark.parametrize("solo", [True, False])
async def test_a_full_disk_is_waited_for_and_reads_go_on(tmp_path: Path, solo: bool) -> None:
    path = tmp_path / "runs.db"
    async with opened(path) as store:
        await store.append("r1", [created()], epoch=1)
        connection = store._writer.connection
        pages = connection.pragma("page_count")
        connection.pragma("max_page_count", pages)
        waiting = asyncio.ensure_future(store.append("r1", [said(2), said(3, 100_000)], epoch=1, solo=solo))
        await until(lambda: store.trouble)
        assert "no space is left" in str(store.trouble)
        behind = asyncio.ensure_future(store.append("r1", [said(4)], epoch=1, solo=solo))
        assert await seqs(store) == [1]
        assert (await store.row("r1")).status == "pending"
        connection.pragma("max_page_count", pages + 1000)
        await asyncio.gather(waiting, behind)
        assert (await seqs(store), store.trouble) == ([1, 2, 3, 4], None)
    assert verify(path) == []


async def test_closing_in_trouble_says_that_something_was_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.stores.sqlite.store.CLOSING_SECONDS", 0.05)
    path = tmp_path / "runs.db"
    store = SqliteStore(path)
    await store.open()
    await store.append("r1", [created()], epoch=1)
    other = apsw.Connection(str(path))
    other.execute("BEGIN EXCLUSIVE")
    waiting = asyncio.ensure_future(store.append("r1", [said(2)], epoch=1))
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="unwritten"):
        await store.close()
    with pytest.raises(StoreError, match="unwritten"):
        await waiting
    other.close(force=True)
    async with opened(path) as store:
        assert await seqs(store) == [1]
        assert await store.claimable(["weather"]) == ["r1"]


class Failing:
    """The writer's cursor, with commits that fail once: before or after they took place."""

    def __init__(self, store: SqliteStore, *, takes_place: bool) -> None:
        self._execute = store._writer._execute
        self._takes_place = takes_place
        store._writer._execute = self

    def __call__(self, statement: str, *arguments: Any) -> Any:
        if statement == "COMMIT":
            if self._takes_place:
                self._execute(statement)
            raise apsw.IOError("disk I/O error")
        return self._execute(statement, *arguments)


@pytest.mark.parametrize("takes_place", [True, False])
@pytest.mark.parametrize("solo", [True, False])
async def test_after_a_failed_commit_the_file_is_asked(tmp_path: Path, takes_place: bool, solo: bool) -> None:
    path = tmp_path / "runs.db"
    async with opened(path) as store:
        await store.append("r1", [created()], epoch=1)
        Failing(store, takes_place=takes_place)
        pieces = [[said(2), said(3)], [said(4)]]
        await asyncio.gather(*(store.append("r1", piece, epoch=1, solo=solo) for piece in pieces))
        assert (await seqs(store), store.trouble) == ([1, 2, 3, 4], None)
    assert verify(path) == []


@pytest.mark.parametrize("takes_place", [True, False])
async def test_a_failed_commit_makes_no_call_twice(tmp_path: Path, takes_place: bool) -> None:
    async with opened(tmp_path / "runs.db") as store:
        await store.append("r1", [created()], epoch=1)
        Failing(store, takes_place=takes_place)
        number = await store.post("r1", "cancel", {})
        assert [request.id for request in await store.requests()] == [number]
        Failing(store, takes_place=takes_place)
        claim = await store.claim("r1")
        assert claim is not None
        assert claim.epoch == 2
        await store.append("r1", [said(2)], epoch=2)


WRITER = """
import asyncio, os, sys
from pathlib import Path
from tests.faults.disk import SqliteStore, created, said, started

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    print("open", flush=True)
    await store.append("r1", [created()], epoch=1)
    for seq in range(2, int(sys.argv[2]), 2):
        facts = [said(seq, 3000), started(seq + 1) if seq % 6 == 2 else said(seq + 1)]
        await store.append("r1", facts, epoch=1, solo=seq % 4 == 0)
    if "leave" in sys.argv:
        os._exit(0)
    await store.close()

asyncio.run(main())
"""


@requires_tool("strace")
@pytest.mark.parametrize(
    "fault", ["pwrite64:error=ENOSPC:when=20+31", "pwrite64:error=EIO:when=20+31", "fdatasync:error=EIO:when=4+5"]
)
async def test_writes_that_fail_again_and_again_end_in_the_whole_log(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "runs.db"
    async with opened(path):
        pass
    trace = f"trace={fault.partition(':')[0]}"
    prefix = ("strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", trace, "-e", f"inject={fault}")
    process = python(WRITER, path, "40", prefix=prefix)
    output, errors = process.communicate(timeout=50)
    assert (process.returncode, output) == (0, "open\n"), errors
    assert "INJECTED" in (tmp_path / "trace").read_text()
    assert verify(path) == []
    async with opened(path) as store:
        assert await seqs(store) == list(range(1, 40))


async def test_a_torn_log_leaves_a_prefix(tmp_path: Path) -> None:
    source = tmp_path / "source" / "runs.db"
    process = python(WRITER, source, "60", "leave")
    assert process.communicate(timeout=50) == ("open\n", "")
    log = source.with_name("runs.db-wal").read_bytes()
    body = source.read_bytes()
    found = []
    for number in range(300):
        place = tmp_path / str(number)
        place.mkdir()
        path = place / "runs.db"
        path.write_bytes(body)
        cut = len(log) * number // 299
        torn = log[:cut]
        if number % 3 == 1:
            torn += bytes(len(log) - cut)
        elif number % 3 == 2 and cut < len(log):
            torn += bytes([log[cut] ^ 0xFF]) + log[cut + 1 :]
        path.with_name("runs.db-wal").write_bytes(torn)
        found.append(await left(path))
        if number % 10 == 0 and found[-1] is not None:
            assert verify(path) == []
        shutil.rmtree(place)
    lengths = [length or 0 for length in found]
    assert lengths[-1] == 59
    assert lengths[0] < lengths[-1]


async def left(path: Path) -> int | None:
    """How many facts of the run are left, all from the first on; ``None`` if not even the tables are."""
    async with opened(path) as store:
        runs = await store.claimable(["weather"])
        if not runs:
            return None
        found = await seqs(store)
        assert found == list(range(1, len(found) + 1))
        return len(found)
