"""Reload on save: a small thread looks at the files twice a second, and loads the target again when one has changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from engine import EngineError
from studio.catalog import Loaded
from studio.hosting import Hosting
from studio.loader import BUNDLED, discover_again, usual_target

log = logging.getLogger("studio")

LOOK = 0.5
"""Seconds between two looks at the files."""

Marks = dict[Path, tuple[int, int] | None]


class Reloading:
    """Watches what a target was loaded from. A failure keeps the old workflows, and shows its traceback.

    ``once()`` looks once, for whoever brings a thread of their own.
    """

    def __init__(self, hosting: Hosting, target: str | None) -> None:
        self._hosting = hosting
        self._target = target
        self._marks = _marks(hosting.catalog.loaded.files)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="reload", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        if (self._target or usual_target()).partition(":")[0] != BUNDLED:
            self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK):
            try:
                self.once()
            except Exception:
                log.exception("the workflows could not be loaded again")

    def once(self) -> bool:
        """Load again if a file has changed since the last look; whether that was so."""
        now = _marks(self._marks)
        if now == self._marks:
            return False
        before = self._hosting.catalog.loaded
        after = discover_again(self._target, before)
        self._marks = now | _marks(after.files - set(now))
        self._serve(before, after)
        return True

    def _serve(self, before: Loaded, after: Loaded) -> None:
        changed = [one for id, one in after.workflows.items() if before.workflows.get(id) is not one]
        try:
            self._hosting.register(changed)
        except EngineError as error:
            log.warning("the workflows could not be loaded again: %s", error)
            return
        self._hosting.catalog.replace(after)
        for problem in after.problems:
            log.warning("%s: %s", problem.module, problem.message)
        log.info("loaded again: %s", ", ".join(sorted(one.id for one in changed)) or "nothing new")


def _marks(files: Iterable[Path]) -> Marks:
    return {file: _mark(file) for file in files}


def _mark(file: Path) -> tuple[int, int] | None:
    """What changes when a file is written; of a folder, its Python files."""
    try:
        if file.is_dir():
            return (hash(frozenset(one.name for one in file.glob("*.py"))), 0)
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
