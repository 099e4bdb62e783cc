"""When each step of a run worked and waited: rows of bars, with idle time made short."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from engine import Event, StepRecord
from studio.views.breakpoints import NO_BREAKS, Breaks
from studio.wording import clock, duration

MOST_ROWS = 200
"""Rows that are shown of a run: the last ones."""

SMALLEST = 0.4
"""Per cent of the width that a bar has at least."""

IDLE = 2.0
"""Seconds in which nothing works, from which on they may be drawn shorter than they were."""

IDLE_SHARE = 0.12
"""How wide such a time is, as a share of the time in which something works."""

GROWTH = 1.5
"""By how much the scale of a run that goes on grows at a time: in between, what is drawn stays where it is."""

TOGETHER = 50
"""Rows that are left out at a time."""

OPEN = frozenset({"running", "suspended", "waiting", "held", "retrying", "paused"})

_BEGINS_WORK = {"step.started": "work", "step.resumed": "work", "timer.fired": "work", "event.received": "work"}
_BEGINS_WAIT = {
    "step.suspended": "suspended",
    "step.retrying": "retrying",
    "step.held": "held",
    "timer.started": "waiting",
}
_WORDS = {"suspended": "waiting"}
"""What is said in the place of a time that grows; the other statuses say it themselves."""

_ENDS = {"step.succeeded", "step.failed", "step.canceled", "step.bailed", "step.interrupted", "step.skipped"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a row, in per cent of the shown span."""

    start: float
    width: float
    status: str
    label: str
    waits: bool = False
    moves: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One execution of a step."""

    path: str
    name: str
    depth: int
    status: str
    bars: tuple[Bar, ...]
    took: str
    attempts: int = 0
    seconds: float | None = None
    mark: str = ""
    """Where the run stops at it, in words."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Time in which nothing worked, drawn shorter than it was."""

    start: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rows, in the order in which they began. ``left_out`` are earlier ones.

    Of a long run only the last events are known, those from ``since`` on: what began before is one bar each.
    """

    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...]
    total: str
    left_out: int = 0
    since: int = 0


@dataclass(slots=True)
class Part:
    """A stretch of work or of waiting, in seconds since 1970."""

    begin: float
    end: float
    status: str
    waits: bool = False
    moves: bool = False
    label: str = ""
    is_open: bool = False
    """It has no end yet, and reaches to the edge."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From times to per cent; what is idle is cut down."""

    edges: tuple[tuple[float, float], ...] = field(default=((0.0, 0.0), (1.0, 1.0)))
    room: float = 0.0
    """How long it is drawn at least."""

    def at(self, moment: float) -> float:
        """Where a moment is, in per cent."""
        whole = max(self.edges[-1][1], self.room) or 1.0
        for (t0, x0), (t1, x1) in pairwise(self.edges):
            if moment <= t1:
                share = 0.0 if t1 == t0 else max(0.0, (moment - t0) / (t1 - t0))
                return round(100 * (x0 + share * (x1 - x0)) / whole, 3)
        return round(100 * self.edges[-1][1] / whole, 3)


def stepped(length: float) -> float:
    """The next of the lengths that a scale may have."""
    return GROWTH ** math.ceil(math.log(length, GROWTH) - 1e-9) if length > 0 else 0.0


