"""Making the next input: sources, templates, functions."""

from __future__ import annotations

from typing import Any

import pytest

from engine import (
    DefinitionError,
    create_step,
    create_workflow,
    from_context,
    from_init,
    from_state,
    from_step,
    template,
    value,
)
from tests.fixtures import OpenEngine, add, launch, statuses


def giving(id: str, output: Any) -> Any:
    async def give() -> Any:
        return output

    return create_step(id=id, execute=give)


async def same(data: Any) -> Any:
    return data


async def test_an_object_is_made_of_any_source(open_engine: OpenEngine) -> None:
    """C1: a constant, a path in a step, a whole step, the input, the context, the state, a text, a function."""
    workflow = (
        create_workflow(id="w")
        .then(giving("a", {"x": {"y": 5}}))
        .map(
            {
                "v": value(3),
                "s": from_step("a", "x.y"),
                "whole": from_step("a"),
                "init": from_init("q"),
                "rc": from_context("tenant"),
                "st": from_state("c"),
                "t": template("hi ${steps.a.x.y} ${init.q} ${value.x.y} ${context.tenant} ${state.c}"),
                "f": lambda data: data["x"]["y"] * 2,
            }
        )
    )
    engine = await open_engine(workflow)
    run = await launch(engine, "w", {"q": "Q"}, state={"c": 1}, request_context={"tenant": "T"})
    assert (await run.result()).result == {
        "v": 3,
        "s": 5,
        "whole": {"x": {"y": 5}},
        "init": "Q",
        "rc": "T",
        "st": 1,
        "t": "hi 5 Q 5 T 1",
        "f": 10,
    }


async def test_maps_have_stable_ids(open_engine: OpenEngine) -> None:
    """C3: counted in their workflow, unless named."""
    workflow = create_workflow(id="w").map(same).map(same, id="mine").map(same)
    engine = await open_engine(workflow)
    result = await (await launch(engine, "w", 1)).result()
    assert statuses(result.steps) == {"map-1": "success", "mine": "success", "map-2": "success"}


async def test_a_path_that_leads_nowhere_fails_the_map(open_engine: OpenEngine) -> None:
    """C4: the error names the source and the whole path."""
    engine = await open_engine(create_workflow(id="w").then(giving("a", {"x": {}})).map({"s": from_step("a", "x.y.z")}))
    result = await (await launch(engine, "w")).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "success", "map-1": "failed"})
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("ConditionFailed", "map-1")
    assert "'s'" in result.error["message"]
    assert "x.y" in result.error["message"]


async def test_a_template_shows_objects_as_json_and_none_as_nothing(open_engine: OpenEngine) -> None:
    """C6: compact JSON; text as it is."""
    text = template("${steps.a.o}|${steps.a.none}|${steps.a.s}|${steps.a.l}")
    engine = await open_engine(
        create_workflow(id="w").then(giving("a", {"o": {"k": 1}, "none": None, "s": "t", "l": [1, 2]})).map(text)
    )
    assert (await (await launch(engine, "w")).result()).result == '{"k":1}||t|[1,2]'


async def test_a_template_with_a_path_that_leads_nowhere_fails_the_map(open_engine: OpenEngine) -> None:
    """C7: the run fails and the message names the path."""
    engine = await open_engine(create_workflow(id="w").then(giving("a", {"x": 1})).map(template("${steps.a.y}")))
    result = await (await launch(engine, "w")).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "success", "map-1": "failed"})
    assert result.error is not None
    assert result.error["type"] == "ConditionFailed"
    assert "steps.a.y" in result.error["message"]


async def test_a_skipped_arm_gives_none_and_an_empty_text(open_engine: OpenEngine) -> None:
    """C7: an arm that was not chosen is no fault."""
    workflow = (
        create_workflow(id="w")
        .branch([("n > 5", add("hi")), ("n <= 5", add("lo"))])
        .map({"hi": from_step("hi", "n"), "text": template("<${steps.hi.n}>"), "lo": from_step("lo", "n")})
    )
    engine = await open_engine(workflow)
    assert (await (await launch(engine, "w", {"n": 1})).result()).result == {"hi": None, "text": "<>", "lo": 2}


def test_what_is_wrong_with_a_source_is_found_at_commit() -> None:
    """C7: an unknown step, a template's unknown root, and a later step, all in one error."""
    workflow = (
        create_workflow(id="w")
        .map({"a": from_step("nowhere")})
        .then(add("b"))
        .map({"c": template("${steps.missing.x}"), "d": from_step("later")})
        .then(add("later"))
    )
    with pytest.raises(DefinitionError) as caught:
        workflow.commit()
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert all(name in text for name in ("nowhere", "missing", "later"))


@pytest.mark.parametrize("given", [[1, "two", None], "text", 7, 0, False, None, {}])
async def test_any_json_passes_through_a_map(open_engine: OpenEngine, given: Any) -> None:
    """C9: lists, texts, numbers, also empty and false ones."""
    engine = await open_engine(create_workflow(id="w").map(value(given)).then(create_step(id="a", execute=same)))
    result = await (await launch(engine, "w", {})).result()
    assert (result.steps["a"].input, result.result) == (given, given)


async def test_a_map_after_a_foreach_gets_the_list(open_engine: OpenEngine) -> None:
    """C10: and what it makes is checked by the step that follows."""
    taker = create_step(id="total", execute=same, input_schema=int)
    workflow = create_workflow(id="w").foreach(add("a")).map(lambda items: sum(item["n"] for item in items)).then(taker)
    wrong = create_workflow(id="wrong").foreach(add("a")).map(lambda _: "x").then(taker)
    engine = await open_engine(workflow, wrong)
    assert (await (await launch(engine, "w", [{"n": 1}, {"n": 2}])).result()).result == 5
    failed = await (await launch(engine, "wrong", [{"n": 1}])).result()
    assert (failed.status, failed.error and failed.error["type"]) == ("failed", "InvalidInput")


async def test_a_map_takes_the_output_of_the_arm_that_ran(open_engine: OpenEngine) -> None:
    """The first of several steps that has one; a false output counts."""
    workflow = (
        create_workflow(id="w")
        .branch([("n > 5", giving("hi", 0)), ("n <= 5", giving("lo", False))])
        .map(from_step(["hi", "lo"]))
    )
    engine = await open_engine(workflow)
    assert (await (await launch(engine, "w", {"n": 9})).result()).result == 0
    assert (await (await launch(engine, "w", {"n": 1})).result()).result is False


async def test_a_map_that_raises_fails_the_run(open_engine: OpenEngine) -> None:
    """The error names the map; what was raised is in the message."""
    engine = await open_engine(create_workflow(id="w").map(lambda data: data["missing"], id="pick"))
    result = await (await launch(engine, "w", {})).result()
    assert (result.status, result.error and (result.error["type"], result.error["step"])) == (
        "failed",
        ("ConditionFailed", "pick"),
    )
