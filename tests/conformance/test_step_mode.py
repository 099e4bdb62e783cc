"""Step by step, pauses and breakpoints."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import AlreadyEnded, Breakpoint, Engine, Run, StepContext, UnknownStep, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines, statuses


def line(*ids: str) -> Any:
    workflow = create_workflow(id="w")
    for id in ids:
        workflow = workflow.then(add(id))
    return workflow


async def stepped(run: Run) -> Any:
    """One step further."""
    await run.step()
    return await run.wait()


async def test_a_run_can_begin_paused(open_engine: OpenEngine) -> None:
    """O1: before its first step; each step lets one through; there is no result yet."""
    engine = await open_engine(line("a", "b", "c"))
    run = await launch(engine, "w", {"n": 1}, paused=True)
    first = await run.result()
    assert (first.status, await run.status(), statuses(first.steps)) == ("paused", "paused", {"a": "held"})
    second = await stepped(run)
    assert (second.status, second.result, statuses(second.steps)) == ("paused", None, {"a": "success", "b": "held"})


async def test_after_a_step_the_run_can_go_on(open_engine: OpenEngine) -> None:
    """O2: one more, then to the end."""
    engine = await open_engine(line("a", "b", "c"))
    run = await launch(engine, "w", {"n": 1}, paused=True)
    await stepped(run)
    assert statuses((await stepped(run)).steps) == {"a": "success", "b": "success", "c": "held"}
    await run.proceed()
    assert (await run.wait()).result == {"n": 4}


async def test_stepping_past_the_last_step_ends_the_run(open_engine: OpenEngine) -> None:
    """And there is nothing to step any more."""
    engine = await open_engine(line("a"))
    run = await launch(engine, "w", {"n": 1}, paused=True)
    assert (await stepped(run)).result == {"n": 2}
    for call in (run.step, run.proceed, run.pause):
        with pytest.raises(AlreadyEnded):
            await call()


async def test_arms_are_stepped_one_by_one(open_engine: OpenEngine) -> None:
    """O4: in the order given; of a branch only what was chosen."""
    engine = await open_engine(
        create_workflow(id="par").parallel([add("p"), add("q")]),
        create_workflow(id="branch").branch([("n > 5", add("hi")), ("n < 5", add("lo")), ("n < 9", add("mid"))]),
    )
    run = await launch(engine, "par", {"n": 1}, paused=True)
    assert statuses((await stepped(run)).steps) == {"p": "success", "q": "held"}
    assert (await stepped(run)).result == {"p": {"n": 2}, "q": {"n": 2}}
    run = await launch(engine, "branch", {"n": 1}, paused=True)
    assert statuses((await stepped(run)).steps) == {"hi": "skipped", "lo": "success", "mid": "held"}
    assert (await stepped(run)).status == "success"


async def test_a_step_goes_into_a_nested_workflow(open_engine: OpenEngine) -> None:
    """O5: its steps are stepped one by one; it runs until the last of them has."""
    child = create_workflow(id="n").then(add("i")).then(add("j"))
    engine = await open_engine(create_workflow(id="w").then(child).then(add("b")))
    run = await launch(engine, "w", {"n": 1}, paused=True)
    assert statuses((await stepped(run)).steps) == {"n": "running", "n/i": "success", "n/j": "held"}
    assert statuses((await stepped(run)).steps) == {"n": "success", "n/i": "success", "n/j": "success", "b": "held"}


async def test_rounds_and_items_are_stepped_one_by_one(open_engine: OpenEngine) -> None:
    """Each is a step of its own."""
    engine = await open_engine(
        create_workflow(id="loop").do_while(add("a"), "n < 3"),
        create_workflow(id="each").foreach(add("a"), concurrency=2),
    )
    run = await launch(engine, "loop", {"n": 1}, paused=True)
    assert statuses((await stepped(run)).steps) == {"a": "running", "a[0]": "success", "a[1]": "held"}
    assert (await stepped(run)).result == {"n": 3}
    run = await launch(engine, "each", [{"n": 1}, {"n": 2}], paused=True)
    assert statuses((await stepped(run)).steps) == {"a": "running", "a[0]": "success", "a[1]": "held"}
    assert (await stepped(run)).result == [{"n": 2}, {"n": 3}]


async def test_a_resumed_step_is_stepped_through(open_engine: OpenEngine) -> None:
    """O7: while a run is held, an answer is taken and nothing runs; a step lets the one that asked end, and no more."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        return {"n": await ctx.ask("?", int)}

    engine = await open_engine(create_workflow(id="w").then(create_step(id="ask", execute=ask)).then(add("b")))
    run = await launch(engine, "w", {}, paused=True)
    assert (await stepped(run)).status == "suspended"
    answered = await run.resume(5)
    assert (answered.status, statuses(answered.steps)) == ("paused", {"ask": "held"})
    result = await stepped(run)
    assert (result.status, statuses(result.steps)) == ("paused", {"ask": "success", "b": "held"})
    await run.proceed()
    assert (await run.wait()).result == {"n": 6}


