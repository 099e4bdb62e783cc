"""The files of a store: private to their owner, never a link to somewhere else, opened by SQLite alone.

A second copy of SQLite in this process (the standard library's), even a plain ``open`` and ``close``, would drop the
locks of the first one, and committed rows would be lost: an audit hook refuses it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from engine.errors import StoreCorrupt, StoreError


def prepare(path: Path) -> Path:
    """Check the place of a database, and create the file and its folder if they are missing; the path to open.

    Raises ``StoreError`` with the remedy: a folder, a link, no permission, ...
    """
    try:
        folder = path.expanduser().absolute().parent
        make_folder(folder)
        place = Path(os.path.realpath(folder)) / path.name
        for name in (place, *beside(place)):
            if name.is_symlink():
                raise StoreError(f"{name} is a symbolic link; give the path of the file itself")
        if place.is_dir():
            raise StoreError(f"{place} is a folder; give the path of a file, such as {place / 'studio.db'}")
        if not place.exists():
            _refuse_lost(place)
            with suppress(FileExistsError):  # another process has made it just now
                make_private(place)
        _check_existing(place)
    except OSError as error:
        raise StoreError(f"{path} can't be used as a store: {error.strerror or error}; choose another place") from error
    return place


def beside(path: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside a database."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def make_folder(folder: Path) -> None:
    """A folder that only we can read, if it is missing; its parents likewise."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # the umask may have taken more


def make_private(path: Path) -> None:
    """An empty file that only we can read and write, whatever the umask; there must be none."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _check_existing(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path} is not a file; choose another path")
    if status.st_size == 0:
        _refuse_lost(path)
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(
            f"{path} can't be written by this user; change its permissions (chmod u+rw) or choose another file"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreError(
            f"the folder of {path} can't be written, and SQLite needs files beside it; change its permissions"
        )
    if stat.S_IMODE(status.st_mode) & 0o077 and hasattr(os, "getuid") and status.st_uid == os.getuid():
        for name in (path, *beside(path)):  # what is inside is nobody else's business
            if name.exists():
                name.chmod(0o600)


def _refuse_lost(path: Path) -> None:
    """SQLite would delete the log of a database that is missing or empty, and what is in it would be gone."""
    log = beside(path)[0]
    if log.exists() and log.stat().st_size:
        raise StoreCorrupt(
            f"{path} is missing or empty, but its log {log.name} is not: put the file back from a copy,"
            " or move the log away"
        )


# -- nobody else opens it in this process

_ours: Counter[str] = Counter()
_guarded = False


def guard(path: Path) -> None:
    """Refuse the standard library's SQLite on this file, from now on."""
    global _guarded  # noqa: PLW0603 an audit hook can't be taken back, so there is one for the process
    if not _guarded:
        sys.addaudithook(_audit)
        _guarded = True
    _ours[str(path)] += 1


def unguard(path: Path) -> None:
    """This store has closed the file."""
    _ours[str(path)] -= 1


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event != "sqlite3.connect" or not _ours:
        return
    name = arguments[0]
    if not isinstance(name, str | bytes | os.PathLike):
        return
    text = os.fsdecode(name)
    for candidate in (text, unquote(text.removeprefix("file:").partition("?")[0])):
        real = os.path.realpath(candidate) if candidate and candidate != ":memory:" else ""
        if _ours.get(real, 0) > 0:
            raise StoreError(
                f"{real} is open as an engine's store in this process: sqlite3 would drop its locks and lose committed"
                " rows; use the engine's own calls, apsw, or another process"
            )
