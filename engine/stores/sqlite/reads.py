"""What can be read of a SQLite store, from any thread and any event loop."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apsw

from engine.events import Fact
from engine.store import EventFilter, Page, Request, RunFilter, RunRow, Suspension
from engine.stores.sqlite import lists
from engine.stores.sqlite.log import unknown
from engine.stores.sqlite.owners import Owner
from engine.stores.sqlite.rows import SELECT, Resolver, encode, to_fact

_FACTS = f"{SELECT} WHERE e.run = ? AND e.seq > ? ORDER BY e.seq LIMIT ?"
_FACT = f"{SELECT} WHERE e.run = ? AND e.seq = ?"
_WHERE = """WHERE e.run = :run AND e.seq > :after AND e.seq < :before
    AND (:types IS NULL OR e.type IN (SELECT value FROM json_each(:types)))
    AND (:path IS NULL OR e.path = :path OR substr(e.path, 1, length(:path) + 1) IN (:path || '/', :path || '['))"""
_FIRST = f"{SELECT} {_WHERE} ORDER BY e.seq LIMIT :limit"
_NEWEST = f"{SELECT} {_WHERE} ORDER BY e.seq DESC LIMIT :limit"
_TALLY = "SELECT e.type, count(*), max(e.seq) FROM events e"
_COUNTS = f"{_TALLY} {_WHERE} GROUP BY e.type"
_LAST = "SELECT coalesce((SELECT max(seq) FROM events WHERE run = key), 0) FROM runs WHERE run_id = ?"
_NO_END = 2**63 - 1
_EPOCHS = "SELECT run_id, epoch FROM json_each(?) JOIN runs ON run_id = value"
_ALIVE = "SELECT key, run_id, owner FROM runs WHERE ended = 0 AND workflow_id = ?"
_UNHOOKED = "SELECT key, run_id, owner FROM runs WHERE ended = 1 AND hooked = 0 AND workflow_id = ?"


class Reads:
    """The reading half of the store. Raises ``StoreError`` when the store is closed or the file can't be read."""

    _readers: Any
    _owner: Owner
    _unwritten: dict[str, list[Fact]]

    async def read(self, run_id: str, *, after: int = 0, limit: int | None = None, resolve: bool = False) -> list[Fact]:
        """See :class:`engine.store.Store`."""
        waiting = list(self._unwritten.get(run_id, ())) if self._unwritten else []
        with self._readers.cursor() as cursor:
            key = cursor.execute("SELECT key FROM runs WHERE run_id = ?", (run_id,)).get
            if key is None:
                raise unknown(run_id)
            rows = cursor.execute(_FACTS, (key, after, -1 if limit is None else limit)).fetchall()
            facts = [to_fact(row) for row in rows]
            last = facts[-1].seq if facts else after
            facts += [fact for fact in waiting if fact.seq > last][: None if limit is None else limit - len(facts)]
            if resolve:
                _resolve(cursor, key, facts)
        return facts

    async def find(self, run_id: str, where: EventFilter, *, limit: int, newest: bool = False) -> list[Fact]:
        """See :class:`engine.store.Store`."""
        waiting = self._waiting(run_id, where)
        with self._readers.cursor() as cursor:
            key, asked = _asked(cursor, run_id, where)
            rows = cursor.execute(_NEWEST if newest else _FIRST, asked | {"limit": limit}).fetchall()
            found = {fact.seq: fact for fact in waiting} | {row[0]: to_fact(row) for row in rows}
            facts = [found[seq] for seq in sorted(found)]
            facts = facts[-limit:] if newest else facts[:limit]
            _resolve(cursor, key, facts)
        return facts

    async def count_facts(self, run_id: str, where: EventFilter) -> dict[str, int]:
        """See :class:`engine.store.Store`."""
        waiting = self._waiting(run_id, where)
        with self._readers.cursor() as cursor:
            _, asked = _asked(cursor, run_id, where)
            rows: list[tuple[str, int, int]] = cursor.execute(_COUNTS, asked).fetchall()
        last = {kind: seq for kind, _, seq in rows}
        found = Counter({kind: number for kind, number, _ in rows})
        found.update(fact.type for fact in waiting if fact.seq > last.get(fact.type, 0))
        return dict(found)

    def _waiting(self, run_id: str, where: EventFilter) -> list[Fact]:
        """Facts that the filter lets through and that are not written yet."""
        end = math.inf if where.before is None else where.before
        waiting = list(self._unwritten.get(run_id, ())) if self._unwritten else []
        return [fact for fact in waiting if where.after < fact.seq < end and where.lets_through(fact)]

    async def last_seq(self, run_id: str) -> int:
        """See :class:`engine.store.Store`."""
        waiting = self._unwritten.get(run_id)
        with self._readers.cursor() as cursor:
            last = cursor.execute(_LAST, (run_id,)).get
        if last is None:
            raise unknown(run_id)
        return waiting[-1].seq if waiting else int(last)

    async def epochs(self, run_ids: Sequence[str]) -> dict[str, int]:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            return dict(cursor.execute(_EPOCHS, (encode(list(run_ids)),)))

    async def claimable(self, workflow_ids: Sequence[str]) -> list[str]:
        """See :class:`engine.store.Store`."""
        return self._ownerless(_ALIVE, workflow_ids)

    async def unhooked(self, workflow_ids: Sequence[str]) -> list[str]:
        """See :class:`engine.store.Store`."""
        return self._ownerless(_UNHOOKED, workflow_ids)

    def _ownerless(self, query: str, workflow_ids: Sequence[str]) -> list[str]:
        with self._readers.cursor() as cursor:
            return lists.ids(cursor, query, workflow_ids, lists.Gone(self._owner))

    async def requests(self) -> list[Request]:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            return lists.requests(cursor, self._owner.id)

    async def row(self, run_id: str) -> RunRow:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            found = lists.row(cursor, run_id)
        if found is None:
            raise unknown(run_id)
        return found

    async def list_runs(self, where: RunFilter, *, limit: int, after: str | None) -> Page[RunRow]:
        """See :class:`engine.store.Store`. With ``text``, a page may be short and still have a next one."""
        with self._readers.cursor() as cursor:
            return lists.runs(cursor, where, limit=limit, after=after)

    async def list_suspensions(
        self, *, run_id: str | None, workflow: str | None, limit: int, after: str | None
    ) -> Page[Suspension]:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            return lists.suspensions(cursor, run_id=run_id, workflow=workflow, limit=limit, after=after)

    async def counts(self, workflow: str | None) -> dict[str, int]:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            return lists.counts(cursor, workflow)

    async def open_questions(self, workflow: str | None) -> int:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            return lists.open_questions(cursor, workflow)

    async def suspension(self, token: str) -> tuple[Suspension, str]:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            return lists.suspension(cursor, token)

    async def definition(self, version: str) -> dict[str, Any] | None:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            return lists.definition(cursor, version)


def _asked(cursor: apsw.Cursor, run_id: str, where: EventFilter) -> tuple[int, dict[str, Any]]:
    """The run's key, and what its facts are asked with. Raises ``UnknownRun``."""
    key = cursor.execute("SELECT key FROM runs WHERE run_id = ?", (run_id,)).get
    if key is None:
        raise unknown(run_id)
    types = encode(sorted(where.types)) if where.types else None
    before = _NO_END if where.before is None else where.before
    return key, {"run": key, "types": types, "path": where.path, "after": where.after, "before": before}


def _resolve(cursor: apsw.Cursor, key: int, facts: list[Fact]) -> None:
    """Put payloads in the place of references."""

    def fetch(seq: int) -> Fact | None:
        row = cursor.execute(_FACT, (key, seq)).fetchone()
        return None if row is None else to_fact(row)

    resolver = Resolver(facts, fetch)
    for fact in facts:
        resolver.resolve(fact)
