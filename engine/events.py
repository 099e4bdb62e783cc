"""What is written down of a run: facts inside, events outside.

A run is the list of its facts. A :class:`Fact` is what ``apply`` folds and a store keeps: its payload is a ``Value``,
which is encoded once and never copied. An :class:`Event` is the same thing for everybody else: frozen, with plain JSON
data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.clock import as_datetime
from engine.redaction import learn, redacted, redacted_error
from engine.values import INLINE_BYTES, Value

if TYPE_CHECKING:
    from engine.cells import Cell, Site

RUN_TYPES = (
    "run.created",
    "run.started",
    "run.suspended",
    "run.resumed",
    "run.paused",
    "run.waiting",
    "run.succeeded",
    "run.failed",
    "run.canceled",
    "run.forked",
    "run.recovered",
    "run.cancel_requested",
    "run.continued",
    "run.stepped",
    "run.breakpoints_set",
    "run.blocked",
    "run.definition_changed",
)
STEP_TYPES = (
    "step.started",
    "step.output",
    "step.suspended",
    "step.resumed",
    "step.succeeded",
    "step.failed",
    "step.retrying",
    "step.skipped",
    "step.canceled",
    "step.bailed",
    "step.held",
    "step.interrupted",
    "step.late",
)
OTHER_TYPES = (
    "branch.chosen",
    "loop.checked",
    "timer.started",
    "timer.fired",
    "event.received",
    "suspension.expired",
    "state.changed",
    "log",
)
EVENT_TYPES = RUN_TYPES + STEP_TYPES + OTHER_TYPES

PAYLOAD = {
    "run.started": "input",
    "run.succeeded": "result",
    "step.started": "input",
    "step.succeeded": "output",
    "step.bailed": "output",
    "step.late": "output",
    "step.suspended": "payload",
    "step.resumed": "answer",
    "step.output": "value",
    "event.received": "data",
    "state.changed": "changes",
}
"""The one value of a fact that can be large, by the key under which an event shows it."""

BEFORE_START = frozenset(
    {"run.created", "run.breakpoints_set", "event.received", "run.blocked", "run.definition_changed"}
)
"""All that happens to a run that was never started."""

ENDS = frozenset({"run.succeeded", "run.failed", "run.canceled"})

STEP_ENDS = frozenset({"step.succeeded", "step.failed", "step.canceled", "step.bailed"})
"""Facts after which nothing more comes of what had begun at their path."""

STATUSES = ("pending", "running", "waiting", "suspended", "paused", "success", "failed", "canceled")
"""Every status that a run can have."""

TERMINAL = frozenset({"success", "failed", "canceled"})
"""Statuses of a run that no call changes."""

_STATUS = {
    "run.created": "pending",
    "run.started": "running",
    "run.resumed": "running",
    "run.continued": "running",
    "run.recovered": "running",
    "run.stepped": "running",
    "run.suspended": "suspended",
    "run.paused": "paused",
    "run.waiting": "waiting",
    "run.succeeded": "success",
    "run.failed": "failed",
    "run.canceled": "canceled",
}


def status_after(fact: Fact, before: str) -> str:
    """The status of a run after a fact: what its data says, else what its type says, else what it was."""
    data = fact.data
    if data is not None and "status" in data:
        return str(data["status"])
    return _STATUS.get(fact.type, before)


SYNCED = frozenset(
    {
        "run.started",
        "run.succeeded",
        "run.failed",
        "run.canceled",
        "run.cancel_requested",
        "step.resumed",
        "event.received",
    }
)
"""What a person did or was told: synced to disk, so that it survives power loss."""


_REFERRING = frozenset({"step.started", "run.succeeded", "step.succeeded"})


class Fact:
    """One thing that happened.

    ``data`` holds small plain JSON, ``value`` the payload. A store may keep a reference instead of a payload that the
    log has already: ``ref``, then, and no ``value`` (the fold knows it anyway: it is what flows there). ``site`` is
    where in the tree of cells it happened; it is not stored.
    """

    __slots__ = ("at", "attempt", "data", "path", "ref", "seq", "site", "type", "value")

    def __init__(
        self,
        type: str,
        path: str | None = None,
        *,
        attempt: int | None = None,
        data: dict[str, Any] | None = None,
        value: Value | None = None,
        site: Site | Cell | None = None,
        seq: int = 0,
        at: float = 0.0,
    ) -> None:
        self.seq = seq
        self.at = at
        self.type = type
        self.path = path
        self.attempt = attempt
        self.data = data
        self.value = value
        self.site = site
        self.ref: object | None = None

    def reference(self) -> object | None:
        """Where the log has this fact's payload already, if that is worth referring to (see ``Value.reference``)."""
        value = self.value
        if value is None or value.seq == self.seq or self.type not in _REFERRING:
            return None
        if self.data is not None and "given" in self.data:
            return None
        return value.reference() if value.size > INLINE_BYTES else None

    def __repr__(self) -> str:
        return f"Fact({self.seq} {self.type} {self.path or ''} {self.data or ''})"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run, as everybody sees it.

    ``seq`` counts from 1 without holes; ``at`` is UTC; ``path`` is the step's (``None`` for events of the run);
    ``attempt`` counts starts from 1; ``data`` is plain JSON, by type:

    ====================================  ==============================================================
    ``run.started``                       ``input``, ``state``, ``request_context``
    ``run.succeeded``                     ``result``
    ``run.failed``                        ``error``
    ``run.cancel_requested``              ``reason``
    ``step.started``                      ``input``
    ``step.succeeded``, ``step.bailed``   ``output``
    ``step.failed``, ``step.retrying``    ``error``, ``next_at``
    ``step.suspended``                    ``payload``, ``label``, ``title``, ``schema``, ``expires_at``, ``token``
    ``step.resumed``                      ``answer``, ``token``, ``by``
    ``step.output``                       ``value``
    ``step.late``                         ``output`` or ``error``
    ``branch.chosen``                     ``arms``, ``values``
    ``loop.checked``                      ``iteration``, ``value``
    ``timer.started``                     ``due``
    ``event.received``                    ``name``, ``data``
    ``state.changed``                     ``changes``, ``appended``
    ``log``                               ``level``, ``message``
    ====================================  ==============================================================

    ``error`` has ``type``, ``message``, ``step`` and ``traceback``, and ``frames`` if the engine was opened with
    ``locals_in_errors``. Of a list that only grows, ``changes`` has what was added, and ``appended`` says how many
    items were there before. Other types have no data that is promised.
    """

    seq: int
    run_id: str
    at: datetime
    type: str
    path: str | None = None
    attempt: int | None = None
    data: dict[str, Any] = field(default_factory=dict)

    def redacted(self) -> Event:
        """The same for showing: secrets in what users gave are hidden. See ``register_secret``."""
        learn(self.data)  # first: what is a secret in one part of it is one in the others, too
        return replace(self, data={key: _shown(key, value) for key, value in self.data.items()})


_OURS = frozenset({"schema", "token", "label", "next_at", "expires_at", "due", "iteration", "level", "arms"})
"""Keys of an event's data whose values are the engine's, or the definition's."""


def _shown(key: str, value: Any) -> Any:
    if key in _OURS:
        return value
    return redacted_error(value) if key == "error" and isinstance(value, dict) else redacted(value)


_PROMISED = {
    "run.started": ("state", "request_context"),
    "step.suspended": ("label", "title", "schema", "expires_at"),
    "step.resumed": ("by",),
    "step.failed": ("next_at",),
}
"""Keys that an event shows although the fact leaves them out while they say nothing."""

_OBJECTS = frozenset({"state", "request_context"})


def _own(data: Any) -> Any:
    """A copy that may be changed: a store in memory gives what it holds."""
    if isinstance(data, dict):
        return {key: _own(part) for key, part in data.items()}
    return [_own(part) for part in data] if isinstance(data, (list, tuple)) else data


def to_event(run_id: str, fact: Fact) -> Event:
    """The public form of a fact."""
    data: dict[str, Any] = _own(fact.data) if fact.data else {}
    for key in _PROMISED.get(fact.type, ()):
        data.setdefault(key, {} if key in _OBJECTS else None)
    if fact.value is not None:
        data[PAYLOAD[fact.type]] = fact.value.plain()
    return Event(fact.seq, run_id, as_datetime(fact.at), fact.type, fact.path, fact.attempt, data)
