"""Conditions, maps and the other small functions of a definition: what they can read, and how they are called."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, assert_never, cast

from pydantic import BaseModel

from engine.cells import Cell, Frame
from engine.context import StepContext
from engine.errors import ConditionFailed, EngineError, NotSerializable
from engine.expressions import Expression, Template, read_path
from engine.failures import message_of
from engine.flow import (
    Callback,
    Condition,
    Constant,
    FromContext,
    FromInit,
    FromState,
    FromStep,
    Source,
    condition_text,
)
from engine.holes import holes_between
from engine.parts import MAX_DEPTH
from engine.schema import ANY, compile_schema
from engine.signals import Signal
from engine.values import SecretsLost, Value

if TYPE_CHECKING:
    from engine.host import Host

_MISSING: Any = object()
Read = Constant | FromStep | FromInit | FromState | FromContext | Template
"""A source that is read, not called."""


class Scope:
    """What an expression, template or source of a map can name, from one cell."""

    __slots__ = ("_cell", "_ctx", "_value")

    def __init__(self, executor: Host, cell: Cell, value: Any) -> None:
        self._ctx = StepContext(executor, cell)
        self._cell = cell
        self._value = value

    def lookup(self, name: str) -> Any:
        """A field of the value, else what :meth:`root` names. Raises ``EngineError`` if there is no such name."""
        field = _field(self._value, name)
        if field is not _MISSING:
            return field
        return self.root(name)

    def root(self, name: str) -> Any:
        """``init``, ``state``, ``steps``, ``context``, ``value`` or ``iteration``, else the output of that step."""
        match name:
            case "value":
                return self._value
            case "init":
                return self._ctx.init
            case "state":
                return self._ctx.state
            case "context":
                return self._ctx.request_context
            case "iteration":
                return self._ctx.iteration
            case "steps":
                return Outputs(self)
            case _:
                return self.output(name)

    def output(self, name: str) -> Any:
        """The output of a step by its id; ``None`` if it did not run to its end."""
        return self._ctx._executor.state.output_of(self._cell, name)


class Outputs(Mapping[str, Any]):
    """``steps``, as an expression sees it: outputs by id, fetched as they are asked for."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getitem__(self, name: str) -> Any:
        return self._scope.output(name)

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def _field(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name, _MISSING)
    fields = getattr(type(value), "model_fields", None) or getattr(type(value), "__dataclass_fields__", None)
    return getattr(value, name, _MISSING) if fields and name in fields else _MISSING


async def ask(executor: Host, cell: Cell, condition: Condition, value: Value, what: str) -> bool:
    """Whether a condition holds for a value. Raises ``ConditionFailed`` naming the edge, ``SecretsLost``."""
    try:
        if isinstance(condition, Expression):
            return bool(condition.evaluate(Scope(executor, cell, value.typed()).lookup))
        return bool(await call(executor, cell, condition, value))
    except SecretsLost:
        raise
    except Exception as error:
        text = condition_text(condition)
        raise ConditionFailed(f"{what}: {text!r} raised {type(error).__name__}: {message_of(error)}") from error


async def call(executor: Host, cell: Cell, callback: Callback, value: Value, *, looks: bool = True) -> Any:
    """Call a user's function with a value, and with a context if it takes one.

    ``looks``: it only looks at the value, so it need not be a copy.
    """
    typed = value.typed() if looks else value.copy()
    ctx: StepContext | None = None
    try:
        if callback.arity == 2:
            ctx = StepContext(executor, cell)
            made = callback.fn(typed, ctx)
        elif callback.arity == 1:
            made = callback.fn(typed)
        else:
            made = callback.fn()
        if callback.is_async or isinstance(made, Awaitable):
            made = await cast("Awaitable[Any]", made)
    except (Exception, GeneratorExit):
        raise
    except BaseException as error:
        tamed = _tamed(error)
        if tamed is None:
            raise
        raise tamed from error
    if ctx is not None and ctx.changes is not None:
        raise ConditionFailed("it called set_state, which only a step can do; move it into one")
    return made


def _tamed(error: BaseException) -> ConditionFailed | None:
    """What a small function raised that would end more than itself: the program, or the task that calls it."""
    if isinstance(error, Signal):
        return ConditionFailed(f"{message_of(error)}, which only a step can do; move it into one")
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        return None  # it is the caller who is cancelled
    return ConditionFailed(f"it raised {type(error).__name__}: {message_of(error)}")


