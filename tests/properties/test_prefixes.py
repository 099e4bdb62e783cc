"""Wherever a run is cut, it comes to the same end: after a crash between any two commits, after a close at any rest, in
a fork at any path.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import apsw

from engine import Engine, RunResult
from engine.cells import Cell, ancestors
from engine.events import Fact
from engine.plan import Branch, Foreach, Parallel
from engine.state import RunState
from engine.stores.sqlite import SqliteStore
from engine.verify import verify
from tests.properties import building
from tests.properties.building import Book
from tests.properties.oracle import Expected
from tests.properties.trees import Flow

OUTCOMES = frozenset({"step.suspended", "step.succeeded", "step.failed", "step.retrying", "step.bailed"})
ENDS = frozenset({"step.succeeded", "step.failed", "step.bailed", "step.canceled", "step.skipped"})


def _fresh(fact: Fact) -> Fact:
    data = None if fact.data is None else dict(fact.data)
    fields = {"attempt": fact.attempt, "data": data, "value": fact.value, "seq": fact.seq, "at": fact.at}
    return Fact(fact.type, fact.path, **fields)


class Recording(SqliteStore):
    """Remembers what each commit of each run was."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.commits: dict[str, list[list[Fact]]] = {}

    async def append(self, run_id: str, facts: Sequence[Fact], *, epoch: int, solo: bool = False) -> None:
        copied = [_fresh(fact) for fact in facts]
        await super().append(run_id, facts, epoch=epoch, solo=solo)
        self.commits.setdefault(run_id, []).append(copied)


class Dying(SqliteStore):
    """Leaves its runs as a death would: with an owner who is gone."""

    def _move_out(self, cursor: apsw.Cursor) -> None:
        """Nobody lets anything go."""


class Crashes:
    """One tree, run to its end, and then again from every point at which its process could have died."""

    def __init__(self, tree: Flow, expected: Expected, folder: Path) -> None:
        self.book = Book()
        self.tree = tree
        self.workflow = building.build(tree, self.book)
        self.expected = expected
        self.folder = folder
        self.rng = random.Random(len(str(tree)))
        self.found: list[str] = []

    async def whole(self) -> list[list[Fact]]:
        """The commits of a run that nothing disturbs."""
        store = Recording(self.folder / "whole.db")
        async with Engine([self.workflow], store=store) as engine:
            await building.start(engine, self.tree)
            result = await building.answer_all(engine, "r", self.rng)
        self.found += building.differences(result, self.expected)
        return store.commits["r"]

    async def die(self, name: str, logs: dict[str, list[Fact]]) -> Path:
        """A store whose owner died when these runs had come so far."""
        store = Dying(self.folder / name)
        await store.open()
        await store.put_definition(self.workflow.plan.version, self.workflow.plan.definition)
        for run_id, facts in logs.items():
            await store.append(run_id, [_fresh(fact) for fact in facts], epoch=1)
        await store.close()
        return self.folder / name

    async def live_on(self, file: Path, logs: dict[str, list[Fact]]) -> dict[str, list[list[Fact]]]:
        """Recover all of them, go on to the end, and check each; what was committed then."""
        self.book.calls.clear()
        store = Recording(file)
        async with Engine([self.workflow], store=store) as engine:
            for run_id, facts in logs.items():
                result = await building.answer_all(engine, run_id, self.rng)
                where = f"cut after {facts[-1]!r}: "
                self.found += [where + line for line in building.differences(result, self.expected)]
                self.found += [where + line for line in self._repeated(run_id, facts)]
        self.found += verify(file)
        return store.commits

    def _repeated(self, run_id: str, facts: list[Fact]) -> list[str]:
        """Steps that had finished and ran again, or ran more often than what was cut explains."""
        ended = {fact.path for fact in facts if fact.type in ENDS}
        done = Counter(fact.path for fact in facts if fact.type in OUTCOMES)
        calls = self.book.counts(run_id)
        found = [f"{path} had ended and runs again" for path in calls if path in ended]
        for path, often in calls.items():
            wanted = self.expected.world.calls.get(path, 0) - done[path]
            if building.is_certain(path, self.expected) and often > wanted:
                found.append(f"{path} runs {often} times more, not {wanted}")
        return found


