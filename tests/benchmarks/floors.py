"""The least that the work can cost: await the functions, check what goes in and out, and write one row a step.

These run in processes of their own: a second copy of SQLite in the engine's process would drop its file locks.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.workloads import Library, Number, Workload, given

FILLING = "." * 430
"""Brings a row to the size of a small event."""


class MemoryFloor:
    """asyncio and pydantic, nothing else."""

    async def open(self, workload: Workload, folder: Path) -> None:
        """Prepare for a workload."""
        self.workload, self.folder = workload, folder
        self.input = given(workload)
        self.check: Callable[[Any], Any] = (
            Library if workload.documents else Number
        ).__pydantic_validator__.validate_python
        self.function = _function(workload)

    async def step(self, data: Any) -> Any:
        """One step: check, call, check."""
        made = await self.function(self.check(data))
        self.check(made)
        return made

    async def run(self) -> int:
        """One run of the workload."""
        data = self.input
        match self.workload.shape:
            case "parallel":
                made = await asyncio.gather(*[self.step(data) for _ in range(self.workload.steps)])
                return sum(one["n"] for one in made)
            case "foreach":
                items = iter(data)
                return sum(await asyncio.gather(*[self.work(items) for _ in range(self.workload.window)]))
            case _:
                for _ in range(self.workload.steps):
                    data = await self.step(data)
                return int(data["n"])

    async def work(self, items: Any) -> int:
        """One of the workers that share a foreach's items."""
        return sum([(await self.step(item))["n"] for item in items])

    async def tidy(self) -> None:
        """Forget ended runs."""

    async def close(self) -> None:
        """Let go of everything."""


class SqliteFloor(MemoryFloor):
    """The memory floor and one row a step, each in its own transaction of a write-ahead log."""

    def __init__(self, synchronous: str) -> None:
        self.synchronous = synchronous

    async def open(self, workload: Workload, folder: Path) -> None:
        await super().open(workload, folder)
        self.db = sqlite3.connect(self.folder / "floor.db", isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute(f"PRAGMA synchronous = {self.synchronous}")
        self.db.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT)")

    async def step(self, data: Any) -> Any:
        made = await super().step(data)
        self.write(made)
        return made

    def write(self, made: Any) -> int | None:
        """Commit one row; its id."""
        body = json.dumps({"made": made, "filling": FILLING})
        return self.db.execute("INSERT INTO rows (body) VALUES (?)", (body,)).lastrowid

    async def run(self) -> int:
        if self.workload.shape != "approval":
            return await super().run()
        asked = self.write(self.input)
        (body,) = self.db.execute("SELECT body FROM rows WHERE id = ?", (asked,)).fetchone()
        return int((await self.step(json.loads(body)["made"]))["n"])

    async def close(self) -> None:
        self.db.close()


def _function(workload: Workload) -> Callable[[Any], Awaitable[Any]]:
    async def add(data: Number) -> dict[str, Any]:
        return {"n": data.n + 1}

    async def pass_on(data: Library) -> dict[str, Any]:
        return {"n": data.n + workload.changing, "documents": [document.__dict__ for document in data.documents]}

    return pass_on if workload.documents else add
