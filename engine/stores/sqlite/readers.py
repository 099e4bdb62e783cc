"""Connections that read: from any thread, beside the one that writes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from engine.errors import StoreError
from engine.stores.sqlite.tables import connect_reader, damaged


class Readers:
    """A few open connections; whoever reads takes one out, and puts it back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[apsw.Connection] = []
        self._round = 0
        self._kept = 4

    @contextlib.contextmanager
    def cursor(self) -> Iterator[apsw.Cursor]:
        """A cursor for a few queries. Raises ``StoreError`` if the file can't be read, ``StoreCorrupt`` if damaged."""
        with reading(self._path):
            at = self._round
            try:
                connection = self._idle.pop()  # atomic, so no lock
            except IndexError:
                connection = connect_reader(self._path)
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close(force=True)  # ends its snapshot
                if at != self._round or len(self._idle) >= self._kept:
                    connection.close()
                else:
                    self._idle.append(connection)

    def renew(self) -> None:
        """Use no connection again that is open now."""
        self._round += 1
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def close(self) -> None:
        """Close all; one that is in use just now closes when it is put back."""
        self._kept = 0
        self.renew()

    def all(self) -> list[apsw.Connection]:
        """Those that are open and idle."""
        return list(self._idle)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file, and what to do, in what SQLite raises."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise damaged(path, str(error)) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreError(f"{path} is locked by another program; try again when it has let go") from error
    except apsw.Error as error:
        raise StoreError(f"{path} can't be used: {error}; check the disk and the file's permissions") from error
