"""The application object: workflows, a store, and the runs that are live in this process."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from engine.bus import Bus
from engine.clock import Clock, SystemClock
from engine.errors import DefinitionError, EngineError, Fenced, NotOwner, Problem, RunInFlight
from engine.events import STATUSES, TERMINAL
from engine.executor import Executor
from engine.ids import ID_RULE, is_valid_id, new_run_id
from engine.live import LiveRuns
from engine.plan import Plan
from engine.remote import Remote
from engine.run import Run
from engine.state import RunState
from engine.store import Page, RunFilter, RunRow, Store, Suspension
from engine.stores import open_store
from engine.workflow import Workflow

log = logging.getLogger("engine")
T = TypeVar("T")

CLOSE_GRACE = 5.0
"""Seconds that running steps get when the engine closes."""


class Engine:
    """Runs workflows. Use it as ``async with Engine(workflows=[...], store="sqlite:///studio.db") as engine``.

    ``store`` is an URL (``sqlite:///file``, ``:memory:``) or a ``Store``. ``max_running`` limits how many runs run at
    once, ``threads`` how many plain functions. Over ``max_running`` they wait as ``pending``: those that go on
    (answered, woken, released) before those that start, each in order. ``recover=False`` takes up nothing by itself.
    ``locals_in_errors`` keeps with an error what the variables of the user's code were, in ``error["frames"]``: short
    texts, of the 20 innermost frames and about 16,000 characters. Secrets that are known are hidden in them before they
    are stored; what else your variables hold, whoever reads the store can read.
    Opening raises ``DefinitionError`` for a workflow that is wrong and ``StoreError`` for a store that can't be opened.
    """

    def __init__(
        self,
        workflows: Iterable[Workflow[Any, Any]] = (),
        store: str | Store = ":memory:",
        *,
        max_running: int | None = None,
        threads: int | None = None,
        recover: bool = True,
        locals_in_errors: bool = False,
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
        self._thread_count = threads
        self._recover = recover
        self._threads: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._serving: asyncio.Task[None] | None = None
        self._runs = LiveRuns(self, max_running=max_running, locals_in_errors=locals_in_errors)
        self._remote = Remote(self._runs)

    def register(self, workflows: Iterable[Workflow[Any, Any]]) -> None:
        """Add workflows, or replace those of the same id.

        Raises ``DefinitionError``: for two of one id, or a wrong one.
        """
        if isinstance(workflows, Workflow):
            raise TypeError(f"workflow {workflows.id!r} is given alone; give a list: Engine([workflow])")
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

    def __enter__(self) -> NoReturn:
        raise TypeError("an engine is opened with 'async with Engine(...) as engine'")

    def __exit__(self, *_: object) -> None:
        """Only there so that ``with`` gets as far as the message."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the store and take up the runs that were in flight."""
        if not self.is_closed:
            raise EngineError("the engine is open already")
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        await self.store.open()
        self.is_closed = False
        if self._recover:
            await self._runs.recover()
            await self._runs.call_missed_hooks()
        if self.store.shared:
            self._serving = asyncio.get_running_loop().create_task(self._remote.serve(self._recover))

    async def close(self) -> None:
        """Interrupt what runs (it is taken up when the engine opens again), write everything, close the store."""
        if self.is_closed:
            return
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])
            self._serving = None
        await asyncio.gather(*(run.close(CLOSE_GRACE) for run in self._runs.all()))
        self.is_closed = True
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        if others:
            _, late = await asyncio.wait(others, timeout=CLOSE_GRACE)
            for task in late:
                task.cancel()
        self._runs.clear()
        self.bus.wake_all()
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

    def background(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Do something in a task of the engine; its failure is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

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

    async def at_home(self, work: Callable[[], Coroutine[Any, Any, T]], *, acts: bool = True) -> T:
        """Await something on the engine's own loop, from any loop; ``acts``: it does not only wait."""
        loop = self._loop
        if loop is None or self.is_closed:
            raise EngineError("the engine is not open; use it inside 'async with engine'")
        if os.getpid() != self._pid:  # its loop does not run here, so a call would wait for ever
            raise EngineError("the engine was opened by the parent of this process; open an engine of its own here")
        if asyncio.get_running_loop() is loop:
            # A task of its own: a caller who gives up must not leave a run half way between two facts.
            return await (self._kept(work) if acts else work())
        there = self._kept(work) if acts else work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there, loop))

    async def _kept(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await asyncio.shield(asyncio.get_running_loop().create_task(self._counted(work)))

    async def _counted(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self._runs.busy += 1
        try:
            return await work()
        finally:
            self._runs.busy -= 1

    # -- runs

    async def create_run(
        self,
        workflow: str | Workflow[Any, Any],
        *,
        run_id: str | None = None,
        resource_id: str | None = None,
        tags: Sequence[str] = (),
    ) -> Run:
        """A new run, ``pending``.

        Raises ``UnknownWorkflow``, ``RunExists``, ``ValueError`` for an id that is not usable.
        """
        id = workflow if isinstance(workflow, str) else workflow.id
        plan = self.plan_of(id)
        if run_id is not None and not is_valid_id(run_id):
            raise ValueError(f"run_id {run_id!r}: {ID_RULE}")
        return await self.at_home(lambda: self._create(plan, run_id or new_run_id(), resource_id, tuple(tags)))

    async def _create(self, plan: Plan, run_id: str, resource_id: str | None, tags: tuple[str, ...]) -> Run:
        run = await self._runs.new(plan, run_id, resource_id=resource_id, tags=tags)
        await run.commit()
        self._runs.adopt(run)
        return Run(self, run_id, plan.id, None)

    @property
    def plans(self) -> Mapping[str, Plan]:
        """The plans of the registered workflows, by id."""
        return {id: workflow.plan for id, workflow in self.workflows.items()}

    def plan_of(self, workflow_id: str) -> Plan:
        """The plan of a registered workflow. Raises ``UnknownWorkflow``."""
        return self._runs.plan_of(workflow_id)

    async def get_run(self, run_id: str) -> Run:
        """A handle for a run. Raises ``UnknownRun``."""
        live = self._runs.get(run_id)
        if live is not None:
            return Run(self, run_id, live.state.workflow_id, live.state.parent_run_id)
        row = await self.store.row(run_id)
        return Run(self, run_id, row.workflow_id, row.parent_run_id)

    async def list_runs(
        self,
        workflow: str | None = None,
        *,
        status: str | Sequence[str] | None = None,
        resource_id: str | None = None,
        tag: str | None = None,
        text: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[RunRow]:
        """Runs that fit every filter, newest first; ``after`` takes the ``next`` of the page before.

        ``status``: pending, running, waiting, suspended, paused, success, failed, canceled, or several of them.
        ``text`` is searched in id, workflow, tags and resource; ``since`` and ``until`` are aware times of the
        creation. Raises ``ValueError`` for a status or a page that there is not.
        """
        statuses = _statuses("list_runs", status, STATUSES)
        where = RunFilter(workflow, statuses, resource_id, tag, text, since, until)
        return await self.store.list_runs(where, limit=limit, after=after)

    async def suspensions(
        self,
        run_id: str | None = None,
        *,
        workflow: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Suspension]:
        """Open questions, oldest first; of a run or a workflow if one is named. ``after`` takes the ``next`` of a page.

        Each has the JSON Schema of its answer, and is what ``run.resume(answer, suspension=...)`` takes. Raises
        ``ValueError`` for a page that there is not.
        """
        return await self.store.list_suspensions(run_id=run_id, workflow=workflow, limit=limit, after=after)

    async def counts(self, workflow: str | None = None) -> dict[str, int]:
        """How many runs there are of each status that occurs. It costs the same for ten runs and for a million."""
        return await self.store.counts(workflow)

    async def open_questions(self, workflow: str | None = None) -> int:
        """How many questions are open."""
        return await self.store.open_questions(workflow)

    async def delete_run(self, run_id: str) -> None:
        """Remove a run that has ended, or was never started, and all that belongs to it.

        Raises ``UnknownRun``, ``RunInFlight`` (cancel it first).
        """

        async def delete() -> None:
            live = self._runs.get(run_id)
            if live is not None and not live.state.ended and (live.state.started or live.starting):
                raise RunInFlight(f"run {run_id!r} is {live.state.status}; cancel it first")
            await self.store.delete(run_id)
            self._runs.forget(run_id)

        await self.at_home(delete)

    async def prune(self, *, older_than: timedelta, status: str | Sequence[str] | None = None) -> int:
        """Remove runs that ended longer ago than ``older_than``; returns how many."""
        statuses = _statuses("prune", status, sorted(TERMINAL)) or tuple(sorted(TERMINAL))
        before = datetime.fromtimestamp(self.clock.now(), UTC) - older_than
        return await self.at_home(lambda: self.store.prune(before=before, status=statuses))

    async def send_event(self, run_id: str, name: str, data: Any = None) -> None:
        """Send an event to a run: to the step that waits for it, else it is kept until one does.

        Raises ``UnknownRun``, ``AlreadyEnded``, ``InvalidInput`` if the run waits for it now and the data does not fit.
        """
        await self.call(run_id, "send_event", {"name": name, "data": data})

    # -- what handles of runs ask for

    async def call(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Do something to a run, here if it is this process's, else by the one that owns it."""
        return await self.at_home(lambda: self._call(run_id, verb, arguments))

    async def _call(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> Any:
        try:
            return await self._runs.act(run_id, verb, arguments)
        except (Fenced, NotOwner):
            return await self._remote.ask(run_id, verb, arguments)

    async def fork(self, run_id: str, at: str, **changes: Any) -> str:
        """See ``Run.fork``; the id of the new run."""
        from engine.fork import fork  # noqa: PLC0415 - only who forks pays for it

        return await self.at_home(lambda: fork(self._runs, run_id, at, **changes))

    async def fork_keeps(self, run_id: str, at: str) -> tuple[str, ...]:
        """See ``Run.fork_keeps``."""
        from engine.fork import keeps  # noqa: PLC0415

        return await self.at_home(lambda: keeps(self._runs, run_id, at), acts=False)

    async def rerun(self, run_id: str) -> str:
        """See ``Run.rerun``; the id of the new run."""
        from engine.fork import rerun  # noqa: PLC0415

        return await self.at_home(lambda: rerun(self._runs, run_id))

    async def replay(self, run_id: str) -> RunState:
        """The state of a run as of now. Raises ``UnknownRun``; ``WorkflowMissing`` if it can't even be looked at."""
        return await self._runs.replay(run_id)

    def lost(self, run_id: str) -> EngineError | None:
        """Why a run stopped here, although nobody else goes on with it; ``None`` for others."""
        return self._runs.lost(run_id)

    def busy_step(self) -> tuple[str, str, str] | None:
        """Whose code is on the engine's event loop at this moment: run, workflow and path; may be asked in any thread.

        Code that does not give the loop back holds up every run: this is how to find it.
        """
        loop = self._loop
        task = None if loop is None or loop.is_closed() else asyncio.current_task(loop)
        if task is None:
            return None
        for run in self._runs.all():
            for path, attempt in run.running.copy().items():
                if attempt.task is task:
                    return run.run_id, run.state.workflow_id, path
        run_id, _, path = task.get_name().partition(":")  # a condition, a map, a hook
        named = self._runs.get(run_id)
        return None if named is None else (run_id, named.state.workflow_id, path)

    def live(self, run_id: str) -> Executor | None:
        """The live side of a run, if it is in this process."""
        return self._runs.get(run_id)

    async def recover(self) -> list[str]:
        """Take up every run whose owner is gone, of the workflows registered here; the ids of those taken up."""
        return await self.at_home(self._runs.recover)

    async def take_over(self, run_id: str) -> None:
        """Take a run from an owner that is alive but stuck; that owner's next write fails, and it lets the run go."""
        await self.at_home(lambda: self._runs.drive(run_id, force=True))


def _statuses(call: str, given: str | Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    statuses = (given,) if isinstance(given, str) else tuple(given or ())
    for one in statuses:
        if one not in known:
            raise ValueError(f"{call}(status={one!r}): it is one of {', '.join(known)}")
    return statuses
