"""DBOS."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from tests.benchmarks.peers import Peer, need
from tests.benchmarks.workloads import Library, Number


class Contender(Peer):
    """A durable function; each step that it calls is recorded in the SQLite database that it has by itself.

    Its workflows and steps are registered before it is launched, once in a process.
    """

    launched: Any = None

    async def prepare(self) -> None:
        module = need("dbos")
        if Contender.launched is None:
            Contender.launched = Registered(module)
            url = f"sqlite:///{self.folder / 'peer.db'}"
            options = {"application_version": "1", "executor_id": "benchmarks", "log_level": "ERROR"}
            module.DBOS(config={"name": "benchmarks", "system_database_url": url, **options})
            module.DBOS.launch()
        self.module, self.flows = module, Contender.launched

    async def run(self) -> int:
        """One run."""
        workload = self.workload
        name = uuid.uuid4().hex
        if workload.shape == "approval":
            return await self.approve(name)
        with self.module.SetWorkflowID(name):
            match workload.shape:
                case "foreach":
                    return int(await self.flows.spread([item["n"] for item in self.input], workload.window))
                case "parallel":
                    return int(await self.flows.spread([0] * workload.steps, workload.steps))
                case _:
                    data = (Library if workload.documents else Number)(**self.input)
                    return int(await self.flows.chain(data, workload.steps, workload.changing))

    async def approve(self, name: str) -> int:
        """One run that waits for an answer."""
        dbos = self.module.DBOS
        with self.module.SetWorkflowID(name):
            handle = await dbos.start_workflow_async(self.flows.approval)
        await dbos.get_event_async(name, "asked")
        await dbos.send_async(name, True, "answer")
        return int(await handle.get_result())


class Registered:
    """Its steps and workflows."""

    def __init__(self, module: Any) -> None:
        dbos = module.DBOS

        @dbos.step()
        async def add(data: Number) -> Number:
            return Number(n=data.n + 1)

        @dbos.step()
        async def pass_on(data: Library, by: int) -> Library:
            return Library.model_construct(n=data.n + by, documents=data.documents)

        @dbos.workflow()
        async def chain(data: Any, steps: int, changing: bool) -> int:
            for _ in range(steps):
                data = await (add(data) if isinstance(data, Number) else pass_on(data, int(changing)))
            return int(data.n)

        @dbos.workflow()
        async def spread(items: list[int], window: int) -> int:
            gate = asyncio.Semaphore(window)

            async def one(n: int) -> int:
                async with gate:
                    return int((await add(Number(n=n))).n)

            return sum(await asyncio.gather(*[one(n) for n in items]))

        @dbos.workflow()
        async def approval() -> int:
            await dbos.set_event_async("asked", True)
            return int(bool(await dbos.recv_async("answer", timeout_seconds=600)))

        self.chain, self.spread, self.approval = chain, spread, approval
