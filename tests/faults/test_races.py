"""Several callers at the same moment: one of them wins, the others are told, and the run goes on once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, StepContext, Workflow, create_step, create_workflow
from engine.errors import AlreadyResumed, AlreadyStarted, AmbiguousResume, InvalidResume, NotSuspended, RunExists
from engine.verify import verify
from tests.fixtures import OpenEngine, add, launch, lines

ROUNDS = 200
CLIENTS = 8


async def ask(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    return {"n": data["n"] + await ctx.ask({"so far": data["n"]}, int)}


def approval(ran: list[int]) -> Workflow[Any, Any]:
    """Ask, then pay: ``ran`` notes every payment."""

    async def pay(data: dict[str, int]) -> dict[str, int]:
        ran.append(data["n"])
        return data

    return (
        create_workflow(id="approval")
        .then(create_step(id="approve", execute=ask))
        .then(create_step(id="pay", execute=pay))
        .commit()
    )


async def outcomes(calls: list[Awaitable[Any]]) -> list[Any]:
    """What each call gave at once: its value, or its error's type."""
    made = await asyncio.gather(*calls, return_exceptions=True)
    return [type(one) if isinstance(one, Exception) else one for one in made]


async def test_of_eight_answers_at_once_one_is_taken(open_engine: OpenEngine, store_url: str) -> None:
    ran: list[int] = []
    engine = await open_engine(approval(ran))
    for _ in range(ROUNDS):
        run = await launch(engine, "approval", {"n": 0})
        ran.clear()
        made = await outcomes([(await engine.get_run(run.run_id)).resume_soon(i) for i in range(1, CLIENTS + 1)])
        assert Counter(made) == {None: 1, AlreadyResumed: CLIENTS - 1}
        result = await run.wait()
        winner = made.index(None) + 1
        assert (result.status, result.result, ran) == ("success", {"n": winner}, [winner])


async def test_of_eight_answers_to_a_token_at_once_one_is_taken(open_engine: OpenEngine) -> None:
    ran: list[int] = []
    engine = await open_engine(approval(ran))
    run = await launch(engine, "approval", {"n": 0})
    (asked,) = (await engine.suspensions()).items
    made = await outcomes([run.resume_soon(i, suspension=asked) for i in range(CLIENTS)])
    assert Counter(made) == {None: 1, AlreadyResumed: CLIENTS - 1}
    assert (await run.wait()).status == "success"
    for later in (asked, asked.token):
        with pytest.raises(AlreadyResumed, match="answered before"):
            await run.resume(9, suspension=later)
    assert len(ran) == 1


async def test_three_questions_of_a_parallel_answered_at_once_are_all_answered(open_engine: OpenEngine) -> None:
    joined: list[int] = []

    async def join(arms: dict[str, dict[str, int]]) -> int:
        joined.append(1)
        return sum(arm["n"] for arm in arms.values())

    arms = [create_step(id=id, execute=ask) for id in ("a", "b", "c")]
    engine = await open_engine(
        create_workflow(id="three").parallel(arms).then(create_step(id="join", execute=join)).commit()
    )
    for turn in range(ROUNDS):
        run = await launch(engine, "three", {"n": 0})
        order = ["a", "b", "c"]
        order = order[turn % 3 :] + order[: turn % 3]
        joined.clear()
        assert await outcomes([run.resume_soon(ord(id), step=id) for id in order]) == [None, None, None]
        result = await run.wait()
        assert (result.status, result.result, joined) == ("success", ord("a") + ord("b") + ord("c"), [1])


async def test_an_answer_without_a_target_to_several_questions_names_them(open_engine: OpenEngine) -> None:
    arms = [create_step(id=id, execute=ask) for id in ("a", "b")]
    engine = await open_engine(create_workflow(id="two").parallel(arms).commit())
    run = await launch(engine, "two", {"n": 0})
    with pytest.raises(AmbiguousResume, match=r"\[a\], \[b\]"):
        await run.resume(1)
    assert (await run.resume(1, all=True)).result == {"a": {"n": 1}, "b": {"n": 1}}


async def test_an_old_token_of_a_loop_is_refused_and_the_open_question_stays(open_engine: OpenEngine) -> None:
    asking = create_step(id="more", execute=ask)
    engine = await open_engine(create_workflow(id="rounds").do_until(asking, "n >= 10").commit())
    run = await launch(engine, "rounds", {"n": 0})
    (first,) = (await engine.suspensions()).items
    assert (await run.resume(4, suspension=first)).suspended == [["more[1]"]]
    with pytest.raises(AlreadyResumed):
        await run.resume(100, suspension=first)
    (second,) = (await engine.suspensions()).items
    assert (second.path, second.payload) == ("more[1]", {"so far": 4})
    assert (await run.resume(6, suspension=second)).result == {"n": 10}


