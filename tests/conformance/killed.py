"""A program that is killed in the middle of a run, and the workflows that it and its successor share.

``python -m tests.conformance.killed STORE WORKFLOW NOTES`` starts a run of the workflow and dies in it by SIGKILL.
Steps write a line to NOTES for each call, so that both processes' calls can be counted; what kills does so once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from engine import Engine, RunInfo, StepContext, Workflow, create_step, create_workflow

INPUT: dict[str, Any] = {"arms": {"n": 1}, "items": [1, 2, 3], "rounds": 0}


class Notes:
    """Who was called, over both lives."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, line: str) -> bool:
        """Note a call; whether it is the first of its name."""
        first = line not in self.lines()
        with self._path.open("a") as file:
            file.write(line + "\n")
        return first

    def lines(self) -> list[str]:
        return self._path.read_text().split("\n")[:-1] if self._path.exists() else []

    def step(self, id: str, *, kills: Any = None, wait: float = 0.0, **options: Any) -> Any:
        """A step that notes itself, gives its input back, and dies the first time at an input (``...``: any)."""

        async def work(data: Any, ctx: StepContext) -> Any:
            first = self.add(f"{ctx.path}:{ctx.idempotency_key.removeprefix(ctx.run_id)}")
            if first and (kills is ... or (kills is not None and kills == data)):
                await asyncio.sleep(wait)
                os.kill(os.getpid(), signal.SIGKILL)
            return data

        return create_step(id=id, execute=work, **options)


def arms(notes: Notes) -> Workflow[Any, Any]:
    """Two arms: one ends, one kills."""
    both = [notes.step("quick"), notes.step("deadly", kills=..., wait=0.05)]
    return create_workflow(id="arms").then(notes.step("a")).parallel(both).then(notes.step("z"))


def items(notes: Notes) -> Workflow[Any, Any]:
    """Three items, the second kills."""
    return create_workflow(id="items").foreach(notes.step("item", kills=2))


def rounds(notes: Notes) -> Workflow[Any, Any]:
    """Three rounds, the second kills."""

    async def more(data: int, ctx: StepContext) -> int:
        if notes.add(ctx.path) and data == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return data + 1

    return create_workflow(id="rounds").do_while(create_step(id="more", execute=more), "value < 3")


def asleep(notes: Notes) -> Workflow[Any, Any]:
    """A sleeper, and a step that kills while it sleeps."""
    sleeper = create_workflow(id="s").sleep(0.6)
    return create_workflow(id="asleep").parallel([sleeper, notes.step("deadly", kills=..., wait=0.05)])


def state(notes: Notes) -> Workflow[Any, Any]:
    """A step that writes, and one that kills after it has written."""

    async def write(data: Any, ctx: StepContext) -> None:
        ctx.set_state(c=ctx.state.get("c", 1) + 41)

    async def read(data: Any, ctx: StepContext) -> Any:
        if notes.add("read"):
            ctx.set_state(c=0)
            os.kill(os.getpid(), signal.SIGKILL)
        return ctx.state

    first, second = create_step(id="write", execute=write), create_step(id="read", execute=read)
    return create_workflow(id="state").then(first).then(second)


def ask(notes: Notes) -> Workflow[Any, Any]:
    """A step that kills, and wants to be asked about."""
    return create_workflow(id="ask").then(notes.step("deadly", kills=..., on_crash="ask")).then(notes.step("z"))


def end(notes: Notes) -> Workflow[Any, Any]:
    """A hook that kills."""
    return create_workflow(id="end", on_finish=lambda info: finish(notes, info)).then(notes.step("a"))


WORKFLOWS = {make.__name__: make for make in (arms, items, rounds, asleep, state, ask, end)}


def finish(notes: Notes, info: RunInfo) -> None:
    """The hook of the workflow ``end``: dies the first time."""
    if notes.add(f"finish {info.status}"):
        os.kill(os.getpid(), signal.SIGKILL)


async def main(store: str, name: str, notes: str) -> None:
    async with Engine([WORKFLOWS[name](Notes(Path(notes)))], store=store) as engine:
        run = await engine.create_run(name, run_id="r")
        await run.start(INPUT.get(name, {}))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
