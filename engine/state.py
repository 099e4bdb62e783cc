"""The state of a run as of one event: what ``apply`` makes of the log, and what can be asked of it.

It follows from the log alone: no clock, no randomness, no store, no user code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.cells import Cell, Frame, Site, error_input
from engine.errors import StoreCorrupt
from engine.events import TERMINAL
from engine.ids import index_of, parent, template
from engine.plan import Branch, Foreach, Loop, Parallel, Plan, PlanNode, Sequence
from engine.values import Value


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Hold a run at ``path``: before the step, or ``when="after"`` it.

    A path without an index holds at every iteration; ``iteration`` (from 0) names one. ``condition`` is an expression
    over the step's input (before) or output (after).
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


@dataclass(slots=True)
class Journal:
    """What suspended steps wrote, and all that was written since, so that it can be taken back when they start again.

    ``writes``: what was given to ``set_state``, by the step's path, in order. ``base``: the shared state before the
    first of them. ``suspended``: how many of them may be taken back. ``returning``: the steps among those that were
    answered.
    """

    writes: dict[str, list[tuple[str, Any]]] = dataclasses.field(default_factory=dict)
    base: dict[str, Any] = dataclasses.field(default_factory=dict)
    suspended: int = 0
    returning: dict[str, Cell] = dataclasses.field(default_factory=dict)


class RunState:
    """A run as of one event.

    The tree of cells, the shared state, what is open. Changed in place, by ``apply`` alone.
    """

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
        "requests",
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
        """Tokens of questions that were answered."""
        self.requests: set[str] = set()
        """Calls of other processes that were acted on."""
        self.inbox: list[tuple[str, Value]] = []
        """Events that came before anybody waited for them."""
        self.tally = {"running": 0, "suspended": 0, "waiting": 0, "held": 0}
        """How many leaves are in each of the open statuses."""
        self.shared: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        """For each key of the shared state, the ``seq`` of its last write."""
        self.journal = Journal()
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
            raise StoreCorrupt(
                f"run {self.run_id!r} has an event of {path!r}, which is not in workflow {self.plan.id!r}"
            )
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

    def find(self, cell: Cell, id: str) -> Cell | None:
        """A step by its id, from the innermost scope outwards, up to the cell's own workflow."""
        frame: Cell | None = cell if isinstance(cell, Frame) else cell.parent
        while isinstance(frame, Frame):
            if isinstance(frame.node, Sequence):
                found = self.cells.get(frame.inside + id)
                if found is not None or frame.node.workflow is not None:
                    return found
            frame = frame.parent
        return None

    def output_of(self, cell: Cell, id: str) -> Any:
        """The output of a step that has succeeded, by its id, as a copy; ``None`` otherwise."""
        found = self.find(cell, id)
        if found is None or found.status not in ("success", "bailed") or found.output is None:
            return None
        return found.output.copy()

    def _caught_by(self, frame: Frame, node: PlanNode) -> list[Cell]:
        return [cell for cell in frame.children.values() if cell.node.catch is node]

    def items(self, frame: Frame) -> list[Value]:
        """The items of a foreach, as values."""
        if frame.items is None:
            parts = frame.input.parts
            if isinstance(parts, (list, tuple)):
                frame.items = list(parts)
            else:
                frame.items = frame.input.items()
        return frame.items


def breakpoints_from(listed: Any) -> tuple[Breakpoint, ...]:
    """Breakpoints from paths, ``Breakpoint`` objects or their stored form, dicts. Raises ``ValueError``."""
    if not isinstance(listed, Iterable) or isinstance(listed, (str, Mapping, Breakpoint)):
        raise ValueError(f"breakpoints={listed!r}: give a list of paths or Breakpoint objects")
    return tuple(_breakpoint(one) for one in listed)


def _breakpoint(one: Any) -> Breakpoint:
    if isinstance(one, str):
        return Breakpoint(one)
    if isinstance(one, Mapping) and "path" in one and set(one) <= _BREAKPOINT_KEYS:
        one = Breakpoint(**one)
    if not isinstance(one, Breakpoint) or not isinstance(one.path, str):
        keys = ", ".join(field.name for field in dataclasses.fields(Breakpoint))
        raise ValueError(f"breakpoint {one!r}: give a step's path, a Breakpoint, or a dict of {keys}")
    if one.when not in ("before", "after"):
        raise ValueError(f"breakpoint at {one.path!r}: when={one.when!r}; use 'before' or 'after'")
    return one


_BREAKPOINT_KEYS = frozenset(field.name for field in dataclasses.fields(Breakpoint))
