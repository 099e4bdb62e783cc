"""Questions in a foreach, questions that expire, and what comes back with a resume.

Left out: another request context with the answer (an answer brings none).
"""

from __future__ import annotations

from typing import Any

import pytest

from engine import AmbiguousResume, InvalidPayload, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, statuses


def asking(calls: list[int] | None = None, **options: Any) -> Any:
    async def ask(item: int, ctx: StepContext) -> str:
        if calls is not None:
            calls.append(item)
        return f"{item}:{await ctx.ask({'item': item}, **options)}"

    return create_step(id="ask", execute=ask)


async def test_one_at_a_time_each_item_asks_in_its_turn(open_engine: OpenEngine) -> None:
    """J23: three questions, three answers, each item called exactly twice."""
    calls: list[int] = []
    engine = await open_engine(create_workflow(id="w").foreach(asking(calls)))
    run = await launch(engine, "w", [1, 2, 3])
    open_at = []
    for answer in "ABC":
        open_at.append((await run.result()).suspended)
        await run.resume(answer)
    assert open_at == [[["ask[0]"]], [["ask[1]"]], [["ask[2]"]]]
    assert ((await run.result()).result, calls) == (["1:A", "2:B", "3:C"], [1, 1, 2, 2, 3, 3])


async def test_all_open_questions_get_one_answer_only_when_it_is_said(open_engine: OpenEngine) -> None:
    """J24: without ``all`` it is ambiguous."""
    engine = await open_engine(create_workflow(id="w").foreach(asking(), concurrency=3))
    run = await launch(engine, "w", [1, 2, 3])
    with pytest.raises(AmbiguousResume):
        await run.resume("A")
    assert (await run.resume("A", all=True)).result == ["1:A", "2:A", "3:A"]


async def test_items_are_answered_in_any_order(open_engine: OpenEngine) -> None:
    """J24: each by its index, from 0, or by its path."""
    engine = await open_engine(create_workflow(id="w").foreach(asking(), concurrency=3))
    run = await launch(engine, "w", [1, 2, 3])
    assert (await run.resume("C", index=2)).suspended == [["ask[0]"], ["ask[1]"]]
    assert (await run.resume("A", step="ask[0]")).suspended == [["ask[1]"]]
    assert (await run.resume("B")).result == ["1:A", "2:B", "3:C"]


def documents() -> Any:
    """A foreach of a workflow that prepares, asks, and tells."""

    async def approve(data: dict[str, int], ctx: StepContext) -> dict[str, Any]:
        return {"v": data["n"], "r": await ctx.ask("approve?")}

    async def tell(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "told": True}

    child = (
        create_workflow(id="doc")
        .then(add("prepare"))
        .then(create_step(id="approve", execute=approve))
        .then(create_step(id="tell", execute=tell))
    )
    return create_workflow(id="w").foreach(child, concurrency=2)


async def test_each_nested_item_gets_its_own_answer(open_engine: OpenEngine) -> None:
    """J26: the second first; each output stands at its own place."""
    engine = await open_engine(documents())
    run = await launch(engine, "w", [{"n": 0}, {"n": 1}])
    assert (await run.result()).suspended == [["doc[0]", "approve"], ["doc[1]", "approve"]]
    half = await run.resume("B", index=1)
    assert (half.suspended, half.steps["doc[1]"].output) == (
        [["doc[0]", "approve"]],
        {"v": 2, "r": "B", "told": True},
    )
    assert (await run.resume("A", index=0)).result == [
        {"v": 1, "r": "A", "told": True},
        {"v": 2, "r": "B", "told": True},
    ]


async def test_all_nested_items_at_once(open_engine: OpenEngine) -> None:
    """J26: one answer for all that is open now; an item that has not started asks when it does."""
    engine = await open_engine(documents())
    run = await launch(engine, "w", [{"n": 0}, {"n": 1}, {"n": 2}])
    rest = await run.resume("X", all=True)
    assert (rest.status, rest.suspended) == ("suspended", [["doc[2]", "approve"]])
    assert [one["r"] for one in (await run.resume("Y")).result] == ["X", "X", "Y"]


