"""The runs that are live in this process: made, acted on, let go, and how many run at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor as Threads
from typing import Any, Protocol

from engine import answers, control
from engine.bus import Bus
from engine.clock import Clock
from engine.commands import Command
from engine.errors import (
    Blocked,
    EngineError,
    Fenced,
    NotOwner,
    StoreError,
    UnknownRun,
    UnknownWorkflow,
)
from engine.events import Fact
from engine.executor import Executor
from engine.failures import message_of
from engine.hooks import call_quietly
from engine.host import Host
from engine.plan import Hooks, Plan
from engine.recovery import Looks, cancellation
from engine.result import build_info
from engine.state import RunState
from engine.store import Store
from engine.taking import TakingUp, missing

log = logging.getLogger("engine")

IDLE_RUNS = 256
"""Runs at rest that are kept ready in memory; others are folded from the store when they are needed again."""

VERBS: dict[str, Callable[..., Awaitable[Any]]] = {
    "start": control.start,
    "resume": answers.resume,
    "cancel": control.cancel,
    "pause": control.pause,
    "step": control.step,
    "proceed": control.proceed,
    "set_breakpoints": control.set_breakpoints,
    "send_event": control.send_event,
}
"""What can be done to a run, by the name under which other processes ask for it."""


class Owner(Protocol):
    """What live runs need of the engine they belong to."""

    store: Store
    bus: Bus
    clock: Clock

    @property
    def is_closed(self) -> bool: ...

    @property
    def is_home(self) -> bool: ...

    @property
    def threads(self) -> Threads: ...

    @property
    def plans(self) -> Mapping[str, Plan]: ...

    def background(self, work: Coroutine[Any, Any, Any], name: str) -> None: ...

    def on_loop(self, work: Callable[[], None]) -> None: ...


class LiveRuns:
    """The live side of an engine. Everything here happens on the engine's event loop."""

    def __init__(self, engine: Owner, *, max_running: int | None, locals_in_errors: bool) -> None:
        self.engine = engine
        self.store = engine.store
        self.bus = engine.bus
        self.clock = engine.clock
        self.busy = 0
        """Tasks of runs and calls from outside that are under way: alone, a commit need not wait for company."""
        self.locals_in_errors = locals_in_errors
        self._max_running = max_running
        self._live: dict[str, Executor] = {}
        self._going_on: dict[Host, list[Command]] = {}
        """Runs that wait for a place since they were answered, woken or released; they come before those that start."""
        self._starting: dict[Host, list[Command]] = {}
        self._looks = Looks(self.store)
        self._lost: dict[str, tuple[type[EngineError], str]] = {}
        taking = TakingUp(self)
        self.drive = taking.drive
        self.recover = taking.recover

    @property
    def is_closed(self) -> bool:
        return self.engine.is_closed

    @property
    def is_home(self) -> bool:
        return self.engine.is_home

    @property
    def threads(self) -> Threads:
        return self.engine.threads

    @property
    def plans(self) -> Mapping[str, Plan]:
        return self.engine.plans

    def on_loop(self, work: Callable[[], None]) -> None:
        self.engine.on_loop(work)

    def plan_of(self, workflow_id: str) -> Plan:
        """The plan of a registered workflow. Raises ``UnknownWorkflow``."""
        plans = self.plans
        found = plans.get(workflow_id)
        if found is None:
            known = ", ".join(sorted(plans)) or "none"
            raise UnknownWorkflow(f"no workflow {workflow_id!r} is registered; there are: {known}")
        return found

    # -- who is here

    def get(self, run_id: str) -> Executor | None:
        """The live side of a run, if it is in this process."""
        return self._live.get(run_id)

    def all(self) -> list[Executor]:
        """Every run that is live in this process."""
        return list(self._live.values())

    async def new(
        self,
        plan: Plan,
        run_id: str,
        *,
        resource_id: str | None = None,
        tags: tuple[str, ...] = (),
        parent: str | None = None,
    ) -> Executor:
        """The live side of a new run, with ``run.created`` recorded and not yet written."""
        given = {"resource_id": resource_id, "tags": list(tags), "parent": parent}
        data: dict[str, Any] = {"workflow": plan.id} | {key: value for key, value in given.items() if value}
        data["version"] = plan.version
        await self.store.put_definition(plan.version, plan.definition)
        run = Executor(self, RunState(run_id, plan), epoch=1)
        run.record(Fact("run.created", data=data))
        return run

    def adopt(self, run: Executor) -> None:
        """Keep a run ready in memory; the longest at rest make room."""
        live = self._live
        live[run.run_id] = run
        self._lost.pop(run.run_id, None)
        if len(live) > IDLE_RUNS:
            for run_id in [run_id for run_id, kept in live.items() if kept.is_idle and kept is not run][:32]:
                del live[run_id]

    def forget(self, run_id: str, why: BaseException | None = None, *, run: Host | None = None) -> None:
        """The run is no longer this process's; ``why``, if it could not be written any more."""
        if run is not None and self._live.get(run_id) is not run:
            return  # another one stands for the run here
        self._live.pop(run_id, None)
        if why is not None and not isinstance(why, (Fenced, UnknownRun)):
            said = message_of(why)  # but not the error, which refers to all that the run had
            is_stored = isinstance(why, StoreError)
            self._lost[run_id] = (StoreError, said) if is_stored else (EngineError, f"{type(why).__name__}: {said}")
        if not self.is_closed:
            self.came_to_rest()

    def lost(self, run_id: str) -> EngineError | None:
        """Why a run stopped here, although nobody else goes on with it."""
        kind, said = self._lost.get(run_id, (None, ""))
        return None if kind is None else kind(said)

    def clear(self) -> None:
        self._live.clear()
        self._going_on.clear()
        self._starting.clear()

    # -- doing something to one

    async def act(self, run_id: str, verb: str, arguments: Mapping[str, Any], *, request: str | None = None) -> Any:
        """Do something to a run in this process. Raises ``NotOwner`` if another living process has it, ``Fenced``.

        ``request`` names the call of another process: it is acted on once, even if its reply was lost.
        """
        self._let_go_if_outdated(run_id)
        try:
            run = self._live.get(run_id) or await self.drive(run_id, verb=verb)
        except Blocked:
            if verb != "cancel":
                raise
            return await self._cancel_blocked(run_id, **arguments)
        if run is None:
            raise NotOwner(f"another living process has run {run_id!r}")
        if request in run.state.requests:
            return run.state.status == "canceled" if verb == "cancel" else None
        task = asyncio.current_task()
        if request is not None:
            run.requests[task] = request
        try:
            return await VERBS[verb](run, **arguments)
        except (Fenced, UnknownRun):
            self.forget(run_id, run=run)
            raise
        finally:
            run.requests.pop(task, None)

    async def let_go_of_taken(self) -> None:
        """Let go of runs that other processes have taken over, and tell whoever follows them here."""
        epochs = await self.store.epochs(list(self._live))
        for run in self.all():
            if run.committed and epochs.get(run.run_id, run.epoch) != run.epoch:
                run.let_go(Fenced(f"run {run.run_id!r} was taken over; it goes on elsewhere"))
                self.bus.publish(run.run_id, run.committed)

    def _let_go_if_outdated(self, run_id: str) -> None:
        """A run at rest whose workflow has been registered anew goes on with the new code, if that fits."""
        run = self._live.get(run_id)
        plan = None if run is None else self.plans.get(run.state.workflow_id)
        if run and plan and plan is not run.state.plan and run.state.started and run.is_idle and self.store.durable:
            del self._live[run_id]

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

    # -- looking at one

    async def replay(self, run_id: str) -> RunState:
        """The state of a run as of now: the live one if it is here, else folded from the store, to be looked at.

        If the workflow's code is gone or does not fit, it is folded by the definition that the run has recorded.
        Raises ``UnknownRun``; ``WorkflowMissing`` if there is neither.
        """
        live = self._live.get(run_id)
        if live is not None and live.committed == live.state.seq and self.is_home and await self._is_last(live):
            return live.state
        row = await self.store.row(run_id)
        state = await self._looks.state(run_id, self.plans.get(row.workflow_id))
        if state is None:
            raise missing(run_id, row, self.plans)
        return state

    async def _is_last(self, live: Executor) -> bool:
        """Whether nothing follows what this process knows: a run may have been taken over, and gone on, just now."""
        return not self.store.shared or await self.store.last_seq(live.run_id) == live.committed

    # -- how many at once

    def admit(self, run: Host) -> bool:
        """Whether a run may run now: nobody waits before it, and there is room."""
        if self._max_running is None:
            return True
        before = (self._going_on or self._starting) if run.state.status == "pending" else self._going_on
        if next(iter(before), run) is not run:
            return False
        busy = sum(other.state.status == "running" for other in self._live.values() if other is not run)
        return busy < self._max_running

    def enqueue(self, run: Host, todo: list[Command]) -> None:
        """A run waits for its turn, with what it is to do then."""
        queues = (self._going_on, self._starting)
        known = [queue for queue in queues if run in queue]
        queue = known[0] if known else queues[run.state.status == "pending"]
        queue.setdefault(run, []).extend(todo)

    def came_to_rest(self) -> None:
        """A run no longer runs: let waiting runs in, in order, as far as there is room."""
        while queue := self._going_on or self._starting:
            run = next(iter(queue))
            if not self.admit(run):
                return
            todo = queue.pop(run)
            if run.queued and not (run.state.ended or run.fenced):
                run.queued = False
                run.record(Fact("run.resumed"))
                self.engine.background(run.go(todo), f"go on with {run.run_id}")

    # -- ends

    def run_ended(self, run: Executor) -> None:
        """After the end of a run is written: its hooks."""
        if self._live.get(run.run_id) is run:
            del self._live[run.run_id]
        hooks = run.state.plan.hooks
        if hooks.at_end:
            self.engine.background(self._call_hooks(run.state, hooks), f"hooks of {run.run_id}")

    async def _call_hooks(self, state: RunState, hooks: Hooks) -> None:
        info = build_info(state)
        if hooks.on_finish is not None:
            await call_quietly(hooks.on_finish, info)
        if hooks.on_error is not None and state.status == "failed":
            await call_quietly(hooks.on_error, info)
        await self.store.mark_hooked(state.run_id)

    async def call_missed_hooks(self) -> None:
        """Hooks of runs that ended just before a crash."""
        plans = self.plans
        hooked = [id for id, plan in plans.items() if plan.hooks.at_end]
        for run_id in await self.store.unhooked(hooked) if hooked else ():
            try:
                state = await self.replay(run_id)
                await self._call_hooks(state, plans[state.workflow_id].hooks)
            except (EngineError, StoreError) as error:
                log.error("hooks of run %s can't be called: %s", run_id, error)
