"""A layout of our own: columns of blocks, rows of arms, frames around both. Linear, deterministic, nothing overlaps.

It serves where Graphviz is missing, gives up, or would take long. Every block has an anchor: the vertical line on which
it is entered and left; blocks of a column stand on one line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.graph.geometry import GUTTER, PAD, STACK, TITLE, Box, Layout, Line, Point, pulled_back, settle, way_back
from engine.graph.model import Block, Edge, Graph

GAP = 30.0
FAN, FAN_IN_FRAME = 38.0, 6.0
"""Above and below arms, where edges spread."""
BESIDE = 22.0
LABEL = 20.0
BETWEEN_ROWS, MOST_COLUMNS = 16.0, 12
CORNER = 22.0
"""How far from the left edge of a box a line comes in that leads to nothing else."""
SOFT = 0.34
"""How much of a curve's height goes into its bends; the rest is a slope."""


@dataclass(slots=True)
class Extent:
    """How far a block reaches left and right of its anchor, and down.

    ``bare`` is ``right`` without the text of the edge that comes in; ``fan`` the room above and below a row's arms.
    """

    left: float
    right: float
    height: float
    parts: list[Extent] = field(default_factory=list)
    fan: float = 0
    bare: float = 0

    def __post_init__(self) -> None:
        self.bare = self.bare or self.right


def lay_out(graph: Graph) -> Layout:
    """Positions for a whole graph."""
    walk = _Walk(graph)
    walk.place(graph.root, measure(graph, graph.root), Point(0, 0))
    layout = walk.layout
    layout.lines = [walk.line(edge) for edge in graph.edges]
    return settle(layout, graph)


def measure(graph: Graph, block: Block) -> Extent:
    """The room that a block takes."""
    match block.kind:
        case "node":
            return _measure_node(graph, block)
        case "lane":
            return Extent(8, _label_room(block.edge), LABEL)
        case "frame":
            return _measure_frame(graph, block)
        case "row":
            return _measure_row([measure(graph, item) for item in block.items], FAN)
        case "grid":
            return _measure_grid(graph, block, [measure(graph, item) for item in block.items])
        case "catch":
            lane, arm = (measure(graph, item) for item in block.items)
            return Extent(lane.left, lane.right + BESIDE + arm.left + arm.right, arm.height + 2 * FAN, [lane, arm])
        case "column":
            parts = [measure(graph, item) for item in block.items]
            height = sum(part.height for part in parts) + sum(_gap(block, n) for n in range(1, len(parts)))
            right, bare = max(part.right for part in parts), max([parts[0].bare, *(part.right for part in parts[1:])])
            return Extent(max(part.left for part in parts), right, height, parts, bare=bare)


def _measure_node(graph: Graph, block: Block) -> Extent:
    node = graph.nodes[block.key]
    half, above = node.width / 2, STACK if node.shape == "stack" else 0
    labelled = block.edge is not None and bool(block.edge.label)
    right = max(half + above, _label_room(block.edge) if labelled else 0)
    return Extent(half, right, node.height + above + (LABEL if labelled else 0), bare=half + above)


def _label_room(edge: Edge | None) -> float:
    return edge.label_width + 10 if edge and edge.label else 8


def _measure_frame(graph: Graph, block: Block) -> Extent:
    (inside,) = block.items
    arms = [measure(graph, item) for item in inside.items] if inside.kind == "row" else []
    body = _measure_row(arms, FAN_IN_FRAME) if arms else measure(graph, inside)
    right = max(body.right, body.bare + GUTTER + 7 + block.back.label_width) if block.back else body.right
    lacking = max(0.0, graph.clusters[block.key].title_width - body.left - right)
    bare, above = right + PAD + lacking / 2, LABEL if block.edge else 0
    room = max(bare, _label_room(block.edge)) if block.edge else bare
    return Extent(body.left + PAD + lacking / 2, room, body.height + TITLE + 2 * PAD + above, [body], bare=bare)


def _measure_row(parts: list[Extent], fan: float) -> Extent:
    """Arms beside each other; the wider they spread, the more room above and below."""
    width = sum(part.left + part.right for part in parts) + BESIDE * (len(parts) - 1)
    first, last = parts[0].left, width - parts[-1].right
    middle, fan = (first + last) / 2, fan + min(70.0, max(0.0, last - first - 700) / 24)
    return Extent(middle, width - middle, max(part.height for part in parts) + 2 * fan, parts, fan)


def columns_of(count: int) -> int:
    """How many columns a grid has: few enough that a screen shows all of them."""
    return max(4, min(MOST_COLUMNS, round(math.sqrt(count * 0.16))))


