"""Arms side by side: what they get, how the block ends, what becomes of the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import DefinitionError, StepContext, chain, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines, statuses


class Gate:
    """Steps that meet: each waits until as many as wanted are there."""

    def __init__(self, wanted: int) -> None:
        self.here = 0
        self.most = 0
        self._wanted = wanted
        self._all = asyncio.Event()

    def step(self, id: str) -> Any:
        async def meet(data: Any) -> str:
            self.here += 1
            self.most = max(self.most, self.here)
            if self.here == self._wanted:
                self._all.set()
            await self._all.wait()
            self.here -= 1
            return id

        return create_step(id=id, execute=meet)


def asking(id: str) -> Any:
    async def ask(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask(f"{id}?")

    return create_step(id=id, execute=ask)


async def test_the_first_failed_arm_in_the_order_given_is_the_error(open_engine: OpenEngine) -> None:
    """D2: every arm settles first; c fails before a, b succeeds last; what follows does not run."""
    a_may_fail, b_may_end = asyncio.Event(), asyncio.Event()

    async def a(data: Any) -> None:
        await a_may_fail.wait()
        b_may_end.set()
        raise ValueError("a")

    async def b(data: Any) -> str:
        await b_may_end.wait()
        return "b"

    async def c(data: Any) -> None:
        a_may_fail.set()
        raise ValueError("c")

    arms = [create_step(id=arm.__name__, execute=arm) for arm in (a, b, c)]
    engine = await open_engine(create_workflow(id="w").parallel(arms).then(add("next")))
    run = await launch(engine, "w", {"n": 1})
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "failed", "b": "success", "c": "failed"})
    assert result.error is not None
    assert (result.error["message"], result.error["step"]) == ("a", "a")
    assert [line for line in await lines(run) if line.startswith(("step.failed", "step.succ", "run.f"))] == [
        "step.failed c",
        "step.failed a",
        "step.succeeded b",
        "step.failed parallel-1",
        "run.failed",
    ]


async def test_the_output_is_keyed_by_the_arms(open_engine: OpenEngine) -> None:
    """D3: what follows gets it, in the order given."""
    engine = await open_engine(
        create_workflow(id="w").parallel([add("b", 10), add("a", 1)]).map(lambda both: [list(both), both])
    )
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.result == [["b", "a"], {"b": {"n": 11}, "a": {"n": 2}}]


async def test_an_arm_may_be_a_workflow_or_a_chain(open_engine: OpenEngine) -> None:
    """D5: keyed by its id; its output is its last step's."""
    child = create_workflow(id="child").then(add("i")).then(add("j"))
    two = chain("two").then(add("x", 5)).then(add("y", 5))
    engine = await open_engine(create_workflow(id="w").parallel([child, two]))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert result.result == {"child": {"n": 3}, "two": {"n": 11}}
    assert sorted(statuses(result.steps)) == ["child", "child/i", "child/j", "two", "two/x", "two/y"]


async def test_arms_overlap(open_engine: OpenEngine) -> None:
    """D6: both are under way at the same time."""
    gate = Gate(2)
    engine = await open_engine(create_workflow(id="w").parallel([gate.step("a"), gate.step("b")]))
    result = await (await launch(engine, "w")).result()
    assert (result.result, gate.most) == ({"a": "a", "b": "b"}, 2)


async def test_concurrency_limits_how_many_arms_run_at_once(open_engine: OpenEngine) -> None:
    """The third starts when a place is free."""
    busy: list[str] = []
    most: list[int] = []

    def counting(id: str) -> Any:
        async def run(data: Any) -> str:
            busy.append(id)
            most.append(len(busy))
            await asyncio.sleep(0)
            busy.remove(id)
            return id

        return create_step(id=id, execute=run)

    engine = await open_engine(create_workflow(id="w").parallel([counting(id) for id in "abcd"], concurrency=2))
    result = await (await launch(engine, "w")).result()
    assert (result.result, max(most)) == ({id: id for id in "abcd"}, 2)


async def test_an_arm_that_waits_beside_a_failed_one_is_canceled(open_engine: OpenEngine) -> None:
    """D8: the run fails, and nobody can answer any more."""
    engine = await open_engine(create_workflow(id="w").parallel([asking("ask"), fail("bad"), add("ok")]))
    run = await launch(engine, "w", {"n": 1})
    result = await run.result()
    assert (result.status, result.suspended) == ("failed", [])
    assert statuses(result.steps) == {"ask": "canceled", "bad": "failed", "ok": "success"}
    assert (await engine.suspensions(run_id=run.run_id)).items == []


async def test_with_allow_failure_a_failed_arm_gives_none(open_engine: OpenEngine) -> None:
    """D9: its record stays failed, the run goes on."""
    engine = await open_engine(
        create_workflow(id="w").parallel([add("a"), fail("bad")], allow_failure=True).map(lambda o: o)
    )
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert (result.status, result.result) == ("success", {"a": {"n": 2}, "bad": None})
    assert statuses(result.steps) == {"a": "success", "bad": "failed", "map-1": "success"}
    assert result.steps["bad"].error is not None


async def test_with_allow_failure_all_may_fail(open_engine: OpenEngine) -> None:
    """D9: then all give none."""
    engine = await open_engine(create_workflow(id="w").parallel([fail("a"), fail("b")], allow_failure=True))
    result = await (await launch(engine, "w")).result()
    assert (result.status, result.result) == ("success", {"a": None, "b": None})


async def test_with_allow_failure_a_question_stays_open(open_engine: OpenEngine) -> None:
    """D9: suspended beside a failed arm; its none comes at the end."""
    engine = await open_engine(create_workflow(id="w").parallel([fail("bad"), asking("ask")], allow_failure=True))
    run = await launch(engine, "w")
    before = await run.result()
    assert (before.status, statuses(before.steps)) == ("suspended", {"bad": "failed", "ask": "suspended"})
    assert (await run.resume("yes")).result == {"bad": None, "ask": "yes"}


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_a_bad_concurrency_is_refused_at_commit(wrong: Any) -> None:
    """A positive whole number, or none."""
    with pytest.raises(DefinitionError):
        create_workflow(id="w").parallel([add("a")], concurrency=wrong).commit()
