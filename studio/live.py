"""From events to frames: what a viewer is sent, and who says what it contains.

A frame is one JSON object: small data for graph and timeline, and in ``content`` the HTML of the regions that changed,
rendered by the same partials as the page. The pages' authors register what renders them in ``LIVE_PARTS`` and
``LIST_PARTS``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from engine import Event, Run, RunResult, RunRow, Workflow
from studio.hosting import Hosting

log = logging.getLogger("studio")
M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A run as a frame shows it.

    ``events`` are those of the frame, in order; none if it is a ``gap``: a jump to the present. ``result`` is never
    older than ``seq``, and may be newer: the next frame then says the same again.
    """

    hosting: Hosting
    run: Run
    workflow: Workflow[Any, Any] | None
    result: RunResult
    statuses: Mapping[str, str]
    """The status of every path that the run has come to, blocks included."""

    events: tuple[Event, ...]
    seq: int
    gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMoment:
    """All runs as a frame of the lists shows them. ``rows`` have changed since the frame before (``first``: none)."""

    hosting: Hosting
    counts: Mapping[str, int]
    questions: int
    rows: tuple[RunRow, ...] = ()
    version: int = 1
    first: bool = False


LIVE_PARTS: list[Callable[[Moment], str]] = []
"""What gives the HTML of a run's frame: ``<hx-partial>`` elements, or ``""``."""

LIST_PARTS: list[Callable[[ListMoment], str]] = []
"""The same for the lists' frames."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is sent to whoever has seen everything up to ``after``; then they have up to ``seq``."""

    after: int
    seq: int
    text: str


def run_frame(moment: Moment, after: int) -> Frame:
    """The frame of a run."""
    body: dict[str, Any] = {
        "after": after,
        "seq": moment.seq,
        "status": moment.result.status,
        "graph": changed_places(moment),
    }
    if moment.gap:
        body["gap"] = True
    return Frame(after, moment.seq, _written(body, content(LIVE_PARTS, moment)))


def list_text(moment: ListMoment) -> str:
    """The frame of the lists."""
    rows = [{"run_id": row.run_id, "workflow_id": row.workflow_id, "status": row.status} for row in moment.rows]
    body: dict[str, Any] = {
        "counts": dict(moment.counts),
        "questions": moment.questions,
        "runs": rows,
        "version": moment.version,
    }
    if moment.first:
        body["first"] = True
    return _written(body, content(LIST_PARTS, moment))


def content(parts: Iterable[Callable[[M], str]], moment: M) -> str:
    """What the parts say, in order; one that fails is left out."""
    said = []
    for part in parts:
        try:
            said.append(part(moment))
        except Exception:
            log.exception("the live part %s failed", getattr(part, "__qualname__", part))
    return "".join(said)


def _written(body: dict[str, Any], html: str) -> str:
    if html:
        body["content"] = html
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


# -- the graph

_OPEN = ("running", "suspended", "held", "paused", "waiting", "retrying")
_CLOSED = ("failed", "success", "bailed", "canceled", "skipped", "pending")
_RANK = {status: rank for rank, status in enumerate((*_OPEN, *_CLOSED))}


@dataclass(frozen=True, slots=True)
class PlaceStatus:
    """A place of the definition: what all its executions come to, and how many there are."""

    status: str
    count: int


def place_of(path: str) -> str:
    """Where in the definition a path is: ``item[2]/check`` is at ``item[]/check``."""
    return re.sub(r"\[\d+\]", "[]", path)


def places(statuses: Mapping[str, str]) -> dict[str, PlaceStatus]:
    """Every place that the run has come to, by the statuses of its paths.

    What is still open counts before what has ended, and a failure before a success.
    """
    found: dict[str, list[str]] = {}
    for path, status in statuses.items():
        found.setdefault(place_of(path), []).append(status)
    return {place: PlaceStatus(min(those, key=rank), len(those)) for place, those in found.items()}


def rank(status: str) -> int:
    """Which status is shown where there are several: the lowest."""
    return _RANK.get(status, len(_RANK))


def changed_places(moment: Moment) -> list[dict[str, Any]]:
    """What is to be changed in the picture for a frame: the place of each path that it has events of.

    For a gap every place.
    """
    known = places(moment.statuses)
    last = {place_of(event.path): event.path for event in moment.events if event.path is not None}
    paths = (
        {place: place for place in known} if moment.gap else {place: last[place] for place in last if place in known}
    )
    return [_patch(path, place, known[place]) for place, path in paths.items()]


def _patch(path: str, place: str, found: PlaceStatus) -> dict[str, Any]:
    count = {"count": found.count} if found.count > 1 else {}
    return {"path": path, "place": place, "status": found.status, **count}
