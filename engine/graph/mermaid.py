"""The graph as a Mermaid flowchart. Every sign that Mermaid could read as its own is written as a number."""

from __future__ import annotations

from collections import defaultdict

from engine.graph.model import Edge, Graph, Node

Nodes = defaultdict[str | None, list[Node]]
Frames = defaultdict[str | None, list[str]]

_PLAIN = frozenset("_/,()=- ·…:")


def mermaid_text(graph: Graph) -> str:
    """``flowchart TD`` with a subgraph for each frame."""
    nodes: Nodes = defaultdict(list)
    for node in graph.nodes.values():
        nodes[node.cluster].append(node)
    frames: Frames = defaultdict(list)
    for key, cluster in graph.clusters.items():
        frames[cluster.parent].append(key)
    lines = ["flowchart TD", *_inside(graph, None, "  ", nodes, frames)]
    return "\n".join([*lines, *(f"  {_edge(edge)}" for edge in graph.ways), ""])


def _inside(graph: Graph, key: str | None, indent: str, nodes: Nodes, frames: Frames) -> list[str]:
    lines = [f"{indent}{_node(node)}" for node in nodes[key]]
    for child in frames[key]:
        cluster = graph.clusters[child]
        title = escaped(" ".join(filter(None, [cluster.title, cluster.name, cluster.note])))
        lines += [f'{indent}subgraph {child}["{title}"]', f"{indent}  direction TB"]
        lines += [*_inside(graph, child, indent + "  ", nodes, frames), f"{indent}end"]
    return lines


def _node(node: Node) -> str:
    text = "<br/>".join(escaped(line) for line in (node.title, node.sub) if line)
    match node.shape:
        case "start" | "end":
            return f'{node.key}(("{node.kind}"))'
        case "dot":
            return f'{node.key}((" "))'
        case "pill":
            return f'{node.key}(["{text}"])'
        case "stack":
            return f'{node.key}[["{text}"]]'
        case "box":
            return f'{node.key}["{text}"]'


def _edge(edge: Edge) -> str:
    arrow = "-.->" if edge.kind in ("error", "back") else "-->"
    label = f'|"{escaped(edge.detail)}"|' if edge.detail else ""
    return f"{edge.source} {arrow}{label} {edge.target}"


def escaped(text: str) -> str:
    """Text for a quoted label: letters, digits and a few signs as they are, the others as ``#60;``."""
    kept = "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in text)
    return f"#45;{kept[1:]}" if kept.startswith("-") else kept
