"""Going back in a run: a new run that keeps what does not depend on a step, and runs the rest again.

Left out: travelling in a run that never started (there is nothing to keep), a store that keeps nothing (there is none).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import DefinitionChanged, Engine, StepContext, UnknownStep, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines, statuses


class Counted:
    """Steps that note each call."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def step(self, id: str, amount: int = 1) -> Any:
        async def work(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
            self.calls.append(ctx.path)
            return {"n": data["n"] + amount}

        return create_step(id=id, execute=work)

    def taken(self) -> list[str]:
        calls, self.calls = self.calls, []
        return calls


async def test_a_fork_with_another_input(open_engine: OpenEngine) -> None:
    """N2: the step before it is untouched; so is the run that it comes from, which it names."""
    counted = Counted()
    engine = await open_engine(create_workflow(id="w").then(counted.step("a")).then(counted.step("b", 2)))
    run = await launch(engine, "w", {"n": 1})
    before, log = (await run.result()).to_dict(), await lines(run)
    counted.taken()
    fork = await run.fork("b", input={"n": 100})
    result = await fork.wait()
    assert (result.result, counted.taken()) == ({"n": 102}, ["b"])
    assert {path: (one.input, one.output) for path, one in result.steps.items()} == {
        "a": ({"n": 1}, {"n": 2}),
        "b": ({"n": 100}, {"n": 102}),
    }
    assert (fork.parent_run_id, fork.run_id == run.run_id) == (run.run_id, False)
    assert ((await run.result()).to_dict(), await lines(run)) == (before, log)


async def test_a_fork_with_another_output_goes_on_after_it(open_engine: OpenEngine) -> None:
    """N3: the step does not run; what follows gets what was given."""
    counted = Counted()
    engine = await open_engine(create_workflow(id="w").then(counted.step("a")).then(counted.step("b")))
    run = await launch(engine, "w", {"n": 1})
    counted.taken()
    result = await (await run.fork("a", outputs={"a": {"n": 50}})).wait()
    assert (result.result, result.steps["a"].output, counted.taken()) == ({"n": 51}, {"n": 50}, ["b"])


async def test_a_fork_with_an_earlier_output_changed(open_engine: OpenEngine) -> None:
    """N3: what is read from it later is the new one."""
    counted = Counted()

    async def look(data: Any, ctx: StepContext) -> Any:
        return [data, ctx.result_of("a")]

    workflow = create_workflow(id="w").then(counted.step("a")).then(counted.step("b"))
    engine = await open_engine(workflow.then(create_step(id="look", execute=look)))
    run = await launch(engine, "w", {"n": 1})
    fork = await run.fork("look", outputs={"a": {"n": 70}})
    assert (await fork.wait()).result == [{"n": 3}, {"n": 70}]


async def test_an_unknown_step_is_refused(open_engine: OpenEngine) -> None:
    """N5: nothing is made, nothing changes."""
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await launch(engine, "w", {"n": 1})
    with pytest.raises(UnknownStep, match="'zzz'"):
        await run.fork("zzz")
    with pytest.raises(UnknownStep, match="'zzz'"):
        await run.fork("a", outputs={"zzz": 1})
    assert len((await engine.list_runs()).items) == 1


async def test_a_failed_run_goes_on_with_repaired_code(open_engine: OpenEngine) -> None:
    """N8: from the step that failed; what had succeeded is kept."""
    counted = Counted()

    async def broken(data: Any) -> Any:
        raise ValueError("bug")

    start = create_workflow(id="w").then(counted.step("a"))
    engine = await open_engine(start.then(create_step(id="b", execute=broken)).then(counted.step("c")))
    run = await launch(engine, "w", {"n": 1})
    assert (await run.status(), counted.taken()) == ("failed", ["a"])
    engine.register([start.then(counted.step("b")).then(counted.step("c"))])
    fork = await run.fork("b")
    assert ((await fork.wait()).result, await fork.status(), counted.taken()) == ({"n": 4}, "success", ["b", "c"])
    assert await run.status() == "failed"


async def test_a_fork_in_an_arm_keeps_its_siblings(open_engine: OpenEngine) -> None:
    """N9: only the arm and what follows the block run again."""
    counted = Counted()
    workflow = create_workflow(id="w").parallel([counted.step("p"), counted.step("q", 5)])
    engine = await open_engine(
        workflow.map(lambda made: {"n": made["p"]["n"] + made["q"]["n"]}).then(counted.step("z"))
    )
    run = await launch(engine, "w", {"n": 1})
    counted.taken()
    result = await (await run.fork("p", input={"n": 10})).wait()
    assert (result.result, counted.taken()) == ({"n": 18}, ["p", "z"])


async def test_a_fork_inside_a_nested_workflow(open_engine: OpenEngine) -> None:
    """N11: only that step and what comes after it."""
    counted = Counted()
    child = create_workflow(id="n").then(counted.step("i")).then(counted.step("j"))
    engine = await open_engine(create_workflow(id="w").then(counted.step("a")).then(child).then(counted.step("b")))
    run = await launch(engine, "w", {"n": 0})
    counted.taken()
    assert ((await (await run.fork("n/j")).wait()).result, counted.taken()) == ({"n": 4}, ["n/j", "b"])


async def test_a_fork_at_a_round_of_a_loop(open_engine: OpenEngine) -> None:
    """N12: that round with another input, the rounds after it, and what follows; earlier rounds are kept."""
    counted = Counted()
    engine = await open_engine(create_workflow(id="w").do_until(counted.step("a"), "n >= 5").then(counted.step("z")))
    run = await launch(engine, "w", {"n": 2})
    assert counted.taken() == ["a[0]", "a[1]", "a[2]", "z"]
    result = await (await run.fork("a[1]", input={"n": 3})).wait()
    assert (result.result, counted.taken()) == ({"n": 6}, ["a[1]", "a[2]", "z"])
    again = await (await run.fork("a", input={"n": 4})).wait()
    assert (again.result, counted.taken(), len(again.steps["a"].iterations)) == ({"n": 6}, ["a[0]", "z"], 1)


async def test_a_fork_at_an_item_keeps_the_others(open_engine: OpenEngine) -> None:
    """N9: items don't depend on each other."""
    counted = Counted()
    engine = await open_engine(create_workflow(id="w").foreach(counted.step("a")).map(lambda items: items))
    run = await launch(engine, "w", [{"n": 1}, {"n": 2}, {"n": 3}])
    counted.taken()
    result = await (await run.fork("a[1]", input={"n": 50})).wait()
    assert (result.result, counted.taken()) == ([{"n": 2}, {"n": 51}, {"n": 4}], ["a[1]"])


async def test_a_failed_foreach_goes_on_where_it_failed(open_engine: OpenEngine) -> None:
    """Items that had succeeded do not run again; those that never started do."""
    calls: list[int] = []
    broken = [True]

    async def take(item: int) -> int:
        calls.append(item)
        if item == 2 and broken:
            raise ValueError("two")
        return item * 10

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=take)))
    run = await launch(engine, "w", [1, 2, 3])
    assert (await run.status(), calls) == ("failed", [1, 2])
    broken.clear()
    result = await (await run.fork("a[1]")).wait()
    assert (result.result, calls) == ([10, 20, 30], [1, 2, 2, 3])


