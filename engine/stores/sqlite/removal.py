"""Removing runs: each whole, in one transaction, with the payloads that nobody else has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw

from engine.events import BEFORE_START, TERMINAL
from engine.stores.sqlite.rows import encode

SEVERAL = 50
"""Runs that are pruned in one transaction, so that others are not kept waiting."""


def has_started(cursor: apsw.Cursor, key: int) -> bool:
    """Whether anything has happened to a run after it was created."""
    query = "SELECT 1 FROM events WHERE run = ? AND type NOT IN (SELECT value FROM json_each(?)) LIMIT 1"
    return cursor.execute(query, (key, encode(list(BEFORE_START)))).get is not None


def remove(cursor: apsw.Cursor, key: int) -> None:
    """Remove a run; its events, questions, tags and calls go with it."""
    hashes = cursor.execute("SELECT DISTINCT blob FROM events WHERE run = ? AND blob IS NOT NULL", (key,)).fetchall()
    cursor.execute("DELETE FROM runs WHERE key = ?", (key,))
    unused = "DELETE FROM blobs WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE blob = ?1)"
    cursor.executemany(unused, hashes)


def prune(before: float, status: Sequence[str], after: int, cursor: apsw.Cursor) -> tuple[int, int | None]:
    """Remove some runs that ended before a time; how many, and the ``after`` to go on with, or ``None`` at the end."""
    query = (
        "SELECT key FROM runs WHERE key > ? AND ended = 1 AND changed_at < ?"
        " AND status IN (SELECT value FROM json_each(?)) ORDER BY key LIMIT ?"
    )
    wanted = encode(list(status or TERMINAL))
    found: list[tuple[Any, ...]] = cursor.execute(query, (after, before, wanted, SEVERAL)).fetchall()
    keys: list[int] = [key for (key,) in found]
    for key in keys:
        remove(cursor, key)
    return len(keys), keys[-1] if len(keys) == SEVERAL else None
