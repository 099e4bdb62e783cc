"""The tree of what has happened: one cell for each execution of a node of the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.errors import StoreCorrupt
from engine.plan import Branch, Parallel, PlanNode, Sequence
from engine.values import Value

DONE = frozenset({"success", "failed", "skipped", "canceled", "bailed"})
"""Statuses of a cell that never change again."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a suspended step waits for. ``ordinal`` counts a step's ``ask`` calls (``None``: a plain ``suspend``).

    ``engine``: the engine itself asks (``"crash"`` or ``"secrets"``), not the step. ``lost``: whose secrets are gone,
    if not those of its input: a path, and ``"input"``, ``"output"`` or ``"answer"``.
    """

    token: str
    payload: Value
    label: str | None
    title: str | None
    schema: dict[str, Any] | None
    expires_at: float | None
    asked_at: float
    ordinal: int | None = None
    engine: str | None = None
    default: Any = None
    has_default: bool = False
    lost: tuple[str, str] | None = None


class Cell:
    """One execution of a node: a step, a map, a wait, or (as :class:`Frame`) a container.

    ``scope`` starts the paths of what runs beside it. ``attempts`` counts starts, ``failures`` failed attempts,
    ``crashes`` deaths of the owner in a row while it was in flight. ``state`` is the run's state as of its start.
    """

    __slots__ = (
        "answers",
        "attempts",
        "catches",
        "crashes",
        "due",
        "ended_at",
        "error",
        "failures",
        "input",
        "node",
        "output",
        "overlay",
        "parent",
        "path",
        "question",
        "resumed",
        "scope",
        "slot",
        "started_at",
        "state",
        "state_seq",
        "status",
    )

    def __init__(  # noqa: PLR0917 - one is made for every step: keywords cost as much as the rest
        self, node: PlanNode, path: str, parent: Frame | None, slot: int, input: Value, at: float
    ) -> None:
        self.node = node
        self.path = path
        self.parent = parent
        self.slot = slot
        self.scope = parent.inside if parent is not None else ""
        self.status = "pending"
        self.input = input
        self.output: Value | None = None
        self.error: dict[str, Any] | None = None
        self.attempts = 0
        self.failures = 0
        self.crashes = 0
        self.started_at = at
        self.ended_at: float | None = None
        self.due: float | None = None
        self.question: Question | None = None
        self.resumed: tuple[Value, Value, str] | None = None
        """The last answer, the payload it answers, and its token."""
        self.answers: dict[int, Value] | None = None
        self.catches: Cell | None = None
        self.overlay = False
        """Whether it has suspended with changes of the shared state, which are taken back when it starts again."""
        self.state: dict[str, Any] = _NO_STATE
        self.state_seq = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path or '(run)'} {self.status}>"


_NO_STATE: dict[str, Any] = {}


class Frame(Cell):
    """One execution of a container. ``inside`` starts the paths of its children.

    ``open`` counts children that have begun and not ended, ``live`` leaves below it that run, ``parked`` those that
    wait for a person, a time or the debugger. ``checking``: a condition is being asked. ``closing``: a bail or a
    cancel ends it.
    """

    __slots__ = (
        "at_once",
        "begun",
        "checking",
        "children",
        "chosen",
        "closing",
        "failed",
        "flow",
        "inside",
        "items",
        "iterations",
        "live",
        "open",
        "parked",
        "total",
    )

    def __init__(  # noqa: PLR0917 - one is made for every step: keywords cost as much as the rest
        self, node: PlanNode, path: str, parent: Frame | None, slot: int, input: Value, at: float
    ) -> None:
        super().__init__(node, path, parent, slot, input, at)
        if isinstance(node, Sequence):
            self.inside = f"{path}/" if path else ""
        elif isinstance(node, (Parallel, Branch)):
            self.inside = self.scope
        else:
            self.inside = path
        self.flow = input
        """What the next child of a sequence or loop gets."""
        self.items: list[Value] | None = None
        self.children: dict[int, Cell] = {}
        self.open = 0
        self.live = 0
        self.parked = 0
        self.begun = 0
        self.total = 0
        self.at_once: int | None = None
        self.failed: int | None = None
        self.chosen: tuple[int, ...] | None = None
        self.iterations = 0
        self.checking = False
        self.closing = False

    @property
    def is_limited(self) -> bool:
        """Whether some of its children have to wait for others."""
        return self.at_once is not None and self.at_once < self.total


class Site:
    """Where a fact happens, known before it is applied: the node, its path, its parent and its slot there."""

    __slots__ = ("catches", "given", "input", "node", "parent", "path", "slot")

    def __init__(  # noqa: PLR0917 - as above
        self, node: PlanNode, path: str, parent: Frame, slot: int, input: Value, catches: Cell | None = None
    ) -> None:
        self.node = node
        self.path = path
        self.parent = parent
        self.slot = slot
        self.input = input
        self.catches = catches
        self.given = False
        """Whether a person gave the input, in the place of what flows here."""


def ancestors(cell: Cell) -> list[Frame]:
    """The containers a cell is in, innermost first."""
    found = []
    frame = cell.parent
    while frame is not None:
        found.append(frame)
        frame = frame.parent
    return found


def error_input(failed: Cell) -> Value:
    """What a catch arm gets: ``{"input": ..., "error": {...}}``."""
    error = None if failed.error is None else without_traces(failed.error)
    return Value.group({"input": failed.input, "error": Value.of(error)})


def without_traces(error: dict[str, Any]) -> dict[str, Any]:
    """What other steps get of an error: not where in the code it came about."""
    return {key: error[key] for key in error if key not in ("traceback", "frames")}


def workflow_of(cell: Cell) -> Frame:
    """The frame of the workflow that a cell belongs to (the run's own, or a nested one)."""
    frame = cell.parent
    while frame is not None:
        if isinstance(frame.node, Sequence) and frame.node.workflow is not None:
            return frame
        frame = frame.parent
    raise StoreCorrupt(f"{cell.path!r} is in no workflow")
