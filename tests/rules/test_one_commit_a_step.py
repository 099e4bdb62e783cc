"""One commit a step: ``step.started`` is written with what made the step ready, before the step is called."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from engine import Engine, Event, RetryPolicy, Step, StepContext, create_step, create_workflow, from_step
from engine.events import Fact
from engine.stores import open_store
from tests.fixtures import add, lines
from tests.rules.process import Life


class Recorder:
    """A store that notes which facts were written in one commit."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)
        self.commits: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, run_id: str, facts: Sequence[Fact], *, epoch: int, solo: bool = False) -> None:
        """One commit."""
        self.commits.append(", ".join(f"{fact.type} {fact.path or ''}".strip() for fact in facts))
        await self._store.append(run_id, facts, epoch=epoch, solo=solo)


@pytest.fixture
def store(store_url: str) -> Recorder:
    """A recording store of each kind."""
    return Recorder(store_url)


def _asks(id: str) -> Step[Any, Any]:
    async def execute(data: Any, ctx: StepContext) -> Any:
        return {"n": await ctx.ask(None, int)}

    return create_step(id=id, execute=execute)


async def test_a_success_and_the_start_that_follows_are_one_commit(store: Recorder) -> None:
    workflow = create_workflow(id="w").then(add("a")).then(add("b"))
    async with Engine([workflow], store=store) as engine:
        await (await engine.create_run("w")).start({"n": 0})
    assert store.commits == [
        "run.created",
        "run.started, step.started a",
        "step.succeeded a, step.started b",
        "step.succeeded b, run.succeeded",
    ]


async def test_what_lies_between_two_steps_is_in_the_same_commit(store: Recorder) -> None:
    workflow = (
        create_workflow(id="w")
        .then(add("a"))
        .branch([("n > 0", add("yes")), ("n < 0", add("no"))])
        .map(from_step("yes"))
        .do_while(add("body"), "n < 4")
    )
    async with Engine([workflow], store=store) as engine:
        await (await engine.create_run("w")).start({"n": 0})
    between = (
        "step.succeeded yes, step.succeeded branch-1, step.started map-1, step.succeeded map-1, "
        "step.started body, step.started body[0]"
    )
    assert store.commits[2:] == [
        "step.succeeded a, step.started branch-1, branch.chosen branch-1, step.skipped no, step.started yes",
        between,
        "step.succeeded body[0], loop.checked body, step.started body[1]",
        "step.succeeded body[1], loop.checked body, step.succeeded body, run.succeeded",
    ]


async def test_an_answer_and_the_start_that_follows_are_one_commit(store: Recorder) -> None:
    async with Engine([create_workflow(id="w").then(_asks("ask"))], store=store) as engine:
        run = await engine.create_run("w")
        await run.start()
        await run.resume(1)
    assert store.commits[2:4] == [
        "step.suspended ask, run.suspended",
        "step.resumed ask, step.started ask, run.resumed",
    ]


async def test_all_arms_start_in_one_commit(store: Recorder) -> None:
    async with Engine([create_workflow(id="w").parallel([add("a"), add("b"), add("c")])], store=store) as engine:
        await (await engine.create_run("w")).start({"n": 0})
    assert store.commits[1] == "run.started, step.started parallel-1, step.started a, step.started b, step.started c"


async def test_each_attempt_is_written_before_it_is_made(store: Recorder) -> None:
    found: list[list[str]] = []

    async def flaky(data: Any, ctx: StepContext) -> Any:
        found.append([f"{fact.type} {fact.attempt}" for fact in await ctx.engine.store.read(ctx.run_id, after=2)])
        if ctx.attempt == 1:
            raise ValueError("once more")
        return data

    step = create_step(id="s", execute=flaky, retry=RetryPolicy(attempts=2, delay=0))
    async with Engine([create_workflow(id="w").then(step)], store=store) as engine:
        await (await engine.create_run("w")).start({})
    assert found == [["step.started 1"], ["step.started 1", "step.retrying 1", "step.started 2"]]