def _rows(parts: list[Extent]) -> list[list[Extent]]:
    wide = columns_of(len(parts))
    return [parts[first : first + wide] for first in range(0, len(parts), wide)]


def _measure_grid(graph: Graph, block: Block, parts: list[Extent]) -> Extent:
    """Arms in rows, each in a cell as wide as the widest; entered at the left, where its title is."""
    rows, cell = _rows(parts), _cell(graph, block, parts)
    width, shown = (count * (cell + BESIDE) - BESIDE for count in (len(rows[0]), min(len(rows[0]), 4)))
    height = sum(max(part.height for part in row) + BETWEEN_ROWS for row in rows) - BETWEEN_ROWS
    return Extent(shown / 2, width - shown / 2, height, parts)


def _cell(graph: Graph, block: Block, parts: list[Extent]) -> float:
    """How wide an arm of a grid may be, with the condition above it."""
    bare = max(part.left + part.bare for part in parts)
    texts = (part.left - _aside(graph, edge) + _label_room(edge) for edge, part in _entries(block, parts))
    return max([bare, *texts])


def _entries(block: Block, parts: list[Extent]) -> Iterator[tuple[Edge, Extent]]:
    """The edges that come into the arms of a grid with a text, and where."""
    for item, part in zip(block.items, parts, strict=True):
        first = item
        while first.edge is None and first.items:
            first = first.items[0]
        if first.edge is not None and first.edge.label:
            yield first.edge, part


def _aside(graph: Graph, edge: Edge) -> float:
    """How far left of its middle a box of a grid is entered: near its edge, so that there is room for the text."""
    return max(0.0, graph.nodes[edge.target].width / 2 - CORNER)


def _gap(block: Block, index: int) -> float:
    """Between a column's block and the one before it; rows bring their own."""
    above, below = block.items[index - 1], block.items[index]
    return 0 if {above.kind, below.kind} & {"row", "catch"} else GAP


