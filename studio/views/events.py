"""Events of a run as a table: a window of the last ones, or of those before a number; all, or some of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from engine import Event, Run
from studio.log_lines import escaped_json

EventNumber = Annotated[int, Field(ge=1)] | Literal["last"]

WINDOW = 200
"""Events that are shown at once."""

LONGEST = 160

FAR = 100_000
"""How many events of a run are looked through at once for those that are asked for."""

FAR_FOR_TEXT = 5_000
"""The same if they have to be read for that."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are listed: of these types, of a step and of what is inside it, with this in what is shown."""

    types: tuple[str, ...] = ()
    path: str = ""
    text: str = ""

    @property
    def is_narrow(self) -> bool:
        """Whether anything is asked for."""
        return self != Filter()

    @property
    def query(self) -> dict[str, str | tuple[str, ...]]:
        """What says it in an address."""
        said: dict[str, str | tuple[str, ...]] = {"type": self.types, "path": self.path, "find": self.text}
        return {name: value for name, value in said.items() if value}

    @property
    def where(self) -> dict[str, Any]:
        """For ``run.list_events``: all but the text."""
        return {"types": self.types, "path": self.path or None}

    @property
    def reach(self) -> int:
        """How many events are looked through."""
        return FAR_FOR_TEXT if self.text else FAR

    def toggled(self, kind: str) -> tuple[str, ...]:
        """The types with one more, or without it."""
        others = tuple(one for one in self.types if one != kind)
        return others if kind in self.types else (*others, kind)

    def has_text(self, event: Event) -> bool:
        """Whether the text is in an event; ``event`` is as it is shown, so that nobody can guess at secrets."""
        if not self.text:
            return True
        said = f"{event.type} {event.path or ''} {json.dumps(event.data, ensure_ascii=False)}"
        return self.text.casefold() in said.casefold()


ALL = Filter()


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event."""

    seq: int
    at: datetime
    type: str
    path: str
    attempt: int | None
    data: str


@dataclass(frozen=True, slots=True)
class EventTable:
    """A window of events, without secrets. ``older`` and ``newer`` are what ``before`` is for the windows beside it."""

    events: list[Event]
    total: int
    older: int | None
    newer: int | None
    chosen: Event | None = None
    """The event that is looked at."""

    previous: EventNumber | None = None
    """The listed event before the chosen one; the last one if none is chosen: its address stays while events come."""

    next: int | None = None
    """The listed event after the chosen one; the first one if none is chosen (with a filter: the first one here)."""

    filter: Filter = ALL
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many there are of each type, but for the text; empty if nobody asked."""

    came: int = 0
    """Events that would be listed and came after the table was frozen, up to a window of them."""

    searched: int = 1
    """The number down to which events were looked for."""

    @property
    def rows(self) -> tuple[EventRow, ...]:
        """The newest first."""
        return tuple(_row(event) for event in reversed(self.events))

    @property
    def number(self) -> int:
        """How many events are listed, in this window and others; with a text in this one."""
        if self.filter.text:
            return len(self.events)
        return sum(number for kind, number in self.counts.items() if kind in (self.filter.types or (kind,)))

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """The types that there are, or that are asked for, and how many of each."""
        return [(kind, self.counts.get(kind, 0)) for kind in sorted({*self.counts, *self.filter.types})]

    @property
    def is_more_coming(self) -> bool:
        """Whether more events came than are counted."""
        return self.came == WINDOW

    @property
    def is_more(self) -> bool:
        """Whether there may be more of them, where nobody has looked."""
        return (self.older or self.newer) is not None if self.filter.text else self.total > FAR


async def recent(run: Run) -> list[Event]:
    """The last events of a run."""
    return [event.redacted() for event in await run.list_events(newest=True, limit=WINDOW)]


async def table(
    run: Run,
    recent: list[Event],
    *,
    before: int | None = None,
    event: EventNumber | None = None,
    filter: Filter = ALL,
    frozen: int | None = None,
    counted: bool = False,
) -> EventTable:
    """The window before a number or around an event, of those that are let through, up to the ``frozen`` one.

    ``recent`` are the last events of the run. With ``counted`` the types are counted.
    """
    total = recent[-1].seq if recent else 0
    last = total if frozen is None else min(frozen, total)
    if event is not None:
        before = None if event == "last" else holding(event, last)
    end = last + 1 if before is None else min(before, last + 1)
    if end == total + 1 and not filter.is_narrow:
        events, searched = recent, recent[0].seq if recent else 1
    else:
        events, searched = await _before(run, filter, end)
    made = EventTable(
        events,
        total,
        older=searched if searched > 1 else None,
        newer=None if end > last else await _newer(run, filter, end, last),
        chosen=_chosen(events, event),
        filter=filter,
        searched=searched,
    )
    path, since = filter.path or None, max(0, last - FAR)
    return replace(
        made,
        previous=await _previous(run, made),
        next=await _next(run, made, last),
        counts=await run.count_events(path=path, after=since, before=last + 1) if counted else {},
        came=0 if frozen is None else len(await _first(run, filter, last, total, WINDOW)),
    )


