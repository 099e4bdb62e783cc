"""A new run out of an old one: the same again, or from one step on with everything that does not depend on it kept."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from engine import control
from engine.cells import DONE, Cell, Frame, Site, ancestors
from engine.commands import Again, Begin, CancelRun, Command, Fail, Finish, Invoke, Wake
from engine.errors import DataError, DefinitionChanged, InvalidOutput, NotStarted, UnknownStep
from engine.events import STEP_ENDS, Fact
from engine.executor import Executor
from engine.ids import new_run_id, new_token
from engine.live import LiveRuns
from engine.outputs import derived_output
from engine.plan import Call, Foreach, Loop, Parallel, Plan, Sequence
from engine.recovery import Replay, as_recorded, load
from engine.schema import ANY, Schema
from engine.shared import initial
from engine.sources import free_value
from engine.state import RunState
from engine.values import Value
from engine.versions import data_misfits, misfits

_KEPT_STATUSES = frozenset({"success", "skipped", "suspended", "waiting"})


async def rerun(runs: LiveRuns, run_id: str) -> str:
    """A new run with the same input, state and request context, already going; its id."""
    old = await runs.replay(run_id)
    if old.input is None:
        raise NotStarted(f"run {run_id!r} has not been started, so there is no input to run again with")
    started = await _start_of(runs, run_id)
    kept = {"state", "request_context"}
    data = {key: value for key, value in (started.data or {}).items() if key in kept}
    new = await _new(runs, runs.plan_of(old.workflow_id), old)
    await new.commit()
    runs.adopt(new)
    await control.begin(new, _copy(old.input, new.state.plan.root.input), data)
    return new.run_id


async def _start_of(runs: LiveRuns, run_id: str) -> Fact:
    """With what a run was started; that is among its first facts, most often."""
    after = 0
    while True:
        for fact in await runs.store.read(run_id, after=after, limit=10):
            after = fact.seq
            if fact.type == "run.started":
                return fact


async def _new(runs: LiveRuns, plan: Plan, old: RunState) -> Executor:
    return await runs.new(plan, new_run_id(), resource_id=old.resource_id, tags=old.tags, parent=old.run_id)


def _copy(value: Value, schema: Schema | None = None) -> Value:
    """The same value for another log."""
    whole = value.whole if value.holes and value.is_whole else None
    return Value(value.raw, schema or value.schema, holes=value.holes, whole=whole)


async def fork(runs: LiveRuns, run_id: str, at: str, *, input: Any, outputs: Mapping[str, Any], state: Any) -> str:
    """See ``Run.fork``; the id of the new run."""
    row = await runs.store.row(run_id)
    plan = runs.plan_of(row.workflow_id)
    old = await _fold(runs, run_id, plan)
    cell = _cell_at(old, plan, at)
    log = await runs.store.read(run_id)
    kept = _Kept(old, cell, resolved={path: _output(old, path, given) for path, given in outputs.items()})
    lost = [path for path in outputs if path != at and not kept.has(path)]
    if lost:
        raise UnknownStep(f"fork: outputs names {lost[0]!r}, which runs again in a fork at {at!r}")
    new = await _new(runs, plan, old)
    replay = _rebuild_fitting(new, log, kept)
    todo = _todo(replay)
    if input is not None:
        _give(todo, at, input)
    status = "running" if runs.admit(new) else "pending"
    new.record(Fact("run.forked", data={"run_id": run_id, "at": at, "status": status}))
    if state is not None:
        shared = initial(plan, state)
        new.record(Fact("state.changed", data={"by": "fork"}, value=Value(ANY.encode(shared))))
    for wake in replay.timers():
        new.wake(wake)
    # What is kept, the fork and what starts are one commit: a crash leaves all of it, or nothing.
    runs.adopt(new)
    await new.go(todo)
    return new.run_id


async def keeps(runs: LiveRuns, run_id: str, at: str) -> tuple[str, ...]:
    """See ``Run.fork_keeps``."""
    plan = runs.plan_of((await runs.store.row(run_id)).workflow_id)
    old = await _fold(runs, run_id, plan)
    kept = _Kept(old, _cell_at(old, plan, at), resolved={})
    return tuple(path for path, cell in old.cells.items() if cell.status in DONE and kept.has_outcome(path))


def _cell_at(old: RunState, plan: Plan, at: str) -> Cell:
    """The execution to fork at. Raises ``UnknownStep``, saying why it can't be."""
    cell = old.cells.get(at)
    if cell is None or cell.parent is None:
        known = ", ".join(list(old.cells)[:20]) or "none"
        raise UnknownStep(f"fork: {at!r} has not begun in run {old.run_id!r}; these have: {known}")
    if plan.at(at) is None:
        raise UnknownStep(f"fork: {at!r} is not in workflow {plan.id!r} as it is loaded; fork at an earlier step")
    if cell.status == "skipped":
        branch = cell.parent.path
        raise UnknownStep(
            f"fork: {at!r} was skipped in run {old.run_id!r}; fork at its branch {branch!r} with another input"
        )
    return cell


