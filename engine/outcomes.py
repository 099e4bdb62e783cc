"""What comes of an attempt, as facts: a result, a failure, a question, an early end."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from engine.cells import Cell
from engine.clock import to_iso
from engine.context import StepContext
from engine.error_records import error_record
from engine.errors import EngineError, InvalidOutput, InvalidPayload, NotSerializable, StepTimeout
from engine.events import Fact
from engine.faults import in_words, where_returned
from engine.ids import new_token
from engine.lost_secrets import secrets_question
from engine.plan import Call
from engine.retry import wait_before_retry
from engine.signals import NOT_GIVEN, AbortSignal, BailSignal, Signal, SuspendSignal
from engine.sources import free_value
from engine.values import SecretsLost, Value

if TYPE_CHECKING:
    from engine.host import Attempt, Host


def timeout_error(cell: Cell, node: Call, *, held: bool = False) -> StepTimeout:
    """An attempt took too long; ``held``: without letting anything else run, so that it could not be stopped."""
    how = (
        "; it held the event loop all the time: make it a plain 'def', which runs in a thread, or await what waits"
        if held
        else ""
    )
    return StepTimeout(f"step {cell.path!r} took longer than its timeout of {node.timeout:g} s{how}")


def succeeded(executor: Host, cell: Cell, node: Call, ctx: StepContext, result: Any) -> list[Fact]:
    """The facts of a result.

    Of a failure if it does not fit its schema, can't be stored, or its state changes clash.
    """
    try:
        value = output_value(node, cell, result, written=executor.home.store.durable)
        if value.holes:
            executor.holds_secrets = True
        fact = Fact("step.succeeded", cell.path, attempt=cell.attempts, value=value, site=cell)
        if ctx.changes is None:
            return [fact]
        return [executor.shared.merge(cell, ctx.changes, overlay=False), fact]
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        return failed(executor, cell, node, error)


def output_value(node: Call, cell: Cell, result: Any, *, written: bool = True) -> Value:
    """What a step returned, validated, and encoded or known to be storable.

    Raises ``InvalidOutput`` or ``NotSerializable``.
    """
    schema, what = node.output, f"output of step {cell.path!r}"
    try:
        if schema.is_any:
            return Value.of(result, schema)
        known = Value.proven(result, schema, cell.input, written=written) if schema.is_immutable else None
        if known is not None:
            return known
        typed = schema.validate(result, InvalidOutput, what)
        return Value.handed_on(typed, schema, cell.input, written=written)
    except (InvalidOutput, NotSerializable) as error:
        said = (
            str(error) if isinstance(error, InvalidOutput) else f"{what}: {in_words(str(error), 'the output itself')}"
        )
        where = where_returned(node.fn, result)
        if inspect.iscoroutine(result):
            result.close()  # it is told here that nobody awaited it
        cause = error.__cause__ if isinstance(error, InvalidOutput) else error
        raise type(error)(said + where, path=error.path) from cause


def failed(executor: Host, cell: Cell, node: Call, error: BaseException) -> list[Fact]:
    """The fact of a failed attempt: another try later, the end, or a question if secrets are gone that it has read."""
    if isinstance(error, SecretsLost):
        return [secrets_question(executor.state, cell, error.value)]
    shown = error_record(executor, error, cell)
    wait = None if isinstance(error, EngineError) and not isinstance(error, StepTimeout) else _wait(node, cell, error)
    if wait is None:
        return [Fact("step.failed", cell.path, attempt=cell.attempts, data={"error": shown}, site=cell)]
    data = {"error": shown, "next_at": to_iso(executor.clock.now() + wait)}
    return [Fact("step.retrying", cell.path, attempt=cell.attempts, data=data, site=cell)]


def _wait(node: Call, cell: Cell, error: BaseException) -> float | None:
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        return None
    return wait_before_retry(node.retry, cell.failures + 1, error)


def signalled(executor: Host, cell: Cell, node: Call, ctx: StepContext, signal: Signal) -> list[Fact]:
    """A step left by ``suspend``, ``ask``, ``bail`` or ``abort``."""
    try:
        if isinstance(signal, SuspendSignal):
            return _suspended(executor, cell, node, ctx, signal)
        if isinstance(signal, BailSignal):
            value = value_of(signal.value)
            fact = Fact("step.bailed", cell.path, attempt=cell.attempts, value=value, site=cell)
            return [*_changes(executor, cell, ctx), fact]
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        return failed(executor, cell, node, error)
    if not isinstance(signal, AbortSignal):
        raise AssertionError(f"{signal!r} is no signal of ours")
    return [Fact("run.cancel_requested", data={"reason": signal.reason, "by": cell.path})]


def _changes(executor: Host, cell: Cell, ctx: StepContext) -> list[Fact]:
    return [] if ctx.changes is None else [executor.shared.merge(cell, ctx.changes, overlay=False)]


def _suspended(executor: Host, cell: Cell, node: Call, ctx: StepContext, signal: SuspendSignal) -> list[Fact]:
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
    return free_value(obj)


def late(run: Host, ctx: Attempt, node: Call, result: Any, error: BaseException | None) -> Fact:
    """What an attempt that was left alone gave in the end. It changes nothing."""
    cell = ctx.cell
    if error is not None:
        return Fact("step.late", cell.path, attempt=ctx.attempt, data={"error": error_record(run, error, cell)})
    try:
        return Fact("step.late", cell.path, attempt=ctx.attempt, value=output_value(node, cell, result))
    except EngineError as fault:
        return Fact("step.late", cell.path, attempt=ctx.attempt, data={"error": error_record(run, fault, cell)})
