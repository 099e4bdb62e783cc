"""The verbs of a step that are not about suspending or state: log, write, bail, abort, and failing for good."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from engine import Fatal, NotSerializable, RetryPolicy, Run, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines, statuses


async def outputs(run: Run) -> list[Any]:
    return [event.data["value"] async for event in run.events(follow=False) if event.type == "step.output"]


async def logged(run: Run) -> list[tuple[str | None, Any, Any]]:
    events = [event async for event in run.events(follow=False)]
    return [(e.path, e.data["level"], e.data["message"]) for e in events if e.type == "log"]


async def test_the_logger_writes_into_the_run_and_to_logging(
    open_engine: OpenEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(data: Any, ctx: StepContext) -> None:
        ctx.logger.warning("watch %s", "out")

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="talk", execute=talk)))
    with caplog.at_level(logging.INFO, logger="engine.run"):
        run = await launch(engine, "flow")
    assert await logged(run) == [("talk", "warning", "watch out")]
    assert [record.levelname for record in caplog.records if "watch out" in record.getMessage()] == ["WARNING"]


async def test_write_streams_values_in_order_to_whoever_watches(open_engine: OpenEngine) -> None:
    async def talk(data: Any, ctx: StepContext) -> str:
        for chunk in ("one", 2, {"three": [3]}):
            await ctx.write(chunk)
        return "done"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="talk", execute=talk)))
    run = await launch(engine, "flow")
    assert await outputs(run) == ["one", 2, {"three": [3]}]
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started talk",
        *["step.output talk"] * 3,
        "step.succeeded talk",
        "run.succeeded",
    ]


async def test_a_chunk_is_seen_while_the_step_still_runs(open_engine: OpenEngine) -> None:
    go_on = asyncio.Event()

    async def talk(data: Any, ctx: StepContext) -> None:
        await ctx.write("hello")
        await go_on.wait()

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="talk", execute=talk)))
    run = await engine.create_run("flow")
    async for event in run.stream():
        if event.type == "step.output":
            assert (event.path, event.data, (await run.result()).status) == ("talk", {"value": "hello"}, "running")
            go_on.set()
    assert (await run.result()).status == "success"


async def test_a_chunk_that_is_not_json_fails_the_step_by_name(open_engine: OpenEngine) -> None:
    async def talk(data: Any, ctx: StepContext) -> None:
        await ctx.write(object())

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="talk", execute=talk)))
    result = await (await launch(engine, "flow")).result()
    assert (result.status, (result.error or {})["type"]) == ("failed", NotSerializable.__name__)


async def test_bail_ends_the_whole_run_with_this_result_and_cancels_siblings(open_engine: OpenEngine) -> None:
    running = asyncio.Event()
    stopped: list[str] = []

    async def leave(data: Any, ctx: StepContext) -> None:
        await running.wait()
        ctx.bail({"early": True})

    async def wait() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("slow")

    flow = (
        create_workflow(id="flow")
        .parallel([create_step(id="leave", execute=leave), create_step(id="slow", execute=wait)])
        .then(add("after"))
    )
    run = await launch(await open_engine(flow), "flow", {"n": 1})
    result = await run.result()
    assert (result.status, result.result, stopped) == ("success", {"early": True}, ["slow"])
    assert statuses(result.steps) == {"leave": "bailed", "slow": "canceled"}


async def test_bail_in_a_nested_workflow_ends_that_one(open_engine: OpenEngine) -> None:
    async def leave(data: dict[str, int], ctx: StepContext) -> None:
        ctx.bail({"n": 100})

    child = create_workflow(id="child").then(create_step(id="leave", execute=leave)).then(add("never"))
    engine = await open_engine(create_workflow(id="flow").then(child).then(add("after")))
    result = await (await launch(engine, "flow", {"n": 1})).result()
    assert (result.status, result.result) == ("success", {"n": 101})
    assert statuses(result.steps) == {"child": "success", "child/leave": "bailed", "after": "success"}


async def test_bail_is_not_caught_by_the_steps_own_except_exception(open_engine: OpenEngine) -> None:
    async def leave(data: Any, ctx: StepContext) -> str:
        try:
            ctx.bail("early")
        except Exception:  # noqa: BLE001 - what is tested
            return "swallowed"

    flow = create_workflow(id="flow").then(create_step(id="leave", execute=leave)).then(fail("never"))
    engine = await open_engine(flow)
    assert (await (await launch(engine, "flow")).result()).result == "early"


async def test_abort_cancels_the_run_with_its_reason(open_engine: OpenEngine) -> None:
    running = asyncio.Event()

    async def stop(data: Any, ctx: StepContext) -> None:
        await running.wait()
        ctx.abort("no budget")

    async def wait() -> None:
        running.set()
        await asyncio.Event().wait()

    flow = create_workflow(id="flow").parallel(
        [create_step(id="stop", execute=stop), create_step(id="slow", execute=wait)]
    )
    run = await launch(await open_engine(flow), "flow")
    result = await run.result()
    assert (result.status, result.result, result.error) == ("canceled", None, None)
    assert statuses(result.steps) == {"stop": "canceled", "slow": "canceled"}
    last = [event async for event in run.events(follow=False)][-1]
    assert (last.type, last.data) == ("run.canceled", {"reason": "no budget"})


async def test_fatal_fails_without_retries(open_engine: OpenEngine) -> None:
    dying = fail("dying", Fatal("no use"), retry=RetryPolicy(attempts=5))
    result = await (await launch(await open_engine(create_workflow(id="flow").then(dying)), "flow")).result()
    assert (result.status, result.steps["dying"].attempts) == ("failed", 1)
    assert {key: (result.error or {})[key] for key in ("type", "message", "step")} == {
        "type": "Fatal",
        "message": "no use",
        "step": "dying",
    }


async def test_a_sync_step_runs_in_a_worker_thread_and_uses_the_blocking_twins(open_engine: OpenEngine) -> None:
    where: list[bool] = []

    def ask(data: Any, ctx: StepContext) -> str:
        where.append(threading.current_thread() is threading.main_thread())
        ctx.sync.write("asking")
        answer: str = ctx.sync.ask("Name?", str)
        return f"hello {answer}"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="ask", execute=ask)))
    run = await launch(engine, "flow")
    result = await run.resume("Ann")
    assert (result.status, result.result, where) == ("success", "hello Ann", [False, False])
    assert await outputs(run) == ["asking", "asking"]


async def test_a_sync_step_can_suspend_and_read_the_answer(open_engine: OpenEngine) -> None:
    def approve(data: Any, ctx: StepContext) -> Any:
        if ctx.resume_data is None:
            ctx.sync.suspend({"cost": 5})
        return [ctx.suspend_data, ctx.resume_data]

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="approve", execute=approve)))
    run = await launch(engine, "flow")
    assert (await run.resume("yes")).result == [{"cost": 5}, "yes"]