async def test_the_events_of_a_step(open_engine: OpenEngine) -> None:
    """O8: what is held, then paused, then stepped; after the step paused again or an end."""
    engine = await open_engine(line("a", "b"))
    run = await launch(engine, "w", {"n": 1}, paused=True)
    await stepped(run)
    await stepped(run)
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.held a",
        "run.paused",
        "run.stepped",
        "step.started a",
        "step.succeeded a",
        "step.held b",
        "run.paused",
        "run.stepped",
        "step.started b",
        "step.succeeded b",
        "run.succeeded",
    ]


async def test_a_running_run_can_be_paused(open_engine: OpenEngine) -> None:
    """The step that runs ends; the next one is held."""
    release, started = asyncio.Event(), asyncio.Event()

    async def slow(data: Any) -> Any:
        started.set()
        await release.wait()
        return data

    engine = await open_engine(create_workflow(id="w").then(create_step(id="slow", execute=slow)).then(add("b")))
    run = await engine.create_run("w")
    await run.start_soon({"n": 1})
    await started.wait()
    await run.pause()
    release.set()
    result = await run.wait()
    assert (result.status, statuses(result.steps)) == ("paused", {"slow": "success", "b": "held"})
    await run.proceed()
    assert (await run.wait()).result == {"n": 2}


@pytest.mark.parametrize(
    ("breakpoint", "held"),
    [
        ("a", ["a[0]", "a[1]", "a[2]"]),
        ("a[1]", ["a[1]"]),
        (Breakpoint("a", iteration=2), ["a[2]"]),
        (Breakpoint("a", condition="n == 2"), ["a[1]"]),
        (Breakpoint("z"), ["z"]),
    ],
)
async def test_a_breakpoint_holds_before_its_step(open_engine: OpenEngine, breakpoint: Any, held: list[str]) -> None:
    """At every round, at one, or where its condition holds."""
    engine = await open_engine(create_workflow(id="w").do_while(add("a"), "n < 4").then(add("z")))
    run = await launch(engine, "w", {"n": 1}, breakpoints=[breakpoint])
    seen = []
    while (result := await run.wait()).status == "paused":
        seen += [path for path, record in result.steps.items() if record.status == "held"]
        await run.proceed()
    # A loop's plain id is its block and its rounds.
    assert ([path for path in seen if path != "a"], result.result) == (held, {"n": 5})


async def test_a_breakpoint_after_a_step_holds_what_follows(open_engine: OpenEngine) -> None:
    """The step has ended; its output may be looked at."""
    engine = await open_engine(line("a", "b"))
    run = await launch(engine, "w", {"n": 1}, breakpoints=[Breakpoint("a", when="after", condition="n == 2")])
    result = await run.result()
    assert (result.status, statuses(result.steps)) == ("paused", {"a": "success", "b": "held"})
    await run.proceed()
    assert (await run.wait()).result == {"n": 3}


async def test_breakpoints_can_be_set_and_taken_away(open_engine: OpenEngine) -> None:
    """While the run is paused; a path that the workflow does not have is refused."""
    engine = await open_engine(line("a", "b", "c"))
    run = await launch(engine, "w", {"n": 1}, breakpoints=["a", "b"])
    with pytest.raises(UnknownStep, match="'zzz'"):
        await run.set_breakpoints(["zzz"])
    await run.set_breakpoints(["c"])
    await run.proceed()
    assert statuses((await run.wait()).steps) == {"a": "success", "b": "success", "c": "held"}
    await run.set_breakpoints([])
    await run.proceed()
    assert (await run.wait()).status == "success"


async def test_a_paused_run_outlives_its_engine(sqlite_url: str) -> None:
    """It is paused at the same place, with its breakpoints."""
    workflow = line("a", "b", "c")
    async with Engine([workflow], store=sqlite_url) as engine:
        run_id = (await launch(engine, "w", {"n": 1}, breakpoints=["b", "c"])).run_id
    async with Engine([workflow], store=sqlite_url) as engine:
        run = await engine.get_run(run_id)
        assert ((await run.result()).status, statuses((await run.result()).steps)) == (
            "paused",
            {"a": "success", "b": "held"},
        )
        await run.proceed()
        assert statuses((await run.wait()).steps) == {"a": "success", "b": "success", "c": "held"}
        await run.proceed()
        assert (await run.wait()).result == {"n": 4}


async def test_while_one_is_held_another_may_run(open_engine: OpenEngine) -> None:
    """The run is running as long as anything runs, then paused, and suspended only when nothing is held."""
    release, started = asyncio.Event(), asyncio.Event()

    async def slow(data: Any) -> str:
        started.set()
        await release.wait()
        return "slow"

    async def ask(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("?")

    arms = [create_step(id="slow", execute=slow), create_step(id="ask", execute=ask), add("held")]
    engine = await open_engine(create_workflow(id="w").parallel(arms))
    run = await engine.create_run("w")
    await run.start_soon({"n": 1}, breakpoints=["held"])
    await started.wait()
    assert await run.status() == "running"
    release.set()
    assert (await run.wait()).status == "paused"
    await run.proceed()
    assert (await run.wait()).status == "suspended"
    assert (await run.resume(1)).result == {"slow": "slow", "ask": 1, "held": {"n": 2}}
