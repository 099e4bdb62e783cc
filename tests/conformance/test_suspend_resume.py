"""Questions and answers: who is asked what, which answer goes where, and that each counts once.

Left out: a store that keeps nothing (there is none), a second ``suspend`` in one pass (the first one stops the step).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import (
    AlreadyResumed,
    AmbiguousResume,
    Engine,
    NotSuspended,
    StepContext,
    UnknownLabel,
    UnknownStep,
    chain,
    create_step,
    create_workflow,
)
from tests.fixtures import OpenEngine, add, launch, lines, statuses


def asking(id: str, **options: Any) -> Any:
    """A step that asks once and gives what it was given and answered."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        return {"in": data, "answer": await ctx.ask({"for": data}, **options)}

    return create_step(id=id, execute=ask)


async def test_a_resumed_step_runs_again_from_the_top(open_engine: OpenEngine) -> None:
    """J2: with the same input, the answer and what it had asked."""
    seen: list[Any] = []

    async def decide(data: Any, ctx: StepContext) -> Any:
        seen.append((data, ctx.resume_data, ctx.suspend_data, ctx.attempt))
        if ctx.resume_data is None:
            await ctx.suspend({"need": 1})
        return {"n": data["n"] + 1}

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=decide)).then(add("b")))
    run = await launch(engine, "w", {"n": 1})
    before = await run.result()
    assert (before.status, before.suspended, statuses(before.steps)) == ("suspended", [["a"]], {"a": "suspended"})
    assert before.steps["a"].suspend_payload == {"need": 1}
    after = await run.resume({"ok": 1})
    assert (after.status, after.result) == ("success", {"n": 3})
    assert seen == [({"n": 1}, None, None, 1), ({"n": 1}, {"ok": 1}, {"need": 1}, 2)]
    record = after.steps["a"]
    assert (record.resume_data, record.suspend_payload, after.suspended) == ({"ok": 1}, None, [])


async def test_every_way_to_name_a_step_finds_it(open_engine: OpenEngine) -> None:
    """J3: the step, its id, its path, a list of either, the workflow it is in, its label, its question, nothing."""
    leaf = asking("s", label="ok?")
    child = create_workflow(id="n").then(leaf)
    engine = await open_engine(create_workflow(id="w").then(child))
    targets: list[dict[str, Any]] = [
        {"step": leaf},
        {"step": "s"},
        {"step": "n/s"},
        {"step": ["n", "s"]},
        {"step": [child, leaf]},
        {"step": "n"},
        {"step": child},
        {"label": "ok?"},
        {},
    ]
    for target in targets:
        run = await launch(engine, "w", 1)
        assert (await run.resume("yes", **target)).result == {"in": 1, "answer": "yes"}
    run = await launch(engine, "w", 1)
    (question,) = (await engine.suspensions(run_id=run.run_id)).items
    assert (await run.resume("yes", suspension=question)).status == "success"
    run = await launch(engine, "w", 1)
    (question,) = (await engine.suspensions(run_id=run.run_id)).items
    assert (await run.resume("yes", suspension=question.token)).status == "success"


async def test_without_a_target_two_questions_are_ambiguous(open_engine: OpenEngine) -> None:
    """J5: the error lists them; nothing is answered."""
    engine = await open_engine(create_workflow(id="w").parallel([asking("p"), asking("q")]))
    run = await launch(engine, "w", 1)
    with pytest.raises(AmbiguousResume, match=r"\[p\], \[q\]"):
        await run.resume("yes")
    assert (await run.result()).suspended == [["p"], ["q"]]


async def test_what_is_not_suspended_can_not_be_resumed(open_engine: OpenEngine) -> None:
    """J6: a run that has ended, one that never asked, one that has not started, a step that has not asked."""
    engine = await open_engine(
        create_workflow(id="plain").then(add("a")), create_workflow(id="asks").then(add("a")).then(asking("s"))
    )
    ended = await launch(engine, "plain", {"n": 1})
    with pytest.raises(NotSuspended):
        await ended.resume("yes")
    with pytest.raises(NotSuspended):
        await (await engine.create_run("plain")).resume("yes")
    open_run = await launch(engine, "asks", {"n": 1})
    with pytest.raises(NotSuspended, match="'a'"):
        await open_run.resume("yes", step="a")
    assert (await open_run.result()).suspended == [["s"]]


async def test_an_unknown_step_or_label_is_refused(open_engine: OpenEngine) -> None:
    """Never the only open question instead of the one that was named."""
    engine = await open_engine(create_workflow(id="w").then(asking("s", label="ok?")))
    run = await launch(engine, "w", 1)
    with pytest.raises(UnknownStep, match="'zzz'"):
        await run.resume("yes", step="zzz")
    with pytest.raises(UnknownLabel, match=r"'other'.*ok\?"):
        await run.resume("yes", label="other")
    assert (await run.result()).suspended == [["s"]]


