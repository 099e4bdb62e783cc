"""What a run means for every element of the picture, whatever of it is folded: one account for all who watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from engine.graph.builder import BACK, build
from engine.graph.folds import WIDE, Folds
from engine.graph.model import Cluster, Graph, Node
from engine.graph.numbers import below, parts
from engine.graph.progress import node_statuses, taken_edges
from engine.graph.words import Part, joined
from engine.ids import template

_OPEN = ("running", "suspended", "held", "paused", "waiting", "retrying")
_CLOSED = ("failed", "success", "bailed", "canceled", "skipped", "pending")
_RANK = {status: rank for rank, status in enumerate((*_OPEN, *_CLOSED))}

_COUNTED = {
    "success": "done", "bailed": "done", "failed": "failed", "interrupted": "failed", "suspended": "waiting",
    "waiting": "waiting", "held": "waiting", "paused": "waiting", "running": "running", "retrying": "running",
    "canceled": "canceled", "skipped": "skipped",
}  # fmt: skip
_WORDS = ("done", "failed", "waiting", "running", "canceled", "skipped")
SHARES = ("done", "failed", "waiting", "running")
"""What the bar of a box that counts is made of, from the left."""

TIMES = "\N{MULTIPLICATION SIGN}"

LOOPS = frozenset({"do_until", "do_while"})
_UNTOUCHED = frozenset({"pending", "skipped"})
_SILENT = frozenset({"start", "end", "join", "branch"})


def rank(status: str) -> int:
    """Which status is shown where there are several: the lowest."""
    return _RANK.get(status, len(_RANK))


@dataclass(frozen=True, slots=True)
class PlaceStatus:
    """A place of the definition: what all its executions come to, and how many there are."""

    status: str
    count: int


def places(statuses: Mapping[str, str]) -> dict[str, PlaceStatus]:
    """Every place that a run has come to, by the statuses of its paths.

    What is still open counts before what has ended, and a failure before a success.
    """
    return {place: _one(those) for place, those in _by_place(statuses).items()}


def _by_place(statuses: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, status in statuses.items():
        found.setdefault(template(path) if "[" in path else path, []).append(status)
    return found


def _one(those: list[str]) -> PlaceStatus:
    return PlaceStatus(those[0] if len(those) == 1 else min(set(those), key=rank), len(those))


@dataclass(frozen=True, slots=True)
class ElementState:
    """One element of the picture.

    ``times`` stands at its corner (how often it ran), ``text`` instead of the line under its id; ``shares`` of its
    members are done, failed, waiting and running. A line between two elements is ``taken`` or not.
    """

    status: str = "pending"
    times: str = ""
    text: str = ""
    shares: tuple[float, ...] = ()
    taken: bool = False


UNTOUCHED = ElementState()


class States:
    """The states of all elements of a workflow's picture, for any number of runs and ways to fold it."""

    def __init__(self, definition: Part) -> None:
        self.whole = build(definition, Folds(whole=True))
        self._arms = {
            one.place: [below(one.scope, child) for child in one.part["children"]]
            for one in parts(definition)
            if one.part.get("kind") in ("parallel", "branch") and one.part.get("children")
        }
        self._inside = _members(self.whole)

    def of(self, statuses: Mapping[str, str]) -> dict[str, ElementState]:
        """Element -> state, of those that are not as before a run. ``statuses`` are by path or by place."""
        lists = _by_place(statuses)
        known = {place: _one(those) for place, those in lists.items()}
        colours = node_statuses(self.whole, {place: one.status for place, one in known.items()})
        found = {
            f"edge-{number}": ElementState(taken=True)
            for edge in taken_edges(self.whole, colours)
            for number in edge.numbers
        }
        for node in self.whole.nodes.values():
            found[node.element] = self._node(node, colours[node.key], lists)
        for cluster in self.whole.clusters.values():
            found.update(self._cluster(cluster, lists))
        return {element: state for element, state in found.items() if state != UNTOUCHED}

    def _node(self, node: Node, status: str, lists: Mapping[str, list[str]]) -> ElementState:
        those = lists.get(node.place, ())
        if node.block and len(those) > 1:
            return _counted(status, those, of="")
        arms = self._arms.get(node.place, ())
        if node.kind == "branch" and len(arms) > WIDE and those:
            return _counted(status, _each(arms, lists), len(arms))
        is_body = node.place.endswith("[]") and not node.block  # the frame around it says how often
        said = "skipped" if status == "skipped" and node.kind not in _SILENT else ""
        return ElementState(status, "" if is_body else _times(those), said)

    def _cluster(self, cluster: Cluster, lists: Mapping[str, list[str]]) -> dict[str, ElementState]:
        """A frame, the box that it is when folded, and the box of what it repeats."""
        arms, own = self._arms.get(cluster.place, ()), lists.get(cluster.place, ())
        inside = [] if arms else self._inside[cluster.key]
        status = self._status(own, arms or inside, lists)
        rounds = lists.get(f"{cluster.place}[]", ())
        folded = _counted(status, _each(arms or inside, lists), len(arms) or len(inside), of="" if arms else "of")
        corner = _times(rounds or own)
        if cluster.kind == "foreach" and len(rounds) > 1:
            corner = _said(rounds)
        elif len(arms) > WIDE:
            corner = folded.text
        found = {cluster.element: ElementState(status, corner)}
        if status not in _UNTOUCHED:  # however it was entered: before anything in it begins
            found[f"edge-{10 * cluster.number}"] = ElementState(taken=True)
        if cluster.kind in LOOPS and len(rounds) > 1:
            found[f"edge-{10 * cluster.number + BACK}"] = ElementState(taken=True)
        if cluster.kind != "branch":
            found[f"node-{10 * cluster.number}"] = ElementState(status, _times(own), folded.text, folded.shares)
        if cluster.body:
            found |= self._body(cluster, rounds, folded, lists)
        return found

    def _body(
        self, cluster: Cluster, rounds: Collection[str], folded: ElementState, lists: Mapping[str, list[str]]
    ) -> dict[str, ElementState]:
        status = self._status(rounds, self._inside[cluster.key], lists)
        element = f"node-{10 * cluster.body_number}"
        if cluster.kind == "foreach" and len(rounds) > 1:
            return {element: _counted(status, rounds, of="")}
        return {element: ElementState(status, "", folded.text, folded.shares)}

    def _status(self, own: Collection[str], members: Iterable[str], lists: Mapping[str, list[str]]) -> str:
        """A block's own status; if it has none, what those inside come to."""
        there = list(own) or [status for status in _each(members, lists) if status]
        return min(set(there), key=rank, default="pending")


