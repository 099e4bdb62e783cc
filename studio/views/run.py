"""What the page of a run shows: header, inspector, and where every link of it leads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from engine import Event, RunResult, StepRecord, Workflow
from engine.graph import rank
from studio.live import place_of
from studio.views.breakpoints import Breaks, round_of
from studio.views.events import ALL, EventNumber, Filter
from studio.views.faults import Code, Fault, code, fault
from studio.views.graph import with_open
from studio.views.run_head import ENDED, edit_href, fork_href
from studio.views.state_change import StateChange

MOST_ITERATIONS = 60
"""Iterations that the picker shows around the chosen one."""

VIEWS = ("graph", "timeline", "journal")
TABS = ("data", "attempts", "logs", "error", "code", "events", "state")
KEPT = ("attempts", "logs", "code", "events", "state")
"""Tabs that stay when the step goes on with the run: the others are what is shown where none is chosen."""

OF_STEPS = ("attempts", "code")
"""Tabs that only a step has."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a viewer is on the page of a run: all of it is in the address."""

    run_id: str
    view: str = "graph"
    step: str = ""
    tab: str = "data"
    before: int | None = None
    opened: frozenset[str] = frozenset()
    """Folded parts of the picture that are open."""
    event: int | None = None
    """The chosen event: its step is the chosen one."""
    goes_along: bool = False
    """No step was chosen: it is the one where something happens."""
    filter: Filter = ALL
    """Which events are listed."""
    frozen: int | None = None
    """The event up to which they are."""

    @property
    def graph_place(self) -> str:
        """The place of the picture where the step is."""
        return place_of(self.step)

    def href(self, **changes: Any) -> str:
        """The address of this place with something else chosen; without a tab it is the one that fits."""
        if "step" in changes:
            changes.setdefault("event", None)
        other = replace(self, **changes)
        return other._address(other._query)

    @property
    def _query(self) -> dict[str, Any]:
        query: dict[str, Any] = {"view": self.view}
        query |= {"step": self.step} if self.event is None else {"event": self.event}
        if self.tab:
            query["tab"] = self.tab
        if self.before is not None and self.event is None:
            query["before"] = self.before
        return query

    def event_href(self, event: EventNumber) -> str:
        """The address of an event. Where none was chosen, its table is shown; a tab that says more of it stays."""
        stays = self.tab in KEPT or (self.event is not None and self.tab == "data")
        return self.href(event=event, tab=self.tab if stays else "events") + "#event"

    def at(self, step: str) -> str:
        """The address of another step; a tab that both have stays."""
        return self.href(step=step, before=None, tab=self.tab if self.tab in ("attempts", "logs", "code") else "")

    def shows(self, view: str) -> str:
        """The address of another view, where the step goes along if it does here."""
        return replace(self, view=view).view_href() if self.goes_along else self.href(view=view)

    def narrowed(self, **changes: Any) -> Place:
        """The list of events, with another filter."""
        return replace(self, filter=replace(self.filter, **changes), before=None, event=None, tab="events")

    @property
    def download(self) -> str:
        """The address of the listed events as a file."""
        query = urlencode(self.filter.query, doseq=True)
        return f"/runs/{quote(self.run_id, safe='')}/events.ndjson" + (f"?{query}" if query else "")

    def fields(self, **changes: Any) -> list[tuple[str, str]]:
        """What a form sends to come to this place with something else chosen, as hidden fields."""
        return parse_qsl(self.href(**changes).partition("?")[2], keep_blank_values=True)

    def view_href(self, tab: str = "") -> str:
        """The address of the view alone: the step is then the one where something happens."""
        return self._address({"view": self.view, "tab": tab} if tab else {"view": self.view})

    def _address(self, query: Mapping[str, Any]) -> str:
        frozen = {} if self.frozen is None else {"frozen": self.frozen}
        said = urlencode({**query, **self.filter.query, **frozen}, doseq=True)
        return with_open(f"/runs/{quote(self.run_id, safe='')}?{said}", self.opened)


