"""The graph as DOT text, for other programs. Our own layout never reads it: it has the workflow's texts in it."""

from __future__ import annotations

from collections import defaultdict

from engine.graph.model import Edge, Graph, Node

Nodes = defaultdict[str | None, list[Node]]
Frames = defaultdict[str | None, list[str]]
SHAPES = {"start": "circle", "end": "doublecircle", "dot": "point", "pill": "box", "box": "box", "stack": "box3d"}


def dot_text(graph: Graph) -> str:
    """A ``digraph`` with a cluster for each frame."""
    lines = [
        f"digraph {quoted(graph.id or 'workflow')} {{",
        "  graph [rankdir=TB, compound=true]",
        '  node [shape=box, style="rounded", fontname="monospace", label=""]',
        '  edge [fontname="monospace", fontsize=10, label=""]',
    ]
    nodes: Nodes = defaultdict(list)
    for node in graph.nodes.values():
        nodes[node.cluster].append(node)
    frames: Frames = defaultdict(list)
    for key, cluster in graph.clusters.items():
        frames[cluster.parent].append(key)
    lines += _inside(graph, None, "  ", nodes, frames)
    lines += [f"  {_edge(edge)}" for edge in graph.ways]
    return "\n".join([*lines, "}\n"])


def _inside(graph: Graph, key: str | None, indent: str, nodes: Nodes, frames: Frames) -> list[str]:
    lines = [f"{indent}{_node(node)}" for node in nodes[key]]
    for child in frames[key]:
        cluster = graph.clusters[child]
        title = quoted(" ".join(filter(None, [cluster.title, cluster.name, cluster.note])))
        lines += [f"{indent}subgraph cluster_{child} {{", f'{indent}  label={title}; style="rounded,dashed"']
        lines += [*_inside(graph, child, indent + "  ", nodes, frames), f"{indent}}}"]
    return lines


def _node(node: Node) -> str:
    text = "\n".join(filter(None, [node.title, node.sub]))
    return f"{node.key} [shape={SHAPES[node.shape]}, label={quoted(text)}]"


def _edge(edge: Edge) -> str:
    fields = [f"label={quoted(edge.detail)}"] if edge.detail else []
    fields += {"error": ["style=dashed"], "back": ["constraint=false"]}.get(edge.kind, [])
    return f"{edge.source} -> {edge.target}" + (f" [{', '.join(fields)}]" if fields else "")


def quoted(text: str) -> str:
    r"""A DOT string that shows exactly ``text``: no ``\N``, no entities, no markup."""
    safe = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{safe}"'
