"""Which arms run, what becomes of the others, and when a condition is asked."""

from __future__ import annotations

from typing import Any

import pytest

from engine import StepContext, create_step, create_workflow, from_step
from tests.fixtures import OpenEngine, add, launch, lines, statuses


def raising(data: Any) -> bool:
    raise KeyError("n")


async def test_only_the_true_arm_runs(open_engine: OpenEngine) -> None:
    """E1: the output has its key alone; the other is recorded as skipped."""
    engine = await open_engine(create_workflow(id="w").branch([("n > 5", add("hi")), ("n <= 5", add("lo"))]))
    run = await launch(engine, "w", {"n": 1})
    result = await run.result()
    assert (result.status, result.result) == ("success", {"lo": {"n": 2}})
    assert statuses(result.steps) == {"hi": "skipped", "lo": "success"}
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started branch-1",
        "branch.chosen branch-1",
        "step.skipped hi",
        "step.started lo",
        "step.succeeded lo",
        "step.succeeded branch-1",
        "run.succeeded",
    ]


CASES = [("n > 0", add("x", 10)), (lambda data: data["n"] > 0, add("y", 20)), ("n < 0", add("z", 30))]


async def test_every_true_arm_runs(open_engine: OpenEngine) -> None:
    """E2: all at once, keyed by their ids; a false one is absent."""
    engine = await open_engine(create_workflow(id="w").branch(CASES))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.result == {"x": {"n": 11}, "y": {"n": 21}}
    assert statuses(result.steps) == {"z": "skipped", "x": "success", "y": "success"}


async def test_in_mode_first_only_the_first_true_arm_runs(open_engine: OpenEngine) -> None:
    """E2: the second true arm is skipped, too."""
    engine = await open_engine(create_workflow(id="w").branch(CASES, mode="first"))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.result == {"x": {"n": 11}}
    assert statuses(result.steps) == {"y": "skipped", "z": "skipped", "x": "success"}


async def test_without_a_match_otherwise_runs(open_engine: OpenEngine) -> None:
    """And is skipped when something matches."""
    engine = await open_engine(create_workflow(id="w").branch([("n > 5", add("hi"))], otherwise=add("rest", 100)))
    low = await (await launch(engine, "w", {"n": 1})).result()
    high = await (await launch(engine, "w", {"n": 9})).result()
    assert (low.result, statuses(low.steps)) == ({"rest": {"n": 101}}, {"hi": "skipped", "rest": "success"})
    assert (high.result, statuses(high.steps)) == ({"hi": {"n": 10}}, {"rest": "skipped", "hi": "success"})


async def test_without_a_match_and_otherwise_the_output_is_empty(open_engine: OpenEngine) -> None:
    """The run goes on, and knows that nothing ran."""
    engine = await open_engine(create_workflow(id="w").branch([("n > 5", add("hi"))]).map(lambda made: [made]))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert (result.status, result.result) == ("success", [{}])


@pytest.mark.parametrize("mode", ["all", "first"])
async def test_a_condition_that_raises_fails_the_run(open_engine: OpenEngine, mode: Any) -> None:
    """E4: naming the arm; no arm runs, though another one's condition holds."""
    cases = [("n > 0", add("good")), (raising, add("bad"))]
    engine = await open_engine(create_workflow(id="w").branch(cases, mode=mode))
    run = await launch(engine, "w", {"n": 1})
    result = await run.result()
    assert (result.status, statuses(result.steps), await run.status()) == ("failed", {}, "failed")
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("ConditionFailed", "branch-1")
    assert all(part in result.error["message"] for part in ("'bad'", "raising", "KeyError"))


async def test_an_expression_over_what_is_missing_fails_the_run(open_engine: OpenEngine) -> None:
    """E4: an expression is a condition like any other."""
    engine = await open_engine(create_workflow(id="w").branch([("missing > 1", add("a"))]))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert (result.status, result.error and result.error["type"]) == ("failed", "ConditionFailed")


