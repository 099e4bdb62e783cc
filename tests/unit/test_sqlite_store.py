"""What only the SQLite store does: several owners of one file, late commits, shared payloads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from engine.errors import Fenced, StoreCorrupt, StoreError
from engine.events import Fact
from engine.store import Request, RunFilter
from engine.stores.sqlite import SqliteStore, lists
from engine.stores.sqlite.rows import decode, encode
from engine.values import Value
from engine.verify import verify
from tests.conformance.stores import add
from tests.faults.disk import created, names, opened, said, seqs, started


async def test_two_owners_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path) as one, opened(path) as two:
        one.changed()  # the other has signed in
        await one.append("r1", [created()], epoch=1)
        assert two.changed()
        assert not two.changed()
        assert not one.changed()
        assert await two.claim("r1") is None
        assert await two.claimable(["weather"]) == []
        number = await two.post("r1", "cancel", {"reason": "no"})
        assert one.changed()
        assert await two.requests() == []
        assert await one.requests() == [Request(number, "r1", "cancel", {"reason": "no"})]
        await one.reply(number, {"ok": True})
        assert await two.reply_to(number) == {"ok": True}
        assert await two.reply_to(number) is None

        claim = await two.claim("r1", force=True)
        assert claim is not None
        assert claim.epoch == 2
        with pytest.raises(Fenced):
            await one.append("r1", [said(2)], epoch=1, solo=True)
        await two.append("r1", [said(2)], epoch=2)
        claim = await one.claim("r1", force=True)
        assert claim is not None
        await one.append("r1", [said(3)], epoch=3)  # and it knows what the other had written
    assert verify(path) == []


async def test_closing_lets_every_run_go(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path) as two:
        async with opened(path) as one:
            await one.append("r1", [created()], epoch=1)
        claim = await two.claim("r1")
        assert claim is not None
        assert claim.previous_owner is None


async def test_opening_twice_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "runs.db") as store:
        with pytest.raises(StoreError, match="open already"):
            await store.open()
    await store.close()
    await store.open()
    await store.close()


async def test_opening_while_the_file_is_locked_gives_up_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.stores.sqlite.store.CLOSING_SECONDS", 0.05)
    path = tmp_path / "runs.db"
    async with opened(path):
        pass
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="locked by another program"):
        await store.open()
    other.close(force=True)
    assert names(tmp_path) == ["runs.db"]
    await store.open()
    await store.close()


async def test_relaxed_commits_come_later_but_are_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path, "relaxed") as store, opened(path) as other:
        await store.append("r1", [created()], epoch=1)
        await store.append("r1", [said(2), said(3)], epoch=1)
        await store.append("r1", [said(4)], epoch=1, solo=True)
        assert await seqs(store) == [1, 2, 3, 4]
        assert [fact.seq for fact in await store.read("r1", after=1, limit=2)] == [2, 3]
        assert await seqs(other) == [1]
        await store.append("r1", [started(5)], epoch=1)  # synced, and with it all that came before
        assert await seqs(other) == [1, 2, 3, 4, 5]
        await store.append("r1", [said(6)], epoch=1)
    async with opened(path) as other:
        assert await seqs(other) == [1, 2, 3, 4, 5, 6]


async def test_a_relaxed_commit_that_failed_is_told_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path, "relaxed") as store, opened(path) as other:
        await store.append("r1", [created()], epoch=1)
        await other.claim("r1", force=True)
        await store.append("r1", [said(2)], epoch=1)
        await store.append("r2", [created()], epoch=1)  # writes all that waits
        assert await seqs(store) == [1]
        with pytest.raises(Fenced):
            await store.append("r1", [said(3)], epoch=1)


async def test_a_payload_is_stored_once_and_referred_to(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    big = Value(b'"' + b"x" * 5_000_000 + b'"')
    async with opened(path) as store:
        facts = [created()]
        for number in range(20):
            seq = len(facts) + 1
            inside = Fact("step.started", f"s{number}", attempt=1, value=big, seq=seq, at=1.0)
            outside = Fact("step.succeeded", f"s{number}", attempt=1, value=Value(big.raw), seq=seq + 1, at=1.0)
            facts += [inside, outside]
            big.seq = big.seq or seq
        await store.append("r1", facts, epoch=1)
        assert (await store.read("r1", resolve=True))[-2].value.raw == big.raw  # type: ignore[union-attr]
    assert path.stat().st_size < 6_000_000
    assert verify(path) == []


async def test_a_payload_goes_with_the_last_run_that_has_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path) as store:
        for name in ("r1", "r2"):
            end = Fact("run.canceled", data={}, seq=3, at=9.0)
            await store.append(name, [created(), said(2, 50_000), end], epoch=1)
            await store.mark_hooked(name)
        for name, left in (("r1", 1), ("r2", 0)):
            await store.delete(name)
            with store._readers.cursor() as cursor:
                assert cursor.execute("SELECT count(*) FROM blobs").get == left
    assert verify(path) == []


async def test_what_one_append_has_wrong_hurts_no_other(tmp_path: Path) -> None:
    async with opened(tmp_path / "runs.db") as store:
        await store.append("r1", [created()], epoch=1)
        wrong = Fact("step.suspended", "a", data={}, seq=2, at=1.0)  # no token
        results = await asyncio.gather(
            store.append("r2", [created()], epoch=1),
            store.append("r1", [wrong], epoch=1),
            store.append("r3", [created()], epoch=1),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [type(None), StoreError, type(None)]
        with pytest.raises(KeyError):
            await store.append("r1", [wrong], epoch=1, solo=True)
        await store.append("r1", [said(2)], epoch=1)
        assert await seqs(store) == [1, 2]


async def test_the_log_of_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path) as store:
        await store.append("r1", [created()], epoch=1)
        for seq in range(2, 2000):
            await store.append("r1", [said(seq, 2000)], epoch=1, solo=True)
            if seq % 100 == 0:
                await store.read("r1", after=seq - 2)
        assert path.with_name("runs.db-wal").stat().st_size < 5_000_000


async def test_a_search_for_text_may_stop_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "SCANNED", 3)
    async with opened(tmp_path / "runs.db") as store:
        for number in range(8):
            await store.append(f"r{number}", [created("odd" if number % 4 == 1 else "even")], epoch=1)
        pages, after = [], None
        while True:
            page = await store.list_runs(RunFilter(text="odd"), limit=5, after=after)
            pages.append([row.run_id for row in page.items])
            after = page.next
            if after is None:
                break
        assert pages == [["r5"], [], ["r1"]]


async def test_a_tag_with_a_status_is_searched_in_pieces_and_a_workflow_with_a_status_by_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "SCANNED", 3)
    async with opened(tmp_path / "runs.db") as store:
        for number in range(8):
            about = {"workflow": "odd" if number % 4 == 1 else "even", "tags": ["all"]}
            await add(store, f"r{number}", *([Fact("run.failed")] if number in {1, 4} else []), **about)
        pages, after = [], None
        while True:
            page = await store.list_runs(RunFilter(tag="all", status=("failed",)), limit=5, after=after)
            pages.append([row.run_id for row in page.items])
            after = page.next
            if after is None:
                break
        assert pages == [[], ["r4"], ["r1"]]
        wanted = {("odd", ("failed",)): ["r1"], ("even", ("failed", "success")): ["r4"], ("odd", ()): ["r5", "r1"]}
        for (workflow, status), expected in wanted.items():
            page = await store.list_runs(RunFilter(workflow=workflow, status=status), limit=5, after=None)
            assert ([row.run_id for row in page.items], page.next) == (expected, None)


async def test_a_missing_payload_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with opened(path) as store:
        await store.append("r1", [created(), said(2, 50_000)], epoch=1)
        store._writer.connection.execute("DELETE FROM blobs")
        with pytest.raises(StoreCorrupt, match="payload of event 2 is missing"):
            await store.read("r1")
        for ref in ("1", "2", "99"):
            store._writer.connection.execute("UPDATE events SET blob = NULL, ref = ? WHERE seq = 2", (ref,))
            with pytest.raises(StoreCorrupt, match="event 2 refers to"):
                await store.read("r1", resolve=True)


@pytest.mark.parametrize(
    "data", [{"a": [1, None, 2**70]}, {"$engine:float": "x"}, {"a": "caf\udce9"}, [], {"a": float("inf")}]
)
def test_small_data_comes_back_equal(data: object) -> None:
    assert decode(encode(data)) == data
