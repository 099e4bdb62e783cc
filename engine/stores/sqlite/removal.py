"""Removing runs: each whole, in one transaction, with the payloads that nobody else has."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

SEVERAL = 50
"""Runs that are pruned in one transaction, so that others are not kept waiting."""


def remove(cursor: apsw.Cursor, key: int) -> None:
    """Remove a run; its events, questions, tags and calls go with it."""
    hashes = cursor.execute("SELECT DISTINCT blob FROM events WHERE run = ? AND blob IS NOT NULL", (key,)).fetchall()
    cursor.execute("DELETE FROM runs WHERE key = ?", (key,))
    unused = "DELETE FROM blobs WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE blob = ?1)"
    cursor.executemany(unused, hashes)


def prune(before: float, status: Sequence[str], cursor: apsw.Cursor) -> int:
    """Remove some runs that ended before a time; 0 when there are no more."""
    query = "SELECT key, status FROM runs WHERE ended = 1 AND changed_at < ?"
    keys = []
    for key, found in cursor.execute(query, (before,)):
        if not status or found in status:
            keys.append(key)
            if len(keys) == SEVERAL:
                break
    for key in keys:
        remove(cursor, key)
    return len(keys)
