"""Running one attempt of a step: the only place that awaits a step's code.

What comes back is facts; an exception never leaves here, whatever its type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from engine.cells import Cell
from engine.clock import to_iso
from engine.context import NOT_GIVEN, AbortSignal, BailSignal, Signal, StepContext, SuspendSignal
from engine.errors import (
    DataError,
    EngineError,
    InvalidInput,
    InvalidOutput,
    InvalidPayload,
    NotSerializable,
    StepCanceled,
    StepTimeout,
)
from engine.events import Fact
from engine.failures import describe
from engine.ids import new_token
from engine.plan import Call
from engine.retry import wait_before_retry
from engine.schema import Schema
from engine.sources import encode_free
from engine.values import Value

if TYPE_CHECKING:
    from engine.executor import Executor

GRACE = 2.0
"""Seconds that a cancelled async step has before it is left alone."""


class Closing(Exception):
    """The engine closes: the attempt leaves no outcome and is taken up by the next owner."""


async def call(executor: Executor, cell: Cell, node: Call, task: asyncio.Task[Any]) -> list[Fact]:
    """Run the step once; the facts of its outcome. Empty if somebody else has written the outcome meanwhile."""
    ctx = StepContext(executor, cell)
    ctx.task = task
    running = executor.running
    running[cell.path] = ctx
    timer = None
    if node.timeout is not None:
        timer = asyncio.get_running_loop().call_later(node.timeout, executor.time_out, ctx)
    error: BaseException | None = None
    result: Any = None
    try:
        if node.is_async:
            if node.arity == 2:
                result = await node.fn(_input(cell, node), ctx)
            elif node.arity == 1:
                result = await node.fn(_input(cell, node))
            else:
                result = await node.fn()
        else:
            result = await _in_thread(executor, cell, node, ctx)
    except GeneratorExit:
        raise
    except BaseException as caught:
        error = caught
    if timer is not None:
        timer.cancel()
    if error is None and not ctx.closed and ctx.reason is None and ctx.signal is None:
        ctx.closed = True
        del running[cell.path]
        return succeeded(executor, cell, node, ctx, result)
    return _leave(executor, cell, node, ctx, result, error)


def _leave(
    executor: Executor, cell: Cell, node: Call, ctx: StepContext, result: Any, error: BaseException | None
) -> list[Fact]:
    """Take the attempt off the list of running ones and say what came of it."""
    if ctx.closed:  # it was left alone; its outcome is written already
        return [late(cell, ctx, node, result, error)]
    del executor.running[cell.path]
    ctx.closed = True
    if ctx.done is not None and not ctx.done.done():
        ctx.done.set_result(None)
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


def _cancelled(executor: Executor, cell: Cell, node: Call, ctx: StepContext) -> list[Fact]:
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


def timeout_error(cell: Cell, node: Call) -> StepTimeout:
    """An attempt took too long."""
    return StepTimeout(f"step {cell.path!r} took longer than its timeout of {node.timeout:g} s")


def _input(cell: Cell, node: Call) -> Any:
    try:
        return cell.input.take(node.input)
    except DataError as error:
        raise InvalidInput(f"input of step {cell.path!r}: {error}", path=error.path) from error


async def _in_thread(executor: Executor, cell: Cell, node: Call, ctx: StepContext) -> Any:
    """A plain function runs in a worker thread, so that it never blocks the loop. Cancelling leaves it behind at once."""
    arguments = (_input(cell, node), ctx)[: node.arity] if node.arity else ()
    context = copy_context()
    future: Future[Any] = executor.threads.submit(context.run, node.fn, *arguments)
    try:
        result = await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        if not future.cancel():
            future.add_done_callback(lambda ended: executor.on_loop(lambda: executor.ended_late(cell, ctx, node, ended)))
        raise
    return await result if isinstance(result, Awaitable) else result


# -- outcomes


def succeeded(executor: Executor, cell: Cell, node: Call, ctx: StepContext, result: Any) -> list[Fact]:
    """The facts of a result; of a failure if it does not fit its schema, can't be stored, or its state changes clash."""
    try:
        value = output_value(node, cell, result)
        fact = Fact("step.succeeded", cell.path, attempt=cell.attempts, value=value, site=cell)
        if ctx.changes is None:
            return [fact]
        return [executor.shared.merge(cell, ctx.changes, overlay=False), fact]
    except Exception as error:
        return failed(executor, cell, node, error)


