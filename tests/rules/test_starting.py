"""Creating and starting runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    AlreadyStarted,
    Engine,
    EngineError,
    InvalidInput,
    InvalidState,
    Run,
    RunExists,
    UnknownRun,
    UnknownStep,
    UnknownWorkflow,
    create_step,
    create_workflow,
)
from tests.fixtures import OpenEngine, add, fail, launch, lines


class Place(BaseModel):
    city: str
    zoom: int = 3


async def test_a_new_run_is_pending_and_has_run_nothing(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await engine.create_run("flow", resource_id="user-7", tags=["red"])
    result = await run.result()
    assert (result.status, result.input, dict(result.steps)) == ("pending", None, {})
    assert (run.workflow_id, run.parent_run_id, await lines(run)) == ("flow", None, ["run.created"])
    (row,) = (await engine.list_runs()).items
    assert (row.run_id, row.status, row.resource_id, row.tags) == (run.run_id, "pending", "user-7", ("red",))


async def test_create_run_takes_a_workflow_or_its_id(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").then(add("a")).commit()
    engine = await open_engine(flow)
    assert [(await engine.create_run(which)).workflow_id for which in ("flow", flow)] == ["flow", "flow"]


async def test_run_ids_differ_unless_given(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    made = {(await engine.create_run("flow")).run_id for _ in range(20)}
    assert (len(made), (await engine.create_run("flow", run_id="mine")).run_id) == (20, "mine")


async def test_a_taken_run_id_is_run_exists(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")), create_workflow(id="other").then(add("a")))
    run = await engine.create_run("flow", run_id="mine")
    await run.start({"n": 1})
    for workflow in ("flow", "other"):
        with pytest.raises(RunExists, match="mine"):
            await engine.create_run(workflow, run_id="mine")
    assert (await run.result()).status == "success"


async def test_of_two_that_take_one_id_at_once_one_gets_it(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    made = await asyncio.gather(*(engine.create_run("flow", run_id="x") for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["Run", "RunExists"]


@pytest.mark.parametrize("run_id", ["", "a/b", "a[0]", "x" * 129, "new\nline"])
async def test_a_run_id_that_is_not_usable_is_refused(open_engine: OpenEngine, run_id: str) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    with pytest.raises(ValueError, match="run_id"):
        await engine.create_run("flow", run_id=run_id)


async def test_an_unknown_workflow_is_named_with_those_there_are(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    with pytest.raises(UnknownWorkflow, match=r"'flwo'.*flow"):
        await engine.create_run("flwo")


async def test_start_returns_when_the_run_ends_suspends_or_pauses(open_engine: OpenEngine) -> None:
    async def approve(data: Any, ctx: Any) -> Any:
        return await ctx.ask("Sure?")

    engine = await open_engine(
        create_workflow(id="success").then(add("a")),
        create_workflow(id="failed").then(fail("a")),
        create_workflow(id="suspended").then(create_step(id="a", execute=approve)),
        create_workflow(id="paused").then(add("a")),
    )
    for status in ("success", "failed", "suspended", "paused"):
        run = await engine.create_run(status)
        assert (await run.start({"n": 1}, paused=status == "paused")).status == status


async def test_start_waits_through_a_sleep(open_engine: OpenEngine) -> None:
    """``waiting`` is no rest: nobody has to do anything for it."""
    engine = await open_engine(create_workflow(id="flow").sleep(0.02).then(add("a")))
    run = await launch(engine, "flow", {"n": 1})
    assert (await run.result()).result == {"n": 2}


async def test_a_failed_run_does_not_raise(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="flow").then(fail("a", BaseException("worst")))), "flow")
    assert ((await run.result()).error or {})["message"] == "worst"


async def test_invalid_input_runs_nothing_and_the_run_stays_pending(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow", input_schema=Place).map(lambda place: place))
    run = await engine.create_run("flow")
    for wrong in ({}, {"city": 5}, None, "Rome"):
        with pytest.raises(InvalidInput, match="input of workflow 'flow'"):
            await run.start(wrong)
    assert ((await run.result()).status, await lines(run)) == ("pending", ["run.created"])
    result = await run.start({"city": "Rome"})
    assert (result.status, result.input) == ("success", {"city": "Rome", "zoom": 3})


async def test_input_that_is_not_json_is_invalid(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await engine.create_run("flow")
    with pytest.raises(EngineError, match="thing"):
        await run.start({"thing": object()})
    assert (await run.result()).status == "pending"


async def test_a_wrong_request_context_runs_nothing(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow", request_context_schema=Place).then(add("a"))
    engine = await open_engine(flow)
    run = await engine.create_run("flow")
    with pytest.raises(InvalidInput, match="city"):
        await run.start({"n": 1}, request_context={"zoom": 1})
    assert (await run.result()).status == "pending"
    assert (await run.start({"n": 1}, request_context={"city": "Rome"})).status == "success"


async def test_a_breakpoint_that_names_no_step_runs_nothing(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await engine.create_run("flow")
    with pytest.raises(UnknownStep, match=r"'b'.*a"):
        await run.start({"n": 1}, breakpoints=["b"])
    assert (await run.result()).status == "pending"


async def test_a_second_start_is_already_started(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await launch(engine, "flow", {"n": 1})
    again = await engine.get_run(run.run_id)
    for handle in (run, again):
        with pytest.raises(AlreadyStarted):
            await handle.start({"n": 1})
    assert (await lines(run)).count("run.started") == 1


async def test_a_run_that_was_cancelled_before_its_start_runs_nothing(open_engine: OpenEngine) -> None:
    """Terminal is final: ``start`` gives the run as it is."""
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await engine.create_run("flow")
    assert await run.cancel()
    before = await lines(run)
    assert ((await run.start({"n": 1})).status, await lines(run)) == ("canceled", before)


async def test_of_several_starts_at_once_one_wins(open_engine: OpenEngine) -> None:
    calls: list[Any] = []

    async def count(data: Any) -> None:
        calls.append(data)

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=count)))
    run = await engine.create_run("flow")
    made = await asyncio.gather(*(run.start(number) for number in range(5)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == [*["AlreadyStarted"] * 4, "RunResult"]
    assert len(calls) == 1


async def test_start_soon_returns_none_at_once_and_the_engine_carries_on(open_engine: OpenEngine) -> None:
    go_on = asyncio.Event()

    async def wait() -> str:
        await go_on.wait()
        return "done"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=wait)))
    run = await engine.create_run("flow")
    made: Any = await run.start_soon()
    assert (made, (await run.result()).status) == (None, "running")
    go_on.set()
    assert (await run.wait()).result == "done"


async def test_wait_raises_timeout_error_when_the_run_takes_longer(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").sleep(100).then(add("a")))
    run = await engine.create_run("flow")
    await run.start_soon({"n": 1})
    with pytest.raises(TimeoutError):
        await run.wait(timeout=0.02)
    assert (await run.result()).status == "waiting"


async def test_get_run_gives_a_handle_and_unknown_run_for_no_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await launch(engine, "flow", {"n": 1})
    found = await engine.get_run(run.run_id)
    assert (found.run_id, found.workflow_id, found.parent_run_id) == (run.run_id, "flow", None)
    assert (await found.result()).to_dict() == (await run.result()).to_dict()
    with pytest.raises(UnknownRun, match="nobody"):
        await engine.get_run("nobody")


async def test_calls_to_a_run_that_is_gone_are_unknown_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await launch(engine, "flow", {"n": 1})
    await engine.delete_run(run.run_id)
    for call in (run.result, run.resume, run.cancel, run.pause, run.wait, run.rerun, run.start):
        with pytest.raises(UnknownRun):
            await call()
    with pytest.raises(UnknownRun):
        await engine.send_event(run.run_id, "go")


async def test_a_workflow_runs_alone_in_memory() -> None:
    flow = create_workflow(id="flow").then(add("a")).commit()
    result = await flow.run({"n": 1})
    assert (result.status, result.result) == ("success", {"n": 2})


def test_a_workflow_runs_alone_in_memory_without_a_loop() -> None:
    result = create_workflow(id="flow").then(add("a")).commit().run_sync({"n": 1})
    assert (result.status, result.result) == ("success", {"n": 2})


async def test_the_state_given_at_the_start_must_be_a_dict_without_a_schema(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await engine.create_run("flow")
    with pytest.raises(InvalidState):
        await run.start({"n": 1}, state=[1])
    assert (await run.result()).status == "pending"


async def test_an_engine_that_is_not_open_says_so(store_url: str) -> None:
    flow = create_workflow(id="flow").then(add("a"))
    engine = Engine([flow], store=store_url)
    with pytest.raises(EngineError, match="not open"):
        await engine.create_run("flow")
    async with engine:
        run = await engine.create_run("flow")
    with pytest.raises(EngineError, match="not open"):
        await run.start({"n": 1})


async def test_the_events_of_a_start_carry_input_state_and_request_context(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run: Run = await launch(engine, "flow", {"n": 1}, state={"x": 1}, request_context={"y": 2})
    events = {f"{e.type} {e.path or ''}".rstrip(): e.data async for e in run.events(follow=False)}
    assert events["run.started"] == {"input": {"n": 1}, "state": {"x": 1}, "request_context": {"y": 2}}
    assert events["step.started a"] == {"input": {"n": 1}}
    assert events["step.succeeded a"] == {"output": {"n": 2}}
    assert events["run.succeeded"] == {"result": {"n": 2}}
