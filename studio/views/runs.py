"""The list of runs: filters that are in the address, and rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from engine import RunRow
from studio.plain import Looks
from studio.views.run_head import ENDED

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
    def parts(self) -> tuple[tuple[str, str, str], ...]:
        """What is asked for: its name, what it is, and the address without it."""
        asked = ((name, getattr(self, name)) for name in self.__slots__ if name != "after")
        return tuple((name, value, self.href(**{name: ""})) for name, value in asked if value)

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the page is asked for."""
        return replace(self, after="") != Filters()

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filters:
        """What a query asks for; other names in it are left alone."""
        return cls(**{name: query[name] for name in cls.__slots__ if name in query})

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
    """One row. ``key`` names its regions; ``since`` is the start of what still goes on."""

    run_id: str
    key: Looks[str]
    href: str
    workflow_id: str
    status: str
    blocked: str
    created_at: datetime
    seconds: float | None
    since: Looks[datetime | None]
    tags: tuple[str, ...]
    parent: str


def lines(rows: Iterable[RunRow], now: float) -> tuple[RunLine, ...]:
    """The rows of a page."""
    return tuple(line(row, now) for row in rows)


def line(row: RunRow, now: float) -> RunLine:
    """A run as a row of a table."""
    is_open = row.status not in ENDED
    end = now if is_open else row.updated_at.timestamp()
    key = quote(row.run_id, safe="")
    return RunLine(
        run_id=row.run_id,
        key=key,
        href=f"/runs/{key}",
        workflow_id=row.workflow_id,
        status=row.status,
        blocked=row.blocked or "",
        created_at=row.created_at,
        seconds=None if row.status == "pending" else max(0.0, end - row.created_at.timestamp()),
        since=row.created_at if is_open and row.status != "pending" else None,
        tags=row.tags,
        parent=row.parent_run_id or "",
    )


# -- while it is looked at


def may_change(rows: Iterable[RunLine]) -> Iterator[tuple[str, str]]:
    """Status and id of the rows that have not ended."""
    return ((row.status, row.run_id) for row in rows if row.status not in ENDED)


@dataclass(frozen=True, slots=True)
class Fresh:
    """Runs that came after the list was made: how many, at least if there ``is_more``, and where they are shown."""

    number: int
    is_more: bool
    href: str


def fresh(newest: Sequence[RunRow], filters: Filters, since: float, *, most: int, href: str) -> Fresh:
    """Those among the newest (``most`` at most) that the list would show; of a status: as soon as they have it."""
    found = sum(_is_after(row, filters, since) and fits(row, filters) for row in newest)
    return Fresh(found, found == most, href)


def _is_after(row: RunRow, filters: Filters, since: float) -> bool:
    return (row.updated_at if filters.status else row.created_at).timestamp() > since


def fits(row: RunRow, filters: Filters) -> bool:
    """Whether a run is one that the filters let through, but for the times."""
    text = filters.text.lower()
    return (
        filters.status in ("", row.status)
        and filters.workflow in ("", row.workflow_id)
        and (not filters.tag or filters.tag in row.tags)
        and any(text in one.lower() for one in (row.run_id, row.workflow_id, row.resource_id or "", *row.tags))
        and not filters.until
    )
