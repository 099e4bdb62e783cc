"""Retries and time-outs of a step."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

from engine import Engine, RetryPolicy, Run, Step, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines


def flaky(failures: int, error: type[Exception] = ValueError, **options: Any) -> Step[Any, Any]:
    async def execute(data: Any, ctx: StepContext) -> int:
        if ctx.attempt <= failures:
            raise error(f"attempt {ctx.attempt}")
        return ctx.attempt

    return create_step(id="flaky", execute=execute, **options)


async def waits(run: Run) -> list[float]:
    """Seconds between each failed attempt and the next try, as the log says."""
    events = [event async for event in run.events(follow=False)]
    found = []
    for event in events:
        if event.type == "step.retrying":
            due = datetime.fromisoformat(event.data["next_at"])
            found.append(round((due - event.at).total_seconds(), 2))
    return found


async def test_each_attempt_is_an_event(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").then(flaky(2, retry=RetryPolicy(attempts=3)))
    run = await launch(await open_engine(flow), "flow")
    result = await run.result()
    assert (result.result, result.steps["flaky"].attempts) == (3, 3)
    events = [e async for e in run.events(follow=False) if e.path == "flaky"]
    assert [(e.type, e.attempt) for e in events] == [
        ("step.started", 1),
        ("step.retrying", 1),
        ("step.started", 2),
        ("step.retrying", 2),
        ("step.started", 3),
        ("step.succeeded", 3),
    ]
    assert events[1].data["error"]["message"] == "attempt 1"
    assert events[1].data.keys() == {"error", "next_at"}


async def test_attempts_counts_all_tries(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").then(flaky(9, retry=RetryPolicy(attempts=3)))
    run = await launch(await open_engine(flow), "flow")
    result = await run.result()
    assert (result.status, (result.error or {})["message"]) == ("failed", "attempt 3")
    last = [e async for e in run.events(follow=False) if e.type == "step.failed"]
    assert [(e.path, e.attempt) for e in last] == [("flaky", 3)]


async def test_the_default_is_one_attempt(open_engine: OpenEngine) -> None:
    result = await (await launch(await open_engine(create_workflow(id="flow").then(flaky(1))), "flow")).result()
    assert (result.status, result.steps["flaky"].attempts, RetryPolicy().attempts) == ("failed", 1, 1)


async def test_the_wait_grows_by_backoff_up_to_max_delay(open_engine: OpenEngine) -> None:
    policy = RetryPolicy(attempts=5, delay=0.01, backoff=3, max_delay=0.05, jitter=False)
    run = await launch(await open_engine(create_workflow(id="flow").then(flaky(4, retry=policy))), "flow")
    assert (await run.result()).status == "success"
    assert await waits(run) == [0.01, 0.03, 0.05, 0.05]


async def test_jitter_takes_a_part_off_the_wait(open_engine: OpenEngine) -> None:
    policy = RetryPolicy(attempts=4, delay=0.04, backoff=1)
    run = await launch(await open_engine(create_workflow(id="flow").then(flaky(3, retry=policy))), "flow")
    assert all(0.02 <= wait <= 0.05 for wait in await waits(run))


async def test_the_steps_policy_wins_over_the_workflows(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow", retry=RetryPolicy(attempts=3))
    engine = await open_engine(
        flow.then(flaky(2)),
        create_workflow(id="own", retry=RetryPolicy(attempts=9)).then(flaky(9, retry=RetryPolicy(attempts=2))),
    )
    by_workflow = await (await launch(engine, "flow")).result()
    by_step = await (await launch(engine, "own")).result()
    assert [(r.status, r.steps["flaky"].attempts) for r in (by_workflow, by_step)] == [("success", 3), ("failed", 2)]


async def test_a_nested_workflow_has_its_own_policy_else_its_parents(open_engine: OpenEngine) -> None:
    parent = create_workflow(id="parent", retry=RetryPolicy(attempts=4))
    own = create_workflow(id="own", retry=RetryPolicy(attempts=2)).then(flaky(1))
    inherits = create_workflow(id="inherits").then(flaky(3))
    result = await (await launch(await open_engine(parent.then(own).then(inherits)), "parent")).result()
    assert (result.status, result.steps["own/flaky"].attempts, result.steps["inherits/flaky"].attempts) == (
        "success",
        2,
        4,
    )


async def test_retry_on_names_what_is_worth_another_try(open_engine: OpenEngine) -> None:
    policy = RetryPolicy(attempts=3, retry_on=(OSError,))
    engine = await open_engine(
        create_workflow(id="hit").then(flaky(1, ConnectionError, retry=policy)),
        create_workflow(id="miss").then(flaky(1, ValueError, retry=policy)),
    )
    found = [await (await launch(engine, name)).result() for name in ("hit", "miss")]
    assert [(r.status, r.steps["flaky"].attempts) for r in found] == [("success", 2), ("failed", 1)]


async def test_validation_errors_are_never_retried(open_engine: OpenEngine) -> None:
    class Place(BaseModel):
        city: str

    calls: list[str] = []

    async def wrong_output() -> dict[str, int]:
        calls.append("output")
        return {"city": 5}

    async def takes(place: Place) -> None:
        calls.append("input")

    async def wrong_payload(data: Any, ctx: StepContext) -> None:
        calls.append("payload")
        await ctx.suspend({"town": "x"})

    async def wrong_state(data: Any, ctx: StepContext) -> None:
        calls.append("state")
        ctx.set_state(town="x")

    often = RetryPolicy(attempts=5)
    steps: dict[str, Step[Any, Any]] = {
        "InvalidOutput": create_step(id="a", execute=wrong_output, output_schema=Place, retry=often),
        "InvalidInput": create_step(id="a", execute=takes, input_schema=Place, retry=often),
        "InvalidPayload": create_step(id="a", execute=wrong_payload, suspend_schema=Place, retry=often),
        "InvalidState": create_step(id="a", execute=wrong_state, state_schema=Place, retry=often),
    }
    engine = await open_engine(*(create_workflow(id=name).then(made) for name, made in steps.items()))
    found = {}
    for name in steps:
        result = await (await launch(engine, name, {"town": "x"})).result()
        found[name] = ((result.error or {})["type"], result.steps["a"].attempts)
    assert found == {name: (name, 1) for name in steps}
    assert calls == ["output", "payload", "state"]


async def test_a_cancel_stops_the_waiting_at_once(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").then(flaky(1, retry=RetryPolicy(attempts=2, delay=50)))
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    await run.start_soon()
    async for event in run.events():
        if event.type == "step.retrying":
            break
    began = time.monotonic()
    assert await run.cancel()
    assert time.monotonic() - began < 5
    assert (await run.result()).status == "canceled"


async def test_the_policy_holds_after_a_resume(open_engine: OpenEngine) -> None:
    """Answers are no failures: the policy counts failures, ``ctx.attempt`` counts starts."""
    calls: list[int] = []

    async def approve(data: Any, ctx: StepContext) -> None:
        calls.append(ctx.attempt)
        if len(calls) == 1:
            raise ValueError("before the question")
        await ctx.ask("Sure?")
        raise ValueError("after the answer")

    asking = create_step(id="approve", execute=approve, retry=RetryPolicy(attempts=3))
    run = await launch(await open_engine(create_workflow(id="flow").then(asking)), "flow")
    result = await run.resume("yes")
    assert (result.status, calls) == ("failed", [1, 2, 3, 4])


async def test_the_policy_holds_after_a_restart(sqlite_url: str) -> None:
    """A retry that was due later is done by the next engine, and what was used up stays used up."""
    calls: list[int] = []

    async def bad(data: Any, ctx: StepContext) -> None:
        calls.append(ctx.attempt)
        raise ValueError("no")

    policy = RetryPolicy(attempts=3, delay=0.1, backoff=1, jitter=False)
    flow = create_workflow(id="flow").then(create_step(id="bad", execute=bad, retry=policy))
    async with Engine([flow], store=sqlite_url) as engine:
        run = await engine.create_run("flow")
        await run.start_soon()
        async for event in run.events():
            if event.type == "step.retrying":
                break
    assert calls == [1]
    async with Engine([flow], store=sqlite_url) as engine:
        run = await engine.get_run(run.run_id)
        result = await run.wait(10)
    assert (result.status, calls, result.steps["bad"].attempts) == ("failed", [1, 2, 3], 3)


async def test_a_timeout_cancels_the_attempt_and_fails_with_step_timeout(open_engine: OpenEngine) -> None:
    stopped: list[bool] = []

    async def slow(data: Any, ctx: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(ctx.cancelled.is_set())

    flow = create_workflow(id="flow").then(create_step(id="slow", execute=slow, timeout=0.02))
    result = await (await launch(await open_engine(flow), "flow")).result()
    error = result.error or {}
    assert (result.status, error["type"], error["step"], stopped) == ("failed", "StepTimeout", "slow", [True])


async def test_the_timeout_counts_for_each_attempt_and_is_retried(open_engine: OpenEngine) -> None:
    async def slow(data: Any, ctx: StepContext) -> str:
        if ctx.attempt < 3:
            await asyncio.Event().wait()
        return "in time"

    slow_step = create_step(id="slow", execute=slow, timeout=0.02, retry=RetryPolicy(attempts=3))
    run = await launch(await open_engine(create_workflow(id="flow").then(slow_step)), "flow")
    assert (await run.result()).result == "in time"
    errors = [e.data["error"]["type"] async for e in run.events(follow=False) if e.type == "step.retrying"]
    assert errors == ["StepTimeout", "StepTimeout"]


async def test_waiting_for_an_answer_is_not_part_of_the_timeout(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?")

    flow = create_workflow(id="flow").parallel(
        [
            create_step(id="approve", execute=approve, timeout=0.02),
            create_workflow(id="later").sleep(0.05).then(add("a")),
        ]
    )
    run = await launch(await open_engine(flow), "flow", {"n": 1})
    assert (await run.resume("yes")).result == {"approve": "yes", "later": {"n": 2}}


async def test_a_timeout_returns_at_once_for_a_sync_step_whose_late_result_is_noted(open_engine: OpenEngine) -> None:
    go_on = threading.Event()

    def slow() -> str:
        go_on.wait(20)
        return "too late"

    flow = create_workflow(id="flow").then(create_step(id="slow", execute=slow, timeout=0.02)).map(lambda data: data)
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    began = time.monotonic()
    result = await run.start()
    assert (result.status, (result.error or {})["type"]) == ("failed", "StepTimeout")
    assert time.monotonic() - began < 5
    go_on.set()
    while (await lines(run))[-1] != "step.late slow":  # noqa: ASYNC110 - nothing tells of what comes after the end
        await asyncio.sleep(0.005)
    events = [event async for event in run.events(follow=False)]
    assert [(e.type, e.data) for e in events[-2:]][1] == ("step.late", {"output": "too late"})
    assert (await run.result()).status == "failed"


async def test_an_async_step_that_swallows_its_timeout_is_left_alone_after_2_s(open_engine: OpenEngine) -> None:
    go_on = asyncio.Event()

    async def stubborn() -> str:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    engine = await open_engine(
        create_workflow(id="flow").then(create_step(id="stubborn", execute=stubborn, timeout=0.02))
    )
    run = await engine.create_run("flow")
    began = time.monotonic()
    result = await run.start()
    assert (result.status, (result.error or {})["type"]) == ("failed", "StepTimeout")
    assert 1.9 < time.monotonic() - began < 20
    go_on.set()
    while (await lines(run))[-1] != "step.late stubborn":  # noqa: ASYNC110 - nothing tells of what comes after the end
        await asyncio.sleep(0.005)
    assert (await run.result()).status == "failed"


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"delay": -1.0}, {"max_delay": -1.0}, {"backoff": 0.5}])
def test_a_wrong_policy_is_refused_where_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="RetryPolicy"):
        RetryPolicy(**wrong)
