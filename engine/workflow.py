"""The builder: an immutable workflow that grows by one node with each method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from engine.errors import DefinitionError, Problem
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

    async def run(self, input: In_contra | Mapping[str, Any] | None = None, **options: Any) -> RunResult:
        """Run the workflow alone in memory; ``options`` are those of ``Run.start``."""
        from engine.engine import Engine  # noqa: PLC0415 - the engine knows workflows

        async with Engine(workflows=[self], store=":memory:") as engine:
            run = await engine.create_run(self.id)
            return await run.start(input, **options)

    def run_sync(self, input: In_contra | Mapping[str, Any] | None = None, **options: Any) -> RunResult:
        """:meth:`run` for programs without an event loop."""
        import asyncio  # noqa: PLC0415

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
    """An empty workflow to build on.

    ``on_start`` runs before the start is committed, and what it raises comes out of ``start()``; ``on_finish`` and
    ``on_error`` run after the end is committed, at least once, also over a crash. ``retry`` is the policy of the steps
    that have none of their own. Raises ``DefinitionError`` if the id is not usable.
    """
    check_id(id)
    return Workflow(id=id, input_schema=input_schema, metadata=metadata or {}, **options)


def check_id(id: object) -> None:
    """Raises ``DefinitionError`` if a workflow can't have this id."""
    if not is_valid_id(id):
        raise DefinitionError(f"workflow {id!r}", [Problem("id", "the id is not usable", ID_RULE)])


def clone_workflow(workflow: Workflow[In, T], *, id: str) -> Workflow[In, T]:
    """The same workflow under another id."""
    check_id(id)
    return replace(workflow, id=id, _compiled=[])
