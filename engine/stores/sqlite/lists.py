"""Queries for lists: pages by key, newest first, each filter along an index."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import islice
from typing import Any

import apsw
from pydantic_core import from_json

from engine.clock import as_datetime
from engine.codec import plain
from engine.errors import NotSuspended, StoreCorrupt
from engine.store import Page, Request, RunFilter, RunRow, Suspension
from engine.stores.fold import expiry
from engine.stores.paging import position
from engine.stores.sqlite.owners import Owner
from engine.stores.sqlite.rows import decode

SCANNED = 100_000
"""Runs that a page looks at where no index leads to what is asked for: a text, or a tag and something else.

The page may be short then, and say where the next one starts.
"""

_LAST = 2**63 - 1
_FIRST = "SELECT min(key) FROM runs WHERE created_at >= ?"
_LATEST = "SELECT max(key) FROM runs WHERE created_at < ?"
_BY_TIME = "FROM runs INDEXED BY runs_by_time"
"""For a search that few runs fit. Without it the runs are gone through by their keys until one fits."""

_ROW = (
    "SELECT r.key, r.run_id, r.workflow_id, r.status, r.blocked, r.resource_id, r.tags, r.created_at,"
    " coalesce((SELECT at FROM events WHERE run = r.key ORDER BY seq DESC LIMIT 1), r.changed_at),"
    " r.parent_run_id, r.version"
)
_TEXT = (
    "(r.run_id LIKE ? ESCAPE '!' OR r.workflow_id LIKE ? ESCAPE '!' OR r.tags LIKE ? ESCAPE '!'"
    " OR r.resource_id LIKE ? ESCAPE '!')"
)
# Questions first: by their runs one would look at all runs of a workflow.
_QUESTION = (
    "SELECT s.id, s.token, r.run_id, r.workflow_id, s.path, e.data, coalesce(e.value, b.body), e.at, s.state"
    " FROM suspensions s CROSS JOIN runs r ON r.key = s.run JOIN events e ON e.run = s.run AND e.seq = s.seq"
    " LEFT JOIN blobs b ON b.hash = e.blob"
)


def row(cursor: apsw.Cursor, run_id: str) -> RunRow | None:
    """One run's row."""
    found = cursor.execute(f"{_ROW} FROM runs r WHERE r.run_id = ?", (run_id,)).fetchone()
    return None if found is None else _to_row(found)


def _to_row(found: tuple[Any, ...]) -> RunRow:
    _, run_id, workflow, status, blocked, resource, tags, created, updated, parent, version = found
    when = as_datetime(created), as_datetime(updated)
    return RunRow(run_id, workflow, status, blocked, resource, tuple(decode(tags)), *when, parent, version)


def runs(cursor: apsw.Cursor, where: RunFilter, *, limit: int, after: str | None) -> Page[RunRow]:
    """A page of runs."""
    before = position(after)
    first, last = _between(cursor, where)
    before = min(_LAST if before is None else before, last + 1)
    scanned = _floor(cursor, before) if _is_scan(where) else 0
    floor = max(scanned, first)
    # One status at a time, since each is a walk along its index, and several at once would be sorted.
    walked = _statuses(cursor, where)
    lists = [_walk(cursor, where, status, keys=(floor, before), limit=limit + 1) for status in walked]
    found = list(islice(heapq.merge(*lists, key=lambda one: one[0], reverse=True), limit + 1))
    items = [_to_row(one) for one in found[:limit]]
    if len(found) > limit:
        return Page(items, str(found[limit - 1][0]) if items else after)
    return Page(items, str(scanned) if scanned > max(first, 1) else None)


