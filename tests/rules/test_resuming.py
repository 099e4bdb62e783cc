"""Answering questions: which one, by whom, and exactly once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    AlreadyResumed,
    AmbiguousResume,
    Engine,
    InvalidResume,
    NotSuspended,
    Run,
    Step,
    StepContext,
    UnknownLabel,
    UnknownStep,
    create_step,
    create_workflow,
)
from tests.fixtures import OpenEngine, add, launch, lines, statuses


def asks(id: str, label: str | None = None) -> Step[Any, Any]:
    async def execute(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask(f"{ctx.path}?", str, label=label)

    return create_step(id=id, execute=execute)


async def two_arms(open_engine: OpenEngine) -> tuple[Engine, Run]:
    """A run with two open questions."""
    flow = create_workflow(id="flow").parallel([asks("a", "first"), asks("b", "second")])
    engine = await open_engine(flow)
    return engine, await launch(engine, "flow")


async def items(open_engine: OpenEngine) -> Run:
    """A run with three items, each with an open question in a nested workflow."""
    item = create_workflow(id="review").then(asks("approve"))
    flow = create_workflow(id="flow").foreach(item, concurrency=3)
    return await launch(await open_engine(flow), "flow", [1, 2, 3])


async def test_without_a_target_it_answers_the_only_open_question(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="flow").then(asks("a"))), "flow")
    result = await run.resume("yes")
    assert (result.status, result.result) == ("success", "yes")


async def test_without_a_target_several_are_ambiguous_and_listed(open_engine: OpenEngine) -> None:
    _, run = await two_arms(open_engine)
    with pytest.raises(AmbiguousResume, match=r"\[a\], \[b\]"):
        await run.resume("yes")
    assert (await run.result()).suspended == [["a"], ["b"]]


async def test_step_takes_a_step_an_id_a_path_or_a_list(open_engine: OpenEngine) -> None:
    approve = asks("approve")
    review = create_workflow(id="review").then(approve)
    engine = await open_engine(create_workflow(id="flow").then(review))
    ways: list[Any] = [
        approve,
        "approve",
        "review/approve",
        ["review", "approve"],
        [review, approve],
        "review",
        review,
    ]
    for way in ways:
        run = await launch(engine, "flow")
        assert (await run.resume("yes", step=way)).result == "yes"


async def test_step_names_an_item_by_its_path_or_index(open_engine: OpenEngine) -> None:
    run = await items(open_engine)
    with pytest.raises(AmbiguousResume):
        await run.resume("x", step="review/approve")
    await run.resume("one", step="review[1]/approve")
    await run.resume("two", index=2)
    result = await run.resume("zero", step=["review[0]", "approve"])
    assert (result.status, result.result) == ("success", ["zero", "one", "two"])


async def test_step_and_index_together(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").foreach(asks("approve"), concurrency=2)
    run = await launch(await open_engine(flow), "flow", [1, 2])
    await run.resume("one", step="approve", index=1)
    assert (await run.resume("zero", step="approve[0]")).result == ["zero", "one"]


async def test_label_names_a_question(open_engine: OpenEngine) -> None:
    _, run = await two_arms(open_engine)
    await run.resume("B", label="second")
    assert (await run.resume("A", label="first")).result == {"a": "A", "b": "B"}


async def test_suspension_takes_one_or_its_token(open_engine: OpenEngine) -> None:
    engine, run = await two_arms(open_engine)
    first, second = (await engine.suspensions(run.run_id)).items
    assert (first.path, second.path) == ("a", "b")
    await run.resume("B", suspension=second)
    assert (await run.resume("A", suspension=first.token)).result == {"a": "A", "b": "B"}


async def test_all_answers_every_open_question_at_once(open_engine: OpenEngine) -> None:
    run = await items(open_engine)
    result = await run.resume("yes", all=True)
    assert (result.status, result.result) == ("success", ["yes"] * 3)


async def test_all_with_one_that_does_not_fit_answers_none(open_engine: OpenEngine) -> None:
    async def number(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("n?", int)

    flow = create_workflow(id="flow").parallel([asks("a"), create_step(id="b", execute=number)])
    run = await launch(await open_engine(flow), "flow")
    with pytest.raises(InvalidResume, match="'b'"):
        await run.resume("yes", all=True)
    assert (await run.result()).suspended == [["a"], ["b"]]


async def test_unknown_step_is_only_a_name_that_is_not_in_the_workflow(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").then(add("before")).then(asks("a"))
    run = await launch(await open_engine(flow.then(add("after"))), "flow", {"n": 1})
    with pytest.raises(UnknownStep, match=r"'nobody'.*after"):
        await run.resume("yes", step="nobody")
    for name in ("before", "after"):
        with pytest.raises(NotSuspended, match=name):
            await run.resume("yes", step=name)
    assert (await run.result()).status == "suspended"


async def test_unknown_label_lists_those_there_are(open_engine: OpenEngine) -> None:
    _, run = await two_arms(open_engine)
    with pytest.raises(UnknownLabel, match=r"'third'.*first, second"):
        await run.resume("yes", label="third")


async def test_a_run_without_questions_is_not_suspended(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    pending = await engine.create_run("flow")
    ended = await launch(engine, "flow", {"n": 1})
    for run in (pending, ended):
        with pytest.raises(NotSuspended):
            await run.resume("yes")
        with pytest.raises(NotSuspended):
            await run.resume("yes", suspension="no-such-token")


async def test_an_answered_question_is_already_resumed(open_engine: OpenEngine) -> None:
    engine, run = await two_arms(open_engine)
    (first, _) = (await engine.suspensions(run.run_id)).items
    await run.resume("A", step="a")
    with pytest.raises(AlreadyResumed):
        await run.resume("again", step="a")
    with pytest.raises(AlreadyResumed):
        await run.resume("again", suspension=first)
    await run.resume("B", step="b")
    with pytest.raises(AlreadyResumed):
        await run.resume("again", suspension=first)
    assert (await run.result()).result == {"a": "A", "b": "B"}


async def test_of_many_answers_at_once_one_wins_and_the_others_are_told(open_engine: OpenEngine) -> None:
    calls: list[Any] = []

    async def once(data: Any, ctx: StepContext) -> Any:
        answer = await ctx.ask("Sure?")
        calls.append(answer)
        return answer

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=once)))
    run = await launch(engine, "flow")
    handles = [run, *[await engine.get_run(run.run_id) for _ in range(4)]]
    made = await asyncio.gather(*(h.resume(n) for n, h in enumerate(handles)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == [*["AlreadyResumed"] * 4, "RunResult"]
    assert len(calls) == 1
    assert (await lines(run)).count("step.resumed a") == 1


async def test_an_answer_goes_in_while_sibling_arms_still_run(open_engine: OpenEngine) -> None:
    go_on = asyncio.Event()

    async def wait() -> str:
        await go_on.wait()
        return "waited"

    flow = create_workflow(id="flow").parallel([asks("a"), create_step(id="slow", execute=wait)])
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    await run.start_soon()
    async for event in run.events():
        if event.type == "step.suspended":
            break
    await run.resume_soon("yes")
    async for event in run.events():
        if (event.type, event.path) == ("step.succeeded", "a"):
            break
    assert statuses((await run.result()).steps) == {"a": "success", "slow": "running"}
    go_on.set()
    assert (await run.wait()).result == {"a": "yes", "slow": "waited"}


async def test_resume_soon_returns_none_once_the_answer_is_stored(open_engine: OpenEngine) -> None:
    go_on = asyncio.Event()

    async def slow(data: Any, ctx: StepContext) -> Any:
        answer = await ctx.ask("Sure?")
        await go_on.wait()
        return answer

    run = await launch(await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=slow))), "flow")
    made: Any = await run.resume_soon("yes")
    assert (made, (await run.result()).status, "step.resumed a" in await lines(run)) == (None, "running", True)
    go_on.set()
    assert (await run.wait()).result == "yes"


async def test_the_answers_stored_form_has_the_defaults_of_its_schema(open_engine: OpenEngine) -> None:
    class Decision(BaseModel):
        approved: bool
        note: str = "-"

    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?", Decision)

    run = await launch(await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=approve))), "flow")
    result = await run.resume({"approved": True})
    assert result.steps["a"].resume_data == {"approved": True, "note": "-"}


async def test_one_question_is_answered_once_over_a_restart(sqlite_url: str) -> None:
    flow = create_workflow(id="flow").parallel([asks("a"), asks("b")])
    async with Engine([flow], store=sqlite_url) as engine:
        run = await launch(engine, "flow")
        tokens = [asked.token for asked in (await engine.suspensions(run.run_id)).items]
        await run.resume("A", step="a")
    async with Engine([flow], store=sqlite_url) as engine:
        run = await engine.get_run(run.run_id)
        assert [asked.token for asked in (await engine.suspensions(run.run_id)).items] == tokens[1:]
        with pytest.raises(AlreadyResumed):
            await run.resume("again", suspension=tokens[0])
        with pytest.raises(AlreadyResumed):
            await run.resume("again", step="a")
        assert (await run.resume("B")).result == {"a": "A", "b": "B"}
        with pytest.raises(AlreadyResumed):
            await run.resume("again", suspension=tokens[1])


async def test_resume_when_everything_was_answered_says_already_resumed(open_engine: OpenEngine) -> None:
    """Errors: ``AlreadyResumed`` if that question was answered, else ``NotSuspended``."""
    run = await launch(await open_engine(create_workflow(id="flow").then(asks("a")).then(asks("b"))), "flow")
    await run.resume("A")
    with pytest.raises(AlreadyResumed):
        await run.resume("again", step="a")
    await run.resume("B", step="b")
    with pytest.raises(AlreadyResumed):
        await run.resume("again", step="b")
    assert (await run.result()).status == "success"


async def test_send_event_is_not_an_answer(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").wait_for_event("go"))
    run = await engine.create_run("flow")
    await run.start_soon()
    assert ((await run.result()).status, (await engine.suspensions(run.run_id)).items) == ("waiting", [])
    with pytest.raises(NotSuspended):
        await run.resume("yes")
    await engine.send_event(run.run_id, "go", {"n": 5})
    assert (await run.wait()).result == {"n": 5}
