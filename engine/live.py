"""The runs that are live in this process: made, taken up from the store, let go, and how many run at once."""

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
    WorkflowMissing,
)
from engine.events import TERMINAL, Fact
from engine.executor import Executor
from engine.failures import message_of
from engine.hooks import call_quietly
from engine.host import Host
from engine.plan import Hooks, Plan
from engine.recovery import Looks, Replay, cancellation, load, take_up
from engine.result import build_info
from engine.state import RunState
from engine.store import RunRow, Store

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

    def __init__(self, engine: Owner, *, max_running: int | None) -> None:
        self.engine = engine
        self.store = engine.store
        self.bus = engine.bus
        self.clock = engine.clock
        self.busy = 0
        """Tasks of runs and calls from outside that are under way: alone, a commit need not wait for company."""
        self._max_running = max_running
        self._live: dict[str, Executor] = {}
        self._taking: dict[str, asyncio.Task[Executor | None]] = {}
        self._queue: list[tuple[Host, list[Command]]] = []
        self._looks = Looks(self.store)
        self._lost: dict[str, tuple[type[EngineError], str]] = {}
        self._misfits: dict[str, Plan] = {}
        """Runs that don't fit the plan as it is loaded: not looked at again before another is."""

    @property
    def is_closed(self) -> bool:
        return self.engine.is_closed

    @property
    def is_home(self) -> bool:
        return self.engine.is_home

    @property
    def threads(self) -> Threads:
        return self.engine.threads

    def on_loop(self, work: Callable[[], None]) -> None:
        self.engine.on_loop(work)

    def plan_of(self, workflow_id: str) -> Plan:
        """The plan of a registered workflow. Raises ``UnknownWorkflow``."""
        plans = self.engine.plans
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

    def lost(self, run_id: str) -> EngineError | None:
        """Why a run stopped here, although nobody else goes on with it."""
        kind, said = self._lost.get(run_id, (None, ""))
        return None if kind is None else kind(said)

    def clear(self) -> None:
        self._live.clear()
        self._queue.clear()

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
        plan = None if run is None else self.engine.plans.get(run.state.workflow_id)
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

    # -- taking one up

    async def drive(self, run_id: str, *, verb: str = "", force: bool = False) -> Executor | None:
        """The live side of a run, taken up from the store if nobody has it; ``None``: another living process has it.

        ``verb``: what it is taken up for. Raises ``UnknownRun``, ``DefinitionChanged``, ``WorkflowMissing``.
        """
        live = self._live.get(run_id)
        if live is not None:
            return live
        taking = self._taking.get(run_id)
        if taking is None:
            taking = asyncio.get_running_loop().create_task(self._take(run_id, verb=verb, force=force))
            self._taking[run_id] = taking
            taking.add_done_callback(lambda _: self._taking.pop(run_id, None))
        taken = await asyncio.shield(taking)
        if taken is None and force and run_id not in self._taking:
            return await self._take(run_id, verb=verb, force=True)
        return taken

    async def _take(self, run_id: str, *, verb: str, force: bool) -> Executor | None:
        claim = await self.store.claim(run_id, force=force)
        if claim is None:
            return None
        row = await self.store.row(run_id)  # only now nobody else changes it
        plan = self.engine.plans.get(row.workflow_id)
        try:
            if plan is None:
                raise _missing(run_id, row, self.engine.plans)
            replay, changes = await load(self.store, run_id, plan)
        except Blocked as error:
            await self._block(row, claim.epoch, error)
            if plan is not None:
                self._misfits[run_id] = plan
            raise
        run = Executor(self, replay.state, epoch=claim.epoch)
        if changes is not None or row.blocked is not None:
            run.record(Fact("run.definition_changed", data={"version": plan.version, "changes": changes or []}))
            await self.store.put_definition(plan.version, plan.definition)
            await run.commit()
        if not replay.state.ended:
            self.adopt(run)
            if verb != "cancel":  # nothing is started only to be cancelled
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

    async def _block(self, row: RunRow, epoch: int, error: Blocked) -> None:
        """Mark a run as blocked, unless it is already, and let it go."""
        run_id = row.run_id
        facts = await self.store.read(run_id)
        reason = type(error).__name__
        if row.blocked != reason and row.status not in TERMINAL:
            fact = Fact("run.blocked", data={"reason": reason, "message": str(error)}, seq=facts[-1].seq + 1)
            fact.at = self.clock.now()
            await self.store.append(run_id, [fact], epoch=epoch)
            self.bus.publish(run_id, fact.seq)
        await self.store.release(run_id, epoch=epoch)

    async def recover(self) -> list[str]:
        """Take up every run whose owner is gone, of the workflows registered here; the ids of those taken up."""
        plans = self.engine.plans
        taken = []
        for run_id in await self.store.claimable(sorted(plans)):
            misfit = self._misfits.get(run_id)
            if misfit is not None and plans.get(misfit.id) is misfit:
                continue
            self._misfits.pop(run_id, None)
            try:
                if await self.drive(run_id) is not None:
                    taken.append(run_id)
            except Blocked as error:
                log.warning("%s", error)
            except EngineError as error:
                log.error("run %s can't be taken up: %s", run_id, error)
        return taken

    async def replay(self, run_id: str) -> RunState:
        """The state of a run as of now: the live one if it is here, else folded from the store, to be looked at.

        If the workflow's code is gone or does not fit, it is folded by the definition that the run has recorded.
        Raises ``UnknownRun``; ``WorkflowMissing`` if there is neither.
        """
        live = self._live.get(run_id)
        if live is not None and live.committed == live.state.seq and self.is_home and await self._is_last(live):
            return live.state
        row = await self.store.row(run_id)
        state = await self._looks.state(run_id, self.engine.plans.get(row.workflow_id))
        if state is None:
            raise _missing(run_id, row, self.engine.plans)
        return state

    async def _is_last(self, live: Executor) -> bool:
        """Whether nothing follows what this process knows: a run may have been taken over, and gone on, just now."""
        return not self.store.shared or await self.store.last_seq(live.run_id) == live.committed

    # -- how many at once

    def admit(self, run: Host) -> bool:
        """Whether a run may start now."""
        if self._max_running is None:
            return True
        if self._queue and self._queue[0][0] is not run:
            return False  # in order
        busy = sum(other.state.status == "running" for other in self._live.values() if other is not run)
        return busy < self._max_running

    def enqueue(self, run: Host, todo: list[Command]) -> None:
        """A started run waits for its turn."""
        self._queue.append((run, todo))

    def came_to_rest(self) -> None:
        """A run no longer runs: let waiting runs in, in order, as far as there is room."""
        while self._queue and self.admit(self._queue[0][0]):
            run, todo = self._queue.pop(0)
            if run.queued and not run.state.ended:
                run.queued = False
                run.record(Fact("run.resumed"))
                self.engine.background(run.go(todo), f"start {run.run_id}")

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
        plans = self.engine.plans
        hooked = [id for id, plan in plans.items() if plan.hooks.at_end]
        for run_id in await self.store.unhooked(hooked) if hooked else ():
            try:
                state = await self.replay(run_id)
                await self._call_hooks(state, plans[state.workflow_id].hooks)
            except (EngineError, StoreError) as error:
                log.error("hooks of run %s can't be called: %s", run_id, error)


def _missing(run_id: str, row: RunRow, plans: Mapping[str, Plan]) -> WorkflowMissing:
    known = ", ".join(sorted(plans)) or "none"
    return WorkflowMissing(
        f"run {run_id!r} is of workflow {row.workflow_id!r}, which is not registered (there are: {known}); "
        f"nothing was lost: register it and try again"
    )
