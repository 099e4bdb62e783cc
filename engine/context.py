"""What a step sees of its run: :class:`StepContext`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast, overload

from engine.cells import Cell, Frame, workflow_of
from engine.errors import DataError
from engine.plan import Call, Loop, Sequence
from engine.runlog import RunLogger
from engine.schema import ANY, Schema, compile_schema
from engine.shared import as_changes
from engine.signals import NOT_GIVEN, AbortSignal, BailSignal, Signal, SuspendSignal

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.host import Host
    from engine.steps import Arm

T = TypeVar("T")
Verb = TypeVar("Verb", bound=Callable[..., Coroutine[Any, Any, Any]])


class Cancelled:
    """An event that is set when the step is asked to stop. ``is_set`` from any thread; ``await wait()`` on the loop."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        """Return when the step is asked to stop."""
        while not self._event.is_set():  # noqa: ASYNC110 - any thread may set it
            await asyncio.sleep(0.05)


def _to_be_awaited(verb: Verb) -> Verb:
    """Note that a verb was called, until it is awaited.

    Forgotten, an ``await`` would let a step go on as if it had been answered.
    """

    @functools.wraps(verb)
    def called(self: StepContext, *args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
        self.unawaited = verb.__name__

        async def awaited() -> Any:
            self.unawaited = None
            return await verb(self, *args, **options)

        return awaited()

    return cast("Verb", called)


class StepContext:
    """The run, seen from inside one attempt of a step (or from a condition, map, sleep or concurrency function)."""

    __slots__ = (
        "_asks",
        "_cancelled",
        "_cell",
        "_executor",
        "changes",
        "closed",
        "done",
        "reason",
        "signal",
        "task",
        "unawaited",
    )

    def __init__(self, executor: Host, cell: Cell) -> None:
        self._executor = executor
        self._cell = cell
        self._asks = 0
        self._cancelled: Cancelled | None = None
        self.changes: list[tuple[str, Any]] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.reason: str | None = None
        self.signal: Signal | None = None
        self.done: asyncio.Future[None] | None = None
        self.closed = False
        self.unawaited: str | None = None
        """The verb that was called last and has not been awaited."""

    # -- who and where

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._executor.state.run_id

    @property
    def workflow_id(self) -> str:
        """The id of the run's workflow."""
        return self._executor.state.workflow_id

    @property
    def step_id(self) -> str:
        """The id of this step."""
        return self._cell.node.id

    @property
    def path(self) -> str:
        """Where this step is in the run, such as ``review/approve[2]``."""
        return self._cell.path

    @property
    def attempt(self) -> int:
        """Starts of this step so far, from 1: retries, resumes and recoveries count."""
        return max(self._cell.attempts, 1)

    @property
    def iteration(self) -> int:
        """The round of the innermost loop or foreach, from 1; 1 outside of any."""
        cell: Cell | None = self._cell
        if isinstance(cell, Frame) and isinstance(cell.node, Loop) and cell.iterations:
            return cell.iterations
        while cell is not None:
            if cell.path.endswith("]"):
                return cell.slot + 1
            cell = cell.parent
        return 1

    @property
    def resource_id(self) -> str | None:
        """What ``create_run(resource_id=...)`` was given."""
        return self._executor.state.resource_id

    @property
    def tags(self) -> tuple[str, ...]:
        """What ``create_run(tags=...)`` was given."""
        return self._executor.state.tags

    @property
    def request_context(self) -> dict[str, Any]:
        """What the caller of ``start`` gave with the request (a copy)."""
        return cast("dict[str, Any]", ANY.decode(ANY.encode(self._executor.state.context)))

    @property
    def engine(self) -> Engine:
        """The engine that runs this, e.g. to start another run."""
        return cast("Engine", self._executor.home.engine)

    @property
    def idempotency_key(self) -> str:
        """The same over all attempts and recoveries of this step: give it to whatever must not happen twice."""
        return f"{self.run_id}:{self._cell.path}"

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """Writes to the run's log and to the logger ``engine.run``."""
        return RunLogger(self._executor, self._cell)

    @property
    def cancelled(self) -> Cancelled:
        """Set when the step is asked to stop (cancel, timeout)."""
        if self._cancelled is None:
            self._cancelled = Cancelled()
            if self.reason is not None:
                self._cancelled.set()
        return self._cancelled

    @property
    def sync(self) -> SyncContext:
        """The blocking twins of ``suspend``, ``ask`` and ``write``, for steps that are plain functions."""
        return SyncContext(self)

    # -- data

    @property
    def init(self) -> Any:
        """The input of the workflow that this step belongs to (a copy)."""
        cell = self._cell
        frame = cell if cell.parent is None and isinstance(cell, Frame) else workflow_of(cell)
        node = frame.node
        schema = node.input if isinstance(node, Sequence) else ANY
        return frame.input.read(schema)

    @property
    def state(self) -> Any:
        """The shared state as of this step's start: an instance of the state schema, else a dict (a copy)."""
        executor = self._executor
        shared = (
            self._cell.state if self._cell.attempts and isinstance(self._cell.node, Call) else executor.state.shared
        )
        return executor.shared.typed(self._cell, shared)

    def set_state(self, update: Any = None, /, **changes: Any) -> None:
        """Change keys of the shared state: merged when the step succeeds or suspends, dropped if it fails.

        ``update`` is a dict or an instance of the state schema (its fields that were set). Last write wins, unless the
        key has a reducer.
        """
        if self.changes is None:
            self.changes = []
        self.changes.extend(as_changes(update))
        self.changes.extend(changes.items())

    @overload
    def result_of(self, step: Arm[Any, T], /) -> T | None: ...
    @overload
    def result_of(self, step: str, /) -> Any: ...
    def result_of(self, step: Any, /) -> Any:
        """The output of a step that has succeeded, by the step or its id; ``None`` if it has none (yet)."""
        return self._executor.state.output_of(self._cell, step if isinstance(step, str) else step.id)

    @property
    def resume_data(self) -> Any:
        """The last answer to this step's question, by ``resume_schema``; ``None`` before any."""
        resumed, node = self._cell.resumed, self._cell.node
        schema = node.resume if isinstance(node, Call) else None
        if resumed is None:
            return None
        answer = resumed[0]
        return _typed(answer.raw if schema is None and not answer.is_whole else answer.found(), schema)

    @property
    def suspend_data(self) -> Any:
        """The payload of the suspension that ``resume_data`` answers, by ``suspend_schema``; ``None`` before any."""
        resumed, node = self._cell.resumed, self._cell.node
        schema = node.suspend if isinstance(node, Call) else None
        if resumed is None:
            return None
        payload = resumed[1]
        return _typed(payload.whole if payload.is_whole else payload.raw, schema)

    # -- verbs

    @_to_be_awaited
    async def suspend(
        self,
        payload: Any = None,
        *,
        label: str | None = None,
        title: str | None = None,
        expires_in: float | None = None,
        default: Any = NOT_GIVEN,
    ) -> NoReturn:
        """Stop the step here until somebody answers; then its function runs again from the top, with ``resume_data``.

        ``expires_in`` in seconds: then the step fails with ``SuspensionExpired``, or goes on with ``default`` if given.
        """
        self._raise(SuspendSignal(payload, label=label, title=title, expires_in=expires_in, default=default))

    @overload
    async def ask(
        self,
        payload: Any,
        schema: type[T],
        *,
        label: str | None = None,
        title: str | None = None,
        expires_in: float | None = None,
        default: Any = NOT_GIVEN,
    ) -> T: ...
    @overload
    async def ask(
        self,
        payload: Any,
        schema: Any = None,
        *,
        label: str | None = None,
        title: str | None = None,
        expires_in: float | None = None,
        default: Any = NOT_GIVEN,
    ) -> Any: ...
    @_to_be_awaited
    async def ask(
        self,
        payload: Any,
        schema: Any = None,
        *,
        label: str | None = None,
        title: str | None = None,
        expires_in: float | None = None,
        default: Any = NOT_GIVEN,
    ) -> Any:
        """Ask, and get the answer (by ``schema``) when the step runs again.

        Several asks are answered in order, once each. ``payload`` is what people see, ``label`` what ``resume`` may
        name. ``expires_in`` in seconds: then the step fails with ``SuspensionExpired``, or ``default`` is the answer.
        Raises ``SchemaError`` for what is no schema. ``except Exception`` in a step does not stop it.
        """
        return self._ask(payload, schema, label=label, title=title, expires_in=expires_in, default=default)

    def _ask(self, payload: Any, schema: Any, **options: Any) -> Any:  # noqa: RET503 - `_raise` does not return
        ordinal = self._asks
        self._asks += 1
        wanted = compile_schema(schema)
        answer = (self._cell.answers or {}).get(ordinal)
        if answer is not None:
            # Only an answer from before a restart can be wrong: its secrets are gone, or the stored JSON Schema that it
            # was checked by says less than the type. It asks again, it never kills the run.
            with contextlib.suppress(DataError):
                return wanted.decode(answer.found())
        self._raise(SuspendSignal(payload, ordinal=ordinal, schema=wanted, **options))

    @_to_be_awaited
    async def write(self, chunk: Any) -> None:
        """Stream a JSON-able value to whoever watches (``step.output`` events). Raises ``NotSerializable``."""
        self._executor.write(self, chunk)
        await asyncio.sleep(0)  # a step that only writes still lets others run

    def bail(self, value: Any = None) -> NoReturn:
        """End the workflow now, ``success``, with this result; what else runs in it is cancelled."""
        self._raise(BailSignal(value))

    def abort(self, reason: str | None = None) -> NoReturn:
        """Cancel the run."""
        self._raise(AbortSignal(reason))

    def _raise(self, signal: Signal) -> NoReturn:
        # Kept, so that a step which swallows it (`except BaseException`) is stopped all the same when it returns.
        self.signal = signal
        raise signal

    @property
    def cell(self) -> Cell:
        """The execution this context belongs to (for the engine)."""
        return self._cell

    def stop(self, reason: str) -> None:
        """Ask the step to stop (for the engine)."""
        self.reason = reason
        if self._cancelled is not None:
            self._cancelled.set()