@dataclass(frozen=True, slots=True)
class Follow:
    """What an open page asks for when something has happened."""

    run_id: str
    query: Mapping[str, str | tuple[str, ...]]
    opened: frozenset[str] = frozenset()
    seq: int = 0
    """The last event that the page knows of."""

    @property
    def href(self) -> str:
        """The address of what has changed."""
        return with_open(
            f"/runs/{quote(self.run_id, safe='')}/regions?{urlencode(self.query, doseq=True)}", self.opened
        )


# -- the chosen step


def resolve(asked: str | None, statuses: Mapping[str, str], *, steps: Collection[str], question: str = "") -> str:
    """The path that is shown: the one asked for, by path or place; nothing asked: where something is the matter.

    ``steps`` are the paths that have data; ``question`` is the path of the open one.
    """
    if asked == "":
        return ""
    if asked is None:
        if question:
            return question
        order = {"failed": 0, "held": 1, "running": 2, "retrying": 2, "waiting": 3}
        worth = [path for path in steps if statuses.get(path) in order]
        # the deepest of those: what is around it has the same status
        return min(worth, key=lambda path: (order[statuses[path]], -_depth(path)), default="")
    if asked in statuses:
        return asked
    there = [path for path in statuses if place_of(path) == asked]
    return min(there, key=lambda path: rank(statuses[path]), default=asked)


def _depth(path: str) -> int:
    return path.count("/") + path.count("[")


@dataclass(frozen=True, slots=True)
class Iteration:
    """One round of a loop, or item of a foreach."""

    path: str
    label: str
    status: str
    is_current: bool