async def test_a_late_answer_to_an_ended_run_is_refused_and_nothing_runs(open_engine: OpenEngine) -> None:
    ran: list[int] = []
    engine = await open_engine(approval(ran))
    done = await launch(engine, "approval", {"n": 0})
    await done.resume(1)
    stopped = await launch(engine, "approval", {"n": 0})
    (asked,) = (await engine.suspensions()).items
    assert await stopped.cancel("no")
    for run, answers in ((done, {}), (stopped, {}), (stopped, {"suspension": asked})):
        before = await lines(run)
        with pytest.raises(NotSuspended if run is stopped else (NotSuspended, AlreadyResumed)):
            await run.resume(5, **answers)
        assert await lines(run) == before
    assert ran == [1]
    assert (await engine.suspensions()).items == []


@pytest.mark.parametrize("first", ["cancel", "resume"])
async def test_of_a_cancel_and_an_answer_at_once_the_log_shows_who_came_first(
    open_engine: OpenEngine, first: str
) -> None:
    ran: list[int] = []
    engine = await open_engine(approval(ran))
    seen = Counter[str]()
    for _ in range(ROUNDS // 2):
        run = await launch(engine, "approval", {"n": 0})
        ran.clear()
        calls = {"cancel": run.cancel("race"), "resume": run.resume_soon(1)}
        order = [first, *(name for name in calls if name != first)]
        made = dict(zip(order, await outcomes([calls[name] for name in order]), strict=True))
        status = (await run.wait()).status
        seen[status] += 1
        log = await lines(run)
        ends = [line for line in log if line in ("run.canceled", "run.succeeded")]
        assert ends == log[-1:]
        assert made["cancel"] is (status == "canceled")
        assert made["resume"] in (None, NotSuspended)
        assert (made["resume"] is None) == ("step.resumed approve" in log)
        assert len(ran) <= 1
        if status == "success":
            assert ran == [1]
    assert sum(seen.values()) == ROUNDS // 2


async def test_a_wrong_answer_leaves_the_question_open_and_names_the_field(open_engine: OpenEngine) -> None:
    async def wants(data: Any, ctx: StepContext) -> int:
        answer = await ctx.ask("?", dict[str, int])
        return sum(answer.values())

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=wants)).commit())
    run = await launch(engine, "w")
    before = (await engine.suspensions()).items
    log = await lines(run)
    for wrong in ({"a": "x"}, {"a": {"deep": 1}}, [1], "text", None, {"a": float("nan")}, object()):
        with pytest.raises(InvalidResume, match="answer to 's'"):
            await run.resume(wrong)
    with pytest.raises(InvalidResume, match="a: ") as caught:
        await run.resume({"a": "x"})
    assert caught.value.path == "$.a"
    assert ((await engine.suspensions()).items, await lines(run)) == (before, log)
    assert (await run.resume({"a": 1, "b": 2})).result == 3


async def test_of_eight_starts_at_once_one_starts(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).commit())
    for _ in range(ROUNDS // 4):
        run = await engine.create_run("w")
        made = await outcomes([run.start_soon({"n": i}) for i in range(CLIENTS)])
        assert Counter(made) == {None: 1, AlreadyStarted: CLIENTS - 1}
        assert (await run.wait()).result == {"n": made.index(None) + 1}


async def test_of_eight_runs_of_one_id_at_once_one_is_made(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")).commit())
    made = await asyncio.gather(
        *(engine.create_run("w", run_id="same") for _ in range(CLIENTS)), return_exceptions=True
    )
    assert Counter(type(one).__name__ for one in made) == {"Run": 1, RunExists.__name__: CLIENTS - 1}


async def test_answers_from_other_event_loops_race_too(tmp_path: Path) -> None:
    ran: list[int] = []
    async with Engine([approval(ran)], store=tmp_path / "runs.db") as engine:
        run = await launch(engine, "approval", {"n": 0})

        def answer(n: int) -> Any:
            return asyncio.run(outcomes([run.resume_soon(n)]))[0]

        made = await asyncio.gather(*(asyncio.to_thread(answer, i) for i in range(1, CLIENTS + 1)))
        assert made.count(None) == 1
        # Who names no question and comes after the end is told that nothing is open.
        assert set(made) <= {None, AlreadyResumed, NotSuspended}
        assert (await run.wait()).result == {"n": made.index(None) + 1}
    assert len(ran) == 1
    assert verify(tmp_path / "runs.db") == []
