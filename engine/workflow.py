"""The builder: an immutable workflow that grows by one node with each method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from engine.errors import DefinitionError, EngineError, InvalidInput, Problem
from engine.flow import (
    BranchNode,
    ForeachNode,
    LoopNode,
    MapNode,
    Node,
    ParallelNode,
    SleepNode,
    ThenNode,
    UserFunction,
    WaitNode,
    WrittenSource,
)
from engine.ids import ID_RULE, is_valid_id
from engine.options import check_options
from engine.retry import RetryPolicy
from engine.steps import Arm, In_contra, Out_co, SchemaSource

if TYPE_CHECKING:
    from engine.context import StepContext
    from engine.plan import Plan
    from engine.result import RunInfo, RunResult

T = TypeVar("T")
U = TypeVar("U")
In = TypeVar("In")
Hook = Callable[["RunInfo"], Any]
"""A lifecycle hook: takes one ``RunInfo``, sync or async."""


@dataclass(frozen=True, slots=True, eq=False)
class Workflow(Arm[In_contra, Out_co]):
    """A definition: what happens when. Made by :func:`create_workflow`; immutable, each method returns a new one.

    ``commit()`` compiles it and finds everything that is wrong; registering, nesting or running it commits it too.
    """

    id: str
    input_schema: SchemaSource = None
    output_schema: SchemaSource = None
    state_schema: SchemaSource = None
    request_context_schema: SchemaSource = None
    description: str = ""
    retry: RetryPolicy | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    on_start: Hook | None = None
    on_finish: Hook | None = None
    on_error: Hook | None = None
    nodes: tuple[Node, ...] = ()
    _compiled: list[Plan] = field(default_factory=list, repr=False)

    def _with(self, node: Node) -> Workflow[Any, Any]:
        return replace(self, nodes=(*self.nodes, node), _compiled=[])

    def then(
        self, arm: Arm[Out_co, T], *, id: str | None = None, description: str = "", catch: Arm[Any, Any] | None = None
    ) -> Workflow[In_contra, T]:
        """Run ``arm`` with the previous output (the run's input at first). ``id`` renames it here.

        ``catch``: an arm that runs with ``{"input": ..., "error": {...}}`` when this one has failed for good; its
        output takes the place of this one's.
        """
        return self._with(ThenNode(arm, id=id, description=description, catch=catch))

    def parallel(
        self,
        arms: Sequence[Arm[Out_co, Any]],
        *,
        concurrency: int | None = None,
        allow_failure: bool = False,
        id: str | None = None,
        description: str = "",
        catch: Arm[Any, Any] | None = None,
    ) -> Workflow[In_contra, Any]:
        """Run all arms with the same input; the output is ``{arm id: output}``.

        Waits for every arm to settle, then fails with the first failed arm in the order given; with ``allow_failure`` a
        failed arm gives ``None``. ``concurrency`` limits how many run at once.
        """
        _must_be_list("parallel", arms, "write .parallel([a, b]), whose output has the arms' ids as keys")
        return self._with(
            ParallelNode(tuple(arms), concurrency, allow_failure, id=id, description=description, catch=catch)
        )

    def branch(
        self,
        cases: Sequence[tuple[str | UserFunction, Arm[Out_co, Any]]],
        *,
        otherwise: Arm[Out_co, Any] | None = None,
        mode: Literal["all", "first"] = "all",
        id: str | None = None,
        description: str = "",
        catch: Arm[Any, Any] | None = None,
    ) -> Workflow[In_contra, Any]:
        """Run the arms whose condition holds: every one at once (``all``) or only the first (``first``).

        The output is keyed by the arms that ran; nothing holds: ``otherwise``, else ``{}``.
        """
        _must_be_list("branch", cases, "write .branch([(condition, arm), ...])")
        return self._with(BranchNode(tuple(cases), otherwise, mode, id=id, description=description, catch=catch))

    def do_while(
        self,
        arm: Arm[Out_co, T],
        condition: str | UserFunction,
        *,
        max_iterations: int | None = None,
        id: str | None = None,
        description: str = "",
        catch: Arm[Any, Any] | None = None,
    ) -> Workflow[In_contra, T]:
        """Run ``arm`` once, then again while ``condition`` holds for its output; each round gets the last output.

        Over ``max_iterations`` it fails with ``LoopLimit``.
        """
        node = LoopNode(arm, condition, False, max_iterations, id=id, description=description, catch=catch)
        return self._with(node)

    def do_until(
        self,
        arm: Arm[Out_co, T],
        condition: str | UserFunction,
        *,
        max_iterations: int | None = None,
        id: str | None = None,
        description: str = "",
        catch: Arm[Any, Any] | None = None,
    ) -> Workflow[In_contra, T]:
        """Run ``arm`` once, then again until ``condition`` holds for its output; see :meth:`do_while`."""
        node = LoopNode(arm, condition, True, max_iterations, id=id, description=description, catch=catch)
        return self._with(node)

    def foreach(
        self: Workflow[In, Sequence[T]],
        arm: Arm[T, U],
        *,
        concurrency: int | UserFunction = 1,
        collect_errors: bool = False,
        id: str | None = None,
        description: str = "",
        catch: Arm[Any, Any] | None = None,
    ) -> Workflow[In, list[U]]:
        """Run ``arm`` for each item of a list, ``concurrency`` at once; the output is in the order of the input.

        The first failure stops what has not started; with ``collect_errors`` each item gives ``{"ok": ...}`` or
        ``{"error": ...}``.
        """
        return self._with(ForeachNode(arm, concurrency, collect_errors, id=id, description=description, catch=catch))

    @overload
    def map(
        self, source: Callable[[Out_co], Awaitable[T]], *, id: str | None = None, description: str = ""
    ) -> Workflow[In_contra, T]: ...
    @overload
    def map(
        self, source: Callable[[Out_co, StepContext], Awaitable[T]], *, id: str | None = None, description: str = ""
    ) -> Workflow[In_contra, T]: ...
    @overload
    def map(
        self, source: Callable[[Out_co], T], *, id: str | None = None, description: str = ""
    ) -> Workflow[In_contra, T]: ...
    @overload
    def map(
        self, source: Callable[[Out_co, StepContext], T], *, id: str | None = None, description: str = ""
    ) -> Workflow[In_contra, T]: ...
    @overload
    def map(
        self,
        source: Mapping[str, WrittenSource | UserFunction] | WrittenSource,
        *,
        id: str | None = None,
        description: str = "",
    ) -> Workflow[In_contra, Any]: ...
    def map(self, source: Any, *, id: str | None = None, description: str = "") -> Workflow[Any, Any]:
        """Make the next input: by a function of the previous output, or of ``{name: source}``.

        Sources: ``from_step``, ``from_init``, ``from_state``, ``from_context``, ``value``, ``template``, a function.
        """
        return self._with(MapNode(source, id=id, description=description))

    def sleep(
        self, duration: float | timedelta | UserFunction, *, id: str | None = None, description: str = ""
    ) -> Workflow[In_contra, Out_co]:
        """Wait, then pass the input on. ``duration`` in seconds; durable: after a restart it ends when first fixed."""
        return self._with(SleepNode(duration, None, id=id, description=description))

    def sleep_until(
        self, when: datetime | UserFunction, *, id: str | None = None, description: str = ""
    ) -> Workflow[In_contra, Out_co]:
        """Wait until ``when`` (aware datetime), then pass the input on. A time that has passed ends at once."""
        return self._with(SleepNode(None, when, id=id, description=description))

    def wait_for_event(
        self,
        name: str,
        schema: SchemaSource = None,
        *,
        timeout: float | None = None,
        id: str | None = None,
        description: str = "",
        catch: Arm[Any, Any] | None = None,
    ) -> Workflow[In_contra, Any]:
        """Wait for ``engine.send_event(run_id, name, data)``; the output is the data. Fails with ``StepTimeout``."""
        return self._with(WaitNode(name, schema, timeout, id=id, description=description, catch=catch))

    def commit(self) -> Workflow[In_contra, Out_co]:
        """Compile. Raises one ``DefinitionError`` that lists everything that is wrong, with a remedy each."""
        self.plan  # noqa: B018 - compiling is the point
        return self

    @property
    def plan(self) -> Plan:
        """The compiled definition."""
        if not self._compiled:
            from engine.compiler import compile_workflow  # noqa: PLC0415 - the compiler knows workflows

            self._compiled.append(compile_workflow(self))
        return self._compiled[0]

    def input_json_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the input; ``None`` if any is taken. Raises ``DefinitionError``."""
        schema = self.plan.root.input
        return None if schema.is_any else schema.json_schema()

    def check_input(self, input: object) -> None:
        """Raises ``InvalidInput``, with each place that does not fit, for what ``Run.start`` would refuse."""
        self.plan.root.input.validate(input, InvalidInput, f"input of workflow {self.id!r}")

    async def run(self, input: In_contra | Mapping[str, Any] | None = None, **options: Any) -> RunResult:
        """Run the workflow alone in memory, until it ends, is suspended or paused; nothing is kept.

        ``options`` are those of ``Run.start``: ``state``, ``request_context``, ``breakpoints``, ``paused``. Raises
        ``DefinitionError``, ``InvalidInput``, ``InvalidState``; a step that fails is in the result.
        """
        from engine.engine import Engine  # noqa: PLC0415 - the engine knows workflows

        async with Engine(workflows=[self], store=":memory:") as engine:
            run = await engine.create_run(self.id)
            return await run.start(input, **options)

    def run_sync(self, input: In_contra | Mapping[str, Any] | None = None, **options: Any) -> RunResult:
        """:meth:`run` for programs without an event loop. Raises ``EngineError`` where one runs."""
        import asyncio  # noqa: PLC0415

        if asyncio._get_running_loop() is not None:
            raise EngineError("run_sync is for programs without an event loop, and here one runs: use 'await run(...)'")
        return asyncio.run(self.run(input, **options))

    def __repr__(self) -> str:
        return f"Workflow({self.id!r}, {len(self.nodes)} nodes)"


@overload
def create_workflow(
    *,
    id: str,
    input_schema: type[T],
    output_schema: SchemaSource = None,
    state_schema: SchemaSource = None,
    request_context_schema: SchemaSource = None,
    description: str = "",
    retry: RetryPolicy | None = None,
    metadata: Mapping[str, Any] | None = None,
    on_start: Hook | None = None,
    on_finish: Hook | None = None,
    on_error: Hook | None = None,
) -> Workflow[T, T]: ...
@overload
def create_workflow(
    *,
    id: str,
    input_schema: SchemaSource = None,
    output_schema: SchemaSource = None,
    state_schema: SchemaSource = None,
    request_context_schema: SchemaSource = None,
    description: str = "",
    retry: RetryPolicy | None = None,
    metadata: Mapping[str, Any] | None = None,
    on_start: Hook | None = None,
    on_finish: Hook | None = None,
    on_error: Hook | None = None,
) -> Workflow[Any, Any]: ...
def create_workflow(
    *, id: str, input_schema: SchemaSource = None, metadata: Mapping[str, Any] | None = None, **options: Any
) -> Workflow[Any, Any]:
    """An empty workflow to build on. Options, all by name:

    * ``id``: letters, digits, ``_``, ``-`` and ``.``.
    * ``input_schema``, ``output_schema``: what pydantic takes as a type, or a JSON Schema (default: anything).
    * ``state_schema``: of the state that its steps share (``ctx.state``); its defaults are what a run begins with.
    * ``request_context_schema``: of what ``start(request_context=...)`` takes.
    * ``description``: one line for people.
    * ``retry``: the ``RetryPolicy`` of the steps that have none of their own (default: one attempt).
    * ``metadata``: a dict of your own.
    * ``on_start``, ``on_finish``, ``on_error``: functions of one ``RunInfo``, sync or async. ``on_start`` runs before
      the start is committed, and what it raises comes out of ``start()``; the other two run after the end is committed,
      at least once, also over a crash.

    Raises ``DefinitionError`` if the id is not usable, and ``TypeError`` for an option that there is not.
    """
    check_options("create_workflow", options, _OPTIONS)
    check_id(id)
    return Workflow(id=id, input_schema=input_schema, metadata=metadata or {}, **options)


_OPTIONS = tuple(f.name for f in fields(Workflow) if f.name not in ("id", "nodes", "_compiled"))


def _must_be_list(method: str, given: Any, remedy: str) -> None:
    if isinstance(given, Mapping | str | Arm) or not isinstance(given, Iterable):
        problem = Problem(method, f"it takes a list, not a {type(given).__name__}", remedy)
        raise DefinitionError(f".{method}()", [problem])


def check_id(id: object) -> None:
    """Raises ``DefinitionError`` if a workflow can't have this id."""
    if not is_valid_id(id):
        raise DefinitionError(f"workflow {id!r}", [Problem("id", "the id is not usable", ID_RULE)])


def clone_workflow(workflow: Workflow[In, T], *, id: str) -> Workflow[In, T]:
    """The same workflow under another id."""
    check_id(id)
    return replace(workflow, id=id, _compiled=[])
