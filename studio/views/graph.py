"""The picture of a workflow on a page, its outline, and the small one on a card."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from engine import Workflow
from engine.graph import Graph, Node, build_graph, places, to_json, to_svg
from studio.views.breakpoints import NO_BREAKS, Breaks

Source = Workflow[Any, Any] | Mapping[str, Any]
"""A workflow, or a stored definition whose code is gone."""

LONGEST_OPEN = 4_000
"""Characters of what one address may open: every link of the page says it again."""

LEGEND = (
    "success", "bailed", "running", "retrying", "suspended", "waiting", "failed", "interrupted", "canceled", "paused",
    "held", "skipped",
)  # fmt: skip
"""Statuses in the order in which they are explained."""

MAY_COME = ("success", "running", "suspended", "failed", "skipped")
"""What is explained below any run that goes on."""

_UNNAMED = frozenset({"start", "end", "join"})
_WIDE, _HIGH = 120.0, 64.0


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """One line of the list that says what the picture shows. ``toggle``: where it is opened, or folded again."""

    place: str
    title: str
    kind: str
    depth: int
    status: str
    count: int = 1
    mark: str = ""
    """Where a run stops at it, in words."""
    toggle: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Hidden:
    """What one folded box hides, for the search: ``opens`` and ``places`` are JSON lists."""

    element: str
    opens: str
    places: str


@dataclass(frozen=True, slots=True)
class GraphView:
    """The picture, for ``partials/graph.html``. ``svg`` goes through ``drawing``."""

    id: str
    label: str
    svg: str
    outline: tuple[OutlineItem, ...]
    selected: str = ""
    follows: bool = False
    legend: tuple[str, ...] = ()
    """The statuses that are explained below it."""

    hidden: tuple[Hidden, ...] = ()


Link = Callable[[frozenset[str]], str]
"""The address of the page with these parts open."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Which folded parts are open, and where the page leads to with others. Without a link everything is drawn."""

    places: frozenset[str] = frozenset()
    link: Link | None = None

    def graph(self, source: Source) -> Graph:
        """The graph with the parts that are open."""
        return build_graph(source, unfold=self.places, nested=self.link is not None)

    def href(self, place: str, is_open: bool) -> str:
        """Where a part is opened, or folded."""
        return self.link(self.places | {place} if is_open else self.places - {place}) if self.link else ""


ALL_DRAWN = Opening()


def with_open(href: str, opened: Collection[str]) -> str:
    """An address that keeps parts open."""
    said = "&".join(f"open={quote(place, safe='')}" for place in sorted(opened))
    return f"{href}{'&' if '?' in href else '?'}{said}" if said else href


def asked_open(given: Collection[str]) -> frozenset[str]:
    """What an address asks to be open, as much of it as there is room for."""
    found, room = set[str](), LONGEST_OPEN
    for place in given:
        room -= len(quote(place, safe=""))
        if room >= 0 and place:
            found.add(place)
    return frozenset(found)


def picture(
    source: Source,
    statuses: Mapping[str, str] | None = None,
    *,
    selected: str = "",
    follows: bool = False,
    id: str = "graph",
    breaks: Breaks = NO_BREAKS,
    opening: Opening = ALL_DRAWN,
    heat: Mapping[str, tuple[int, str]] | None = None,
) -> GraphView:
    """The picture of ``source``. ``statuses`` is ``await run.statuses()``: by path; without, nothing has run.

    ``selected`` is a place; ``follows``: the page keeps what works in sight; ``breaks`` get dots; ``opening``: nested
    workflows are folded but for these; ``heat``: place -> level from 0 to 4 and a text.
    """
    graph = opening.graph(source)
    svg = to_svg(
        graph,
        standalone=False,
        statuses=statuses or {},
        legend=False,
        prefix="" if id == "graph" else id,
        breakpoints=[place for place in graph.parents if breaks.at(place) and f"{place}[]" not in graph.parents],
        heat=heat,
        link=opening.href if opening.link else None,
    )
    hidden = tuple(Hidden(one.element, json.dumps(one.opens), json.dumps(one.places)) for one in graph.inside())
    made = _outline(graph, statuses or {}, breaks, opening)
    return GraphView(id, f"Graph of {graph.id}", svg, made, selected, follows, _legend(statuses, follows), hidden)


def _legend(statuses: Mapping[str, str] | None, follows: bool) -> tuple[str, ...]:
    """What occurs; of a run that goes on also what may come."""
    if statuses is None:
        return ()
    found = {*statuses.values(), *(MAY_COME if follows else ())}
    return tuple(status for status in LEGEND if status in found)


def outline(
    source: Source,
    statuses: Mapping[str, str] | None = None,
    *,
    breaks: Breaks = NO_BREAKS,
    opening: Opening = ALL_DRAWN,
) -> tuple[OutlineItem, ...]:
    """The list that says what :func:`picture` shows."""
    return _outline(opening.graph(source), statuses or {}, breaks, opening)


