"""One after another: a workflow, a chain."""

from __future__ import annotations

from engine.cells import Cell, Frame, Site
from engine.commands import Begin, Command, Fail, Finish
from engine.plan import Sequence


def enter(frame: Frame) -> list[Command]:
    """Begin the first child."""
    return _begin(frame, 0)


def _begin(frame: Frame, slot: int) -> list[Command]:
    node = frame.node
    if not isinstance(node, Sequence) or slot >= len(node.children):
        return [Finish(frame, frame.flow)]
    child = node.children[slot]
    return [Begin(Site(child, frame.inside + child.id, frame, slot, frame.flow))]


def after(frame: Frame, cell: Cell) -> list[Command]:
    """The next child gets what this one gave; after the last the sequence is done, after a failure it has failed."""
    if cell.status == "success":
        return _begin(frame, cell.slot + 1)
    if cell.status == "failed":
        return [Fail(frame, cell.error or {})]
    return []
