"""Where the texts at edges stand, so that each clearly belongs to its own line and to no other."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from engine.graph.geometry import ARROW, Box, Layout, Line, Point
from engine.graph.model import Edge, Graph

APART = 6.0
"""Between a text and whatever is beside it."""
CLOSE = 5.0
"""How close the points are by which a line is known."""

Points = list[tuple[float, float, int]]
"""y, x and the number of the line, from top to bottom."""


def points_of(line: Line) -> Iterator[Point]:
    """Points on a line, close to each other, from its start to where its arrow begins."""
    at = line.start
    for name, points in line.segments:
        a, b, c, d = (at, at, points[0], points[0]) if name == "L" else (at, *points)
        count = max(2, math.ceil((math.dist(a, b) + math.dist(b, c) + math.dist(c, d)) / CLOSE))
        for n in range(count + 1):
            t, u = n / count, 1 - n / count
            weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
            if name == "L":
                weights = (u, 0, 0, t)
            x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) for axis in (0, 1))
            yield Point(x, y)
        at = points[-1]


def center(layout: Layout, graph: Graph) -> None:
    """Put each edge's text upon its line, where it is free of everything else. What finds no place stays."""
    every = _all_points(layout)
    taken = [layout.box(graph, key) for key in graph.nodes]
    for number, (edge, line) in enumerate(zip(graph.edges, layout.lines, strict=True)):
        if line.label is None or edge.kind == "back":
            continue
        for at in _candidates(line):
            box = _around(at, edge)
            if not _is_free(box, number, every, taken) or not _is_outside(box, edge, layout, graph):
                continue
            line.label = at
            taken.append(box)
            break


def unclear(layout: Layout, graph: Graph) -> list[str]:
    """Texts that a reader could take for another line's, or for a part of a frame."""
    every, found = _all_points(layout), []
    for number, (edge, box) in enumerate(zip(graph.edges, layout.label_boxes(graph), strict=True)):
        if box is None:
            continue
        found += [f"text {number} on line {other}" for other in _lines_in(box, every) if other != number]
        if edge.kind != "back" and not _is_outside(box, edge, layout, graph):
            found.append(f"text {number} on a frame")
    return found


def _all_points(layout: Layout) -> Points:
    return sorted((point.y, point.x, number) for number, line in enumerate(layout.lines) for point in points_of(line))


def _candidates(line: Line) -> list[Point]:
    """Points for the middle of a text: those nearest to the middle of the line's way first."""
    low, high = line.start.y + 12, line.tip.y - ARROW - 9
    middle = (low + high) / 2
    return sorted((p for p in points_of(line) if low <= p.y <= high), key=lambda p: abs(p.y - middle))


def _around(at: Point, edge: Edge) -> Box:
    half = edge.label_width / 2
    return Box(at.x - half, at.y - 7, at.x + half, at.y + 7)


def _is_free(box: Box, number: int, every: Points, taken: list[Box]) -> bool:
    wide = Box(box.left - APART, box.top, box.right + APART, box.bottom)
    return not any(wide.meets(one) for one in taken) and all(one == number for one in _lines_in(wide, every))


def _lines_in(box: Box, every: Points) -> set[int]:
    """The lines that go through a rectangle."""
    first, last = bisect_left(every, (box.top,)), bisect_right(every, (box.bottom,))
    return {number for _, x, number in every[first:last] if box.left < x < box.right}


def _is_outside(box: Box, edge: Edge, layout: Layout, graph: Graph) -> bool:
    """Whether a text is in no frame but those that both its ends are in, and on no frame's edge or title."""
    both = graph.frames_around(edge.source) & graph.frames_around(edge.target)
    return not any(
        (frame.meets(box) and key not in both) or (key in both and not frame.holds(box))
        for key, frame in layout.frames.items()
    )