def _walk(
    cursor: apsw.Cursor, where: RunFilter, status: str | None, *, keys: tuple[int, int], limit: int
) -> list[tuple[Any, ...]]:
    floor, before = keys
    source, conditions, values = _conditions(where, status)
    key = "t.run" if where.tag is not None else "r.key"
    if floor:
        conditions.append(f"{key} >= ?")
        values.append(floor)
    if where.text is not None:
        conditions.append(_TEXT)
        values += [_pattern(where.text)] * 4
    wanted = " AND ".join([f"{key} < ?", *conditions])
    query = f"{_ROW} FROM {source} WHERE {wanted} ORDER BY {key} DESC LIMIT ?"
    return cursor.execute(query, (before, *values, limit)).fetchall()


def _is_scan(where: RunFilter) -> bool:
    """Whether no index leads to just what is asked for."""
    is_narrower = where.status or where.workflow is not None or where.resource_id is not None
    return where.text is not None or (where.tag is not None and bool(is_narrower))


def _statuses(cursor: apsw.Cursor, where: RunFilter) -> Sequence[str | None]:
    """The statuses to walk along; ``None`` is any. There is an index for those of a workflow."""
    if where.workflow is None or where.tag is not None:
        return where.status or (None,)
    return [status for status in counts(cursor, where.workflow) if not where.status or status in where.status]


def _between(cursor: apsw.Cursor, where: RunFilter) -> tuple[int, int]:
    """The first and the last key that the times let through. Looked up by themselves, they are where a walk begins."""
    first, last = 0, _LAST - 1
    if where.since is None and where.until is None:
        return first, last
    middle = cursor.execute("SELECT created_at FROM runs WHERE key >= (SELECT max(key) / 2 FROM runs) LIMIT 1").get or 0
    if where.since is not None:
        since = where.since.timestamp()
        query = _FIRST if since < middle else _FIRST.replace("FROM runs", _BY_TIME)
        found = cursor.execute(query, (since,)).get
        first = _LAST if found is None else found
    if where.until is not None:
        until = where.until.timestamp()
        query = _LATEST.replace("FROM runs", _BY_TIME) if until < middle else _LATEST
        found = cursor.execute(query, (until,)).get
        last = 0 if found is None else found
    return first, last


def _floor(cursor: apsw.Cursor, before: int) -> int:
    """The key down to which a search for text looks now; 0 when that is all."""
    keys = "SELECT key FROM runs WHERE key < ? ORDER BY key DESC LIMIT 1 OFFSET ?"
    found = cursor.execute(keys, (before, SCANNED - 1)).get
    return int(found) if found is not None else 0


def _conditions(where: RunFilter, status: str | None) -> tuple[str, list[str], list[object]]:
    source = "runs r"
    wanted: list[tuple[str, object]] = []
    if where.tag is not None:
        source = "tags t CROSS JOIN runs r ON r.key = t.run"
        wanted.append(("t.tag = ?", where.tag))
    if status is not None:
        wanted.append(("r.status = ?", status))
    if where.workflow is not None:
        wanted.append(("r.workflow_id = ?", where.workflow))
    if where.resource_id is not None:
        wanted.append(("r.resource_id = ?", where.resource_id))
    if where.since is not None:
        since = where.since.timestamp()
        wanted.append(("r.created_at >= ?", since))
    if where.until is not None:
        until = where.until.timestamp()
        wanted.append(("r.created_at < ?", until))
    return source, [condition for condition, _ in wanted], [value for _, value in wanted]


def _pattern(text: str) -> str:
    for char in "!%_":
        text = text.replace(char, "!" + char)
    return f"%{text}%"


def suspensions(
    cursor: apsw.Cursor, *, run_id: str | None, workflow: str | None, limit: int, after: str | None
) -> Page[Suspension]:
    """A page of open questions, oldest first."""
    conditions, values = ["s.state = 'open'", "s.id > ?"], [position(after) or 0]
    bindings: list[object] = [*values]
    if run_id is not None:
        conditions.append("s.run = (SELECT key FROM runs WHERE run_id = ?)")
        bindings.append(run_id)
    if workflow is not None:
        conditions.append("r.workflow_id = ?")
        bindings.append(workflow)
    query = f"{_QUESTION} WHERE {' AND '.join(conditions)} ORDER BY s.id LIMIT ?"
    found = cursor.execute(query, (*bindings, limit + 1)).fetchall()
    items = [_to_suspension(one) for one in found[:limit]]
    return Page(items, str(found[limit - 1][0]) if len(found) > limit > 0 else None)


