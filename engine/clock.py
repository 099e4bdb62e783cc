"""Time comes in by one door, so that tests can turn the hands themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Timer(Protocol):
    """A call that is due later; ``cancel`` takes it back."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Wall time in seconds since 1970 (UTC), and calls at such a time on the running event loop."""

    def now(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer: ...


class SystemClock:
    """The machine's clock.

    A timer checks the wall clock again when it fires, so a clock that jumps ends no wait early.
    """

    def now(self) -> float:
        # As exact as a datetime, so that one taken from an event finds that event.
        # (Rounding a float takes five times as long.)
        return time.time_ns() // 1_000 / 1_000_000

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, when - time.time()), callback)


def as_datetime(at: float) -> datetime:
    """Seconds since 1970 as an aware UTC datetime."""
    return datetime.fromtimestamp(at, UTC)


def to_iso(at: float) -> str:
    """Seconds since 1970 as ISO 8601 text in UTC."""
    return as_datetime(at).isoformat()


def from_iso(text: str) -> float:
    """ISO 8601 text as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()