@pytest.mark.parametrize(
    ("answer", "runs"),
    [("yes", True), ([0], True), (1, True), (0, False), ("", False), (None, False), ([], False)],
)
async def test_a_condition_may_give_any_value(open_engine: OpenEngine, answer: Any, runs: bool) -> None:
    """E5: as in Python, what is true counts."""
    engine = await open_engine(create_workflow(id="w").branch([(lambda _: answer, add("a"))]))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.result == ({"a": {"n": 2}} if runs else {})


async def test_a_condition_may_be_async_and_take_a_context(open_engine: OpenEngine) -> None:
    """It is awaited; the context tells of the run."""

    async def knows(data: Any, ctx: StepContext) -> bool:
        return ctx.init == {"n": 1} and ctx.resource_id == "r"

    engine = await open_engine(create_workflow(id="w").branch([(knows, add("a"))]))
    run = await engine.create_run("w", resource_id="r")
    assert (await run.start({"n": 1})).result == {"a": {"n": 2}}


async def test_an_arm_may_be_a_workflow_with_arms_of_its_own(open_engine: OpenEngine) -> None:
    """E7: keyed by its id; inside, its own keys."""
    child = create_workflow(id="n").parallel([add("a", 1), add("b", 2)])
    engine = await open_engine(create_workflow(id="w").branch([("n == 1", child)]))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.result == {"n": {"a": {"n": 2}, "b": {"n": 3}}}


async def test_an_arm_that_was_not_chosen_has_no_result(open_engine: OpenEngine) -> None:
    """E8: ``result_of`` gives none for it, and the output for the one that ran."""

    async def look(data: Any, ctx: StepContext) -> Any:
        return [ctx.result_of("hi"), ctx.result_of("lo")]

    workflow = create_workflow(id="w").branch([("n > 5", add("hi")), ("n <= 5", add("lo"))])
    engine = await open_engine(workflow.then(create_step(id="look", execute=look)))
    assert (await (await launch(engine, "w", {"n": 1})).result()).result == [None, {"n": 2}]


async def test_a_condition_sees_state_input_and_results(open_engine: OpenEngine) -> None:
    """E10: both as an expression and as a function."""

    async def note(data: Any, ctx: StepContext) -> dict[str, int]:
        ctx.set_state(open=True)
        return {"n": 5}

    def all_three(data: Any, ctx: StepContext) -> bool:
        return bool(ctx.state["open"] and ctx.init["n"] == 1 and ctx.result_of("a") == {"n": 5} and data == {"n": 5})

    workflow = create_workflow(id="w").then(create_step(id="a", execute=note))
    text = "n == 5 and state.open and init.n == 1 and steps.a.n == 5"
    engine = await open_engine(workflow.branch([(text, add("x")), (all_three, add("y")), ("not state.open", add("z"))]))
    assert (await (await launch(engine, "w", {"n": 1})).result()).result == {"x": {"n": 6}, "y": {"n": 6}}


async def test_what_was_chosen_is_an_event(open_engine: OpenEngine) -> None:
    """E11: which arms, and what each condition gave."""
    engine = await open_engine(create_workflow(id="w").branch(CASES, mode="first"))
    run = await launch(engine, "w", {"n": 1})
    (chosen,) = [event async for event in run.events(follow=False) if event.type == "branch.chosen"]
    assert (chosen.path, chosen.data) == ("branch-1", {"arms": ["x"], "values": [True, True, False]})


async def test_a_branch_and_the_map_after_it_join_again(open_engine: OpenEngine) -> None:
    """The next step gets the output of whichever arm ran."""
    workflow = (
        create_workflow(id="w")
        .branch([("n > 5", add("hi", 100))], otherwise=add("lo", 1), mode="first")
        .map(from_step(["hi", "lo"]))
        .then(add("z"))
    )
    engine = await open_engine(workflow)
    assert (await (await launch(engine, "w", {"n": 1})).result()).result == {"n": 3}
    assert (await (await launch(engine, "w", {"n": 9})).result()).result == {"n": 110}
