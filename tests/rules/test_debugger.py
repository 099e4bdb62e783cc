"""The debugger: pause, step, proceed, breakpoints."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import (
    Breakpoint,
    Engine,
    ExpressionError,
    NotStarted,
    RetryPolicy,
    Run,
    StepContext,
    UnknownStep,
    chain,
    create_step,
    create_workflow,
)
from tests.fixtures import OpenEngine, add, fail, launch, lines, statuses


def three() -> Any:
    return create_workflow(id="flow").then(add("a")).then(add("b")).then(add("c"))


def looping() -> Any:
    return create_workflow(id="loop").do_while(add("a"), "n < 4").then(add("z"))


async def held(run: Run) -> list[str]:
    """Where the run is held."""
    return [path for path, record in (await run.wait()).steps.items() if record.status == "held"]


async def tour(run: Run) -> list[str]:
    """Where the run is held, one ``proceed`` after another, until it is at rest otherwise."""
    seen: list[str] = []
    while (await run.wait()).status == "paused":
        seen += await held(run)
        await run.proceed()
    return seen


async def test_a_run_started_paused_is_held_before_its_first_step(open_engine: OpenEngine) -> None:
    run = await (await open_engine(three())).create_run("flow")
    result = await run.start({"n": 0}, paused=True)
    assert (result.status, statuses(result.steps)) == ("paused", {"a": "held"})
    assert await lines(run) == ["run.created", "run.started", "step.held a", "run.paused"]


async def test_step_lets_one_step_through_and_past_the_last_the_run_ends(open_engine: OpenEngine) -> None:
    run = await (await open_engine(three())).create_run("flow")
    await run.start({"n": 0}, paused=True)
    seen = []
    while (await run.wait()).status == "paused":
        seen += await held(run)
        made: Any = await run.step()
        assert made is None
    result = await run.result()
    assert (seen, result.status, result.result) == (["a", "b", "c"], "success", {"n": 3})
    assert [event.type async for event in run.events(follow=False) if event.type.startswith("run.")] == [
        "run.created",
        "run.started",
        "run.paused",
        "run.stepped",
        "run.paused",
        "run.stepped",
        "run.paused",
        "run.stepped",
        "run.succeeded",
    ]


async def test_proceed_goes_on_to_the_end(open_engine: OpenEngine) -> None:
    run = await (await open_engine(three())).create_run("flow")
    await run.start({"n": 0}, paused=True)
    await run.step()
    await run.wait()
    await run.proceed()
    result = await run.wait()
    assert (result.status, result.result) == ("success", {"n": 3})


async def test_pause_holds_the_run_before_its_next_step(open_engine: OpenEngine) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def wait(data: Any) -> Any:
        began.set()
        await go_on.wait()
        return data

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=wait)).then(add("b")))
    run = await engine.create_run("flow")
    await run.start_soon({"n": 0})
    await began.wait()
    await run.pause()
    assert (await run.result()).status == "running"
    go_on.set()
    result = await run.wait()
    assert (result.status, statuses(result.steps)) == ("paused", {"a": "success", "b": "held"})
    await run.proceed()
    assert (await run.wait()).result == {"n": 1}


async def test_each_item_and_round_is_a_step_to_let_through(open_engine: OpenEngine) -> None:
    run = await (await open_engine(looping())).create_run("loop")
    await run.start({"n": 2}, paused=True)
    seen = []
    while (await run.wait()).status == "paused":
        seen += await held(run)
        await run.step()
    assert seen == ["a[0]", "a[1]", "z"]


async def test_parallel_arms_are_let_through_one_at_a_time(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").parallel([add("a"), add("b", 10)]).map(lambda made: made)
    run = await (await open_engine(flow)).create_run("flow")
    await run.start({"n": 0}, paused=True)
    assert await held(run) == ["a", "b"]
    await run.step()
    assert statuses((await run.wait()).steps) == {"a": "success", "b": "held"}
    await run.step()
    assert await held(run) == ["map-1"]
    await run.step()
    assert (await run.wait()).result == {"a": {"n": 1}, "b": {"n": 10}}


async def test_a_breakpoint_is_a_path(open_engine: OpenEngine) -> None:
    child = create_workflow(id="child").then(add("b")).then(add("c"))
    flow = create_workflow(id="flow").then(add("a")).then(chain("pair").then(add("b"))).then(child)
    run = await (await open_engine(flow)).create_run("flow")
    await run.start({"n": 0}, breakpoints=["child/c", "pair/b"])
    assert await tour(run) == ["pair/b", "child/c"]
    assert (await run.result()).result == {"n": 4}


async def test_a_breakpoint_without_index_holds_at_every_iteration(open_engine: OpenEngine) -> None:
    engine = await open_engine(looping())
    run = await launch(engine, "loop", {"n": 1}, breakpoints=[Breakpoint("a")])
    assert await tour(run) == ["a[0]", "a[1]", "a[2]"]
    run = await launch(engine, "loop", {"n": 1}, breakpoints=[Breakpoint("a", when="after")])
    assert await tour(run) == ["a[1]", "a[2]", "z"]


async def test_a_breakpoint_at_a_foreach_holds_at_every_item(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").foreach(add("item"), concurrency=2).map(lambda made: made))
    given = [{"n": 1}, {"n": 2}, {"n": 3}]
    run = await launch(engine, "flow", given, breakpoints=["item"])
    assert await tour(run) == ["item[0]", "item[1]", "item[2]"]
    run = await launch(engine, "flow", given, breakpoints=[Breakpoint("item", when="after", condition="n == 4")])
    assert await tour(run) == ["map-1"]
    assert (await run.result()).result == [{"n": 2}, {"n": 3}, {"n": 4}]


async def test_a_breakpoint_at_a_block_holds_before_all_of_it(open_engine: OpenEngine) -> None:
    child = create_workflow(id="child").then(add("i"))
    flow = create_workflow(id="flow").then(child).parallel([add("p"), add("q")], id="both")
    run = await launch(await open_engine(flow), "flow", {"n": 0}, breakpoints=["child", "both"])
    places = []
    while (await run.wait()).status == "paused":
        places.append((await lines(run))[-2:])
        await run.proceed()
    assert places == [["step.held child", "run.paused"], ["step.held both", "run.paused"]]


async def test_a_retry_and_a_sleep_are_held_too(open_engine: OpenEngine) -> None:
    policy = RetryPolicy(attempts=2, delay=0.02)
    engine = await open_engine(
        create_workflow(id="retry").then(fail("bad", retry=policy)),
        create_workflow(id="sleep").sleep(0.02).then(add("b")),
    )
    run = await engine.create_run("retry")
    async for event in run.stream():
        if event.type == "step.retrying":
            await run.pause()
            break
    assert statuses((await run.wait()).steps) == {"bad": "held"}
    await run.proceed()
    assert (await run.wait()).status == "failed"
    run = await engine.create_run("sleep")
    await run.start_soon({"n": 1})
    await run.pause()
    assert statuses((await run.wait()).steps) == {"sleep-1": "success", "b": "held"}
    await run.step()
    assert (await run.wait()).status == "success"


async def test_a_breakpoint_with_an_iteration_holds_at_that_one(open_engine: OpenEngine) -> None:
    """Indexes count from 0."""
    engine = await open_engine(looping())
    run = await launch(engine, "loop", {"n": 1}, breakpoints=[Breakpoint("a", iteration=1)])
    assert await tour(run) == ["a[1]"]
    run = await launch(engine, "loop", {"n": 1}, breakpoints=["a[2]"])
    assert await tour(run) == ["a[2]"]


async def test_a_breakpoint_inside_an_iteration(open_engine: OpenEngine) -> None:
    body = create_workflow(id="body").then(add("x")).then(add("y"))
    engine = await open_engine(create_workflow(id="flow").foreach(body))
    given = [{"n": 1}, {"n": 2}, {"n": 3}]
    run = await launch(engine, "flow", given, breakpoints=["body/y"])
    assert await tour(run) == ["body[0]/y", "body[1]/y", "body[2]/y"]
    run = await launch(engine, "flow", given, breakpoints=["body[1]/y"])
    assert await tour(run) == ["body[1]/y"]


async def test_a_breakpoint_after_holds_when_the_step_has_succeeded(open_engine: OpenEngine) -> None:
    engine = await open_engine(three())
    run = await launch(engine, "flow", {"n": 0}, breakpoints=[Breakpoint("a", when="after")])
    result = await run.result()
    assert (result.status, statuses(result.steps), result.steps["a"].output) == (
        "paused",
        {"a": "success", "b": "held"},
        {"n": 1},
    )
    await run.proceed()
    assert (await run.wait()).result == {"n": 3}


async def test_a_condition_is_asked_of_the_input_before_and_the_output_after(open_engine: OpenEngine) -> None:
    engine = await open_engine(looping())
    run = await launch(engine, "loop", {"n": 1}, breakpoints=[Breakpoint("a", iteration=None, condition="n == 3")])
    assert await tour(run) == ["a[2]"]
    run = await launch(engine, "loop", {"n": 1}, breakpoints=[Breakpoint("a", when="after", condition="n == 3")])
    assert await tour(run) == ["a[2]"]
    assert (await run.result()).steps["a[1]"].output == {"n": 3}


async def test_a_condition_may_look_at_the_state(open_engine: OpenEngine) -> None:
    engine = await open_engine(three())
    point = Breakpoint("b", condition="state.debug")
    for debug, status in ((True, "paused"), (False, "success")):
        run = await engine.create_run("flow")
        assert (await run.start({"n": 0}, state={"debug": debug}, breakpoints=[point])).status == status


async def test_a_condition_that_fails_holds(open_engine: OpenEngine) -> None:
    """Better one stop too many; the run's log says why."""
    run = await launch(await open_engine(three()), "flow", {"n": 0}, breakpoints=[Breakpoint("b", condition="m > 1")])
    assert await tour(run) == ["b"]
    logged = [event.data async for event in run.events(follow=False) if event.type == "log"]
    assert [(data["level"], "'b'" in data["message"]) for data in logged] == [("warning", True)]