def counts(cursor: apsw.Cursor, workflow: str | None) -> dict[str, int]:
    """How many runs there are of each status that occurs."""
    query = "SELECT status, sum(runs) FROM counts WHERE ?1 IS NULL OR workflow_id = ?1 GROUP BY status"
    return {status: number for status, number in cursor.execute(query, (workflow,)) if number}


def open_questions(cursor: apsw.Cursor, workflow: str | None) -> int:
    """How many questions are open."""
    query = "SELECT count(*) FROM suspensions s WHERE s.state = 'open'"
    if workflow is None:
        return int(cursor.execute(query).get)
    query += " AND (SELECT workflow_id FROM runs WHERE key = s.run) = ?"
    return int(cursor.execute(query, (workflow,)).get)


def suspension(cursor: apsw.Cursor, token: str) -> tuple[Suspension, str]:
    """One question and its state. Raises ``NotSuspended``."""
    query = f"{_QUESTION} WHERE s.token = ? ORDER BY s.state = 'open' DESC, s.id LIMIT 1"
    found = cursor.execute(query, (token,)).fetchone()
    if found is None:
        raise NotSuspended(f"no question has the token {token!r}")
    return _to_suspension(found), found[-1]


def _to_suspension(found: tuple[Any, ...]) -> Suspension:
    _, token, run_id, workflow, path, data, payload, at, _ = found
    about = decode(data) if data else {}
    return Suspension(
        token=token,
        run_id=run_id,
        workflow_id=workflow,
        path=path,
        label=about.get("label"),
        title=about.get("title"),
        payload=None if payload is None else plain(payload),
        schema=about.get("schema"),
        created_at=as_datetime(at),
        expires_at=expiry(about),
    )


class Gone(dict[str | None, bool]):
    """Whether an owner is gone, asked once each."""

    def __init__(self, owner: Owner) -> None:
        super().__init__({None: True})
        self._owner = owner

    def __missing__(self, other: str | None) -> bool:
        gone = self[other] = other is None or not self._owner.is_alive(other)
        return gone


def ids(cursor: apsw.Cursor, query: str, workflow_ids: Sequence[str], is_gone: Gone) -> list[str]:
    """Ids from a query of run, owner and key per workflow, of those whose owner is gone, oldest first."""
    found: list[tuple[Any, ...]] = []
    for workflow in set(workflow_ids):
        found += cursor.execute(query, (workflow,)).fetchall()
    return [run_id for _, run_id, owner in sorted(found) if is_gone[owner]]


def requests(cursor: apsw.Cursor, owner: str) -> list[Request]:
    """Calls for the runs of an owner."""
    query = (
        "SELECT q.id, r.run_id, q.verb, q.body FROM runs r CROSS JOIN requests q ON q.run = r.key"
        " WHERE r.owner = ? AND q.reply IS NULL ORDER BY q.id"
    )
    if cursor.execute("SELECT 1 FROM requests LIMIT 1").get is None:
        return []
    return [
        Request(number, run_id, verb, decode(body)) for number, run_id, verb, body in cursor.execute(query, (owner,))
    ]


def definition(cursor: apsw.Cursor, version: str) -> dict[str, Any] | None:
    """A stored definition."""
    body = cursor.execute("SELECT body FROM definitions WHERE version = ?", (version,)).get
    try:
        return None if body is None else dict(from_json(body))
    except (ValueError, TypeError) as error:
        raise StoreCorrupt(f"the stored definition {version!r} can't be read: {error}") from error