def _typed(data: bytes, schema: Schema | None) -> Any:
    try:
        return (schema or ANY).decode(data)
    except DataError:  # of an ``ask``, which has a schema of its own, or from before the code was changed
        return ANY.decode(data)


class SyncContext:
    """The verbs of a step that is a plain function and runs in a worker thread."""

    __slots__ = ("_ctx",)

    def __init__(self, ctx: StepContext) -> None:
        self._ctx = ctx

    def suspend(
        self,
        payload: Any = None,
        *,
        label: str | None = None,
        title: str | None = None,
        expires_in: float | None = None,
        default: Any = NOT_GIVEN,
    ) -> NoReturn:
        """See :meth:`StepContext.suspend`."""
        self._ctx._raise(SuspendSignal(payload, label=label, title=title, expires_in=expires_in, default=default))

    def ask(
        self,
        payload: Any,
        schema: Any = None,
        *,
        label: str | None = None,
        title: str | None = None,
        expires_in: float | None = None,
        default: Any = NOT_GIVEN,
    ) -> Any:
        """See :meth:`StepContext.ask`."""
        return self._ctx._ask(payload, schema, label=label, title=title, expires_in=expires_in, default=default)

    def write(self, chunk: Any) -> None:
        """See :meth:`StepContext.write`."""
        executor = self._ctx._executor
        executor.home.on_loop(lambda: executor.write(self._ctx, chunk))

    def bail(self, value: Any = None) -> NoReturn:
        """See :meth:`StepContext.bail`."""
        self._ctx.bail(value)

    def abort(self, reason: str | None = None) -> NoReturn:
        """See :meth:`StepContext.abort`."""
        self._ctx.abort(reason)