async def test_a_question_is_answered_once(open_engine: OpenEngine) -> None:
    """Of several answers at once one wins; the step runs once more, not twice."""
    calls: list[int] = []

    async def ask(data: Any, ctx: StepContext) -> Any:
        calls.append(1)
        return await ctx.ask("?")

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=ask)))
    run = await launch(engine, "w")
    ends = await asyncio.gather(*(run.resume(n, step="a") for n in range(3)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["AlreadyResumed", "AlreadyResumed", "RunResult"]
    assert len(calls) == 2
    with pytest.raises(AlreadyResumed):
        await run.resume(9, step="a")


async def test_another_engine_can_answer(sqlite_url: str) -> None:
    """J8: with nothing but the store and the same workflow."""
    workflow = create_workflow(id="w").then(add("a")).then(asking("s"))
    async with Engine([workflow], store=sqlite_url) as engine:
        run_id = (await launch(engine, "w", {"n": 1})).run_id
    async with Engine([workflow], store=sqlite_url) as engine:
        (question,) = (await engine.suspensions()).items
        assert (question.run_id, question.path, question.payload) == (run_id, "s", {"for": {"n": 2}})
        run = await engine.get_run(run_id)
        assert (await run.resume("yes")).result == {"in": {"n": 2}, "answer": "yes"}


@pytest.mark.parametrize("answer", [False, 0, "", None, [], {}])
async def test_a_false_answer_is_an_answer(open_engine: OpenEngine, answer: Any) -> None:
    """J11: delivered, and recorded as one."""
    engine = await open_engine(create_workflow(id="w").then(asking("s")))
    run = await launch(engine, "w", 1)
    result = await run.resume(answer)
    assert (result.status, result.result) == ("success", {"in": 1, "answer": answer})
    (resumed,) = [event async for event in run.events(follow=False) if event.type == "step.resumed"]
    assert resumed.data["answer"] == answer


async def test_a_step_that_needs_more_suspends_again(open_engine: OpenEngine) -> None:
    """J12, J17: need 1, answered 1, need 2, answered 2: the data of the last question is what it sees."""

    async def twice(data: Any, ctx: StepContext) -> Any:
        have = ctx.resume_data or 0
        if have < 2:
            await ctx.suspend({"need": have + 1})
        return [have, ctx.suspend_data]

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=twice)))
    run = await launch(engine, "w")
    assert (await run.resume(None)).status == "suspended"
    again = await run.resume(1)
    assert (again.status, again.steps["a"].suspend_payload) == ("suspended", {"need": 2})
    assert (await run.resume(2)).result == [2, {"need": 2}]


async def test_nothing_runs_after_suspend(open_engine: OpenEngine) -> None:
    """J14: it stops the step there, also when the step catches every ``Exception``."""
    reached: list[str] = []

    async def stubborn(data: Any, ctx: StepContext) -> Any:
        if ctx.resume_data is not None:
            return ctx.resume_data
        try:
            await ctx.suspend("first")
        except Exception:  # noqa: BLE001 - what a careless step does
            reached.append("caught")
        reached.append("after")
        return None

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=stubborn)))
    run = await launch(engine, "w")
    result = await run.result()
    assert (result.status, result.steps["a"].suspend_payload, reached) == ("suspended", "first", [])


async def test_several_asks_in_a_step_are_answered_in_order(open_engine: OpenEngine) -> None:
    """Each once; those before it are not asked again."""

    async def survey(data: Any, ctx: StepContext) -> Any:
        return [await ctx.ask("name?", str), await ctx.ask("age?", int), await ctx.ask("ok?", bool)]

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=survey)))
    run = await launch(engine, "w")
    asked = []
    for answer in ("Ann", 30, True):
        asked.append((await run.result()).steps["a"].suspend_payload)
        await run.resume(answer)
    assert (asked, (await run.result()).result) == (["name?", "age?", "ok?"], ["Ann", 30, True])


async def test_arms_are_answered_one_by_one(open_engine: OpenEngine) -> None:
    """J18: the run stays suspended until the last one; then what follows gets all three."""
    workflow = create_workflow(id="w").parallel([asking("p"), asking("q"), add("k")]).map(lambda made: made)
    engine = await open_engine(workflow)
    run = await launch(engine, "w", {"n": 1})
    first = await run.result()
    assert (first.suspended, first.steps["k"].status) == ([["p"], ["q"]], "success")
    second = await run.resume(1, step="p")
    assert (second.status, second.suspended, second.steps["p"].status) == ("suspended", [["q"]], "success")
    third = await run.resume(2, step="q")
    assert third.result == {"p": {"in": {"n": 1}, "answer": 1}, "q": {"in": {"n": 1}, "answer": 2}, "k": {"n": 2}}


