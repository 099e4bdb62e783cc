"""Definition -> graph: which boxes, frames and edges stand for a workflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from engine.graph import words
from engine.graph.model import Block, Cluster, Edge, EdgeKind, Graph, Node, Shape
from engine.graph.words import LONGEST_CONDITION, LONGEST_ID, Part, clean

WIDE = 24
"""A parallel or a branch with more arms is one box, unless it is unfolded."""
DEEP = 32
"""What is nested deeper is one box."""

BOX_HEIGHT, PILL_HEIGHT, CIRCLE, DOT = 42.0, 30.0, 22.0, 13.0
NARROWEST, WIDEST = 184.0, 236.0


@dataclass(frozen=True, slots=True)
class Tail:
    """An edge that has no target yet."""

    source: str
    kind: EdgeKind = "flow"
    text: str = ""
    place: str = ""
    frame: str | None = None
    spine: bool = True


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something is drawn: the scope of its ids, its frame, its depth.

    ``entry`` and ``exit`` ask for a node of its own at that end, in no deeper loop: a way back leads there.
    ``arm``: the edge that comes in goes to other arms too, so it must not spread once more.
    """

    scope: str = ""
    cluster: str | None = None
    depth: int = 0
    entry: bool = False
    exit: bool = False
    arm: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """A part of the picture: where it begins (empty: at several nodes), where it ends, how it is nested."""

    entry: str
    exit: str
    block: Block
    frame: str | None = None


def build(definition: Part, *, fold: frozenset[str], unfold: frozenset[str]) -> Graph:
    """The graph of a definition."""
    return _Builder(definition, fold, unfold).graph()


