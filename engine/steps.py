"""Steps: a user's function with a name, schemas and rules."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from engine.errors import DefinitionError, Problem
from engine.ids import ID_RULE, is_valid_id
from engine.options import check_options
from engine.retry import RetryPolicy

if TYPE_CHECKING:
    from engine.context import StepContext

Function = Callable[[], Any] | Callable[[Any], Any] | Callable[[Any, Any], Any]
"""What users write: ``()``, ``(value)`` or ``(value, ctx)``, sync or async."""

OnCrash = Literal["retry", "ask", "fail"]
SchemaSource = Any
"""What ``pydantic.TypeAdapter`` takes, or a JSON Schema ``dict``, or ``None`` for anything JSON-able."""

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class _Unset:
    def __repr__(self) -> str:
        return "<annotation>"


UNSET: Any = _Unset()
"""A schema that was not given: a decorated step reads its annotations, an explicit one takes anything."""


class Arm(Generic[In_contra, Out_co]):
    """What can stand as an arm, a loop body or a link of a chain: a step, a workflow, a chain."""

    __slots__ = ()
    id: str


@dataclass(frozen=True, slots=True, eq=False)
class Step(Arm[In_contra, Out_co]):
    """A unit of user code. Made by :func:`step` or :func:`create_step`; frozen.

    ``execute`` takes ``()``, ``(input)`` or ``(input, ctx)``, sync or async. Calling the step calls that function.
    ``timeout`` is in seconds per attempt. ``on_crash`` says what happens to an attempt that a crash cut in the middle.
    """

    id: str
    execute: Callable[..., Any]
    input_schema: SchemaSource = None
    output_schema: SchemaSource = None
    resume_schema: SchemaSource = None
    suspend_schema: SchemaSource = None
    state_schema: SchemaSource = None
    description: str = ""
    retry: RetryPolicy | None = None
    timeout: float | None = None
    on_crash: OnCrash = "retry"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.execute(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Step({self.id!r})"


def create_step(
    *,
    id: str,
    execute: Function,
    input_schema: SchemaSource = None,
    output_schema: SchemaSource = None,
    resume_schema: SchemaSource = None,
    suspend_schema: SchemaSource = None,
    state_schema: SchemaSource = None,
    description: str | None = None,
    retry: RetryPolicy | None = None,
    timeout: float | None = None,
    on_crash: OnCrash = "retry",
    metadata: Mapping[str, Any] | None = None,
) -> Step[Any, Any]:
    """The explicit form of a step: schemas are arguments, annotations are not read.

    Raises ``DefinitionError`` if the id, the function's signature or a rule is wrong.
    """
    made: Step[Any, Any] = Step(
        id=id,
        execute=execute,
        input_schema=input_schema,
        output_schema=output_schema,
        resume_schema=resume_schema,
        suspend_schema=suspend_schema,
        state_schema=state_schema,
        description=first_line(execute) if description is None else description,
        retry=retry,
        timeout=timeout,
        on_crash=on_crash,
        metadata=metadata or {},
    )
    problems = list(_faults(made))
    if problems:
        raise DefinitionError(f"step {id!r}", problems)
    return made


def _faults(made: Step[Any, Any]) -> typing.Iterator[Problem]:
    where = f"step {made.id!r}"
    execute: Any = made.execute
    if not is_valid_id(made.id):
        yield Problem(where, "the id is not usable", ID_RULE)
    if not callable(execute):
        yield Problem(where, f"execute is of type {type(execute).__name__}", "pass a function")
    elif (misplaced := _misplaced(execute)) is not None:
        yield Problem(where, *misplaced)
    elif arity(execute, most=2) is None:
        yield Problem(where, f"{_signature(execute)} can't be called", "take (), (input) or (input, ctx)")
    elif inspect.isgeneratorfunction(execute) or inspect.isasyncgenfunction(execute):
        yield Problem(where, f"{_signature(execute)} is a generator", "return the output, and stream with ctx.write")
    retry: Any = made.retry
    if retry is not None and not isinstance(retry, RetryPolicy):
        yield Problem(where, f"retry={retry!r}", "give RetryPolicy(attempts=...), or None")
    if made.timeout is not None and not is_seconds(made.timeout):
        yield Problem(where, f"timeout={made.timeout!r}", "give seconds above 0, or None")
    if made.on_crash not in ("retry", "ask", "fail"):
        yield Problem(where, f"on_crash={made.on_crash!r}", "use 'retry', 'ask' or 'fail'")


def _misplaced(fn: Callable[..., Any]) -> tuple[str, str] | None:
    """What is wrong with a function whose first parameter is no input, and the remedy."""
    try:
        first = next(iter(inspect.signature(fn).parameters.values()), None)
    except (TypeError, ValueError):
        return None
    if first is None or first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        return None
    if first.name in ("self", "cls"):
        remedy = "write a plain function, or create_step(id=..., execute=object.method)"
        return f"it is a method, which is called without its {first.name!r}", remedy
    hint = first.annotation
    hint = hint if isinstance(hint, str) else getattr(hint, "__name__", "")
    is_context = hint.rpartition(".")[2] == "StepContext"
    if is_context or (first.name == "ctx" and first.annotation is first.empty):
        return f"{first.name} is the second parameter", "write (input, ctx)"
    return None


def is_seconds(given: Any) -> bool:
    """Whether it is a finite number above 0."""
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < float("inf")


def _signature(fn: Callable[..., Any]) -> str:
    try:
        return f"{getattr(fn, '__name__', 'execute')}{inspect.signature(fn)}"
    except (TypeError, ValueError):
        return repr(fn)


def arity(fn: Callable[..., Any], *, most: int) -> int | None:
    """How many positional arguments ``fn`` is called with, up to ``most``; ``None`` if it can't be called so.

    A second parameter that has a default is the function's own business (``sum``), unless it is called ``ctx``.
    """
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return 1
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return most
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is p.empty for p in positional)
    named = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
    if required > most or named:
        return None
    if len(positional) > 1 and positional[1].default is not inspect.Parameter.empty and positional[1].name != "ctx":
        return 1
    return min(len(positional), most)


def first_line(fn: Callable[..., Any]) -> str:
    """The first line of a function's docstring."""
    doc = inspect.getdoc(fn) if inspect.isroutine(fn) else None
    return (doc or "").strip().split("\n")[0]


