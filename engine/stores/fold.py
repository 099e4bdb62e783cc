"""The tables that serve lists, as folds of the log.

Every store calls :func:`fold` with the facts it is about to write, and writes what changed beside them. Folding a whole
log from the start gives the same tables: that is how a check or a repair rebuilds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.clock import as_datetime
from engine.events import ENDS, RUN_TYPES, STEP_ENDS, TERMINAL, Fact, status_after

_CLOSES_TOKEN = {"step.resumed": "answered", "suspension.expired": "expired"}

LOUD = frozenset({*RUN_TYPES, "step.suspended", *_CLOSES_TOKEN})
"""Types of facts that change a table whatever the run's state; the others do only while a question is open."""


@dataclass(slots=True)
class Question:
    """A row of the table of suspensions: where in the log the question stands, and what became of it."""

    token: str
    seq: int
    path: str
    state: str = "open"


@dataclass(slots=True)
class Folded:
    """What the tables say of one run."""

    workflow_id: str = ""
    status: str = "pending"
    blocked: str | None = None
    resource_id: str | None = None
    tags: tuple[str, ...] = ()
    parent_run_id: str | None = None
    version: str | None = None
    created_at: float = 0.0
    changed_at: float = 0.0
    """When the status last changed."""

    last: int = 0
    """The ``seq`` of the last fact."""

    open: dict[str, Question] = field(default_factory=dict)
    """Open questions by token."""

    @property
    def ended(self) -> bool:
        """Whether the run's status is final."""
        return self.status in TERMINAL


@dataclass(slots=True)
class Delta:
    """What some facts changed in the tables."""

    row: bool = False
    opened: list[Question] = field(default_factory=list)
    closed: list[Question] = field(default_factory=list)


def fold(run: Folded, facts: Sequence[Fact]) -> Delta | None:
    """Take facts into account; ``None`` if the tables stay as they are (but for ``last``)."""
    run.last = facts[-1].seq
    if not run.open:
        for fact in facts:
            if fact.type in LOUD:
                break
        else:
            return None
    delta = Delta()
    for fact in facts:
        _apply(run, fact, delta)
    return delta if delta.row or delta.opened or delta.closed else None


def _apply(run: Folded, fact: Fact, delta: Delta) -> None:
    kind = fact.type
    if kind.startswith("run."):
        _apply_to_row(run, fact)
        delta.row = True
        if kind in ENDS:
            _close(run, list(run.open.values()), "canceled", delta)
    elif kind == "step.suspended":
        question = Question(str((fact.data or {})["token"]), fact.seq, fact.path or "")
        run.open[question.token] = question
        delta.opened.append(question)
    elif kind in _CLOSES_TOKEN:
        question_asked = run.open.get(str((fact.data or {}).get("token")))
        if question_asked is not None:
            _close(run, [question_asked], _CLOSES_TOKEN[kind], delta)
    elif kind in STEP_ENDS and run.open:
        _close(run, [question for question in run.open.values() if question.path == fact.path], "canceled", delta)


def _close(run: Folded, questions: list[Question], state: str, delta: Delta) -> None:
    for question in questions:
        question.state = state
        del run.open[question.token]
        delta.closed.append(question)


def _apply_to_row(run: Folded, fact: Fact) -> None:
    data = fact.data or {}
    run.changed_at = fact.at
    run.status = status_after(fact, run.status)
    if fact.type == "run.created":
        run.workflow_id = data["workflow"]
        run.resource_id = data.get("resource_id")
        run.tags = tuple(data.get("tags") or ())
        run.parent_run_id = data.get("parent")
        run.version = data.get("version")
        run.created_at = fact.at
    elif fact.type == "run.blocked":
        run.blocked = data.get("reason")
    elif fact.type == "run.definition_changed":
        run.version = data.get("version")
        run.blocked = None


def expiry(data: dict[str, Any]) -> datetime | None:
    """When a question expires, by the data of its ``step.suspended``."""
    when = data.get("expires", data.get("expires_at"))
    if when is None:
        return None
    return datetime.fromisoformat(when) if isinstance(when, str) else as_datetime(when)