class _Builder:
    def __init__(self, definition: Part, fold: frozenset[str], unfold: frozenset[str]) -> None:
        self.definition, self.fold, self.unfold = definition, fold, unfold
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.clusters: list[Cluster] = []
        self.draw_kind: dict[str, Callable[[Part, str, Tail, Spot], Drawn]] = {
            "workflow": self._nested,
            "chain": self._nested,
            "parallel": self._parallel,
            "branch": self._branch,
            "do_until": self._loop,
            "do_while": self._loop,
            "foreach": self._foreach,
        }

    def graph(self) -> Graph:
        start = self._node("", "start", "start", detail="start")
        tail = Tail(start)
        column = Block("column", items=[Block("node", start)])
        children = self.definition.get("root", {}).get("children") or ()
        if children:
            drawn = self._sequence(children, tail, Spot())
            column.items.append(drawn.block)
            tail = Tail(drawn.exit)
        end = self._node("", "end", "end", detail="end")
        self._connect(tail, end)
        column.items.append(Block("node", end))
        width = min(WIDEST, max([NARROWEST, *(_box_width(node) for node in self.nodes)]))
        return Graph(
            id=clean(self.definition.get("id", ""), 200),
            description=clean(self.definition.get("description") or ""),
            nodes={node.key: _sized(node, width) for node in self.nodes},
            edges=tuple(self.edges),
            clusters={cluster.key: cluster for cluster in self.clusters},
            root=column,
        )

    # -- parts

    def _node(self, place: str, kind: str, shape: Shape, **fields: Any) -> str:
        key = f"n{len(self.nodes)}"
        self.nodes.append(Node(key=key, place=place, kind=kind, shape=shape, **fields))
        return key

    def _dot(self, spot: Spot) -> str:
        return self._node("", "join", "dot", cluster=spot.cluster)

    def _connect(self, tail: Tail, target: str) -> Edge:
        edge = Edge(
            source=tail.source,
            target=target,
            kind=tail.kind,
            label=clean(tail.text, LONGEST_CONDITION),
            detail=clean(tail.text),
            place=tail.place,
            frame=tail.frame,
            spine=tail.spine and tail.kind == "flow",
        )
        self.edges.append(edge)
        return edge

    def _cluster(self, part: Part, place: str, spot: Spot, name: str, body: str = "") -> str:
        key = f"c{len(self.clusters)}"
        shown = "" if words.is_given(name) else clean(name, LONGEST_ID)
        title, note = words.heading(part["kind"]), clean(words.note(part), 50)
        detail = words.joined(title, clean(name), note, clean(part.get("description") or ""))
        fields = {"body": body, "title": title, "name": shown, "note": note, "detail": detail}
        self.clusters.append(Cluster(key=key, place=place, kind=part["kind"], parent=spot.cluster, **fields))
        return key

    def _enter(self, tail: Tail, spot: Spot, column: Block) -> Tail:
        """A small circle where ``tail`` ends, from which any number of edges may go on."""
        dot = self._dot(spot)
        column.items.append(Block("node", dot, edge=self._connect(tail, dot)))
        return Tail(dot)

    # -- the walk

    def _draw(self, part: Part, tail: Tail, spot: Spot) -> Drawn:
        return self._draw_at(part, _below(spot.scope, str(part.get("id", ""))), tail, spot)

    def _draw_at(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        catch = part.get("catch")
        inner = replace(spot, exit=False) if catch else spot
        draw = self._box if self._is_folded(part, place, spot) else self.draw_kind.get(part.get("kind", ""), self._box)
        drawn = draw(part, place, tail, inner)
        return self._caught(catch, drawn, spot) if catch else drawn

    def _is_folded(self, part: Part, place: str, spot: Spot) -> bool:
        arms = len(part.get("children") or ())
        wide = part.get("kind") in ("parallel", "branch") and arms > WIDE and place not in self.unfold
        return place in self.fold or wide or spot.depth >= DEEP or not arms

    def _sequence(self, children: Any, tail: Tail, spot: Spot) -> Drawn:
        column, entry, last = Block("column"), "", len(children) - 1
        for index, child in enumerate(children):
            first, final = index == 0, index == last
            here = replace(spot, entry=spot.entry and first, exit=spot.exit and final, arm=spot.arm and first)
            drawn = self._draw(child, tail, here)
            entry = entry if index else drawn.entry
            column.items.append(drawn.block)
            tail = Tail(drawn.exit)
        return Drawn(entry, tail.source, column)

    def _box(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        """A step, or anything folded."""
        kind, arms = part.get("kind", "step"), len(part.get("children") or ())
        name = str(part.get("name") or part.get("id", ""))
        grouped = kind in ("parallel", "branch") and words.is_given(name)
        title = words.plural(arms, "arm") if grouped else _own_name(part)
        shape: Shape = "stack" if kind in ("parallel", "foreach") else "box"
        return self._plain(part, place, tail, spot, title=title, shape=shape)

    def _plain(self, part: Part, place: str, tail: Tail, spot: Spot, **look: Any) -> Drawn:
        sub = clean(words.facts(part), 60)
        detail = words.joined(clean(look["title"]), sub, clean(part.get("description") or ""))
        look["title"] = clean(look["title"], LONGEST_ID)
        folded = bool(part.get("children"))
        kind = clean(part.get("kind", "step"), 40)
        key = self._node(place, kind, sub=sub, detail=detail, cluster=spot.cluster, folded=folded, **look)
        return Drawn(key, key, Block("node", key, edge=self._connect(tail, key)))

    def _nested(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        cluster = self._cluster(part, place, spot, str(part.get("name") or part.get("id", "")))
        inner = replace(spot, scope=place, cluster=cluster, depth=spot.depth + 1)
        drawn = self._sequence(part["children"], tail, inner)
        return Drawn(drawn.entry, drawn.exit, _frame(cluster, drawn.block), cluster)

    def _parallel(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        column, entry = Block("column"), ""
        if spot.entry or spot.arm or tail.text:
            tail = self._enter(tail, spot, column)
            entry = tail.source
        cluster = self._cluster(part, place, spot, str(part.get("name") or part.get("id", "")))
        inner = Spot(spot.scope, cluster, spot.depth + 1, arm=True)
        arms = [self._draw(child, replace(tail, spine=False), inner) for child in part["children"]]
        row, ends = Block("row", items=[arm.block for arm in arms]), [Tail(arm.exit, spine=False) for arm in arms]
        if not part.get("catch"):
            column.items.append(Block("frame", cluster, [row]))
            return self._join(ends, Drawn(entry, "", column), spot)
        joined = self._join(ends, Drawn(entry, "", Block("column", items=[row])), inner)
        column.items.append(_frame(cluster, joined.block))
        return replace(joined, block=column, frame=cluster)

    def _branch(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        if not part.get("catch"):
            return self._arms(part, place, tail, spot)
        # A frame around all of it: a failure in any arm leaves from there, not from where the arms meet.
        cluster = self._cluster(part, place, spot, str(part.get("name") or part.get("id", "")))
        drawn = self._arms(part, place, tail, replace(spot, cluster=cluster, depth=spot.depth + 1))
        return Drawn(drawn.entry, drawn.exit, _frame(cluster, drawn.block), cluster)

    def _arms(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        name, mode = str(part.get("name") or part.get("id", "")), clean(words.mode(part), 20)
        title = "branch" if words.is_given(name) else clean(name, LONGEST_ID)
        detail = words.joined("branch", clean(name), mode, clean(part.get("description") or ""))
        pill = self._node(place, "branch", "pill", title=title, sub=mode, detail=detail, cluster=spot.cluster)
        column = Block("column", items=[Block("node", pill, edge=self._connect(tail, pill))])
        row, ends = Block("row"), []
        conditions = list(part.get("conditions") or ())
        for index, child in enumerate(part["children"]):
            case = Tail(pill, "otherwise", "otherwise", _below(spot.scope, str(child.get("id", ""))))
            if index < len(conditions):
                case = replace(case, kind="case", text=words.condition(conditions[index]))
            arm = self._draw(child, case, Spot(spot.scope, spot.cluster, spot.depth + 1))
            row.items.append(arm.block)
            ends.append(Tail(arm.exit, spine=False))
        column.items.append(row)
        if not part.get("otherwise"):
            ends.append(Tail(pill, "otherwise", "no match"))
        return self._join(ends, Drawn(pill, "", column), spot, passing=row)

    def _join(self, ends: list[Tail], drawn: Drawn, spot: Spot, passing: Block | None = None) -> Drawn:
        dot = self._dot(spot)
        for end in ends:
            edge = self._connect(end, dot)
            if passing is not None and end.kind == "otherwise":
                passing.items.append(Block("lane", edge=edge))
        drawn.block.items.append(Block("node", dot))
        return replace(drawn, exit=dot)

    def _loop(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        column = Block("column")
        if spot.entry:
            tail = self._enter(tail, spot, column)
        before, (body,) = tail.source, part["children"]
        cluster = self._repeated(part, body, place, spot)
        drawn = self._body(body, place, tail, Spot(spot.scope, cluster, spot.depth + 1, entry=True, exit=True))
        back = self._connect(Tail(drawn.exit, "back", words.repeat(part), frame=cluster), drawn.entry)
        column.items.append(_frame(cluster, drawn.block, back))
        made = Drawn(before if spot.entry else drawn.entry, drawn.exit, column, cluster)
        if not spot.exit:
            return made
        after = self._enter(Tail(drawn.exit), spot, column)
        return replace(made, exit=after.source)

    def _body(self, body: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        """What a loop or a foreach repeats; the frame of a workflow or chain is the loop's own."""
        inside = f"{place}[]"
        if self._is_bare(body, inside, spot):
            return self._sequence(body["children"], tail, replace(spot, scope=inside))
        return self._draw_at(body, inside, tail, spot)

    def _is_bare(self, body: Part, inside: str, spot: Spot) -> bool:
        sequence = body.get("kind") in ("workflow", "chain") and not body.get("catch")
        return sequence and not self._is_folded(body, inside, spot)

    def _repeated(self, part: Part, body: Part, place: str, spot: Spot) -> str:
        """The frame of a loop or a foreach: by its own id, else that of the workflow or chain in it."""
        name, inside = str(part.get("name") or ""), f"{place}[]"
        bare = self._is_bare(body, inside, replace(spot, depth=spot.depth + 1))
        if bare and (not name or words.is_given(name)):
            name = str(body.get("id", ""))
        return self._cluster(part, place, spot, name, inside if bare else "")

    def _foreach(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        (body,) = part["children"]
        if not body.get("children") and not body.get("catch"):
            rules = {**part, "children": (), "description": body.get("description") or part.get("description")}
            return self._plain(rules, f"{place}[]", tail, spot, title=_own_name(part), shape="stack", block=place)
        cluster = self._repeated(part, body, place, spot)
        inner = replace(spot, cluster=cluster, depth=spot.depth + 1)
        drawn = self._body(body, place, tail, inner)
        return Drawn(drawn.entry, drawn.exit, _frame(cluster, drawn.block), cluster)

    def _caught(self, catch: Part, drawn: Drawn, spot: Spot) -> Drawn:
        failed = Tail(drawn.exit, "error", "on error", frame=drawn.frame)
        arm = self._draw(catch, failed, Spot(spot.scope, spot.cluster, spot.depth + 1))
        dot = self._dot(spot)
        straight = self._connect(Tail(drawn.exit), dot)
        self._connect(Tail(arm.exit, spine=False), dot)
        lane = Block("lane", edge=straight)
        block = Block("column", items=[drawn.block, Block("catch", items=[lane, arm.block]), Block("node", dot)])
        return Drawn(drawn.entry, dot, block)


def _frame(cluster: str, inside: Block, back: Edge | None = None) -> Block:
    """A frame around a block. The text of the edge that comes in stands above it."""
    first = inside
    while first.edge is None and first.items and first.kind != "row":
        first = first.items[0]
    made = Block("frame", cluster, [inside], back=back)
    if first.edge is not None and first.edge.label:
        made.edge, first.edge = first.edge, None
    return made


def _own_name(part: Part) -> str:
    """What a box is called: a loop or foreach that nobody named goes by what it repeats."""
    name, id = str(part.get("name") or ""), str(part.get("id", ""))
    return id if not name or words.is_given(name) else name


def _below(scope: str, id: str) -> str:
    return f"{scope}/{id}" if scope else id


def _box_width(node: Node) -> float:
    if node.shape not in ("box", "stack"):
        return 0.0
    return 46.0 + max(words.columns(node.title) * 7.25, words.columns(node.sub) * 5.7 - 8)


def _sized(node: Node, width: float) -> Node:
    match node.shape:
        case "start" | "end":
            return replace(node, width=CIRCLE, height=CIRCLE)
        case "dot":
            return replace(node, width=DOT, height=DOT)
        case "pill":
            wide = max(108.0, 44 + words.columns(node.title) * 7.25 + words.columns(node.sub) * 6.2)
            return replace(node, width=round(wide), height=PILL_HEIGHT)
        case "box" | "stack":
            room = int((width - 30) / 5.7)
            return replace(node, width=round(width), height=BOX_HEIGHT, sub=words.shorten(node.sub, room))