@overload
def step(fn: Callable[[], Awaitable[Out]], /) -> Step[Any, Out]: ...
@overload
def step(fn: Callable[[In], Awaitable[Out]], /) -> Step[In, Out]: ...
@overload
def step(fn: Callable[[In, StepContext], Awaitable[Out]], /) -> Step[In, Out]: ...
@overload
def step(fn: Callable[[], Out], /) -> Step[Any, Out]: ...
@overload
def step(fn: Callable[[In], Out], /) -> Step[In, Out]: ...
@overload
def step(fn: Callable[[In, StepContext], Out], /) -> Step[In, Out]: ...
@overload
def step(
    *,
    id: str | None = None,
    input_schema: SchemaSource = UNSET,
    output_schema: SchemaSource = UNSET,
    resume_schema: SchemaSource = None,
    suspend_schema: SchemaSource = None,
    state_schema: SchemaSource = None,
    description: str | None = None,
    retry: RetryPolicy | None = None,
    timeout: float | None = None,
    on_crash: OnCrash = "retry",
    metadata: Mapping[str, Any] | None = None,
) -> StepMaker: ...
def step(fn: Any = None, /, *, id: str | None = None, **rules: Any) -> Any:
    """Make a step of a function: ``@step`` or ``@step(id=..., retry=...)``.

    The function takes ``()``, ``(input)`` or ``(input, ctx)``, sync or async. Options, all by name:

    * ``id``: letters, digits, ``_``, ``-`` and ``.`` (default: the function's name).
    * ``input_schema``, ``output_schema``: what pydantic takes as a type, or a JSON Schema (default: the annotations).
    * ``resume_schema``, ``suspend_schema``: of the answer to ``ctx.suspend``, and of its payload (default: anything).
    * ``state_schema``: the part of the run's state that this step sees (default: all of it).
    * ``description``: one line for people (default: the first of the docstring).
    * ``retry``: a ``RetryPolicy``, e.g. ``RetryPolicy(attempts=3, delay=1.0)`` with ``delay`` in seconds (default: the
      workflow's).
    * ``timeout``: seconds for each attempt (default: none). A plain ``def`` that is late goes on unheard in its thread.
    * ``on_crash``: what becomes of an attempt that a crash has cut: ``"retry"`` (the default), ``"ask"`` a person,
      ``"fail"``.
    * ``metadata``: a dict of your own.

    Raises ``DefinitionError`` for a wrong id, signature or rule, and ``TypeError`` for an option that there is not.
    """
    check_options("@step", rules, _RULES)

    def make(function: Callable[..., Any]) -> Step[Any, Any]:
        given = {key: value for key, value in rules.items() if value is not UNSET}
        annotated = _annotations(function, given)
        name = id or str(getattr(function, "__name__", "step"))
        return create_step(id=name, execute=function, **(annotated | given))

    return make if fn is None else make(fn)