def _rebuild_fitting(new: Executor, log: list[Fact], kept: _Kept) -> Replay:
    """Write what is kept as the new run's. Raises ``DefinitionChanged`` if today's code does not know all of it."""
    old, plan = kept.old, new.state.plan
    if old.plan is plan:
        return _rebuild(new, log, kept)
    paths = [fact.path for fact in log if fact.path is not None and kept.keeps(fact)]
    _must_fit(misfits(old.plan.definition, plan.definition, paths), kept.at)
    replay = _rebuild(new, log, kept)
    _must_fit(data_misfits(new.state, plan), kept.at)
    return replay


async def _fold(runs: LiveRuns, run_id: str, plan: Plan) -> RunState:
    """The old run by today's code; by the definition that it recorded, if that code does not fit all of it."""
    try:
        replay, _ = await load(runs.store, run_id, plan)
    except DefinitionChanged:
        recorded = await as_recorded(runs.store, run_id)
        if recorded is None:
            raise
        return recorded
    return replay.state


def _must_fit(problems: list[str], at: Cell) -> None:
    if problems:
        listed = "; ".join(problems)
        raise DefinitionChanged(
            f"a fork at {at.path!r} keeps what the code that is loaded does not fit: {listed}; fork at an earlier step"
        )


def _output(old: RunState, path: str, given: Any) -> Value:
    cell = old.cells.get(path)
    if cell is None:
        raise UnknownStep(f"fork: outputs names {path!r}, which has not begun in run {old.run_id!r}")
    schema = cell.node.output if isinstance(cell.node, (Call, Sequence)) else ANY
    return Value.kept(schema.validate(given, InvalidOutput, f"output of {path!r}"), schema)


