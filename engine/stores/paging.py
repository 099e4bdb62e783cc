"""Cursors of pages: opaque to whoever carries them, a row's number inside."""

from __future__ import annotations


def position(after: str | None) -> int | None:
    """The number in a cursor. Raises ``ValueError`` for a text that no page gave."""
    if after is None:
        return None
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise ValueError(f"after={after[:40]!r} is not what a page gave as its 'next'")
    return int(after)