async def test_an_open_question_can_be_answered_in_the_fork(open_engine: OpenEngine) -> None:
    """N14: under a token of its own; the question of the first run stays open."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        return [data, await ctx.ask("?")]

    engine = await open_engine(create_workflow(id="w").then(add("a")).then(create_step(id="ask", execute=ask)))
    run = await launch(engine, "w", {"n": 1})
    fork = await run.fork("ask", input={"n": 9})
    assert (await fork.wait()).status == "suspended"
    assert (await fork.resume("yes")).result == [{"n": 9}, "yes"]
    assert ((await run.result()).status, (await run.resume("no")).result) == ("suspended", [{"n": 2}, "no"])


async def test_an_earlier_answer_can_be_changed(open_engine: OpenEngine) -> None:
    """The step asks again, and everything after it follows the new answer."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        return {"n": await ctx.ask("how many?", int)}

    engine = await open_engine(create_workflow(id="w").then(create_step(id="ask", execute=ask)).then(add("b")))
    run = await launch(engine, "w", {})
    assert (await run.resume(1)).result == {"n": 2}
    fork = await run.fork("ask")
    assert (await fork.wait()).status == "suspended"
    assert ((await fork.resume(10)).result, (await run.result()).result) == ({"n": 11}, {"n": 2})


async def test_an_unanswered_sibling_keeps_its_question(open_engine: OpenEngine) -> None:
    """Both runs have theirs, with tokens of their own."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("?")

    arms = [create_step(id="ask", execute=ask), add("p")]
    engine = await open_engine(create_workflow(id="w").parallel(arms))
    run = await launch(engine, "w", {"n": 1})
    fork = await run.fork("p", input={"n": 10})
    assert (await fork.wait()).suspended == [["ask"]]
    tokens = {one.token for one in (await engine.suspensions()).items}
    assert len(tokens) == 2
    assert (await fork.resume("f")).result == {"ask": "f", "p": {"n": 11}}
    assert (await run.resume("r")).result == {"ask": "r", "p": {"n": 2}}


async def test_a_branch_that_is_forked_chooses_again(open_engine: OpenEngine) -> None:
    """Nothing of the arm that ran before is left in the output."""
    workflow = create_workflow(id="w").then(add("a")).branch([("n > 5", add("hi"))], otherwise=add("lo"))
    engine = await open_engine(workflow)
    run = await launch(engine, "w", {"n": 1})
    result = await (await run.fork("a", input={"n": 9})).wait()
    assert (result.result, statuses(result.steps)) == (
        {"hi": {"n": 11}},
        {"a": "success", "lo": "skipped", "hi": "success"},
    )


async def test_a_step_that_was_renamed_is_refused(sqlite_url: str) -> None:
    """N15: the fork would have to keep it; the error names it, and the run stays as it is."""
    old = create_workflow(id="w").then(add("a")).then(add("b"))
    new = create_workflow(id="w").then(add("a2")).then(add("b"))
    async with Engine([old], store=sqlite_url) as engine:
        run_id = (await launch(engine, "w", {"n": 1})).run_id
    async with Engine([new], store=sqlite_url) as engine:
        run = await engine.get_run(run_id)
        with pytest.raises(DefinitionChanged, match="'a'"):
            await run.fork("b")
        assert [row.run_id for row in (await engine.list_runs()).items] == [run_id]


async def test_a_rerun_is_a_new_run_with_the_same_start(open_engine: OpenEngine) -> None:
    """Input, state and request context; linked to the first one."""

    async def look(data: Any, ctx: StepContext) -> Any:
        return [data, ctx.state, ctx.request_context]

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=look)))
    run = await launch(engine, "w", 1, state={"c": 2}, request_context={"k": 3})
    again = await run.rerun()
    assert (await again.wait()).result == [1, {"c": 2}, {"k": 3}]
    assert again.parent_run_id == run.run_id


async def test_a_running_run_can_be_forked(open_engine: OpenEngine) -> None:
    """What was in flight elsewhere runs in the fork, too."""
    release, started = asyncio.Event(), asyncio.Event()

    async def slow(data: Any) -> str:
        started.set()
        await release.wait()
        return "slow"

    engine = await open_engine(create_workflow(id="w").parallel([create_step(id="slow", execute=slow), add("p")]))
    run = await engine.create_run("w")
    await run.start_soon({"n": 1})
    await started.wait()
    fork = await run.fork("p", input={"n": 10})
    release.set()
    assert (await fork.wait()).result == {"slow": "slow", "p": {"n": 11}}
    assert (await run.wait()).result == {"slow": "slow", "p": {"n": 2}}
