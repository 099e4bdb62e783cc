"""How a command about a run ends: its exit code, and how to go on with what is left open."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from engine import RunResult
from studio.flags import flags_again
from studio.keyboard import Keyboard
from studio.terminal import Terminal, show_end

EXIT = {"success": 0, "failed": 1, "canceled": 4}
WAITS = 3  # suspended or paused
CODES = "exit codes: 0 success, 1 failed, 2 wrong call, 3 waits for an answer, 4 canceled, 130 interrupted"

Work = Callable[[list[str]], Coroutine[Any, Any, RunResult | None]]
"""Gets a list, puts the run's id into it once there is one, and returns how it ended; ``None``: nothing was done."""


def exit_code(result: RunResult) -> int:
    """By how the run ended."""
    return EXIT.get(result.status, WAITS)


def screen_of() -> Terminal:
    """The terminal; with a person at it, if there is one."""
    has_person = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    return Terminal(sys.stdout, Keyboard(sys.stdin) if has_person else None)


def see_through(chosen: argparse.Namespace, screen: Terminal, work: Work) -> int:
    """Do the work and say how it ended, and how to go on if it has not; the exit code."""
    begun: list[str] = []
    try:
        result = asyncio.run(_awake(work(begun)))
    except KeyboardInterrupt:
        if begun:
            screen.line()
            _say_kept(screen, "Interrupted", begun[0], chosen)
        raise
    if result is None:
        return WAITS
    show_end(screen, result)
    if result.status not in EXIT:
        _say_kept(screen, "Nobody answered", result.run_id, chosen)
    return exit_code(result)


async def _awake(work: Coroutine[Any, Any, RunResult | None]) -> RunResult | None:
    """Do the work in a loop that wakes for every signal: one that comes as it goes to sleep would wait, else."""
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGURG, lambda: None)  # any that means nothing
    return await work


def _say_kept(screen: Terminal, what: str, run_id: str, chosen: argparse.Namespace) -> None:
    """Where a run is that has not ended, and how to go on with it."""
    if chosen.store == ":memory:":
        screen.line(f"  {what}: the run was in memory and is gone; without --store :memory: it is kept.")
    else:
        screen.line(f"  {what}: run {run_id} is kept in {chosen.store}.")
        screen.line(f"  Go on with it: studio resume {run_id}{flags_again(chosen)}")
