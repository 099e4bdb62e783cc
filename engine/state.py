"""The state of a run, and ``apply``: the one function that changes it.

Everything here is a plain function of the log: no clock, no randomness, no store, no user code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, get_args, get_origin

from engine.cells import Cell, Frame, Question, Site, error_input
from engine.clock import from_iso
from engine.errors import StoreCorrupt
from engine.events import ENDS, Fact
from engine.ids import index_of, parent, template
from engine.plan import Branch, Call, Foreach, Loop, Parallel, Plan, PlanNode, Sequence, Sleep, Wait
from engine.schema import ANY, Schema, compile_schema
from engine.values import Value, null

TERMINAL = frozenset({"success", "failed", "canceled"})
"""Statuses of a run that no call changes."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Hold a run at ``path``: before the step, or ``when="after"`` it.

    A path without an index holds at every iteration; ``iteration`` (from 0) names one. ``condition`` is an expression over
    the step's input (before) or output (after).
    """

    path: str
    when: str = "before"
    iteration: int | None = None
    condition: str | None = None

    def stands_at(self, path: str) -> bool:
        """Whether it names this path."""
        if self.iteration is not None and index_of(path) != self.iteration:
            return False
        return self.path == path or (self.path == template(path).replace("[]", "") and "[" not in self.path)


class RunState:
    """A run as of one event: the tree of cells, the shared state, what is open. Changed in place, by ``apply`` alone."""

    __slots__ = (
        "answered",
        "breakpoints",
        "cancel_reason",
        "canceling",
        "cells",
        "context",
        "created_at",
        "credits",
        "deaths",
        "error",
        "hold",
        "inbox",
        "input",
        "journal",
        "parent_run_id",
        "plan",
        "questions",
        "resource_id",
        "result",
        "root",
        "run_id",
        "seq",
        "shared",
        "started",
        "status",
        "tags",
        "tally",
        "updated_at",
        "version",
        "versions",
        "workflow_id",
    )

    def __init__(self, run_id: str, plan: Plan) -> None:
        self.run_id = run_id
        self.plan = plan
        self.workflow_id = plan.id
        self.seq = 0
        self.status = "pending"
        self.started = False
        self.created_at = 0.0
        self.updated_at = 0.0
        self.resource_id: str | None = None
        self.tags: tuple[str, ...] = ()
        self.parent_run_id: str | None = None
        self.version: str | None = None
        self.input: Value | None = None
        self.context: dict[str, Any] = {}
        self.result: Value | None = None
        self.error: dict[str, Any] | None = None
        self.root: Frame | None = None
        self.cells: dict[str, Cell] = {}
        self.questions: dict[str, Cell] = {}
        self.answered: set[str] = set()
        """Tokens of questions that are closed."""
        self.inbox: list[tuple[str, Value]] = []
        """Events that came before anybody waited for them."""
        self.tally = {"running": 0, "suspended": 0, "waiting": 0, "held": 0}
        """How many leaves are in each of the open statuses."""
        self.shared: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        """For each key of the shared state, the ``seq`` of its last write."""
        self.journal: list[tuple[str, list[tuple[str, Any]], dict[str, Any]]] = []
        """Writes since the oldest one that may be taken back: ``(path, arguments, values before)``."""
        self.hold = False
        self.credits = 0
        self.breakpoints: tuple[Breakpoint, ...] = ()
        self.canceling = False
        self.cancel_reason: str | None = None
        self.deaths = 0

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def frame(self) -> Frame:
        """The run's own frame."""
        if self.root is None:
            raise StoreCorrupt(f"run {self.run_id!r} has events of steps before its start")
        return self.root

    def open_status(self) -> str:
        """The status of a run that has not ended: running if a step runs, else paused, else suspended, else waiting."""
        tally = self.tally
        if tally["running"]:
            return "running"
        if tally["held"]:
            return "paused"
        if tally["suspended"]:
            return "suspended"
        return "waiting" if tally["waiting"] else "running"

    # -- where things are

    def site(self, path: str) -> Site:
        """Where a path stands, from the path alone (on replay; live facts bring their site with them)."""
        node = self.plan.at(path)
        if node is None:
            raise StoreCorrupt(f"run {self.run_id!r} has an event of {path!r}, which is not in workflow {self.plan.id!r}")
        frame = self._frame_of(node, path)
        return self.child_site(frame, node, path)

    def _frame_of(self, node: PlanNode, path: str) -> Frame:
        container = self.plan.nodes[node.parent]
        scope = parent(path)
        match container:
            case Sequence():
                frame = self.cells.get(scope) if scope else self.root
            case Parallel() | Branch():
                frame = self.cells.get(f"{scope}/{container.id}" if scope else container.id)
            case _:
                frame = self.cells.get(path[: path.rindex("[")])
        if not isinstance(frame, Frame):
            raise StoreCorrupt(f"run {self.run_id!r} has an event of {path!r} before what it is in has begun")
        return frame

    def child_site(self, frame: Frame, node: PlanNode, path: str) -> Site:
        """The site of a child, with what flows to it."""
        if node.slot < 0:  # a catch arm
            for cell in self._caught_by(frame, node):
                return Site(node, path, frame, cell.slot, error_input(cell), cell)
        slot = node.slot
        flow = frame.flow
        match frame.node:
            case Loop():
                slot = index_of(path) or 0
            case Foreach():
                slot = index_of(path) or 0
                flow = self.items(frame)[slot]
            case _:
                pass
        return Site(node, path, frame, slot, flow)

    def _caught_by(self, frame: Frame, node: PlanNode) -> list[Cell]:
        return [cell for cell in frame.children.values() if cell.node.catch is node]

    def items(self, frame: Frame) -> list[Value]:
        """The items of a foreach, as values."""
        if frame.items is None:
            parts = frame.input.parts
            if isinstance(parts, (list, tuple)):
                frame.items = list(parts)
            else:
                frame.items = split(frame.input)
        return frame.items


