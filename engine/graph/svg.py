"""The picture: accessible SVG of our own around a layout's coordinates.

No style attributes, scripts, images or foreign objects, and no links but those that open and fold a part, if the caller
gives them; every text goes through :func:`clean` and is escaped.
"""

from __future__ import annotations

import html
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from engine.graph.geometry import ARROW, PAD, STACK, TITLE, Box, Layout, Line, Point
from engine.graph.model import Cluster, Edge, Graph, Node
from engine.graph.states import SHARES, UNTOUCHED, ElementState, States
from engine.graph.style import stylesheet
from engine.graph.words import LONGEST_PLACE, clean, columns, plural

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

NEAR = 250.0
"""How far below a frame's edge the first of what is in it is at most, with the frames that begin between."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is put upon a picture: ``breaks`` are places with a breakpoint, ``heat`` is place -> level from 0 to 4 and
    text, ``link`` gives the address at which a part is opened (or folded: ``False``).
    """

    breaks: frozenset[str] = frozenset()
    heat: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    link: Callable[[str, bool], str] | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What every part of a picture needs to know. ``prefix`` starts all ids, for several pictures on one page."""

    graph: Graph
    layout: Layout
    states: Mapping[str, ElementState]
    prefix: str
    marks: Marks
    breaks: frozenset[str]
    """Elements with a breakpoint at their place, or inside if they are folded."""
    heat: Mapping[str, tuple[int, str]]
    """The same for heat: of what is inside, the hottest."""
    ends: list[tuple[float, float, float]]
    """Where lines end, and how high they begin: y, x, y; from the top down."""

    def state(self, element: str) -> ElementState:
        """What an element shows."""
        return self.states.get(element, UNTOUCHED)


def draw(
    graph: Graph,
    layout: Layout,
    *,
    statuses: Mapping[str, str] | None,
    theme: str,
    standalone: bool,
    legend: bool,
    prefix: str,
    marks: Marks,
) -> str:
    """The whole SVG, as text that ends with a newline."""
    states = States(graph.definition).of(statuses) if statuses else {}
    stops = frozenset(filter(None, map(graph.element_of, marks.breaks)))
    ends = sorted((line.tip.y, line.tip.x, line.start.y) for line in layout.lines)
    drawing = Drawing(graph, layout, states, clean(prefix, 60), marks, stops, _heat(graph, marks), ends)
    width = max(layout.width, LEGEND_WIDTH + 2 * PAD) if legend else layout.width
    height = layout.height + (LEGEND_HEIGHT if legend else 0)
    shift = (width - layout.width) / 2
    parts = [*_head(drawing, width, height)]
    if standalone:
        parts += [f"<style>{escape(stylesheet(theme))}</style>", f'<rect class="bg" {_size(0, 0, width, height)}/>']
    parts.append(f'<g class="graph" transform="translate({_n(shift)} 0)">' if shift else '<g class="graph">')
    parts += ['<g class="clusters">', *(_cluster(drawing, cluster) for cluster in graph.clusters.values()), "</g>"]
    lines = sorted(zip(graph.edges, layout.lines, strict=True), key=lambda pair: drawing.state(pair[0].element).taken)
    parts += ['<g class="edges">', *(_edge(drawing, edge, line) for edge, line in lines), "</g>"]
    parts += ['<g class="headings">', *(_heading(drawing, cluster) for cluster in graph.clusters.values()), "</g>"]
    parts += ['<g class="nodes" role="list">', *(_node(drawing, node) for node in graph.nodes.values()), "</g>", "</g>"]
    if legend:
        parts += _legend((width - LEGEND_WIDTH) / 2, layout.height)
    return "\n".join([*parts, "</svg>\n"])


def _heat(graph: Graph, marks: Marks) -> dict[str, tuple[int, str]]:
    """Element -> level and text: its own, else the hottest of what it hides."""
    found: dict[str, tuple[int, str]] = {}
    for place, heat in sorted(marks.heat.items(), key=lambda item: item[1][0]):
        if (element := graph.element_of(place)) is not None:
            found[element] = heat
    own = {graph.places[place]: heat for place, heat in marks.heat.items() if place in graph.places}
    return found | own


def _head(drawing: Drawing, width: float, height: float) -> Iterator[str]:
    graph, prefix = drawing.graph, escape(drawing.prefix)
    steps = sum(node.kind not in ("start", "end", "join", "branch") for node in graph.nodes.values())
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="workflow" role="graphics-document"'
        f' width="{_n(width)}" height="{_n(height)}"'
        f' viewBox="0 0 {_n(width)} {_n(height)}" aria-labelledby="{prefix}graph-title {prefix}graph-desc"'
        f' data-workflow="{escape(graph.id)}" data-picture="{graph.signature}">'
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
        f' data-kind="{escape(cluster.kind)}" data-status="{_status(drawing, cluster.element)}"{body}>'
        f'<title>{escape(cluster.detail)}</title><rect {_box(box)} rx="10"/></g>'
    )


def _heading(drawing: Drawing, cluster: Cluster) -> str:
    """A frame's title, name and rules: drawn over the lines, so that they can be read where one crosses."""
    box, state = drawing.layout.frames[cluster.key], drawing.state(cluster.element)
    button = _button(drawing, cluster.opens, cluster.name or cluster.title, Point(box.left + PAD + 8, box.top + 15))
    left, y = box.left + PAD + (24 if button else 0), _n(box.top + 18)
    left, name_at = _beside(drawing, cluster, left, box)
    number = f'id="{escape(drawing.prefix)}heading-{cluster.number}"'
    said = [f'<g class="heading" {number}{_stops(drawing, cluster.element)}>']
    said.append(f'<text x="{_n(left)}" y="{y}">{escape(cluster.title)}</text>')
    if cluster.name:
        said.append(f'<text class="name" x="{_n(name_at)}" y="{y}">{escape(cluster.name)}</text>')
    if cluster.note:
        x = _n(box.right - PAD)
        said.append(f'<text class="note" x="{x}" y="{y}" text-anchor="end">{escape(cluster.note)}</text>')
    said += [_times(box, state), button, *_marks(drawing, cluster, box)]
    return "".join([*said, "</g>"])


