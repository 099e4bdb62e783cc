"""What Graphviz reads of a graph, and what its answer means."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from engine.graph import fallback, labels
from engine.graph.geometry import (
    ARROW,
    GUTTER,
    PAD,
    STACK,
    TITLE,
    Box,
    Layout,
    Line,
    Point,
    Segment,
    pulled_back,
    settle,
    way_back,
)
from engine.graph.model import Block, Edge, Graph, Node

Members = dict[str | None, list[str]]


def source(graph: Graph) -> str:
    """The graph as DOT without a word of its texts: opaque names, fixed sizes in inches, tables as wide as a label."""
    gutters = dict(_gutters(graph, graph.root))
    lines = [
        "digraph g {",
        'graph [rankdir=TB, ordering=out, nodesep=0.3, ranksep=0.4, compound=true, nslimit=8, mclimit=2, label=""]',
        'node [shape=box, fixedsize=true, label=""]',
        'edge [label=""]',
    ]
    members: Members = {}
    for node in graph.nodes.values():
        members.setdefault(node.cluster, []).append(_node(node, gutters.get(node.key, 0)))
    inner: Members = {}
    for cluster in graph.clusters.values():
        inner.setdefault(cluster.parent, []).append(cluster.key)
    lines += _inside(graph, None, members, inner)
    lines += [_edge(edge) for edge in graph.edges if edge.kind != "back"]
    return "\n".join([*lines, "}"])


def _gutters(graph: Graph, root: Block) -> list[tuple[str, float]]:
    """The room that a loop's first node keeps free on its right, for the way back."""
    found, todo = [], [root]
    while todo:
        block = todo.pop()
        todo += block.items
        if block.back is not None:
            first = graph.nodes[block.back.target]
            beyond = fallback.measure(graph, block.items[0]).right - first.width / 2
            found.append((first.key, max(0.0, beyond) + GUTTER + block.back.label_width))
    return found


def _node(node: Node, gutter: float) -> str:
    width = node.width + 2 * gutter + (2 * STACK if node.shape == "stack" else 0)
    height = node.height + (STACK if node.shape == "stack" else 0)
    return f"{node.key} [width={width / 72:.4f}, height={height / 72:.4f}]"


def _table(width: float, height: float) -> str:
    return f'<<table border="0" fixedsize="true" width="{width:.0f}" height="{height:.0f}"><tr><td></td></tr></table>>'


def _inside(graph: Graph, key: str | None, members: Members, inner: Members) -> list[str]:
    lines = list(members.get(key, []))
    for child in inner.get(key, []):
        label = _table(graph.clusters[child].title_width, TITLE - 8)
        lines += [f"subgraph cluster_{child} {{", f"label={label}; labeljust=l; margin={PAD:.0f};"]
        lines += [*_inside(graph, child, members, inner), "}"]
    return lines


def _edge(edge: Edge) -> str:
    fields = ["weight=100"] if edge.spine else []
    if edge.label:
        fields.append(f"label={_table(edge.label_width, 14)}")
    if edge.frame:
        fields.append(f"ltail=cluster_{edge.frame}")
    return f"{edge.source} -> {edge.target} [{', '.join(fields)}]"


# -- what Graphviz says


def read(raw: Any, graph: Graph) -> Layout:
    """A layout from Graphviz's JSON. Frames and ways back are ours, around its coordinates."""
    top = float(raw["bb"].split(",")[3])
    layout = Layout("graphviz")
    names = {item["_gvid"]: item["name"] for item in raw["objects"]}
    for item in raw["objects"]:
        if "pos" in item:
            at, node = _point(item["pos"], top), graph.nodes[item["name"]]
            layout.nodes[node.key] = at._replace(y=at.y + STACK / 2) if node.shape == "stack" else at
    drawn = {(names[edge["tail"]], names[edge["head"]]): edge for edge in raw["edges"]}
    forward = {key: _line(edge, top) for key, edge in drawn.items()}
    nothing = Line(Point(0, 0), [], Point(0, 0))
    layout.lines = [nothing if e.kind == "back" else forward[e.source, e.target] for e in graph.edges]
    _frame_all(layout, graph)
    labels.center(layout, graph)
    return settle(layout, graph)


def _point(text: str, top: float) -> Point:
    x, y = text.split(",")
    return Point(float(x), top - float(y))


def _line(edge: Any, top: float) -> Line:
    head, *rest = edge["pos"].split(" ")
    tip = _point(head.removeprefix("e,"), top)
    start, *controls = (_point(one, top) for one in rest)
    curves: list[Segment] = [("C", tuple(controls[n : n + 3])) for n in range(0, len(controls), 3)]
    if math.dist(controls[-1], tip) > ARROW + 0.5:
        curves.append(("L", (pulled_back(tip, controls[-1]),)))
    label = _point(edge["lp"], top) if edge.get("lp") else None
    return Line(start, curves, tip, label)


def _frame_all(layout: Layout, graph: Graph) -> None:
    """Frames around what is in the clusters, inner ones first, and each loop's way back at the right in its frame."""
    content: defaultdict[str, list[Box]] = defaultdict(list)
    for node in graph.nodes.values():
        if node.cluster:
            content[node.cluster].append(_whole(layout.box(graph, node.key), node))
    backs: dict[str | None, tuple[int, Edge]] = {}
    for number, (edge, line) in enumerate(zip(graph.edges, layout.lines, strict=True)):
        home = graph.nodes[edge.source].cluster
        if edge.kind == "back":
            backs[edge.frame] = (number, edge)
        elif home and home == graph.nodes[edge.target].cluster and (text := layout.label_box(edge, line)):
            content[home].append(text)
    for key, cluster in reversed(list(graph.clusters.items())):
        boxes = content[key]
        if key in backs:
            number, back = backs[key]
            right = max(box.right for box in boxes) + GUTTER
            layout.lines[number] = line = _back(layout, graph, back, right)
            boxes.append(Box(right, line.tip.y, right + 7 + back.label_width, line.start.y))
        frame = layout.frames[key] = _frame(boxes, cluster.title_width)
        if cluster.parent:
            content[cluster.parent].append(frame)


def _back(layout: Layout, graph: Graph, back: Edge, right: float) -> Line:
    low, high = layout.box(graph, back.source), layout.box(graph, back.target)
    return way_back(low, high, right, round_end=graph.nodes[back.target].shape == "dot")


def _frame(boxes: list[Box], title: float) -> Box:
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
    return Box(left - PAD, top - PAD - TITLE + 4, max(right, left + title) + PAD, bottom + PAD)


def _whole(box: Box, node: Node) -> Box:
    """With the second sheet of a stack."""
    return box._replace(top=box.top - STACK, right=box.right + STACK) if node.shape == "stack" else box
