"""An engine in a process of its own, which does what it reads line by line: ``open``, ``resume r1 5``, ..."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import Engine, StepContext, Workflow, create_step, create_workflow
from engine.errors import EngineError


def note(folder: Path, ctx: StepContext) -> None:
    """A step ran."""
    with (folder / "effects").open("a", encoding="utf-8") as file:
        file.write(f"{ctx.run_id} {ctx.path} {ctx.attempt}\n")


def workflows(folder: Path) -> list[Workflow[Any, Any]]:
    """``relay`` waits in its second step at the first attempt; ``asking`` waits for an answer."""

    async def passes(data: int, ctx: StepContext) -> int:
        note(folder, ctx)
        return data + 1

    async def holds(data: int, ctx: StepContext) -> int:
        note(folder, ctx)
        while ctx.attempt == 1 and not (folder / "go").exists():  # noqa: ASYNC110 it is another process that says so
            await asyncio.sleep(0.005)
        return data + 1

    async def asks(data: int, ctx: StepContext) -> int:
        answer: int = await ctx.ask("how many?", int)
        note(folder, ctx)
        return data + answer

    a, b = (create_step(id=id, execute=passes) for id in ("a", "b"))
    hold, ask = create_step(id="hold", execute=holds), create_step(id="ask", execute=asks)
    return [
        create_workflow(id="relay").then(a).then(hold).then(b).commit(),
        create_workflow(id="asking").then(ask).then(b).commit(),
    ]


def effects(folder: str) -> set[str]:
    return set(Path(folder, "effects").read_text(encoding="utf-8").splitlines())


def strand(folder: str, run_ids: Sequence[str]) -> None:
    """Start runs, and die when each is in its second step."""

    async def work() -> None:
        async with Engine(workflows(Path(folder)), store=Path(folder, "runs.db")) as engine:
            for run_id in run_ids:
                await (await engine.create_run("relay", run_id=run_id)).start_soon(0)
            wanted = {f"{run_id} hold 1" for run_id in run_ids}
            while not wanted <= effects(folder):  # noqa: ASYNC110 steps say it in a file only
                await asyncio.sleep(0.001)
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(work())


async def obey(engine: Engine, verb: str, run_id: str, *more: str) -> object:
    match verb:
        case "open":
            await engine.open()
        case "close":
            await engine.close()
        case "create":
            await engine.create_run(more[0], run_id=run_id)
        case "start":
            await (await engine.get_run(run_id)).start_soon(0)
        case "resume":
            await (await engine.get_run(run_id)).resume_soon(int(more[0]))
        case "cancel":
            return await (await engine.get_run(run_id)).cancel()
        case "wait":
            result = await (await engine.get_run(run_id)).wait(20)
            return f"{result.status} {result.result}"
        case "take":
            await engine.take_over(run_id)
        case _:
            raise ValueError(verb)
    return "ok"


async def main(folder: Path) -> None:
    engine = Engine(workflows(folder), store=folder / "runs.db")
    while line := await asyncio.to_thread(sys.stdin.readline):
        verb, run_id, *more = [*line.split(), ""]
        try:
            answer = await obey(engine, verb, run_id, *more)
        except EngineError as error:
            answer = type(error).__name__
            sys.stderr.write(f"{line.strip()}: {error}\n")
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