class _Kept:
    """Which facts of the old run the new one begins with."""

    def __init__(self, old: RunState, at: Cell, *, resolved: Mapping[str, Value]) -> None:
        self.old = old
        self.at = at
        self.outputs = resolved
        self.tokens: dict[str, str] = {}
        self._dropped: set[str] = set()
        self._reopened: set[str] = set()
        self._checks: dict[str, int] = {}
        self._caught = {cell.catches.path for cell in old.cells.values() if cell.catches is not None}
        self._mark(at)

    def _mark(self, at: Cell) -> None:
        drop = self._dropped
        if at.path in self.outputs:
            drop |= {cell.path for cell in self._below(at)}
        else:
            drop |= {at.path} | {cell.path for cell in self._below(at)}
        cell: Cell = at
        while cell.parent is not None:
            frame = cell.parent
            for other in self.old.cells.values():
                if other.parent is frame and other is not cell and self._follows(other, cell, frame):
                    drop |= {other.path} | {inner.path for inner in self._below(other)}
            if isinstance(frame.node, Loop):
                self._checks[frame.path] = cell.slot
            self._reopened.add(frame.path)
            cell = frame
        for other in self.old.cells.values():
            self._mark_unfinished(other)

    def _follows(self, other: Cell, cell: Cell, frame: Frame) -> bool:
        """Whether something in the same container comes of ``cell``."""
        if not isinstance(frame.node, (Sequence, Loop)):
            return False
        return other.slot > cell.slot or (other.slot == cell.slot and other.catches is cell)

    def _mark_unfinished(self, cell: Cell) -> None:
        """What was in flight or has failed runs again, unless the container it is in has an outcome that stands."""
        if cell is self.at or any(self._stands(one) for one in (cell, *ancestors(cell))):
            return
        if isinstance(cell, Frame):
            self._reopened.add(cell.path)
        else:
            self._dropped.add(cell.path)

    def _stands(self, cell: Cell) -> bool:
        """Whether an outcome is kept: a success, or a failure that was caught, with what caught it."""
        if cell.path in self._reopened:
            return False
        return cell.status in _KEPT_STATUSES or (cell.status == "failed" and cell.path in self._caught)

    def _below(self, top: Cell) -> list[Cell]:
        found = []
        for cell in self.old.cells.values():
            frame = cell.parent
            while frame is not None:
                if frame is top:
                    found.append(cell)
                    break
                frame = frame.parent
        return found

    def has(self, path: str) -> bool:
        """Whether what a path gave is kept."""
        return path not in self._dropped

    def has_outcome(self, path: str) -> bool:
        """Whether a path that has ended stays so."""
        return path not in self._dropped and path not in self._reopened

    def keeps(self, fact: Fact) -> bool:
        """Whether a fact of the old log belongs to the new one."""
        path = fact.path
        if "paths" in (fact.data or {}):
            return any(map(self.has, (fact.data or {})["paths"]))
        if path is None:
            return fact.type in ("run.started", "state.changed", "event.received")
        if path in self._dropped or fact.type in ("step.held", "step.late"):
            return False
        if fact.type in ("step.suspended", "step.resumed") and path in self._reopened:
            return False
        if fact.type in STEP_ENDS and (path in self._reopened or (path == self.at.path and path in self.outputs)):
            return False
        if fact.type == "loop.checked" and path in self._checks:
            return int((fact.data or {}).get("iteration", 0)) < self._checks[path]
        return not (path == self.at.path and fact.type not in ("step.started", "state.changed"))

    def data(self, fact: Fact) -> dict[str, Any] | None:
        """A fact's data for the new log: questions get new tokens, and nothing of the debugger is kept."""
        data = fact.data
        if data is None:
            return None
        if "token" in data:
            return {**data, "token": self.tokens.setdefault(data["token"], new_token())}
        if fact.type == "run.started":
            return {key: value for key, value in data.items() if key in ("state", "request_context")} or None
        return dict(data)


def _rebuild(new: Executor, log: list[Fact], kept: _Kept) -> Replay:
    """Write the kept facts as the new run's, folding as they come."""
    replay = Replay(new.run_id, new.state.plan, ())
    replay.state = new.state
    for fact in log:
        if kept.keeps(fact):
            _copy_fact(new, replay, fact, kept)
        if fact.path == kept.at.path and fact.type == "step.started" and kept.at.path in kept.outputs:
            _answer_at(new, replay, kept)
    return replay


def _copy_fact(new: Executor, replay: Replay, fact: Fact, kept: _Kept) -> None:
    if fact.type == "state.changed":
        _change_state(new, replay, fact)
        return
    value = None if fact.value is None else _copy(fact.value)
    data = kept.data(fact)
    given = kept.outputs.get(fact.path or "") if fact.type == "step.succeeded" else None
    if given is not None:
        value = given
        data = {**(data or {}), "given": True}
    elif fact.ref is not None:
        value = _flowing(new.state, fact)
    copied = Fact(fact.type, fact.path, attempt=fact.attempt, data=data, value=value)
    new.adopt_fact(copied, at=fact.at)
    replay.follow(copied)