async def test_arms_can_be_answered_at_the_same_time(open_engine: OpenEngine) -> None:
    """J18: no answer takes another's back, whoever is first."""
    arms = [asking(id) for id in "abcdef"]
    engine = await open_engine(create_workflow(id="w").parallel(arms).then(asking("last")))
    run = await launch(engine, "w", 1)
    await asyncio.gather(*(run.resume_soon(id.upper(), step=id) for id in "fbdace"))
    result = await run.wait()
    assert (result.status, result.suspended) == ("suspended", [["last"]])
    assert result.steps["last"].input == {id: {"in": 1, "answer": id.upper()} for id in "abcdef"}


async def test_an_arm_can_be_answered_while_others_still_run(open_engine: OpenEngine) -> None:
    """Nobody has to wait for the rest of the block."""
    release, answered, asked = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(data: Any) -> str:
        await release.wait()
        return "slow"

    async def ask(data: Any, ctx: StepContext) -> Any:
        answer = await ctx.ask("?")
        answered.set()
        return answer

    arms = [create_step(id="slow", execute=slow), create_step(id="ask", execute=ask)]
    engine = await open_engine(create_workflow(id="w").parallel(arms))
    run = await engine.create_run("w")
    run.watch(lambda event: asked.set() if event.type == "step.suspended" else None)
    await run.start_soon()
    await asked.wait()
    assert await run.status() == "running"
    await run.resume_soon("yes")
    await answered.wait()
    release.set()
    assert (await run.wait()).result == {"slow": "slow", "ask": "yes"}


async def test_a_branch_is_not_asked_again(open_engine: OpenEngine) -> None:
    """J20: the arm that asked goes on, whatever its condition would say now."""
    times: list[int] = []

    def once(data: Any) -> bool:
        times.append(1)
        return len(times) == 1

    engine = await open_engine(create_workflow(id="w").branch([(once, asking("s"))]))
    run = await launch(engine, "w", 1)
    assert ((await run.resume("yes")).result, len(times)) == ({"s": {"in": 1, "answer": "yes"}}, 1)


async def test_a_question_two_workflows_deep(open_engine: OpenEngine) -> None:
    """J21: one question with its whole path; everything it is in is suspended, and shows its payload."""
    child = create_workflow(id="n1").then(create_workflow(id="n2").then(asking("s")))
    engine = await open_engine(create_workflow(id="w").then(child))
    run = await launch(engine, "w", 1)
    result = await run.result()
    assert result.suspended == [["n1", "n2", "s"]]
    assert {path: (one.status, one.suspend_payload) for path, one in result.steps.items()} == {
        path: ("suspended", {"for": 1}) for path in ("n1", "n1/n2", "n1/n2/s")
    }
    assert (await run.resume("yes", step=["n1", "n2", "s"])).result == {"in": 1, "answer": "yes"}


async def test_a_step_after_a_map_keeps_its_mapped_input(open_engine: OpenEngine) -> None:
    """J30: what it gets on resume is what it got at first."""
    engine = await open_engine(create_workflow(id="w").map(lambda data: data["n"] * 10).then(asking("s")))
    run = await launch(engine, "w", {"n": 1})
    assert (await run.resume("yes")).result == {"in": 10, "answer": "yes"}


async def test_an_answer_belongs_to_the_round_that_asked(open_engine: OpenEngine) -> None:
    """J29: each round of a loop asks for itself, with its own input."""
    seen: list[int] = []

    async def more(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        seen.append(data["n"])
        return {"n": data["n"] + await ctx.ask("how many?", int)}

    engine = await open_engine(create_workflow(id="w").do_until(create_step(id="a", execute=more), "n >= 10"))
    run = await launch(engine, "w", {"n": 1})
    assert (await run.resume(4)).status == "suspended"
    assert ((await run.resume(5)).result, seen) == ({"n": 10}, [1, 1, 5, 5])


async def test_what_is_asked_and_by_whom_it_was_answered_is_recorded(open_engine: OpenEngine) -> None:
    """The question's events carry payload, label, title and schema; the answer's its token and who gave it."""
    body = chain("c").then(asking("s", schema=int, label="l", title="How many?"))
    engine = await open_engine(create_workflow(id="w").then(body))
    run = await launch(engine, "w", 1)
    await run.resume(3, by="ann")
    events = {event.type: event async for event in run.events(follow=False) if event.path == "c/s"}
    asked, resumed = events["step.suspended"].data, events["step.resumed"].data
    assert {key: asked[key] for key in ("payload", "label", "title", "schema")} == {
        "payload": {"for": 1},
        "label": "l",
        "title": "How many?",
        "schema": {"type": "integer"},
    }
    assert resumed == {"answer": 3, "by": "ann", "token": asked["token"]}
    assert "run.suspended" in await lines(run)