class _Walk:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layout = Layout("own")
        self.enters: dict[str, float] = {}
        """Node -> y from which the way to it is straight."""
        self.leaves: dict[str, float] = {}
        """Node -> y down to which the way from it is straight."""
        self.lanes: dict[int, tuple[float, float, float]] = {}
        """Edge -> x, top and bottom of the straight way that it has for itself."""
        self.stubs: set[int] = set()
        """Edges of which only the end is drawn."""
        self.tops: dict[int, float] = {}
        """Edge -> top of the frame above which its text stands."""

    def place(self, block: Block, extent: Extent, at: Point) -> None:
        """Give everything in a block its position; ``at`` is where the block is entered."""
        match block.kind:
            case "node":
                node = self.graph.nodes[block.key]
                bottom = at.y + extent.height
                self.layout.nodes[block.key] = Point(at.x, bottom - node.height / 2)
            case "lane":
                self.lanes[id(block.edge)] = (at.x, at.y, at.y + extent.height)
            case "frame":
                self._place_frame(block, extent, at)
            case "row":
                self._place_row(block, extent, at)
            case "grid":
                self._place_grid(block, extent, at)
            case "catch":
                self._place_catch(block, extent, at)
            case "column":
                y = at.y
                for index, (item, part) in enumerate(zip(block.items, extent.parts, strict=True)):
                    y += _gap(block, index) if index else 0
                    self.place(item, part, Point(at.x, y))
                    y += part.height

    def _place_frame(self, block: Block, extent: Extent, at: Point) -> None:
        top = at.y + (LABEL if block.edge else 0)
        if block.edge:
            self.tops[id(block.edge)] = top
        self.layout.frames[block.key] = Box(at.x - extent.left, top, at.x + extent.bare, at.y + extent.height)
        self.place(block.items[0], extent.parts[0], Point(at.x, top + TITLE + PAD))
        if block.back is not None:
            self.lanes[id(block.back)] = (at.x + extent.parts[0].bare + GUTTER, 0, 0)

    def _place_row(self, block: Block, extent: Extent, at: Point) -> None:
        x, bottom = at.x - extent.left, at.y + extent.height - extent.fan
        for item, part in zip(block.items, extent.parts, strict=True):
            self._place_arm(item, part, Point(x + part.left, at.y + extent.fan), bottom)
            x += part.left + part.right + BESIDE

    def _place_grid(self, block: Block, extent: Extent, at: Point) -> None:
        items, y = iter(block.items), at.y
        self.stubs |= {id(edge) for edge, _ in _entries(block, extent.parts)}
        cell = _cell(self.graph, block, extent.parts) + BESIDE
        for row in _rows(extent.parts):
            for column, part in enumerate(row):
                self.place(next(items), part, Point(at.x - extent.left + column * cell + part.left, y))
            y += max(part.height for part in row) + BETWEEN_ROWS

    def _place_catch(self, block: Block, extent: Extent, at: Point) -> None:
        lane, arm = extent.parts
        bottom = at.y + extent.height - FAN
        self.lanes[id(block.items[0].edge)] = (at.x, at.y, at.y + extent.height)
        self._place_arm(block.items[1], arm, Point(at.x + lane.right + BESIDE + arm.left, at.y + FAN), bottom)

    def _place_arm(self, item: Block, part: Extent, at: Point, bottom: float) -> None:
        self.place(item, part, at)
        if item.kind == "lane":
            self.lanes[id(item.edge)] = (at.x, at.y, bottom)
            return
        first, last = _first(item), _last(item)
        if first is not None:
            self.enters[first] = at.y
        self.leaves[last] = max(bottom, self.leaves.get(last, bottom))

    def line(self, edge: Edge) -> Line:
        """An edge's way: straight down where it is alone, in a curve between."""
        if edge.kind == "back":
            return self._back(edge)
        if id(edge) in self.stubs:
            return self._stub(edge)
        tail, head = self.layout.box(self.graph, edge.source), self.layout.box(self.graph, edge.target)
        out, into = self.layout.nodes[edge.source].x, self.layout.nodes[edge.target].x
        low = self.layout.frames[edge.frame].bottom if edge.frame else tail.bottom
        tip = Point(into, head.top - (STACK if self.graph.nodes[edge.target].shape == "stack" else 0))
        points, top = [Point(out, low)], self.tops.get(id(edge), tip.y)
        if edge.kind == "flow" and (down := self.leaves.get(edge.source, 0)) > low:
            points.append(Point(out, down))
        if (lane := self.lanes.get(id(edge))) is not None:
            points += [Point(lane[0], lane[1]), Point(lane[0], lane[2])]
        elif tip.y - LABEL > (enter := self.enters.get(edge.target, tip.y)) or edge.label:
            points.append(Point(into, min(enter, top - LABEL)))
        line = _curved([self._spread(edge, points, tip), *points[1:]], tip)
        if edge.label:
            x, y = (lane[0], lane[1] + LABEL / 2) if lane else (into, top - LABEL / 2 - 3)
            line.label, line.label_starts = Point(x + 7, y), True
        return line

    def _stub(self, edge: Edge) -> Line:
        """The end of a line into an arm of a grid, with its text."""
        head = self.layout.box(self.graph, edge.target)
        x = self.layout.nodes[edge.target].x - _aside(self.graph, edge)
        tip = Point(x, head.top - (STACK if self.graph.nodes[edge.target].shape == "stack" else 0))
        top = self.tops.get(id(edge), tip.y)
        line = _curved([Point(x, top - LABEL)], tip)
        line.label, line.label_starts = Point(x + 7, top - LABEL / 2 - 3), True
        return line

    def _spread(self, edge: Edge, points: list[Point], tip: Point) -> Point:
        """Where a line leaves: a wide box or frame is left on the side to which the line goes."""
        start, to = points[0], [*points, tip][1]
        wide = self.graph.nodes[edge.source].width / 2
        if edge.frame:
            wide = self.layout.frames[edge.frame].right - start.x
        room = max(0.0, wide - 22)
        return start._replace(x=start.x + max(-room, min(room, (to.x - start.x) / 4)))

    def _back(self, edge: Edge) -> Line:
        low, high = self.layout.box(self.graph, edge.source), self.layout.box(self.graph, edge.target)
        return way_back(low, high, self.lanes[id(edge)][0], round_end=self.graph.nodes[edge.target].shape == "dot")


def _curved(points: list[Point], tip: Point) -> Line:
    line, at = Line(points[0], [], tip), points[0]
    end = pulled_back(tip, Point(tip.x, tip.y - 20))
    for to in [*points[1:], end]:
        if to.y <= at.y and to.x == at.x:
            continue
        if abs(to.x - at.x) < 0.5:
            line.segments.append(("L", (to,)))
        else:
            soft = (to.y - at.y) * SOFT
            line.segments.append(("C", (Point(at.x, at.y + soft), Point(to.x, to.y - soft), to)))
        at = to
    return line


def _first(block: Block) -> str | None:
    """The node where a block is entered, if it is one."""
    while block.items:
        if block.kind == "row":
            return None
        block = block.items[0]
    return block.key


def _last(block: Block) -> str:
    """The node where a block is left."""
    while block.items:
        block = block.items[-1]
    return block.key
