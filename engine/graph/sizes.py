"""How large nodes are: boxes all as wide as the widest needs, within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.graph import words
from engine.graph.model import Node

BOX_HEIGHT, PILL_HEIGHT, CIRCLE, DOT = 42.0, 30.0, 22.0, 13.0
NARROWEST, WIDEST = 184.0, 236.0
TALLY, BUTTON = 252.0, 26.0
"""The width of a box that counts what is in it; the room of the button that opens one."""


def common_width(nodes: Iterable[Node]) -> float:
    """How wide the boxes of a picture are."""
    return min(WIDEST, max([NARROWEST, *map(_box_width, nodes)]))


def _box_width(node: Node) -> float:
    if node.shape not in ("box", "stack"):
        return 0.0
    if node.opens:
        return 0.0  # as wide as what it counts
    return 46.0 + max(words.columns(node.title) * 7.25, words.columns(node.sub) * 5.7 - 8)


def sized(node: Node, width: float) -> Node:
    """A node with its size, and the line under its id as long as there is room."""
    match node.shape:
        case "start" | "end":
            return replace(node, width=CIRCLE, height=CIRCLE)
        case "dot":
            return replace(node, width=DOT, height=DOT)
        case "pill":
            wide = max(108.0, 44 + words.columns(node.title) * 7.25 + words.columns(node.sub) * 6.2)
            return replace(node, width=round(wide), height=PILL_HEIGHT)
        case "box" | "stack":
            if not node.opens:
                sub = words.shorten(node.sub, int((width - 30) / 5.7))
                return replace(node, width=round(width), height=BOX_HEIGHT, sub=sub)
            sub = words.shorten(node.sub, int((TALLY - 30 - BUTTON) / 5.7))
            return replace(node, width=TALLY, height=BOX_HEIGHT + 6, sub=sub)
