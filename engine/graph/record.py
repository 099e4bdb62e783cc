"""The graph as JSON: what is drawn, and where."""

from __future__ import annotations

import json
from typing import Any

from engine.graph.geometry import Box, Layout, Line, Point
from engine.graph.model import Graph


def json_text(graph: Graph, layout: Layout) -> str:
    """Nodes, edges and clusters with positions; the same graph gives the same text."""
    made = {
        "id": graph.id,
        "description": graph.description,
        "layout": layout.engine,
        "width": round(layout.width, 1),
        "height": round(layout.height, 1),
        "nodes": [_node(graph, layout, key) for key in graph.nodes],
        "edges": [_edge(graph, layout, number) for number in range(len(graph.edges))],
        "clusters": [_cluster(graph, layout, key) for key in graph.clusters],
    }
    return json.dumps(made, indent=1) + "\n"


def _node(graph: Graph, layout: Layout, key: str) -> dict[str, Any]:
    node = graph.nodes[key]
    said = {
        "key": key,
        "place": node.place,
        "kind": node.kind,
        "shape": node.shape,
        "title": node.title,
        "sub": node.sub,
        "detail": node.detail,
        "cluster": node.cluster,
        "folded": node.folded,
    }
    return said | _box(layout.box(graph, key))


def _edge(graph: Graph, layout: Layout, number: int) -> dict[str, Any]:
    edge, line = graph.edges[number], layout.lines[number]
    said = {"from": edge.source, "to": edge.target, "kind": edge.kind, "label": edge.label, "detail": edge.detail}
    return said | {
        "place": edge.place,
        "path": _path(line),
        "tip": _xy(line.tip),
        "label_at": line.label and _xy(line.label),
    }


def _cluster(graph: Graph, layout: Layout, key: str) -> dict[str, Any]:
    cluster = graph.clusters[key]
    said = {"key": key, "place": cluster.place, "kind": cluster.kind, "title": cluster.title, "name": cluster.name}
    return said | {"parent": cluster.parent} | _box(layout.frames[key])


def _box(box: Box) -> dict[str, float]:
    sides = {"x": box.left, "y": box.top, "width": box.right - box.left, "height": box.bottom - box.top}
    return {name: round(value, 1) for name, value in sides.items()}


def _path(line: Line) -> list[list[Any]]:
    return [["M", _xy(line.start)], *([name, *map(_xy, points)] for name, points in line.segments)]


def _xy(point: Point) -> list[float]:
    return [round(point.x, 1), round(point.y, 1)]