def _beside(drawing: Drawing, cluster: Cluster, left: float, box: Box) -> tuple[float, float]:
    """Where title and name begin: to the right of a line that comes into the frame there, if there is room."""
    name_at, clear = left + cluster.name_at, 10.0
    wide = cluster.name_width or -10.0
    most = box.right - PAD - (cluster.note_width + 16 if cluster.note else 0)
    first, last = (bisect_left(drawing.ends, (box.top + below,)) for below in (TITLE, NEAR))
    for x in sorted(x for _, x, start in drawing.ends[first:last] if start <= box.top):
        if left - clear < x < left + cluster.name_at - 10 and x + clear + cluster.name_at + wide <= most:
            left, name_at = x + clear, x + clear + cluster.name_at
        elif name_at - clear < x < name_at + wide + clear and x + clear + wide <= most:
            name_at = x + clear
    return left, name_at


def _edge(drawing: Drawing, edge: Edge, line: Line) -> str:
    nodes, prefix = drawing.graph.nodes, escape(drawing.prefix)
    made = [
        f'<g class="edge{" taken" if drawing.state(edge.element).taken else ""}" id="{prefix}{edge.element}"',
        f' data-kind="{edge.kind}"',
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
    box = drawing.layout.box(drawing.graph, node.key)
    known = node.kind not in ("start", "end", "join")
    said = node.detail + (" · breakpoint" if node.element in drawing.breaks else "")
    made = [
        f'<g class="node" id="{escape(drawing.prefix)}{node.element}"',
        f' data-kind="{escape(node.kind)}" data-status="{_status(drawing, node.element)}"',
        f' data-place="{_place(node.place)}" role="listitem" tabindex="0"' if known else ' aria-hidden="true"',
        f' data-block="{_place(node.block)}"' if node.block else "",
        ' data-folded="true"' if node.folded else "",
        _stops(drawing, node.element),
        f"><title>{escape(said)}</title>" if said else ">",
        *_shape(drawing, node, box),
    ]
    return "".join([*made, "</g>"])


def _status(drawing: Drawing, element: str) -> str:
    return escape(clean(drawing.state(element).status, 40))


def _stops(drawing: Drawing, element: str) -> str:
    return ' data-breakpoint=""' if element in drawing.breaks else ""


def _shape(drawing: Drawing, node: Node, box: Box) -> Iterator[str]:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    match node.shape:
        case "start" | "end" | "dot":
            yield f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(node.width / 2)}"/>'
            if node.shape == "end":
                yield f'<circle class="core" cx="{_n(x)}" cy="{_n(y)}" r="5"/>'
            return
        case "pill":
            yield f'<rect class="box" {_box(box)} rx="{_n(node.height / 2)}"/>'
            mode = f'<tspan class="mode"> · {escape(node.sub)}</tspan>' if node.sub else ""
            yield f'<text x="{_n(x)}" y="{_n(y + 4)}" text-anchor="middle">{escape(node.title)}{mode}</text>'
            yield _button(drawing, node.opens, node.title, Point(box.right - 4, box.bottom - 2))
        case "box" | "stack":
            if node.shape == "stack":
                sheet = Box(box.left + STACK, box.top - STACK, box.right + STACK, box.bottom - STACK)
                yield f'<rect class="sheet" {_box(sheet)} rx="8"/>'
            yield from _filled(drawing, node, box)
    yield _times(box, drawing.state(node.element))
    yield from _marks(drawing, node, box)


