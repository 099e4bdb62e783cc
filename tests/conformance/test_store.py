"""What every store promises, told once for all of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Fenced, NotSuspended, RunExists, RunInFlight, StoreError, UnknownRun
from engine.events import Fact
from engine.store import Claim, Request, RunFilter, Store
from engine.stores import open_store
from engine.values import BLOB_BYTES, Value

STORES = ["memory", "sqlite", "sqlite-full", "sqlite-relaxed"]


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Store]:
    """An open store of a kind."""
    name, _, durability = kind.partition("-")
    where = ":memory:" if name == "memory" else f"sqlite:///{folder}/runs.db?durability={durability or 'normal'}"
    store = open_store(where)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as one:
        yield one


def value(text: str = "{}") -> Value:
    return Value(text.encode())


def facts(*given: Fact, after: int = 0, at: float = 1000.0) -> list[Fact]:
    """Number facts; each is a second later than the one before."""
    for seq, fact in enumerate(given, after + 1):
        fact.seq = seq
        fact.at = at + seq
        if fact.value is not None and not fact.value.seq:
            fact.value.seq = seq
    return list(given)


def created(workflow: str = "weather", **about: Any) -> Fact:
    return Fact("run.created", data={"workflow": workflow, **about})


def suspended(path: str, token: str, **about: Any) -> Fact:
    return Fact("step.suspended", path, attempt=1, data={"token": token, **about}, value=value('{"cost":7}'))


def shown(found: list[Fact]) -> list[tuple[Any, ...]]:
    return [
        (fact.seq, fact.at, fact.type, fact.path, fact.attempt, fact.data or None, fact.value and fact.value.raw)
        for fact in found
    ]


async def add(store: Store, run_id: str = "r1", *more: Fact, at: float = 1000.0, **about: Any) -> list[Fact]:
    """A new run with these facts after its creation."""
    written = facts(created(**about), *more, at=at)
    await store.append(run_id, written, epoch=1)
    return written


async def statuses(store: Store, **where: Any) -> list[str]:
    page = await store.list_runs(RunFilter(**where), limit=100, after=None)
    return [row.run_id for row in page.items]


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


# -- the list of runs


async def test_a_run_is_listed_as_its_facts_say(store: Store) -> None:
    await add(store, resource_id="house", tags=["x", "y"], version="v1", parent="r0")
    row = await store.row("r1")
    when = datetime.fromtimestamp(1001.0, UTC)
    assert (row.run_id, row.workflow_id, row.status, row.blocked) == ("r1", "weather", "pending", None)
    assert (row.resource_id, row.tags, row.version, row.parent_run_id) == ("house", ("x", "y"), "v1", "r0")
    assert (row.created_at, row.updated_at) == (when, when)


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("run.started", None, "running"),
        ("run.suspended", None, "suspended"),
        ("run.paused", None, "paused"),
        ("run.waiting", None, "waiting"),
        ("run.resumed", None, "running"),
        ("run.resumed", {"status": "suspended"}, "suspended"),
        ("run.continued", None, "running"),
        ("run.recovered", {"status": "waiting"}, "waiting"),
        ("run.recovered", None, "running"),
        ("run.stepped", None, "running"),
        ("run.cancel_requested", None, "pending"),
        ("run.succeeded", None, "success"),
        ("run.failed", None, "failed"),
        ("run.canceled", None, "canceled"),
    ],
)
async def test_a_fact_changes_the_status(kind: str, data: dict[str, Any] | None, status: str, tmp_path: Path) -> None:
    for name in ("memory", "sqlite"):
        async with opened(name, tmp_path) as store:
            await add(store)
            await store.append("r1", facts(Fact(kind, data=data), after=1), epoch=1)
            row = await store.row("r1")
            assert (row.status, row.updated_at.timestamp()) == (status, 1002.0)


async def test_a_blocked_run_says_so_until_it_is_not(store: Store) -> None:
    await add(store, "r1", Fact("run.started", value=value()), Fact("run.blocked", data={"reason": "WorkflowMissing"}))
    assert ((await store.row("r1")).status, (await store.row("r1")).blocked) == ("running", "WorkflowMissing")
    await store.append("r1", facts(Fact("run.blocked", data={"reason": None}), after=3), epoch=1)
    assert (await store.row("r1")).blocked is None
    again = [Fact("run.blocked", data={"reason": "x"}), Fact("run.definition_changed", data={"version": "v2"})]
    await store.append("r1", facts(*again, after=4), epoch=1)
    assert ((await store.row("r1")).blocked, (await store.row("r1")).version) == (None, "v2")


async def test_pages_go_from_new_to_old_without_gap_or_repetition(store: Store) -> None:
    for number in range(7):
        await add(store, f"r{number}")
    seen, after = [], None
    while True:
        page = await store.list_runs(RunFilter(), limit=3, after=after)
        seen.append([row.run_id for row in page.items])
        after = page.next
        if after is None:
            break
        await add(store, f"new-{len(seen)}")
    assert seen == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]]


async def test_each_filter_and_all_of_them(store: Store) -> None:
    await add(store, "a1", workflow="a", resource_id="house", tags=["t1"], at=1000)
    await add(store, "a2", Fact("run.started", value=value()), workflow="a", tags=["t1", "t2"], at=2000)
    await add(store, "b1", Fact("run.failed", data={"error": {}}), workflow="b_%!", resource_id="House", at=3000)
    moment = datetime.fromtimestamp(2001, UTC)
    assert await statuses(store, workflow="a") == ["a2", "a1"]
    assert await statuses(store, status=("failed", "pending")) == ["b1", "a1"]
    assert await statuses(store, status=("running",)) == ["a2"]
    assert await statuses(store, resource_id="house") == ["a1"]
    assert await statuses(store, tag="t1") == ["a2", "a1"]
    assert await statuses(store, since=moment) == ["b1", "a2"]
    assert await statuses(store, until=moment) == ["a1"]
    assert await statuses(store, text="HOUSE") == ["b1", "a1"]
    assert await statuses(store, text="_%!") == ["b1"]
    assert await statuses(store, text="t2") == ["a2"]
    assert await statuses(store, text="1", status=("failed", "pending")) == ["b1", "a1"]
    assert await statuses(store, workflow="a", status=("running",), tag="t1", since=moment, text="a2") == ["a2"]
    assert await statuses(store, workflow="nothing") == []


async def test_a_cursor_that_no_page_gave_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="next"):
        await store.list_runs(RunFilter(), limit=3, after="1 OR 1=1")


# -- questions


async def test_a_question_is_open_until_it_is_answered(store: Store) -> None:
    about = {"label": "boss", "title": "Buy?", "schema": {"type": "object"}, "expires_at": 5000.0}
    await add(store, "r1", suspended("review/approve[2]", "t1", **about))
    question, state = await store.suspension("t1")
    assert state == "open"
    assert (question.token, question.run_id, question.workflow_id) == ("t1", "r1", "weather")
    assert (question.path, question.label, question.title) == ("review/approve[2]", "boss", "Buy?")
    assert (question.payload, question.schema) == ({"cost": 7}, {"type": "object"})
    assert question.created_at == datetime.fromtimestamp(1002, UTC)
    assert question.expires_at == datetime.fromtimestamp(5000, UTC)
    answer = Fact("step.resumed", "review/approve[2]", data={"token": "t1"}, value=value("true"))
    await store.append("r1", facts(answer, after=2), epoch=1)
    assert (await store.suspension("t1"))[1] == "answered"
    with pytest.raises(NotSuspended):
        await store.suspension("t2")


async def test_questions_close_with_their_step_and_with_their_run(store: Store) -> None:
    asked = [suspended(path, f"t-{path}") for path in ("a", "b", "c", "d", "e")]
    await add(store, "r1", *asked)
    closing = [
        Fact("step.succeeded", "a", value=value()),
        Fact("suspension.expired", "b", data={"token": "t-b"}),
        Fact("step.failed", "c", data={"error": {}}),
        Fact("step.succeeded", "other", value=value()),
    ]
    await store.append("r1", facts(*closing, after=6), epoch=1)
    states = [(await store.suspension(f"t-{path}"))[1] for path in "abcde"]
    assert states == ["canceled", "expired", "canceled", "open", "open"]
    await store.append("r1", facts(Fact("run.canceled", data={}), after=10), epoch=1)
    assert [(await store.suspension(f"t-{path}"))[1] for path in "bde"] == ["expired", "canceled", "canceled"]


async def test_open_questions_are_listed_oldest_first(store: Store) -> None:
    await add(store, "r1", suspended("a", "t1"), suspended("b", "t2"))
    await add(store, "r2", suspended("a", "t3"), workflow="other")
    await store.append("r1", facts(suspended("c", "t4"), after=3), epoch=1)

    async def tokens(**where: Any) -> list[list[str]]:
        pages: list[list[str]] = []
        after = None
        while True:
            wanted = {"run_id": None, "workflow": None} | where
            page = await store.list_suspensions(**wanted, limit=3, after=after)
            pages.append([one.token for one in page.items])
            after = page.next
            if after is None:
                return pages

    assert await tokens() == [["t1", "t2", "t3"], ["t4"]]
    assert await tokens(run_id="r1") == [["t1", "t2", "t4"]]
    assert await tokens(workflow="other") == [["t3"]]
    assert await tokens(run_id="nobody") == [[]]


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
