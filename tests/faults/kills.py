"""What the tests of kills share: a process that dies at some moment, and the run as the next one finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine import Engine, Run
from engine.verify import verify
from tests.faults.processes import Zygote
from tests.faults.programs.kill_points import use


async def kill(killer: Zygote, folder: Path, workflow: str, when: str, *facts: str, answer: int | None = None) -> None:
    """A process begins (or goes on with) the run ``r1`` and dies there."""
    assert await killer.call("kill_points:go", str(folder), workflow, answer, when, facts) == -9


@asynccontextmanager
async def recovered(folder: Path) -> AsyncIterator[Run]:
    """The run in a new process's engine; afterwards its store is found to be in order."""
    async with Engine(use(folder), store=folder / "runs.db") as engine:
        yield await engine.get_run("r1")
    assert verify(folder / "runs.db") == []


def effects(folder: Path) -> list[str]:
    """``path attempt`` of every call of a step, in order."""
    text = (folder / "effects").read_text(encoding="utf-8")
    return [" ".join(line.split()[:2]) for line in text.splitlines()]
