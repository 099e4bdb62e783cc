"""Workflows in workflows, and clones.

Left out: reading a run with its nested steps off (``result.steps`` has every path; the top level is what has no ``/``).
"""

from __future__ import annotations

from typing import Any

import pytest

from engine import (
    DefinitionError,
    Fatal,
    RetryPolicy,
    StepContext,
    chain,
    clone_step,
    clone_workflow,
    create_step,
    create_workflow,
)
from tests.fixtures import OpenEngine, add, fail, launch, lines, statuses


async def test_a_failed_step_fails_everything_it_is_in(open_engine: OpenEngine) -> None:
    """H2: each record has the same error, which names the step by its path."""
    child = create_workflow(id="n").then(fail("i", ValueError("no")))
    engine = await open_engine(create_workflow(id="w").then(child).then(add("b")))
    run = await launch(engine, "w", {"n": 1})
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("failed", {"n": "failed", "n/i": "failed"})
    assert result.error is not None
    assert (result.error["type"], result.error["message"], result.error["step"]) == ("ValueError", "no", "n/i")
    assert result.steps["n"].error == result.steps["n/i"].error == result.error


async def test_three_levels_deep(open_engine: OpenEngine) -> None:
    """H3: the path names every scope; the step sees its own workflow's input."""

    async def look(data: Any, ctx: StepContext) -> Any:
        return {"path": ctx.path, "init": ctx.init, "workflow": ctx.workflow_id, "step": ctx.step_id}

    deepest = create_workflow(id="n2").then(create_step(id="s", execute=look))
    middle = create_workflow(id="n1").then(add("a")).then(deepest)
    engine = await open_engine(create_workflow(id="w").then(middle))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.result == {"path": "n1/n2/s", "init": {"n": 2}, "workflow": "w", "step": "s"}
    assert list(result.steps) == ["n1", "n1/a", "n1/n2", "n1/n2/s"]


def test_the_same_workflow_twice_needs_two_ids() -> None:
    """H5: refused at commit, with what to do."""
    child = create_workflow(id="n").then(add("i"))
    with pytest.raises(DefinitionError, match="clone_workflow"):
        create_workflow(id="w").then(child).then(child).commit()


async def test_the_same_workflow_twice_under_two_ids(open_engine: OpenEngine) -> None:
    """H5: two records, none overwritten; ``id=`` renames it where it stands."""
    child = create_workflow(id="n").then(add("i"))
    engine = await open_engine(create_workflow(id="w").then(child).then(child, id="again"))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert {path: record.output for path, record in result.steps.items()} == {
        "n": {"n": 2},
        "n/i": {"n": 2},
        "again": {"n": 3},
        "again/i": {"n": 3},
    }


async def test_clones_are_recorded_under_their_own_ids(open_engine: OpenEngine) -> None:
    """H6: they do the same; a changed field changes only the clone."""
    child = create_workflow(id="n").then(add("a"))
    patient = clone_step(add("a"), id="b", retry=RetryPolicy(attempts=3))
    engine = await open_engine(create_workflow(id="w").then(child).then(clone_workflow(child, id="n2")).then(patient))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert {path: record.output for path, record in result.steps.items() if "/" not in path} == {
        "n": {"n": 2},
        "n2": {"n": 3},
        "b": {"n": 4},
    }
    assert (add("a").retry, patient.retry) == (None, RetryPolicy(attempts=3))


async def test_a_bail_in_a_nested_workflow_ends_that_one(open_engine: OpenEngine) -> None:
    """H8: the parent goes on with its value."""

    async def leave(data: Any, ctx: StepContext) -> Any:
        ctx.bail({"n": 100})

    child = create_workflow(id="n").then(create_step(id="i", execute=leave)).then(add("j"))
    engine = await open_engine(create_workflow(id="w").then(child).then(add("b")))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert (result.status, result.result) == ("success", {"n": 101})
    assert statuses(result.steps) == {"n": "success", "n/i": "bailed", "b": "success"}


async def test_events_of_nested_steps_carry_their_paths(open_engine: OpenEngine) -> None:
    """H9: the workflow begins, its steps run, it ends."""
    child = create_workflow(id="n").then(add("i")).then(add("j"))
    engine = await open_engine(create_workflow(id="w").then(child))
    run = await launch(engine, "w", {"n": 1})
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started n",
        "step.started n/i",
        "step.succeeded n/i",
        "step.started n/j",
        "step.succeeded n/j",
        "step.succeeded n",
        "run.succeeded",
    ]


async def test_fatal_in_a_nested_step_is_not_retried(open_engine: OpenEngine) -> None:
    """H12: whatever the policies around it say."""
    calls: list[int] = []

    async def deadly(data: Any) -> None:
        calls.append(1)
        raise Fatal("no use")

    child = create_workflow(id="n", retry=RetryPolicy(attempts=5)).then(create_step(id="i", execute=deadly))
    engine = await open_engine(create_workflow(id="w", retry=RetryPolicy(attempts=5)).then(child))
    result = await (await launch(engine, "w", {})).result()
    assert (result.status, len(calls), result.steps["n/i"].attempts) == ("failed", 1, 1)
    assert result.error is not None
    assert (result.error["type"], result.error["message"]) == ("Fatal", "no use")


async def test_a_chain_is_a_scope_without_a_workflow(open_engine: OpenEngine) -> None:
    """Its steps have its id in their paths; ids may repeat in another scope; ``init`` is the workflow's."""

    async def look(data: Any, ctx: StepContext) -> Any:
        return [ctx.path, ctx.init, data]

    engine = await open_engine(
        create_workflow(id="w").then(add("a")).then(chain().then(add("a")).then(create_step(id="look", execute=look)))
    )
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.result == ["chain-1/look", {"n": 1}, {"n": 3}]
    assert list(result.steps) == ["a", "chain-1", "chain-1/a", "chain-1/look"]


async def test_names_are_looked_up_from_the_inside_out(open_engine: OpenEngine) -> None:
    """A chain sees the steps around it; a nested workflow sees only its own."""

    async def look(data: Any, ctx: StepContext) -> Any:
        return [ctx.result_of("a"), ctx.result_of("outer")]

    looker = create_step(id="look", execute=look)
    inside = chain("c").then(add("a", 10)).then(looker)
    child = create_workflow(id="n").then(add("a", 100)).then(clone_step(looker, id="look"))
    engine = await open_engine(
        create_workflow(id="chained").then(add("a")).then(add("outer")).then(inside),
        create_workflow(id="nested").then(add("a")).then(add("outer")).then(child),
    )
    assert (await (await launch(engine, "chained", {"n": 0})).result()).result == [{"n": 12}, {"n": 2}]
    assert (await (await launch(engine, "nested", {"n": 0})).result()).result == [{"n": 102}, None]


async def test_a_nested_workflow_can_still_run_alone(open_engine: OpenEngine) -> None:
    """A definition does not know where it stands."""
    child = create_workflow(id="n").then(add("i"))
    engine = await open_engine(child, create_workflow(id="w").then(child))
    assert (await (await launch(engine, "n", {"n": 1})).result()).result == {"n": 2}
    assert (await (await launch(engine, "w", {"n": 1})).result()).result == {"n": 2}
