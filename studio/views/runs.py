"""The list of runs: filters that are in the address, and rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from engine import RunRow
from studio.views.run import ENDED

ORDER = ("running", "suspended", "waiting", "paused", "failed", "success", "canceled", "pending")
"""Statuses in the order of the chips: what wants attention first."""

PAGE = 50


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list shows, as the address says it. Times are UTC."""

    status: str = ""
    workflow: str = ""
    tag: str = ""
    text: str = ""
    since: str = ""
    until: str = ""
    after: str = ""

    def href(self, **changes: str) -> str:
        """The address of the list with something else asked for; it begins with its first page again."""
        query = replace(self, **{"after": "", **changes}).query
        return f"/runs?{query}" if query else "/runs"

    @property
    def query(self) -> str:
        """What stands after the question mark."""
        return urlencode({name: value for name in self.__slots__ if (value := getattr(self, name))})

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the page is asked for."""
        return replace(self, after="") != Filters()

    def arguments(self) -> dict[str, Any]:
        """For ``engine.list_runs``. Raises ``ValueError`` for a time that there is not."""
        found: dict[str, Any] = {
            name: value for name in ("workflow", "status", "tag", "text", "after") if (value := getattr(self, name))
        }
        for name in ("since", "until"):
            if value := getattr(self, name):
                found[name] = moment(name, value)
        return found


def moment(name: str, text: str) -> datetime:
    """A time from the address; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r} is no time; write it like 2026-01-31T18:00") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chip:
    """A status to filter by."""

    status: str
    number: int
    href: str
    is_current: bool


def chips(counts: Mapping[str, int], filters: Filters) -> tuple[Chip, ...]:
    """All, and each status that occurs or is chosen."""
    every = [Chip("", sum(counts.values()), filters.href(status=""), not filters.status)]
    for status in ORDER:
        is_current = filters.status == status
        if counts.get(status) or is_current:
            every.append(Chip(status, counts.get(status, 0), filters.href(status=status), is_current))
    return tuple(every)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One row."""

    run_id: str
    workflow_id: str
    status: str
    created_at: datetime
    seconds: float
    is_open: bool
    tags: tuple[str, ...]
    parent: str


def lines(rows: Iterable[RunRow], now: float) -> tuple[RunLine, ...]:
    """The rows of a page."""
    return tuple(_line(row, now) for row in rows)


def _line(row: RunRow, now: float) -> RunLine:
    is_open = row.status not in ENDED
    end = now if is_open else row.updated_at.timestamp()
    return RunLine(
        row.run_id,
        row.workflow_id,
        row.status,
        row.created_at,
        max(0.0, end - row.created_at.timestamp()),
        is_open and row.status != "pending",
        row.tags,
        row.parent_run_id or "",
    )
