"""The plain case: steps one after another, and what a definition and a run id must be.

Left out: committing by hand before a run (a workflow commits itself when it is registered or nested).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import AlreadyStarted, DefinitionError, Engine, RunExists, StepContext, create_step, create_workflow, step
from tests.fixtures import OpenEngine, add, launch, lines


async def test_steps_run_one_after_another(open_engine: OpenEngine) -> None:
    """A1: each step gets the output of the one before; the result has every input and output."""
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(add("b")))
    run = await launch(engine, "w", {"n": 1})
    result = await run.result()
    assert (result.status, result.result) == ("success", {"n": 3})
    assert [(path, record.input, record.output) for path, record in result.steps.items()] == [
        ("a", {"n": 1}, {"n": 2}),
        ("b", {"n": 2}, {"n": 3}),
    ]
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started a",
        "step.succeeded a",
        "step.started b",
        "step.succeeded b",
        "run.succeeded",
    ]


def test_an_empty_workflow_is_refused() -> None:
    """A3: at commit, with a remedy."""
    with pytest.raises(DefinitionError) as caught:
        create_workflow(id="w").commit()
    assert len(caught.value.problems) == 1
    assert "w" in caught.value.subject


async def test_registering_commits(open_engine: OpenEngine) -> None:
    """A4: a workflow that nobody has committed runs all the same."""
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    assert (await (await launch(engine, "w", {"n": 1})).result()).result == {"n": 2}


def test_registering_a_wrong_workflow_is_refused() -> None:
    """A4: what commit would say, registering says."""
    with pytest.raises(DefinitionError):
        Engine([create_workflow(id="w")])


def test_two_steps_of_one_id_are_refused() -> None:
    """A6: at commit, naming the id and the remedy."""
    with pytest.raises(DefinitionError) as caught:
        create_workflow(id="w").then(add("a")).then(add("a")).commit()
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == ("a", "the id is used twice")
    assert "clone_step" in problem.remedy


async def test_a_step_that_returns_nothing_gives_none(open_engine: OpenEngine) -> None:
    """A7: and the next step gets it."""
    seen: list[Any] = []

    async def nothing(data: Any) -> None:
        return None

    async def look(data: Any) -> str:
        seen.append(data)
        return "done"

    workflow = (
        create_workflow(id="w").then(create_step(id="a", execute=nothing)).then(create_step(id="b", execute=look))
    )
    engine = await open_engine(workflow)
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert (result.status, result.result, seen) == ("success", "done", [None])


async def test_a_given_run_id_is_used(open_engine: OpenEngine) -> None:
    """A9: it names the run, is what a step sees, and can't be taken twice."""

    @step
    async def who(data: Any, ctx: StepContext) -> str:
        return ctx.run_id

    engine = await open_engine(create_workflow(id="w").then(who))
    run = await engine.create_run("w", run_id="order-7")
    result = await run.start({})
    assert (run.run_id, result.run_id, result.result) == ("order-7", "order-7", "order-7")
    assert (await (await engine.get_run("order-7")).result()).result == "order-7"
    with pytest.raises(RunExists):
        await engine.create_run("w", run_id="order-7")


async def test_a_step_that_changes_its_input_changes_nobody_elses(open_engine: OpenEngine) -> None:
    """A10: neither the caller's object, nor what is recorded, nor what a sibling sees."""

    async def spoil(data: dict[str, Any]) -> dict[str, Any]:
        data["n"] = 99
        data["items"].append("x")
        return {"mine": data}

    async def look(data: dict[str, Any]) -> dict[str, Any]:
        return data

    spoiler, looker = create_step(id="spoil", execute=spoil), create_step(id="look", execute=look)
    engine = await open_engine(create_workflow(id="w").parallel([spoiler, looker]))
    given: dict[str, Any] = {"n": 1, "items": []}
    result = await (await launch(engine, "w", given)).result()
    assert given == {"n": 1, "items": []}
    assert result.input == {"n": 1, "items": []}
    assert result.steps["spoil"].input == {"n": 1, "items": []}
    assert result.result == {"spoil": {"mine": {"n": 99, "items": ["x"]}}, "look": {"n": 1, "items": []}}


async def test_the_runs_input_stands_apart_from_its_steps(open_engine: OpenEngine) -> None:
    """A12: a step may be called ``input``."""
    engine = await open_engine(create_workflow(id="w").then(add("input")))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.input == {"n": 1}
    assert list(result.steps) == ["input"]


async def test_a_run_starts_once(open_engine: OpenEngine) -> None:
    """A13: a second start is refused, also after the end, and runs nothing."""
    calls: list[int] = []

    async def count(data: Any) -> None:
        calls.append(1)

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=count)))
    run = await launch(engine, "w")
    with pytest.raises(AlreadyStarted):
        await run.start()
    assert (len(calls), await run.status()) == (1, "success")


async def test_of_two_starts_at_once_one_wins(open_engine: OpenEngine) -> None:
    """A13: the start is claimed."""
    calls: list[int] = []

    async def count(data: Any) -> None:
        calls.append(1)
        await asyncio.sleep(0)

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=count)))
    run = await engine.create_run("w")
    ends = await asyncio.gather(run.start(), run.start(), run.start(), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["AlreadyStarted", "AlreadyStarted", "RunResult"]
    assert len(calls) == 1


async def test_runs_over_the_limit_wait_their_turn(open_engine: OpenEngine) -> None:
    """As pending, in the order of their starts; the end of one lets the next one in."""
    order: list[str] = []
    gates = {id: asyncio.Event() for id in "abc"}
    here = {id: asyncio.Event() for id in "abc"}

    async def work(data: Any, ctx: StepContext) -> None:
        order.append(ctx.run_id)
        here[ctx.run_id].set()
        await gates[ctx.run_id].wait()

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=work)), max_running=1)
    runs = [await engine.create_run("w", run_id=id) for id in "abc"]
    for run in runs:
        await run.start_soon()
    await here["a"].wait()
    assert [await run.status() for run in runs] == ["running", "pending", "pending"]
    gates["a"].set()
    await here["b"].wait()
    assert [await run.status() for run in runs] == ["success", "running", "pending"]
    gates["b"].set()
    gates["c"].set()
    assert [(await run.wait()).status for run in runs] == ["success"] * 3
    assert order == ["a", "b", "c"]
