"""Trees that are a little simpler than a given one, to find the smallest that fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from tests.properties.trees import Act, Branch, Flow, Loop, Map, Node, Parallel, Sleep, Then


def smaller(flow: Flow) -> Iterator[Flow]:
    """Workflows that are a little simpler, the simplest first."""
    yield from _without_one(flow, "nodes")
    for index, node in enumerate(flow.nodes):
        for simpler in _simpler(node):
            if not flow.chain or isinstance(simpler, Then):
                yield replace(flow, nodes=_with(flow.nodes, index, simpler))


def _with(parts: tuple[Any, ...], index: int, part: Any) -> tuple[Any, ...]:
    return (*parts[:index], part, *parts[index + 1 :])


def _without_one(whole: Any, name: str) -> Iterator[Any]:
    """The same with one of several parts left out."""
    parts = getattr(whole, name)
    for index in range(len(parts) if len(parts) > 1 else 0):
        yield replace(whole, **{name: parts[:index] + parts[index + 1 :]})


def _simpler(node: Node) -> Iterator[Node]:
    if isinstance(node, Sleep):
        return
    if isinstance(node, Map):
        yield from ([replace(node, size=node.size - 1)] if node.size else [])
        yield from ([replace(node, turns=0)] if node.turns else [])
        return
    if isinstance(node, Then) and isinstance(node.arm, Flow):
        yield from node.arm.nodes
    if not isinstance(node, Then):
        yield from (Then(arm) for arm in _arms(node))
    if node.catch is not None:
        yield replace(node, catch=None)
        yield from (replace(node, catch=arm) for arm in _simpler_arms(node.catch))
    yield from _simpler_block(node)


def _simpler_block(node: Any) -> Iterator[Node]:
    match node:
        case Parallel(arms=arms):
            yield from _without_one(node, "arms")
            for index, arm in enumerate(arms):
                yield from (replace(node, arms=_with(arms, index, less)) for less in _simpler_arms(arm))
        case Branch(cases=cases):
            yield from _without_one(node, "cases")
            for index, (condition, arm) in enumerate(cases):
                for less in _simpler_arms(arm):
                    yield replace(node, cases=_with(cases, index, (condition, less)))
            yield from ([replace(node, otherwise=None)] if node.otherwise else [])
        case _:
            yield from ([replace(node, turns=0)] if isinstance(node, Loop) and node.turns else [])
            yield from (replace(node, arm=less) for less in _simpler_arms(node.arm))


def _arms(node: Any) -> list[Act | Flow]:
    match node:
        case Parallel():
            return list(node.arms)
        case Branch():
            return [arm for _, arm in node.cases] + ([node.otherwise] if node.otherwise else [])
        case _:
            return [node.arm]


def _simpler_arms(arm: Act | Flow) -> Iterator[Act | Flow]:
    if isinstance(arm, Flow):
        yield from (node.arm for node in arm.nodes if isinstance(node, Then))
        yield from smaller(arm)
        return
    for one in fields(arm):
        if one.name != "id" and getattr(arm, one.name) != one.default:
            yield replace(arm, **{one.name: one.default})
