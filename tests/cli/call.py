"""The command ``studio`` in a process of its own, as a person or a script calls it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

STUDIO = [sys.executable, "-c", "import sys; from studio.cli import main; sys.exit(main())"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")} | {
    "PYTHONPATH": str(ROOT),
    "PYTHONIOENCODING": "utf-8",
}


def studio(*words: str | Path, cwd: Path, **more: str) -> tuple[int, str, str]:
    """Exit code, output and errors of one call, with nobody at the keyboard."""
    command = [*STUDIO, *map(str, words)]
    done = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT | more, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


@contextmanager
def started(*words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A call that goes on meanwhile, with nobody at the keyboard; it is gone afterwards."""
    running = subprocess.Popen(
        [*STUDIO, *words],
        cwd=cwd,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def wait_for(running: subprocess.Popen[str], part: str) -> str:
    """Read its output up to a line with ``part``; that line."""
    for line in running.stdout or ():
        if part in line:
            return line
    raise AssertionError(f"it ended without {part!r}: {running.stderr.read() if running.stderr else ''}")


class Desk:
    """A person at a terminal: reads what a call shows, and types."""

    def __init__(self, terminal: int, process: subprocess.Popen[bytes]) -> None:
        self._terminal = terminal
        self.process = process
        self.said = ""
        self._at = 0

    def read_until(self, mark: str) -> None:
        """Read until ``mark`` has come, after the mark before."""
        while mark not in self.said[self._at :]:
            assert select.select([self._terminal], [], [], 20)[0], self.said
            self.said += os.read(self._terminal, 4096).decode("utf-8")
        self._at = self.said.index(mark, self._at) + len(mark)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._terminal, text.encode())


@contextmanager
def desk(*words: str, cwd: Path) -> Iterator[Desk]:
    """A call with a person at a terminal."""
    pty = pytest.importorskip("pty", reason="a terminal can be imitated on POSIX systems only")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*STUDIO, *words], cwd=cwd, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        os.close(theirs)
        yield Desk(ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
