"""Positions: what any layout gives, and what must hold of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.graph.model import Edge, Graph

PAD = 12.0
TITLE = 22.0
"""The room for a frame's title, above what is in it."""
STACK = 5.0
"""How far the second sheet of a stack shows."""
ARROW = 9.0
GUTTER = 16.0
"""Between what a loop repeats and its way back."""


class Point(NamedTuple):
    """A position; y grows downwards."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle by its edges."""

    left: float
    top: float
    right: float
    bottom: float

    def grown(self, by: float) -> Box:
        """The rectangle with ``by`` more on each side."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def meets(self, other: Box) -> bool:
        """Whether the two have more than an edge in common."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def holds(self, other: Box) -> bool:
        """Whether ``other`` is inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


Segment = tuple[str, tuple[Point, ...]]
"""``("L", (to,))`` or ``("C", (control, control, to))``."""


@dataclass(slots=True)
class Line:
    """An edge's way: from ``start`` by ``segments`` to where the arrow begins, and the arrow's ``tip``.

    ``label`` is the middle of the text, or its beginning if ``label_starts``.
    """

    start: Point
    segments: list[Segment]
    tip: Point
    label: Point | None = None
    label_starts: bool = False

    @property
    def end(self) -> Point:
        """Where the arrow begins."""
        return self.segments[-1][1][-1] if self.segments else self.start

    def points(self) -> Iterator[Point]:
        """Every point that the line is made of."""
        yield self.start
        for _, points in self.segments:
            yield from points
        yield self.tip


@dataclass(slots=True)
class Layout:
    """Where everything is. Lines are in the order of the graph's edges; ``engine`` is who made it."""

    engine: str
    nodes: dict[str, Point] = field(default_factory=dict)
    frames: dict[str, Box] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    width: float = 0
    height: float = 0

    def box(self, graph: Graph, key: str) -> Box:
        """The rectangle of a node."""
        node, at = graph.nodes[key], self.nodes[key]
        return Box(at.x - node.width / 2, at.y - node.height / 2, at.x + node.width / 2, at.y + node.height / 2)

    def label_box(self, edge: Edge, line: Line) -> Box | None:
        """The rectangle of an edge's text."""
        if line.label is None:
            return None
        left = line.label.x if line.label_starts else line.label.x - edge.label_width / 2
        return Box(left, line.label.y - 7, left + edge.label_width, line.label.y + 7)

    def label_boxes(self, graph: Graph) -> list[Box | None]:
        """The rectangles of all edges' texts."""
        return [self.label_box(edge, line) for edge, line in zip(graph.edges, self.lines, strict=True)]


def pulled_back(tip: Point, before: Point, by: float = ARROW) -> Point:
    """The point on the way from ``before`` to ``tip`` that is ``by`` short of it."""
    dx, dy = tip.x - before.x, tip.y - before.y
    length = math.hypot(dx, dy) or 1.0
    return Point(tip.x - dx / length * by, tip.y - dy / length * by)


def way_back(low: Box, high: Box, x: float, *, round_end: bool) -> Line:
    """A loop's edge: out of the right side of ``low``, up at ``x``, into the right side of ``high``."""
    same = low == high
    y0 = low.bottom - 12 if same else (low.top + low.bottom) / 2
    y1 = high.top + 12 if same else (high.top + high.bottom) / 2
    r = min(9.0, (y0 - y1) / 2)
    start, tip = Point(low.right, y0), Point(high.right + (1 if round_end else 0), y1)
    return Line(
        start,
        [
            ("L", (Point(x - r, y0),)),
            ("C", (Point(x - r / 2, y0), Point(x, y0 - r / 2), Point(x, y0 - r))),
            ("L", (Point(x, y1 + r),)),
            ("C", (Point(x, y1 + r / 2), Point(x - r / 2, y1), Point(x - r, y1))),
            ("L", (Point(tip.x + ARROW, y1),)),
        ],
        tip,
        Point(x + 7, (y0 + y1) / 2),
        label_starts=True,
    )


