"""The handle of a run."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from engine.bus import Bus
from engine.errors import EngineError, UnknownRun
from engine.events import ENDS, TERMINAL, Event, to_event
from engine.host import REST, Host
from engine.result import RunResult, build_result, build_statuses
from engine.state import Breakpoint, RunState, breakpoints_from
from engine.steps import Arm
from engine.store import EventFilter, Store, Suspension

log = logging.getLogger("engine")
T = TypeVar("T")

PAGE = 500
"""Events that are read from the store at a time."""

ELSEWHERE = 0.1
"""Seconds between two looks at a run that another process owns."""

MAX_FAILURES = 10
"""Failures in a row after which a watcher is dropped."""


class Desk(Protocol):
    """What the handle of a run asks its engine for."""

    store: Store
    bus: Bus

    @property
    def is_closed(self) -> bool: ...

    async def call(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> Any: ...

    async def at_home(self, work: Callable[[], Coroutine[Any, Any, T]], *, acts: bool = True) -> T: ...

    async def fork(self, run_id: str, at: str, **changes: Any) -> str: ...

    async def fork_keeps(self, run_id: str, at: str) -> tuple[str, ...]: ...

    async def rerun(self, run_id: str) -> str: ...

    async def replay(self, run_id: str) -> RunState: ...

    def live(self, run_id: str) -> Host | None: ...

    def lost(self, run_id: str) -> BaseException | None: ...


class Run:
    """One execution of a workflow. Handles are cheap and many may stand for one run."""

    def __init__(self, engine: Desk, run_id: str, workflow_id: str, parent_run_id: str | None) -> None:
        self._engine = engine
        self.run_id = run_id
        self.workflow_id = workflow_id
        self.parent_run_id = parent_run_id

    def __repr__(self) -> str:
        return f"Run({self.run_id!r} of {self.workflow_id!r})"

    # -- start and answer

    async def start(
        self,
        input: Any = None,
        *,
        state: Any = None,
        request_context: Mapping[str, Any] | None = None,
        breakpoints: Iterable[Breakpoint | str] = (),
        paused: bool = False,
    ) -> RunResult:
        """Start the run and return when it has ended, is suspended or paused.

        ``state`` is the shared state to begin with; ``paused`` holds the run before its first step. Raises only for a
        wrong call: ``InvalidInput`` or ``InvalidState`` (nothing ran, the run is still pending), ``AlreadyStarted``.
        """
        live = self._engine.live(self.run_id)
        await self.start_soon(
            input, state=state, request_context=request_context, breakpoints=breakpoints, paused=paused
        )
        return await self._outcome(live)

    async def start_soon(
        self,
        input: Any = None,
        *,
        state: Any = None,
        request_context: Mapping[str, Any] | None = None,
        breakpoints: Iterable[Breakpoint | str] = (),
        paused: bool = False,
    ) -> None:
        """:meth:`start`, but return once the start is stored; the engine carries on."""
        arguments: dict[str, Any] = {"input": input}
        if state is not None:
            arguments["state"] = state
        if request_context is not None:
            arguments["request_context"] = request_context
        if breakpoints:
            arguments["breakpoints"] = breakpoints_from(breakpoints)
        if paused:
            arguments["paused"] = True
        await self._engine.call(self.run_id, "start", arguments)

    async def resume(
        self,
        data: Any = None,
        *,
        step: Arm[Any, Any] | str | list[Any] | None = None,
        label: str | None = None,
        suspension: Suspension | str | None = None,
        index: int | None = None,
        all: bool = False,
        by: str | None = None,
    ) -> RunResult:
        """Answer one open question, exactly once, and return when the run comes to rest again.

        Without a target: the only open one, else ``AmbiguousResume``. ``step`` takes a step, an id, a path or a list;
        ``index`` the item of a foreach; ``suspension`` one from ``engine.suspensions()`` or its token; ``all`` answers
        every match with the same data. ``by`` notes who answers.

        Raises ``NotSuspended``, ``UnknownStep``, ``UnknownLabel``, ``AlreadyResumed`` (somebody was quicker),
        ``AmbiguousResume``, ``InvalidResume`` (the question is still open), ``DefinitionChanged`` or
        ``WorkflowMissing`` (the code that is loaded does not fit; no answer is spent), ``UnknownRun``.
        """
        live = self._engine.live(self.run_id)
        await self.resume_soon(data, step=step, label=label, suspension=suspension, index=index, all=all, by=by)
        return await self._outcome(live)

    async def resume_soon(
        self,
        data: Any = None,
        *,
        step: Arm[Any, Any] | str | list[Any] | None = None,
        label: str | None = None,
        suspension: Suspension | str | None = None,
        index: int | None = None,
        all: bool = False,
        by: str | None = None,
    ) -> None:
        """:meth:`resume`, but return once the answer is stored."""
        token = suspension.token if isinstance(suspension, Suspension) else suspension
        given = {"step": step, "label": label, "suspension": token, "index": index, "by": by}
        arguments: dict[str, Any] = {"data": data, **{key: value for key, value in given.items() if value is not None}}
        if all:
            arguments["all"] = True
        await self._engine.call(self.run_id, "resume", arguments)

    # -- control

    async def cancel(self, reason: str | None = None) -> bool:
        """Cancel the run and all in it, at once. ``False`` and no change if it has ended."""
        return bool(await self._engine.call(self.run_id, "cancel", {"reason": reason}))

    async def pause(self) -> None:
        """Hold the run before its next step. Raises ``NotStarted``, ``AlreadyEnded``, ``UnknownRun``."""
        await self._engine.call(self.run_id, "pause", {})

    async def step(self) -> None:
        """Let one step through, then hold again. Past the last step the run ends.

        Raises ``NotStarted``, ``AlreadyEnded``, ``UnknownRun``.
        """
        await self._engine.call(self.run_id, "step", {})

    async def proceed(self) -> None:
        """Let the run go on until a breakpoint, a question or its end.

        Raises ``NotStarted``, ``AlreadyEnded``, ``UnknownRun``.
        """
        await self._engine.call(self.run_id, "proceed", {})

    async def set_breakpoints(self, breakpoints: Iterable[Breakpoint | str]) -> None:
        """Replace the run's breakpoints.

        Raises ``UnknownStep`` for a path that the workflow does not have, ``ValueError`` for what is no breakpoint.
        """
        await self._engine.call(self.run_id, "set_breakpoints", {"breakpoints": breakpoints_from(breakpoints)})

    async def fork(
        self,
        at: str,
        *,
        input: Any = None,
        outputs: Mapping[str, Any] | None = None,
        state: Any = None,
    ) -> Run:
        """A new run that keeps what does not depend on the step at path ``at``, and runs that and what follows again.

        ``input`` is what ``at`` gets this time, ``outputs`` replaces outputs of finished steps by path (with ``at``
        among them the fork goes on after it), ``state`` the shared state. The original is untouched. Raises
        ``UnknownStep``.
        """
        made = await self._engine.fork(self.run_id, at, input=input, outputs=outputs or {}, state=state)
        return Run(self._engine, made, self.workflow_id, self.run_id)

    async def fork_keeps(self, at: str) -> tuple[str, ...]:
        """The paths whose outcome a fork at ``at`` keeps; what else has begun runs again. Nothing is changed.

        Raises ``UnknownStep``, ``UnknownWorkflow`` if its code is gone, ``UnknownRun``.
        """
        return await self._engine.fork_keeps(self.run_id, at)

    async def rerun(self) -> Run:
        """A new run with the same input, already going; this one stays as it is.

        Raises ``NotStarted`` if this one never was, ``UnknownWorkflow`` if its code is gone, ``UnknownRun``.
        """
        return Run(self._engine, await self._engine.rerun(self.run_id), self.workflow_id, self.run_id)

    # -- looking

    async def result(self) -> RunResult:
        """The run as of now, also if its workflow's code is gone or does not fit. Raises ``UnknownRun``."""
        return build_result(await self._engine.replay(self.run_id))

    async def statuses(self) -> dict[str, str]:
        """The status of every path that the run has come to, blocks around others included; cheap for a long run too.

        Raises ``UnknownRun``.
        """
        return build_statuses(await self._engine.replay(self.run_id))

    async def breakpoints(self) -> tuple[Breakpoint, ...]:
        """The run's breakpoints, as :meth:`set_breakpoints` takes them. Raises ``UnknownRun``."""
        return (await self._engine.replay(self.run_id)).breakpoints

    async def wait(self, timeout: float | None = None) -> RunResult:  # noqa: ASYNC109 - the contract's name
        """Return when the run has ended, is suspended or paused. Raises ``TimeoutError`` after ``timeout`` seconds."""
        async with asyncio.timeout(timeout):
            engine = self._engine
            live = engine.live(self.run_id)
            if live is not None:
                await engine.at_home(live.rest, acts=False)
                return build_result(live.state)
            while (await engine.store.row(self.run_id)).status not in REST:
                why = engine.lost(self.run_id)
                if why is not None:
                    raise why
                await asyncio.sleep(ELSEWHERE)
            return await self.result()

    async def _outcome(self, live: Host | None) -> RunResult:
        """:meth:`wait`, without reading the log of a run that has ended before anybody could wait for it."""
        if live is not None and live.state.ended and live.committed == live.state.seq:
            return build_result(live.state)
        return await self.wait()

    async def status(self) -> str:
        """The run's status as stored. Raises ``UnknownRun``."""
        return (await self._engine.store.row(self.run_id)).status

    async def events(self, after: int = 0, *, follow: bool = True) -> AsyncIterator[Event]:
        """Every event with ``seq > after``, then, with ``follow``, new ones as they come: no gap, no duplicate.

        Ends after the last event of a run that has ended. Raises ``UnknownRun``.
        """
        engine = self._engine
        with engine.bus.listen(self.run_id) as listener:
            while True:
                facts = await engine.store.read(self.run_id, after=after, limit=PAGE, resolve=True)
                for fact in facts:
                    after = fact.seq
                    yield to_event(self.run_id, fact)
                if len(facts) == PAGE:
                    continue
                if not follow or (not facts and (await engine.store.row(self.run_id)).status in TERMINAL):
                    return
                if facts and facts[-1].type in ENDS:
                    continue
                if engine.is_closed:
                    return
                local = engine.live(self.run_id) is not None
                await listener.wait(None if local or not engine.store.shared else ELSEWHERE)

    async def list_events(
        self,
        *,
        types: Iterable[str] = (),
        path: str | None = None,
        after: int = 0,
        before: int | None = None,
        limit: int = PAGE,
        newest: bool = False,
    ) -> list[Event]:
        """The first ``limit`` events with ``after < seq < before``, or the ``newest`` of them; in order either way.

        ``types`` lets only those through (``("step.failed", "log")``), ``path`` only those of a step and of what is
        inside it. Raises ``UnknownRun``.
        """
        if limit < 1:
            raise ValueError(f"list_events(limit={limit}): at least 1")
        where = EventFilter(frozenset(types), path, after, before)
        facts = await self._engine.store.find(self.run_id, where, limit=limit, newest=newest)
        return [to_event(self.run_id, fact) for fact in facts]

    async def count_events(
        self, *, types: Iterable[str] = (), path: str | None = None, after: int = 0, before: int | None = None
    ) -> dict[str, int]:
        """How many events of each type there are, of those that :meth:`list_events` lists. Raises ``UnknownRun``."""
        where = EventFilter(frozenset(types), path, after, before)
        return await self._engine.store.count_facts(self.run_id, where)

    def stream(self, input: Any = None, **options: Any) -> Stream:
        """Start the run and iterate over its events: ``async for event in run.stream(input)``; see :class:`Stream`.

        ``options`` are those of :meth:`start`: ``state``, ``request_context``, ``breakpoints``, ``paused``. Ends when
        ``start`` would return, and raises what ``start`` would.
        """
        return Stream(self, input, options)

    def watch(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Call ``callback`` (sync or async) for each event from now on; returns ``unsubscribe``.

        A callback that fails never hurts the run: it is logged, and dropped after ten failures in a row.
        """
        live = self._engine.live(self.run_id)
        after = live.committed if live is not None else None
        task = asyncio.get_running_loop().create_task(self._watch(callback, after), name=f"watch {self.run_id}")

        def unsubscribe() -> None:
            task.cancel()

        return unsubscribe

    async def _watch(self, callback: Callable[[Event], Any], after: int | None) -> None:
        failures = 0
        try:
            if after is None:
                after = await self._engine.store.last_seq(self.run_id)
            async for event in self.events(after):
                try:
                    made = callback(event)
                    if inspect.isawaitable(made):
                        await made
                    failures = 0
                except asyncio.CancelledError:
                    raise
                except BaseException as error:
                    failures += 1
                    if failures == 1:
                        log.error("a watcher of run %s failed: %r", self.run_id, error, exc_info=error)
                    if failures == MAX_FAILURES:
                        log.error("a watcher of run %s failed %s times in a row and is dropped", self.run_id, failures)
                        return
        except (UnknownRun, EngineError) as error:
            log.debug("a watcher of run %s ends: %s", self.run_id, error)


class Stream:
    """The events of a run from its start, until ``start`` would return. ``await stream.result()`` gives its result."""

    def __init__(self, run: Run, input: Any, options: Mapping[str, Any]) -> None:
        self._run = run
        self._input = input
        self._options = options
        self._started: asyncio.Task[RunResult] | None = None

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events()

    async def _events(self) -> AsyncIterator[Event]:
        started = self._begin()
        engine = self._run._engine
        after = 0
        with engine.bus.listen(self._run.run_id) as listener:
            started.add_done_callback(lambda _: listener.tell(0))
            while True:
                done = started.done()
                if done:
                    started.result()
                facts = await engine.store.read(self._run.run_id, after=after, resolve=True)
                for fact in facts:
                    after = fact.seq
                    yield to_event(self._run.run_id, fact)
                if done:
                    return
                if not facts:
                    await listener.wait(ELSEWHERE if engine.store.shared else None)

    def _begin(self) -> asyncio.Task[RunResult]:
        if self._started is None:
            start = self._run.start(self._input, **self._options)
            self._started = asyncio.get_running_loop().create_task(start, name=f"stream {self._run.run_id}")
        return self._started

    async def result(self) -> RunResult:
        """Wait for the run to come to rest; its result. Raises as ``Run.start``."""
        return await self._begin()
