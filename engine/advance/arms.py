"""Side by side: the arms of a parallel, and those of a branch that were chosen."""

from __future__ import annotations

from engine.cells import Cell, Frame, Site
from engine.commands import Begin, Command, Fail, Finish
from engine.plan import Branch, Parallel, PlanNode


def _arms(frame: Frame) -> tuple[PlanNode, ...]:
    node = frame.node
    if isinstance(node, Branch):
        return tuple(node.children[slot] for slot in frame.chosen or ())
    return node.children if isinstance(node, Parallel) else ()


def enter(frame: Frame) -> list[Command]:
    """Begin the arms, as many as may run at once."""
    arms = _arms(frame)
    if not arms:
        return [Finish(frame)]
    return [_begin(frame, arm) for arm in arms[: frame.at_once]]


def _begin(frame: Frame, arm: PlanNode) -> Command:
    return Begin(Site(arm, frame.inside + arm.id, frame, arm.slot, frame.input))


def after(frame: Frame, cell: Cell) -> list[Command]:
    """When all have settled, the block is done, or has failed with the first failed arm in the order given."""
    if cell.status == "skipped":
        return []
    if frame.failed is not None:
        return [] if frame.open else [Fail(frame, frame.children[frame.failed].error or {})]
    if cell.status == "canceled":  # by what ends the block, too
        return []
    if frame.at_once is not None and frame.open < frame.at_once and frame.begun < frame.total:
        return [_begin(frame, _arms(frame)[frame.begun])]
    return [] if frame.open else [Finish(frame)]
