"""What a store is: the one write path, and the reads that serve lists.

The log of facts is the truth. The tables of runs and of open suspensions are folds of it, written in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from engine.events import Fact
from engine.redaction import redacted, redacted_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in a list. Times are UTC; ``blocked`` says why the run can't go on with the code that is loaded."""

    run_id: str
    workflow_id: str
    status: str
    blocked: str | None
    resource_id: str | None
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    parent_run_id: str | None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Suspension:
    """An open question. ``token`` names it; ``schema`` is the JSON Schema of the answer."""

    token: str
    run_id: str
    workflow_id: str
    path: str
    label: str | None
    title: str | None
    payload: Any
    schema: dict[str, Any] | None
    created_at: datetime
    expires_at: datetime | None

    def redacted(self) -> Suspension:
        """The same for showing: secrets in the title and the payload are hidden. See ``register_secret``."""
        payload = redacted(self.payload)  # first: what is a secret in it is one in the title, too
        return replace(self, title=None if self.title is None else redacted_text(self.title), payload=payload)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list: runs newest first, suspensions oldest first.

    ``next`` is what ``after=`` takes for the following page, ``None`` at the end.
    """

    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a list shows.

    ``text`` is searched in id, workflow, tags and resource; times are UTC, on the creation.
    """

    workflow: str | None = None
    status: tuple[str, ...] = ()
    resource_id: str | None = None
    tag: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events of a run: of these types (none: of all), of a step or of what is inside it, between two numbers."""

    types: frozenset[str] = frozenset()
    path: str | None = None
    after: int = 0
    before: int | None = None

    def lets_through(self, fact: Fact) -> bool:
        """Whether a fact is one of them; the numbers are for whoever reads."""
        if self.types and fact.type not in self.types:
            return False
        if self.path is None:
            return True
        path = fact.path or ""
        return path == self.path or path.startswith((f"{self.path}/", f"{self.path}["))


@dataclass(frozen=True, slots=True)
class Request:
    """A call from a process that does not own the run, for the one that does."""

    id: int
    run_id: str
    verb: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """That this store's owner may write a run: every append names the epoch, and a higher one fences it."""

    run_id: str
    epoch: int
    previous_owner: str | None
    """Who had it before: a dead owner's id, or ``None``. Set means that owner did not let go by itself."""


class Store(Protocol):
    """Where runs live. One instance belongs to one engine; ``open`` is called on the engine's event loop.

    Reads may be called from any thread and any event loop; ``append`` and the other writes from the engine's loop only.
    """

    durable: bool
    """Whether runs outlive the process."""

    shared: bool
    """Whether other processes may use the same store at the same time."""

    trouble: str | None
    """Why writes are waiting just now (disk full, locked by another program), else ``None``."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    # -- the log

    async def append(self, run_id: str, facts: Sequence[Fact], *, epoch: int, solo: bool = False) -> None:
        """Write facts, in order; returns when they are committed. ``facts[0].seq`` must follow the last one.

        A first fact ``run.created`` makes the run (``RunExists`` if the id is taken) and claims it for this owner at
        epoch 1. Raises ``Fenced`` if the epoch is no longer the run's, ``UnknownRun`` if the run is gone. ``solo``:
        nothing else of this run is under way, so waiting for company gains nothing: commit at once.
        """
        ...

    async def read(self, run_id: str, *, after: int = 0, limit: int | None = None, resolve: bool = False) -> list[Fact]:
        """Facts with ``seq > after``, in order. ``resolve`` puts payloads in the place of references.

        Raises ``UnknownRun``.
        """
        ...

    async def find(self, run_id: str, where: EventFilter, *, limit: int, newest: bool = False) -> list[Fact]:
        """The first facts that the filter lets through, or the ``newest``; in order, with their payloads.

        Raises ``UnknownRun``.
        """
        ...

    async def count_facts(self, run_id: str, where: EventFilter) -> dict[str, int]:
        """How many facts of each type the filter lets through. Raises ``UnknownRun``."""
        ...

    async def last_seq(self, run_id: str) -> int:
        """The ``seq`` of the last fact. Raises ``UnknownRun``."""
        ...

    # -- ownership

    async def epochs(self, run_ids: Sequence[str]) -> dict[str, int]:
        """The epochs of these runs, of those that there are: a higher one than one's own means that it was taken."""
        ...

    async def claim(self, run_id: str, *, force: bool = False) -> Claim | None:
        """Take the run: ``None`` if a living owner has it (``force`` takes it even then). Raises ``UnknownRun``."""
        ...

    async def release(self, run_id: str, *, epoch: int) -> None:
        """Let the run go, so that any process may take it."""
        ...

    async def claimable(self, workflow_ids: Sequence[str]) -> list[str]:
        """Ids of runs that have not ended, of these workflows, whose owner is gone, oldest first."""
        ...

    # -- calls between processes

    async def post(self, run_id: str, verb: str, body: Mapping[str, Any]) -> int:
        """Leave a call for the run's owner; returns its id. Synced to disk."""
        ...

    async def requests(self) -> list[Request]:
        """Calls for runs that this owner has, oldest first, not answered yet."""
        ...

    async def reply(self, request_id: int, body: Mapping[str, Any]) -> None:
        """Answer a call."""
        ...

    async def reply_to(self, request_id: int) -> dict[str, Any] | None:
        """The answer to a call, once there is one (it is taken away by reading it)."""
        ...

    def changed(self) -> bool:
        """Whether another process wrote since the last time this was asked; costs a microsecond."""
        ...

    # -- lists

    async def row(self, run_id: str) -> RunRow:
        """Raises ``UnknownRun``."""
        ...

    async def list_runs(self, where: RunFilter, *, limit: int, after: str | None) -> Page[RunRow]: ...

    async def list_suspensions(
        self, *, run_id: str | None, workflow: str | None, limit: int, after: str | None
    ) -> Page[Suspension]:
        """Open questions, oldest first."""
        ...

    async def counts(self, workflow: str | None) -> dict[str, int]:
        """How many runs there are of each status that occurs; costs the same however many they are."""
        ...

    async def open_questions(self, workflow: str | None) -> int:
        """How many questions are open."""
        ...

    async def suspension(self, token: str) -> tuple[Suspension, str]:
        """A question and its state: ``open``, ``answered``, ``expired`` or ``canceled``. Raises ``NotSuspended``."""
        ...

    # -- the rest

    async def put_definition(self, version: str, definition: Mapping[str, Any]) -> None: ...

    async def definition(self, version: str) -> dict[str, Any] | None: ...

    async def mark_hooked(self, run_id: str) -> None:
        """The hooks of the run's end have been called."""
        ...

    async def unhooked(self, workflow_ids: Sequence[str]) -> list[str]:
        """Ended runs of these workflows whose hooks were not called, because a crash came between."""
        ...

    async def delete(self, run_id: str) -> None:
        """Remove a run whole, in one transaction. Raises ``UnknownRun``; ``RunInFlight``: it has not ended."""
        ...

    async def prune(self, *, before: datetime, status: Sequence[str]) -> int:
        """Remove runs that ended before a time; returns how many."""
        ...
