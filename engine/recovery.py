"""From the log back to a live run: fold the facts, see which commands have no answer, take those up again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.advance import advance, is_due
from engine.apply import apply
from engine.cells import DONE
from engine.commands import Again, Begin, CancelRun, Command, Drop, Invoke, Wake
from engine.errors import DefinitionChanged
from engine.events import ENDS, STEP_ENDS, Fact
from engine.plan import Call, Plan, Wait
from engine.skeleton import skeleton
from engine.state import RunState
from engine.versions import data_misfits, difference, misfits

if TYPE_CHECKING:
    from engine.host import Host
    from engine.store import Store

_SILENT = frozenset({"log", "step.output", "step.late", "state.changed", "timer.fired"})
"""Facts that answer no command."""

KEPT = 8
"""Runs that are kept folded for those who look at them."""

KEPT_BYTES = 64 * 1024 * 1024
"""Bytes of their values; the last one is kept whatever it has."""


class Replay:
    """A run folded from its log. ``open`` are the commands that the log has no answer to: what was in flight."""

    def __init__(self, run_id: str, plan: Plan, facts: Iterable[Fact]) -> None:
        self.state = RunState(run_id, plan)
        self.open: dict[str, Command] = {}
        self.wakes: list[Wake] = []
        for fact in facts:
            apply(self.state, fact)
            self.follow(fact)

    def follow(self, fact: Fact) -> None:
        """After a fact was applied: which command it answers, and which commands follow."""
        state = self.state
        if fact.type in ENDS:
            self.open.pop("", None)
        elif fact.path is not None and fact.type not in _SILENT:
            self.open.pop(fact.path, None)
        for command in advance(state, fact):
            if isinstance(command, Wake):
                self.wakes.append(command)
            else:
                self.open[subject(command)] = command

    def pending(self) -> list[Command]:
        """What is to be done again, steps that were cut apart."""
        return [command for command in self.open.values() if not self._is_cut(command) and self._stands(command)]

    def _stands(self, command: Command) -> bool:
        if isinstance(command, Begin):
            return is_due(self.state, command.site)
        return not (isinstance(command, Drop) and not command.frame.open)

    def cut(self) -> list[Invoke]:
        """Steps that had started and have no outcome."""
        return [command for command in self.open.values() if isinstance(command, Invoke) and self._is_cut(command)]

    def _is_cut(self, command: Command) -> bool:
        return isinstance(command, Invoke) and isinstance(command.cell.node, Call)

    def timers(self) -> list[Wake]:
        """Wakes that still mean something."""
        return [wake for wake in self.wakes if _is_awaited(wake)]


def _is_awaited(wake: Wake) -> bool:
    cell = wake.cell
    if isinstance(wake.mark, str):
        return cell.question is not None and cell.question.token == wake.mark
    return cell.status not in DONE and wake.mark == cell.attempts


def subject(command: Command) -> str:
    """The path whose next fact answers a command."""
    match command:
        case Begin(site=site):
            return site.path
        case Again(cell=cell) | Invoke(cell=cell) | Wake(cell=cell):
            return cell.path
        case Drop(frame=frame):
            return f"{frame.path} drop"
        case CancelRun():
            return ""
        case _:
            return command.frame.path


async def load(store: Store, run_id: str, plan: Plan) -> tuple[Replay, list[str] | None]:
    """Fold a run with the plan that is loaded; what changed since, if its definition is another one and fits.

    Raises ``DefinitionChanged`` if it does not fit.
    """
    facts = await store.read(run_id)
    changes = await fitting(store, run_id, plan, facts)
    return Replay(run_id, plan, facts), changes


async def fitting(store: Store, run_id: str, plan: Plan, facts: Sequence[Fact]) -> list[str] | None:
    """What changed since a run was made, if its definition is another one than the plan's.

    Raises ``DefinitionChanged`` if it does not fit.
    """
    version = version_of(facts)
    if version is None or version == plan.version:
        return None
    old = await store.definition(version)
    if old is None:
        return ["the definition it was made with is not stored"]
    paths = [fact.path for fact in facts if fact.path is not None]
    problems = misfits(old, plan.definition, paths) or data_misfits(folded(run_id, plan, facts), plan)
    if not problems:
        return difference(old, plan.definition)
    listed = "; ".join(problems)
    raise DefinitionChanged(
        f"run {run_id!r} can't go on with the code that is loaded: {listed}. Nothing was lost: load fitting code, or "
        f"fork or cancel the run"
    )


async def as_recorded(store: Store, run_id: str, facts: Sequence[Fact] | None = None) -> RunState | None:
    """Fold a run by the definition it recorded, to be looked at only; ``None`` if that is not stored."""
    facts = await store.read(run_id) if facts is None else facts
    version = version_of(facts)
    definition = None if version is None else await store.definition(version)
    return None if definition is None else folded(run_id, skeleton(definition), facts)


class Looks:
    """Runs folded to be looked at.

    The last ones are kept, so that who watches a run pays for what is new in it and not for its whole log each time.
    Threads share none: nobody folds on while another looks.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept = threading.local()

    async def state(self, run_id: str, plan: Plan | None) -> RunState | None:
        """A run as of now, by the plan that is loaded if it fits, else as recorded; ``None`` if neither can be."""
        kept: dict[str, _Look] = self._kept.__dict__.setdefault("runs", {})
        look = kept.pop(run_id, None)
        if look is None or look.plan is not plan or not await self._goes_on(look):
            look = await self._fold(run_id, plan)
        if look is None:
            return None
        kept[run_id] = look
        while len(kept) > KEPT or (len(kept) > 1 and sum(one.size for one in kept.values()) > KEPT_BYTES):
            del kept[next(iter(kept))]
        return look.state

    async def _goes_on(self, look: _Look) -> bool:
        """Fold what is new; ``False`` if the log does not continue what was folded, by the same definition."""
        facts = await self._store.read(look.state.run_id, after=look.last.seq - 1)
        if not facts or _identity(facts[0]) != _identity(look.last):
            return False
        new = facts[1:]
        if new and not look.is_exact:  # code that it does not fit any more may have gone on with it
            return False
        if any(fact.type == "run.definition_changed" for fact in new):
            return False
        for fact in new:
            apply(look.state, fact)
            look.last = fact
        look.size += _bytes(new)
        return True

    async def _fold(self, run_id: str, plan: Plan | None) -> _Look | None:
        facts = await self._store.read(run_id)
        state: RunState | None = None
        if plan is not None:
            with contextlib.suppress(DefinitionChanged):
                await fitting(self._store, run_id, plan, facts)
                state = folded(run_id, plan, facts)
        state = state or await as_recorded(self._store, run_id, facts)
        if state is None:
            return None
        is_exact = plan is None or state.plan is not plan or plan.version == version_of(facts)
        return _Look(plan, state, facts[-1], is_exact, _bytes(facts))


