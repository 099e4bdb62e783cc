"""Who is alive: each open store holds a lock on a file of its own, which its death frees.

No clock is asked, so a machine that sleeps or jumps in time takes nobody's runs away.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from pathlib import Path

from engine.errors import StoreError
from engine.stores.sqlite.files import make_folder

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool) -> bool:  # noqa: ARG001 there is one kind of lock here
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_ID = re.compile(r"[0-9a-f]{16}")
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Owner:
    """This store's own life: an id and the lock that proves it."""

    def __init__(self, database: Path) -> None:
        self.id = secrets.token_hex(8)
        self._folder = folder_of(database)
        self._path = self._folder / f"{self.id}.lock"
        self._descriptor: int | None = None

    def live(self) -> None:
        """Take the lock. Raises ``StoreError``."""
        if self._folder.is_symlink():
            raise StoreError(f"{self._folder} is a symbolic link; remove it")
        try:
            while not self._take():
                pass
        except OSError as error:
            raise StoreError(
                f"{self._path} can't be made: {error.strerror or error}; the folder must be writable"
            ) from error

    def _take(self) -> bool:
        """Create the file and lock it; false if somebody has cleaned it, or the folder, away in between."""
        make_folder(self._folder)
        try:
            descriptor = os.open(self._path, _FLAGS | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return False
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
        if _lock(descriptor, shared=False):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(self._path.stat(), os.fstat(descriptor)):
                    self._descriptor = descriptor
                    return True
        os.close(descriptor)
        return False

    def is_alive(self, other: str) -> bool:
        """Whether the store with this owner's id is open in a living process (stopped ones live)."""
        if other == self.id:
            return True
        if not _ID.fullmatch(other):
            return False
        try:
            descriptor = os.open(self._folder / f"{other}.lock", _FLAGS)
        except OSError as error:
            return not isinstance(error, FileNotFoundError)
        try:
            return not _lock(descriptor, shared=True)
        finally:
            os.close(descriptor)

    def bury(self, keep: set[str]) -> None:
        """Remove the lock files of the dead whose ids are not in ``keep``."""
        for file in self._folder.glob("*.lock"):
            if file.stem in keep or file.stem == self.id or file.is_symlink():
                continue
            with contextlib.suppress(OSError):
                descriptor = os.open(file, _FLAGS)
                try:
                    if _lock(descriptor, shared=False):
                        file.unlink()
                finally:
                    os.close(descriptor)

    def die(self) -> None:
        """Give the lock back and remove its file; the folder too, if nobody else is there."""
        if self._descriptor is not None:
            self.forget()
            with contextlib.suppress(OSError):
                self._path.unlink()
            with contextlib.suppress(OSError):
                self._folder.rmdir()

    def forget(self) -> None:
        """Close the lock's file here: a child that has inherited it must not keep its parent alive."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def folder_of(database: Path) -> Path:
    """Where the locks of a database's owners are."""
    return database.with_name(database.name + ".owners")
