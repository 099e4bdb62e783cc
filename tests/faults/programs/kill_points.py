"""Processes that kill themselves at a chosen moment: before or after a fact is written, or inside a step."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import Engine, RetryPolicy, Run, Step, StepContext, Workflow, create_step, create_workflow
from engine.errors import AlreadyStarted, UnknownRun
from engine.events import Fact
from engine.stores.sqlite import SqliteStore

NEVER = "NEVER"
_folder = Path()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(SqliteStore):
    """A store that kills its process ``before`` or ``after`` it writes the last of some facts."""

    def __init__(self, path: Path, when: str, facts: Sequence[str]) -> None:
        super().__init__(path)
        self._when = when
        self._awaited = set(facts)

    async def append(self, run_id: str, facts: Sequence[Fact], *, epoch: int, solo: bool = False) -> None:
        hit = bool(self._awaited)
        self._awaited -= {f"{fact.type} {fact.path or ''}".rstrip() for fact in facts}
        hit = hit and not self._awaited
        if hit and self._when == "before":
            die()
        await super().append(run_id, facts, epoch=epoch, solo=solo)
        if hit:
            die()


def note(ctx: StepContext, *more: object) -> None:
    with (_folder / "effects").open("a", encoding="utf-8") as file:
        file.write(" ".join(map(str, (ctx.path, ctx.attempt, *more))) + "\n")


def adds(id: str, amount: int = 1, **options: Any) -> Step[Any, Any]:
    async def execute(data: Any, ctx: StepContext) -> Any:
        note(ctx, ctx.idempotency_key)
        return data + amount

    return create_step(id=id, execute=execute, **options)


async def ask(data: int, ctx: StepContext) -> int:
    note(ctx)
    answer = await ctx.ask({"so far": data}, int)
    note(ctx, "answered", answer)
    return data + answer


async def waits(data: int, ctx: StepContext) -> int:
    """Goes on only where the file ``open`` is."""
    note(ctx)
    if not (_folder / "open").exists():
        await asyncio.Event().wait()
    return data + 100


async def kills_at_37(data: int, ctx: StepContext) -> int:
    note(ctx)
    if data == 37 and ctx.attempt == 1:
        die()
    return data * 2


def total(numbers: list[int]) -> int:
    return sum(numbers)


async def fails_twice(data: int, ctx: StepContext) -> int:
    note(ctx)
    if ctx.attempt < 3:
        raise RuntimeError(f"attempt {ctx.attempt}")
    return data + ctx.attempt


async def always_kills(data: int, ctx: StepContext) -> int:
    note(ctx)
    if (_folder / NEVER).exists():
        return data + 1
    die()
    return 0


def workflows() -> list[Workflow[Any, Any]]:
    twice = RetryPolicy(attempts=3, delay=0.3, backoff=1.0, jitter=False)
    items = create_step(id="item", execute=kills_at_37)
    inner = create_workflow(id="inner").foreach(items).map(total)
    waiting = create_step(id="three", execute=waits)
    return [
        create_workflow(id="line").then(adds("a", 1)).then(adds("b", 2)).then(adds("c", 3)).commit(),
        create_workflow(id="asks")
        .then(adds("a"))
        .then(create_step(id="approve", execute=ask))
        .then(adds("pay"))
        .commit(),
        create_workflow(id="joins")
        .parallel([adds("one", 1), adds("two", 2), waiting])
        .map(lambda arms: sum(arms.values()))
        .then(adds("after"))
        .commit(),
        create_workflow(id="items").map(lambda _: list(range(100))).then(inner).then(adds("after")).commit(),
        create_workflow(id="retries").then(create_step(id="flaky", execute=fails_twice, retry=twice)).commit(),
        create_workflow(id="deadly").then(adds("a")).then(create_step(id="bomb", execute=always_kills)).commit(),
        create_workflow(id="two bombs")
        .parallel([create_step(id="bomb", execute=always_kills), waiting])
        .map(lambda arms: sum(arms.values()))
        .commit(),
    ]


def use(folder: Path) -> list[Workflow[Any, Any]]:
    """The workflows, writing down their effects in a folder."""
    global _folder  # noqa: PLW0603 steps have no other way to know it
    _folder = folder
    return workflows()


def go(folder: str, workflow: str, answer: int | None, when: str, facts: Sequence[str]) -> None:
    """Begin the run or go on with it; die on the way."""
    asyncio.run(_go(Path(folder), workflow, answer, Deadly(Path(folder, "runs.db"), when, facts)))


async def _go(folder: Path, workflow: str, answer: int | None, store: SqliteStore) -> None:
    async with Engine(use(folder), store=store) as engine:
        run = await _find(engine, workflow)
        try:
            result = await run.start(0)
        except AlreadyStarted:
            result = await run.wait()
        if answer is not None and result.status == "suspended":
            await run.resume(answer)


async def _find(engine: Engine, workflow: str) -> Run:
    try:
        return await engine.get_run("r1")
    except UnknownRun:
        return await engine.create_run(workflow, run_id="r1")
