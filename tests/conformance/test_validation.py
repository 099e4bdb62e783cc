"""What is checked by a schema, when, and what a misfit does.

Left out: an option that turns output validation off, a schema of the request context for one step (there are none).
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from engine import (
    DefinitionError,
    InvalidInput,
    InvalidResume,
    RetryPolicy,
    StepContext,
    create_step,
    create_workflow,
    step,
)
from tests.fixtures import OpenEngine, add, launch, lines, statuses


class Number(BaseModel):
    n: int


class WithDefault(BaseModel):
    n: int
    d: str = "dd"


class Text(BaseModel):
    s: str


class Empty(BaseModel):
    model_config = ConfigDict(extra="allow")


class Key(BaseModel):
    k: int
    d: str = "D"


class Answer(BaseModel):
    ok: bool
    k: int = 7


class Tenant(BaseModel):
    tenant: str


async def same(data: Any) -> Any:
    return data


async def test_a_misfit_for_the_run_is_refused_before_anything_runs(open_engine: OpenEngine) -> None:
    """B1: start raises, naming path and fault; the run stays pending and may be started right afterwards."""
    engine = await open_engine(create_workflow(id="w", input_schema=Number).then(add("a")))
    run = await engine.create_run("w")
    with pytest.raises(InvalidInput, match=r"workflow 'w'.*n: .*integer") as caught:
        await run.start({"n": "x"})
    assert caught.value.path == "$.n"
    assert (await run.status(), await lines(run)) == ("pending", ["run.created"])
    assert (await run.start({"n": 1})).result == {"n": 2}


async def test_the_runs_input_gets_its_defaults(open_engine: OpenEngine) -> None:
    """B2: the first step sees them, and they are recorded."""
    engine = await open_engine(
        create_workflow(id="w", input_schema=WithDefault).then(create_step(id="a", execute=same))
    )
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert (result.input, result.result) == ({"n": 1, "d": "dd"}, {"n": 1, "d": "dd"})


async def test_a_steps_input_gets_its_defaults_and_loses_what_is_not_asked_for(open_engine: OpenEngine) -> None:
    """B4: the step sees what its schema says."""
    taker = create_step(id="a", execute=same, input_schema=Key, output_schema=Key)
    engine = await open_engine(create_workflow(id="w").then(taker))
    result = await (await launch(engine, "w", {"k": 1, "extra": 2})).result()
    assert (result.steps["a"].input, result.result) == ({"k": 1, "d": "D"}, {"k": 1, "d": "D"})


async def test_an_open_schema_lets_everything_through(open_engine: OpenEngine) -> None:
    """B5: a model without fields that allows extras, and no schema at all."""
    opened = create_step(id="a", execute=same, input_schema=Empty, output_schema=Empty)
    engine = await open_engine(create_workflow(id="w").then(opened).then(create_step(id="b", execute=same)))
    assert (await (await launch(engine, "w", {"k": 1})).result()).result == {"k": 1}


def answering() -> Any:
    async def ask(data: Any, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            await ctx.suspend()
        return ctx.resume_data.model_dump()

    return create_step(id="a", execute=ask, resume_schema=Answer)


async def test_a_bad_answer_leaves_the_question_open(open_engine: OpenEngine) -> None:
    """B7: nothing of it is written, and a good answer still works."""
    engine = await open_engine(create_workflow(id="w").then(answering()))
    run = await launch(engine, "w", {})
    before = await lines(run)
    with pytest.raises(InvalidResume, match="ok"):
        await run.resume({"ok": "maybe"})
    assert (await run.status(), await lines(run)) == ("suspended", before)
    assert (await run.resume({"ok": True, "k": 1})).result == {"ok": True, "k": 1}


async def test_an_answer_gets_its_defaults(open_engine: OpenEngine) -> None:
    """B8: the step sees them."""
    engine = await open_engine(create_workflow(id="w").then(answering()))
    run = await launch(engine, "w", {})
    assert (await run.resume({"ok": True})).result == {"ok": True, "k": 7}


async def test_a_wrong_output_fails_the_step(open_engine: OpenEngine) -> None:
    """B10: and the run, naming the step."""

    async def wrong(data: Any) -> Any:
        return {"s": 5}

    engine = await open_engine(
        create_workflow(id="w").then(create_step(id="a", execute=wrong, output_schema=Text)).then(add("b"))
    )
    result = await (await launch(engine, "w", {})).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "failed"})
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("InvalidOutput", "a")


async def test_a_wrong_result_fails_the_workflow(open_engine: OpenEngine) -> None:
    """B10: the workflow's own output schema is held, too."""

    async def wrong(data: Any) -> Any:
        return {"s": 5}

    engine = await open_engine(create_workflow(id="w", output_schema=Number).then(create_step(id="a", execute=wrong)))
    result = await (await launch(engine, "w", {})).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "success"})
    assert result.error is not None
    assert result.error["type"] == "InvalidOutput"


