"""The picture of a workflow on a page, its outline, and the small one on a card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine import Workflow
from engine.graph import Graph, build_graph, to_json, to_svg
from studio.live import places

Source = Workflow[Any, Any] | Mapping[str, Any]
"""A workflow, or a stored definition whose code is gone."""

_UNNAMED = frozenset({"start", "end", "join"})
_WIDE, _HIGH = 120.0, 64.0


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """One line of the list that says what the picture shows."""

    place: str
    title: str
    kind: str
    depth: int
    status: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class GraphView:
    """The picture, for ``partials/graph.html``. ``svg`` goes through ``drawing``."""

    id: str
    label: str
    svg: str
    outline: tuple[OutlineItem, ...]
    selected: str = ""
    follows: bool = False
    has_legend: bool = False


def picture(
    source: Source,
    statuses: Mapping[str, str] | None = None,
    *,
    selected: str = "",
    follows: bool = False,
    id: str = "graph",
) -> GraphView:
    """The picture of ``source``. ``statuses`` is ``await run.statuses()``: by path; without, nothing has run.

    ``selected`` is a place; ``follows``: the page keeps what works in sight.
    """
    graph = build_graph(source)
    known = places(statuses or {})
    shown = {place: found.status for place, found in known.items()}
    svg = to_svg(graph, standalone=False, statuses=shown, legend=False, prefix="" if id == "graph" else id)
    outline = []
    for node in graph.nodes.values():
        if node.kind in _UNNAMED or not node.place:
            continue
        found = known.get(node.place) or known.get(node.block)
        status, count = (found.status, found.count) if found else ("pending", 1)
        title = node.title or node.place
        outline.append(OutlineItem(node.place, title, node.sub or node.kind, _depth(graph, node.key), status, count))
    return GraphView(id, f"Graph of {graph.id}", svg, tuple(outline), selected, follows, statuses is not None)


def _depth(graph: Graph, key: str) -> int:
    return min(len(graph.frames_around(key)), 6)


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


def mini(source: Source) -> MiniView:
    """The shape of a workflow: its boxes row by row, drawn as wide and as high as there is room."""
    graph = build_graph(source)
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
    widest = max(sum(rows[y] == row for _, y in middles.values()) for row in set(rows.values()))
    width = min(26.0, _WIDE / widest * 0.72)
    height = min(9.0, pitch * 0.58)
    scale = min((_WIDE - width) / span, width * 1.36 / 214) if span else 0.0
    at = {key: (_WIDE / 2 + (x - left - span / 2) * scale, (rows[y] + 0.5) * pitch) for key, (x, y) in middles.items()}
    boxes = tuple(
        MiniBox(round(x - width / 2, 1), round(y - height / 2, 1), round(width, 1), round(height, 1))
        for x, y in at.values()
    )
    return MiniView(boxes, tuple(_lines(graph, at, height)), steps)


def _rows(levels: list[float]) -> dict[float, int]:
    """Which row each height is in; what differs by little is in one."""
    found: dict[float, int] = {}
    row, last = -1, float("-inf")
    for level in levels:
        if level - last > 12:
            row, last = row + 1, level
        found[level] = row
    return found


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
            lines.append(f"M{x:.1f} {y + height / 2:.1f}L{to_x:.1f} {to_y - height / 2:.1f}")
    return lines