def split(whole: Value) -> list[Value]:
    """The items of a list, each a value of its own; as the list's type has them, if it says."""
    if type(whole.schema.source) is GenericAlias and get_origin(whole.schema.source) is list:
        schema = compile_schema(get_args(whole.schema.source)[0])
        listed = whole.typed()
        if isinstance(listed, list) and not schema.has_secrets:
            return [Value.of(item, schema) for item in listed]
    plain = ANY.decode(whole.raw)
    return [Value(ANY.encode(item)) for item in plain] if isinstance(plain, list) else []


Apply = Callable[[RunState, Fact], None]


def apply(state: RunState, fact: Fact) -> None:
    """Fold one fact into the state. Facts come in order of ``seq``."""
    seq = state.seq = fact.seq
    value = fact.value
    if value is not None and not value.seq and value.parts is None:
        value.seq = seq
    handler = _APPLY.get(fact.type)
    if handler is not None:
        handler(state, fact)


def _cell(state: RunState, fact: Fact) -> Cell:
    site = fact.site
    if site is not None and type(site) is not Site:
        return site
    found = state.cells.get(fact.path or "")
    if found is None:
        raise StoreCorrupt(f"run {state.run_id!r}: {fact.type} of {fact.path!r}, which has not begun (seq {fact.seq})")
    return found


def _count(state: RunState, cell: Cell, status: str, by: int) -> None:
    """Note that a leaf enters or leaves an open status, here and in everything it is in."""
    state.tally[status] += by
    frame = cell.parent
    if status in ("running", "held"):
        while frame is not None:
            frame.live += by
            frame = frame.parent
    else:
        while frame is not None:
            frame.parked += by
            frame = frame.parent


def _move(state: RunState, cell: Cell, status: str) -> None:
    """Change a cell's status, and the counts with it. Containers are counted only while their condition is asked."""
    before = cell.status
    if before == status:
        return
    cell.status = status
    if cell.node.is_container:
        if status == "held" or before == "held":
            _count(state, cell, "held", 1 if status == "held" else -1)
        return
    tally = state.tally
    if before in tally:
        _count(state, cell, before, -1)
    if status in tally:
        _count(state, cell, status, 1)


