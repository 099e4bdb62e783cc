"""What every store's lists of runs and questions show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.errors import NotSuspended
from engine.events import Fact
from engine.store import RunFilter, Store
from tests.conformance.stores import STORES, add, facts, opened, statuses, suspended, value


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as one:
        yield one


# -- the list of runs


async def test_a_run_is_listed_as_its_facts_say(store: Store) -> None:
    await add(store, resource_id="house", tags=["x", "y"], version="v1", parent="r0")
    row = await store.row("r1")
    when = datetime.fromtimestamp(1001.0, UTC)
    assert (row.run_id, row.workflow_id, row.status, row.blocked) == ("r1", "weather", "pending", None)
    assert (row.resource_id, row.tags, row.version, row.parent_run_id) == ("house", ("x", "y"), "v1", "r0")
    assert (row.created_at, row.updated_at) == (when, when)


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("run.started", None, "running"),
        ("run.suspended", None, "suspended"),
        ("run.paused", None, "paused"),
        ("run.waiting", None, "waiting"),
        ("run.resumed", None, "running"),
        ("run.resumed", {"status": "suspended"}, "suspended"),
        ("run.continued", None, "running"),
        ("run.recovered", {"status": "waiting"}, "waiting"),
        ("run.recovered", None, "running"),
        ("run.stepped", None, "running"),
        ("run.cancel_requested", None, "pending"),
        ("run.succeeded", None, "success"),
        ("run.failed", None, "failed"),
        ("run.canceled", None, "canceled"),
    ],
)
async def test_a_fact_changes_the_status(kind: str, data: dict[str, Any] | None, status: str, tmp_path: Path) -> None:
    for name in ("memory", "sqlite"):
        async with opened(name, tmp_path) as store:
            await add(store)
            await store.append("r1", facts(Fact(kind, data=data), after=1), epoch=1)
            row = await store.row("r1")
            assert (row.status, row.updated_at.timestamp()) == (status, 1002.0)


async def test_a_blocked_run_says_so_until_it_is_not(store: Store) -> None:
    await add(store, "r1", Fact("run.started", value=value()), Fact("run.blocked", data={"reason": "WorkflowMissing"}))
    assert ((await store.row("r1")).status, (await store.row("r1")).blocked) == ("running", "WorkflowMissing")
    await store.append("r1", facts(Fact("run.blocked", data={"reason": None}), after=3), epoch=1)
    assert (await store.row("r1")).blocked is None
    again = [Fact("run.blocked", data={"reason": "x"}), Fact("run.definition_changed", data={"version": "v2"})]
    await store.append("r1", facts(*again, after=4), epoch=1)
    assert ((await store.row("r1")).blocked, (await store.row("r1")).version) == (None, "v2")


async def test_pages_go_from_new_to_old_without_gap_or_repetition(store: Store) -> None:
    for number in range(7):
        await add(store, f"r{number}")
    seen, after = [], None
    while True:
        page = await store.list_runs(RunFilter(), limit=3, after=after)
        seen.append([row.run_id for row in page.items])
        after = page.next
        if after is None:
            break
        await add(store, f"new-{len(seen)}")
    assert seen == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]]


async def test_each_filter_and_all_of_them(store: Store) -> None:
    await add(store, "a1", workflow="a", resource_id="house", tags=["t1"], at=1000)
    await add(store, "a2", Fact("run.started", value=value()), workflow="a", tags=["t1", "t2"], at=2000)
    await add(store, "b1", Fact("run.failed", data={"error": {}}), workflow="b_%!", resource_id="House", at=3000)
    moment = datetime.fromtimestamp(2001, UTC)
    assert await statuses(store, workflow="a") == ["a2", "a1"]
    assert await statuses(store, status=("failed", "pending")) == ["b1", "a1"]
    assert await statuses(store, status=("running",)) == ["a2"]
    assert await statuses(store, resource_id="house") == ["a1"]
    assert await statuses(store, tag="t1") == ["a2", "a1"]
    assert await statuses(store, since=moment) == ["b1", "a2"]
    assert await statuses(store, until=moment) == ["a1"]
    assert await statuses(store, text="HOUSE") == ["b1", "a1"]
    assert await statuses(store, text="_%!") == ["b1"]
    assert await statuses(store, text="t2") == ["a2"]
    assert await statuses(store, text="1", status=("failed", "pending")) == ["b1", "a1"]
    assert await statuses(store, workflow="a", status=("running",), tag="t1", since=moment, text="a2") == ["a2"]
    assert await statuses(store, workflow="nothing") == []


async def test_a_cursor_that_no_page_gave_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="next"):
        await store.list_runs(RunFilter(), limit=3, after="1 OR 1=1")


# -- questions


async def test_a_question_is_open_until_it_is_answered(store: Store) -> None:
    about = {"label": "boss", "title": "Buy?", "schema": {"type": "object"}, "expires_at": 5000.0}
    await add(store, "r1", suspended("review/approve[2]", "t1", **about))
    question, state = await store.suspension("t1")
    assert state == "open"
    assert (question.token, question.run_id, question.workflow_id) == ("t1", "r1", "weather")
    assert (question.path, question.label, question.title) == ("review/approve[2]", "boss", "Buy?")
    assert (question.payload, question.schema) == ({"cost": 7}, {"type": "object"})
    assert question.created_at == datetime.fromtimestamp(1002, UTC)
    assert question.expires_at == datetime.fromtimestamp(5000, UTC)
    answer = Fact("step.resumed", "review/approve[2]", data={"token": "t1"}, value=value("true"))
    await store.append("r1", facts(answer, after=2), epoch=1)
    assert (await store.suspension("t1"))[1] == "answered"
    with pytest.raises(NotSuspended):
        await store.suspension("t2")


async def test_questions_close_with_their_step_and_with_their_run(store: Store) -> None:
    asked = [suspended(path, f"t-{path}") for path in ("a", "b", "c", "d", "e")]
    await add(store, "r1", *asked)
    closing = [
        Fact("step.succeeded", "a", value=value()),
        Fact("suspension.expired", "b", data={"token": "t-b"}),
        Fact("step.failed", "c", data={"error": {}}),
        Fact("step.succeeded", "other", value=value()),
    ]
    await store.append("r1", facts(*closing, after=6), epoch=1)
    states = [(await store.suspension(f"t-{path}"))[1] for path in "abcde"]
    assert states == ["canceled", "expired", "canceled", "open", "open"]
    await store.append("r1", facts(Fact("run.canceled", data={}), after=10), epoch=1)
    assert [(await store.suspension(f"t-{path}"))[1] for path in "bde"] == ["expired", "canceled", "canceled"]


async def test_open_questions_are_listed_oldest_first(store: Store) -> None:
    await add(store, "r1", suspended("a", "t1"), suspended("b", "t2"))
    await add(store, "r2", suspended("a", "t3"), workflow="other")
    await store.append("r1", facts(suspended("c", "t4"), after=3), epoch=1)

    async def tokens(**where: Any) -> list[list[str]]:
        pages: list[list[str]] = []
        after = None
        while True:
            wanted = {"run_id": None, "workflow": None} | where
            page = await store.list_suspensions(**wanted, limit=3, after=after)
            pages.append([one.token for one in page.items])
            after = page.next
            if after is None:
                return pages

    assert await tokens() == [["t1", "t2", "t3"], ["t4"]]
    assert await tokens(run_id="r1") == [["t1", "t2", "t4"]]
    assert await tokens(workflow="other") == [["t3"]]
    assert await tokens(run_id="nobody") == [[]]