def output_value(node: Call, cell: Cell, result: Any) -> Value:
    """What a step returned, validated and encoded. Raises ``InvalidOutput`` or ``NotSerializable``."""
    schema = node.output
    if schema.is_any:
        return _encode(result, schema, cell)
    return _encode(schema.validate(result, InvalidOutput, f"output of step {cell.path!r}"), schema, cell)


def _encode(result: Any, schema: Schema, cell: Cell) -> Value:
    try:
        return Value.of(result, schema)
    except NotSerializable as error:
        raise NotSerializable(f"output of step {cell.path!r}: {error}", path=error.path) from error


def failed(executor: Executor, cell: Cell, node: Call, error: BaseException) -> list[Fact]:
    """The fact of a failed attempt: another try later, or the end."""
    shown = describe(error, step=cell.path)
    wait = None if isinstance(error, EngineError) and not isinstance(error, StepTimeout) else _wait(node, cell, error)
    if wait is None:
        return [Fact("step.failed", cell.path, attempt=cell.attempts, data={"error": shown}, site=cell)]
    data = {"error": shown, "next_at": to_iso(executor.clock.now() + wait)}
    return [Fact("step.retrying", cell.path, attempt=cell.attempts, data=data, site=cell)]


def _wait(node: Call, cell: Cell, error: BaseException) -> float | None:
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        return None
    return wait_before_retry(node.retry, cell.failures + 1, error)


def signalled(executor: Executor, cell: Cell, node: Call, ctx: StepContext, signal: Signal) -> list[Fact]:
    """A step left by ``suspend``, ``ask``, ``bail`` or ``abort``."""
    try:
        match signal:
            case SuspendSignal():
                return _suspended(executor, cell, node, ctx, signal)
            case BailSignal():
                value = value_of(signal.value)
                fact = Fact("step.bailed", cell.path, attempt=cell.attempts, value=value, site=cell)
                return [*_changes(executor, cell, ctx), fact]
            case AbortSignal():
                return [Fact("run.cancel_requested", data={"reason": signal.reason, "by": cell.path})]
    except Exception as error:
        return failed(executor, cell, node, error)
    raise AssertionError(f"{signal!r} is no signal of ours")


def _changes(executor: Executor, cell: Cell, ctx: StepContext) -> list[Fact]:
    return [] if ctx.changes is None else [executor.shared.merge(cell, ctx.changes, overlay=False)]


def _suspended(executor: Executor, cell: Cell, node: Call, ctx: StepContext, signal: SuspendSignal) -> list[Fact]:
    payload = signal.payload
    if node.suspend is not None:
        what = f"payload of the suspension of step {cell.path!r}"
        value = Value.of(node.suspend.validate(payload, InvalidPayload, what), node.suspend)
    else:
        value = value_of(payload)
    schema = signal.schema if signal.ordinal is not None else node.resume
    data: dict[str, Any] = {"token": new_token()}
    if signal.label is not None:
        data["label"] = signal.label
    if signal.title is not None:
        data["title"] = signal.title
    if schema is not None and not schema.is_any:
        data["schema"] = schema.json_schema()
    if signal.ordinal is not None:
        data["ordinal"] = signal.ordinal
    if signal.expires_in is not None:
        data["expires_at"] = to_iso(executor.clock.now() + signal.expires_in)
    if signal.default is not NOT_GIVEN:
        default = signal.default if schema is None else schema.validate(signal.default, InvalidPayload, "default")
        data["default"] = value_of(default).plain()
    facts = [] if ctx.changes is None else [executor.shared.merge(cell, ctx.changes, overlay=True)]
    if schema is not None:
        executor.answer_schemas[data["token"]] = schema
    return [*facts, Fact("step.suspended", cell.path, attempt=cell.attempts, data=data, value=value, site=cell)]


def value_of(obj: Any) -> Value:
    """Any value that has no schema: plain JSON, or models and dataclasses (also inside lists and dicts).

    Whoever gets it next sees plain data, the same before and after a restart.
    """
    return Value(encode_free(obj))


def late(cell: Cell, ctx: StepContext, node: Call, result: Any, error: BaseException | None) -> Fact:
    """What an attempt that was left alone gave in the end. It changes nothing."""
    if error is not None:
        return Fact("step.late", cell.path, attempt=ctx.attempt, data={"error": describe(error, step=cell.path)})
    try:
        return Fact("step.late", cell.path, attempt=ctx.attempt, value=output_value(node, cell, result))
    except EngineError as fault:
        return Fact("step.late", cell.path, attempt=ctx.attempt, data={"error": describe(fault, step=cell.path)})
