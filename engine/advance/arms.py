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
        if frame.open or (not frame.is_limited and _is_beginning(frame)):
            return []
        return [Fail(frame, frame.children[frame.failed].error or {})]
    if cell.status == "canceled":  # by what ends the block, too
        return []
    if frame.at_once is not None and frame.begun < frame.total:
        # All that there is room for: another arm may have ended before the one that took its place has begun.
        room = max(frame.at_once - frame.open, 0)
        return [_begin(frame, arm) for arm in _arms(frame)[frame.begun : frame.begun + room]]
    return [] if frame.open or _is_beginning(frame) else [Finish(frame)]


def _is_beginning(frame: Frame) -> bool:
    """Whether some arms are still to begin: they do one after another, and the first may have ended at once."""
    if frame.chosen is not None:
        return any(slot not in frame.children for slot in frame.chosen)
    node = frame.node
    return isinstance(node, Parallel) and len(frame.children) < len(node.children)
