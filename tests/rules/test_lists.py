"""Lists: runs, open questions; removing runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import Engine, RunInFlight, StepContext, UnknownRun, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines


async def approve(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask({"q": data}, label="ok?", title="Go on?")


def flows() -> list[Any]:
    return [
        create_workflow(id="fine").then(add("a")),
        create_workflow(id="bad").then(fail("a")),
        create_workflow(id="ask").then(create_step(id="a", execute=approve)),
    ]


async def ids(engine: Engine, **filters: Any) -> list[str]:
    return [row.run_id for row in (await engine.list_runs(**filters)).items]


async def four(engine: Engine) -> None:
    """One run that succeeded, one that failed, one that is suspended, one that is pending."""
    for run_id, workflow, resource, tags, starts in (
        ("r1", "fine", "ann", ["red"], True),
        ("r2", "bad", "ann", ["red", "blue"], True),
        ("r3", "ask", "bob", [], True),
        ("r4", "fine", None, ["green"], False),
    ):
        run = await engine.create_run(workflow, run_id=run_id, resource_id=resource, tags=tags)
        if starts:
            await run.start({"n": 1})


async def test_runs_are_listed_newest_first(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    await four(engine)
    page = await engine.list_runs()
    assert [(row.run_id, row.workflow_id, row.status, row.blocked) for row in page.items] == [
        ("r4", "fine", "pending", None),
        ("r3", "ask", "suspended", None),
        ("r2", "bad", "failed", None),
        ("r1", "fine", "success", None),
    ]
    assert page.next is None
    row = page.items[-2]
    assert (row.resource_id, row.tags, row.parent_run_id, row.created_at <= row.updated_at) == (
        "ann",
        ("red", "blue"),
        None,
        True,
    )


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"workflow": "fine"}, ["r4", "r1"]),
        ({"workflow": "nobody"}, []),
        ({"status": "failed"}, ["r2"]),
        ({"status": ["success", "pending"]}, ["r4", "r1"]),
        ({"resource_id": "ann"}, ["r2", "r1"]),
        ({"tag": "red"}, ["r2", "r1"]),
        ({"tag": "re"}, []),
        ({"text": "bob"}, ["r3"]),
        ({"text": "gree"}, ["r4"]),
        ({"text": "r2"}, ["r2"]),
        ({"text": "%"}, []),
        ({"workflow": "fine", "status": "success", "tag": "red"}, ["r1"]),
        ({"workflow": "fine", "resource_id": "bob"}, []),
    ],
)
async def test_runs_are_listed_by_every_filter(
    open_engine: OpenEngine, filters: dict[str, Any], found: list[str]
) -> None:
    engine = await open_engine(*flows())
    await four(engine)
    assert await ids(engine, **filters) == found


async def test_runs_are_listed_by_the_time_they_were_created(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    await four(engine)
    created = {row.run_id: row.created_at for row in (await engine.list_runs()).items}
    late = datetime.now(UTC) + timedelta(hours=1)
    assert await ids(engine, since=created["r3"]) == ["r4", "r3"]
    assert [await ids(engine, since=late), await ids(engine, until=created["r1"] - timedelta(seconds=1))] == [[], []]
    assert await ids(engine, until=late) == ["r4", "r3", "r2", "r1"]


async def test_pages_follow_each_other_without_gap_or_duplicate(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    for number in range(7):
        await engine.create_run("fine", run_id=f"r{number}")
    seen: list[list[str]] = []
    after: str | None = None
    while True:
        page = await engine.list_runs(workflow="fine", limit=3, after=after)
        seen.append([row.run_id for row in page.items])
        after = page.next
        await engine.create_run("fine", run_id=f"new{len(seen)}")
        if after is None:
            break
    assert seen == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]]


async def test_open_questions_are_listed_until_they_are_answered(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    runs = [await launch(engine, "ask", number) for number in range(3)]
    found = (await engine.suspensions()).items
    assert [(one.run_id, one.workflow_id, one.path, one.label, one.title, one.payload) for one in found] == [
        (run.run_id, "ask", "a", "ok?", "Go on?", {"q": number}) for number, run in enumerate(runs)
    ]
    await runs[1].resume("yes")
    await runs[2].cancel()
    assert [one.run_id for one in (await engine.suspensions()).items] == [runs[0].run_id]


async def test_open_questions_are_listed_by_run_and_workflow_in_pages(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows(), create_workflow(id="other").then(create_step(id="a", execute=approve)))
    runs = [await launch(engine, workflow) for workflow in ("ask", "other", "ask")]
    by_run = (await engine.suspensions(runs[1].run_id)).items
    by_workflow = (await engine.suspensions(workflow="ask")).items
    assert [[one.run_id for one in found] for found in (by_run, by_workflow)] == [
        [runs[1].run_id],
        [runs[0].run_id, runs[2].run_id],
    ]
    first = await engine.suspensions(limit=2)
    second = await engine.suspensions(limit=2, after=first.next)
    assert [one.run_id for one in [*first.items, *second.items]] == [run.run_id for run in runs]
    assert second.next is None


async def test_delete_run_removes_all_of_it(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    await four(engine)
    for run_id in ("r1", "r2"):
        await engine.delete_run(run_id)
    assert await ids(engine) == ["r4", "r3"]
    for call in (engine.get_run, engine.delete_run):
        with pytest.raises(UnknownRun):
            await call("r1")
    assert (await engine.create_run("fine", run_id="r1")).run_id == "r1"


async def test_a_run_that_was_never_started_is_deleted(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    run = await engine.create_run("ask")
    await run.set_breakpoints(["a"])
    await engine.send_event(run.run_id, "early", 1)

    await engine.delete_run(run.run_id)

    assert await ids(engine) == []
    for call in (run.start, run.result, run.cancel):
        with pytest.raises(UnknownRun):
            await call()


async def test_a_run_in_flight_is_not_deleted(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    run = await launch(engine, "ask", 1)
    with pytest.raises(RunInFlight, match="cancel it first"):
        await engine.delete_run(run.run_id)
    assert (await run.result()).status == "suspended"
    await run.cancel()
    await engine.delete_run(run.run_id)
    assert (await engine.suspensions()).items == []


async def test_a_run_in_flight_is_not_deleted_after_reopening(sqlite_url: str) -> None:
    async with Engine(flows(), store=sqlite_url) as engine:
        run = await launch(engine, "ask", 1)
    async with Engine(flows(), store=sqlite_url) as engine:
        with pytest.raises(RunInFlight):
            await engine.delete_run(run.run_id)
        assert (await (await engine.get_run(run.run_id)).result()).status == "suspended"


async def test_prune_removes_ended_runs_only_and_says_how_many(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    await four(engine)
    assert await engine.prune(older_than=timedelta(hours=1)) == 0
    assert await engine.prune(older_than=timedelta(0), status="failed") == 1
    assert await ids(engine) == ["r4", "r3", "r1"]
    assert await engine.prune(older_than=timedelta(0)) == 1
    assert await ids(engine) == ["r4", "r3"]
    assert await engine.prune(older_than=timedelta(0)) == 0


async def test_prune_of_a_status_that_is_no_end_is_refused(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    with pytest.raises(ValueError, match="suspended"):
        await engine.prune(older_than=timedelta(0), status="suspended")


async def test_the_events_of_another_run_are_no_business_of_a_list(open_engine: OpenEngine) -> None:
    """Runs with ids that begin alike are kept apart."""
    engine = await open_engine(*flows())
    first = await engine.create_run("fine", run_id="r")
    second = await engine.create_run("fine", run_id="r2")
    await second.start({"n": 1})
    assert (await lines(first), (await lines(second))[-1]) == (["run.created"], "run.succeeded")


async def test_a_page_that_there_is_not_is_a_wrong_call(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    for after in ("nonsense", "", "-1", "9" * 30, "٣"):
        for pages in (engine.list_runs, engine.suspensions):
            with pytest.raises(ValueError, match="is not what a page gave as its 'next'"):
                await pages(after=after)


async def test_every_run_is_listed_with_the_version_of_its_definition(open_engine: OpenEngine) -> None:
    engine = await open_engine(*flows())
    await four(engine)

    rows = (await engine.list_runs()).items

    assert [row.version == engine.plan_of(row.workflow_id).version for row in rows] == [True] * 4