def _members(whole: Graph) -> dict[str, list[str]]:
    """Frame -> the places of the steps in it, however deep."""
    found: dict[str, list[str]] = {key: [] for key in whole.clusters}
    for node in whole.nodes.values():
        if node.kind in _SILENT:
            continue
        for key in whole.frames_around(node.key):
            found[key].append(node.place)
    return found


def _each(members: Iterable[str], lists: Mapping[str, list[str]]) -> list[str]:
    return [_one(lists[place]).status if place in lists else "" for place in members]


def _times(those: Collection[str]) -> str:
    return f"{TIMES}{len(those)}" if len(those) > 1 else ""


def _said(those: Iterable[str], total: int = 0) -> str:
    """How many are done, failed, ...: ``60 done · 3 failed``; with a total ``2 of 3 done``."""
    counts = Counter(_COUNTED.get(status, "") for status in those)
    rest = total - counts["skipped"]
    said = [f"{counts[word]} {word}" for word in _WORDS if counts[word]]
    if total and 0 < rest != counts["done"]:
        begun = any(counts[word] for word in _WORDS)
        said = (
            [f"{counts['done']} of {rest} done", *(one for one in said if not one.endswith(" done"))] if begun else []
        )
    return joined(*said)


def _counted(status: str, those: Collection[str], total: int = 0, *, of: str = "of") -> ElementState:
    text = _said(those, total if of else 0)
    if not total or not text:
        return ElementState(status, "", text)
    counts = Counter(_COUNTED.get(one, "") for one in those)
    return ElementState(status, "", text, tuple(round(counts[word] / total, 3) for word in SHARES))
