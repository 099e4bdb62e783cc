"""Forking: a new run that keeps what does not depend on the step, and runs that and what follows again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import (
    Breakpoint,
    InvalidInput,
    Run,
    StepContext,
    UnknownStep,
    chain,
    create_step,
    create_workflow,
    from_step,
)
from tests.fixtures import OpenEngine, launch, lines, statuses
from tests.rules.steps import Counted


async def whole(run: Run) -> tuple[Any, list[str]]:
    return (await run.result()).to_dict(), await lines(run)


async def test_a_fork_keeps_the_causes_and_runs_the_step_and_all_that_follows(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").then(count.add("a")).then(count.add("b")).then(count.add("c"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    count.taken()
    new = await run.fork("b")
    result = await new.wait()
    assert (result.status, result.result, count.taken()) == ("success", {"n": 3}, {"b": 1, "c": 1})
    assert await lines(new) == [
        "run.created",
        "run.started",
        "step.started a",
        "step.succeeded a",
        "run.forked",
        "step.started b",
        "step.succeeded b",
        "step.started c",
        "step.succeeded c",
        "run.succeeded",
    ]


async def test_the_original_is_untouched_and_linked(open_engine: OpenEngine) -> None:
    count = Counted()
    engine = await open_engine(create_workflow(id="flow").then(count.add("a")).then(count.add("b")))
    run = await engine.create_run("flow", resource_id="user-7", tags=["red"])
    await run.start({"n": 0})
    before = await whole(run)
    new = await run.fork("a", input={"n": 100})
    await new.wait()
    assert await whole(run) == before
    assert (new.parent_run_id, new.workflow_id, new.run_id != run.run_id) == (run.run_id, "flow", True)
    assert (await engine.get_run(new.run_id)).parent_run_id == run.run_id
    rows = {row.run_id: row for row in (await engine.list_runs()).items}
    row = rows[new.run_id]
    assert (row.parent_run_id, row.resource_id, row.tags) == (run.run_id, "user-7", ("red",))


async def test_input_is_what_the_step_gets_this_time(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").then(count.add("a")).then(count.add("b")).then(count.add("c"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    result = await (await run.fork("b", input={"n": 50})).wait()
    assert result.result == {"n": 52}
    assert [result.steps[id].input for id in "abc"] == [{"n": 0}, {"n": 50}, {"n": 51}]


async def test_an_input_that_does_not_fit_fails_the_step_or_the_call(open_engine: OpenEngine) -> None:
    """Never a run that goes on with wrong data."""
    count = Counted()
    flow = create_workflow(id="flow").then(count.add("a", input_schema=dict[str, int]))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    try:
        result = await (await run.fork("a", input={"n": "many"})).wait()
    except InvalidInput:
        return
    assert (result.status, (result.error or {})["type"]) == ("failed", "InvalidInput")


async def test_outputs_replace_outputs_of_finished_steps(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = (
        create_workflow(id="flow")
        .then(count.add("a"))
        .then(count.add("b"))
        .map({"a": from_step("a"), "b": from_step("b")})
    )
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    count.taken()
    result = await (await run.fork("map-1", outputs={"a": {"n": 70}})).wait()
    assert (result.result, count.taken()) == ({"a": {"n": 70}, "b": {"n": 2}}, {})


async def test_with_the_step_itself_among_the_outputs_the_fork_goes_on_after_it(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").then(count.add("a")).then(count.add("b")).then(count.add("c"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    count.taken()
    result = await (await run.fork("b", outputs={"b": {"n": 70}})).wait()
    assert (result.result, result.steps["b"].output, count.taken()) == ({"n": 71}, {"n": 70}, {"c": 1})


async def test_a_failed_step_can_be_given_its_output(open_engine: OpenEngine) -> None:
    async def bad() -> None:
        raise ValueError("no")

    count = Counted()
    flow = create_workflow(id="flow").then(count.add("a")).then(create_step(id="bad", execute=bad)).then(count.add("c"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    assert (await run.result()).status == "failed"
    result = await (await run.fork("bad", outputs={"bad": {"n": 5}})).wait()
    assert (result.status, result.result) == ("success", {"n": 6})


async def test_state_replaces_the_shared_state(open_engine: OpenEngine) -> None:
    async def count(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(n=ctx.state.get("n", 0) + 1)
        return ctx.state.get("n", 0)

    flow = create_workflow(id="flow").then(create_step(id="a", execute=count)).then(create_step(id="b", execute=count))
    run = await launch(await open_engine(flow), "flow")
    kept = await (await run.fork("b")).wait()
    given = await (await run.fork("b", state={"n": 10})).wait()
    assert [(r.result, r.state) for r in (kept, given)] == [(1, {"n": 2}), (10, {"n": 11})]


async def test_sibling_arms_that_had_finished_are_kept(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").parallel([count.add("a"), count.add("b", 10)]).map(lambda made: made)
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    count.taken()
    result = await (await run.fork("a", input={"n": 5})).wait()
    assert (result.result, count.taken()) == ({"a": {"n": 6}, "b": {"n": 10}}, {"a": 1})


async def test_other_items_are_kept(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").foreach(count.add("item"), concurrency=2)
    run = await launch(await open_engine(flow), "flow", [{"n": 1}, {"n": 2}, {"n": 3}])
    count.taken()
    result = await (await run.fork("item[1]", input={"n": 50})).wait()
    assert (result.result, count.taken()) == ([{"n": 2}, {"n": 51}, {"n": 4}], {"item[1]": 1})
    assert result.steps["item"].output == [{"n": 2}, {"n": 51}, {"n": 4}]


async def test_later_iterations_of_a_loop_run_again(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").do_while(count.add("a"), "n < 4").then(count.add("z"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    assert count.taken() == {"a[0]": 1, "a[1]": 1, "a[2]": 1, "a[3]": 1, "z": 1}
    result = await (await run.fork("a[1]", input={"n": 2})).wait()
    assert (result.result, count.taken()) == ({"n": 5}, {"a[1]": 1, "a[2]": 1, "z": 1})
    assert [record.output for record in result.steps["a"].iterations] == [{"n": 1}, {"n": 3}, {"n": 4}]


async def test_a_whole_block_can_be_forked_at(open_engine: OpenEngine) -> None:
    count = Counted()
    child = create_workflow(id="child").then(count.add("i")).then(count.add("j"))
    start = create_workflow(id="flow").then(count.add("a")).then(child)
    flow = start.do_until(count.add("l"), "n >= 5").then(count.add("z"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    count.taken()
    assert (await (await run.fork("child", input={"n": 1})).wait()).result == {"n": 6}
    assert count.taken() == {"child/i": 1, "child/j": 1, "l[0]": 1, "l[1]": 1, "z": 1}
    assert (await (await run.fork("l")).wait()).result == {"n": 6}
    assert count.taken() == {"l[0]": 1, "l[1]": 1, "z": 1}


async def test_a_block_that_is_given_its_output_runs_nothing_inside(open_engine: OpenEngine) -> None:
    count = Counted()
    body = create_workflow(id="body").then(count.add("x"))
    flow = create_workflow(id="flow").do_while(body, "n < 3").map(lambda made: [made, made]).foreach(count.add("item"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    count.taken()
    assert (await (await run.fork("item", outputs={"item": [1]})).wait()).result == [1]
    assert count.taken() == {}
    assert (await (await run.fork("body[0]", outputs={"body[0]": {"n": 2}})).wait()).result == [{"n": 4}] * 2
    assert count.taken() == {"body[1]/x": 1, "item[0]": 1, "item[1]": 1}


async def test_inside_nested_workflows_and_chains_only_what_follows_runs(open_engine: OpenEngine) -> None:
    count = Counted()
    inner = chain("pair").then(count.add("x")).then(count.add("y"))
    child = create_workflow(id="child").then(count.add("i")).then(inner).then(count.add("j"))
    flow = create_workflow(id="flow").then(count.add("a")).then(child).then(count.add("z"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    count.taken()
    result = await (await run.fork("child/pair/y", input={"n": 100})).wait()
    assert (result.result, count.taken()) == ({"n": 103}, {"child/pair/y": 1, "child/j": 1, "z": 1})
    assert (await run.result()).result == {"n": 6}


async def test_a_fork_inside_an_item_keeps_the_other_items(open_engine: OpenEngine) -> None:
    count = Counted()
    body = create_workflow(id="body").then(count.add("x")).then(count.add("y"))
    run = await launch(
        await open_engine(create_workflow(id="flow").foreach(body, concurrency=3)), "flow", [{"n": n} for n in range(4)]
    )
    count.taken()
    result = await (await run.fork("body[2]/y", input={"n": 70})).wait()
    assert result.result == [{"n": 2}, {"n": 3}, {"n": 71}, {"n": 5}]
    assert count.taken() == {"body[2]/y": 1}


async def test_a_branch_is_not_asked_again_when_an_arm_is_forked(open_engine: OpenEngine) -> None:
    count, asked = Counted(), []

    def is_low(data: Any) -> bool:
        asked.append(data)
        return bool(data["n"] < 5)

    flow = (
        create_workflow(id="flow")
        .branch([(is_low, count.add("low"))], otherwise=count.add("high"))
        .then(create_step(id="z", execute=lambda data: data))
    )
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    result = await (await run.fork("low", input={"n": 50})).wait()
    assert (result.result, len(asked)) == ({"low": {"n": 51}}, 1)
    assert statuses(result.steps) == {"low": "success", "high": "skipped", "z": "success"}


async def test_what_was_in_flight_elsewhere_runs_again(open_engine: OpenEngine) -> None:
    count, began, go_on = Counted(), asyncio.Event(), asyncio.Event()

    async def slow(data: Any, ctx: StepContext) -> str:
        count.calls[ctx.path] += 1
        began.set()
        await go_on.wait()
        return "slow"

    flow = create_workflow(id="flow").parallel([count.add("a"), create_step(id="slow", execute=slow)])
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    await run.start_soon({"n": 0})
    await began.wait()
    async for event in run.events():
        if (event.type, event.path) == ("step.succeeded", "a"):
            break
    count.taken()
    new = await run.fork("a")
    go_on.set()
    assert (await new.wait()).result == {"a": {"n": 1}, "slow": "slow"}
    assert count.taken() == {"a": 1, "slow": 1}
    assert (await run.wait()).status == "success"


async def test_open_questions_get_new_tokens(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").parallel([count.add("a"), count.ask("ask")])
    engine = await open_engine(flow)
    run = await launch(engine, "flow", {"n": 0})
    count.taken()
    new = await run.fork("a", input={"n": 5})
    assert (await new.wait()).suspended == [["ask"]]
    (old_question,) = (await engine.suspensions(run.run_id)).items
    (new_question,) = (await engine.suspensions(new.run_id)).items
    assert old_question.token != new_question.token
    assert (old_question.payload, old_question.path) == (new_question.payload, new_question.path)
    assert (await new.resume(1, suspension=new_question)).result == {"a": {"n": 6}, "ask": {"n": 1}}
    assert (await run.resume(2)).result == {"a": {"n": 1}, "ask": {"n": 2}}


async def test_suspended_items_are_kept_with_new_tokens_and_the_concurrency_holds(open_engine: OpenEngine) -> None:
    count = Counted()
    body = create_workflow(id="body").then(count.add("a")).then(count.ask("ask"))
    flow = create_workflow(id="flow").foreach(body, concurrency=2)
    run = await launch(await open_engine(flow), "flow", [{"n": n} for n in range(4)])
    await run.resume(10, index=0)
    assert (await run.result()).suspended == [["body[1]", "ask"], ["body[2]", "ask"]]
    count.taken()
    new = await run.fork("body[0]/a", input={"n": 50})
    assert sorted((await new.wait()).suspended) == [[f"body[{n}]", "ask"] for n in range(3)]
    assert count.taken() == {"body[0]/a": 1, "body[0]/ask": 1}
    await new.resume(1, index=0)
    assert sorted((await new.result()).suspended) == [["body[1]", "ask"], ["body[2]", "ask"]]
    await new.resume(1, index=1)
    await new.resume(1, index=2)
    assert (await new.resume(1, index=3)).result == [{"n": 52}, {"n": 3}, {"n": 4}, {"n": 5}]
    assert (await run.result()).suspended == [["body[1]", "ask"], ["body[2]", "ask"]]


async def test_answers_of_kept_steps_are_kept_and_forking_at_a_question_asks_again(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").then(count.ask("ask")).then(count.add("b"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    await run.resume(5)
    assert (await (await run.fork("b")).wait()).result == {"n": 6}
    again = await run.fork("ask")
    assert (await again.wait()).status == "suspended"
    assert (await again.resume(7)).result == {"n": 8}


async def test_failures_inside_a_finished_block_are_kept(open_engine: OpenEngine) -> None:
    """What a block made of them stands: an error of an item, a ``None`` of an arm, what a catch arm gave."""
    count = Counted()

    async def odd(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        count.calls[ctx.path] += 1
        if data["n"] % 2:
            raise ValueError("odd")
        return data

    odd_step = create_step(id="odd", execute=odd)
    caught = create_workflow(id="caught").then(create_step(id="inner", execute=odd))
    flow = (
        create_workflow(id="flow")
        .foreach(odd_step, collect_errors=True)
        .map(lambda _: {"n": 1})
        .parallel([create_step(id="arm", execute=odd), count.add("fine")], allow_failure=True)
        .map(lambda _: {"n": 1})
        .then(caught, catch=create_step(id="fix", execute=lambda _: {"n": 7}))
        .map({"odd": from_step("odd"), "arm": from_step("arm"), "fine": from_step("fine"), "fix": from_step("fix")})
        .then(create_step(id="z", execute=lambda data: data))
    )
    run = await launch(await open_engine(flow), "flow", [{"n": 1}, {"n": 2}])
    before = (await run.result()).result
    count.taken()
    result = await (await run.fork("map-3")).wait()
    assert (result.status, count.taken()) == ("success", {})
    assert result.result == before
    assert [list(one) for one in before["odd"]] == [["error"], ["ok"]]
    assert (before["fine"], before["fix"]) == ({"n": 2}, {"n": 7})


async def test_unknown_paths_are_refused(open_engine: OpenEngine) -> None:
    count = Counted()
    branch = create_workflow(id="branch").branch([("n > 5", count.add("high"))], id="choice")
    engine = await open_engine(create_workflow(id="flow").then(count.add("a")), branch)
    run = await launch(engine, "flow", {"n": 0})
    branched = await launch(engine, "branch", {"n": 0})
    with pytest.raises(UnknownStep, match=r"skipped.*'choice'"):
        await branched.fork("high")
    for call in (run.fork("b"), run.fork("a[0]"), run.fork("a", outputs={"b": 1})):
        with pytest.raises(UnknownStep):
            await call
    assert len((await engine.list_runs()).items) == 2


async def test_a_fork_of_a_fork(open_engine: OpenEngine) -> None:
    count = Counted()
    flow = create_workflow(id="flow").then(count.add("a")).then(count.add("b")).then(count.add("c"))
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    first = await run.fork("b", input={"n": 10})
    await first.wait()
    second = await first.fork("c")
    assert ((await second.wait()).result, second.parent_run_id) == ({"n": 12}, first.run_id)


async def test_what_a_fork_keeps_can_be_asked_before_it_is_made(open_engine: OpenEngine) -> None:
    count = Counted()
    arms = chain("arm").then(count.add("x")).then(count.add("y"))
    flow = (
        create_workflow(id="flow")
        .then(count.add("a"))
        .parallel([arms, count.add("other")])
        .map(from_step("a"))
        .then(count.add("last"))
    )
    run = await launch(await open_engine(flow), "flow", {"n": 0})
    assert sorted(await run.fork_keeps("arm/y")) == ["a", "arm/x", "other"]
    count.taken()
    await (await run.fork("arm/y")).wait()
    assert count.taken() == {"arm/y": 1, "last": 1}
    with pytest.raises(UnknownStep, match="has not begun"):
        await run.fork_keeps("nowhere")


async def test_breakpoints_are_told_as_they_were_set(open_engine: OpenEngine) -> None:
    count = Counted()
    engine = await open_engine(create_workflow(id="flow").then(count.add("a")).then(count.add("b")))
    run = await engine.create_run("flow")
    await run.start({"n": 0}, breakpoints=["b", Breakpoint("a", "after", condition="n > 9")])
    assert await run.breakpoints() == (Breakpoint("b"), Breakpoint("a", "after", condition="n > 9"))
    await run.set_breakpoints([])
    assert await run.breakpoints() == ()
