"""A person's keyboard: lines are read without holding up what runs meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

if sys.platform != "win32":
    import termios


class Keyboard:
    """Reads lines from a terminal. What is typed ahead is kept for the next question."""

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._typed = b""

    def unseen(self) -> contextlib.AbstractContextManager[None]:
        """While it is entered, what is typed is not shown."""
        return _without_echo(self._source.fileno())

    async def line(self) -> str:
        """The next line. Raises ``EOFError`` at the end of the input; may be cancelled, and nothing is lost then."""
        while b"\n" not in self._typed:
            more = await self._more()
            if not more:
                self._typed = b""
                raise EOFError
            self._typed += more
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(self._source.encoding or "utf-8", "replace").strip()

    async def _more(self) -> bytes:
        if os.name == "nt":  # a console can't be waited for there
            return (await asyncio.to_thread(self._source.readline)).encode(self._source.encoding or "utf-8")
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._source.fileno(), ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._source.fileno())
        return os.read(self._source.fileno(), 4096)


@contextlib.contextmanager
def _without_echo(terminal: int) -> Iterator[None]:
    """Show nothing of what is typed, where that can be had."""
    if sys.platform == "win32":
        yield
        return
    before = termios.tcgetattr(terminal)
    hidden = [*before]
    hidden[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
