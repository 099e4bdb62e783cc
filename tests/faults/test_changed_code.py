"""The code changes, or is gone, while a run waits: nothing runs, nothing is lost, no answer is spent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, StepContext, Workflow, create_step, create_workflow
from engine.errors import Blocked, DefinitionChanged, UnknownWorkflow, WorkflowMissing
from engine.verify import verify
from tests.fixtures import add, launch, lines


async def ask(data: Any, ctx: StepContext) -> Any:
    return {"n": data["n"] + await ctx.ask("?", int)}


def flow(*ids: str) -> Workflow[Any, Any]:
    """A workflow ``pay`` of these steps; ``approve`` asks."""
    made = create_workflow(id="pay")
    for id in ids:
        made = made.then(create_step(id=id, execute=ask) if id.startswith("approve") else add(id))
    return made.commit()


OLD = ("a", "approve", "pay")


async def suspended(path: Path) -> tuple[str, list[str]]:
    async with Engine([flow(*OLD)], store=path) as engine:
        run = await launch(engine, "pay", {"n": 0})
        assert await run.status() == "suspended"
        return run.run_id, await lines(run)


def changes() -> Iterator[tuple[str, tuple[str, ...], str]]:
    yield "the step that asks is gone", ("a", "pay"), "'approve' was removed or renamed"
    yield "the step that asks has another name", ("a", "approve2", "pay"), r"'approve' was removed .*'approve2'"
    yield "a step comes before it", ("a", "new", "approve", "pay"), "'approve' has moved"
    yield "a step comes first", ("new", "a", "approve", "pay"), "has moved"
    yield "what comes after stands before", ("a", "pay", "approve"), "'approve' has moved"


@pytest.mark.parametrize(
    ("new", "words"), [(new, words) for _, new, words in changes()], ids=[one[0] for one in changes()]
)
async def test_a_change_that_does_not_fit_blocks_the_run_and_spends_no_answer(
    tmp_path: Path, new: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "runs.db"
    run_id, before = await suspended(path)
    for _ in range(2):
        async with Engine([flow(*new)], store=path) as engine:
            run = await engine.get_run(run_id)
            with pytest.raises(DefinitionChanged, match=words):
                await run.resume(100)
            assert await lines(run) == [*before, "run.blocked"]
            (row,) = (await engine.list_runs()).items
            assert (row.status, row.blocked) == ("suspended", "DefinitionChanged")
            assert len((await engine.suspensions()).items) == 1
    async with Engine([flow(*OLD)], store=path) as engine:
        assert (await (await engine.get_run(run_id)).resume(100)).result == {"n": 102}
        assert (await engine.list_runs()).items[0].blocked is None
    assert verify(path) == []


@pytest.mark.parametrize("new", [("a", "approve"), ("a", "approve", "pay", "more"), ("a", "approve", "other", "pay")])
async def test_a_change_of_what_has_not_run_goes_on_and_is_noted(tmp_path: Path, new: tuple[str, ...]) -> None:
    path = tmp_path / "runs.db"
    run_id, _ = await suspended(path)
    async with Engine([flow(*new)], store=path) as engine:
        run = await engine.get_run(run_id)
        assert (await run.resume(100)).result == {"n": 101 + len(new) - 2}
        assert (await lines(run)).count("run.definition_changed") == 1
    assert verify(path) == []


async def test_a_run_whose_workflow_is_gone_can_be_looked_at_and_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    run_id, before = await suspended(path)
    other = create_workflow(id="other").then(add("a")).commit()
    async with Engine([other], store=path) as engine:
        run = await engine.get_run(run_id)
        assert await lines(run) == before
        (row,) = (await engine.list_runs()).items
        assert (row.run_id, row.workflow_id, row.status) == (run_id, "pay", "suspended")
        (question,) = (await engine.suspensions()).items
        assert question.path == "approve"
        assert row.version is not None
        definition = await engine.store.definition(row.version)
        assert definition is not None
        assert [child["id"] for child in definition["root"]["children"]] == ["a", "approve", "pay"]
        seen = await run.result()
        assert (seen.status, seen.suspended, seen.steps["a"].output) == ("suspended", [["approve"]], {"n": 1})
        for call in (run.resume(1), run.pause(), run.rerun()):
            with pytest.raises((WorkflowMissing, UnknownWorkflow), match="'pay'"):
                await call
        assert (await (await engine.create_run("other")).start({"n": 0})).result == {"n": 1}
    async with Engine([flow(*OLD)], store=path) as engine:
        assert (await (await engine.get_run(run_id)).resume(100)).result == {"n": 102}
    assert verify(path) == []


async def test_a_blocked_run_can_be_cancelled_without_its_code(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    for workflows in ([], [flow("a", "pay")]):
        run_id, _ = await suspended(path)
        async with Engine(workflows, store=path) as engine:
            run = await engine.get_run(run_id)
            with pytest.raises(Blocked):
                await run.resume(1)
            assert await run.cancel("the code is gone") is True
            assert await run.status() == "canceled"
            assert (await engine.suspensions()).items == []
            assert await run.cancel() is False
        async with Engine([flow(*OLD)], store=path) as engine:
            assert (await (await engine.get_run(run_id)).result()).status == "canceled"
    assert verify(path) == []
