"""The picture: accessible SVG of our own around a layout's coordinates.

No style attributes, links, scripts, images or foreign objects; every text goes through :func:`clean` and is escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.graph.geometry import ARROW, PAD, STACK, Box, Layout, Line, Point
from engine.graph.model import Cluster, Edge, Graph, Node
from engine.graph.progress import node_statuses, taken_edges
from engine.graph.style import stylesheet
from engine.graph.words import LONGEST_PLACE, clean, plural

ICONS = {
    "success": "✓", "bailed": "✓", "running": "●", "retrying": "↻", "suspended": "?", "waiting": "…", "held": "‖",
    "paused": "‖", "failed": "✕", "interrupted": "!", "canceled": "⊘", "skipped": "\N{EN DASH}",
}  # fmt: skip
"""A sign for each status, so that none is said by colour alone."""

LEGEND = (
    ("success", "success", 66), ("running", "running", 66), ("suspended", "waiting", 66), ("failed", "failed", 54),
    ("paused", "paused", 62), ("skipped", "skipped", 66), ("pending", "pending", 66),
)  # fmt: skip
LEGEND_WIDTH = sum(width for _, _, width in LEGEND)
LEGEND_HEIGHT = 30.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """What every part of a picture needs to know. ``prefix`` starts all ids, for several pictures on one page."""

    graph: Graph
    layout: Layout
    statuses: Mapping[str, str]
    taken: frozenset[Edge]
    prefix: str = ""


def draw(
    graph: Graph,
    layout: Layout,
    *,
    statuses: Mapping[str, str] | None,
    theme: str,
    standalone: bool,
    legend: bool,
    prefix: str,
) -> str:
    """The whole SVG, as text that ends with a newline."""
    found = node_statuses(graph, statuses or {})
    drawing = Drawing(graph, layout, found, frozenset(taken_edges(graph, found)), clean(prefix, 60))
    width = max(layout.width, LEGEND_WIDTH + 2 * PAD) if legend else layout.width
    height = layout.height + (LEGEND_HEIGHT if legend else 0)
    shift = (width - layout.width) / 2
    parts = [*_head(drawing, width, height)]
    if standalone:
        parts += [f"<style>{escape(stylesheet(theme))}</style>", f'<rect class="bg" {_size(0, 0, width, height)}/>']
    parts.append(f'<g class="graph" transform="translate({_n(shift)} 0)">' if shift else '<g class="graph">')
    parts += ['<g class="clusters">', *(_cluster(drawing, cluster) for cluster in graph.clusters.values()), "</g>"]
    lines = sorted(zip(graph.edges, layout.lines, strict=True), key=lambda pair: pair[0] in drawing.taken)
    parts += ['<g class="edges">', *(_edge(drawing, edge, line) for edge, line in lines), "</g>"]
    parts += ['<g class="headings">', *(_heading(drawing, cluster) for cluster in graph.clusters.values()), "</g>"]
    parts += ['<g class="nodes" role="list">', *(_node(drawing, node) for node in graph.nodes.values()), "</g>", "</g>"]
    if legend:
        parts += _legend((width - LEGEND_WIDTH) / 2, layout.height)
    return "\n".join([*parts, "</svg>\n"])


def _head(drawing: Drawing, width: float, height: float) -> Iterator[str]:
    graph, prefix = drawing.graph, escape(drawing.prefix)
    steps = sum(node.kind not in ("start", "end", "join", "branch") for node in graph.nodes.values())
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="workflow" role="graphics-document"'
        f' width="{_n(width)}" height="{_n(height)}"'
        f' viewBox="0 0 {_n(width)} {_n(height)}" aria-labelledby="{prefix}graph-title {prefix}graph-desc"'
        f' data-workflow="{escape(graph.id)}">'
    )
    said = f"{plural(steps, 'step')}, {plural(len(graph.clusters), 'frame')}"
    yield f'<title id="{prefix}graph-title">{escape(graph.id)}: workflow graph</title>'
    yield f'<desc id="{prefix}graph-desc">{escape(" · ".join(filter(None, [graph.description, said])))}</desc>'


# -- parts


def _cluster(drawing: Drawing, cluster: Cluster) -> str:
    box = drawing.layout.frames[cluster.key]
    body = f' data-body="{_place(cluster.body)}"' if cluster.body else ""
    return (
        f'<g class="cluster" id="{escape(drawing.prefix + cluster.element)}" data-place="{_place(cluster.place)}"'
        f' data-kind="{escape(cluster.kind)}"{body}><title>{escape(cluster.detail)}</title>'
        f'<rect {_box(box)} rx="10"/></g>'
    )


def _heading(drawing: Drawing, cluster: Cluster) -> str:
    """A frame's title, name and rules: drawn over the lines, so that they can be read where one crosses."""
    box = drawing.layout.frames[cluster.key]
    left, y = box.left + PAD, _n(box.top + 18)
    said = [f'<g class="heading"><text x="{_n(left)}" y="{y}">{escape(cluster.title)}</text>']
    if cluster.name:
        said.append(f'<text class="name" x="{_n(left + cluster.name_at)}" y="{y}">{escape(cluster.name)}</text>')
    if cluster.note:
        x = _n(box.right - PAD)
        said.append(f'<text class="note" x="{x}" y="{y}" text-anchor="end">{escape(cluster.note)}</text>')
    return "".join([*said, "</g>"])