async def test_a_nested_workflows_input_is_checked(open_engine: OpenEngine) -> None:
    """B11: the nested one's record is failed, nothing in it ran, and the run has the same error."""
    child = create_workflow(id="child", input_schema=Number).then(add("i"))
    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=same)).then(child))
    result = await (await launch(engine, "w", {"n": "x"})).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "success", "child": "failed"})
    assert result.error is not None
    assert result.error["type"] == "InvalidInput"
    assert result.steps["child"].error == result.error


async def test_an_item_of_the_wrong_type_stops_a_foreach(open_engine: OpenEngine) -> None:
    """B13: the items after it do not start."""
    seen: list[int] = []

    async def take(item: int) -> int:
        seen.append(item)
        return item

    taker = create_step(id="take", execute=take, input_schema=int)
    engine = await open_engine(create_workflow(id="w").foreach(taker))
    result = await (await launch(engine, "w", [1, "x", 3])).result()
    assert (result.status, seen) == ("failed", [1])
    assert statuses(result.steps) == {"take": "failed", "take[0]": "success", "take[1]": "failed"}
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("InvalidInput", "take[1]")


async def test_the_request_context_is_checked_at_the_start(open_engine: OpenEngine) -> None:
    """B14: a missing key is refused; the run stays pending."""
    engine = await open_engine(create_workflow(id="w", request_context_schema=Tenant).then(add("a")))
    run = await engine.create_run("w")
    with pytest.raises(InvalidInput, match=r"request context of workflow 'w'.*tenant"):
        await run.start({"n": 1}, request_context={"other": 1})
    assert await run.status() == "pending"
    assert (await run.start({"n": 1}, request_context={"tenant": "t"})).result == {"n": 2}


async def test_a_misfit_is_never_retried(open_engine: OpenEngine) -> None:
    """B16: neither a step's input nor its output."""
    calls: list[int] = []

    async def wrong(data: Any) -> Any:
        calls.append(1)
        return "x"

    often = RetryPolicy(attempts=5)
    output = create_workflow(id="out", retry=often).then(create_step(id="a", execute=wrong, output_schema=int))
    taken = create_workflow(id="in", retry=often).then(create_step(id="a", execute=wrong, input_schema=Number))
    engine = await open_engine(output, taken)
    assert await lines(await launch(engine, "out", {})) == [
        "run.created",
        "run.started",
        "step.started a",
        "step.failed a",
        "run.failed",
    ]
    failed = await (await launch(engine, "in", {})).result()
    assert (failed.status, failed.steps["a"].attempts, len(calls)) == ("failed", 1, 1)


async def test_a_decorated_steps_annotations_are_its_schemas(open_engine: OpenEngine) -> None:
    """What the function says it takes and gives is checked."""

    @step
    async def double(data: Number) -> Number:
        return Number(n=data.n * 2)

    engine = await open_engine(create_workflow(id="w").then(double))
    assert (await (await launch(engine, "w", {"n": 4})).result()).result == {"n": 8}
    assert (await (await launch(engine, "w", {"n": "x"})).result()).status == "failed"


def test_an_output_that_can_not_feed_the_next_input_is_refused_at_commit() -> None:
    """A missing field, a wrong type, and a foreach over what is no list: all in one error, each with a remedy."""
    number = create_step(id="number", execute=same, output_schema=Number)
    key = create_step(id="key", execute=same, input_schema=Key, output_schema=int)
    text = create_step(id="text", execute=same, input_schema=str, output_schema=int)
    with pytest.raises(DefinitionError) as caught:
        create_workflow(id="w").then(number).then(key).then(text).foreach(add("item")).commit()
    assert [problem.where for problem in caught.value.problems] == ["step 'key'", "step 'text'", "foreach 'foreach-1'"]
    assert all(problem.remedy for problem in caught.value.problems)
