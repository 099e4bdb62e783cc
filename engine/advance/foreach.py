"""Once for each item of a list, so many at once."""

from __future__ import annotations

from engine.cells import Cell, Frame, Site
from engine.commands import Begin, Command, Fail, Finish
from engine.plan import Foreach
from engine.state import RunState


def enter(state: RunState, frame: Frame) -> list[Command]:
    """Begin the first items; an empty list is done at once."""
    if not frame.total:
        return [Finish(frame)]
    at_once = frame.at_once or 1
    return [_begin(state, frame, item) for item in range(min(at_once, frame.total))]


def _begin(state: RunState, frame: Frame, item: int) -> Command:
    node = frame.node
    if not isinstance(node, Foreach):
        raise AssertionError("only a foreach has items")
    return Begin(Site(node.body, f"{frame.path}[{item}]", frame, item, state.items(frame)[item]))


def after(state: RunState, frame: Frame, cell: Cell) -> list[Command]:
    """The next item takes the free slot; after a failure nothing new begins, and what runs is waited for."""
    if frame.failed is not None:
        if frame.open or (not frame.is_limited and len(frame.children) < frame.total):
            return []
        return [Fail(frame, frame.children[frame.failed].error or {})]
    if cell.status == "canceled":  # by what ends the foreach, too
        return []
    if frame.begun < frame.total:
        # All that there is room for: another item may have ended before the one that took its place has begun. A fork
        # may have more open than there are slots: the items that it kept, and the one it runs again.
        room = max((frame.at_once or 1) - frame.open, 0)
        return [_begin(state, frame, item) for item in range(frame.begun, min(frame.begun + room, frame.total))]
    return [] if frame.open or len(frame.children) < frame.total else [Finish(frame)]