_RULES = tuple(f.name for f in dataclasses.fields(Step) if f.name not in ("id", "execute"))


class StepMaker(typing.Protocol):
    """What ``@step(...)`` with arguments returns: it turns a function into a step."""

    @overload
    def __call__(self, fn: Callable[[], Awaitable[Out]], /) -> Step[Any, Out]: ...
    @overload
    def __call__(self, fn: Callable[[In], Awaitable[Out]], /) -> Step[In, Out]: ...
    @overload
    def __call__(self, fn: Callable[[In, StepContext], Awaitable[Out]], /) -> Step[In, Out]: ...
    @overload
    def __call__(self, fn: Callable[[], Out], /) -> Step[Any, Out]: ...
    @overload
    def __call__(self, fn: Callable[[In], Out], /) -> Step[In, Out]: ...
    @overload
    def __call__(self, fn: Callable[[In, StepContext], Out], /) -> Step[In, Out]: ...


def _annotations(fn: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas that a function's annotations name: the first parameter's and the return's."""
    if {"input_schema", "output_schema"} <= given.keys():
        return {}
    try:
        hints = typing.get_type_hints(fn, localns=_local_names(), include_extras=True)
    except Exception as error:  # an annotation may run any code
        name = getattr(fn, "__name__", "step")
        problem = Problem(
            f"step {name!r}",
            f"its annotations can't be read ({error})",
            "import the types at run time, or pass input_schema= and output_schema=",
        )
        raise DefinitionError(f"step {name!r}", [problem]) from error
    found: dict[str, Any] = {"output_schema": _schema_of(hints.get("return"))}
    first = next(iter(inspect.signature(fn).parameters), None)
    if first is not None:
        found["input_schema"] = _schema_of(hints.get(first))
    return found


def _local_names() -> dict[str, Any] | None:
    """Names that an annotation may mean beyond the module's: ``StepContext``, and what the function closes over."""
    from engine.context import StepContext  # noqa: PLC0415 - the context knows steps

    names: dict[str, Any] = {"StepContext": StepContext}
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    if frame is not None and frame.f_locals is not frame.f_globals:
        names |= frame.f_locals
    return names


def _schema_of(hint: Any) -> Any:
    # `-> None` says: nothing comes back; `Any` and no annotation say: anything JSON-able.
    return None if hint in (None, Any, object) else hint


def clone_step(original: Step[In, Out], *, id: str, **changes: Any) -> Step[In, Out]:
    """The same step under another id, with ``changes`` to any of its fields."""
    known = {f.name for f in dataclasses.fields(original)} - {"id"}
    unknown = sorted(changes.keys() - known)
    if unknown:
        raise DefinitionError(
            f"clone_step({original.id!r})",
            [Problem("changes", f"a step has no {', '.join(unknown)}", f"change any of {', '.join(sorted(known))}")],
        )
    fields = {name: getattr(original, name) for name in known} | changes
    return typing.cast("Step[In, Out]", create_step(id=id, **fields))