async def test_set_breakpoints_replaces_them_while_the_run_is_held(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(three()), "flow", {"n": 0}, breakpoints=["a", "b"])
    await run.set_breakpoints(["c"])
    assert await held(run) == ["a"]
    await run.proceed()
    assert await tour(run) == ["c"]


async def test_stepping_stops_at_breakpoints_too(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(three()), "flow", {"n": 0}, breakpoints=["b"], paused=True)
    assert await held(run) == ["a"]
    await run.step()
    assert await held(run) == ["b"]
    await run.proceed()
    assert (await run.wait()).status == "success"


@pytest.mark.parametrize("path", ["nobody", "a/b", ""])
async def test_a_breakpoint_at_no_step_is_refused(open_engine: OpenEngine, path: str) -> None:
    run = await launch(await open_engine(three()), "flow", {"n": 0}, paused=True)
    with pytest.raises(UnknownStep):
        await run.set_breakpoints([path])


async def test_a_wrong_breakpoint_is_refused(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(three()), "flow", {"n": 0}, paused=True)
    with pytest.raises(ValueError, match="before"):
        await run.set_breakpoints([Breakpoint("a", when="during")])
    with pytest.raises(ExpressionError):
        await run.set_breakpoints([Breakpoint("a", condition="n >")])


async def test_the_debugger_needs_a_run_that_was_started(open_engine: OpenEngine) -> None:
    run = await (await open_engine(three())).create_run("flow")
    for call in (run.pause, run.step, run.proceed):
        with pytest.raises(NotStarted):
            await call()


