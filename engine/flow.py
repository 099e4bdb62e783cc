"""What a builder collects: frozen nodes, as the user wrote them. The compiler turns them into a plan."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.errors import ExpressionError
from engine.expressions import Expression, Template, parse
from engine.steps import Arm, Function, SchemaSource, arity

UserFunction = Function
"""A condition, map, sleep or concurrency function: ``(value)`` or ``(value, ctx)``, sync or async."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A user's function with what is known of it: how many arguments it takes, whether it must be awaited."""

    fn: Callable[..., Any]
    name: str
    arity: int
    is_async: bool

    @classmethod
    def of(cls, fn: Any) -> Callback:
        """Raises ``ValueError`` if ``fn`` can't be called with ``(value)`` or ``(value, ctx)``."""
        if not callable(fn):
            raise ValueError(f"{fn!r} is no function")
        takes = arity(fn, most=2)
        name = getattr(fn, "__name__", type(fn).__name__)
        if takes is None:
            raise ValueError(f"{name} can't be called with (value) or (value, ctx)")
        target = fn if inspect.isroutine(fn) else getattr(fn, "__call__", fn)  # noqa: B004 - an object with __call__
        return cls(fn, name, takes, inspect.iscoroutinefunction(target))


Condition = Expression | Callback


def as_condition(source: str | UserFunction) -> Condition:
    """An expression string or a function. Raises ``ExpressionError`` or ``ValueError``."""
    return parse(source) if isinstance(source, str) else Callback.of(source)


def condition_text(condition: Condition) -> str:
    """What labels the edge in the graph."""
    return condition.text if isinstance(condition, Expression) else condition.name


# -- sources of a map


@dataclass(frozen=True, slots=True)
class FromStep:
    """The output of a step, or of the one of several that ran, at ``path`` inside it."""

    ids: tuple[str, ...]
    path: str = ""
    many: bool = False


@dataclass(frozen=True, slots=True)
class FromInit:
    """The workflow's own input, at ``path`` inside it."""

    path: str = ""


@dataclass(frozen=True, slots=True)
class FromState:
    """The run's state, at ``path`` inside it."""

    path: str = ""


@dataclass(frozen=True, slots=True)
class FromContext:
    """One key of the request context."""

    key: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A fixed JSON value."""

    value: Any


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A template as it was written; it is read at commit, with everything else."""

    text: str


Source = FromStep | FromInit | FromState | FromContext | Constant | Template | Callback


WrittenSource = Source | TemplateText
"""A source as a definition has it; a plan has templates that are read."""


def from_step(source: Arm[Any, Any] | str | Sequence[Arm[Any, Any] | str], path: str = "") -> FromStep:
    """The output of a step, at ``path`` inside it (``"a.b"``); of several: of the one that ran."""
    if not isinstance(source, (list, tuple)):
        return FromStep((_id(source),), path)
    return FromStep(tuple(_id(one) for one in source), path, many=True)


def _id(source: Any) -> str:
    # What is no step is told at commit, with the other problems.
    return (
        source if isinstance(source, str) else str(getattr(source, "id", None) or getattr(source, "__name__", source))
    )


def from_init(path: str = "") -> FromInit:
    """The workflow's own input, at ``path`` inside it."""
    return FromInit(path)


def from_state(path: str = "") -> FromState:
    """The run's state, at ``path`` inside it."""
    return FromState(path)


def from_context(key: str) -> FromContext:
    """One key of the request context."""
    return FromContext(key)


def value(constant: Any) -> Constant:
    """A fixed value."""
    return Constant(constant)


def template(text: str) -> TemplateText:
    """A text with ``${init.x}``, ``${steps.id.y}``, ``${state.z}``, ``${value.k}`` or ``${context.key}`` in it."""
    return TemplateText(text)


# -- nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowNode:
    """What every node can have: an id of its own, a description, an arm that catches its failure."""

    id: str | None = None
    description: str = ""
    catch: Arm[Any, Any] | None = None


@dataclass(frozen=True, slots=True)
class ThenNode(FlowNode):
    arm: Arm[Any, Any]


@dataclass(frozen=True, slots=True)
class ParallelNode(FlowNode):
    arms: tuple[Arm[Any, Any], ...]
    concurrency: int | None = None
    allow_failure: bool = False


@dataclass(frozen=True, slots=True)
class BranchNode(FlowNode):
    cases: tuple[tuple[str | UserFunction, Arm[Any, Any]], ...]
    otherwise: Arm[Any, Any] | None = None
    mode: str = "all"


@dataclass(frozen=True, slots=True)
class LoopNode(FlowNode):
    arm: Arm[Any, Any]
    condition: str | UserFunction
    until: bool = False
    max_iterations: int | None = None


@dataclass(frozen=True, slots=True)
class ForeachNode(FlowNode):
    arm: Arm[Any, Any]
    concurrency: int | UserFunction = 1
    collect_errors: bool = False


@dataclass(frozen=True, slots=True)
class MapNode(FlowNode):
    source: UserFunction | Mapping[str, Any] | WrittenSource


@dataclass(frozen=True, slots=True)
class SleepNode(FlowNode):
    duration: float | timedelta | UserFunction | None = None
    until: datetime | UserFunction | None = None


@dataclass(frozen=True, slots=True)
class WaitNode(FlowNode):
    name: str
    schema: SchemaSource = None
    timeout: float | None = None


Node = ThenNode | ParallelNode | BranchNode | LoopNode | ForeachNode | MapNode | SleepNode | WaitNode


@dataclass(frozen=True, slots=True, eq=False)
class Chain(Arm[Any, Any]):
    """Steps one after another as one arm: ``chain().then(a).then(b)``. Its output is its last step's. Immutable."""

    id: str = ""
    links: tuple[ThenNode, ...] = field(default=())

    def then(
        self, arm: Arm[Any, Any], *, id: str | None = None, description: str = "", catch: Arm[Any, Any] | None = None
    ) -> Chain:
        """A new chain with ``arm`` at its end."""
        return Chain(self.id, (*self.links, ThenNode(arm, id=id, description=description, catch=catch)))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            nest = "" if name.startswith("_") else "; nest a create_workflow(...), which has the other methods"
            raise AttributeError(f"a chain only has .then, no .{name}{nest}")


def chain(id: str | None = None) -> Chain:
    """An empty chain; without an id it gets a stable one where it is used (``chain-1``)."""
    return Chain(id or "")


__all__ = [
    "Callback",
    "Chain",
    "Condition",
    "Constant",
    "ExpressionError",
    "Node",
    "as_condition",
    "chain",
    "condition_text",
]
