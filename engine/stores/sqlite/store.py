"""The SQLite store: the door to the log, the lists, and the ownership of runs."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw

from engine.errors import RunInFlight, StoreError
from engine.events import SYNCED, TERMINAL, Fact
from engine.store import Claim
from engine.stores.fold import LOUD
from engine.stores.sqlite import files, removal
from engine.stores.sqlite.forks import Closed, keep, open_stores
from engine.stores.sqlite.log import Log, unknown
from engine.stores.sqlite.owners import Owner
from engine.stores.sqlite.readers import Readers, reading
from engine.stores.sqlite.reads import Reads
from engine.stores.sqlite.relaxed import Deferred
from engine.stores.sqlite.rows import decode, encode
from engine.stores.sqlite.tables import bring_up_to_date, connect, set_up_writer
from engine.stores.sqlite.writer import Work, Writer

T = TypeVar("T")

RELAXED_SECONDS = 0.005
"""How long ``durability=relaxed`` keeps what steps did in memory before it is written."""

CLOSING_SECONDS = 2.0
"""How long ``close`` waits for a disk in trouble."""


class SqliteStore(Reads):
    """Runs in one SQLite file, shared by as many processes as like, each run written by one of them at a time.

    ``durability``:

    * ``normal``: every append survives the death of the process; what a person did or was told survives power loss.
    * ``full``: every append survives power loss.
    * ``relaxed``: what steps did is written in groups, every 5 ms: ``append`` returns before that. What a person did or
      was told is as with ``normal``, and whatever came before it in any run is written with it. After a crash, steps
      that succeeded in the last 5 ms run again; a step may thus run again although a later one had started.
    """

    durable = True
    shared = True

    def __init__(self, path: str | Path, *, durability: str = "normal") -> None:
        self._given = Path(path)
        self._durability = durability
        self._unwritten: dict[str, list[Fact]] = {}
        self._failed: dict[str, BaseException] = {}
        self._definitions: set[str] = set()
        self._is_open = False
        self.trouble: str | None = None
        self._writer: Any = Closed(f"{path}: the store is not open; 'async with engine' opens it")
        self._readers: Any = self._writer

    # -- opening and closing

    async def open(self) -> None:
        """Open the file, making or migrating it.

        Raises ``StoreError``, ``StoreNewer``, ``StoreCorrupt``; nothing is open then.
        """
        if self._is_open:
            raise StoreError(f"{self._given} is open already; close it first, or use another store")
        path = self._path = files.prepare(self._given)
        self._owner = Owner(path)
        self._owner.live()
        files.guard(path)
        try:
            with reading(path):
                await self._bring_up_to_date(path)
                self._log = Log(self._owner.id)
                self._readers = Readers(path)
                self._writer = Writer(
                    path,
                    self._connect,
                    owner=self._owner.id,
                    full=self._durability == "full",
                    forget=self._log.forget,
                    tell=partial(setattr, self, "trouble"),
                )
        except BaseException:
            files.unguard(path)
            self._owner.die()
            raise
        self._is_open = True
        open_stores.add(self)
        try:
            await self._at_once(self._move_in)
        except BaseException:
            self._leave()
            raise

    async def _bring_up_to_date(self, path: Path) -> None:
        """As long as another process holds the file for a moment (it may be making the tables, too), try again."""
        end = time.monotonic() + CLOSING_SECONDS
        while True:
            connection = connect(path)
            try:
                return bring_up_to_date(connection, path)
            except (apsw.BusyError, apsw.LockedError):
                if time.monotonic() > end:
                    raise
            finally:
                connection.close(force=True)
            await asyncio.sleep(0.02)

    def _connect(self) -> apsw.Connection:
        self._readers.renew()  # after an error nothing that was open is trusted
        connection = connect(self._path)
        connection.set_busy_timeout(1000)  # another process may be cleaning up after a dead one just now
        set_up_writer(connection)
        connection.set_busy_timeout(0)
        return connection

    def _move_in(self, cursor: apsw.Cursor) -> None:
        """Sign in, and clean up after the dead to whom nothing belongs any more."""
        cursor.execute(
            "INSERT INTO owners (id, pid, host, started_at) VALUES (?, ?, ?, ?)",
            (self._owner.id, os.getpid(), socket.gethostname(), time.time()),
        )
        keep: set[str] = set()
        others: list[tuple[Any, ...]] = cursor.execute("SELECT id FROM owners").fetchall()
        for (other,) in others:
            if self._owner.is_alive(other):
                keep.add(other)
                continue
            cursor.execute("DELETE FROM requests WHERE sender = ? AND reply IS NOT NULL", (other,))
            if cursor.execute("SELECT 1 FROM runs WHERE owner = ? AND ended = 0", (other,)).get:
                keep.add(other)
            else:
                cursor.execute("UPDATE runs SET owner = NULL WHERE owner = ?", (other,))
                cursor.execute("DELETE FROM owners WHERE id = ?", (other,))
        self._owner.bury(keep)

    async def close(self) -> None:
        """Write what waits, let every run go, and close the file. Raises ``StoreError`` if the disk's trouble lasts."""
        if not self._is_open:
            return
        try:
            await self._at_once(self._move_out)
        finally:
            self._leave()

    async def _at_once(self, write: Callable[[apsw.Cursor], None]) -> None:
        """Write, or raise ``StoreError`` if the disk's trouble lasts."""
        done = asyncio.ensure_future(self._do(write, synced=False))
        await asyncio.sleep(0)
        await self._writer.drain(CLOSING_SECONDS)
        await done

    def _leave(self) -> None:
        self._readers.close()
        self._writer.close()
        self._shut(f"{self._given}: the store is closed; open it first")
        files.unguard(self._path)
        self._owner.die()

    def _move_out(self, cursor: apsw.Cursor) -> None:
        cursor.execute("UPDATE runs SET owner = NULL WHERE owner = ?", (self._owner.id,))
        cursor.execute("DELETE FROM owners WHERE id = ?", (self._owner.id,))

    def _shut(self, why: str) -> None:
        self._is_open = False
        self._writer = self._readers = Closed(why)
        open_stores.discard(self)

    # -- the log

    async def append(self, run_id: str, facts: Sequence[Fact], *, epoch: int, solo: bool = False) -> None:
        """See :class:`engine.store.Store`. Waits as long as the disk is in trouble."""
        writer = self._writer
        synced = False
        for fact in facts:
            if fact.type in SYNCED:
                synced = True
                break
        if self._durability == "relaxed":
            if run_id in self._failed:
                raise self._failed.pop(run_id)
            if not synced and writer.trouble is None and self._defer(run_id, facts, epoch):
                return
        elif solo and not synced and writer.attempt(self._log.write, run_id, facts, epoch):
            return
        submit = writer.submit
        future = asyncio.get_running_loop().create_future()
        submit(self._appending(run_id, facts, epoch, future, synced=synced))
        await future

    def _appending(self, run_id: str, facts: Sequence[Fact], epoch: int, outcome: Any, *, synced: bool) -> Work:
        log = self._log
        return Work(
            lambda cursor: log.write(cursor, run_id, facts, epoch),
            outcome,
            synced=synced,
            size=len(facts),
            has_landed=lambda cursor: log.has_landed(cursor, run_id, facts[-1].seq),
        )

    def _defer(self, run_id: str, facts: Sequence[Fact], epoch: int) -> bool:
        if any(fact.type in LOUD for fact in facts):
            return False
        outcome = Deferred(self._unwritten, self._failed, run_id, facts)
        self._writer.submit(self._appending(run_id, facts, epoch, outcome, synced=False), within=RELAXED_SECONDS)
        return True

    # -- ownership

    async def claim(self, run_id: str, *, force: bool = False) -> Claim | None:
        """See :class:`engine.store.Store`."""
        return await self._do(partial(self._claim, run_id, force), synced=False)

    def _claim(self, run_id: str, force: bool, cursor: apsw.Cursor) -> Claim | None:
        found = cursor.execute("SELECT key, owner, epoch FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if found is None:
            raise unknown(run_id)
        key, owner, epoch = found
        if owner == self._owner.id:
            owner = None
        if owner is not None and not force and self._owner.is_alive(owner):
            return None
        self._log.forget(run_id)
        cursor.execute("UPDATE runs SET owner = ?, epoch = ? WHERE key = ?", (self._owner.id, epoch + 1, key))
        return Claim(run_id, epoch + 1, owner)

    async def release(self, run_id: str, *, epoch: int) -> None:
        """See :class:`engine.store.Store`."""
        query = "UPDATE runs SET owner = NULL WHERE run_id = ? AND epoch = ? AND owner = ?"
        await self._do(lambda cursor: _run(cursor, query, (run_id, epoch, self._owner.id)), synced=False)
        self._log.forget(run_id)

    async def mark_hooked(self, run_id: str) -> None:
        """See :class:`engine.store.Store`. Nothing is left to do then, so the run is let go, too."""
        query = "UPDATE runs SET hooked = 1, owner = NULL WHERE run_id = ?"
        await self._do(lambda cursor: _run(cursor, query, (run_id,)), synced=False)

    # -- calls between processes

    async def post(self, run_id: str, verb: str, body: Mapping[str, Any]) -> int:
        """See :class:`engine.store.Store`."""

        def write(cursor: apsw.Cursor) -> int:
            key = cursor.execute("SELECT key FROM runs WHERE run_id = ?", (run_id,)).get
            if key is None:
                raise unknown(run_id)
            query = "INSERT INTO requests (run, sender, verb, body) VALUES (?, ?, ?, ?)"
            cursor.execute(query, (key, self._owner.id, verb, encode(dict(body))))
            return cursor.connection.last_insert_rowid()

        return await self._do(write, synced=True)

    async def reply(self, request_id: int, body: Mapping[str, Any]) -> None:
        """See :class:`engine.store.Store`."""
        bindings = encode(dict(body)), request_id
        await self._do(lambda cursor: _run(cursor, "UPDATE requests SET reply = ? WHERE id = ?", bindings), synced=True)

    async def reply_to(self, request_id: int) -> dict[str, Any] | None:
        """See :class:`engine.store.Store`."""
        with self._readers.cursor() as cursor:
            reply = cursor.execute("SELECT reply FROM requests WHERE id = ?", (request_id,)).get
        if reply is None:
            return None
        await self._do(lambda cursor: _run(cursor, "DELETE FROM requests WHERE id = ?", (request_id,)), synced=False)
        return dict(decode(reply))

    def changed(self) -> bool:
        """See :class:`engine.store.Store`."""
        return bool(self._writer.changed())

    # -- the rest

    async def put_definition(self, version: str, definition: Mapping[str, Any]) -> None:
        """See :class:`engine.store.Store`."""
        if version in self._definitions:
            return
        bindings = version, encode(dict(definition))
        query = "INSERT OR IGNORE INTO definitions VALUES (?, ?)"
        await self._do(lambda cursor: _run(cursor, query, bindings), synced=False)
        self._definitions.add(version)

    async def delete(self, run_id: str) -> None:
        """See :class:`engine.store.Store`."""

        def write(cursor: apsw.Cursor) -> None:
            found = cursor.execute("SELECT key, status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            if found is None:
                raise unknown(run_id)
            if found[1] not in TERMINAL and removal.has_started(cursor, found[0]):
                raise RunInFlight(f"run {run_id!r} has not ended; cancel it first")
            removal.remove(cursor, found[0])
            self._log.forget(run_id)

        await self._do(write, synced=False)

    async def prune(self, *, before: datetime, status: Sequence[str]) -> int:
        """See :class:`engine.store.Store`. Each run goes in one transaction; others are served in between."""
        removed = 0
        after: int | None = 0
        while after is not None:
            prune = partial(removal.prune, before.timestamp(), tuple(status), after)
            several, after = await self._do(prune, synced=False)
            removed += several
        return removed

    async def _do(self, write: Callable[[apsw.Cursor], T], *, synced: bool) -> T:
        """Run something in a transaction of the writer."""
        submit = self._writer.submit
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        submit(Work(write, future, synced=synced))
        return await future

    def forked(self) -> None:
        """In a child of this process: the connections and the lock are the parent's."""
        self._owner.forget()
        keep([self._writer.connection, *self._readers.all()] if self._is_open else [])
        self._shut(f"{self._given} was opened by the parent of this process; open a store of its own here")


def _run(cursor: apsw.Cursor, query: str, bindings: tuple[Any, ...]) -> None:
    cursor.execute(query, bindings)