def _outline(graph: Graph, statuses: Mapping[str, str], breaks: Breaks, opening: Opening) -> tuple[OutlineItem, ...]:
    known, made = places(statuses), list[OutlineItem]()
    frames = {cluster.opens: cluster for cluster in graph.clusters.values() if cluster.opens}
    told = set[str]()

    def tell(place: str, title: str, kind: str, depth: int, *, block: str = "", opens: str = "") -> None:
        found = known.get(place) or known.get(block)
        status, count = (found.status, found.count) if found else ("pending", 1)
        is_open = opens in graph.opened
        toggle = opening.href(opens, not is_open) if opens else ""
        made.append(OutlineItem(place, title, kind, min(depth, 6), status, count, breaks.said(place), toggle, is_open))

    for node in graph.nodes.values():
        if node.kind in _UNNAMED or not node.place:
            continue
        for place in _frames_of(graph, node):
            if place in frames and place not in told:  # a frame comes before what is in it
                told.add(place)
                frame = frames[place]
                above = len(graph.frames_above(frame.key))
                tell(place, frame.name or frame.title, frame.title if frame.name else frame.note, above, opens=place)
        kind, depth = node.sub or node.kind, len(graph.frames_around(node.key))
        tell(node.place, node.title or node.place, kind, depth, block=node.block, opens=node.opens)
    return tuple(made)


def _frames_of(graph: Graph, node: Node) -> list[str]:
    """By what the frames around a node are folded, the outer ones first."""
    found, at = [], node.cluster
    while at is not None:
        found.append(graph.clusters[at].opens)
        at = graph.clusters[at].parent
    return [place for place in reversed(found) if place]


# -- small


@dataclass(frozen=True, slots=True)
class MiniBox:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class MiniView:
    """A picture of 120 x 64 in which nobody reads anything: ``boxes``, and ``lines`` as paths. ``steps``: how many."""

    boxes: tuple[MiniBox, ...]
    lines: tuple[str, ...]
    steps: int


MOST_KEPT = 256
"""Small pictures that are kept."""

MOST_ROWS = 24
"""Rows of boxes that can be told apart in a small picture."""

_KEPT: dict[str, MiniView] = {}
"""By the version of what they show: a page of cards has many, and they hardly ever change."""
_KEEPING = threading.Lock()


def mini(workflow: Workflow[Any, Any]) -> MiniView:
    """The shape of a workflow: its boxes row by row, drawn as wide and as high as there is room."""
    version = workflow.plan.version
    found = _KEPT.get(version)
    if found is None:
        found = _drawn_small(build_graph(workflow))
        with _KEEPING:  # cards are made in threads
            while len(_KEPT) >= MOST_KEPT:
                del _KEPT[next(iter(_KEPT))]
            _KEPT[version] = found
    return found


def _drawn_small(graph: Graph) -> MiniView:
    laid = json.loads(to_json(graph))
    nodes = {node["key"]: node for node in laid["nodes"] if node["kind"] not in _UNNAMED}
    steps = sum(node["kind"] != "branch" for node in nodes.values())
    if not nodes:
        return MiniView((), (), 0)
    middles = {key: (node["x"] + node["width"] / 2, node["y"] + node["height"] / 2) for key, node in nodes.items()}
    rows = _rows(sorted({y for _, y in middles.values()}))
    pitch = _HIGH / (max(rows.values()) + 1)
    left = min(x for x, _ in middles.values())
    span = max(x for x, _ in middles.values()) - left
    widest = max(Counter(row for row, _ in {(rows[y], x) for x, y in middles.values()}).values())
    width = min(26.0, _WIDE / widest * 0.72)
    height = min(9.0, pitch * 0.58)
    scale = min((_WIDE - width) / span, width * 1.36 / 214) if span else 0.0
    at = {key: (_WIDE / 2 + (x - left - span / 2) * scale, (rows[y] + 0.5) * pitch) for key, (x, y) in middles.items()}
    boxes = (
        MiniBox(round(x - width / 2, 1), round(y - height / 2, 1), round(width, 1), round(height, 1))
        for x, y in at.values()
    )
    return MiniView(tuple(dict.fromkeys(boxes)), tuple(dict.fromkeys(_lines(graph, at, height))), steps)


def _rows(levels: list[float]) -> dict[float, int]:
    """Which row each height is in; what differs by little is in one, and so is more where there is no room for all."""
    found: dict[float, int] = {}
    row, last = -1, float("-inf")
    for level in levels:
        if level - last > 12:
            row, last = row + 1, level
        found[level] = row
    shown = min(row + 1, MOST_ROWS)
    return {level: number * shown // (row + 1) for level, number in found.items()}


def _lines(graph: Graph, at: Mapping[str, tuple[float, float]], height: float) -> list[str]:
    after: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind != "back":
            after.setdefault(edge.source, []).append(edge.target)
    lines = []
    for key, (x, y) in at.items():
        waiting, seen = list(after.get(key, ())), set[str]()
        while waiting:  # circles are left out: the line goes on to the boxes behind them
            target = waiting.pop()
            if target in seen:
                continue
            seen.add(target)
            if target not in at:
                waiting += after.get(target, ())
                continue
            to_x, to_y = at[target]
            if to_y == y:  # both are in one box
                continue
            lines.append(f"M{x:.1f} {y + height / 2:.1f}L{to_x:.1f} {to_y - height / 2:.1f}")
    return lines
