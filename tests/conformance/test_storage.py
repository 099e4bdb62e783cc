"""What is kept of runs, and how it is listed.

Left out: reading only some fields of a run, a rule for which runs to keep (``prune`` removes).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import Engine, RunInFlight, StepContext, UnknownRun, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch


async def test_a_created_run_is_stored_as_pending(open_engine: OpenEngine) -> None:
    """R1: before it starts, with whose it is."""
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await engine.create_run("w", resource_id="r", tags=["x", "y"])
    (row,) = (await engine.list_runs()).items
    assert (row.run_id, row.workflow_id, row.status, row.resource_id, row.tags, row.parent_run_id, row.blocked) == (
        run.run_id,
        "w",
        "pending",
        "r",
        ("x", "y"),
        None,
        None,
    )
    assert row.created_at.tzinfo is not None


async def test_runs_are_listed_page_by_page_newest_first(open_engine: OpenEngine) -> None:
    """R2: a page names the next; no run twice, none left out."""
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    ids = [(await launch(engine, "w", {"n": n})).run_id for n in range(3)]
    first = await engine.list_runs(limit=2)
    second = await engine.list_runs(limit=2, after=first.next)
    assert [row.run_id for row in first.items + second.items] == ids[::-1]
    assert (first.next is None, second.next) == (False, None)


async def test_runs_are_filtered(open_engine: OpenEngine) -> None:
    """R2: by workflow, status, resource, tag, text and time; all that are given must fit."""
    engine = await open_engine(create_workflow(id="good").then(add("a")), create_workflow(id="bad").then(fail("a")))
    one = await engine.create_run("good", run_id="one", resource_id="r1", tags=["red"])
    two = await engine.create_run("bad", run_id="two", resource_id="r2", tags=["red", "blue"])
    await one.start({"n": 1})
    await two.start({"n": 1})

    async def found(**where: Any) -> list[str]:
        return [row.run_id for row in (await engine.list_runs(**where)).items]

    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    assert await found(workflow="good") == ["one"]
    assert await found(status="failed") == ["two"]
    assert await found(status=["failed", "success"]) == ["two", "one"]
    assert await found(status="canceled") == []
    assert await found(resource_id="r1") == ["one"]
    assert await found(tag="red") == ["two", "one"]
    assert await found(tag="blue") == ["two"]
    assert await found(text="tw") == ["two"]
    assert await found(since=now - hour, until=now + hour) == ["two", "one"]
    assert await found(since=now + hour) == []
    assert await found(tag="red", status="success") == ["one"]


async def test_a_run_that_has_ended_can_be_read_by_another_engine(sqlite_url: str) -> None:
    """R1: status, input, result, error and every step."""
    flows = [create_workflow(id="good").then(add("a")).then(add("b")), create_workflow(id="bad").then(fail("a"))]
    async with Engine(flows, store=sqlite_url) as engine:
        before = [(await (await launch(engine, flow, {"n": 1})).result()).to_dict() for flow in flows]
    async with Engine(flows, store=sqlite_url) as engine:
        after = [(await (await engine.get_run(one["run_id"])).result()).to_dict() for one in before]
    assert after == before


async def test_runs_can_be_deleted(open_engine: OpenEngine) -> None:
    """Whole, with their questions; not while they are in flight."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        await ctx.ask("?")

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=ask)))
    run = await launch(engine, "w")
    with pytest.raises(RunInFlight):
        await engine.delete_run(run.run_id)
    await run.cancel()
    await engine.delete_run(run.run_id)
    with pytest.raises(UnknownRun):
        await engine.get_run(run.run_id)
    with pytest.raises(UnknownRun):
        await engine.delete_run(run.run_id)
    assert ((await engine.list_runs()).items, (await engine.suspensions()).items) == ([], [])


async def test_old_runs_can_be_pruned(open_engine: OpenEngine) -> None:
    """Only those that have ended, of the statuses given; how many is said."""
    engine = await open_engine(create_workflow(id="good").then(add("a")), create_workflow(id="bad").then(fail("a")))
    good, bad = await launch(engine, "good", {"n": 1}), await launch(engine, "bad")
    pending = await engine.create_run("good")
    assert await engine.prune(older_than=timedelta(days=1)) == 0
    assert await engine.prune(older_than=timedelta(0), status="success") == 1
    assert [row.run_id for row in (await engine.list_runs()).items] == [pending.run_id, bad.run_id]
    assert await engine.prune(older_than=timedelta(0)) == 1
    assert [row.run_id for row in (await engine.list_runs()).items] == [pending.run_id]
    with pytest.raises(UnknownRun):
        await good.result()


async def test_large_values_pass_whole(open_engine: OpenEngine) -> None:
    """R7: a megabyte through several steps comes out as it went in, also from the log."""
    text = "x" * 1_000_000

    async def same(data: Any) -> Any:
        return data

    flow = create_workflow(id="w").then(create_step(id="a", execute=same)).then(create_step(id="b", execute=same))
    engine = await open_engine(flow)
    run = await launch(engine, "w", {"text": text})
    result = await run.result()
    assert result.result == {"text": text}
    outputs = [event.data["output"] async for event in run.events(follow=False) if event.type == "step.succeeded"]
    assert outputs == [{"text": text}, {"text": text}]


async def test_what_is_written_grows_with_what_is_produced(sqlite_url: str, tmp_path: Any) -> None:
    """R7: twenty steps that hand a large value on store it once, not twenty times."""

    async def same(data: Any) -> Any:
        return data

    flow = create_workflow(id="w")
    for n in range(20):
        flow = flow.then(create_step(id=f"s{n}", execute=same))
    async with Engine([flow], store=sqlite_url) as engine:
        await launch(engine, "w", {"text": "x" * 200_000})
    size = sum(file.stat().st_size for file in tmp_path.iterdir() if file.name.startswith("runs.db"))
    assert size < 3 * 200_000
