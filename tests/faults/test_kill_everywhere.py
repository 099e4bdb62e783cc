"""A process is killed at every write to its database: nothing recorded is lost, nothing recorded runs twice.

Each write, sync, truncation and removal of a file of the store is one place to die. By default every fourth is tried
(all kinds, both ends); ``EVERY_KILL=1`` in the environment tries all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UnknownRun
from engine.verify import verify
from tests.faults.disk import opened
from tests.faults.processes import Zygote, zygote
from tests.faults.programs.zygote import PATIENCE
from tests.requires import requires_tool

SYSCALLS = ("pwrite64", "fdatasync", "ftruncate", "unlink")
STRACE = (
    *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={','.join(SYSCALLS)}"),
    *(word for name in SYSCALLS for word in ("-e", f"inject={name}:signal=SIGKILL:when={PATIENCE}")),
)
STRIDE = 1 if os.environ.get("EVERY_KILL") else 4

pytestmark = [requires_tool("strace"), pytest.mark.timeout(300)]

Place = tuple[str, int]
Line = tuple[int, str, str | None, int | None]


@dataclass
class Seen:
    """What is on disk after a kill, and what had happened outside by then."""

    log: list[Line]
    notes: list[list[str]]

    @property
    def effects(self) -> Counter[str]:
        return Counter(words[1] for words in self.notes if words[0] == "ran")


async def look(folder: Path) -> Seen:
    """Read a copy of the database, so that the next process finds it as the kill left it."""
    copy = folder / "copy"
    copy.mkdir()
    for name in ("runs.db", "runs.db-wal"):
        if (folder / name).exists():
            shutil.copy(folder / name, copy / name)
    log: list[Line] = []
    if (copy / "runs.db").exists():
        async with opened(copy / "runs.db") as store:
            try:
                log = [(fact.seq, fact.type, fact.path, fact.attempt) for fact in await store.read("r1")]
            except UnknownRun:
                pass
    shutil.rmtree(copy)
    effects = folder / "effects"
    lines = effects.read_text(encoding="utf-8").splitlines() if effects.exists() else []
    return Seen(log, [line.split() for line in lines])


def lost(seen: Seen, before: Seen) -> Iterator[str]:
    """What was recorded, or told to somebody, and is not on disk."""
    if seen.log[: len(before.log)] != before.log:
        yield "events that were recorded have changed"
    types = {type for _, type, _, _ in seen.log}
    starts = {(path, attempt) for _, type, path, attempt in seen.log if type == "step.started"}
    for words in seen.notes:
        if words[0] == "told" and int(words[1]) > len(seen.log):
            yield f"event {words[1]} was told and is lost"
        if words[0] == "accepted" and words[1] not in types:
            yield f"{words[1]} was accepted and is lost"
        if words[0] == "ran" and (words[1], int(words[2])) not in starts:
            yield f"attempt {words[2]} of {words[1]} ran and its start is lost"


def repeated(seen: Seen, before: Seen) -> Iterator[str]:
    """Steps that were recorded as finished and ran once more."""
    finished = {path for _, type, path, _ in before.log if type == "step.succeeded" and path is not None}
    for path in finished:
        if seen.effects[path] != before.effects[path]:
            yield f"{path} had finished and ran again"


def faults(kills: list[Seen], end: Seen) -> Iterator[str]:
    seen = [Seen([], []), *kills, end]
    for before, after in zip(seen, seen[1:], strict=False):
        yield from lost(after, before)
        yield from repeated(after, before)
    for path, times in end.effects.items():
        if times > 1 + len(kills):
            yield f"{path} ran {times} times over {len(kills)} kills"


class Chain:
    """Runs that are killed at some places, one after another, and then finished."""

    def __init__(self, folder: Path, zygote: Zygote, workflow: str) -> None:
        self._folder = folder
        self._zygote = zygote
        self._workflow = workflow
        self.kills = 0

    async def run(self, *places: Place) -> tuple[list[str], Any, bool]:
        """What went wrong, the result, and whether the process lived to die at the last place."""
        folder = self._folder / "-".join(f"{syscall}{number}" for syscall, number in places)
        folder.mkdir()
        seen = []
        died = True
        for place in places:
            died = await self._go(folder, place) == -9
            if died:
                self.kills += 1
                seen.append(await look(folder))
        code = await self._go(folder, None)
        found = [] if code == 0 else [f"the process that went on ended with {code}"]
        found += faults(seen, await look(folder))
        found += verify(folder / "runs.db")
        result = json.loads((folder / "result").read_text(encoding="utf-8"))
        shutil.rmtree(folder)
        return [f"{places}: {fault}" for fault in found], result, died

    async def _go(self, folder: Path, place: Place | None) -> int:
        return await self._zygote.call("ten_steps:go", str(folder), self._workflow, kill=place)


@pytest.fixture
async def zygotes() -> AsyncIterator[list[Zygote]]:
    """Two processes under strace."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(zygote(*STRACE)) for _ in range(2)]


async def places_to_die(chain: Chain) -> list[Place]:
    """Every write of a whole run, by kind; where a kind ends is found by doubling and halving."""
    places: list[Place] = []
    for syscall in SYSCALLS:
        low, high = 0, PATIENCE
        while high - low > 1:
            middle = (low + high) // 2
            _, _, died = await chain.run((syscall, middle))
            low, high = (middle, high) if died else (low, middle)
        assert low < PATIENCE - 1, f"PATIENCE is too low for {syscall}"
        some = {*range(1, low + 1, STRIDE), low} if low else set()
        places += [(syscall, number) for number in sorted(some)]
    return places


async def test_killed_at_every_write_a_run_loses_nothing_and_repeats_nothing_recorded(
    tmp_path: Path, zygotes: list[Zygote], record_property: Any
) -> None:
    found = []
    kills = Counter[str]()
    for workflow in ("ten", "asking"):
        (tmp_path / workflow).mkdir()
        chains = [Chain(tmp_path / workflow, zygote, workflow) for zygote in zygotes]
        _, oracle, died = await chains[0].run(("pwrite64", PATIENCE - 1))
        assert (died, oracle[0]) == (False, "success")
        todo = await places_to_die(chains[0])
        kinds = {syscall for syscall, _ in todo}
        assert kinds == set(SYSCALLS)

        async def work(chain: Chain, todo: list[Place] = todo, oracle: Any = oracle) -> None:
            while todo:
                faults, result, _ = await chain.run(todo.pop(0))
                found.extend(faults)
                if result != oracle:
                    found.append(f"the result is {result}")

        await asyncio.gather(*map(work, chains))
        kills[workflow] = sum(chain.kills for chain in chains)
    record_property("kills", dict(kills))
    assert found == []
    assert min(kills.values()) > 30, kills
