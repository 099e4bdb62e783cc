"""Who looks at a run again sees what a first look sees, and reads only what is new."""

from __future__ import annotations

from typing import Any

import pytest

from engine import DefinitionChanged, Engine, Run, StepContext, Workflow, create_workflow, recovery, step
from engine.events import Fact
from tests.fixtures import add


@step
async def ask(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    return {"n": data["n"] + await ctx.ask("How many more?", int)}


def flow() -> Workflow[Any, Any]:
    body = create_workflow(id="body").then(add("inner"))
    made = create_workflow(id="w").then(add("first")).parallel([add("left"), add("right")])
    return made.map(lambda both: both["left"]).do_until(body, "n >= 4").then(ask).then(add("last"))


async def seen(run: Run) -> tuple[dict[str, Any], dict[str, str]]:
    """All that a look shows."""
    return (await run.result()).to_dict(), await run.statuses()


async def test_looking_again_shows_what_a_first_look_shows_and_reads_what_is_new(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each step of a run, from another engine over the same file."""
    async with Engine([flow()], store=sqlite_url) as engine, Engine([flow()], store=sqlite_url) as other:
        run = await engine.create_run("w")
        looked = await other.get_run(run.run_id)
        read, reads = other.store.read, list[int]()

        async def counted(run_id: str, **options: Any) -> list[Fact]:
            facts = await read(run_id, **options)
            reads.append(len(facts))
            return facts

        monkeypatch.setattr(other.store, "read", counted)
        await run.start({"n": 0}, paused=True)
        last = 0
        while True:
            reads.clear()
            again = await seen(looked)
            newest = await engine.store.last_seq(run.run_id)
            assert reads == [
                newest - last + (1 if last else 0),
                1,
            ]  # the last one is looked at, to see that it is the same
            last = newest
            async with Engine([flow()], store=sqlite_url, recover=False) as fresh:
                assert again == await seen(await fresh.get_run(run.run_id))
            match await run.status():
                case "paused":
                    await run.step()
                case "suspended":
                    await run.resume(5)
                case _:
                    break
    assert again[0]["result"] == {"n": 10}


async def test_a_look_follows_the_definition_that_is_loaded(sqlite_url: str) -> None:
    async with Engine([create_workflow(id="w").then(ask)], store=sqlite_url) as engine:
        run = await engine.create_run("w")
        await run.start({"n": 0})
    async with Engine([create_workflow(id="w").then(ask)], store=sqlite_url) as engine:
        run = await engine.get_run(run.run_id)
        before = await seen(run)
        engine.register([create_workflow(id="w").then(add("other"))])
        with pytest.raises(DefinitionChanged):
            await run.resume(1)
        assert await seen(run) == before  # by the definition that it has recorded
        engine.register([create_workflow(id="w").then(ask).then(add("more"))])
        assert await seen(run) == before
        assert (await run.resume(1)).result == {"n": 2}
        assert (await seen(run))[1] == {"ask": "success", "more": "success"}


async def test_a_look_goes_by_what_the_run_has_recorded_once_code_that_is_not_loaded_goes_on(sqlite_url: str) -> None:
    """Another process still has the code that the run was made with; what is loaded here fits for a while."""
    old, new = (create_workflow(id="w").then(ask).then(add(last)) for last in ("old", "new"))
    async with Engine([old], store=sqlite_url) as engine, Engine([new], store=sqlite_url, recover=False) as other:
        run = await engine.create_run("w")
        await run.start({"n": 0})
        looked = await other.get_run(run.run_id)
        assert (await seen(looked))[1] == {"ask": "suspended"}
        await run.resume(5)
        assert await seen(looked) == await seen(run)


async def test_runs_that_were_not_looked_at_for_a_while_are_folded_anew(sqlite_url: str) -> None:
    async with Engine([flow()], store=sqlite_url) as engine:
        runs = [await engine.create_run("w") for _ in range(20)]
        for run in runs:
            await run.start({"n": 0})
    async with Engine([flow()], store=sqlite_url, recover=False) as engine:
        handles = [await engine.get_run(run.run_id) for run in runs]
        for _ in range(2):
            assert {(await run.result()).status for run in handles} == {"suspended"}


async def test_what_is_kept_folded_has_a_size_and_the_last_run_is_kept(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "KEPT_BYTES", 5)
    async with Engine([flow()], store=sqlite_url) as engine:
        runs = [await engine.create_run("w") for _ in range(3)]
        for run in runs:
            await run.start({"n": 0})
    async with Engine([flow()], store=sqlite_url, recover=False) as engine:
        looks = engine._runs._looks
        for run in runs:
            await looks.state(run.run_id, engine.plans["w"])
            assert list(looks._kept.runs) == [run.run_id]
