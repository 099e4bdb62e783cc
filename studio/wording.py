"""Numbers, times and texts as people read them."""

from __future__ import annotations

import time
from collections.abc import Sized
from datetime import UTC, datetime, timedelta

NONE = "\N{EN DASH}"
"""What stands where there is nothing to say."""
SHORT_ID = 12
LONG_TEXT = 2_000

When = datetime | float
"""A moment: an aware datetime, or seconds since 1970."""


def duration(value: float | timedelta | None) -> str:
    """Seconds as ``12 ms``, ``1.84 s``, ``47.3 s``, ``1 m 04 s``, ``2 h 05 m``, ``3 d 04 h``."""
    if value is None:
        return NONE
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 0:
        return f"\N{MINUS SIGN}{duration(-seconds)}"
    if seconds < 0.9995:
        milliseconds = seconds * 1000
        return "0 ms" if seconds == 0 else f"{milliseconds:.0f} ms" if milliseconds >= 1 else "< 1 ms"
    for below, digits in ((9.995, 2), (59.95, 1)):
        if seconds < below:
            return f"{seconds:.{digits}f}".rstrip("0").rstrip(".") + " s"
    return _long(round(seconds))


def _long(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days:,} d {hours:02} h"
    if hours:
        return f"{hours} h {minutes:02} m"
    return f"{minutes} m {seconds:02} s"


def ago(at: When | None, now: When | None = None) -> str:
    """``just now``, ``42 s ago``, ``3 min ago``, ``2 h ago``, ``5 d ago``, then the day; or ``in 3 min``."""
    if at is None:
        return NONE
    passed = _seconds(time.time() if now is None else now) - _seconds(at)
    away = abs(passed)
    if away < 2:
        return "just now"
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 86_400), ("d", 86_400, 14 * 86_400)):
        if away < limit:
            said = f"{away // size:.0f} {unit}"
            return f"{said} ago" if passed > 0 else f"in {said}"
    return f"{moment(at):%Y-%m-%d}"


def moment(at: When) -> datetime:
    """An aware datetime in this machine's zone."""
    found = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    if found.tzinfo is None:
        raise ValueError(f"the time {found} has no zone; give an aware datetime or seconds since 1970")
    return found.astimezone()


def exact(at: When | None) -> str:
    """``2026-11-24 14:02:11.402 +01:00``."""
    if at is None:
        return NONE
    found = moment(at)
    zone = f"{found:%z}"
    return f"{found:%Y-%m-%d %H:%M:%S}.{found.microsecond // 1000:03} {zone[:3]}:{zone[3:5]}"


def clock(at: When | None) -> str:
    """``14:02:11``, the time of the day."""
    return NONE if at is None else f"{moment(at):%H:%M:%S}"


def iso(at: When) -> str:
    """For the ``datetime`` of a ``<time>``: ISO 8601 in UTC, to the millisecond."""
    return moment(at).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(at: When) -> float:
    return at.timestamp() if isinstance(at, datetime) else float(at)


def short_id(value: object) -> str:
    """Both ends of a long id: ``01JD…7QK2``."""
    text = str(value)
    return text if len(text) <= SHORT_ID else f"{text[:4]}…{text[-4:]}"


def count(value: int | Sized | None) -> str:
    """``1,204``; of a collection, its length."""
    if value is None:
        return NONE
    return f"{value if isinstance(value, int) else len(value):,}"


def plural(number: int, one: str, many: str = "") -> str:
    """``1 step``, ``2 steps``, ``1,204 runs``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(value: int | None) -> str:
    """Bytes as ``812 B``, ``1.2 kB``, ``34 MB``."""
    if value is None:
        return NONE
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 9.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("the last unit returns")


def per_cent(value: float | None) -> str:
    """A share of one as ``97 %``; neither 0 nor 100 unless it is."""
    if value is None:
        return NONE
    if 0 < value < 1:
        return f"{min(99, max(1, round(value * 100)))} %"
    return f"{value * 100:.0f} %"