@dataclass(slots=True)
class _Look:
    """A run as it was folded up to its ``last`` fact, when ``plan`` was the one that is loaded.

    ``is_exact``: by the very definition that it goes by, not by one that fits what has happened so far.
    """

    plan: Plan | None
    state: RunState
    last: Fact
    is_exact: bool
    size: int


def _bytes(facts: Iterable[Fact]) -> int:
    return sum(fact.value.size for fact in facts if fact.value is not None)


def _identity(fact: Fact) -> tuple[int, float, str]:
    return fact.seq, fact.at, fact.type


def folded(run_id: str, plan: Plan, facts: Iterable[Fact]) -> RunState:
    """A run folded from its log, to be looked at only."""
    state = RunState(run_id, plan)
    for fact in facts:
        apply(state, fact)
    return state


def cancellation(facts: Sequence[Fact], reason: str | None, *, at: float) -> list[Fact]:
    """The facts that cancel a run without its code: what is open is read from the log. ``[]`` if it has ended."""
    if any(fact.type in ENDS for fact in facts):
        return []
    made = [] if any(fact.type == "run.cancel_requested" for fact in facts) else [Fact("run.cancel_requested")]
    made += [Fact("step.canceled", path, attempt=attempt) for path, attempt in reversed(_open_paths(facts).items())]
    made.append(Fact("run.canceled"))
    for seq, fact in enumerate(made, facts[-1].seq + 1):
        fact.seq, fact.at = seq, at
        if fact.path is None:
            fact.data = {"reason": reason}
    return made


def _open_paths(facts: Iterable[Fact]) -> dict[str, int | None]:
    """Paths of what has begun and not ended, with the number of its last start."""
    found: dict[str, int | None] = {}
    for fact in facts:
        if fact.path is None:
            continue
        if fact.type in ("step.started", "step.held"):
            found[fact.path] = fact.attempt
        elif fact.type in STEP_ENDS:
            found.pop(fact.path, None)
    return found


def version_of(facts: Iterable[Fact]) -> str | None:
    """The version of the definition that a run was last going by."""
    version = None
    for fact in facts:
        if fact.type in ("run.created", "run.definition_changed") and fact.data and fact.data.get("version"):
            version = str(fact.data["version"])
    return version


async def take_up(run: Host, replay: Replay, *, unclean: bool) -> None:
    """Go on with a run that somebody else had before."""
    state = run.state
    for wake in replay.timers():
        run.wake(wake)
    todo = replay.pending()
    cut = replay.cut()
    if not (todo or cut):
        return
    is_queued = state.status == "pending"  # for one of max_running places: nothing of it was in flight
    if not (is_queued or state.canceling or all(_only_waits(command) for command in [*todo, *cut])):
        run.record(Fact("run.recovered", data={"unclean": unclean, "status": state.status}))
    again: list[Command] = []
    for command in cut:
        cell = command.cell
        data = {"unclean": True} if unclean else None
        again += run.record(Fact("step.interrupted", cell.path, attempt=cell.attempts, data=data, site=cell))
    if unclean and state.deaths > 1:
        # One of them may be what kills the process: one at a time, the next death tells which. Some of those may have
        # had no turn since the death before.
        again += [command for command in todo if _is_suspect(command)]
        todo = [command for command in todo if not _is_suspect(command)]
        run.serial = [command.cell for command in again[1:] if isinstance(command, Again)]
        again = again[:1]
    await run.go([*todo, *again])


def _only_waits(command: Command) -> bool:
    """Whether nothing is to be done unless an event has come."""
    return isinstance(command, Invoke) and isinstance(command.cell.node, Wait)


def _is_suspect(command: Command) -> bool:
    return isinstance(command, Again) and command.cell.crashes > 0
