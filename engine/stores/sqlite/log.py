"""Appending: the log of a run, and the tables that follow it, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import apsw

from engine.errors import Fenced, RunExists, StoreError, UnknownRun
from engine.events import Fact
from engine.stores.fold import Delta, Folded, Question, fold
from engine.stores.sqlite.rows import INSERT, decode, encode, to_row
from engine.values import Value

_EPOCH = "SELECT epoch FROM runs WHERE key = ?"
_KEY = "SELECT key FROM runs WHERE run_id = ?"
_RUN = (
    "SELECT key, workflow_id, status, blocked, resource_id, tags, parent_run_id, version, created_at, changed_at,"
    " coalesce((SELECT max(seq) FROM events WHERE run = key), 0) FROM runs WHERE run_id = ?"
)
_CREATE = (
    "INSERT INTO runs (run_id, workflow_id, status, ended, blocked, resource_id, tags, parent_run_id, version,"
    " created_at, changed_at, owner, epoch) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
)
_UPDATE = "UPDATE runs SET status = ?, ended = ?, blocked = ?, version = ?, changed_at = ? WHERE key = ?"
_ASK = "INSERT INTO suspensions (token, run, seq, path, state) VALUES (?, ?, ?, ?, ?)"
_ANSWER = "UPDATE suspensions SET state = ? WHERE run = ? AND token = ?"


class Head:
    """What is known of a run that this store writes: its key, and the fold up to its last fact."""

    __slots__ = ("folded", "key")

    def __init__(self, key: int, folded: Folded) -> None:
        self.key = key
        self.folded = folded


class Log:
    """Writes facts. What it knows of runs is forgotten whenever a transaction fails, and read again."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._heads: dict[str, Head] = {}

    def forget(self, run_id: str | None = None) -> None:
        """Read a run again before it is written next (all of them, without a name)."""
        if run_id is None:
            self._heads.clear()
        else:
            self._heads.pop(run_id, None)

    def write(self, cursor: apsw.Cursor, run_id: str, facts: Sequence[Fact], epoch: int) -> None:
        """Append, inside a transaction.

        Raises ``Fenced``, ``RunExists``, ``UnknownRun``, ``StoreError`` before it has written anything.
        """
        if facts[0].type == "run.created":
            self._create(cursor, run_id, facts)
            return
        head = self._heads.get(run_id) or self._load(cursor, run_id)
        found = cursor.execute(_EPOCH, (head.key,)).get
        if found != epoch:
            self.forget(run_id)
            raise _fenced(run_id, found, epoch)
        folded = head.folded
        if facts[0].seq != folded.last + 1:
            raise StoreError(
                f"run {run_id!r}: fact {facts[0].seq} does not follow fact {folded.last}; nothing was written"
            )
        self._insert(cursor, head.key, facts)
        delta = fold(folded, facts)
        if delta is not None:
            _save(cursor, head, delta)
        if folded.ended:
            self.forget(run_id)

    def _create(self, cursor: apsw.Cursor, run_id: str, facts: Sequence[Fact]) -> None:
        if cursor.execute(_KEY, (run_id,)).get is not None:
            raise RunExists(f"a run with the id {run_id!r} exists already; choose another id")
        if facts[0].seq != 1:
            raise StoreError(f"run {run_id!r}: its first fact has the number {facts[0].seq}; nothing was written")
        folded = Folded()
        delta = fold(folded, facts)
        insert_run(cursor, run_id, folded, owner=self._owner)
        head = Head(cursor.connection.last_insert_rowid(), folded)
        self._insert(cursor, head.key, facts)
        if delta is not None:
            delta.row = False
            _save(cursor, head, delta)
        self._heads[run_id] = head

    def _insert(self, cursor: apsw.Cursor, key: int, facts: Sequence[Fact]) -> None:
        keep = partial(keep_blob, cursor)
        rows = [to_row(key, fact, keep) for fact in facts]  # all of them, before the first is written
        cursor.executemany(INSERT, rows)

    def _load(self, cursor: apsw.Cursor, run_id: str) -> Head:
        found = load(cursor, run_id)
        if found is None:
            raise unknown(run_id)
        self._heads[run_id] = found
        return found

    def has_landed(self, cursor: apsw.Cursor, run_id: str, seq: int) -> bool:
        """Whether a fact of a run is in the log."""
        query = "SELECT 1 FROM events WHERE run = (SELECT key FROM runs WHERE run_id = ?) AND seq = ?"
        return cursor.execute(query, (run_id, seq)).get is not None


def insert_run(cursor: apsw.Cursor, run_id: str, folded: Folded, *, owner: str | None) -> None:
    """The row of a new run."""
    cursor.execute(
        _CREATE,
        (
            run_id,
            folded.workflow_id,
            folded.status,
            folded.ended,
            folded.blocked,
            folded.resource_id,
            encode(folded.tags),
            folded.parent_run_id,
            folded.version,
            folded.created_at,
            folded.changed_at,
            owner,
        ),
    )
    if folded.tags:
        key = cursor.connection.last_insert_rowid()
        cursor.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", [(tag, key) for tag in folded.tags])
        cursor.connection.set_last_insert_rowid(key)


def _save(cursor: apsw.Cursor, head: Head, delta: Delta) -> None:
    folded = head.folded
    if delta.row:
        changed = (folded.status, folded.ended, folded.blocked, folded.version, folded.changed_at, head.key)
        cursor.execute(_UPDATE, changed)
    for question in delta.opened:
        cursor.execute(_ASK, (question.token, head.key, question.seq, question.path, question.state))
    for question in delta.closed:
        cursor.execute(_ANSWER, (question.state, head.key, question.token))


def load(cursor: apsw.Cursor, run_id: str) -> Head | None:
    """What the tables say of a run."""
    row = cursor.execute(_RUN, (run_id,)).fetchone()
    if row is None:
        return None
    key, workflow, status, blocked, resource, tags, parent, version, created, changed, last = row
    folded = Folded(workflow, status, blocked, resource, tuple(decode(tags)), parent, version, created, changed, last)
    asked: list[tuple[Any, ...]] = cursor.execute(
        "SELECT token, seq, path FROM suspensions WHERE run = ? AND state = 'open' ORDER BY id", (key,)
    ).fetchall()
    folded.open = {token: Question(token, seq, path) for token, seq, path in asked}
    return Head(key, folded)


def keep_blob(cursor: apsw.Cursor, value: Value) -> None:
    """Store a large payload once."""
    if cursor.execute("SELECT 1 FROM blobs WHERE hash = ?", (value.digest,)).get is None:
        cursor.execute("INSERT INTO blobs VALUES (?, ?)", (value.digest, value.raw))


def unknown(run_id: str) -> UnknownRun:
    """The error for a run that is not here."""
    return UnknownRun(f"no run has the id {run_id!r}; it may have been deleted, or be in another store")


def _fenced(run_id: str, found: object, epoch: int) -> UnknownRun | Fenced:
    if found is None:
        return unknown(run_id)
    return Fenced(f"run {run_id!r} was taken over (epoch {found}, not {epoch}); it goes on elsewhere")
