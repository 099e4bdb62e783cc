"""Inputs that were given a name: kept in a JSON file beside the store, or for as long as the process lives."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studio.settings import Settings, store_file

LONGEST_NAME = 60
MOST = 50
"""Presets of one workflow."""

LARGEST = 2_000_000
"""Bytes of the file."""

PATIENCE = 3.0
"""Seconds in which another process must have written."""

Book = dict[str, dict[str, Any]]
"""Workflow -> name -> input."""


class PresetError(Exception):
    """What can't be kept, or read; the message says why."""


class Presets:
    """Named inputs. Several threads and processes may use it at once: each changes what the others have left.

    Saving and deleting wait for the disk.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._book: Book = {}

    def of(self, workflow: str) -> dict[str, Any]:
        """What a workflow has, by name. What is in a file that can't be read is not there."""
        with suppress(PresetError):  # nobody is waited for: a book is replaced as a whole
            return self._read().get(workflow, {})
        return {}

    def save(self, workflow: str, name: str, value: Any) -> str:
        """Keep an input; one of that name is replaced. Gives the name as it is kept. Raises ``PresetError``."""
        name = tidy(name)
        if not name:
            raise PresetError("Give the preset a name.")
        if len(name) > LONGEST_NAME:
            raise PresetError(f"A name has at most {LONGEST_NAME} characters.")
        with self._alone():
            book = self._read()
            mine = book.get(workflow, {}) | {name: value}
            if len(mine) > MOST:
                raise PresetError(f"A workflow has at most {MOST} presets; delete one.")
            self._write(book | {workflow: mine})
        return name

    def delete(self, workflow: str, name: str) -> None:
        """Forget an input; if there is none of that name, nothing happens. Raises ``PresetError``."""
        with self._alone():
            book = self._read()
            mine = {key: value for key, value in book.get(workflow, {}).items() if key != name}
            others = {key: value for key, value in book.items() if key != workflow}
            self._write(others | ({workflow: mine} if mine else {}))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """From reading to writing nobody else writes, here or in another process."""
        with self._lock:
            if self._file is None:
                yield
                return
            try:
                with FileLock(self._file.with_name(f".{self._file.name}.lock"), PATIENCE, 0o600):
                    yield
            except Timeout as error:
                raise PresetError(f"{error.lock_file} is held by another process; try again.") from error
            except OSError as error:
                raise PresetError(f"{self._file} can't be written: {error.strerror}.") from error

    def _read(self) -> Book:
        if self._file is None:
            return self._book
        try:
            with self._file.open("rb") as file:
                return _book(file.read(LARGEST + 1))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise PresetError(f"{self._file} can't be read as presets ({error}); move it away.") from error

    def _write(self, book: Book) -> None:
        try:
            text = json.dumps(book, ensure_ascii=False, indent=1, allow_nan=False).encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise PresetError(f"This input can't be kept as JSON: {error}.") from error
        if len(text) > LARGEST:
            raise PresetError(f"All presets together have at most {LARGEST:,} bytes; delete one.")
        if self._file is None:
            self._book = json.loads(text)
            return
        _replace(self._file, text)


def _book(text: bytes) -> Book:
    if len(text) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    book = json.loads(text)
    if not isinstance(book, dict) or not all(isinstance(mine, dict) for mine in book.values()):
        raise ValueError("it is no object of objects")
    return book


def _replace(file: Path, text: bytes) -> None:
    """Write a file as a whole or not at all, for its owner's eyes only."""
    made = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        made.replace(file)
    except OSError:
        made.unlink(missing_ok=True)
        raise


def tidy(name: str) -> str:
    """A name on one line, without what can't be seen."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())


def beside(settings: Settings) -> Path | None:
    """The file of a store's presets; ``None`` for a store that is no file."""
    store = store_file(settings.store_url)
    return None if store is None else store.with_name(f"{store.name}.presets.json")