def _filled(drawing: Drawing, node: Node, box: Box) -> Iterator[str]:
    left, top, state = box.left, box.top, drawing.state(node.element)
    yield f'<rect class="box" {_box(box)} rx="8"/>'
    yield f'<rect class="stripe" {_size(left + 6, top + 8, 3, node.height - 16)} rx="1.5"/>'
    yield f'<text class="id" x="{_n(left + 17)}" y="{_n(top + 18)}">{escape(node.title)}</text>'
    base = f' data-base="{escape(node.sub)}"' if node.folded or node.block or state.text else ""
    said = escape(state.text or node.sub)
    yield f'<text class="sub" x="{_n(left + 17)}" y="{_n(top + 33)}"{base}>{said}</text>'
    x, y = _n(box.right - 15), _n(top + 25)
    yield f'<text class="ico" x="{x}" y="{y}" text-anchor="middle">{ICONS.get(state.status, "")}</text>'
    if node.opens and not node.block:  # how many items there will be is not known
        yield from _bar(state, Box(left + 17, box.bottom - 8, box.right - 10, box.bottom - 5))
    yield _button(drawing, node.opens, node.title, Point(box.right - 38, top + 21))


def _bar(state: ElementState, box: Box) -> Iterator[str]:
    """How much of what is inside is done, failed, waiting, running."""
    yield f'<g class="bar"><rect class="rail" {_box(box)} rx="1.5"/>'
    at, width = box.left, box.right - box.left
    for word, share in zip(SHARES, state.shares or (0.0,) * len(SHARES), strict=True):
        yield f'<rect data-share="{word}" {_size(at, box.top, width * share, box.bottom - box.top)}/>'
        at += width * share
    yield "</g>"


def _button(drawing: Drawing, opens: str, name: str, at: Point) -> str:
    """A link that opens a folded part (``+``), or folds it again; around its middle."""
    if not opens or drawing.marks.link is None:
        return ""
    is_open = opens in drawing.graph.opened
    href = drawing.marks.link(opens, not is_open)
    if not href.startswith(("?", "/")) or href.startswith("//"):
        raise ValueError(f"a picture links to nothing outside: {href!r}")
    word, sign = ("Fold", "M-4 0H4") if is_open else ("Open", "M-4 0H4M0-4V4")
    return (
        f'<a class="fold" href="{escape(href)}" data-fold="{_place(opens)}" aria-label="{word} {escape(name)}"'
        f' transform="translate({_p(at)})"><rect class="room" x="-12" y="-12" width="24" height="24"/>'
        f'<rect class="sign" x="-8" y="-8" width="16" height="16" rx="4"/><path d="{sign}"/></a>'
    )


def _times(box: Box, state: ElementState) -> str:
    """How often, at the corner; graph.js makes the same where it comes to be needed."""
    if not state.times:
        return ""
    x, y = _n(box.right - 12), _n(box.top + 4)
    return f'<text class="times" x="{x}" y="{y}" text-anchor="end">{escape(state.times)}</text>'


def _marks(drawing: Drawing, shown: Node | Cluster, box: Box) -> Iterator[str]:
    """The dot of a breakpoint (graph.js makes the same), and the badge of a heat map."""
    if shown.element in drawing.breaks:
        yield f'<circle class="bp" cx="{_n(box.left + 1)}" cy="{_n(box.top + 1)}" r="5"/>'
    if shown.element in drawing.heat:
        level, text = drawing.heat[shown.element]
        said = clean(text, 24)
        wide = columns(said) * 6.4 + 18
        left = box.right - wide - 10
        yield f'<g class="heat" data-heat="{min(4, max(0, level))}"><rect {_size(left, box.top - 9, wide, 18)} rx="9"/>'
        yield f'<text x="{_n(left + wide / 2)}" y="{_n(box.top + 4)}" text-anchor="middle">{escape(said)}</text></g>'


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