async def test_a_success_is_stored_before_what_follows_is_called(store: Recorder) -> None:
    stored: list[str] = []

    async def look(data: Any, ctx: StepContext) -> None:
        stored.extend(f"{fact.type} {fact.path}" for fact in await ctx.engine.store.read(ctx.run_id, after=2))

    workflow = create_workflow(id="w").then(add("a")).then(create_step(id="look", execute=look))
    async with Engine([workflow], store=store) as engine:
        await (await engine.create_run("w")).start({"n": 0})
    assert stored == ["step.started a", "step.succeeded a", "step.started look"]


async def test_nobody_is_told_before_it_is_stored(store: Recorder) -> None:
    """Whatever a watcher is told is in the store already, and ``start`` returns after the end is."""
    told: list[tuple[int, int]] = []
    all_told = asyncio.Event()

    async with Engine([create_workflow(id="w").then(add("a")).then(add("b"))], store=store) as engine:
        run = await engine.create_run("w")

        async def watch(event: Event) -> None:
            told.append((event.seq, (await engine.store.read(run.run_id))[-1].seq))
            if event.type == "run.succeeded":
                all_told.set()

        run.watch(watch)
        await run.start({"n": 0})
        assert (await engine.store.row(run.run_id)).status == "success"
        await asyncio.wait_for(all_told.wait(), 5)
    assert [seq for seq, _ in told] == list(range(2, 8))
    assert all(stored >= seq for seq, stored in told)


async def test_output_is_committed_in_groups(store: Recorder) -> None:
    async def talk(data: Any, ctx: StepContext) -> None:
        for number in range(200):
            await ctx.write(number)

    async with Engine([create_workflow(id="w").then(create_step(id="talk", execute=talk))], store=store) as engine:
        run = await engine.create_run("w")
        await run.start()
        assert (await lines(run)).count("step.output talk") == 200
    assert len([commit for commit in store.commits if "step.output" in commit]) < 20


async def test_two_hundred_steps_are_two_hundred_commits(store: Recorder) -> None:
    async with Engine([create_workflow(id="w").do_while(add("body"), "n < 200")], store=store) as engine:
        await (await engine.create_run("w")).start({"n": 0})
    assert len(store.commits) == 202


# -- the death of the process


async def test_what_was_told_survives_the_death_of_the_process(life: Life) -> None:
    """A start, an answer and an end that a caller was told of are there after SIGKILL, whatever the durability."""
    base = life.url
    for number, durability in enumerate(("normal", "full", "relaxed")):
        life.url = f"{base}?durability={durability}"
        child = await life.spawn()
        await child.run("asking", {"n": 0}, run_id=f"asked-{number}")
        await child.send("wait", f"asked-{number}")
        await child.send("resume_soon", f"asked-{number}", data={"add": 1})
        await child.run("alone", {"n": 0}, run_id=f"ended-{number}")
        assert (await child.send("wait", f"ended-{number}"))["status"] == "success"
        await child.kill()
        async with life.engine(recover=False) as engine:
            assert "step.resumed ask" in await lines(await engine.get_run(f"asked-{number}"))
            assert (await lines(await engine.get_run(f"ended-{number}")))[-1] == "run.succeeded"


@pytest.mark.parametrize("durability", ["normal", "full"])
async def test_a_step_that_is_called_has_its_start_and_all_before_it_in_the_store(life: Life, durability: str) -> None:
    """The step kills its process as the first thing it does."""
    life.url += f"?durability={durability}"
    life.place.doom("b")
    child = await life.spawn()
    await child.run_to_death("sequence", {"n": 0})
    async with life.engine(recover=False) as engine:
        found = await lines(await engine.get_run("r"))
    assert found[2:] == ["step.started a", "step.succeeded a", "step.started b"]
