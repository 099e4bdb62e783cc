"""Running one attempt of a step: the only place that awaits a step's code.

What comes back is facts; an exception never leaves here, whatever its type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from engine.cells import Cell
from engine.context import StepContext
from engine.errors import DataError, InvalidInput, NotAwaited, StepCanceled
from engine.events import Fact
from engine.outcomes import failed, late, signalled, succeeded, timeout_error
from engine.plan import Call
from engine.signals import Signal
from engine.stopping import TimeLimit, ended_late

if TYPE_CHECKING:
    from engine.host import Host


class Closing(Exception):
    """The engine closes: the attempt leaves no outcome and is taken up by the next owner."""


async def call(executor: Host, cell: Cell, node: Call, task: asyncio.Task[Any]) -> list[Fact]:
    """Run the step once; the facts of its outcome. Empty if somebody else has written the outcome meanwhile."""
    ctx = StepContext(executor, cell)
    ctx.task = task
    running = executor.running
    running[cell.path] = ctx
    limit = None
    if node.timeout is not None:
        limit = TimeLimit(executor, ctx, node.timeout)
        if node.is_async:  # the time of a plain function begins when it gets a thread
            limit.begin()
    error: BaseException | None = None
    result: Any = None
    try:
        result = await (_on_loop(cell, node, ctx) if node.is_async else _in_thread(executor, cell, node, ctx, limit))
    except BaseException as caught:
        if isinstance(caught, GeneratorExit) and not _is_running(task):
            raise  # the loop is gone, and this coroutine is thrown away
        error = caught
    if limit is not None and limit.end() and error is None and ctx.reason is None:
        error = timeout_error(cell, node, held=node.is_async)  # the timer never had its turn
    if error is None and ctx.unawaited is not None:
        error = _not_awaited(ctx.unawaited, cell)
    if error is None and not ctx.closed and ctx.reason is None and ctx.signal is None:
        ctx.closed = True
        del running[cell.path]
        return succeeded(executor, cell, node, ctx, result)
    return _leave(executor, cell, node, ctx, result, error)


def _not_awaited(verb: str, cell: Cell) -> NotAwaited:
    return NotAwaited(f"step {cell.path!r} called ctx.{verb} without await (a plain function calls ctx.sync.{verb})")


def _is_running(task: asyncio.Task[Any]) -> bool:
    try:
        return asyncio.current_task() is task
    except RuntimeError:
        return False


def _leave(  # noqa: PLR0917 - all that an attempt is
    executor: Host, cell: Cell, node: Call, ctx: StepContext, result: Any, error: BaseException | None
) -> list[Fact]:
    """Take the attempt off the list of running ones and say what came of it."""
    if ctx.closed:  # it was left alone; its outcome is written already
        return [late(executor, ctx, node, result, error)]
    del executor.running[cell.path]
    ctx.closed = True
    if ctx.done is not None and not ctx.done.done():
        ctx.done.set_result(None)
    if ctx.reason == "timeout" and not isinstance(error, asyncio.CancelledError):
        if ctx.task is not None and node.is_async:
            ctx.task.uncancel()
        return failed(executor, cell, node, timeout_error(cell, node))
    if isinstance(error, asyncio.CancelledError):
        return _cancelled(executor, cell, node, ctx)
    if ctx.reason == "cancel":
        # It did not heed the cancel but ended in time: the canceller writes the outcome.
        return []
    if ctx.reason == "close" and isinstance(error, BaseException):
        raise Closing
    if ctx.signal is not None and (error is None or isinstance(error, Signal)):
        return signalled(executor, cell, node, ctx, ctx.signal)
    if error is None:
        return succeeded(executor, cell, node, ctx, result)
    return failed(executor, cell, node, error)


def _cancelled(executor: Host, cell: Cell, node: Call, ctx: StepContext) -> list[Fact]:
    task = ctx.task
    if ctx.reason is None:
        if task is not None and task.cancelling():  # somebody ends the whole program
            raise Closing
        inner = StepCanceled(f"step {cell.path!r} raised CancelledError, though nobody had cancelled it")
        return failed(executor, cell, node, inner)
    if task is not None:
        task.uncancel()
    if ctx.reason == "close":
        raise Closing
    if ctx.reason == "timeout":
        return failed(executor, cell, node, timeout_error(cell, node))
    return []


def _on_loop(cell: Cell, node: Call, ctx: StepContext) -> Awaitable[Any]:
    """The user's coroutine itself, so that awaiting a step costs no more than that."""
    if node.arity == 2:
        made: Awaitable[Any] = node.fn(_input(cell, node), ctx)
    elif node.arity == 1:
        made = node.fn(_input(cell, node))
    else:
        made = node.fn()
    return made


def _input(cell: Cell, node: Call) -> Any:
    try:
        return cell.input.take(node.input)
    except DataError as error:
        raise InvalidInput(f"input of step {cell.path!r}: {error}", path=error.path) from error


def _call(fn: Callable[..., Any], arguments: tuple[Any, ...], begun: Callable[[], None] | None) -> Any:
    if begun is not None:
        begun()
    try:
        return fn(*arguments)
    except StopIteration as error:  # no future takes it, so whoever waits would wait for ever
        raise RuntimeError("the step raised StopIteration") from error


async def _in_thread(executor: Host, cell: Cell, node: Call, ctx: StepContext, limit: TimeLimit | None) -> Any:
    """A plain function runs in a worker thread, so that it never blocks the loop.

    Cancelling leaves it behind at once.
    """
    arguments = (_input(cell, node), ctx)[: node.arity] if node.arity else ()
    context = copy_context()
    begun = None if limit is None else lambda: executor.home.on_loop(limit.begin)
    future: Future[Any] = executor.threads.submit(context.run, _call, node.fn, arguments, begun)
    try:
        result = await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        if not future.cancel():
            future.add_done_callback(
                lambda ended: executor.home.on_loop(lambda: ended_late(executor, cell, ctx, ended))
            )
        raise
    return await result if isinstance(result, Awaitable) else result