def _cuts(commits: list[list[Fact]], start: int = 1) -> list[list[Fact]]:
    """Every log that ends with a commit, before the last one."""
    facts: list[Fact] = []
    found = []
    for commit in commits[:-1]:
        facts = [*facts, *commit]
        found.append(facts)
    return found[start:]


async def _crash_everywhere(tree: Flow, expected: Expected, tmp_path: Path) -> list[str]:
    with building.fresh(tmp_path) as folder:
        crashes = Crashes(tree, expected, folder)
        logs = {f"r{number}": facts for number, facts in enumerate(_cuts(await crashes.whole()))}
        after = await crashes.live_on(await crashes.die("once.db", logs), logs)
        twice = {
            f"{run_id}-{number}": facts
            for run_id, commits in after.items()
            for number, facts in enumerate(_cuts([logs[run_id], *commits]))
        }
        some = dict(crashes.rng.sample(sorted(twice.items()), min(len(twice), 12)))
        await crashes.live_on(await crashes.die("twice.db", some), some)
    return crashes.found


async def test_a_crash_between_any_two_commits_changes_nothing(tmp_path: Path) -> None:
    """The run comes to the same end; what had ended never runs again, what was cut once more. Nor does a second one."""
    for seed in building.seeds(50):
        await building.hold(seed, lambda tree, expected: _crash_everywhere(tree, expected, tmp_path))


async def _close_at_every_rest(tree: Flow, expected: Expected, tmp_path: Path) -> list[str]:
    with building.fresh(tmp_path) as folder:
        return await _run_in_many_engines(tree, expected, folder / "runs.db")


async def _run_in_many_engines(tree: Flow, expected: Expected, file: Path) -> list[str]:
    book = Book()
    workflow = building.build(tree, book)
    rng = random.Random(len(str(tree)))
    async with Engine([workflow], store=f"sqlite:///{file}") as engine:
        result = await (await building.start(engine, tree)).result()
    while result.status == "suspended":
        async with Engine([workflow], store=f"sqlite:///{file}") as engine:
            result = await building.answer_all(engine, "r", rng, at_most=1)
    found = building.differences(result, expected) + verify(file)
    certain = {path: n for path, n in book.counts("r").items() if building.is_certain(path, expected)}
    wanted = {path: n for path, n in expected.world.calls.items() if building.is_certain(path, expected)}
    return found if certain == wanted else [*found, f"calls: {certain}, not {wanted}"]


async def test_a_close_at_every_rest_changes_nothing(tmp_path: Path) -> None:
    """Every answer is given to another engine: the same end, and no call more."""
    for seed in building.seeds(50):
        await building.hold(seed, lambda tree, expected: _close_at_every_rest(tree, expected, tmp_path))


# -- forks


def _kept(state: RunState, at: Cell) -> set[str]:
    """Paths that had succeeded and don't follow from one: what came before it, and what ran beside it."""
    above = [at, *ancestors(at)]
    found = set()
    for cell in state.cells.values():
        line = [cell, *ancestors(cell)]
        shared = next(one for one in line if one in above)
        if cell.status != "success" or shared is at or shared is cell:
            continue
        mine, other = line[line.index(shared) - 1], above[above.index(shared) - 1]
        if isinstance(shared.node, (Parallel, Branch, Foreach)) or mine.slot < other.slot:
            found.add(cell.path)
    return found


async def _fork_everywhere(tree: Flow, expected: Expected) -> list[str]:
    book = Book()
    rng = random.Random(len(str(tree)))
    found: list[str] = []
    async with Engine([building.build(tree, book)]) as engine:
        run = await building.start(engine, tree)
        result: RunResult = await building.answer_all(engine, "r", rng)
        state = await engine.replay("r")
        for path, cell in state.cells.items():
            if cell.status == "skipped" or not building.is_certain(path, expected):
                continue
            fork = await run.fork(path)
            result = await building.answer_all(engine, fork.run_id, rng)
            found += [f"forked at {path}: {line}" for line in building.differences(result, expected)]
            again = sorted(_kept(state, cell) & book.counts(fork.run_id).keys())
            found += [f"forked at {path}: {one} is kept and runs again" for one in again]
    return found


async def test_a_fork_at_any_path_comes_to_the_same_end() -> None:
    """With nothing changed it gives what the original gave, and runs nothing again that does not follow from it."""
    for seed in building.seeds(50):
        await building.hold(seed, _fork_everywhere)