def _checking(state: RunState, frame: Frame, on: bool) -> None:
    """A condition that is being asked counts as running: nobody may think that nothing happens there."""
    if frame.checking is not on:
        frame.checking = on
        step = 1 if on else -1
        frame.live += step
        _count(state, frame, "running", step)


# -- the run


def _created(state: RunState, fact: Fact) -> None:
    data = fact.data or {}
    state.created_at = state.updated_at = fact.at
    state.resource_id = data.get("resource_id")
    state.tags = tuple(data.get("tags") or ())
    state.parent_run_id = data.get("parent")
    state.version = data.get("version")


def _started(state: RunState, fact: Fact) -> None:
    data = fact.data or {}
    state.started = True
    state.input = fact.value if fact.value is not None else null()
    if state.input.schema.is_any:
        state.input.schema = state.plan.root.input
    state.context = dict(data.get("request_context") or {})
    state.hold = bool(data.get("paused"))
    state.breakpoints = breakpoints_from(data.get("breakpoints") or ())
    shared = data.get("state")
    state.shared = dict(shared) if isinstance(shared, dict) else {}
    state.root = Frame(state.plan.root, "", None, 0, state.input, fact.at)
    state.root.status = "running"
    _status(state, fact)


_STATUS = {
    "run.started": "running",
    "run.resumed": "running",
    "run.continued": "running",
    "run.stepped": "running",
    "run.suspended": "suspended",
    "run.paused": "paused",
    "run.waiting": "waiting",
    "run.succeeded": "success",
    "run.failed": "failed",
    "run.canceled": "canceled",
}


def status_after(fact_type: str, data: dict[str, Any] | None, before: str) -> str:
    """The status of a run after a fact: what its data says, else what its type says, else what it was."""
    if data is not None and "status" in data:
        return str(data["status"])
    return _STATUS.get(fact_type, before)


def _status(state: RunState, fact: Fact) -> None:
    state.status = status_after(fact.type, fact.data, state.status)
    state.updated_at = fact.at


def _ended(state: RunState, fact: Fact) -> None:
    _status(state, fact)
    root = state.root
    if root is not None:
        root.status = state.status
        root.ended_at = fact.at
    if fact.type == "run.succeeded":
        state.result = fact.value if fact.value is not None else (root.flow if root is not None else null())
    elif fact.type == "run.failed":
        state.error = (fact.data or {}).get("error")
    else:
        state.cancel_reason = (fact.data or {}).get("reason")


def _cancel_requested(state: RunState, fact: Fact) -> None:
    state.canceling = True
    state.cancel_reason = (fact.data or {}).get("reason")


def _continued(state: RunState, fact: Fact) -> None:
    _status(state, fact)
    state.hold = False
    state.credits = 0


def _stepped(state: RunState, fact: Fact) -> None:
    _status(state, fact)
    state.hold = True
    state.credits = 1


def _breakpoints_set(state: RunState, fact: Fact) -> None:
    data = fact.data or {}
    if "breakpoints" in data:
        state.breakpoints = breakpoints_from(data["breakpoints"])
    state.hold = bool(data.get("hold", state.hold))


def breakpoints_from(listed: Any) -> tuple[Breakpoint, ...]:
    """Breakpoints from their stored form."""
    return tuple(Breakpoint(**one) for one in listed)


def _recovered(state: RunState, fact: Fact) -> None:
    if (fact.data or {}).get("unclean"):
        state.deaths += 1
    _status(state, fact)


def _definition_changed(state: RunState, fact: Fact) -> None:
    state.version = (fact.data or {}).get("version")


# -- steps