def timeline(
    records: Mapping[str, StepRecord],
    statuses: Mapping[str, str],
    events: Sequence[Event],
    now: float,
    breaks: Breaks = NO_BREAKS,
) -> Timeline:
    """The rows of a run. ``events`` are its last ones: what they tell is drawn in segments, the rest as one bar."""
    told: dict[str, list[Event]] = {}
    for event in events:
        if event.path is not None:
            told.setdefault(event.path, []).append(event)
    known = [path for path in records if statuses.get(path) != "skipped"]
    left_out = -(-max(0, len(known) - MOST_ROWS) // TOGETHER) * TOGETHER
    paths = known[left_out:]
    parts = {path: segments(records[path], told.get(path, ()), now) for path in paths}
    paths.sort(key=lambda path: min((part.begin for part in parts[path]), default=now))
    every = [part for path in paths for part in parts[path]]
    scale, idle = scaled(every)
    rows = tuple(
        replace(_row(path, records[path], statuses.get(path, ""), parts[path], scale), mark=breaks.said(path))
        for path in paths
    )
    gaps = tuple(
        Gap(scale.at(begin), round(scale.at(end) - scale.at(begin), 3), duration(end - begin)) for begin, end in idle
    )
    total = duration(max((p.end for p in every), default=0.0) - min((p.begin for p in every), default=0.0))
    since = events[0].seq if events and events[0].seq > 1 else 0
    has_lost = any(row.attempts > 1 and not _is_whole(told.get(row.path, ())) for row in rows)
    return Timeline(rows, gaps, total, left_out, since if has_lost else 0)


def _is_whole(events: Sequence[Event]) -> bool:
    """Whether the events of a step are all there, from its first attempt on."""
    return bool(events) and events[0].type == "step.started" and events[0].attempt == 1


def segments(record: StepRecord, events: Sequence[Event], now: float) -> list[Part]:
    """What one step did when: a part for each attempt, and for each wait."""
    if record.started_at is None:
        return []
    begin = record.started_at.timestamp()
    end = now if record.ended_at is None else record.ended_at.timestamp()
    parts = _told(begin, end, events)
    last = len(parts) - 1
    for number, part in enumerate(parts):
        if part.status == "work":
            part.status = record.status if record.ended_at is not None or number == last else "success"
            part.waits = part.status in OPEN and part.status != "running"
        part.is_open = number == last and record.ended_at is None
        part.moves = part.is_open and part.status == "running"
        part.label = f"{part.status} " + (
            f"since {clock(part.begin)}" if part.is_open else duration(part.end - part.begin)
        )
    return [part for part in parts if part.end >= part.begin]


def _told(begin: float, end: float, events: Sequence[Event]) -> list[Part]:
    """The parts that the events tell of; what was before them is one part."""
    parts = [] if events and events[0].type == "step.started" else [Part(begin, end, "work")]
    for event in events:
        moment = event.at.timestamp()
        is_told = event.type in _BEGINS_WORK or event.type in _BEGINS_WAIT or event.type in _ENDS
        if is_told and parts:
            parts[-1].end = min(parts[-1].end, moment)
            if event.type == "step.retrying":
                parts[-1].status = "failed"
        if event.type in _BEGINS_WORK:
            parts.append(Part(moment, end, "work"))
        elif event.type in _BEGINS_WAIT:
            parts.append(Part(moment, end, _BEGINS_WAIT[event.type], waits=True))
    return parts


def scaled(parts: Iterable[Part]) -> tuple[Scale, list[tuple[float, float]]]:
    """The scale of some parts, and the times that it makes short."""
    every = list(parts)
    if not every:
        return Scale(), []
    first, last = min(part.begin for part in every), max(part.end for part in every)
    busy = _joined(sorted((part.begin, part.end) for part in every if not part.waits))
    working = sum(end - begin for begin, end in busy)
    free = [(first, busy[0][0])] if busy else []
    free += [(one[1], other[0]) for one, other in pairwise(busy)]
    free += [(busy[-1][1], last)] if busy else []
    is_live = any(part.is_open for part in every)
    shown = max(stepped(working * IDLE_SHARE) if is_live else working * IDLE_SHARE, 0.05)
    idle = [(begin, end) for begin, end in free if end - begin > max(IDLE, 3 * shown)]
    waits = [span for span in free[-1:] if is_live and span not in idle and span[0] < span[1]]  # its width stays, too
    edges = [(first, 0.0)]
    for begin, end in idle + waits:
        before = edges[-1]
        edges.append((begin, before[1] + begin - before[0]))
        edges.append((end, edges[-1][1] + shown))
    edges.append((last, edges[-1][1] + last - edges[-1][0]))
    return Scale(tuple(edges), stepped(edges[-1][1]) if is_live else 0.0), idle


def _joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _row(path: str, record: StepRecord, status: str, parts: Sequence[Part], scale: Scale) -> Row:
    bars = []
    for part in parts:
        start = scale.at(part.begin)
        end = 100.0 if part.is_open else scale.at(part.end)
        width = max(SMALLEST, round(end - start, 3))
        bars.append(Bar(min(start, 100 - SMALLEST), width, part.status, part.label, part.waits, part.moves))
    seconds = parts[-1].end - parts[0].begin if parts else None
    name = path.rsplit("/", 1)[-1]
    shown = status or record.status
    took = duration(seconds) if record.ended_at is not None else _WORDS.get(record.status, record.status)
    return Row(path, name, path.count("/") + path.count("["), shown, tuple(bars), took, record.attempts, seconds)


def span(start: datetime | None, end: datetime | None, now: float) -> float | None:
    """Seconds from a start to an end, or to now."""
    return None if start is None else (now if end is None else end.timestamp()) - start.timestamp()
