"""The application object: workflows, a store, and the runs that are live in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

from engine import control
from engine.bus import Bus
from engine.clock import Clock, SystemClock
from engine.commands import Command
from engine.errors import (
    Blocked,
    DefinitionChanged,
    DefinitionError,
    EngineError,
    Fenced,
    NotOwner,
    Problem,
    RunInFlight,
    StoreError,
    UnknownRun,
    UnknownWorkflow,
    WorkflowMissing,
)
from engine.events import Fact
from engine.executor import Executor
from engine.hooks import call_quietly
from engine.ids import is_valid_id, new_run_id
from engine.plan import Hooks, Plan
from engine.recovery import Replay, as_recorded, cancellation, load, take_up
from engine.remote import Remote
from engine.result import build_info
from engine.run import Run
from engine.state import TERMINAL, RunState
from engine.store import Page, RunFilter, RunRow, Store, Suspension
from engine.stores import open_store
from engine.workflow import Workflow

log = logging.getLogger("engine")
T = TypeVar("T")

IDLE_RUNS = 256
"""Runs at rest that are kept ready in memory; others are folded from the store when they are needed again."""

CLOSE_GRACE = 5.0
"""Seconds that running steps get when the engine closes."""


class Engine:
    """Runs workflows. Use it as ``async with Engine(workflows=[...], store="sqlite:///studio.db") as engine``.

    ``store`` is an URL (``sqlite:///file``, ``:memory:``) or a ``Store``. ``max_running`` limits how many runs run at once,
    ``threads`` how many plain functions. ``recover=False`` takes up nothing by itself. Opening raises ``DefinitionError`` for
    a workflow that is wrong and ``StoreError`` for a store that can't be opened.
    """

    def __init__(
        self,
        workflows: Iterable[Workflow[Any, Any]] = (),
        store: str | Store = ":memory:",
        *,
        max_running: int | None = None,
        threads: int | None = None,
        recover: bool = True,
        clock: Clock | None = None,
    ) -> None:
        if max_running is not None and max_running < 1:
            raise ValueError(f"Engine(max_running={max_running}): at least 1, or None for no limit")
        self.workflows: dict[str, Workflow[Any, Any]] = {}
        self.register(workflows)
        self.store: Store = open_store(store)
        self.clock: Clock = clock or SystemClock()
        self.bus = Bus()
        self.is_closed = True
        self._max_running = max_running
        self._thread_count = threads
        self._recover = recover
        self._threads: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._live: dict[str, Executor] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._queue: list[tuple[Executor, list[Command]]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._misfits: dict[str, Workflow[Any, Any]] = {}
        """Runs that don't fit the workflow as it is loaded: not looked at again before another is."""
        self._remote = Remote(self)

    def register(self, workflows: Iterable[Workflow[Any, Any]]) -> None:
        """Add workflows, or replace those of the same id. Raises ``DefinitionError``: for two of one id, or a wrong one."""
        added: dict[str, Workflow[Any, Any]] = {}
        for workflow in workflows:
            if workflow.id in added and added[workflow.id] is not workflow:
                remedy = "give one another id, e.g. with clone_workflow(workflow, id=...)"
                raise DefinitionError("Engine", [Problem(f"workflow {workflow.id!r}", "two have this id", remedy)])
            workflow.commit()
            added[workflow.id] = workflow
        self.workflows.update(added)

    # -- opening and closing

    async def __aenter__(self) -> Engine:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the store and take up the runs that were in flight."""
        if not self.is_closed:
            raise EngineError("the engine is open already")
        self._loop = asyncio.get_running_loop()
        await self.store.open()
        self.is_closed = False
        if self._recover:
            await self.recover()
            await self._call_missed_hooks()
        if self.store.shared:
            self.background(self._remote.serve(self._recover), "serve other processes")

    async def close(self) -> None:
        """Interrupt what runs (it is taken up when the engine opens again), write everything, close the store."""
        if self.is_closed:
            return
        for task in list(self._tasks):
            if task.get_name() == "serve other processes":
                task.cancel()
        runs = list(self._live.values())
        await asyncio.gather(*(run.close(CLOSE_GRACE) for run in runs))
        self.is_closed = True
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        if others:
            _, late = await asyncio.wait(others, timeout=CLOSE_GRACE)
            for task in late:
                task.cancel()
        self._live.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        await self.store.close()

    @property
    def threads(self) -> ThreadPoolExecutor:
        """The worker threads for plain functions; made when the first is called."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._thread_count or 32, thread_name_prefix="engine-step")
        return self._threads

    def background(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task of the engine; its failure is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s failed", task.get_name(), exc_info=task.exception())

    @property
    def is_home(self) -> bool:
        """Whether the caller runs on the engine's own loop."""
        return asyncio._get_running_loop() is self._loop is not None

    def on_loop(self, work: Callable[[], None]) -> None:
        """Do something on the engine's loop, from any thread; not at all once that loop is gone."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    async def at_home(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await something on the engine's own loop, from any loop."""
        loop = self._loop
        if loop is None or self.is_closed:
            raise EngineError("the engine is not open; use it inside 'async with engine'")
        if asyncio.get_running_loop() is loop:
            # A task of its own: a caller who gives up must not leave a run half way between two facts.
            return await asyncio.shield(loop.create_task(work()))

        async def there() -> T:
            return await work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), loop))

    # -- runs

    async def create_run(
        self,
        workflow: str | Workflow[Any, Any],
        *,
        run_id: str | None = None,
        resource_id: str | None = None,
        tags: Sequence[str] = (),
    ) -> Run:
        """A new run, ``pending``. Raises ``UnknownWorkflow``, ``RunExists``, ``ValueError`` for an id that is not usable."""
        id = workflow if isinstance(workflow, str) else workflow.id
        plan = self.plan_of(id)
        if run_id is not None and not is_valid_id(run_id):
            raise ValueError(f"run_id {run_id!r}: take 1 to 128 printable characters without '/', '[' and ']'")
        run_id = run_id or new_run_id()
        return await self.at_home(lambda: self._create(plan, run_id, resource_id, tuple(tags), None))

    def plan_of(self, workflow_id: str) -> Plan:
        """The plan of a registered workflow. Raises ``UnknownWorkflow``."""
        found = self.workflows.get(workflow_id)
        if found is None:
            known = ", ".join(sorted(self.workflows)) or "none"
            raise UnknownWorkflow(f"no workflow {workflow_id!r} is registered; there are: {known}")
        return found.plan

    async def _create(
        self, plan: Plan, run_id: str, resource_id: str | None, tags: tuple[str, ...], parent: str | None
    ) -> Run:
        run = await self.new_executor(plan, run_id, resource_id=resource_id, tags=tags, parent=parent)
        await run.commit()
        self.adopt(run)
        return Run(self, run_id, plan.id, parent)

    async def new_executor(
        self, plan: Plan, run_id: str, *, resource_id: str | None, tags: tuple[str, ...], parent: str | None
    ) -> Executor:
        """The live side of a new run, with ``run.created`` recorded and not yet written."""
        data: dict[str, Any] = {"workflow": plan.id}
        if resource_id is not None:
            data["resource_id"] = resource_id
        if tags:
            data["tags"] = list(tags)
        if parent is not None:
            data["parent"] = parent
        if self.store.durable:
            data["version"] = plan.version
            await self.store.put_definition(plan.version, plan.definition)
        run = Executor(self, RunState(run_id, plan), epoch=1)
        run.record(Fact("run.created", data=data))
        return run

    def adopt(self, run: Executor) -> None:
        """Keep a run ready in memory; the longest at rest make room."""
        live = self._live
        live[run.run_id] = run
        if len(live) > IDLE_RUNS:
            for run_id in [run_id for run_id, kept in live.items() if kept.is_idle and kept is not run][:32]:
                del live[run_id]

    def forget(self, run_id: str) -> None:
        """The run is no longer this process's."""
        self._live.pop(run_id, None)

    async def get_run(self, run_id: str) -> Run:
        """A handle for a run. Raises ``UnknownRun``."""
        live = self._live.get(run_id)
        if live is not None:
            return Run(self, run_id, live.state.workflow_id, live.state.parent_run_id)
        row = await self.store.row(run_id)
        return Run(self, run_id, row.workflow_id, row.parent_run_id)

    async def list_runs(
        self,
        workflow: str | None = None,
        status: str | Sequence[str] | None = None,
        resource_id: str | None = None,
        tag: str | None = None,
        text: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[RunRow]:
        """Runs that fit every filter, newest first; ``after`` takes the ``next`` of the page before."""
        statuses = (status,) if isinstance(status, str) else tuple(status or ())
        where = RunFilter(workflow, statuses, resource_id, tag, text, since, until)
        return await self.store.list_runs(where, limit=limit, after=after)

    async def suspensions(
        self,
        run_id: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Suspension]:
        """Open questions, oldest first."""
        return await self.store.list_suspensions(run_id=run_id, workflow=workflow, limit=limit, after=after)

    async def delete_run(self, run_id: str) -> None:
        """Remove a run and all that belongs to it. Raises ``UnknownRun``, ``RunInFlight`` (cancel it first)."""

        async def delete() -> None:
            live = self._live.get(run_id)
            if live is not None and not live.state.ended and live.state.started:
                raise RunInFlight(f"run {run_id!r} is {live.state.status}; cancel it first")
            await self.store.delete(run_id)
            self._live.pop(run_id, None)

        await self.at_home(delete)

    async def prune(self, *, older_than: timedelta, status: str | Sequence[str] | None = None) -> int:
        """Remove runs that ended longer ago than ``older_than``; returns how many."""
        statuses = (status,) if isinstance(status, str) else tuple(status or sorted(TERMINAL))
        wrong = [one for one in statuses if one not in TERMINAL]
        if wrong:
            raise ValueError(f"prune(status={wrong[0]!r}): only runs that have ended: {', '.join(sorted(TERMINAL))}")
        before = datetime.fromtimestamp(self.clock.now(), UTC) - older_than
        return await self.at_home(lambda: self.store.prune(before=before, status=statuses))

    async def send_event(self, run_id: str, name: str, data: Any = None) -> None:
        """Send an event to a run: to the step that waits for it, else it is kept until one does.

        Raises ``UnknownRun``, ``AlreadyEnded``, ``InvalidInput`` if the run waits for it now and the data does not fit.
        """
        await self.call(run_id, "send_event", {"name": name, "data": data})

    # -- the live side

    async def call(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Do something to a run, here if it is this process's, else by the one that owns it."""
        return await self.at_home(lambda: self._call(run_id, verb, arguments))

    async def _call(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> Any:
        try:
            return await self.act(run_id, verb, arguments)
        except (Fenced, NotOwner):
            return await self._remote.ask(run_id, verb, arguments)

    async def act(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Do something to a run in this process. Raises ``NotOwner`` if another living process has it, ``Fenced``."""
        try:
            run = self._live.get(run_id) or await self.drive(run_id, verb=verb)
        except Blocked:
            if verb != "cancel":
                raise
            return await self._cancel_blocked(run_id, **arguments)
        if run is None:
            raise NotOwner(f"another living process has run {run_id!r}")
        try:
            return await VERBS[verb](run, **arguments)
        except (Fenced, UnknownRun):
            self.forget(run_id)
            raise

    async def _cancel_blocked(self, run_id: str, reason: str | None = None) -> bool:
        """Cancel a run without its code. ``False`` if it has ended. Raises ``NotOwner``."""
        claim = await self.store.claim(run_id)
        if claim is None:
            raise NotOwner(f"another living process has run {run_id!r}")
        facts = cancellation(await self.store.read(run_id), reason, at=self.clock.now())
        if facts:
            await self.store.append(run_id, facts, epoch=claim.epoch)
            self.bus.publish(run_id, facts[-1].seq)
        await self.store.release(run_id, epoch=claim.epoch)
        return bool(facts)

    async def drive(self, run_id: str, *, verb: str = "", force: bool = False) -> Executor | None:
        """The live side of a run, taken up from the store if nobody has it; ``None``: another living process has it.

        Raises ``UnknownRun``, ``DefinitionChanged``, ``WorkflowMissing``.
        """
        lock = self._locks.setdefault(run_id, asyncio.Lock())
        async with lock:
            live = self._live.get(run_id)
            if live is not None:
                return live
            try:
                return await self._take(run_id, verb=verb, force=force)
            finally:
                if not lock._waiters:  # type: ignore[attr-defined]
                    self._locks.pop(run_id, None)

    async def _take(self, run_id: str, *, verb: str, force: bool) -> Executor | None:
        row = await self.store.row(run_id)
        workflow = self.workflows.get(row.workflow_id)
        claim = await self.store.claim(run_id, force=force)
        if claim is None:
            return None
        try:
            if workflow is None:
                known = ", ".join(sorted(self.workflows)) or "none"
                raise WorkflowMissing(
                    f"run {run_id!r} is of workflow {row.workflow_id!r}, which is not registered (there are: {known}); "
                    f"nothing was lost: register it and try again"
                )
            replay, changes = await load(self.store, run_id, workflow.plan)
        except Blocked as error:
            await self._block(run_id, row, claim.epoch, error)
            if workflow is not None:
                self._misfits[run_id] = workflow
            raise
        run = Executor(self, replay.state, epoch=claim.epoch)
        if changes is not None or row.blocked is not None:
            version = workflow.plan.version
            run.record(Fact("run.definition_changed", data={"version": version, "changes": changes or []}))
            await self.store.put_definition(version, workflow.plan.definition)
            await run.commit()
        if not replay.state.ended:
            self.adopt(run)
            if verb != "cancel" or replay.state.canceling:  # nothing is started only to be cancelled
                await self._resume_work(run, replay, unclean=claim.previous_owner is not None)
        return run

    async def _resume_work(self, run: Executor, replay: Replay, *, unclean: bool) -> None:
        state = run.state
        if state.started and state.status == "pending":
            run.queued = not self.admit(run)
            if run.queued:
                self.enqueue(run, replay.pending())
                return
        await take_up(run, replay, unclean=unclean)

    async def _block(self, run_id: str, row: RunRow, epoch: int, error: Blocked) -> None:
        """Mark a run as blocked, unless it is already, and let it go."""
        facts = await self.store.read(run_id)
        state_seq = facts[-1].seq if facts else 0
        reason = type(error).__name__
        if row.blocked != reason and row.status not in TERMINAL:
            fact = Fact("run.blocked", data={"reason": reason, "message": str(error)}, seq=state_seq + 1)
            fact.at = self.clock.now()
            await self.store.append(run_id, [fact], epoch=epoch)
            self.bus.publish(run_id, fact.seq)
        await self.store.release(run_id, epoch=epoch)

    async def recover(self) -> list[str]:
        """Take up every run whose owner is gone, of the workflows registered here; the ids of those taken up."""
        taken = []
        for run_id in await self.store.claimable(sorted(self.workflows)):
            tried = self._misfits.pop(run_id, None)
            if tried is not None and self.workflows.get(tried.id) is tried:
                self._misfits[run_id] = tried
                continue
            try:
                if await self.drive(run_id) is not None:
                    taken.append(run_id)
            except Blocked as error:
                log.warning("%s", error)
            except EngineError as error:
                log.error("run %s can't be taken up: %s", run_id, error)
        return taken

    async def take_over(self, run_id: str) -> None:
        """Take a run from an owner that is alive but stuck; that owner's next write fails, and it lets the run go."""
        await self.at_home(lambda: self.drive(run_id, force=True))

    async def replay(self, run_id: str) -> RunState:
        """The state of a run as of now: the live one if it is here, else folded from the store, to be looked at.

        If the workflow's code is gone or does not fit, it is folded by the definition that the run has recorded.
        Raises ``UnknownRun``; ``WorkflowMissing`` if there is neither.
        """
        live = self._live.get(run_id)
        if live is not None:
            return live.state
        row = await self.store.row(run_id)
        workflow = self.workflows.get(row.workflow_id)
        with contextlib.suppress(DefinitionChanged):
            if workflow is not None:
                replay, _ = await load(self.store, run_id, workflow.plan)
                return replay.state
        recorded = await as_recorded(self.store, run_id)
        if recorded is None:
            raise WorkflowMissing(f"run {run_id!r} is of workflow {row.workflow_id!r}, which is not registered")
        return recorded

    def live(self, run_id: str) -> Executor | None:
        """The live side of a run, if it is in this process."""
        return self._live.get(run_id)

    @property
    def executors(self) -> list[Executor]:
        """Every run that is live in this process."""
        return list(self._live.values())

    # -- how many at once

    def admit(self, run: Executor) -> bool:
        """Whether a run may start now."""
        if self._max_running is None:
            return True
        busy = sum(other.state.status == "running" for other in self._live.values() if other is not run)
        return busy < self._max_running

    def enqueue(self, run: Executor, todo: list[Command]) -> None:
        """A started run waits for its turn."""
        self._queue.append((run, todo))

    def came_to_rest(self) -> None:
        """A run no longer runs: there may be room for another."""
        if self._queue:
            self.next_in_queue()

    def next_in_queue(self) -> None:
        """Let waiting runs in, in order, as far as there is room."""
        while self._queue and self.admit(self._queue[0][0]):
            run, todo = self._queue.pop(0)
            if run.state.ended or run.closing:
                continue
            run.queued = False
            run.record(Fact("run.resumed"))
            self.background(run.go(todo), f"start {run.run_id}")

    # -- ends

    def run_ended(self, run: Executor) -> None:
        """After the end of a run is written: its hooks, and whoever waits for the place."""
        self._live.pop(run.run_id, None)
        hooks = run.state.plan.hooks
        if hooks.on_finish is not None or hooks.on_error is not None:
            self.background(self._call_hooks(run.state, hooks), f"hooks of {run.run_id}")

    async def _call_hooks(self, state: RunState, hooks: Hooks) -> None:
        info = build_info(state)
        if hooks.on_finish is not None:
            await call_quietly(hooks.on_finish, info)
        if hooks.on_error is not None and state.status == "failed":
            await call_quietly(hooks.on_error, info)
        await self.store.mark_hooked(state.run_id)

    async def _call_missed_hooks(self) -> None:
        """Hooks of runs that ended just before a crash."""
        hooked = [w.id for w in self.workflows.values() if w.on_finish is not None or w.on_error is not None]
        for run_id in await self.store.unhooked(hooked) if hooked else ():
            try:
                state = await self.replay(run_id)
                await self._call_hooks(state, self.plan_of(state.workflow_id).hooks)
            except (EngineError, StoreError) as error:
                log.error("hooks of run %s can't be called: %s", run_id, error)




VERBS: dict[str, Callable[..., Awaitable[Any]]] = {
    "start": control.start,
    "resume": control.resume,
    "cancel": control.cancel,
    "pause": control.pause,
    "step": control.step,
    "proceed": control.proceed,
    "set_breakpoints": control.set_breakpoints,
    "send_event": control.send_event,
}
"""What can be done to a run, by the name under which other processes ask for it."""