def begin(state: RunState, fact: Fact) -> Cell:
    """The cell of a path that begins (or is held before it begins)."""
    found = state.cells.get(fact.path or "")
    if found is not None:
        return found
    site = fact.site
    if type(site) is not Site:
        site = state.site(fact.path or "")
    node, frame, slot = site.node, site.parent, site.slot
    make = Frame if node.is_container else Cell
    cell = make(node, site.path, frame, slot, site.input, fact.at)
    state.cells[site.path] = cell
    if site.catches is None:
        frame.children[slot] = cell
    else:
        cell.catches = site.catches
    frame.open += 1
    if slot >= frame.begun:
        frame.begun = slot + 1
    return cell


def _step_started(state: RunState, fact: Fact) -> None:
    cell = begin(state, fact)
    if fact.value is not cell.input:
        _take_input(cell, fact)
    attempt = cell.attempts = fact.attempt or 1
    cell.state = state.shared
    cell.state_seq = fact.seq
    if attempt == 1:
        cell.started_at = fact.at
    else:
        cell.question = None
        cell.due = None
    if isinstance(cell, Frame):
        _move(state, cell, "running")
        _frame_started(state, cell, fact.data or {})
        return
    if state.credits:
        state.credits -= 1
    node = cell.node
    if isinstance(node, Wait):
        cell.due = None if node.timeout is None else cell.started_at + node.timeout
        _move(state, cell, "waiting")
    else:
        _move(state, cell, "running")


def _take_input(cell: Cell, fact: Fact) -> None:
    """The input as validated. Where nothing validates, what flows there is the input, and knows its types better."""
    value = fact.value
    if value is None:
        return
    node = cell.node
    schema = node.input if isinstance(node, (Call, Sequence)) else ANY
    if schema.is_any and not (fact.data or {}).get("given"):
        return
    if value.schema.is_any:
        value.schema = schema
    cell.input = value


def _frame_started(state: RunState, frame: Frame, data: dict[str, Any]) -> None:
    frame.flow = frame.input
    if "at_once" in data:
        frame.at_once = data["at_once"]
        frame.total = data["total"]
    elif isinstance(frame.node, Parallel):
        frame.total = len(frame.node.children)
        frame.at_once = frame.node.concurrency
    if isinstance(frame.node, Branch):
        _checking(state, frame, True)


def _held(state: RunState, fact: Fact) -> None:
    cell = begin(state, fact)
    if (fact.data or {}).get("breakpoint"):
        state.hold = True
    _move(state, cell, "held")


def _moment(text: str | None) -> float | None:
    return None if text is None else from_iso(text)