def settle(layout: Layout, graph: Graph, margin: float = 24.0) -> Layout:
    """Move everything so that it begins at ``margin``, and set the size."""
    boxes = [layout.box(graph, key) for key in graph.nodes] + list(layout.frames.values())
    boxes += [box for box in layout.label_boxes(graph) if box]
    points = [point for line in layout.lines for point in line.points()]
    left = min([box.left for box in boxes] + [point.x for point in points]) - margin
    top = min([box.top for box in boxes] + [point.y for point in points]) - margin
    layout.width = max([box.right for box in boxes] + [point.x for point in points]) - left + margin
    layout.height = max([box.bottom for box in boxes] + [point.y for point in points]) - top + margin

    def moved(point: Point) -> Point:
        return Point(point.x - left, point.y - top)

    layout.nodes = {key: moved(point) for key, point in layout.nodes.items()}
    layout.frames = {
        key: Box(box.left - left, box.top - top, box.right - left, box.bottom - top)
        for key, box in layout.frames.items()
    }
    for line in layout.lines:
        line.start, line.tip = moved(line.start), moved(line.tip)
        line.label = moved(line.label) if line.label else None
        line.segments = [(name, tuple(map(moved, points))) for name, points in line.segments]
    return layout


def collisions(layout: Layout, graph: Graph) -> list[str]:
    """What lies over something else: nodes, foreign frames, texts. A picture without any is readable."""
    items = [(layout.box(graph, key), key) for key in graph.nodes]
    items += [(box, f"text {number}") for number, box in enumerate(layout.label_boxes(graph)) if box]
    found = [f"{one} over {other}" for one, other in _meeting(items)]
    frames = [(box.grown(-1), key) for key, box in layout.frames.items()]
    inside = {key: _ancestors(graph, key) for key in graph.clusters}
    for one, other in _meeting(frames):
        if one not in inside[other] and other not in inside[one]:
            found.append(f"{one} over {other}")
    for node in graph.nodes.values():
        box, homes = layout.box(graph, node.key), inside[node.cluster] if node.cluster else set()
        found += [f"{node.key} over {key}" for frame, key in frames if key not in homes and frame.meets(box)]
        found += [f"{node.key} out of {key}" for key in homes if not layout.frames[key].holds(box)]
    return found


def disorder(layout: Layout, graph: Graph) -> list[str]:
    """What makes a layout hard to follow: arms out of their order, ways up or out of a box's side, a bent main line."""
    found: list[str] = []
    last: dict[str, float] = {}
    for edge, line in zip(graph.edges, layout.lines, strict=True):
        source, target = layout.nodes[edge.source], layout.nodes[edge.target]
        if edge.kind == "back":
            continue
        if graph.nodes[edge.source].width > 60 and line.start.y < layout.box(graph, edge.source).bottom - 1:
            found.append(f"{edge.source} is left at its side")
        if target.y <= source.y:
            found.append(f"{edge.target} above {edge.source}")
        if edge.spine and abs(target.x - source.x) > 1:
            found.append(f"{edge.target} beside {edge.source}")
        if graph.nodes[edge.target].shape != "dot":
            if target.x <= last.get(edge.source, -math.inf):
                found.append(f"{edge.target} before its turn")
            last[edge.source] = target.x
    return found


def _ancestors(graph: Graph, key: str) -> set[str]:
    found, at = set(), graph.clusters.get(key)
    while at is not None:
        found.add(at.key)
        at = graph.clusters.get(at.parent or "")
    return found


def _meeting(items: list[tuple[Box, str]]) -> Iterator[tuple[str, str]]:
    """Every two that overlap: a sweep from top to bottom."""
    active: list[tuple[Box, str]] = []
    for box, key in sorted(items, key=lambda item: item[0].top):
        active = [(other, name) for other, name in active if other.bottom > box.top]
        yield from ((name, key) for other, name in active if other.meets(box))
        active.append((box, key))
