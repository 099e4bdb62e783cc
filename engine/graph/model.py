"""The graph of a workflow: what is drawn, before it has a position.

Nodes and clusters have opaque keys (``n0``, ``c0``) in the order of the definition; what they stand for is their place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from engine.graph.numbers import Found, parts
from engine.graph.words import columns
from engine.ids import template

Shape = Literal["start", "end", "dot", "pill", "box", "stack"]
EdgeKind = Literal["flow", "case", "otherwise", "back", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing in the picture. ``kind`` is the definition's, or ``start``, ``end``, ``join``.

    ``block`` is the place of the foreach that a stack stands for; ``folded`` says that it hides what is inside;
    ``opens`` is the place by which it is opened or folded, if it is. ``number`` is the same whatever is folded.
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
    opens: str = ""
    number: int = 0
    width: float = 0
    height: float = 0

    @property
    def element(self) -> str:
        """The id of its element in the SVG."""
        return f"node-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From one node to another.

    ``place`` is the arm's, for a branch's edge; ``frame`` the cluster that an error leaves or a way back is in;
    ``spine`` says that it is kept straight: it is not one of several that spread or meet. ``numbers``: of what it leads
    into, from the outside in, whatever is folded.
    """

    source: str
    target: str
    kind: EdgeKind = "flow"
    label: str = ""
    detail: str = ""
    place: str = ""
    frame: str | None = None
    spine: bool = True
    numbers: tuple[int, ...] = ()

    @property
    def element(self) -> str:
        """The id of its element in the SVG."""
        return f"edge-{self.numbers[-1]}"

    @property
    def label_width(self) -> float:
        """The room that the label takes."""
        return columns(self.label) * 6.65 + 6 if self.label else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A frame around nodes and other frames. ``body`` is the place of the workflow or chain that it repeats.

    ``opens`` is the place by which it is folded again, if it is.
    """

    key: str
    place: str
    kind: str
    title: str
    name: str = ""
    note: str = ""
    body: str = ""
    detail: str = ""
    parent: str | None = None
    opens: str = ""
    number: int = 0
    body_number: int = 0

    @property
    def element(self) -> str:
        """The id of its element in the SVG."""
        return f"cluster-{self.number}"

    @property
    def name_at(self) -> float:
        """Where the name begins, after the title."""
        return len(self.title) * 7.7 + self.title.count("w") * 7 + 10

    @property
    def note_width(self) -> float:
        """The room of the note at the right."""
        return columns(self.note) * 5.8 if self.note else 0

    @property
    def name_width(self) -> float:
        """The room of the name."""
        return columns(self.name) * 6.8 if self.name else 0

    @property
    def title_width(self) -> float:
        """The room that title, name and note take."""
        name = self.name_width or -10
        return self.name_at + name + (self.note_width + 16 if self.note else 0) + (26 if self.opens else 0)


@dataclass(frozen=True, slots=True)
class Inside:
    """Places that one folded box hides, and what has to be opened to see them, from the outside in."""

    element: str
    opens: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(slots=True)
class Block:
    """How the picture is nested, for the layout: node, column, row or grid of arms, frame, main line with a catch arm.

    ``edge`` is the edge that enters it (its label needs room: above a frame, not in it); a ``lane`` is that edge alone,
    passing by.
    """

    kind: Literal["node", "column", "row", "grid", "frame", "catch", "lane"]
    key: str = ""
    items: list[Block] = field(default_factory=list)
    edge: Edge | None = None
    back: Edge | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A workflow's graph; :func:`engine.graph.build_graph` makes it.

    ``hidden`` are edges that are there and not drawn: to and from the arms of a grid. ``definition`` is what it shows.
    """

    id: str
    description: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    clusters: Mapping[str, Cluster]
    root: Block
    definition: Mapping[str, Any]
    hidden: tuple[Edge, ...] = ()
    can_open: frozenset[str] = frozenset()
    """Places of parts that are opened and folded one by one."""

    @property
    def ways(self) -> tuple[Edge, ...]:
        """Every edge, drawn or not."""
        return self.edges + self.hidden

    @cached_property
    def opened(self) -> frozenset[str]:
        """The places that could be one box and are not."""
        pills = {node.opens for node in self.nodes.values() if not node.folded}
        return frozenset({cluster.opens for cluster in self.clusters.values()} | pills) - {""}

    def frames_around(self, key: str) -> set[str]:
        """The keys of the clusters that a node is in."""
        at = self.nodes[key].cluster
        return set() if at is None else {at, *self.frames_above(at)}

    def frames_above(self, key: str) -> set[str]:
        """The keys of the clusters that a cluster is in."""
        found, at = set(), self.clusters[key].parent
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
        for edge in self.ways:
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

    @cached_property
    def parents(self) -> Mapping[str, str]:
        """Place -> the place of the part that it is in."""
        return {one.place: one.parent for one in parts(self.definition)}

    @cached_property
    def signature(self) -> str:
        """What the numbers of elements depend on: the same for every way to fold one definition."""
        return hashlib.sha256("\n".join(self.parents).encode("utf-8", "replace")).hexdigest()[:12]

    def element_of(self, path: str) -> str | None:
        """The element that shows an execution path or a place: its own, else the folded box that it is in."""
        place = template(path)
        while place:
            if place in self.places:
                return self.places[place]
            place = self.parents[place] if place in self.parents else _outwards(place)
        return None

    def inside(self) -> list[Inside]:
        """What folded boxes hide, for whoever looks for it."""
        boxes = {node.element: node for node in self.nodes.values() if node.folded}
        found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for one in parts(self.definition):
            if one.place in self.places or (element := self.element_of(one.place)) not in boxes:
                continue
            found.setdefault((element, self._closed(one)), []).append(one.place)
        return [Inside(element, opens, tuple(places)) for (element, opens), places in found.items()]

    def _closed(self, one: Found) -> tuple[str, ...]:
        """What has to be opened, from the outside in, before a part is drawn."""
        found, at = [], one.parent
        while at:
            if at in self.can_open and at not in self.opened:
                found.append(at)
            at = self.parents.get(at, "")
        return tuple(reversed(found))


def _outwards(place: str) -> str:
    return place[:-2] if place.endswith("[]") else place.rpartition("/")[0]
