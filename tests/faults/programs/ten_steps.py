"""A run of ten steps with a parallel, a nested workflow and a foreach, and one that asks; what they do is noted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import Any

from engine import Engine, Run, RunResult, Step, StepContext, Workflow, create_step, create_workflow
from engine.errors import AlreadyStarted, UnknownRun

START = {"n": 1}
ANSWER = {"n": 1000}
_effects = -1


def note(*words: object) -> None:
    """A line in the file of effects, which a kill can't take back."""
    os.write(_effects, " ".join(map(str, words)).encode() + b"\n")


def adds(id: str, amount: int) -> Step[Any, Any]:
    async def execute(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        note("ran", ctx.path, ctx.attempt)
        await asyncio.sleep(0)
        return {"n": data["n"] + amount}

    return create_step(id=id, execute=execute)


def in_thread(id: str, amount: int) -> Step[Any, Any]:
    def execute(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        note("ran", ctx.path, ctx.attempt)
        return {"n": data["n"] + amount}

    return create_step(id=id, execute=execute)


async def ask(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    answer = await ctx.ask({"now": data["n"]}, dict[str, int])
    note("ran", ctx.path, ctx.attempt)
    return {"n": data["n"] + answer["n"]}


ten: Workflow[Any, Any] = (
    create_workflow(id="ten")
    .then(adds("first", 1))
    .parallel([adds("left", 10), in_thread("right", 20)])
    .map(lambda arms: {"n": arms["left"]["n"] + arms["right"]["n"]})
    .then(create_workflow(id="inner").then(adds("third", 100)).then(adds("fourth", 200)))
    .map(lambda value: [{"n": value["n"] + i} for i in range(3)])
    .foreach(adds("item", 1000), concurrency=2)
    .map(lambda items: {"n": sum(item["n"] for item in items)})
    .then(adds("last", 5))
    .commit()
)

asking: Workflow[Any, Any] = (
    create_workflow(id="asking")
    .then(adds("before", 1))
    .then(create_step(id="approve", execute=ask))
    .then(adds("pay", 7))
    .commit()
)


def go(folder: str, workflow: str) -> None:
    """Begin the run or go on with it, to its end."""
    global _effects  # noqa: PLW0603 a file that is open for the process's whole life
    _effects = os.open(Path(folder, "effects"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    result = asyncio.run(finish(folder, workflow))
    outputs = {path: record.output for path, record in result.steps.items()}
    Path(folder, "result").write_text(json.dumps([result.status, result.result, outputs]), encoding="utf-8")


async def finish(folder: str, workflow: str) -> RunResult:
    async with Engine([ten, asking], store=f"sqlite:///{folder}/runs.db") as engine:
        run = await find(engine, workflow)
        listening = asyncio.create_task(listen(run))
        with contextlib.suppress(AlreadyStarted):
            await run.start_soon(START)
        note("accepted", "run.started")
        result = await run.wait()
        if result.status == "suspended":
            note("asked", result.steps["approve"].suspend_payload["now"])
            await run.resume_soon(ANSWER)
            note("accepted", "step.resumed")
            result = await run.wait()
        note("accepted", "run.succeeded")
        await listening
        return result


async def find(engine: Engine, workflow: str) -> Run:
    try:
        return await engine.get_run("r1")
    except UnknownRun:
        run = await engine.create_run(workflow, run_id="r1")
        note("accepted", "run.created")
        return run


async def listen(run: Run) -> None:
    """Whatever a watcher is told must be in the file by then."""
    async for event in run.events():
        note("told", event.seq)
