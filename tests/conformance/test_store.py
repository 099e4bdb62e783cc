"""What every store promises, told once for all of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.errors import Fenced, NotSuspended, RunExists, RunInFlight, StoreError, UnknownRun
from engine.events import Fact
from engine.store import Claim, Request, RunFilter, Store
from engine.values import BLOB_BYTES, Value
from tests.conformance.stores import STORES, add, facts, opened, shown, statuses, suspended, value


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as one:
        yield one


# -- the log


async def test_what_was_appended_is_read_back(store: Store) -> None:
    written = await add(store, "r1", Fact("run.started", value=value('{"city":"London"}')), tags=["a"])
    more = facts(
        Fact("step.started", "geo[0]/find", attempt=1, value=value('{"x":"\\u00e9"}')),
        Fact("step.output", "geo[0]/find", attempt=1, value=value("[1]")),
        Fact("log", data={"message": "caf\udce9", "$engine:x": 1, "big": 2**70, "none": None}),
        after=2,
    )
    await store.append("r1", more, epoch=1, solo=True)
    assert shown(await store.read("r1")) == shown(written + more)
    assert shown(await store.read("r1", after=2, limit=1)) == shown(more[:1])
    assert await store.read("r1", after=5) == []


async def test_appends_of_one_tick_are_all_written(store: Store) -> None:
    names = [f"r{number}" for number in range(30)]
    await asyncio.gather(*(add(store, name, Fact("run.started", value=value())) for name in names))
    assert [len(await store.read(name)) for name in names] == [2] * 30


async def test_concurrent_appends_of_a_run_keep_their_order(store: Store) -> None:
    await add(store)
    pieces = [facts(Fact("log", data={"n": seq}), after=seq) for seq in range(1, 501)]
    await asyncio.gather(*(store.append("r1", piece, epoch=1) for piece in pieces))
    assert [fact.seq for fact in await store.read("r1")] == list(range(1, 502))


async def test_a_failed_append_hurts_no_other_of_its_tick(store: Store) -> None:
    await add(store, "taken")
    results = await asyncio.gather(
        add(store, "one"),
        add(store, "taken"),
        store.append("gone", facts(Fact("run.started", value=value()), after=1), epoch=1),
        store.append("taken", facts(Fact("run.started", value=value()), after=1), epoch=7),
        add(store, "two"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [list, RunExists, UnknownRun, Fenced, list]
    assert sorted(await statuses(store)) == ["one", "taken", "two"]


async def test_the_last_number_of_a_run_is_told_without_its_log(store: Store) -> None:
    await add(store, "r1", Fact("run.started", value=value()))
    await add(store, "r2")
    await store.append("r1", facts(Fact("step.started", "a", attempt=1, value=value()), after=2), epoch=1)
    assert [await store.last_seq(name) for name in ("r1", "r2")] == [3, 1]
    with pytest.raises(UnknownRun):
        await store.last_seq("nobody")


async def test_epochs_are_told_of_the_runs_that_there_are(store: Store) -> None:
    await add(store, "r1")
    await add(store, "r2")
    await store.claim("r2", force=True)
    assert await store.epochs(["r1", "r2", "nobody"]) == {"r1": 1, "r2": 2}
    assert await store.epochs([]) == {}


async def test_facts_that_do_not_follow_are_refused_whole(store: Store) -> None:
    await add(store)
    for solo in (True, False):
        with pytest.raises(StoreError, match="does not follow"):
            await store.append("r1", facts(Fact("run.started", value=value()), after=2), epoch=1, solo=solo)
    assert len(await store.read("r1")) == 1


async def test_an_unknown_run_is_named(store: Store) -> None:
    calls = [store.read("nobody"), store.row("nobody"), store.claim("nobody"), store.delete("nobody")]
    calls += [store.post("nobody", "cancel", {})]
    for call in calls:
        with pytest.raises(UnknownRun, match="'nobody'"):
            await call


# -- payloads


async def test_a_large_payload_comes_back_whole(store: Store) -> None:
    big = value('"' + "x" * (BLOB_BYTES * 3) + '"')
    written = await add(store, "r1", Fact("run.started", value=big), Fact("step.started", "a", attempt=1, value=big))
    found = await store.read("r1", resolve=True)
    assert shown(found) == shown(written)


async def test_references_are_resolved_to_what_they_refer_to(store: Store) -> None:
    first, second = value('"' + "a" * 300 + '"'), value('"' + "b" * 300 + '"')
    written = await add(
        store,
        "r1",
        Fact("step.succeeded", "a", attempt=1, value=first),
        Fact("step.succeeded", "b", attempt=1, value=second),
        Fact("step.started", "c", attempt=1, value=Value.group({"a": first, "b": Value.group([second, first])})),
        Fact("step.succeeded", "c", attempt=1, value=first),
        Fact("run.succeeded", value=second),
    )
    assert shown(await store.read("r1", resolve=True)) == shown(written)
    assert shown(await store.read("r1", after=3, resolve=True)) == shown(written[3:])
    for fact in (await store.read("r1"))[3:]:
        assert fact.value is not None or fact.ref is not None


async def test_holes_of_secrets_are_kept(store: Store) -> None:
    await add(store, "r1", Fact("run.started", value=Value(b'{"key":null}', holes=("$.key",))))
    found = (await store.read("r1"))[1].value
    assert found is not None
    assert found.holes == ("$.key",)


# -- ownership


async def test_a_claim_fences_whoever_wrote_before(store: Store) -> None:
    await add(store)
    assert await store.claim("r1") == Claim("r1", 2, None)
    for solo in (True, False):
        with pytest.raises(Fenced, match="taken over"):
            await store.append("r1", facts(Fact("run.started", value=value()), after=1), epoch=1, solo=solo)
    await store.append("r1", facts(Fact("run.started", value=value()), after=1), epoch=2)
    assert len(await store.read("r1")) == 2


async def test_only_living_runs_of_nobody_are_claimable(store: Store) -> None:
    for name in ("r1", "r2", "r3"):
        await add(store, name)
    await add(store, "elsewhere", workflow="other")
    await store.append("r3", facts(Fact("run.canceled", data={}), after=1), epoch=1)
    assert await store.claimable(["weather"]) == []
    for name in ("r3", "r2", "r1", "elsewhere"):
        await store.release(name, epoch=9)  # not ours
        await store.release(name, epoch=1)
    assert await store.claimable(["weather", "weather", "missing"]) == ["r1", "r2"]
    await store.claim("r1")
    assert await store.claimable(["weather"]) == ["r2"]


# -- calls, hooks, definitions


async def test_a_call_is_answered_once(store: Store) -> None:
    await add(store)
    number = await store.post("r1", "resume", {"data": {"ok": True}})
    assert await store.requests() == [Request(number, "r1", "resume", {"data": {"ok": True}})]
    assert await store.reply_to(number) is None
    await store.reply(number, {"ok": True})
    assert await store.requests() == []
    assert await store.reply_to(number) == {"ok": True}
    assert await store.reply_to(number) is None


async def test_hooks_that_were_not_called_are_remembered(store: Store) -> None:
    for name in ("r1", "r2", "r3"):
        await add(store, name)
        await store.append(name, facts(Fact("run.succeeded", value=value()), after=1), epoch=1)
    await store.mark_hooked("r1")
    assert await store.unhooked(["weather"]) == []
    await store.release("r2", epoch=1)
    await store.release("r1", epoch=1)
    assert await store.unhooked(["weather"]) == ["r2"]
    assert await store.unhooked(["other"]) == []


async def test_a_definition_is_kept_as_it_was_first(store: Store) -> None:
    assert await store.definition("v1") is None
    await store.put_definition("v1", {"id": "weather"})
    await store.put_definition("v1", {"id": "other"})
    assert await store.definition("v1") == {"id": "weather"}


async def test_nobody_else_has_written(store: Store) -> None:
    store.changed()
    await add(store)
    assert not store.changed()


# -- removing


async def test_a_run_is_deleted_whole_once_it_has_ended(store: Store) -> None:
    big = value('"' + "x" * BLOB_BYTES * 2 + '"')
    await add(store, "r1", suspended("a", "t1"), Fact("step.succeeded", "b", value=big), tags=["t"])
    await add(store, "r2", Fact("step.succeeded", "b", value=value(big.raw.decode())))
    await store.post("r1", "cancel", {})
    with pytest.raises(RunInFlight, match="cancel it first"):
        await store.delete("r1")
    await store.append("r1", facts(Fact("run.canceled", data={}), after=3), epoch=1)
    await store.delete("r1")
    with pytest.raises(UnknownRun):
        await store.read("r1")
    with pytest.raises(NotSuspended):
        await store.suspension("t1")
    with pytest.raises(UnknownRun):
        await store.append("r1", facts(Fact("run.paused"), after=4), epoch=1)
    assert await store.requests() == []
    assert await statuses(store, tag="t") == []
    assert (await store.read("r2"))[1].value.raw == big.raw  # type: ignore[union-attr]
    await add(store, "r1")
    assert len(await store.read("r1")) == 1


async def test_prune_takes_ended_runs_of_before(store: Store) -> None:
    for number in range(120):
        end = "run.failed" if number % 2 else "run.succeeded"
        more = [Fact(end, data={}) if number < 118 else Fact("run.paused")]
        await add(store, f"r{number}", *more, at=float(number) * 100)
    before = datetime.fromtimestamp(117 * 100, UTC)
    assert await store.prune(before=before, status=("failed", "running", "paused")) == 58
    assert await store.prune(before=before, status=()) == 59
    assert await store.prune(before=before + timedelta(days=9), status=()) == 1
    assert await statuses(store) == ["r119", "r118"]


# -- threads


async def test_reads_from_other_threads_and_loops_see_only_whole_appends(store: Store) -> None:
    await add(store)
    found: list[list[int]] = []
    failed: list[Exception] = []
    done = threading.Event()

    def watch() -> None:
        try:
            while not done.is_set():
                seqs = [fact.seq for fact in asyncio.run(store.read("r1"))]
                found.append(seqs)
                asyncio.run(store.list_runs(RunFilter(), limit=5, after=None))
        except Exception as error:  # noqa: BLE001 the test shows it
            failed.append(error)

    threads = [threading.Thread(target=watch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for seq in range(1, 401, 2):
        await store.append("r1", facts(Fact("log"), Fact("log"), after=seq), epoch=1, solo=bool(seq % 3))
    done.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert all(seqs == list(range(1, len(seqs) + 1)) and len(seqs) % 2 for seqs in found)


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as store:
        await add(store)
    for call in (store.read("r1"), store.row("r1"), store.claim("r1")):
        with pytest.raises(StoreError, match="closed"):
            await call
