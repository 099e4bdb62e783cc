"""What statuses of places mean for the picture: the colour of every node, and the edges that were taken."""

from __future__ import annotations

from collections.abc import Mapping

from engine.graph.model import Edge, Graph

DONE = frozenset({"success", "bailed"})
UNTOUCHED = frozenset({"pending", "skipped", ""})
_OURS = frozenset({"join", "end", "branch"})
"""Kinds that may have no status of their own."""


def node_statuses(graph: Graph, statuses: Mapping[str, str]) -> dict[str, str]:
    """A status for each node's key: its place's, and for circles and branches what follows from their neighbours."""
    begun = any(status not in UNTOUCHED for status in statuses.values())
    found: dict[str, str] = {}
    for key, node in graph.nodes.items():
        given = statuses.get(node.place) or statuses.get(node.block) if node.place else None
        found[key] = "success" if node.kind == "start" and begun else given or "pending"
    before, after = _neighbours(graph)
    order = [key for key in _in_order(graph, before, after) if graph.nodes[key].kind in _OURS]
    silent = [key for key in order if found[key] == "pending"]
    for key in silent:
        if _is_reached(before.get(key, []), after, found):
            found[key] = "success"
    for key in reversed(silent):
        ways = [edge for edge in after.get(key, ()) if found[edge.target] not in UNTOUCHED]
        if ways and all(edge.kind != "error" for edge in ways):
            found[key] = "success"
    return found


def _neighbours(graph: Graph) -> tuple[dict[str, list[Edge]], dict[str, list[Edge]]]:
    before: dict[str, list[Edge]] = {}
    after: dict[str, list[Edge]] = {}
    for edge in graph.ways:
        if edge.kind != "back":
            before.setdefault(edge.target, []).append(edge)
            after.setdefault(edge.source, []).append(edge)
    return before, after


def _is_reached(into: list[Edge], after: Mapping[str, list[Edge]], found: Mapping[str, str]) -> bool:
    """Whether the run has come to a circle: all arms have, or are skipped; a block with a catch arm or that arm has."""
    flows = [edge for edge in into if edge.kind != "otherwise"]
    if any(edge.kind == "error" for one in flows for edge in after[one.source]):
        return any(found[edge.source] in DONE for edge in flows)
    settled = all(found[edge.source] in DONE or found[edge.source] == "skipped" for edge in flows)
    ran = any(found[edge.source] in DONE for edge in flows)
    return settled and (ran or any(found[edge.source] in DONE for edge in into if edge.kind == "otherwise"))


def taken_edges(graph: Graph, found: Mapping[str, str]) -> set[Edge]:
    """The edges that the run has gone along."""
    chosen = {edge.source for edge in graph.ways if edge.kind == "case" and found[edge.target] not in UNTOUCHED}
    return {edge for edge in graph.ways if _is_taken(edge, found, chosen)}


def _is_taken(edge: Edge, found: Mapping[str, str], chosen: set[str]) -> bool:
    if edge.kind == "back" or found[edge.target] in UNTOUCHED:
        return False
    if edge.kind == "error":
        return True  # nothing else leads to a catch arm
    return found[edge.source] in DONE and not (edge.kind == "otherwise" and edge.source in chosen)


def _in_order(graph: Graph, before: Mapping[str, list[Edge]], after: Mapping[str, list[Edge]]) -> list[str]:
    """Keys so that each comes after those that lead to it."""
    waiting = {key: len(before.get(key, ())) for key in graph.nodes}
    ready = [key for key, count in waiting.items() if not count]
    for key in ready:
        for edge in after.get(key, ()):
            waiting[edge.target] -= 1
            if not waiting[edge.target]:
                ready.append(edge.target)
    return ready
