"""Telling everybody who listens that a run has new events.

They read them from the store, so a slow one costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Listener:
    """One reader that is woken when a run has events after those it knows. Made on the reader's own event loop."""

    __slots__ = ("_event", "_loop", "_told", "seq")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._told = False
        self.seq = 0

    def tell(self, seq: int) -> None:
        """From the engine's loop: there are events up to ``seq``."""
        self.seq = max(self.seq, seq)
        if self._told:  # it has not looked since: one that stalls costs no more than this
            return
        self._told = True
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self._event.set()
        else:
            with suppress(RuntimeError):  # the reader's loop is closed; so is the reader
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float | None) -> None:
        """Return when there is something new, or after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()
        self._told = False  # before it looks, so that nothing is missed


class Waiters:
    """Who waits for a run to come to rest."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[str]] = set()

    def __len__(self) -> int:
        return len(self._futures)

    async def wait(self) -> str:
        """The status that is told next. Raises what :meth:`fail` is given."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._futures.add(future)
        try:
            return await future
        finally:
            self._futures.discard(future)

    def tell(self, status: str) -> None:
        """The run is at rest."""
        for future in self._futures:
            if not future.done():
                future.set_result(status)

    def fail(self, error: BaseException) -> None:
        """It never will be, here."""
        for future in self._futures:
            if not future.done():
                future.set_exception(error)


class Bus:
    """Listeners by run; ``""`` hears of every run."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    @contextmanager
    def listen(self, run_id: str) -> Iterator[Listener]:
        """A listener for one run, or with ``""`` for all."""
        listener = Listener(asyncio.get_running_loop())
        self._listeners.setdefault(run_id, []).append(listener)
        try:
            yield listener
        finally:
            listeners = self._listeners.get(run_id, [])
            listeners.remove(listener)
            if not listeners:
                self._listeners.pop(run_id, None)

    def publish(self, run_id: str, seq: int) -> None:
        """After a commit: the run has events up to ``seq``."""
        if not self._listeners:
            return
        for key in (run_id, ""):
            for listener in tuple(self._listeners.get(key, ())):
                listener.tell(seq)

    def wake_all(self) -> None:
        """Nothing more will come: whoever waits is to look."""
        for listeners in list(self._listeners.values()):
            for listener in tuple(listeners):
                listener.tell(listener.seq)