async def test_a_held_run_can_be_cancelled(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(three()), "flow", {"n": 0}, breakpoints=["b"])
    assert await run.cancel() is True
    assert statuses((await run.result()).steps) == {"a": "success", "b": "canceled"}


async def test_stepping_into_a_failure_ends_the_run(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").then(fail("a")).then(add("b"))
    run = await launch(await open_engine(flow), "flow", paused=True)
    await run.step()
    assert (await run.wait()).status == "failed"


async def test_a_question_is_answered_while_the_run_is_held(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?")

    flow = create_workflow(id="flow").parallel([create_step(id="ask", execute=approve), add("b")])
    run = await launch(await open_engine(flow), "flow", {"n": 0}, breakpoints=["b"])
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("paused", {"ask": "suspended", "b": "held"})
    await run.resume("yes")
    await run.proceed()
    assert (await run.wait()).result == {"ask": "yes", "b": {"n": 1}}


async def test_a_paused_run_survives_a_restart_with_its_breakpoints(sqlite_url: str) -> None:
    async with Engine([three()], store=sqlite_url) as engine:
        run = await launch(engine, "flow", {"n": 0}, breakpoints=["a", "c"])
        assert await held(run) == ["a"]
    async with Engine([three()], store=sqlite_url) as engine:
        run = await engine.get_run(run.run_id)
        assert (await run.result()).status == "paused"
        assert await tour(run) == ["a", "c"]
        assert (await run.result()).result == {"n": 3}


async def test_stepping_goes_on_over_restarts(sqlite_url: str) -> None:
    async with Engine([three()], store=sqlite_url) as engine:
        run = await launch(engine, "flow", {"n": 0}, paused=True)
    seen = []
    status = "paused"
    while status == "paused":
        async with Engine([three()], store=sqlite_url) as engine:
            run = await engine.get_run(run.run_id)
            seen += await held(run)
            await run.step()
            status = (await run.wait()).status
    assert (seen, status) == (["a", "b", "c"], "success")
