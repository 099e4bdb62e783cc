"""What the tests of the store's faults share: a store with a run in it, in this process or in another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.events import Fact
from engine.stores.sqlite import SqliteStore
from engine.values import Value

ROOT = Path(__file__).parent.parent.parent


@asynccontextmanager
async def opened(path: Path, durability: str = "normal") -> AsyncIterator[SqliteStore]:
    """An open store."""
    store = SqliteStore(path, durability=durability)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def created(workflow: str = "weather") -> Fact:
    return Fact("run.created", data={"workflow": workflow}, seq=1, at=1001.0)


def said(seq: int, size: int = 2) -> Fact:
    """A step's output of some size."""
    return Fact("step.output", "a", attempt=1, value=Value(b'"' + b"x" * size + b'"'), seq=seq, at=1000.0 + seq)


def started(seq: int) -> Fact:
    """A fact that is synced to disk."""
    return Fact("run.started", value=Value(b"{}"), seq=seq, at=1000.0 + seq)


async def seqs(store: SqliteStore, run_id: str = "r1") -> list[int]:
    return [fact.seq for fact in await store.read(run_id)]


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(file.name for file in folder.iterdir())


def python(script: str, *arguments: str | Path, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A process of its own."""
    command = [*prefix, sys.executable, "-c", script, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
