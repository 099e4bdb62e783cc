"""Cursors of pages: opaque to whoever carries them, a row's number inside."""

from __future__ import annotations

from engine.errors import StoreError


def position(after: str | None) -> int | None:
    """The number in a cursor. Raises ``StoreError`` for a text that no page gave."""
    if after is None:
        return None
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise StoreError(f"after={after[:40]!r} is not what a page gave as its 'next'")
    return int(after)
