"""A run goes on with changed code if all that it has recorded still fits; else it is blocked, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine import DefinitionChanged, Engine, WorkflowMissing, chain, create_workflow, from_step, value
from tests.fixtures import add, lines, statuses
from tests.rules.changes import Count, Made, Other, Wider, ask, before, expect_blocked, flow, only_row, url, wait_at_ask

__all__ = ["url"]

FITTING: dict[str, tuple[Callable[[], Made], Any]] = {
    "a step inserted after": (
        lambda: flow().then(add("a")).then(add("b")).then(ask()).then(add("new", 100)).then(add("z")),
        {"n": 108},
    ),
    "a step added at the end": (lambda: before().then(add("end", 100)), {"n": 108}),
    "a later step removed": (lambda: flow().then(add("a")).then(add("b")).then(ask()), {"n": 7}),
    "a later step renamed": (
        lambda: flow().then(add("a")).then(add("b")).then(ask()).then(add("zz", 10)),
        {"n": 17},
    ),
    "a later step of another kind": (
        lambda: flow().then(add("a")).then(add("b")).then(ask()).map(value("mapped"), id="z"),
        "mapped",
    ),
    "a schema that takes what is stored": (
        lambda: flow().then(add("a", output_schema=Wider)).then(add("b")).then(ask(input_schema=Wider)).then(add("z")),
        {"n": 8},
    ),
}

BLOCKING: dict[str, tuple[Callable[[], Made], str]] = {
    "a step inserted before": (
        lambda: flow().then(add("new")).then(add("a")).then(add("b")).then(ask()).then(add("z")),
        "'a' has moved (from position 0 to 1)",
    ),
    "a step removed": (
        lambda: flow().then(add("a")).then(ask()).then(add("z")),
        "'b' was removed or renamed",
    ),
    "a step renamed": (
        lambda: flow().then(add("a")).then(add("bee")).then(ask()).then(add("z")),
        "'b' was removed or renamed (to 'bee'?)",
    ),
    "steps reordered": (
        lambda: flow().then(add("b")).then(add("a")).then(ask()).then(add("z")),
        "'a' has moved (from position 0 to 1); 'b' has moved (from position 1 to 0)",
    ),
    "a kind changed": (
        lambda: flow().then(create_workflow(id="a").then(add("inner"))).then(add("b")).then(ask()).then(add("z")),
        "'a' was a step and is a workflow",
    ),
    "a step that became a map": (
        lambda: flow().then(add("a")).map(value({"n": 0}), id="b").then(ask()).then(add("z")),
        "'b' was a step and is a map",
    ),
    "an output schema that does not take what is stored": (
        lambda: flow().then(add("a")).then(add("b", output_schema=Other)).then(ask()).then(add("z")),
        "the output schema of 'b' no longer takes the stored output",
    ),
    "an input schema of the open step": (
        lambda: flow().then(add("a")).then(add("b")).then(ask(input_schema=Other)).then(add("z")),
        "the input schema of 'ask' no longer takes the stored input",
    ),
    "the workflow's input schema": (
        lambda: create_workflow(id="w", input_schema=Other).then(add("a")).then(add("b")).then(ask()).then(add("z")),
        "the workflow's input schema no longer takes the stored input",
    ),
    "the workflow's state schema": (
        lambda: create_workflow(id="w", state_schema=Other).then(add("a")).then(add("b")).then(ask()).then(add("z")),
        "the workflow's state schema no longer takes the stored state",
    ),
}


@pytest.mark.parametrize("change", FITTING)
async def test_a_run_goes_on_with_code_that_fits(url: str, change: str) -> None:
    await wait_at_ask(url, before())
    changed, expected = FITTING[change]
    async with Engine([changed()], store=url) as engine:
        run = await engine.get_run("r")
        result = await run.resume(5)
        events = [event async for event in run.events(follow=False) if event.type == "run.definition_changed"]
    got = result.result if not isinstance(result.result, dict) else {"n": result.result["n"]}
    assert (result.status, got) == ("success", expected)
    assert len(events) == 1


@pytest.mark.parametrize("change", BLOCKING)
async def test_code_that_does_not_fit_blocks_and_says_why(url: str, change: str) -> None:
    """Nothing runs, no answer is spent, the status stays; with fitting code the run goes on."""
    await wait_at_ask(url, before())
    changed, why = BLOCKING[change]
    async with Engine([changed()], store=url) as engine:
        run = await expect_blocked(engine, DefinitionChanged, why)
        before_retry = await lines(run)
        await expect_blocked(engine, DefinitionChanged, why)
        assert await lines(run) == before_retry
        assert before_retry[-1] == "run.blocked"
    async with Engine([before()], store=url) as engine:
        run = await engine.get_run("r")
        assert (await only_row(engine)).blocked is None
        assert (await run.resume(5)).result == {"n": 8}


async def test_a_missing_workflow_blocks(url: str) -> None:
    await wait_at_ask(url, before())
    async with Engine([], store=url) as engine:
        await expect_blocked(engine, WorkflowMissing, "is of workflow 'w', which is not registered")
        engine.register([before()])
        run = await engine.get_run("r")
        assert (await run.resume(5)).result == {"n": 8}
        assert (await only_row(engine)).blocked is None


# -- what is not a change


async def test_new_code_and_new_words_are_no_new_version(url: str) -> None:
    await wait_at_ask(url, before())
    changed = create_workflow(id="w", description="said better").then(add("a", 50)).then(add("b", description="better"))
    async with Engine([changed.then(ask()).then(add("z", 1000))], store=url) as engine:
        run = await engine.get_run("r")
        assert (await run.resume(5)).result == {"n": 1007}
        assert "run.definition_changed" not in await lines(run)


async def test_the_version_covers_ids_kinds_order_schemas_and_conditions() -> None:
    def looped(condition: str) -> Made:
        return flow().do_while(add("a"), condition)

    made: list[Made] = [
        flow().then(add("a")),
        flow().then(add("b")),
        flow().map(value(1), id="a"),
        flow().then(add("a")).then(add("b")),
        flow().then(add("b")).then(add("a")),
        flow().then(add("a", input_schema=Count)),
        flow().then(add("a", output_schema=Count)),
        looped("n < 1"),
        looped("n < 2"),
        flow().do_until(add("a"), "n < 1"),
    ]
    versions = [workflow.plan.version for workflow in made]
    assert len(set(versions)) == len(versions)
    assert flow().then(add("a")).plan.version == versions[0]


async def test_a_condition_that_was_asked_is_not_asked_again_when_it_changes(url: str) -> None:
    def branching(condition: str) -> Made:
        return flow().branch([(condition, ask()), ("n > 99", add("other"))]).map(from_step("ask"))

    async with Engine([branching("n >= 0")], store=url) as engine:
        run = await engine.create_run("w", run_id="r")
        await run.start({"n": 2})
    async with Engine([branching("n < 0")], store=url) as engine:
        run = await engine.get_run("r")
        result = await run.resume(1)
        assert (result.result, statuses(result.steps, {"ask", "other"})) == (
            {"n": 3},
            {"ask": "success", "other": "skipped"},
        )
        [change] = [event.data async for event in run.events(follow=False) if event.type == "run.definition_changed"]
        assert change["changes"] == ["conditions or options changed"]


async def test_the_difference_is_told(url: str) -> None:
    await wait_at_ask(url, before())
    changed = flow().then(add("a", output_schema=Count)).then(add("b")).then(ask()).then(add("new"))
    async with Engine([changed], store=url) as engine:
        run = await engine.get_run("r")
        await run.resume(5)
        [change] = [event.data async for event in run.events(follow=False) if event.type == "run.definition_changed"]
    assert change["changes"] == ["'z' was removed", "'new' was added", "the schemas of 'a' changed"]


async def test_a_place_inside_nested_blocks_counts_too(url: str) -> None:
    def nested(last: str) -> Made:
        inner = create_workflow(id="inner").foreach(chain("item").then(add("first")).then(add(last)).then(ask()))
        return flow().then(inner)

    async with Engine([nested("second")], store=url) as engine:
        await (await engine.create_run("w", run_id="r")).start([{"n": 0}])
    async with Engine([nested("zweite")], store=url) as engine:
        why = "'inner/item[]/second' was removed or renamed (to 'inner/item[]/zweite'?)"
        await expect_blocked(engine, DefinitionChanged, why, path="inner/item[0]/ask")
