"""Events of a run as a table: a window of the last ones, or of those before a number."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from engine import Event, Run
from studio.log_lines import escaped_json

WINDOW = 200
"""Events that are shown at once."""

LONGEST = 160


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
    """A window, newest first. ``older`` and ``newer`` are what ``before`` is for the windows beside it."""

    rows: tuple[EventRow, ...]
    total: int
    older: int | None
    newer: int | None


async def window(run: Run, last: int, before: int | None) -> list[Event]:
    """The last events of a run, or the last before a number; no other is read twice."""
    end = last + 1 if before is None else max(1, min(before, last + 1))
    found: list[Event] = []
    async for event in run.events(max(0, end - 1 - WINDOW), follow=False):
        if event.seq >= end and (before is not None or len(found) >= 2 * WINDOW):
            break
        found.append(event.redacted())
    return found


def table(events: Iterable[Event], last: int) -> EventTable:
    """The table of a window of events."""
    rows = tuple(_row(event) for event in sorted(events, key=lambda event: -event.seq))
    first = rows[-1].seq if rows else 1
    newest = rows[0].seq if rows else last
    newer = None if newest >= last else min(newest + WINDOW + 1, last + 1)
    return EventTable(rows, last, first if first > 1 else None, newer)


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