def _suspended(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    data = fact.data or {}
    cell.question = Question(
        token=data["token"],
        payload=fact.value if fact.value is not None else null(),
        label=data.get("label"),
        title=data.get("title"),
        schema=data.get("schema"),
        expires_at=_moment(data.get("expires_at")),
        asked_at=fact.at,
        ordinal=data.get("ordinal"),
        engine=data.get("engine"),
        default=data.get("default"),
        has_default="default" in data,
    )
    state.questions[cell.question.token] = cell
    if cell.question.engine is None:
        _progress(state, cell)
    _move(state, cell, "suspended")


def _resumed(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    question = cell.question
    answer = fact.value if fact.value is not None else null()
    if question is None:
        return
    if question.engine is None:
        cell.resumed = (answer, question.payload, question.token)
        if question.ordinal is not None:
            cell.answers = {**(cell.answers or {}), question.ordinal: answer}
    else:
        cell.crashes = 0
    _close_question(state, question.token)
    cell.question = None
    # Answered and not yet started again: it counts as running, since nothing but the engine is to act now.
    _move(state, cell, "running")


def _expired(state: RunState, fact: Fact) -> None:
    _close_question(state, str((fact.data or {}).get("token")))


def _close_question(state: RunState, token: str) -> None:
    state.questions.pop(token, None)
    state.answered.add(token)


def _retrying(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    cell.failures += 1
    data = fact.data or {}
    cell.error = data.get("error")
    cell.due = _moment(data.get("next_at"))
    _progress(state, cell)


def _interrupted(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    if (fact.data or {}).get("unclean"):
        cell.crashes += 1


def _progress(state: RunState, cell: Cell) -> None:
    """A step has had an outcome: it is not what kills the process."""
    cell.crashes = 0
    state.deaths = 0


def _close(state: RunState, cell: Cell, status: str, fact: Fact) -> None:
    """A cell ends; its parent is told."""
    if isinstance(cell, Frame) and cell.checking:
        _checking(state, cell, False)
    if cell.question is not None:
        _close_question(state, cell.question.token)
        cell.question = None
    _move(state, cell, status)
    cell.ended_at = fact.at
    cell.due = None
    frame = cell.parent
    if frame is not None:
        frame.open -= 1


def _succeeded(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    cell.crashes = state.deaths = 0
    _close(state, cell, "success", fact)
    output = cell.output = _output(cell, fact)
    cell.error = None
    frame = cell.parent
    if frame is None:
        return
    kind = type(frame.node)
    if kind is Sequence:
        frame.flow = output
    elif kind is Loop:
        frame.flow = output
        frame.iterations = cell.slot + 1
        _checking(state, frame, True)


def _output(cell: Cell, fact: Fact) -> Value:
    """The output of a cell. Of most containers it follows from their parts, which know their types; of a sleep, its input."""
    node = cell.node
    value = fact.value
    if type(node) is Call and value is not None:
        if value.schema.is_any:
            value.schema = node.output
        return value
    if isinstance(cell, Frame) and (value is None or not isinstance(node, Sequence) or node.output.is_any):
        if value is None or not (fact.data or {}).get("given"):
            return cell.flow if value is None and isinstance(node, Sequence) else derived_output(cell)
    if value is None or isinstance(node, Sleep):
        return cell.input
    if value.schema.is_any:
        value.schema = _output_schema(node)
    return value


def _output_schema(node: PlanNode) -> Schema:
    if isinstance(node, (Call, Sequence)):
        return node.output
    return node.schema if isinstance(node, Wait) else ANY


def derived_output(frame: Frame) -> Value:
    """What a container gives when all in it is done."""
    node = frame.node
    children = frame.children
    match node:
        case Parallel():
            return Value.group({cell.node.id: cell.output or null() for _, cell in sorted(children.items())})
        case Branch():
            ran = [children[slot] for slot in frame.chosen or () if slot in children]
            return Value.group({cell.node.id: cell.output or null() for cell in ran})
        case Foreach():
            return Value.group([_item_output(node, children[slot]) for slot in range(frame.total)])
        case _:
            return frame.flow


def _item_output(node: Foreach, cell: Cell) -> Value:
    output = cell.output or null()
    if not node.collect_errors:
        return output
    if cell.status == "failed":
        return Value.group({"error": Value.of({k: v for k, v in (cell.error or {}).items() if k != "traceback"})})
    return Value.group({"ok": output})


def _failed(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    _progress(state, cell)
    cell.failures += 1
    cell.error = (fact.data or {}).get("error")
    _close(state, cell, "failed", fact)
    frame = cell.parent
    if frame is not None and isinstance(frame.node, (Parallel, Branch, Foreach)) and not forgives(frame.node):
        frame.failed = cell.slot if frame.failed is None else min(frame.failed, cell.slot)


def forgives(node: PlanNode) -> bool:
    """Whether a failed child is part of the output instead of a failure."""
    return (isinstance(node, Parallel) and node.allow_failure) or (isinstance(node, Foreach) and node.collect_errors)


def _skipped(state: RunState, fact: Fact) -> None:
    cell = begin(state, fact)
    _close(state, cell, "skipped", fact)


def _canceled(state: RunState, fact: Fact) -> None:
    _close(state, _cell(state, fact), "canceled", fact)


def _bailed(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    _progress(state, cell)
    cell.output = fact.value or null()
    _close(state, cell, "bailed", fact)
    workflow_of(cell).closing = True


def workflow_of(cell: Cell) -> Frame:
    """The frame of the workflow that a cell belongs to (the run's own, or a nested one)."""
    frame = cell.parent
    while frame is not None:
        if isinstance(frame.node, Sequence) and frame.node.workflow is not None:
            return frame
        frame = frame.parent
    raise StoreCorrupt(f"{cell.path!r} is in no workflow")


# -- the rest


def _chosen(state: RunState, fact: Fact) -> None:
    frame = _cell(state, fact)
    data = fact.data or {}
    if isinstance(frame, Frame) and isinstance(frame.node, Branch):
        slots = {child.id: child.slot for child in frame.node.children}
        frame.chosen = tuple(slots[arm] for arm in data.get("arms", ()) if arm in slots)
        _checking(state, frame, False)


def _checked(state: RunState, fact: Fact) -> None:
    frame = _cell(state, fact)
    if isinstance(frame, Frame):
        _checking(state, frame, False)


def _timer_started(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    cell.due = _moment((fact.data or {}).get("due"))
    _move(state, cell, "waiting")


def _timer_fired(state: RunState, fact: Fact) -> None:
    cell = _cell(state, fact)
    _move(state, cell, "running")


def _received(state: RunState, fact: Fact) -> None:
    data = fact.data or {}
    value = fact.value if fact.value is not None else null()
    if fact.path is None:
        state.inbox.append((data["name"], value))
        return
    cell = _cell(state, fact)
    if data.get("early"):
        state.inbox.remove(next(entry for entry in state.inbox if entry[0] == data["name"]))
    cell.output = value
    _move(state, cell, "running")


def _state_changed(state: RunState, fact: Fact) -> None:
    changes = ANY.decode(fact.value.raw) if fact.value is not None else {}
    if not isinstance(changes, dict):
        return
    data = fact.data or {}
    before = {key: state.shared[key] for key in changes if key in state.shared}
    state.shared = {**state.shared, **changes}
    for key in data.get("removed", ()):
        state.shared.pop(key, None)
    if data.get("undo"):
        state.journal = [entry for entry in state.journal if entry[0] != fact.path]
        if not any(cell.overlay is not None for cell in state.cells.values() if cell.path != fact.path):
            state.journal = []
        cell = state.cells.get(fact.path or "")
        if cell is not None:
            cell.overlay = None
        return
    for key in changes:
        state.versions[key] = fact.seq
    args = [(key, value) for key, value in data.get("args", changes.items())]
    if data.get("overlay"):
        state.cells[fact.path or ""].overlay = changes
    if data.get("overlay") or state.journal:
        state.journal.append((fact.path or "", args, before))


_APPLY: dict[str, Apply] = {
    "run.created": _created,
    "run.started": _started,
    "run.suspended": _status,
    "run.resumed": _status,
    "run.paused": _status,
    "run.waiting": _status,
    "run.succeeded": _ended,
    "run.failed": _ended,
    "run.canceled": _ended,
    "run.forked": _status,
    "run.recovered": _recovered,
    "run.cancel_requested": _cancel_requested,
    "run.continued": _continued,
    "run.stepped": _stepped,
    "run.breakpoints_set": _breakpoints_set,
    "run.definition_changed": _definition_changed,
    "step.started": _step_started,
    "step.held": _held,
    "step.suspended": _suspended,
    "step.resumed": _resumed,
    "step.succeeded": _succeeded,
    "step.failed": _failed,
    "step.retrying": _retrying,
    "step.skipped": _skipped,
    "step.canceled": _canceled,
    "step.bailed": _bailed,
    "step.interrupted": _interrupted,
    "branch.chosen": _chosen,
    "loop.checked": _checked,
    "timer.started": _timer_started,
    "timer.fired": _timer_fired,
    "event.received": _received,
    "suspension.expired": _expired,
    "state.changed": _state_changed,
}


def is_leaf(cell: Cell) -> bool:
    """Whether the cell runs user code or waits itself, rather than holding others."""
    return not isinstance(cell, Frame)


__all__ = [
    "ENDS",
    "Breakpoint",
    "Call",
    "RunState",
    "Sleep",
    "Wait",
    "apply",
    "derived_output",
    "workflow_of",
]
