"""What tests of the server wait with: a condition, never a pause."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(found: Callable[[], T | None], limit: float = 10.0) -> T:
    """What ``found`` returns, once that is something. Raises ``AssertionError`` after ``limit`` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"it did not happen within {limit} s: {found}")