async def evaluate(executor: Host, cell: Cell, source: Source | Mapping[str, Source], value: Value) -> Any:
    """What a map gives. Raises ``ConditionFailed`` naming the source that failed, ``SecretsLost``."""
    if isinstance(source, Mapping):
        return {key: await _one(executor, cell, one, value, f"{cell.path}: {key!r}") for key, one in source.items()}
    return await _one(executor, cell, source, value, cell.path)


async def _one(executor: Host, cell: Cell, source: Source, value: Value, what: str) -> Any:
    try:
        if isinstance(source, Callback):
            return await call(executor, cell, source, value, looks=False)
        return _read(executor, cell, source, value)
    except SecretsLost:
        raise
    except Exception as error:
        shown = f"{type(error).__name__}: " if not isinstance(error, EngineError) else ""
        raise ConditionFailed(f"map {what} failed: {shown}{message_of(error)}") from error


def _read(executor: Host, cell: Cell, source: Read, value: Value) -> Any:
    match source:
        case Constant():
            return source.value
        case FromStep():
            return _from_step(executor, cell, source)
        case Template():
            return source.render(Scope(executor, cell, value.typed()).root)
        case FromInit():
            return read_path(StepContext(executor, cell).init, source.path)
        case FromState():
            return read_path(StepContext(executor, cell).state, source.path)
        case FromContext():
            return read_path(StepContext(executor, cell).request_context, f"[{source.key!r}]")
        case _:
            assert_never(source)


def _from_step(executor: Host, cell: Cell, source: FromStep) -> Any:
    """The step's output at a path; of several steps, that of the one that ran. Of a skipped arm: ``None``."""
    for id in source.ids:
        found = executor.state.find(cell, id)
        if found is not None and found.output is not None and found.status in ("success", "bailed"):
            return read_path(found.output.copy(), source.path)
    if source.many or _skipped(executor, cell, source.ids[0]):
        return None
    raise ConditionFailed(f"step {source.ids[0]!r} has no output: it has not run to its end")


def _skipped(executor: Host, cell: Cell, id: str) -> bool:
    found = executor.state.find(cell, id)
    return found is None or found.status in ("skipped", "failed", "canceled") or isinstance(found, Frame)


def encode_free(obj: Any) -> bytes:
    """The stored form of a value without a declared schema: plain JSON, or models and dataclasses by their own type.

    Raises ``NotSerializable``.
    """
    return free_value(obj).raw


def free_value(obj: Any) -> Value:
    """A value without a declared schema: whoever gets it next sees plain data, the same before and after a restart.

    Secrets in models are not stored, and whole as long as the process lives. Raises ``NotSerializable``.
    """
    if _is_model(obj):
        schema = compile_schema(type(obj))
        if not schema.has_secrets:
            return Value(schema.encode(obj))
        raw, holes = schema.encode_with_holes(obj)
        return Value(raw, holes=holes, whole=schema.encode_whole(obj))
    try:
        return Value(ANY.encode(obj))
    except NotSerializable:
        plain = _plain(obj, {}, MAX_DEPTH)
        if plain is obj:
            raise
        raw = ANY.encode(plain)
    whole = _plain(obj, {}, MAX_DEPTH, whole=True)
    holes = holes_between(plain, whole)
    return Value(raw, holes=holes, whole=ANY.encode(whole)) if holes else Value(raw)


def _is_model(obj: object) -> bool:
    return isinstance(obj, BaseModel) or (dataclasses.is_dataclass(obj) and not isinstance(obj, type))


def _plain(obj: Any, made: dict[int, Any], depth: int, *, whole: bool = False) -> Any:
    """A value with plain data in the place of models and dataclasses; the value itself if it has none.

    ``made`` has what containers became, so that one which contains itself ends, and a shared one is walked once.
    ``whole``: with the secrets of models.
    """
    if _is_model(obj):
        schema = compile_schema(type(obj))
        return ANY.decode(schema.encode_whole(obj) if whole else schema.encode(obj))
    if id(obj) in made or not depth or not isinstance(obj, (dict, list)):
        return made.get(id(obj), obj)
    made[id(obj)] = obj
    children = obj.values() if isinstance(obj, dict) else obj
    plain = [_plain(child, made, depth - 1, whole=whole) for child in children]
    if type(obj) not in (dict, list) or any(one is not child for one, child in zip(plain, children, strict=True)):
        made[id(obj)] = dict(zip(obj, plain, strict=True)) if isinstance(obj, dict) else plain
    return made[id(obj)]
