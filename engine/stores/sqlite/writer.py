"""The one connection that writes: transactions of one append or of many, and patience when the disk is not at its best.

Nothing here is lost to a full disk or a lock that somebody else holds: what is to be written waits in order,
``trouble`` says why, and reads go on. After a commit that failed nobody knows whether it took place (the operating
system may have forgotten pages): the file is opened anew and asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import apsw

from engine.errors import EngineError, StoreError
from engine.events import Fact
from engine.stores.sqlite.tables import damaged

BATCH = 200
"""Facts in one transaction, roughly: a larger one would hold the event loop."""

LONGEST_PAUSE = 0.5
"""Seconds between two tries."""

_TRANSIENT = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.NoMemError,
    apsw.ProtocolError,
    apsw.PermissionsError,
    apsw.InterruptError,
)
_CORRUPT = (apsw.CorruptError, apsw.NotADBError)
Write = Callable[[apsw.Cursor, str, Sequence[Fact], int], None]


class Outcome(Protocol):
    """Where the result of some work goes: a future, or nowhere in particular."""

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: BaseException, /) -> None: ...


class Work:
    """Something to write, as part of some transaction. It raises an ``EngineError`` before it writes, or not at all."""

    __slots__ = ("error", "future", "has_landed", "result", "run", "size", "synced")

    def __init__(
        self,
        run: Callable[[apsw.Cursor], object],
        future: Outcome,
        *,
        synced: bool,
        size: int = 1,
        has_landed: Callable[[apsw.Cursor], bool] | None = None,
    ) -> None:
        self.run = run
        self.future = future
        self.synced = synced
        self.size = size
        self.has_landed = has_landed
        self.result: object = None
        self.error: EngineError | None = None

    def perform(self, cursor: apsw.Cursor) -> None:
        """Do it, inside a transaction. Raises ``apsw.Error``."""
        self.result = self.error = None
        try:
            self.result = self.run(cursor)
        except EngineError as error:
            self.error = error

    def settle(self, error: EngineError | None = None) -> None:
        """Tell who waits."""
        future = self.future
        if future.done():
            return
        error = error or self.error
        if error is None:
            future.set_result(self.result)
        else:
            future.set_exception(error)


class Writer:
    """The writing connection and the queue before it. Lives on the event loop that opened the store."""

    def __init__(
        self,
        path: Path,
        connect: Callable[[], apsw.Connection],
        *,
        owner: str,
        full: bool,
        forget: Callable[[], None],
        tell: Callable[[str | None], None],
    ) -> None:
        self._path = path
        self._connect = connect
        self._owner = owner
        self._full = full
        self._forget = forget
        self._tell = tell
        self.trouble: str | None = None
        self.patience = 3.0
        """Seconds for which a lock of another program is nobody's business."""

        self._queue: deque[Work] = deque()
        self._unsettled: list[Work] = []
        self._lost = False  # the commit of an append that nobody has queued yet failed
        self._mark = 0
        self._one_by_one = 0
        self._failing_since: float | None = None
        self._pause = 0.0
        self._timer: asyncio.Handle | None = None
        self._due = 0.0
        self._data_version = 0
        self._loop = asyncio.get_running_loop()
        self.connection = connect()
        self._take_cursor()

    def _take_cursor(self) -> None:
        self.cursor = self.connection.cursor()
        self._execute = self.cursor.execute
        self._is_full = False

    # -- at once

    def attempt(self, write: Write, run_id: str, facts: Sequence[Fact], epoch: int) -> bool:
        """One append in a transaction of its own, now; false if it has to be submitted. Raises ``EngineError``."""
        if self._queue or self._unsettled or self.trouble:
            return False
        execute = self._execute
        try:
            if self._is_full is not self._full:
                self._sync(self._full)
            execute("BEGIN IMMEDIATE")
            write(self.cursor, run_id, facts, epoch)
        except apsw.Error as error:
            self._roll_back()
            self._lost = isinstance(error, apsw.IOError)
            return False
        except BaseException:
            self._roll_back()
            raise
        try:
            execute("COMMIT")
        except apsw.Error:
            self._lost = True
            return False
        return True

    # -- in company

    def submit(self, work: Work, *, within: float = 0.0) -> None:
        """Queue work; it is written before the loop's next turn, or ``within`` seconds."""
        if self._lost:
            self._lost = False
            self._unsettled.append(work)
        else:
            self._queue.append(work)
        self._schedule(within)

    def _schedule(self, within: float) -> None:
        if self._failing_since is not None and self._timer is not None:
            return  # it is tried again soon, in order
        due = self._loop.time() + within
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(within, self.flush) if within else self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits; in trouble, try again later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            if self._unsettled:
                self._find_out()
            if self._queue:
                self._commit(self._take())
        except _TRANSIENT as error:
            self._wait(error)
            return
        except _CORRUPT as error:
            self.give_up(damaged(self._path, str(error)))
        except apsw.Error as error:
            self._wait(error)
            return
        self._failing_since = None
        self._pause = 0.0
        self._say(None)
        if self._queue:
            self._schedule(0.0)

    def _take(self) -> list[Work]:
        if self._one_by_one:
            self._one_by_one -= 1
            return [self._queue.popleft()]
        batch: list[Work] = []
        size = 0
        while self._queue and size < BATCH:
            work = self._queue.popleft()
            batch.append(work)
            size += work.size
        return batch

    def _commit(self, batch: list[Work]) -> None:
        """One transaction for all of them. Raises ``apsw.Error`` if they are to be tried again."""
        try:
            self._write(batch)
        except apsw.IOError:
            self._roll_back()
            self._unsettled = batch
            raise
        except (*_TRANSIENT, *_CORRUPT):
            self._roll_back()
            self._queue.extendleft(reversed(batch))
            raise
        except Exception as error:  # noqa: BLE001 it is handed to who asked for it
            self._roll_back()
            if len(batch) > 1:  # one of them is at fault: the others must not suffer
                self._queue.extendleft(reversed(batch))
                self._one_by_one = len(batch)
                return
            batch[0].settle(_refused(self._path, error))
            return
        try:
            self._execute("COMMIT")
        except apsw.Error:
            self._roll_back()
            self._unsettled = batch
            raise
        for work in batch:
            work.settle()

    def _write(self, batch: list[Work]) -> None:
        is_marked = any(work.has_landed is None for work in batch)
        self._mark += is_marked  # before anything can fail: an older mark must not pass for this one
        full = self._full or any(work.synced for work in batch)
        if self._is_full is not full:
            self._sync(full)
        self._execute("BEGIN IMMEDIATE")
        for work in batch:
            work.perform(self.cursor)
        if is_marked:
            self._execute("UPDATE owners SET mark = ? WHERE id = ?", (self._mark, self._owner))

    def _sync(self, full: bool) -> None:
        self._execute("PRAGMA synchronous=FULL" if full else "PRAGMA synchronous=NORMAL").fetchall()
        self._is_full = full

    def _roll_back(self) -> None:
        self._forget()
        with contextlib.suppress(apsw.Error):
            if self.connection.in_transaction:
                self._execute("ROLLBACK")

    # -- trouble

    def _find_out(self) -> None:
        """Open the file anew, and see whether the transaction that failed took place. Raises ``apsw.Error``."""
        with contextlib.suppress(apsw.Error):
            self.connection.close(force=True)
        self.connection = self._connect()
        self._take_cursor()
        self._forget()
        batch = self._unsettled
        landed = self._has_landed(batch)
        self._unsettled = []
        if landed:
            for work in batch:
                work.settle()
        else:
            self._queue.extendleft(reversed(batch))

    def _has_landed(self, batch: list[Work]) -> bool:
        if any(work.has_landed is None for work in batch):
            mark = self._execute("SELECT mark FROM owners WHERE id = ?", (self._owner,)).get
            return mark is not None and mark >= self._mark > 0
        return any(
            work.has_landed is not None and work.error is None and work.has_landed(self.cursor) for work in batch
        )

    def _wait(self, error: apsw.Error) -> None:
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        is_lock = isinstance(error, apsw.BusyError | apsw.LockedError)
        if not is_lock or now - self._failing_since >= self.patience:
            self._say(explain(self._path, error))
        self._pause = min(LONGEST_PAUSE, max(0.005, self._pause * 2))
        self._timer = self._loop.call_later(self._pause, self.flush)

    def _say(self, trouble: str | None) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._tell(trouble)

    def give_up(self, error: StoreError) -> None:
        """Nothing that waits will be written."""
        waiting = [*self._unsettled, *self._queue]
        self._unsettled = []
        self._queue.clear()
        for work in waiting:
            work.settle(error)

    async def drain(self, patience: float) -> None:
        """Write what waits, and tell it that it was not written if that takes longer than ``patience`` seconds."""
        end = self._loop.time() + patience
        self.flush()
        while self._queue or self._unsettled:
            if self._failing_since is not None and self._loop.time() >= end:
                self.give_up(
                    StoreError(f"{self.trouble or f'{self._path} is locked by another program'}; closed unwritten")
                )
                break
            await asyncio.sleep(0.01)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def changed(self) -> bool:
        """Whether another connection wrote since the last time this was asked."""
        version = self._execute("PRAGMA data_version").get
        before, self._data_version = self._data_version, version
        return bool(version != before)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close(force=True)


def _refused(path: Path, error: Exception) -> StoreError:
    refused = StoreError(f"{path} does not take this: {type(error).__name__}: {error}; nothing of it was written")
    refused.__cause__ = error
    return refused


def explain(path: Path, error: apsw.Error) -> str:
    """Why writes wait, and what helps, for people."""
    match error:
        case apsw.BusyError() | apsw.LockedError():
            return f"{path} is locked by another program; runs wait until it lets go"
        case apsw.FullError():
            return f"no space is left for {path}; runs wait until there is some"
        case apsw.ReadOnlyError() | apsw.PermissionsError() | apsw.CantOpenError():
            return f"{path} can't be written any more ({error}); runs wait until it can"
        case _:
            return f"writing {path} failed ({error}); runs wait until it works again"
