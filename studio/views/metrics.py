"""What the last runs of a workflow say of its steps: how often, how long, how often again, how often in vain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from engine import Workflow
from studio.live import place_of
from studio.views.workflows import quantile, workflow_href
from studio.wording import duration, plural

MEASURES = ("p95", "failures", "retries")
"""What the picture can be coloured by."""

LEVELS = 4

_BEGINS = frozenset({"step.started", "step.resumed", "timer.fired", "event.received"})
_RESTS = frozenset({"step.suspended", "step.retrying", "step.held", "timer.started", "step.interrupted"})
_ENDS = frozenset({"step.succeeded", "step.failed", "step.canceled", "step.bailed"})

Happening = tuple[float, str, str]
"""When, what, and at which path."""


@dataclass(slots=True)
class Tally:
    """What is known of one place of the definition. Of the longest time and the last failure also: which run, where."""

    count: int = 0
    failures: int = 0
    retries: int = 0
    seconds: list[float] = field(default_factory=list)
    longest: tuple[float, str, str] = (0.0, "", "")
    failed: tuple[str, str] | None = None


def tally(run_id: str, happened: Iterable[Happening], tallies: dict[str, Tally]) -> None:
    """Add a run. The time of a step is that in which it worked: without waits for people, timers and other tries."""
    began: dict[str, float] = {}
    worked: dict[str, float] = {}
    for at, type, path in happened:
        found = tallies.setdefault(place_of(path), Tally())
        if type in _BEGINS:
            found.count += type == "step.started" and path not in worked
            worked.setdefault(path, 0.0)
            began[path] = at
        elif type in _RESTS:
            worked[path] = worked.get(path, 0.0) + at - began.pop(path, at)
            found.retries += type == "step.retrying"
        elif type in _ENDS:
            took = max(0.0, worked.pop(path, 0.0) + at - began.pop(path, at))
            found.seconds.append(took)
            found.longest = max(found.longest, (took, run_id, path))
            if type == "step.failed":
                found.failures += 1
                found.failed = found.failed or (run_id, path)


@dataclass(frozen=True, slots=True)
class StepFigures:
    """One step. ``share`` is what the chosen measure is of the largest, from 0 to 1."""

    place: str
    name: str
    within: str
    href: str
    count: int
    failures: int
    failed_href: str
    retries: int
    p50: float | None
    p95: float | None
    longest: float | None
    longest_href: str
    share: float


@dataclass(frozen=True, slots=True)
class MetricsView:
    """``runs`` is how many were looked at; ``is_cut``: there was more in them than is read for this."""

    runs: int
    events: int
    is_cut: bool
    measure: str
    choices: tuple[tuple[str, str, bool], ...]
    steps: tuple[StepFigures, ...]
    heat: Mapping[str, tuple[int, str]]


def metrics_view(
    workflow: Workflow[Any, Any],
    tallies: Mapping[str, Tally],
    *,
    runs: int,
    events: int,
    is_cut: bool,
    measure: str,
) -> MetricsView:
    """The steps in the order of the definition; those that call a function, since blocks are made of them."""
    measure = measure if measure in MEASURES else MEASURES[0]
    places = [node.place for node in workflow.plan.nodes if callable(getattr(node, "fn", None))]
    known = {place: tallies.get(place, Tally()) for place in places}
    values = {place: _value(one, measure) for place, one in known.items()}
    most = max(values.values(), default=0.0)
    shares = {place: value / most if most else 0.0 for place, value in values.items()}
    return MetricsView(
        runs,
        events,
        is_cut,
        measure,
        tuple((one, workflow_href(workflow.id, tab="metrics", by=one), one == measure) for one in MEASURES),
        tuple(_figures(workflow.id, measure, place, one, shares[place]) for place, one in known.items()),
        {
            place: (math.ceil(shares[place] * LEVELS), _said(values[place], measure))
            for place, one in known.items()
            if one.count
        },
    )


def _value(found: Tally, measure: str) -> float:
    match measure:
        case "failures":
            return found.failures
        case "retries":
            return found.retries
        case _:
            return quantile(sorted(found.seconds), 0.95) or 0.0


def _said(value: float, measure: str) -> str:
    match measure:
        case "failures":
            return plural(int(value), "failure")
        case "retries":
            return plural(int(value), "retry", "retries")
        case _:
            return f"p95 {duration(value)}"


def _figures(id: str, measure: str, place: str, found: Tally, share: float) -> StepFigures:
    within, _, name = place.rpartition("/")
    seconds = sorted(found.seconds)
    longest, run_id, path = found.longest
    return StepFigures(
        place=place,
        name=name,
        within=within,
        href=workflow_href(id, tab="metrics", by=measure, step=place),
        count=found.count,
        failures=found.failures,
        failed_href=_step_href(*found.failed) if found.failed else "",
        retries=found.retries,
        p50=quantile(seconds, 0.5),
        p95=quantile(seconds, 0.95),
        longest=longest if run_id else None,
        longest_href=_step_href(run_id, path) if run_id else "",
        share=share,
    )


def _step_href(run_id: str, path: str) -> str:
    return f"/runs/{quote(run_id, safe='')}?step={quote(path, safe='')}"
