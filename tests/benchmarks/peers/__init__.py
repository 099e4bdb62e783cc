"""Other engines, each as its own documentation has it; only those that the interpreter can import take part.

What they promise differs: some check no value, and a store may be written after the step that follows has begun.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.workloads import Workload, given

PEERS = {
    "langgraph": "langgraph.graph",
    "langgraph-sqlite": "langgraph.checkpoint.sqlite.aio",
    "burr": "burr.core",
    "burr-sqlite": "burr.integrations.persisters.b_aiosqlite",
    "pydantic-graph": "pydantic_graph",
    "llama-index": "workflows",
    "dbos-sqlite": "dbos",
}
"""The contenders and the module that each needs."""


def make(kind: str, *, stored: bool) -> Any:
    """The peer of a name."""
    module = importlib.import_module(f"tests.benchmarks.peers.{kind.replace('-', '_')}")
    return module.Contender(stored)


def need(module: str) -> Any:
    """A peer's module. Raises ``NotImplementedError`` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotImplementedError(f"absent: {error}") from None


class Peer:
    """What the peers share: a counter for the names of runs, and nothing to tidy."""

    def __init__(self, stored: bool) -> None:
        self.stored = stored
        self.names = map("run-{}".format, itertools.count())
        self.closing: Callable[[], Awaitable[Any]] | None = None

    async def open(self, workload: Workload, folder: Path) -> None:
        """Build the graph and open the store."""
        if workload.shape == "approval" and not self.stored:
            raise NotImplementedError("a run that waits needs a store")
        self.workload, self.input, self.folder = workload, given(workload), folder
        await self.prepare()

    async def prepare(self) -> None:
        """Build what :meth:`run` uses."""
        raise NotImplementedError

    async def tidy(self) -> None:
        """Keep what is kept."""

    async def close(self) -> None:
        """Close the store."""
        if self.closing is not None:
            await self.closing()
