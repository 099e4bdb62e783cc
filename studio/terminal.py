"""What a terminal shows of a run: a line for a step, a question, data as an outline."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, TextIO

from engine import Event, RunResult, Suspension
from studio.keyboard import Keyboard
from studio.questions import fields_of, read_answer
from studio.views.faults import fault

# event: icon, the same in ASCII, word, colour
LOOKS = {
    "step.succeeded": ("✓", "+", "done", "32"),
    "step.bailed": ("✓", "+", "ended early", "32"),
    "step.failed": ("✗", "x", "failed", "31"),
    "step.retrying": ("↻", "~", "tries again", "33"),
    "step.suspended": ("?", "?", "asks", "33"),
    "step.skipped": ("·", "-", "skipped", "2"),
    "step.canceled": ("⊘", "o", "canceled", "2"),
    "step.interrupted": ("✗", "x", "interrupted", "33"),
    "timer.started": ("…", ".", "sleeps", "2"),
}
FRAMES = 3  # of an error, the innermost
ENDS = {"success": "32", "failed": "31", "canceled": "33"}


class Terminal:
    """Writes to ``out``; asks a person at ``keyboard`` if there is one."""

    def __init__(self, out: TextIO, keyboard: Keyboard | None = None) -> None:
        self._out = out
        self._has_colour = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._is_plain = not _can_write(out, "".join(look[0] for look in LOOKS.values()))
        self._keyboard = keyboard

    def line(self, text: str = "", colour: str = "") -> None:
        """One line. Whatever could steer the terminal is shown instead of done."""
        shown = self._shown(text)
        self._out.write(f"\033[{colour}m{shown}\033[0m\n" if colour and self._has_colour else f"{shown}\n")
        self._out.flush()

    def _shown(self, text: str) -> str:
        shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
        if self._is_plain:
            shown = shown.encode(self._out.encoding or "ascii", "replace").decode(self._out.encoding or "ascii")
        return shown

    def step(self, event: Event, seconds: float | None) -> None:
        """One line for what happened to a step."""
        icon, plain, word, colour = LOOKS[event.type]
        took = "" if seconds is None else duration(seconds)
        text = f"  {plain if self._is_plain else icon} {word:<12} {event.path or '':<32} {took:>8}"
        error = event.data.get("error") or {}
        self.line(f"{text}  {error.get('message', '')}".rstrip(), colour)

    def question(self, asked: Suspension) -> None:
        """What a run wants to know."""
        self.line(f"    {asked.title or 'The run waits for an answer.'}", "1")
        for line in outline(asked.payload):
            self.line(f"      {line}")

    @property
    def has_person(self) -> bool:
        """Whether somebody can be asked."""
        return self._keyboard is not None

    async def ask(self, schema: Mapping[str, Any] | None) -> Any:
        """A person's answer, field by field. Raises ``EOFError`` if there is nobody, or no longer."""
        return await read_answer(fields_of(schema), self._ask)

    async def _ask(self, prompt: str, secret: bool) -> str:
        """One line from the keyboard."""
        if self._keyboard is None:
            raise EOFError
        with self._keyboard.unseen() if secret else nullcontext():  # before the prompt, which invites to type
            self._out.write(f"      {self._shown(prompt)} ")
            self._out.flush()
            try:
                line = await self._keyboard.line()
            except EOFError:
                self.line()
                raise
        if secret:
            self.line()  # the one that was typed is not shown either
        return line


def show_end(screen: Terminal, result: RunResult) -> None:
    """How a run ended, in a line or a few."""
    text = f"  {result.status}"
    if result.status == "failed" and result.error:
        text += f": {result.error['type']}: {result.error['message']}"
    screen.line(text, ENDS.get(result.status, "33"))
    found = fault(result.error) if result.status == "failed" else None
    for frame in found.users[:FRAMES] if found else ():
        screen.line(f"      {frame.file}, line {frame.line}, in {frame.function}", "2")
    if result.status == "success":
        for line in outline(result.result):
            screen.line(f"      {line}")


def outline(value: Any) -> list[str]:
    """JSON data for reading: a line for each thing, with what belongs together indented."""
    pairs: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        pairs = [(f"{key}:", inner) for key, inner in value.items()]
    elif isinstance(value, list):
        pairs = [("-", inner) for inner in value]
    elif isinstance(value, str):
        return value.splitlines() or ["(empty)"]
    else:
        return [json.dumps(value)]
    lines: list[str] = []
    for head, inner in pairs:
        below = outline(inner)
        is_short = len(below) == 1 and not (isinstance(inner, list | Mapping) and inner)
        lines += [f"{head} {below[0]}"] if is_short else [head, *(f"  {line}" for line in below)]
    return lines or ["none"]


def duration(seconds: float) -> str:
    """A time for reading."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _can_write(out: TextIO, text: str) -> bool:
    try:
        text.encode(out.encoding or "ascii")
    except UnicodeError:
        return False
    return True
