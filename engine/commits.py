"""Getting what was recorded into the store, and telling whoever waits for a run to come to rest."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from engine.bus import Waiters
from engine.errors import Fenced
from engine.events import Fact
from engine.host import REST, Home
from engine.state import RunState

if TYPE_CHECKING:
    from engine.clock import Clock
    from engine.store import Store

log = logging.getLogger("engine")


async def give_way() -> None:
    """Let all who are due have the event loop first: a timer needs one turn to fire, its task another to wake up."""
    for _ in range(3):
        await asyncio.sleep(0)


class Commits(ABC):
    """The side of a live run that faces the store: one append at a time, in order, and nobody is told before it."""

    def __init__(self, home: Home, state: RunState, *, epoch: int) -> None:
        self.home: Home = home
        self.state = state
        self.epoch = epoch
        self.store: Store = home.store
        self.clock: Clock = home.clock
        self.committed = state.seq
        self.fenced = False
        self._pending: list[Fact] = []
        self._writing = False
        self._flight: asyncio.Future[None] | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._waiters = Waiters()
        self._gone: BaseException | None = None
        """Why nothing more happens here, although the run has not ended."""

    @property
    def run_id(self) -> str:
        return self.state.run_id

    @abstractmethod
    def let_go(self, why: BaseException) -> None:
        """The run can't be written here any more."""

    @abstractmethod
    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do something in a task of this run."""

    async def commit(self) -> None:
        """Return when everything recorded so far is in the store; then everybody may know.

        Raises ``Fenced`` if another process has taken the run over.
        """
        target = self.state.seq
        while self.committed < target:
            if self.fenced:
                raise self._gone if isinstance(self._gone, Exception) else Fenced(f"run {self.run_id!r} was let go")
            if self._writing:
                if self._flight is None:
                    self._flight = asyncio.get_running_loop().create_future()
                await asyncio.shield(self._flight)
            else:
                await self._append()

    async def _append(self) -> None:
        facts, self._pending = self._pending, []
        self._writing = True
        try:
            await self.store.append(self.run_id, facts, epoch=self.epoch, solo=self.home.busy <= 1)
        except BaseException as error:
            # The state is ahead of the log for good: whoever goes on with this run has to fold it again.
            log.warning("run %s is let go: %s", self.run_id, error)
            self.let_go(error)
            raise
        finally:
            self._writing = False
            flight, self._flight = self._flight, None
            if flight is not None:
                flight.set_result(None)
        self.committed = facts[-1].seq
        for fact in facts:
            fact.site = None
        self.home.bus.publish(self.run_id, self.committed)
        if self.state.status in REST and self.committed == self.state.seq:
            self._waiters.tell(self.state.status)
        if self.state.status != "running" and self.committed == self.state.seq:
            self.home.came_to_rest()

    def flush_soon(self) -> None:
        """Commit within 20 ms: for streams and logs, which are written in groups."""
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(0.02, self._flush_now)

    def _flush_now(self) -> None:
        self._flush = None
        if self._pending and not self.fenced:
            self.spawn(self._commit_quietly(), "flush")

    async def _commit_quietly(self) -> None:
        try:
            await self.commit()
        except Exception:
            if not self.fenced:
                raise

    async def rest(self) -> str:
        """Wait until the run has ended, is suspended or paused, and that is written; its status."""
        state = self.state
        if self._gone is not None:
            raise self._gone
        if state.status in REST and self.committed == state.seq:
            return state.status
        return await self._waiters.wait()
