"""The live side of a run and of its engine, as seen by the code that acts on them.

The executor and the engine are made of that code, so they can't be named by it: it knows these outlines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Executor as Threads
from typing import Any, Protocol

from engine.bus import Bus
from engine.cells import Cell, Site
from engine.clock import Clock
from engine.commands import Command, Wake
from engine.events import Fact
from engine.schema import Schema
from engine.shared import SharedState
from engine.state import RunState
from engine.store import Store

REST = frozenset({"suspended", "paused", "success", "failed", "canceled"})
"""Statuses in which ``start`` and ``resume`` return."""


class Attempt(Protocol):
    """One running attempt of a step. ``closed``: its outcome is written; ``reason``: why it was asked to stop."""

    closed: bool
    reason: str | None
    task: asyncio.Task[Any] | None
    done: asyncio.Future[None] | None

    @property
    def cell(self) -> Cell: ...

    @property
    def attempt(self) -> int: ...

    def stop(self, reason: str) -> None: ...


class Host(Protocol):
    """A live run: its state, and the ways to write down what happens and to do what follows."""

    state: RunState
    clock: Clock
    shared: SharedState
    running: dict[str, Attempt]
    answer_schemas: dict[str, Schema]
    serial: list[Cell] | None
    asking: int
    starting: bool
    queued: bool
    fenced: bool
    holds_secrets: bool
    committed: int

    @property
    def run_id(self) -> str: ...

    @property
    def home(self) -> Home: ...

    @property
    def threads(self) -> Threads: ...

    def record(self, fact: Fact) -> list[Command]: ...

    def record_all(self, facts: Iterable[Fact]) -> list[Command]: ...

    def adopt_fact(self, fact: Fact, *, at: float) -> None: ...

    def begin(self, site: Site) -> list[Command]: ...

    async def go(self, todo: list[Command]) -> None: ...

    async def commit(self) -> None: ...

    async def rest(self) -> str: ...

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None: ...

    def wake(self, command: Wake) -> None: ...

    def unwake(self, cell: Cell) -> None: ...

    def flush_soon(self) -> None: ...

    def write(self, attempt: Attempt, chunk: Any) -> None: ...

    def note(self, path: str, level: str, message: str) -> None: ...


class Home(Protocol):
    """Where a live run lives: the live side of its engine. ``busy`` counts what is under way in all its runs."""

    busy: int
    store: Store
    bus: Bus
    clock: Clock
    locals_in_errors: bool

    @property
    def engine(self) -> Any: ...

    @property
    def is_closed(self) -> bool: ...

    @property
    def is_home(self) -> bool: ...

    @property
    def threads(self) -> Threads: ...

    def on_loop(self, work: Callable[[], None]) -> None: ...

    def admit(self, run: Host) -> bool: ...

    def enqueue(self, run: Host, todo: list[Command]) -> None: ...

    def came_to_rest(self) -> None: ...

    def run_ended(self, run: Any) -> None: ...

    def forget(self, run_id: str, why: BaseException | None = None, *, run: Host | None = None) -> None: ...
