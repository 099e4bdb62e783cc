"""A run on a terminal: its steps as they happen, its questions, its end."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TextIO

from engine import Engine, Event, InvalidResume, Run, RunResult, Suspension, Workflow
from engine.graph import build_graph
from studio.questions import fields_of, read_answer

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
ENDS = {"success": "32", "failed": "31", "canceled": "33"}
QUIET = {"start", "end", "join", "branch"}  # drawn, but not steps


class Terminal:
    """Writes to ``out``; asks a person at ``keyboard`` if there is one."""

    def __init__(self, out: TextIO, keyboard: TextIO | None = None) -> None:
        self._out = out
        self._has_colour = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._is_plain = not _can_write(out, "".join(look[0] for look in LOOKS.values()))
        self._keyboard = keyboard

    def line(self, text: str = "", colour: str = "") -> None:
        """One line. Whatever could steer the terminal is shown instead of done."""
        shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
        if self._is_plain:
            shown = shown.encode(self._out.encoding or "ascii", "replace").decode(self._out.encoding or "ascii")
        self._out.write(f"\033[{colour}m{shown}\033[0m\n" if colour and self._has_colour else f"{shown}\n")
        self._out.flush()

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

    def answer(self, asked: Suspension, samples: Iterator[Any]) -> tuple[Any, bool]:
        """A person's answer, else the next sample; and whether there was one."""
        if self._keyboard is not None:
            return read_answer(fields_of(asked.schema), partial(self._ask, self._keyboard)), True
        sample = next(samples, None)
        if sample is not None:
            self.line(f"    Nobody is at the keyboard; the sample answers: {json.dumps(sample, ensure_ascii=False)}")
        return sample, sample is not None

    def _ask(self, keyboard: TextIO, prompt: str) -> str:
        """One line from the keyboard. Raises ``EOFError`` at its end, and ``KeyboardInterrupt``."""
        self._out.write(f"      {prompt} ")
        self._out.flush()
        # The event loop takes Ctrl-C for itself; while a person is asked, it ends the program at once.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            line = keyboard.readline()
        finally:
            signal.signal(signal.SIGINT, before)
        if not line:
            self.line()
            raise EOFError
        return line.strip()


async def follow(engine: Engine, run: Run, input: Any, screen: Terminal, answers: Iterable[Any] = ()) -> RunResult:
    """Start a run and show it until it ends, or asks something that nobody answers. Raises ``InvalidInput``."""
    shown = _steps(engine.workflows[run.workflow_id])
    started: dict[str | None, datetime] = {}
    samples = iter(answers)
    await run.start_soon(input)
    async for event in run.events():
        if event.type == "step.started":
            started[event.path] = event.at
        kind = shown.get(re.sub(r"\[\d+\]", "[]", event.path or ""))
        if event.type in LOOKS and kind and (kind != "map" or event.type == "step.failed"):
            began = started.get(event.path) if event.type != "timer.started" else None
            screen.step(event, None if began is None else (event.at - began).total_seconds())
        if event.type == "run.suspended" and not await _answer(engine, run, screen, samples):
            break
    return await run.result()


async def _answer(engine: Engine, run: Run, screen: Terminal, samples: Iterator[Any]) -> bool:
    """Get the oldest open question answered; whether it was."""
    asked = (await engine.suspensions(run.run_id, limit=1)).items[0]
    screen.question(asked)
    while True:
        try:
            answer, given = screen.answer(asked, samples)
            if given:
                await run.resume_soon(answer, suspension=asked)
        except EOFError:
            return False
        except InvalidResume as error:
            screen.line(f"    {error}", "31")
        else:
            return given


def show_end(screen: Terminal, result: RunResult) -> None:
    """How a run ended, in a line or a few."""
    text = f"  {result.status}"
    if result.status == "failed" and result.error:
        text += f": {result.error['type']}: {result.error['message']}"
    screen.line(text, ENDS.get(result.status, "33"))
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


def _steps(workflow: Workflow[Any, Any]) -> dict[str, str]:
    """The places of what a person calls a step, with its kind: no blocks around others."""
    nodes = build_graph(workflow).nodes.values()
    return {node.place: node.kind for node in nodes if node.place and node.kind not in QUIET}


def _can_write(out: TextIO, text: str) -> bool:
    try:
        text.encode(out.encoding or "ascii")
    except UnicodeError:
        return False
    return True
