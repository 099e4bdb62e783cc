"""The engine, through its public names only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine import Engine, Run, StepContext, Workflow, create_step, create_workflow
from tests.benchmarks.workloads import FrozenLibrary, Library, Number, Workload, given

Execute = Callable[..., Awaitable[Any]]


class Ours:
    """One engine with one workflow over a store of its own."""

    seen = 0
    """Events that each reader saw of the last run."""

    def __init__(self, store: str) -> None:
        self.store = store

    async def open(self, workload: Workload, folder: Path) -> None:
        """Compile the workflow and open an engine for it."""
        self.workload = workload
        self.input = given(workload)
        self.documents = FrozenLibrary.model_validate(self.input).documents if workload.frozen else ()
        self.base = 0
        self.engine = Engine([build(workload)], store=self.store.format(folder=folder))
        await self.engine.__aenter__()

    async def run(self) -> int:
        """One run of the workload."""
        run = await self.engine.create_run(self.workload.key)
        if self.workload.viewers or self.workload.stalled:
            return await self.run_watched(run)
        if self.workload.documents:
            return await self.run_large(run)
        result = await run.start(self.input)
        if result.status == "suspended":
            result = await run.resume(True)
        return int(result.unwrap()["n"])

    async def run_large(self, run: Run) -> int:
        """One run with payloads that no run before had: what the store has once it would not write again."""
        base = self.base = self.base + self.workload.steps
        frozen = self.workload.frozen
        given = FrozenLibrary(n=base, documents=self.documents) if frozen else {**self.input, "n": base}
        result = await run.start(given)
        return int(result.unwrap()["n"]) - base

    async def run_watched(self, run: Run) -> int:
        """One run with readers. Those that stall hold their place until it has ended."""
        viewers = [asyncio.create_task(_follow(run)) for _ in range(self.workload.viewers)]
        stalled = [run.events() for _ in range(self.workload.stalled)]
        for reader in stalled:
            await anext(reader)
        result = await run.start(self.input)
        seen = set(await asyncio.gather(*viewers))
        for reader in stalled:
            await reader.aclose()
        if len(seen) > 1:
            raise AssertionError(f"readers of one run saw different numbers of events: {seen}")
        self.seen = seen.pop() if seen else 0
        return int(result.unwrap()["n"])

    async def tidy(self) -> None:
        """Forget ended runs."""
        if self.store == ":memory:":
            await self.engine.prune(older_than=timedelta(0))

    async def close(self) -> None:
        """Close the engine and its store."""
        await self.engine.__aexit__(None, None, None)


async def _follow(run: Run) -> int:
    async with aclosing(run.events()) as events:
        return len([event async for event in events])


def build(workload: Workload) -> Workflow[Any, Any]:
    """The workflow for a workload."""
    kind: Any = Number if not workload.documents else FrozenLibrary if workload.frozen else Library
    flow = create_workflow(id=workload.key, input_schema=list[Number] if workload.shape == "foreach" else kind)
    execute = _function(workload)

    def step(i: int) -> Any:
        return create_step(id=f"s{i}", execute=execute, input_schema=kind, output_schema=kind)

    match workload.shape:
        case "chain":
            for i in range(workload.steps):
                flow = flow.then(step(i))
            if workload.frozen:  # as others do it: the object stays here, and the answer is its number
                flow = flow.map(lambda value: {"n": value.n})
        case "loop":
            flow = flow.do_while(step(0), lambda value: value.n < workload.steps)
        case "parallel":
            flow = flow.parallel([step(i) for i in range(workload.steps)]).map(lambda made: _total(made.values()))
        case "foreach":
            flow = flow.foreach(step(0), concurrency=workload.window).map(_total)
        case "approval":
            ask = create_step(id="ask", execute=_ask, input_schema=Number, output_schema=Number, resume_schema=bool)
            flow = flow.then(ask)
    return flow.commit()


def _function(workload: Workload) -> Execute:
    async def add(data: Number) -> Number:
        return Number(n=data.n + 1)

    async def change(data: Library) -> Library:
        return Library(n=data.n + 1, documents=data.documents)

    async def copy(data: FrozenLibrary) -> FrozenLibrary:
        return data.model_copy(update={"n": data.n + 1})

    async def pass_on(data: Library) -> Library:
        return data

    if not workload.documents:
        return add
    if workload.frozen:
        return copy
    return change if workload.changing else pass_on


async def _ask(data: Number, ctx: StepContext) -> Number:
    if ctx.resume_data is None:
        await ctx.suspend({"question": "Go on?"})
    return Number(n=data.n + 1)


def _total(made: Any) -> dict[str, int]:
    return {"n": sum(one["n"] if isinstance(one, dict) else one.n for one in made)}