def holding(event: int, last: int) -> int | None:
    """``before`` for the window that holds an event: the last one, or one that is the same for all events in it."""
    return None if event > last - WINDOW else -(-event // WINDOW) * WINDOW + 1


async def _before(run: Run, filter: Filter, end: int) -> tuple[list[Event], int]:
    """The last events before a number that are let through, and the number down to which they were looked for."""
    floor, found, before = max(0, end - 1 - filter.reach), list[Event](), end
    while True:
        page = await run.list_events(**filter.where, after=floor, before=before, limit=WINDOW + 1, newest=True)
        shown = [event.redacted() for event in page]
        found = [event for event in shown if filter.has_text(event)] + found
        if len(found) > WINDOW:
            return found[-WINDOW:], found[-WINDOW].seq
        if len(page) <= WINDOW:
            return found, floor + 1
        before = page[0].seq
        await asyncio.sleep(0)  # others are answered between


async def listed(run: Run, filter: Filter, after: int = 0, before: int | None = None) -> AsyncIterator[Event]:
    """Every event that is let through, from the first to the last, without secrets."""
    while page := await run.list_events(**filter.where, after=after, before=before, limit=WINDOW):
        for event in page:
            if filter.has_text(shown := event.redacted()):
                yield shown
        after = page[-1].seq
        await asyncio.sleep(0)


async def _first(run: Run, filter: Filter, after: int, last: int, most: int) -> list[Event]:
    """The first events after a number, as far as is looked."""
    found: list[Event] = []
    async for event in listed(run, filter, after, min(last, after + filter.reach) + 1):
        found.append(event)
        if len(found) == most:
            break
    return found


async def _newer(run: Run, filter: Filter, end: int, last: int) -> int | None:
    """``before`` for the window after this one."""
    if not filter.is_narrow:
        return min(end + WINDOW, last + 1)
    found = await _first(run, filter, end - 1, last, WINDOW)
    if len(found) == WINDOW:
        return found[-1].seq + 1
    far = end + filter.reach
    return min(far, last + 1) if found or far <= last else None


def _chosen(events: list[Event], event: EventNumber | None) -> Event | None:
    if event == "last":
        return events[-1] if events else None
    return next((one for one in events if one.seq == event), None)


async def _previous(run: Run, table: EventTable) -> EventNumber | None:
    if table.chosen is None:
        return "last" if table.events else None
    at = table.chosen.seq
    if not table.filter.is_narrow:
        return at - 1 or None
    events = [event for event in table.events if event.seq < at]
    if not events and table.older:
        events, _ = await _before(run, table.filter, at)
    return events[-1].seq if events else None


async def _next(run: Run, table: EventTable, last: int) -> int | None:
    at = 0 if table.chosen is None else table.chosen.seq
    if not table.filter.is_narrow:
        return at + 1 if at < last else None
    events = [event for event in table.events if event.seq > at]
    if not events and table.chosen and table.newer:
        events = await _first(run, table.filter, at, last, 1)
    return events[0].seq if events else None


def _row(event: Event) -> EventRow:
    return EventRow(event.seq, event.at, event.type, event.path or "", event.attempt, brief(event.data))


def brief(data: Any) -> str:
    """Data on one line; what says nothing is left out."""
    if isinstance(data, dict):
        data = {name: value for name, value in data.items() if value not in (None, {}, [])}
        if isinstance(data.get("error"), dict):
            data["error"] = {key: data["error"].get(key) for key in ("type", "message")}
    if not data:
        return ""
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


FIELDS = tuple(field.name for field in fields(Event))


def line(event: Event) -> str:
    """An event as one line of NDJSON."""
    shown = event.redacted()
    data = {name: getattr(shown, name) for name in FIELDS}
    return escaped_json(json.dumps(data, ensure_ascii=False, default=datetime.isoformat)) + "\n"
