"""The graph of a workflow: what is drawn, before it has a position.

Nodes and clusters have opaque keys (``n0``, ``c0``) in the order of the definition; what they stand for is their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from engine.graph.words import columns
from engine.ids import template

Shape = Literal["start", "end", "dot", "pill", "box", "stack"]
EdgeKind = Literal["flow", "case", "otherwise", "back", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing in the picture. ``kind`` is the definition's, or ``start``, ``end``, ``join``.

    ``block`` is the place of the foreach that a stack stands for; ``folded`` says that it hides what is inside.
    """

    key: str
    place: str
    kind: str
    shape: Shape
    title: str = ""
    sub: str = ""
    detail: str = ""
    cluster: str | None = None
    block: str = ""
    folded: bool = False
    width: float = 0
    height: float = 0

    @property
    def element(self) -> str:
        """The id of its element in the SVG."""
        return f"node-{self.key[1:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From one node to another.

    ``place`` is the arm's, for a branch's edge; ``frame`` the cluster that an error leaves or a way back is in;
    ``spine`` says that it is kept straight: it is not one of several that spread or meet.
    """

    source: str
    target: str
    kind: EdgeKind = "flow"
    label: str = ""
    detail: str = ""
    place: str = ""
    frame: str | None = None
    spine: bool = True

    @property
    def label_width(self) -> float:
        """The room that the label takes."""
        return columns(self.label) * 6.65 + 6 if self.label else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A frame around nodes and other frames. ``body`` is the place of the workflow or chain that it repeats."""

    key: str
    place: str
    kind: str
    title: str
    name: str = ""
    note: str = ""
    body: str = ""
    detail: str = ""
    parent: str | None = None

    @property
    def element(self) -> str:
        """The id of its element in the SVG."""
        return f"cluster-{self.key[1:]}"

    @property
    def name_at(self) -> float:
        """Where the name begins, after the title."""
        return len(self.title) * 7.7 + self.title.count("w") * 7 + 10

    @property
    def note_width(self) -> float:
        """The room of the note at the right."""
        return columns(self.note) * 5.8 if self.note else 0

    @property
    def title_width(self) -> float:
        """The room that title, name and note take."""
        name = columns(self.name) * 6.8 if self.name else -10
        return self.name_at + name + (self.note_width + 16 if self.note else 0)


@dataclass(slots=True)
class Block:
    """How the picture is nested, for the layout: node, column, row of arms, frame, or main line with a catch arm.

    ``edge`` is the edge that enters it (its label needs room: above a frame, not in it); a ``lane`` is that edge alone,
    passing by.
    """

    kind: Literal["node", "column", "row", "frame", "catch", "lane"]
    key: str = ""
    items: list[Block] = field(default_factory=list)
    edge: Edge | None = None
    back: Edge | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A workflow's graph; :func:`engine.graph.build_graph` makes it."""

    id: str
    description: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    clusters: Mapping[str, Cluster]
    root: Block

    def frames_around(self, key: str) -> set[str]:
        """The keys of the clusters that a node is in."""
        found, at = set(), self.nodes[key].cluster
        while at is not None:
            found.add(at)
            at = self.clusters[at].parent
        return found

    @cached_property
    def digraph(self) -> Any:
        """The same as a ``networkx.DiGraph``: nodes and edges with their fields, clusters in ``graph["clusters"]``."""
        import networkx as nx  # noqa: PLC0415 - only who asks for it

        made = nx.DiGraph(id=self.id, clusters=dict(self.clusters))
        for node in self.nodes.values():
            made.add_node(node.key, place=node.place, kind=node.kind, title=node.title, cluster=node.cluster)
        for edge in self.edges:
            made.add_edge(edge.source, edge.target, kind=edge.kind, label=edge.label)
        return made

    @cached_property
    def places(self) -> Mapping[str, str]:
        """Which element of the SVG shows a place (``{"review/approve[]": "node-3"}``)."""
        found: dict[str, str] = {}
        for cluster in self.clusters.values():
            if cluster.kind == "branch":
                continue  # its pill shows it
            found.setdefault(cluster.place, cluster.element)
            if cluster.body:
                found.setdefault(cluster.body, cluster.element)
        for node in self.nodes.values():
            if node.kind not in ("start", "end", "join"):
                found.setdefault(node.place, node.element)
                if node.block:
                    found.setdefault(node.block, node.element)
        return found

    def element_of(self, path: str) -> str | None:
        """The element that shows an execution path or a place: its own, else the folded box that it is in."""
        place = template(path)
        for candidate in _outwards(place):
            if candidate in self.places:
                return self.places[candidate]
        return None


def _outwards(place: str) -> Iterator[str]:
    while place:
        yield place
        place = place[:-2] if place.endswith("[]") else place.rpartition("/")[0]
