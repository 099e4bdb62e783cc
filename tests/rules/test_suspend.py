"""Suspending: a step stops, asks, and runs again from the top when it has its answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from engine import Engine, InvalidResume, RetryPolicy, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines, statuses


class Decision(BaseModel):
    approved: bool
    note: str = "-"


class Question(BaseModel):
    cost: int


async def test_nothing_after_suspend_runs_and_the_step_runs_again_from_the_top(open_engine: OpenEngine) -> None:
    seen: list[Any] = []

    async def approve(data: dict[str, int], ctx: StepContext) -> str:
        seen.append(("top", data, ctx.attempt, ctx.resume_data, ctx.suspend_data))
        if ctx.resume_data is None:
            await ctx.suspend({"cost": 5})
            seen.append("after suspend")
        return "approved"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await launch(engine, "flow", {"n": 1})
    result = await run.resume("yes")
    assert (result.status, result.result) == ("success", "approved")
    assert seen == [("top", {"n": 1}, 1, None, None), ("top", {"n": 1}, 2, "yes", {"cost": 5})]
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started approve",
        "step.suspended approve",
        "run.suspended",
        "step.resumed approve",
        "step.started approve",
        "run.resumed",
        "step.succeeded approve",
        "run.succeeded",
    ]


async def test_suspend_passes_the_steps_own_except_exception(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        try:
            return ctx.resume_data or await ctx.suspend()
        except Exception:  # noqa: BLE001 - what is tested
            return "swallowed"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await launch(engine, "flow")
    assert ((await run.result()).status, (await run.resume("yes")).result) == ("suspended", "yes")


async def test_a_suspend_that_was_swallowed_suspends_when_the_step_returns(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        if ctx.resume_data is not None:
            return ctx.resume_data
        try:
            await ctx.suspend("stop")
        except BaseException:  # noqa: BLE001 - what is tested
            return "swallowed"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await launch(engine, "flow")
    assert ((await run.result()).status, (await run.resume("yes")).result) == ("suspended", "yes")


async def test_resume_data_and_suspend_data_have_the_types_of_their_schemas(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> list[str]:
        if ctx.resume_data is None:
            await ctx.suspend(Question(cost=5))
        return [type(ctx.suspend_data).__name__, type(ctx.resume_data).__name__, ctx.resume_data.note]

    approving = create_step(id="approve", execute=approve, resume_schema=Decision, suspend_schema=Question)
    run = await launch(await open_engine(create_workflow(id="flow").then(approving)), "flow")
    assert (await run.resume({"approved": True})).result == ["Question", "Decision", "-"]


async def test_a_payload_that_does_not_fit_fails_the_step_with_invalid_payload(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> None:
        await ctx.suspend({"price": 5})

    approving = create_step(id="approve", execute=approve, suspend_schema=Question)
    result = await (await launch(await open_engine(create_workflow(id="flow").then(approving)), "flow")).result()
    error = result.error or {}
    assert (result.status, error["type"], error["step"], "cost" in error["message"]) == (
        "failed",
        "InvalidPayload",
        "approve",
        True,
    )


async def test_an_answer_that_does_not_fit_is_refused_and_the_run_stays_suspended(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> str:
        if ctx.resume_data is None:
            await ctx.suspend()
        return str(ctx.resume_data.approved)

    approving = create_step(id="approve", execute=approve, resume_schema=Decision)
    run = await launch(await open_engine(create_workflow(id="flow").then(approving)), "flow")
    before = await lines(run)
    for wrong in ({"approved": "perhaps"}, {}, None, "yes"):
        with pytest.raises(InvalidResume, match="approve"):
            await run.resume(wrong)
    assert (await run.result()).status == "suspended"
    assert await lines(run) == before
    assert (await run.resume({"approved": False})).result == "False"


async def test_the_suspension_says_label_title_payload_and_the_schema_of_the_answer(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> None:
        await ctx.suspend({"cost": 5}, label="budget", title="Spend it?", expires_in=3600)

    approving = create_step(id="approve", execute=approve, resume_schema=Decision)
    engine = await open_engine(create_workflow(id="flow").then(approving))
    run = await launch(engine, "flow")
    (asked,) = (await engine.suspensions(run.run_id)).items
    assert (asked.run_id, asked.workflow_id, asked.path) == (run.run_id, "flow", "approve")
    assert (asked.label, asked.title, asked.payload) == ("budget", "Spend it?", {"cost": 5})
    assert asked.expires_at is not None
    assert round((asked.expires_at - asked.created_at).total_seconds()) == 3600
    assert (asked.schema or {})["properties"].keys() == {"approved", "note"}
    event = next(e for e in [e async for e in run.events(follow=False)] if e.type == "step.suspended")
    assert event.data.keys() >= {"payload", "label", "title", "schema", "expires_at", "token"}
    assert (event.data["payload"], event.data["token"]) == ({"cost": 5}, asked.token)


async def test_step_resumed_says_the_answer_the_token_and_by_whom(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?")

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await launch(engine, "flow")
    (asked,) = (await engine.suspensions(run.run_id)).items
    await run.resume("yes", by="ann")
    event = next(e for e in [e async for e in run.events(follow=False)] if e.type == "step.resumed")
    assert event.data == {"answer": "yes", "token": asked.token, "by": "ann"}


async def test_ask_returns_the_typed_answer_when_the_step_runs_again(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> list[Any]:
        answer = await ctx.ask({"q": "Sure?"}, schema=Decision)
        return [type(answer).__name__, answer.approved, answer.note]

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await launch(engine, "flow")
    with pytest.raises(InvalidResume):
        await run.resume({"approved": "perhaps"})
    assert (await run.resume({"approved": True})).result == ["Decision", True, "-"]


async def test_several_asks_are_answered_in_order_each_once(open_engine: OpenEngine) -> None:
    async def interview(data: Any, ctx: StepContext) -> list[Any]:
        name = await ctx.ask("Name?", str)
        age = await ctx.ask("Age?", int)
        sure = await ctx.ask("Sure?", bool)
        return [name, age, sure]

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="interview", execute=interview)))
    run = await launch(engine, "flow")
    asked = []
    for answer in ("Ann", 7, True):
        (question,) = (await engine.suspensions(run.run_id)).items
        asked.append(question.payload)
        result = await run.resume(answer)
    assert asked == ["Name?", "Age?", "Sure?"]
    assert (result.status, result.result, result.steps["interview"].attempts) == ("success", ["Ann", 7, True], 4)


async def test_answers_of_a_step_hold_when_it_fails_and_is_tried_again(open_engine: OpenEngine) -> None:
    failures = iter([ValueError("once")])

    async def interview(data: Any, ctx: StepContext) -> str:
        name = await ctx.ask("Name?", str)
        for error in failures:
            raise error
        return f"{name} at attempt {ctx.attempt}"

    asking = create_step(id="interview", execute=interview, retry=RetryPolicy(attempts=2))
    run = await launch(await open_engine(create_workflow(id="flow").then(asking)), "flow")
    assert (await run.resume("Ann")).result == "Ann at attempt 3"


async def test_suspending_again_after_an_answer_asks_a_new_question(open_engine: OpenEngine) -> None:
    async def haggle(data: Any, ctx: StepContext) -> int:
        offer = ctx.resume_data or 0
        if offer < 10:
            await ctx.suspend({"last": offer})
        return int(offer)

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="haggle", execute=haggle)))
    run = await launch(engine, "flow")
    payloads, tokens = [], set()
    for offer in (3, 7, 12):
        (question,) = (await engine.suspensions(run.run_id)).items
        payloads.append(question.payload)
        tokens.add(question.token)
        result = await run.resume(offer)
    assert (payloads, len(tokens), result.result) == ([{"last": 0}, {"last": 3}, {"last": 7}], 3, 12)


async def test_a_question_that_expires_without_a_default_fails_the_step(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?", expires_in=0.02)

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await engine.create_run("flow")
    await run.start()
    async for _ in run.events():
        pass
    result = await run.result()
    error = result.error or {}
    assert (result.status, error["type"], error["step"]) == ("failed", "SuspensionExpired", "approve")
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started approve",
        "step.suspended approve",
        "run.suspended",
        "suspension.expired approve",
        "step.failed approve",
        "run.failed",
    ]


async def test_a_question_that_expires_with_a_default_goes_on_with_that_answer(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        by_ask = await ctx.ask("Sure?", Decision, expires_in=0.02, default={"approved": False})
        if ctx.resume_data is None or ctx.suspend_data == "Sure?":
            await ctx.suspend("Really?", expires_in=0.02, default="never mind")
        return [by_ask.approved, ctx.resume_data]

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await engine.create_run("flow")
    await run.start()
    async for _ in run.events():
        pass
    result = await run.result()
    assert (result.status, result.result) == ("success", [False, "never mind"])


async def test_a_default_of_none_is_a_default(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return [await ctx.ask("Sure?", expires_in=0.02, default=None)]

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await engine.create_run("flow")
    await run.start()
    async for _ in run.events():
        pass
    assert (await run.result()).result == [None]


async def test_an_answer_in_time_stops_the_expiry(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?", expires_in=0.03)

    slept = create_workflow(id="flow").then(create_step(id="approve", execute=approve)).sleep(0.06)
    run = await launch(await open_engine(slept), "flow")
    result = await run.resume("yes")
    assert (result.status, result.result) == ("success", "yes")
    assert "suspension.expired approve" not in await lines(run)


async def test_other_arms_go_on_while_one_is_suspended(open_engine: OpenEngine) -> None:
    """While several things are open: running if a step runs, else suspended."""
    go_on = asyncio.Event()

    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?")

    async def wait() -> str:
        await go_on.wait()
        return "waited"

    flow = create_workflow(id="flow").parallel(
        [create_step(id="approve", execute=approve), create_step(id="wait", execute=wait)]
    )
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    await run.start_soon()
    async for event in run.events():
        if event.type == "step.suspended":
            break
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("running", {"approve": "suspended", "wait": "running"})
    go_on.set()
    result = await run.wait()
    assert (result.status, result.suspended) == ("suspended", [["approve"]])
    assert (await run.resume("yes")).result == {"approve": "yes", "wait": "waited"}


async def test_a_failure_beside_a_suspension_shows_at_the_end(open_engine: OpenEngine) -> None:
    """``allow_failure`` beside a suspension: suspended; the failed one gives its ``None`` at the end."""

    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?")

    flow = create_workflow(id="flow").parallel(
        [create_step(id="approve", execute=approve), fail("bad")], allow_failure=True
    )
    run = await launch(await open_engine(flow), "flow")
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("suspended", {"approve": "suspended", "bad": "failed"})
    assert (await run.resume("yes")).result == {"approve": "yes", "bad": None}


async def test_a_question_outlives_the_engine(sqlite_url: str) -> None:
    """Closing and opening again: the run is suspended as before, and its answer is taken by the same schema."""

    async def approve(data: Any, ctx: StepContext) -> list[Any]:
        first = await ctx.ask("Sure?", Decision)
        second = await ctx.ask("Really?", int)
        return [type(first).__name__, first.approved, second]

    flow = create_workflow(id="flow").then(create_step(id="approve", execute=approve)).map(lambda found: found)
    async with Engine([flow], store=sqlite_url) as engine:
        run = await launch(engine, "flow")
        await run.resume({"approved": True})
    async with Engine([flow], store=sqlite_url) as engine:
        run = await engine.get_run(run.run_id)
        assert (await run.result()).status == "suspended"
        with pytest.raises(InvalidResume):
            await run.resume("seven")
        assert (await run.resume(7)).result == ["Decision", True, 7]


async def test_a_step_in_a_nested_workflow_suspends_the_run_by_its_path(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return {"n": await ctx.ask("How many?", int)}

    child = create_workflow(id="review").then(create_step(id="approve", execute=approve)).then(add("more"))
    run = await launch(await open_engine(create_workflow(id="flow").then(child).then(add("after"))), "flow", {"n": 1})
    result = await run.result()
    assert (result.status, result.suspended) == ("suspended", [["review", "approve"]])
    assert statuses(result.steps) == {"review": "suspended", "review/approve": "suspended"}
    assert (await run.resume(5)).result == {"n": 7}
