"""Again and again: ``do_while`` and ``do_until``."""

from __future__ import annotations

from engine.cells import Cell, Frame, Site
from engine.commands import Begin, Check, Command, Fail, Finish
from engine.plan import Loop


def enter(frame: Frame) -> list[Command]:
    """The body runs at least once."""
    return _begin(frame, 0)


def _begin(frame: Frame, iteration: int) -> list[Command]:
    node = frame.node
    if not isinstance(node, Loop):
        return []
    return [Begin(Site(node.body, f"{frame.path}[{iteration}]", frame, iteration, frame.flow))]


def after(frame: Frame, cell: Cell) -> list[Command]:
    """Each round is followed by the question whether there is another."""
    if cell.status == "success":
        return [Check(frame)]
    if cell.status == "failed":
        return [Fail(frame, cell.error or {})]
    return []


def checked(frame: Frame, again: bool) -> list[Command]:
    """Another round with the last output, or the end; too many rounds are a failure."""
    node = frame.node
    if not again or not isinstance(node, Loop):
        return [Finish(frame, frame.flow)]
    limit = node.max_iterations
    if limit is not None and frame.iterations >= limit:
        message = f"{node.name!r} has run {frame.iterations} times and would go on; max_iterations is {limit}"
        return [Fail(frame, {"type": "LoopLimit", "message": message, "step": frame.path})]
    return _begin(frame, frame.iterations)