def _edge(drawing: Drawing, edge: Edge, line: Line) -> str:
    nodes, prefix = drawing.graph.nodes, escape(drawing.prefix)
    made = [
        f'<g class="edge{" taken" if edge in drawing.taken else ""}" data-kind="{edge.kind}"',
        f' data-from="{prefix}{nodes[edge.source].element}" data-to="{prefix}{nodes[edge.target].element}"',
        f' data-place="{_place(edge.place)}">' if edge.place else ">",
        f"<title>{escape(edge.detail)}</title>" if edge.detail else "",
        f'<path d="{_path(line)}"/><polygon points="{_arrow(line)}"/>',
    ]
    if line.label is not None:
        anchor = "" if line.label_starts else ' text-anchor="middle"'
        made.append(f'<text x="{_n(line.label.x)}" y="{_n(line.label.y + 4)}"{anchor}>{escape(edge.label)}</text>')
    return "".join([*made, "</g>"])


def _path(line: Line) -> str:
    said = [f"M{_p(line.start)}"]
    said += [name + " ".join(_p(point) for point in points) for name, points in line.segments]
    return " ".join(said)


def _arrow(line: Line) -> str:
    """A small triangle from the line's end to its tip."""
    end, tip = line.end, line.tip
    dx, dy = tip.x - end.x, tip.y - end.y
    length = math.hypot(dx, dy) or 1.0
    dx, dy = dx / length, dy / length
    back = Point(tip.x - dx * ARROW, tip.y - dy * ARROW)
    one, other = (Point(back.x - side * dy, back.y + side * dx) for side in (3.4, -3.4))
    return f"{_p(one)} {_p(other)} {_p(tip)}"


def _node(drawing: Drawing, node: Node) -> str:
    box, status = drawing.layout.box(drawing.graph, node.key), drawing.statuses[node.key]
    known = node.kind not in ("start", "end", "join")
    made = [
        f'<g class="node" id="{escape(drawing.prefix)}{node.element}"',
        f' data-kind="{escape(node.kind)}" data-status="{escape(clean(status, 40))}"',
        f' data-place="{_place(node.place)}" role="listitem" tabindex="0"' if known else ' aria-hidden="true"',
        f' data-block="{_place(node.block)}"' if node.block else "",
        ' data-folded="true">' if node.folded else ">",
        f"<title>{escape(node.detail)}</title>" if node.detail else "",
        *_shape(node, box, status),
    ]
    return "".join([*made, "</g>"])


def _shape(node: Node, box: Box, status: str) -> Iterator[str]:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    match node.shape:
        case "start" | "end" | "dot":
            yield f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(node.width / 2)}"/>'
            if node.shape == "end":
                yield f'<circle class="core" cx="{_n(x)}" cy="{_n(y)}" r="5"/>'
        case "pill":
            yield f'<rect class="box" {_box(box)} rx="{_n(node.height / 2)}"/>'
            mode = f'<tspan class="mode"> · {escape(node.sub)}</tspan>' if node.sub else ""
            yield f'<text x="{_n(x)}" y="{_n(y + 4)}" text-anchor="middle">{escape(node.title)}{mode}</text>'
        case "box" | "stack":
            if node.shape == "stack":
                sheet = Box(box.left + STACK, box.top - STACK, box.right + STACK, box.bottom - STACK)
                yield f'<rect class="sheet" {_box(sheet)} rx="8"/>'
            yield from _filled(node, box, status)


def _filled(node: Node, box: Box, status: str) -> Iterator[str]:
    left, top = box.left, box.top
    yield f'<rect class="box" {_box(box)} rx="8"/>'
    yield f'<rect class="stripe" {_size(left + 6, top + 8, 3, node.height - 16)} rx="1.5"/>'
    yield f'<text class="id" x="{_n(left + 17)}" y="{_n(top + 18)}">{escape(node.title)}</text>'
    yield f'<text class="sub" x="{_n(left + 17)}" y="{_n(top + 33)}">{escape(node.sub)}</text>'
    x, y = _n(box.right - 15), _n(top + 25)
    yield f'<text class="ico" x="{x}" y="{y}" text-anchor="middle">{ICONS.get(status, "")}</text>'
    yield f'<circle class="bp" cx="{_n(left)}" cy="{_n(top)}" r="5"/>'


def _legend(x: float, y: float) -> Iterator[str]:
    yield f'<g class="legend" aria-hidden="true" transform="translate({_n(x)} {_n(y)})">'
    at = 0.0
    for status, word, width in LEGEND:
        sign = f'<rect {_size(at, 1, 8, 8)} rx="2"/>'
        yield f'<g data-status="{status}">{sign}<text x="{_n(at + 13)}" y="9">{word}</text></g>'
        at += width
    yield "</g>"


# -- numbers and texts


def _n(number: float) -> str:
    """A coordinate: one decimal, no more of it than needed."""
    return f"{round(number, 1) + 0:g}" if abs(number) < 99999 else f"{number:.0f}"


def _p(point: Point) -> str:
    return f"{_n(point.x)},{_n(point.y)}"


def _size(x: float, y: float, width: float, height: float) -> str:
    return f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'


def _box(box: Box) -> str:
    return _size(box.left, box.top, box.right - box.left, box.bottom - box.top)


def _place(place: str) -> str:
    return escape(clean(place, LONGEST_PLACE))


def escape(text: str) -> str:
    """Text for an element or a quoted attribute."""
    return html.escape(text)
