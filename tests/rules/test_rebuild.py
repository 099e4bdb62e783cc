"""The tables that serve lists are folds of the log: rebuilt from the events they are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Run, StepContext, create_step, create_workflow, from_step
from engine.stores.fold import Folded, fold
from engine.verify import repair, verify
from tests.fixtures import add, fail
from tests.rules.process import Life


async def _ask(data: Any, ctx: StepContext) -> Any:
    first = await ctx.ask("first", int, label="one", expires_in=60)
    second = await ctx.ask("second", int, title="Two")
    return {"n": first + second}


def _workflows() -> list[Any]:
    ask = create_step(id="ask", execute=_ask)
    return [
        create_workflow(id="plain").then(add("a")).then(add("b")),
        create_workflow(id="failing").then(fail("bad")),
        create_workflow(id="asking").parallel([ask, add("b")]).map(from_step("ask")).then(add("z")),
        create_workflow(id="waiting").wait_for_event("go"),
        create_workflow(id="sleeping").sleep(60),
    ]


async def _live(engine: Engine) -> list[Run]:
    """Runs in every status, with all that can happen to one."""
    made: dict[str, Run] = {}

    async def begin(name: str, workflow: str, **options: Any) -> Run:
        made[name] = await engine.create_run(workflow, run_id=name, tags=[name, "all"], resource_id=f"of {name}")
        await made[name].start_soon({"n": 0}, **options)
        return made[name]

    made["pending"] = await engine.create_run("plain", run_id="pending")
    await (await begin("success", "plain")).wait(5)
    await (await begin("failed", "failing")).wait(5)
    await (await begin("open", "asking")).wait(5)
    await (await begin("half", "asking")).wait(5)
    await made["half"].resume(1)
    await (await begin("answered", "asking")).wait(5)
    await made["answered"].resume(1)
    await made["answered"].resume(2)
    await (await begin("canceled", "asking")).wait(5)
    await made["canceled"].cancel("enough")
    await begin("waiting", "waiting")
    await begin("sleeping", "sleeping")
    await (await begin("paused", "plain", paused=True)).wait(5)
    await made["paused"].step()
    await made["paused"].wait(5)
    made["rerun"] = await made["success"].rerun()
    made["fork"] = await made["half"].fork("b")
    await made["rerun"].wait(5)
    await made["fork"].wait(5)
    return list(made.values())


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a store is to be."""
    return tmp_path / "runs.db"


async def test_the_rows_are_the_fold_of_the_events(database: Path) -> None:
    async with Engine(_workflows(), store=f"sqlite:///{database}") as engine:
        runs = await _live(engine)
        rows = {row.run_id: row for row in (await engine.list_runs(limit=99)).items}
        for run in runs:
            facts = await engine.store.read(run.run_id)
            rebuilt = Folded()
            fold(rebuilt, facts)
            row = rows[run.run_id]
            assert (row.workflow_id, row.status, row.blocked, row.resource_id, row.tags, row.parent_run_id) == (
                rebuilt.workflow_id,
                rebuilt.status,
                rebuilt.blocked,
                rebuilt.resource_id,
                rebuilt.tags,
                rebuilt.parent_run_id,
            )
            assert row.created_at.timestamp() == pytest.approx(rebuilt.created_at, abs=1e-5)
            assert row.updated_at.timestamp() == pytest.approx(rebuilt.changed_at, abs=1e-5)
            questions = {one.token for one in (await engine.suspensions(run.run_id)).items}
            assert questions == set(rebuilt.open)
        assert len(rows) == len(runs)
    assert verify(database) == []


async def test_the_rows_are_what_the_runs_say_of_themselves(database: Path) -> None:
    """The row, the fold of the whole state, and the result of each run agree."""
    async with Engine(_workflows(), store=f"sqlite:///{database}") as engine:
        for run in await _live(engine):
            result = await run.result()
            asked = [question.path for question in (await engine.suspensions(run.run_id)).items]
            assert (await run.status(), asked) == (result.status, ["/".join(path) for path in result.suspended])
    assert verify(database) == []


async def test_a_store_made_again_from_the_events_alone_is_the_same(database: Path) -> None:
    """``repair`` copies the log and folds the tables anew; every list and result is as before."""
    again = database.with_name("again.db")

    async def seen(path: Path) -> Any:
        async with Engine(_workflows(), store=f"sqlite:///{path}", recover=False) as engine:
            rows = (await engine.list_runs(limit=99)).items
            results = [(await (await engine.get_run(row.run_id)).result()).to_dict() for row in rows]
            return rows, (await engine.suspensions()).items, results

    async with Engine(_workflows(), store=f"sqlite:///{database}") as engine:
        runs = await _live(engine)
    told: list[str] = []
    assert repair(database, again, told.append) == len(runs)
    assert (told, verify(again)) == ([], [])
    assert await seen(again) == await seen(database)


@pytest.mark.parametrize("when", ["at rest", "after a crash"])
async def test_live_state_and_replayed_state_are_the_same(life: Life, when: str) -> None:
    """What an engine knows of a run that it drove is what another reads from the log."""
    async with life.engine() as engine:
        for workflow, input in (("asking_each", [{"n": n} for n in range(3)]), ("summing", {"n": 0})):
            run = await engine.create_run(workflow, run_id=workflow)
            await run.start(input)
        run = await engine.get_run("asking_each")
        await run.resume({"add": 1}, index=1)
        live = [(await (await engine.get_run(id)).result()).to_dict() for id in ("asking_each", "summing")]
    if when == "after a crash":
        child = await life.spawn()
        await child.send("wait", "asking_each")
        await child.kill()
    async with life.engine(recover=False) as engine:
        replayed = [(await (await engine.get_run(id)).result()).to_dict() for id in ("asking_each", "summing")]
    assert replayed == live