async def test_a_suspended_item_keeps_its_slot(open_engine: OpenEngine) -> None:
    """Two at once, both asking: the third does not start before one is answered."""
    calls: list[int] = []
    engine = await open_engine(create_workflow(id="w").foreach(asking(calls), concurrency=2))
    run = await launch(engine, "w", [1, 2, 3])
    assert (calls, (await run.result()).suspended) == ([1, 2], [["ask[0]"], ["ask[1]"]])
    assert (await run.resume("B", index=1)).suspended == [["ask[0]"], ["ask[2]"]]


async def test_labels_tell_questions_apart(open_engine: OpenEngine) -> None:
    """J27: each step's question has its own."""

    def labelled(id: str) -> Any:
        async def ask(data: Any, ctx: StepContext) -> Any:
            return await ctx.ask("?", label=f"label of {id}")

        return create_step(id=id, execute=ask)

    engine = await open_engine(create_workflow(id="w").parallel([labelled("p"), labelled("q")]))
    run = await launch(engine, "w")
    assert (await run.resume(2, label="label of q")).suspended == [["p"]]
    assert (await run.resume(1, label="label of p")).result == {"p": 1, "q": 2}


async def test_the_request_context_and_the_resource_come_back(open_engine: OpenEngine) -> None:
    """J32, J33: a resumed step sees what the start was given, and whose run it is."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        await ctx.ask("?")
        return [ctx.request_context, ctx.resource_id, list(ctx.tags)]

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=ask)))
    run = await engine.create_run("w", resource_id="r", tags=["t"])
    await run.start(None, request_context={"u": "you", "k": "set"})
    assert (await run.resume(True)).result == [{"u": "you", "k": "set"}, "r", ["t"]]


async def test_a_question_that_nobody_answers_in_time_fails(open_engine: OpenEngine) -> None:
    """J35: with an error of its own."""
    engine = await open_engine(create_workflow(id="w").foreach(asking(expires_in=0.02)))
    run = await engine.create_run("w")
    expired = [event async for event in _until_end(run, [1])]
    result = await run.result()
    assert (result.status, result.error and result.error["type"]) == ("failed", "SuspensionExpired")
    assert [event for event in expired if event.startswith(("suspension", "step.failed"))] == [
        "suspension.expired ask[0]",
        "step.failed ask[0]",
        "step.failed ask",
    ]


async def _until_end(run: Any, given: Any) -> Any:
    await run.start_soon(given)
    async for event in run.events():
        yield f"{event.type} {event.path or ''}".rstrip()


async def test_a_question_with_a_default_goes_on_with_it(open_engine: OpenEngine) -> None:
    """J35: as if somebody had given that answer."""
    engine = await open_engine(create_workflow(id="w").foreach(asking(expires_in=0.02, default="none")))
    run = await engine.create_run("w")
    assert [event async for event in _until_end(run, [1])][-1] == "run.succeeded"
    assert (await run.result()).result == ["1:none"]


async def test_an_answer_in_time_stops_the_clock(open_engine: OpenEngine) -> None:
    """J35: nothing expires afterwards."""
    engine = await open_engine(create_workflow(id="w").then(asking(expires_in=30, default="none")))
    run = await launch(engine, "w", 1)
    (question,) = (await engine.suspensions(run_id=run.run_id)).items
    assert question.expires_at is not None
    assert (await run.resume("yes")).result == "1:yes"


async def test_a_payload_that_does_not_fit_fails_the_step(open_engine: OpenEngine) -> None:
    """Nobody is asked something that the step did not promise."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        await ctx.suspend({"n": "x"})

    wrong = create_step(id="a", execute=ask, suspend_schema=dict[str, int])
    engine = await open_engine(create_workflow(id="w").then(wrong))
    result = await (await launch(engine, "w")).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "failed"})
    assert result.error is not None
    assert result.error["type"] == InvalidPayload.__name__
