"""Taking runs up from the store: those that nobody has any more, and those that somebody wants to do something to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from engine.errors import Blocked, EngineError, WorkflowMissing
from engine.events import TERMINAL, Fact
from engine.executor import Executor
from engine.host import Home
from engine.plan import Plan
from engine.recovery import load, take_up
from engine.store import RunRow

log = logging.getLogger("engine")


class Keeper(Home, Protocol):
    """Who has the runs that were taken up."""

    @property
    def plans(self) -> Mapping[str, Plan]: ...

    def get(self, run_id: str) -> Executor | None: ...

    def adopt(self, run: Executor) -> None: ...


class TakingUp:
    """Takes each run up once, however many ask for it at the same time."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._tasks: dict[str, asyncio.Task[Executor | None]] = {}
        self._misfits: dict[str, Plan] = {}
        """Runs that don't fit the plan as it is loaded: not looked at again before another is."""

    async def drive(self, run_id: str, *, verb: str = "", force: bool = False) -> Executor | None:
        """The live side of a run, taken up from the store if nobody has it; ``None``: another living process has it.

        ``verb``: what it is taken up for. Raises ``UnknownRun``, ``DefinitionChanged``, ``WorkflowMissing``.
        """
        live = self._keeper.get(run_id)
        if live is not None:
            return live
        taking = self._tasks.get(run_id)
        if taking is None:
            taking = asyncio.get_running_loop().create_task(self._take(run_id, verb=verb, force=force))
            self._tasks[run_id] = taking
            taking.add_done_callback(lambda _: self._tasks.pop(run_id, None))
        taken = await asyncio.shield(taking)
        if taken is None and force and run_id not in self._tasks:
            return await self._take(run_id, verb=verb, force=True)
        return taken

    async def recover(self) -> list[str]:
        """Take up every run whose owner is gone, of the workflows registered here; the ids of those taken up."""
        plans = self._keeper.plans
        taken = []
        for run_id in await self._keeper.store.claimable(sorted(plans)):
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

    async def _take(self, run_id: str, *, verb: str, force: bool) -> Executor | None:
        keeper = self._keeper
        store = keeper.store
        claim = await store.claim(run_id, force=force)
        if claim is None:
            return None
        row = await store.row(run_id)  # only now nobody else changes it
        plan = keeper.plans.get(row.workflow_id)
        try:
            if plan is None:
                raise missing(run_id, row, keeper.plans)
            replay, changes = await load(store, run_id, plan)
        except Blocked as error:
            await self._block(row, claim.epoch, error)
            if plan is not None:
                self._misfits[run_id] = plan
            raise
        run = Executor(keeper, replay.state, epoch=claim.epoch)
        if changes is not None or row.blocked is not None:
            run.record(Fact("run.definition_changed", data={"version": plan.version, "changes": changes or []}))
            await store.put_definition(plan.version, plan.definition)
            await run.commit()
        if not replay.state.ended:
            keeper.adopt(run)
            if verb != "cancel":  # nothing is started only to be cancelled
                await take_up(run, replay, unclean=claim.previous_owner is not None)
        return run

    async def _block(self, row: RunRow, epoch: int, error: Blocked) -> None:
        """Mark a run as blocked, unless it is already, and let it go."""
        run_id = row.run_id
        store = self._keeper.store
        facts = await store.read(run_id)
        reason = type(error).__name__
        if row.blocked != reason and row.status not in TERMINAL:
            fact = Fact("run.blocked", data={"reason": reason, "message": str(error)}, seq=facts[-1].seq + 1)
            fact.at = self._keeper.clock.now()
            await store.append(run_id, [fact], epoch=epoch)
            self._keeper.bus.publish(run_id, fact.seq)
        await store.release(run_id, epoch=epoch)


def missing(run_id: str, row: RunRow, plans: Mapping[str, Plan]) -> WorkflowMissing:
    """The error for a run whose workflow is not registered."""
    known = ", ".join(sorted(plans)) or "none"
    return WorkflowMissing(
        f"run {run_id!r} is of workflow {row.workflow_id!r}, which is not registered (there are: {known}); "
        f"nothing was lost: register it and try again"
    )
