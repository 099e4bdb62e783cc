"""Runs are deleted and pruned while others look at them, or are about to go on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import Engine, StepContext, create_step, create_workflow
from engine.errors import EngineError, NotSuspended, RunInFlight, UnknownRun
from engine.verify import verify
from tests.fixtures import OpenEngine, add, launch, lines


async def ask(data: Any, ctx: StepContext) -> Any:
    return {"n": await ctx.ask("?", int)}


def asking() -> Any:
    return create_workflow(id="asks").then(create_step(id="approve", execute=ask)).then(add("b")).commit()


def plain() -> Any:
    return create_workflow(id="plain").then(add("a")).then(add("b")).commit()


async def test_a_run_that_is_deleted_while_it_is_read_ends_the_reading(open_engine: OpenEngine) -> None:
    engine = await open_engine(plain())
    run = await launch(engine, "plain", {"n": 0})
    reading = run.events(follow=True)
    assert (await anext(reading)).type == "run.created"
    await engine.delete_run(run.run_id)
    # What was read from the store before comes to its end; then the run is unknown.
    made = await asyncio.gather(collect(reading), return_exceptions=True)
    assert isinstance(made[0], UnknownRun) or made[0][-1] == "run.succeeded"
    for call in (run.result(), run.status(), lines(run), run.cancel(), run.rerun(), engine.get_run(run.run_id)):
        with pytest.raises(UnknownRun):
            await call
    with pytest.raises(UnknownRun):
        await engine.delete_run(run.run_id)


async def test_a_pending_run_that_is_deleted_ends_the_watching_of_it(open_engine: OpenEngine) -> None:
    engine = await open_engine(asking())
    run = await launch(engine, "asks")
    following = asyncio.ensure_future(collect(run.events()))
    await asyncio.sleep(0)
    assert await run.cancel()
    await engine.delete_run(run.run_id)
    async with asyncio.timeout(2):
        made = await asyncio.gather(following, return_exceptions=True)
    assert isinstance(made[0], (UnknownRun, list))


async def collect(events: Any) -> list[str]:
    return [event.type async for event in events]


async def test_a_run_in_flight_is_not_deleted(open_engine: OpenEngine) -> None:
    engine = await open_engine(asking())
    run = await launch(engine, "asks")
    before = await lines(run)
    with pytest.raises(RunInFlight, match="cancel it first"):
        await engine.delete_run(run.run_id)
    assert await engine.prune(older_than=timedelta(0)) == 0
    assert (await lines(run), len((await engine.suspensions()).items)) == (before, 1)
    assert (await run.resume(3)).result == {"n": 4}


@pytest.mark.parametrize("first", ["delete", "resume"])
async def test_of_a_deletion_and_an_answer_at_once_one_wins(open_engine: OpenEngine, first: str) -> None:
    engine = await open_engine(asking())
    for _ in range(20):
        run = await launch(engine, "asks")
        calls: list[Any] = [run.cancel(), engine.delete_run(run.run_id), run.resume_soon(3)]
        if first == "resume":
            calls.reverse()
        made = await asyncio.gather(*calls, return_exceptions=True)
        assert all(not isinstance(one, BaseException) or isinstance(one, EngineError) for one in made), made
        try:
            assert (await run.wait(5)).status in ("success", "canceled")
            await engine.delete_run(run.run_id)
        except UnknownRun:
            pass
        for call in (run.resume(3), run.start()):
            with pytest.raises((UnknownRun, NotSuspended)):
                await call
    assert ((await engine.list_runs()).items, (await engine.suspensions()).items) == ([], [])


async def test_pruning_while_runs_come_and_go_takes_ended_ones_only_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    big = {"n": 0, "text": "x" * 100_000}
    async with Engine([asking(), plain()], store=path) as engine:
        open_runs = [await launch(engine, "asks") for _ in range(5)]
        readers = []
        pruned = 0
        for _ in range(20):
            runs = await asyncio.gather(*(launch(engine, "plain", big) for _ in range(5)))
            readers += [asyncio.ensure_future(collect(run.events())) for run in runs]
            pruned += await engine.prune(older_than=timedelta(0))
        made = await asyncio.gather(*readers, return_exceptions=True)
        assert all(isinstance(one, (list, UnknownRun)) for one in made)
        pruned += await engine.prune(older_than=timedelta(0))
        assert pruned == 100
        assert {row.run_id for row in (await engine.list_runs()).items} == {run.run_id for run in open_runs}
        results = await asyncio.gather(*(run.resume(n) for n, run in enumerate(open_runs)))
        assert [result.result for result in results] == [{"n": n + 1} for n in range(5)]
    assert verify(path) == []
    with apsw.Connection(str(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT count(*) FROM blobs").get == 0
    connection.close()


async def test_an_id_that_is_free_again_begins_a_new_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(asking(), plain())
    for n in range(3):
        run = await engine.create_run("asks", run_id="same")
        assert (await run.start()).status == "suspended"
        assert (await run.resume(n)).result == {"n": n + 1}
        await engine.delete_run("same")
    run = await engine.create_run("plain", run_id="same")
    assert (await run.start({"n": 0})).result == {"n": 2}
    assert (await lines(run))[0] == "run.created"


async def test_a_fork_outlives_the_run_it_came_from(open_engine: OpenEngine) -> None:
    engine = await open_engine(plain())
    run = await launch(engine, "plain", {"n": 0, "text": "y" * 100_000})
    fork = await run.fork("b")
    assert (await fork.wait(5)).status == "success"
    await engine.delete_run(run.run_id)
    result = await fork.result()
    assert (result.result, result.steps["a"].output) == ({"n": 2}, {"n": 1})
    assert (fork.parent_run_id, (await engine.list_runs()).items[0].parent_run_id) == (run.run_id, run.run_id)