def iterations(path: str, statuses: Mapping[str, str]) -> tuple[Iteration, ...]:
    """The rounds of a step: its own if it is a block, else those of the block around it."""
    inside = [other for other in statuses if other.startswith(f"{path}[") and other.endswith("]")]
    own = [other for other in inside if "/" not in other[len(path) :]]
    if own:
        found, current = own, path
    else:
        place = place_of(path)
        if place == path:
            return ()
        found, current = [other for other in statuses if place_of(other) == place], path
    found.sort(key=_numbers)
    at = found.index(current) if current in found else 0
    first = max(0, min(at - MOST_ITERATIONS // 2, len(found) - MOST_ITERATIONS))
    return tuple(
        Iteration(other, ".".join(map(str, _numbers(other))), statuses[other], other == current)
        for other in found[first : first + MOST_ITERATIONS]
    )


def _numbers(path: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\[(\d+)\]", path))


# -- attempts and logs


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a step, as far as the last events tell."""

    number: int
    status: str
    started_at: datetime
    seconds: float | None
    text: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the step wrote."""

    at: datetime
    level: str
    text: str


def attempts(events: Iterable[Event], path: str) -> tuple[Attempt, ...]:
    """The tries of the step at a path."""
    found: list[Attempt] = []
    for event in events:
        if event.path != path:
            continue
        if event.type == "step.started":
            found.append(Attempt(event.attempt or len(found) + 1, "running", event.at, None, ""))
        elif found:
            last = found[-1]
            seconds = event.at.timestamp() - last.started_at.timestamp()
            error = event.data.get("error") or {}
            text = f"{error.get('type')}: {error.get('message')}" if error else last.text
            status = {
                "step.succeeded": "success", "step.bailed": "bailed", "step.failed": "failed",
                "step.retrying": "failed", "step.suspended": "suspended", "step.resumed": "running",
                "step.canceled": "canceled", "step.interrupted": "interrupted",
            }.get(event.type)  # fmt: skip
            if status is not None:
                open_still = status == "running"
                found[-1] = replace(last, status=status, seconds=None if open_still else seconds, text=text)
    return tuple(found)


def logs(events: Iterable[Event], path: str) -> tuple[LogLine, ...]:
    """What was printed and logged; of the whole run if no path is given."""
    return tuple(
        LogLine(event.at, str(event.data.get("level", "info")).lower(), str(event.data.get("message", "")))
        for event in events
        if event.type == "log" and (not path or event.path == path)
    )


# -- the inspector


@dataclass(frozen=True, slots=True)
class Inspector:
    """What is known of the chosen step, or of the run (``path`` is empty)."""

    path: str
    title: str
    kind: str
    text: str
    """What the step does, in its own words."""

    status: str
    record: StepRecord | None
    result: RunResult
    fault: Fault | None
    attempts: tuple[Attempt, ...]
    logs: tuple[LogLine, ...]
    iterations: tuple[Iteration, ...]
    code: Code | None
    seconds: float | None
    can_fork: bool
    crumbs: tuple[tuple[str, str], ...]
    fork_href: str = ""
    edit_href: str = ""
    can_break: bool = False
    round: int | None = None
    """Which round of a loop, or item of a foreach, it is."""

    breaks: tuple[str, ...] = ()
    """Where the run stops at it: ``before``, ``after``."""

    state: StateChange | None = None
    """What it did to the shared state, if that is shown now."""

    has_state: bool = False
    """Whether that could be shown."""

    why: Any = None
    """How a branch chose, or a loop went on: the data of the last event that tells."""


def inspector(
    result: RunResult,
    statuses: Mapping[str, str],
    events: list[Event],
    workflow: Workflow[Any, Any] | None,
    path: str,
    *,
    now: float,
    breaks: Breaks,
    state: StateChange | None = None,
) -> Inspector:
    """The inspector of a step, or of the run."""
    record = result.steps[path] if path in result.steps else None  # noqa: SIM401 - a mapping that makes records
    found = fault(record.error if record is not None else (result.error if not path else None))
    seconds = None
    if record is not None and record.started_at is not None:
        end = now if record.ended_at is None else record.ended_at.timestamp()
        seconds = end - record.started_at.timestamp()
    node = None if workflow is None or not path else workflow.plan.at(path)
    pieces = path.split("/") if path else []
    return Inspector(
        path=path,
        title=pieces[-1] if pieces else "Run",
        kind=type(node).__name__.lower() if node is not None else "",
        text=node.description if node is not None else "",
        status=statuses.get(path, "pending") if path else result.status,
        record=record,
        result=result,
        fault=found,
        attempts=attempts(events, path),
        logs=logs(events, path),
        iterations=iterations(path, statuses) if path else (),
        code=code(workflow, path, found),
        seconds=seconds,
        can_fork=workflow is not None and record is not None and result.status != "pending",
        crumbs=tuple(("/".join(pieces[: number + 1]), piece) for number, piece in enumerate(pieces[:-1])),
        fork_href=fork_href(result.run_id, path),
        edit_href=edit_href(result.run_id, result.workflow_id),
        can_break=node is not None and result.status not in ENDED and result.status != "pending",
        round=round_of(path),
        breaks=breaks.at(path),
        state=state,
        has_state=bool(result.state) and record is not None,
        why=_why(events, path),
    )


def _why(events: Iterable[Event], path: str) -> Any:
    told = [event.data for event in events if event.path == path and event.type in ("branch.chosen", "loop.checked")]
    return told[-1] if told else None


def tab_of(asked: str | None, found: Inspector) -> str:
    """The tab that is shown: the one asked for, else the error where there is one."""
    if asked in TABS and (found.path or asked not in OF_STEPS):
        return asked
    return "error" if found.fault is not None else "data"


def stamp(found: Inspector, place: Place, seq: int) -> str:
    """What the inspector's content depends on: with the same stamp it is the same."""
    follows_all = not found.path or place.tab in ("events", "state")
    parts = (
        found.status,
        len(found.attempts),
        len(found.logs),
        len(found.iterations),
        "+".join(found.breaks),
        found.state.seq if found.state else "",
        seq if follows_all else "",
    )
    return ".".join(map(str, (found.path, *parts)))
