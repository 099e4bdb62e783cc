"""What the tests of all stores share: the stores themselves, and runs to put into them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.events import Fact
from engine.store import RunFilter, Store
from engine.stores import open_store
from engine.values import Value

STORES = ["memory", "sqlite", "sqlite-full", "sqlite-relaxed"]


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Store]:
    """An open store of a kind."""
    name, _, durability = kind.partition("-")
    where = ":memory:" if name == "memory" else f"sqlite:///{folder}/runs.db?durability={durability or 'normal'}"
    store = open_store(where)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def value(text: str = "{}") -> Value:
    return Value(text.encode())


def facts(*given: Fact, after: int = 0, at: float = 1000.0) -> list[Fact]:
    """Number facts; each is a second later than the one before."""
    for seq, fact in enumerate(given, after + 1):
        fact.seq = seq
        fact.at = at + seq
        if fact.value is not None and not fact.value.seq:
            fact.value.seq = seq
    return list(given)


def created(workflow: str = "weather", **about: Any) -> Fact:
    return Fact("run.created", data={"workflow": workflow, **about})


def suspended(path: str, token: str, **about: Any) -> Fact:
    return Fact("step.suspended", path, attempt=1, data={"token": token, **about}, value=value('{"cost":7}'))


def shown(found: list[Fact]) -> list[tuple[Any, ...]]:
    return [
        (fact.seq, fact.at, fact.type, fact.path, fact.attempt, fact.data or None, fact.value and fact.value.raw)
        for fact in found
    ]


async def add(store: Store, run_id: str = "r1", *more: Fact, at: float = 1000.0, **about: Any) -> list[Fact]:
    """A new run with these facts after its creation."""
    written = facts(created(**about), *more, at=at)
    await store.append(run_id, written, epoch=1)
    return written


async def statuses(store: Store, **where: Any) -> list[str]:
    page = await store.list_runs(RunFilter(**where), limit=100, after=None)
    return [row.run_id for row in page.items]
