"""Small functions of a definition that have to be awaited: conditions, maps, sleeps, concurrency.

They are called like steps, after what led to them is written, each in a task of its own that a cancel reaches. Plain
ones are called at once: what they give is written in the same commit as what led to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.cells import Cell, Frame
from engine.commands import Again, Begin, Check, Choose, Command, Invoke
from engine.context import StepContext
from engine.flow import Callback
from engine.perform import perform
from engine.plan import Branch, Foreach, Loop, Map, PlanNode, Sleep

if TYPE_CHECKING:
    from engine.host import Host


def must_be_awaited(command: Command) -> bool:
    """Whether performing a command awaits a function of the user's."""
    match command:
        case Choose(frame=frame):
            return isinstance(frame.node, Branch) and _any_async(frame.node.conditions)
        case Check(frame=frame):
            return isinstance(frame.node, Loop) and _any_async((frame.node.condition,))
        case Invoke(cell=cell):
            return _any_async(_functions_of(cell.node))
        case Begin(site=site):
            return _any_async(_functions_of(site.node))
        case Again(cell=cell):
            return isinstance(cell.node, Foreach) and _any_async((cell.node.concurrency,))
        case _:
            return False


def _functions_of(node: PlanNode) -> tuple[Any, ...]:
    if isinstance(node, Map):
        return tuple(node.source.values()) if isinstance(node.source, Mapping) else (node.source,)
    if isinstance(node, Sleep):
        return (node.duration, node.until)
    return (node.concurrency,) if isinstance(node, Foreach) else ()


def _any_async(functions: Iterable[Any]) -> bool:
    return any(isinstance(function, Callback) and function.is_async for function in functions)


def _subject(command: Command) -> Cell:
    """The cell on whose behalf a function is called; for a foreach that has not begun, one like it will be."""
    match command:
        case Choose(frame=frame) | Check(frame=frame):
            return frame
        case Invoke(cell=cell) | Again(cell=cell):
            return cell
        case Begin(site=site):
            return Frame(site.node, site.path, site.parent, site.slot, site.input, 0.0)
        case _:
            raise AssertionError(f"{command!r} awaits no function")


async def answer(run: Host, command: Command) -> None:
    """Perform a command that awaits a function of the user's and go on from there."""
    task = asyncio.current_task()
    cell = _subject(command)
    ctx = StepContext(run, cell)
    ctx.task = task
    run.running[cell.path] = ctx
    todo: list[Command] = []
    try:
        todo = await perform(run, command)
    except asyncio.CancelledError:
        if ctx.reason is None or task is None:
            raise
        task.uncancel()  # who cancelled it writes what becomes of it
    finally:
        ctx.closed = True
        if run.running.get(cell.path) is ctx:
            del run.running[cell.path]
        if ctx.done is not None and not ctx.done.done():
            ctx.done.set_result(None)
        run.asking -= 1
    if not run.fenced and ctx.reason != "close":
        await run.go(todo)
