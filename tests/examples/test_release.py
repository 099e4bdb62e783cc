"""The example of a release in stages."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Engine
from studio.examples.release import release_workflow
from tests.fixtures import OpenEngine, launch, lines

INPUT: dict[str, Any] = {
    "version": "1.4.2",
    "changes": ["fix: umlauts", "add: dark colours"],
    "watch_seconds": 0.01,
}


async def test_a_good_release_reaches_everybody(open_engine: OpenEngine) -> None:
    engine = await open_engine(release_workflow)
    run = await launch(engine, release_workflow, INPUT)
    result = await run.result()
    notes = ["Added: dark colours", "Fixed: umlauts"]
    assert (result.status, result.result) == ("success", {"status": "released", "version": "1.5.0", "notes": notes})
    assert [record.output["percent"] for record in result.steps["roll_out/stage"].iterations] == [5, 50, 100]
    assert [line for line in await lines(run) if line.startswith("timer.fired")] == [
        f"timer.fired roll_out/stage[{stage}]/watch" for stage in range(3)
    ]


async def test_too_many_errors_roll_the_release_back(open_engine: OpenEngine) -> None:
    engine = await open_engine(release_workflow)
    run = await launch(engine, release_workflow, {**INPUT, "error_rates": [0.001, 0.02]})
    result = await run.result()
    outcome = {"status": "rolled back", "version": "1.4.2", "notes": ["2.0% errors at 50 % of the users"]}
    assert (result.status, result.result) == ("success", outcome)
    assert [record.status for record in result.steps["roll_out/stage"].iterations] == ["success", "failed"]


@pytest.mark.parametrize(
    ("changes", "version"), [(["fix: a"], "1.4.3"), (["add: a", "fix: b"], "1.5.0"), (["break: a", "add: b"], "2.0.0")]
)
async def test_the_changes_decide_the_number(open_engine: OpenEngine, changes: list[str], version: str) -> None:
    engine = await open_engine(release_workflow)
    run = await launch(engine, release_workflow, {**INPUT, "changes": changes, "watch_seconds": 0})
    assert (await run.result()).unwrap()["version"] == version


async def test_a_change_of_no_kind_fails_the_release(open_engine: OpenEngine) -> None:
    engine = await open_engine(release_workflow)
    result = await (await launch(engine, release_workflow, {**INPUT, "changes": ["polish"]})).result()
    assert (result.status, result.error and result.error["message"]) == (
        "failed",
        "a change begins with 'fix:', 'add:' or 'break:', not with polish",
    )


async def test_the_watch_goes_on_after_a_restart_and_ends_when_first_fixed(sqlite_url: str) -> None:
    async with Engine([release_workflow], store=sqlite_url) as engine:
        run = await engine.create_run(release_workflow)
        await run.start_soon({**INPUT, "watch_seconds": 0.1})
        async for event in run.events():
            if event.type == "run.waiting":
                break
    async with Engine([release_workflow], store=sqlite_url) as engine:
        again = await engine.get_run(run.run_id)
        result = await again.wait()
    assert (result.status, result.result["version"], result.steps["prepare/pick_version"].attempts) == (
        "success",
        "1.5.0",
        1,
    )
