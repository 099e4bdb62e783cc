"""Definition -> graph: which boxes, frames and edges stand for a workflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from engine.graph import words
from engine.graph.folds import DEEP, Folds
from engine.graph.model import Block, Cluster, Edge, EdgeKind, Graph, Node, Shape
from engine.graph.numbers import SEQUENCES, below, numbers, parts
from engine.graph.sizes import common_width, sized
from engine.graph.words import LONGEST_CONDITION, LONGEST_ID, Part, clean

START, END = 0, 1
ENTRY, JOIN, EXIT, BACK, PAST, STRAIGHT, INTO_JOIN = 1, 2, 3, 4, 5, 6, 7
"""What else of a part has a number: ten for each part."""


@dataclass(frozen=True, slots=True)
class Tail:
    """An edge that has no target yet."""

    source: str
    kind: EdgeKind = "flow"
    text: str = ""
    place: str = ""
    frame: str | None = None
    spine: bool = True
    numbers: tuple[int, ...] = ()

    def into(self, *numbers: int) -> Tail:
        """The same, leading into one part more."""
        return replace(self, numbers=self.numbers + numbers)


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


def build(definition: Part, folds: Folds) -> Graph:
    """The graph of a definition."""
    return _Builder(definition, folds).graph()


class _Builder:
    def __init__(self, definition: Part, folds: Folds) -> None:
        self.definition, self.folds = definition, folds
        self.numbers = numbers(definition)
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.hidden: list[Edge] = []
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
        start = self._node("", "start", "start", START, detail="start")
        tail = Tail(start)
        column = Block("column", items=[Block("node", start)])
        children = self.definition.get("root", {}).get("children") or ()
        if children:
            drawn = self._sequence(children, tail, Spot())
            column.items.append(drawn.block)
            tail = Tail(drawn.exit)
        end = self._node("", "end", "end", END, detail="end")
        self._connect(tail.into(END), end)
        column.items.append(Block("node", end))
        width = common_width(self.nodes)
        return Graph(
            id=clean(self.definition.get("id", ""), 200),
            description=clean(self.definition.get("description") or ""),
            nodes={node.key: sized(node, width) for node in self.nodes},
            edges=tuple(self.edges),
            clusters={cluster.key: cluster for cluster in self.clusters},
            root=column,
            definition=self.definition,
            hidden=tuple(self.hidden),
            can_open=frozenset(one.place for one in parts(self.definition) if self.folds.can_open(one.part)),
        )

    # -- parts

    def _number(self, place: str, role: int = 0) -> int:
        return 10 * self.numbers[place] + role

    def _node(self, place: str, kind: str, shape: Shape, number: int, **fields: Any) -> str:
        key = f"n{len(self.nodes)}"
        self.nodes.append(Node(key=key, place=place, kind=kind, shape=shape, number=number, **fields))
        return key

    def _dot(self, spot: Spot, number: int) -> str:
        return self._node("", "join", "dot", number, cluster=spot.cluster)

    def _connect(self, tail: Tail, target: str) -> Edge:
        edge = self._edge(tail, target)
        self.edges.append(edge)
        return edge

    def _edge(self, tail: Tail, target: str) -> Edge:
        return Edge(
            source=tail.source,
            target=target,
            kind=tail.kind,
            label=clean(tail.text, LONGEST_CONDITION),
            detail=clean(tail.text),
            place=tail.place,
            frame=tail.frame,
            spine=tail.spine and tail.kind == "flow",
            numbers=tail.numbers,
        )

    def _cluster(self, part: Part, place: str, spot: Spot, *, name: str, body: str = "", opens: str = "") -> str:
        key = f"c{len(self.clusters)}"
        shown = "" if words.is_given(name) else clean(name, LONGEST_ID)
        title, note = words.heading(part["kind"]), clean(words.note(part), 50)
        detail = words.joined(title, clean(name), note, clean(part.get("description") or ""))
        fields: dict[str, Any] = {"body": body, "title": title, "name": shown, "note": note, "detail": detail}
        fields |= {"number": self.numbers[place], "body_number": self.numbers.get(body, 0), "opens": opens}
        self.clusters.append(Cluster(key=key, place=place, kind=part["kind"], parent=spot.cluster, **fields))
        return key

    def _enter(self, tail: Tail, spot: Spot, column: Block, number: int) -> Tail:
        """A small circle where ``tail`` ends, from which any number of edges may go on."""
        dot = self._dot(spot, number)
        column.items.append(Block("node", dot, edge=self._connect(tail, dot)))
        return Tail(dot)

    # -- the walk

    def _draw(self, part: Part, tail: Tail, spot: Spot) -> Drawn:
        return self._draw_at(part, below(spot.scope, part), tail, spot)

    def _draw_at(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        catch = part.get("catch")
        inner = replace(spot, exit=False) if catch else spot
        tail = tail.into(self._number(place))
        draw = self._box if self._is_folded(part, place, spot) else self.draw_kind.get(part.get("kind", ""), self._box)
        drawn = draw(part, place, tail, inner)
        return self._caught(catch, place, drawn, spot) if catch else drawn

    def _is_folded(self, part: Part, place: str, spot: Spot) -> bool:
        return self.folds.hides(part, place) or spot.depth >= DEEP or not part.get("children")

    def _opens(self, part: Part, place: str) -> str:
        return place if self.folds.can_open(part) else ""

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
        title = words.plural(arms, words.arm(part)) if grouped else _own_name(part)
        shape: Shape = "stack" if kind in ("parallel", "foreach") else "box"
        opens = "" if spot.depth >= DEEP else self._opens(part, place)
        return self._plain(part, place, tail, spot, title=title, shape=shape, opens=opens)

    def _plain(self, part: Part, place: str, tail: Tail, spot: Spot, **look: Any) -> Drawn:
        sub = clean(words.facts(part), 60)
        detail = words.joined(clean(look["title"]), sub, clean(part.get("description") or ""))
        look = {"folded": bool(part.get("children")), **look, "title": clean(look["title"], LONGEST_ID)}
        kind, number = clean(part.get("kind", "step"), 40), self._number(place)
        key = self._node(place, kind, number=number, sub=sub, detail=detail, cluster=spot.cluster, **look)
        return Drawn(key, key, Block("node", key, edge=self._connect(tail, key)))

    def _nested(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        name, opens = str(part.get("name") or part.get("id", "")), self._opens(part, place)
        cluster = self._cluster(part, place, spot, name=name, opens=opens)
        inner = replace(spot, scope=place, cluster=cluster, depth=spot.depth + 1)
        drawn = self._sequence(part["children"], tail, inner)
        return Drawn(drawn.entry, drawn.exit, _frame(cluster, drawn.block), cluster)

    def _parallel(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        if self.folds.is_wide(part):
            return self._grid(part, place, tail, spot)
        column, entry = Block("column"), ""
        if spot.entry or spot.arm or tail.text:
            tail = self._enter(tail, spot, column, self._number(place, ENTRY))
            entry = tail.source
        cluster = self._cluster(part, place, spot, name=str(part.get("name") or part.get("id", "")))
        inner = Spot(spot.scope, cluster, spot.depth + 1, arm=True)
        arms = [self._draw(child, replace(tail, spine=False), inner) for child in part["children"]]
        row, ends = Block("row", items=[arm.block for arm in arms]), self._ends(part, arms, spot)
        if not part.get("catch"):
            column.items.append(Block("frame", cluster, [row]))
            return self._join(ends, Drawn(entry, "", column), spot, self._number(place, JOIN))
        joined = self._join(ends, Drawn(entry, "", Block("column", items=[row])), inner, self._number(place, JOIN))
        column.items.append(_frame(cluster, joined.block))
        return replace(joined, block=column, frame=cluster)

    def _ends(self, part: Part, arms: list[Drawn], spot: Spot) -> list[Tail]:
        """Where arms meet: the edges from each."""
        into = [self._number(below(spot.scope, child), INTO_JOIN) for child in part["children"]]
        return [Tail(arm.exit, spine=False, numbers=(number,)) for arm, number in zip(arms, into, strict=True)]

    def _grid(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        """Very many arms: rows in a frame, without the lines to each."""
        name, opens = str(part.get("name") or part.get("id", "")), self._opens(part, place)
        cluster = self._cluster(part, place, spot, name=name, opens=opens)
        inner, inside = Spot(spot.scope, cluster, spot.depth + 1, arm=True), Block("column")
        tail = self._enter(tail, inner, inside, self._number(place, ENTRY))
        first = len(self.edges)
        arms = [self._draw(child, replace(tail, spine=False), inner) for child in part["children"]]
        inside.items.append(Block("grid", items=[arm.block for arm in arms]))
        joined = self._join(self._ends(part, arms, spot), Drawn("", "", inside), inner, self._number(place, JOIN))
        self._hide(first, tail.source, joined.exit)
        return Drawn(tail.source, joined.exit, _frame(cluster, inside), cluster)

    def _hide(self, first: int, entry: str, exit: str) -> None:
        """Of the edges from the ``first`` on: those of a grid that spread from its entry and meet at its exit."""
        made, self.edges[first:] = self.edges[first:], []
        for edge in made:
            fans = edge.source == entry or edge.target == exit
            (self.hidden if fans else self.edges).append(edge)

    def _branch(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        if not part.get("catch") and not self.folds.is_wide(part):
            return self._arms(part, place, tail, spot)
        # A frame around all of it: a failure in any arm leaves from there, not from where the arms meet.
        cluster = self._cluster(part, place, spot, name=str(part.get("name") or part.get("id", "")))
        drawn = self._arms(part, place, tail, replace(spot, cluster=cluster, depth=spot.depth + 1))
        return Drawn(drawn.entry, drawn.exit, _frame(cluster, drawn.block), cluster)

    def _arms(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        name, mode = str(part.get("name") or part.get("id", "")), clean(words.mode(part), 20)
        title = "branch" if words.is_given(name) else clean(name, LONGEST_ID)
        detail = words.joined("branch", clean(name), mode, clean(part.get("description") or ""))
        fields = {"sub": mode, "detail": detail, "cluster": spot.cluster, "opens": self._opens(part, place)}
        pill = self._node(place, "branch", "pill", self._number(place), title=title, **fields)
        column = Block("column", items=[Block("node", pill, edge=self._connect(tail, pill))])
        row, arms, first = Block("grid" if self.folds.is_wide(part) else "row"), [], len(self.edges)
        conditions = list(part.get("conditions") or ())
        for index, child in enumerate(part["children"]):
            case = Tail(pill, "otherwise", "otherwise", below(spot.scope, child))
            if index < len(conditions):
                case = replace(case, kind="case", text=words.condition(conditions[index]))
            arm = self._draw(child, case, Spot(spot.scope, spot.cluster, spot.depth + 1))
            row.items.append(arm.block)
            arms.append(arm)
        column.items.append(row)
        ends = self._ends(part, arms, spot)
        if not part.get("otherwise"):
            ends.append(Tail(pill, "otherwise", "no match", numbers=(self._number(place, PAST),)))
        number = self._number(place, JOIN)
        if row.kind == "row":
            return self._join(ends, Drawn(pill, "", column), spot, number, passing=row)
        joined = self._join(ends, Drawn(pill, "", column), spot, number)
        self._hide(first, "", joined.exit)  # each arm keeps the end of the line that comes in, with its condition
        return joined

    def _join(self, ends: list[Tail], drawn: Drawn, spot: Spot, number: int, *, passing: Block | None = None) -> Drawn:
        dot = self._dot(spot, number)
        for end in ends:
            edge = self._connect(end, dot)
            if passing is not None and end.kind == "otherwise":
                passing.items.append(Block("lane", edge=edge))
        drawn.block.items.append(Block("node", dot))
        return replace(drawn, exit=dot)

    def _loop(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        column = Block("column")
        if spot.entry:
            tail = self._enter(tail, spot, column, self._number(place, ENTRY))
        before, (body,) = tail.source, part["children"]
        cluster = self._repeated(part, body, place, spot)
        drawn = self._body(body, place, tail, Spot(spot.scope, cluster, spot.depth + 1, entry=True, exit=True))
        back_from = Tail(drawn.exit, "back", words.repeat(part), frame=cluster, numbers=(self._number(place, BACK),))
        back = self._connect(back_from, drawn.entry)
        column.items.append(_frame(cluster, drawn.block, back))
        made = Drawn(before if spot.entry else drawn.entry, drawn.exit, column, cluster)
        if not spot.exit:
            return made
        number = self._number(place, EXIT)
        after = self._enter(Tail(drawn.exit, numbers=(number,)), spot, column, number)
        return replace(made, exit=after.source)

    def _body(self, body: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        """What a loop or a foreach repeats; the frame of a workflow or chain is the loop's own."""
        inside = f"{place}[]"
        if self._is_bare(body, inside, spot):
            tail = tail.into(self._number(inside))
            return self._sequence(body["children"], tail, replace(spot, scope=inside))
        return self._draw_at(body, inside, tail, spot)

    def _is_bare(self, body: Part, inside: str, spot: Spot) -> bool:
        sequence = body.get("kind") in SEQUENCES and not body.get("catch")
        return sequence and not self._is_folded(body, inside, spot)

    def _repeated(self, part: Part, body: Part, place: str, spot: Spot) -> str:
        """The frame of a loop or a foreach: by its own id, else that of the workflow or chain in it."""
        name, inside = str(part.get("name") or ""), f"{place}[]"
        bare = self._is_bare(body, inside, replace(spot, depth=spot.depth + 1))
        if bare and (not name or words.is_given(name)):
            name = str(body.get("id", ""))
        opens = self._opens(body, inside) if bare else ""
        return self._cluster(part, place, spot, name=name, body=inside if bare else "", opens=opens)

    def _foreach(self, part: Part, place: str, tail: Tail, spot: Spot) -> Drawn:
        (body,), inside = part["children"], f"{place}[]"
        opens = self._opens(body, inside)
        if not body.get("catch") and (not body.get("children") or (opens and self.folds.hides(body, inside))):
            look = {"title": _own_name(part), "shape": "stack", "folded": bool(body.get("children")), "opens": opens}
            rules = {**part, "children": (), "description": body.get("description") or part.get("description")}
            return self._plain(rules, inside, tail.into(self._number(inside)), spot, block=place, **look)
        cluster = self._repeated(part, body, place, spot)
        inner = replace(spot, cluster=cluster, depth=spot.depth + 1)
        drawn = self._body(body, place, tail, inner)
        return Drawn(drawn.entry, drawn.exit, _frame(cluster, drawn.block), cluster)

    def _caught(self, catch: Part, place: str, drawn: Drawn, spot: Spot) -> Drawn:
        failed = Tail(drawn.exit, "error", "on error", frame=drawn.frame)
        arm = self._draw(catch, failed, Spot(spot.scope, spot.cluster, spot.depth + 1))
        dot = self._dot(spot, self._number(place, STRAIGHT))
        straight = self._connect(Tail(drawn.exit, numbers=(self._number(place, STRAIGHT),)), dot)
        self._connect(Tail(arm.exit, spine=False, numbers=(self._number(below(spot.scope, catch), INTO_JOIN),)), dot)
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
