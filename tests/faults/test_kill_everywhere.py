"""A process is killed at every write to its database: nothing recorded is lost, nothing recorded runs twice.

Each write, sync, truncation and removal of a file of the store is one place to die. By default every fourth is tried
(all kinds, both ends); ``EVERY_KILL=1`` in the environment tries all of them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from engine.errors import UnknownRun
from engine.verify import verify
from tests.faults.disk import opened
from tests.faults.processes import Zygote
from tests.faults.programs.zygote import PATIENCE
from tests.requires import requires_tool

SYSCALLS = ("pwrite64", "fdatasync", "ftruncate", "unlink")
log = logging.getLogger("tests")
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
            with suppress(UnknownRun):
                log = [(fact.seq, fact.type, fact.path, fact.attempt) for fact in await store.read("r1")]
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
    for before, after in itertools.pairwise(seen):
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

    async def run(self, *places: Place) -> tuple[list[str], Any]:
        """What went wrong, and the result."""
        folder = Path(mkdtemp(dir=self._folder))
        seen = []
        for place in places:
            if await self._go(folder, place) == -9:
                self.kills += 1
                seen.append(await look(folder))
        code = await self._go(folder, None)
        found = [] if code == 0 else [f"the process that went on ended with {code}"]
        found += faults(seen, await look(folder))
        found += verify(folder / "runs.db")
        result = json.loads((folder / "result").read_text(encoding="utf-8"))
        shutil.rmtree(folder)
        return [f"{places}: {fault}" for fault in found], result

    async def _go(self, folder: Path, place: Place | None) -> int:
        return await self._zygote.call("ten_steps:go", str(folder), self._workflow, kill=place)


def strace(trace: Path) -> tuple[str, ...]:
    """The command under which a process dies at call number ``PATIENCE`` of any of these; ``trace`` lists the calls."""
    kills = (word for name in SYSCALLS for word in ("-e", f"inject={name}:signal=SIGKILL:when={PATIENCE}"))
    return ("strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={','.join(SYSCALLS)}", *kills)


@pytest.fixture
def zygotes(tmp_path: Path) -> Iterator[list[Zygote]]:
    """Two processes under strace."""
    several = [Zygote(*strace(tmp_path / f"trace{n}")) for n in range(2)]
    yield several
    for one in several:
        one.close()


def places_to_die(trace: str) -> list[Place]:
    """Some of the calls of a whole run, by kind, the first and the last among them."""
    places: list[Place] = []
    for syscall in SYSCALLS:
        count = trace.count(f" {syscall}(")
        assert 0 < count < PATIENCE, f"{count} calls of {syscall}"
        places += [(syscall, number) for number in sorted({*range(1, count + 1, STRIDE), count})]
    return places


@pytest.mark.parametrize("workflow", ["ten", "asking"])
async def test_killed_at_every_write_a_run_loses_nothing_and_repeats_nothing_recorded(
    tmp_path: Path, zygotes: list[Zygote], workflow: str
) -> None:
    chains = [Chain(tmp_path, zygote, workflow) for zygote in zygotes]
    found, oracle = await chains[0].run()
    assert (found, oracle[0]) == ([], "success")
    todo = places_to_die((tmp_path / "trace0").read_text(encoding="utf-8"))
    count = len(todo)

    async def work(chain: Chain) -> None:
        while todo:
            faults, result = await chain.run(todo.pop(0))
            found.extend(faults)
            if result != oracle:
                found.append(f"the result is {result}")

    await asyncio.gather(*map(work, chains))
    kills = sum(chain.kills for chain in chains)
    log.info("%s: %s kills, %s faults", workflow, kills, len(found))
    assert found == []
    assert kills > 0.9 * count, f"{kills} kills at {count} places"


async def test_killed_again_and_again_while_it_is_recovered_a_run_converges(
    tmp_path: Path, zygotes: list[Zygote]
) -> None:
    chains = [Chain(tmp_path, zygote, workflow) for zygote, workflow in zip(zygotes, ("ten", "asking"), strict=True)]

    async def work(chain: Chain) -> list[str]:
        _, oracle = await chain.run()
        found = []
        chance = random.Random(7)
        for _ in range(40 // STRIDE):
            places = [("pwrite64", chance.randrange(1, 60)) for _ in range(4)]
            faults, result = await chain.run(*places)
            found += faults
            if result != oracle:
                found.append(f"{places}: the result is {result}")
        return found

    assert await asyncio.gather(*map(work, chains)) == [[], []]
    log.info("%s kills of recoveries", sum(chain.kills for chain in chains))
    assert all(chain.kills > 60 // STRIDE for chain in chains)