def _change_state(new: Executor, replay: Replay, fact: Fact) -> None:
    """A kept change of the shared state, merged again: others, which it was merged with, may not be kept."""
    cell = new.state.cells.get(fact.path or "")
    data = fact.data or {}
    copied: Fact | None
    if data.get("undo"):
        paths = data.get("paths") or [fact.path]
        undone = [one for one in map(new.state.cells.get, paths) if one is not None and one.overlay]
        copied = new.shared.undo(undone) if undone else None
    elif cell is not None and "args" in data:
        args = [(key, value) for key, value in data["args"]]
        copied = new.shared.merge(cell, args, overlay=bool(data.get("overlay")))
    else:
        value = None if fact.value is None else _copy(fact.value)
        copied = Fact(fact.type, fact.path, data=dict(data) or None, value=value)
    if copied is not None:
        new.adopt_fact(copied, at=fact.at)
        replay.follow(copied)


def _answer_at(new: Executor, replay: Replay, kept: _Kept) -> None:
    """The fork goes on after ``at``, with the output that was given for it."""
    path = kept.at.path
    if replay.state.cells[path].status in DONE:
        return
    made = Fact("step.succeeded", path, attempt=kept.at.attempts, data={"given": True}, value=kept.outputs[path])
    new.adopt_fact(made, at=kept.at.ended_at or kept.at.started_at)
    replay.follow(made)


def _flowing(state: RunState, fact: Fact) -> Value | None:
    """The payload that the log refers to instead of repeating it: what flows there."""
    path = fact.path or ""
    if fact.type == "step.started":
        found = state.cells.get(path)
        return state.site(path).input if found is None else found.input
    cell = state.cells[path]
    return derived_output(cell) if isinstance(cell, Frame) else cell.input


def _todo(replay: Replay) -> list[Command]:
    """What the new run has to do first: commands without an answer, and items that later, kept ones have left out."""
    todo = [*replay.pending(), *replay.cut()]
    beginning = {command.site.path for command in todo if isinstance(command, Begin)}
    for frame in list(replay.state.cells.values()):
        if isinstance(frame, Frame) and frame.status == "running" and isinstance(frame.node, (Foreach, Parallel)):
            todo += _missing(replay.state, frame, beginning)
    # A container that was full of kept children thinks that it is done; it is not, as long as one of them begins again.
    unfinished = {command.site.parent for command in todo if isinstance(command, Begin)}
    return [
        command
        for command in todo
        if not (isinstance(command, (Fail, Finish)) and command.frame in unfinished) and not _is_answered(command)
    ]


def _is_answered(command: Command) -> bool:
    """Whether a container that it is about was given its output, so that nothing is to be done in it."""
    match command:
        case Begin(site=site):
            return any(frame.status in DONE for frame in (site.parent, *ancestors(site.parent)))
        case Again(cell=cell) | Invoke(cell=cell) | Wake(cell=cell):
            return any(frame.status in DONE for frame in ancestors(cell))
        case CancelRun():
            return False
        case _:
            return any(frame.status in DONE for frame in (command.frame, *ancestors(command.frame)))


def _missing(state: RunState, frame: Frame, beginning: set[str]) -> list[Command]:
    node = frame.node
    found: list[Command] = []
    for slot in range(frame.begun):
        if slot in frame.children:
            continue
        child = node.children[slot] if isinstance(node, Parallel) else node.body if isinstance(node, Foreach) else None
        if child is None:
            continue
        path = frame.inside + child.id if isinstance(node, Parallel) else f"{frame.path}[{slot}]"
        if path not in beginning:
            flow = frame.input if isinstance(node, Parallel) else state.items(frame)[slot]
            found.append(Begin(Site(child, path, frame, slot, flow)))
    return found


def _flowing_in(site: Site, given: Any) -> Value:
    """An input that a person gives, without its secrets if it is known where they are."""
    node = site.node
    schema = node.input if isinstance(node, (Call, Sequence)) else site.input.schema
    if schema.has_secrets:
        with contextlib.suppress(DataError):  # where it begins it is said what is wrong with it
            return Value.kept(schema.validate(given), schema)
    return free_value(given)


def _give(todo: list[Command], at: str, given: Any) -> None:
    """Change the input that ``at`` begins with."""
    for command in todo:
        if isinstance(command, Begin) and command.site.path == at:
            command.site.input = _flowing_in(command.site, given)
            command.site.given = True
            return
    raise UnknownStep(f"fork: {at!r} does not begin again in the fork, so its input can't be changed")
