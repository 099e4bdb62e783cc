"""What a run's result looks like."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    Engine,
    RunFailed,
    RunResult,
    StepContext,
    StepRecord,
    chain,
    create_step,
    create_workflow,
)
from tests.fixtures import OpenEngine, add, fail, launch, statuses


async def approve(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask({"cost": 5})


def timeless(result: RunResult) -> Any:
    """A result as plain data, its times checked and taken out."""
    made = result.to_dict()
    assert json.loads(json.dumps(made)) == made
    for record in made["steps"].values():
        began, ended = record.pop("started_at"), record.pop("ended_at")
        for moment in (began, ended):
            assert moment is None or datetime.fromisoformat(moment).utcoffset() is not None
        if record["status"] == "success":
            assert began <= ended
    return made


async def test_the_shape_of_a_success(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="weather").then(add("plan"))), "weather", {"n": 1})
    assert timeless(await run.result()) == {
        "status": "success",
        "run_id": run.run_id,
        "workflow_id": "weather",
        "input": {"n": 1},
        "result": {"n": 2},
        "steps": {"plan": {"status": "success", "input": {"n": 1}, "output": {"n": 2}, "attempts": 1}},
    }


async def test_the_shape_of_a_suspension(open_engine: OpenEngine) -> None:
    review = create_workflow(id="review").then(create_step(id="approve", execute=approve))
    run = await launch(await open_engine(create_workflow(id="flow").then(review)), "flow", {"n": 1})
    waiting = {"status": "suspended", "input": {"n": 1}, "suspend_payload": {"cost": 5}, "attempts": 1}
    assert timeless(await run.result()) == {
        "status": "suspended",
        "run_id": run.run_id,
        "workflow_id": "flow",
        "input": {"n": 1},
        "suspended": [["review", "approve"]],
        "steps": {"review": waiting, "review/approve": waiting},
    }


async def test_the_shape_of_a_failure(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="flow").then(fail("plan"))), "flow", {"n": 1})
    made = timeless(await run.result())
    trace = made["error"].pop("traceback")
    made["steps"]["plan"]["error"].pop("traceback")
    error = {"type": "ValueError", "message": "plan failed", "step": "plan"}
    assert made == {
        "status": "failed",
        "run_id": run.run_id,
        "workflow_id": "flow",
        "input": {"n": 1},
        "error": error,
        "steps": {"plan": {"status": "failed", "input": {"n": 1}, "error": error, "attempts": 1}},
    }
    assert trace.startswith("Traceback")
    assert "plan failed" in trace


async def test_unwrap_returns_the_result_or_raises_run_failed(open_engine: OpenEngine) -> None:
    engine = await open_engine(
        create_workflow(id="fine").then(add("a")),
        create_workflow(id="failed").then(fail("plan")),
        create_workflow(id="suspended").then(create_step(id="a", execute=approve)),
    )
    assert (await (await launch(engine, "fine", {"n": 1})).result()).unwrap() == {"n": 2}
    for name, why in (("failed", "ValueError: plan failed"), ("suspended", "is suspended")):
        result = await (await launch(engine, name)).result()
        with pytest.raises(RunFailed, match=why) as caught:
            result.unwrap()
        assert caught.value.result is result


async def test_steps_has_ids_paths_and_indexes_and_leaves_out_parallel_and_branch(open_engine: OpenEngine) -> None:
    child = create_workflow(id="child").then(add("inner"))
    flow = (
        create_workflow(id="flow")
        .parallel([add("a"), child, chain("pair").then(add("x"))])
        .map(lambda made: made["a"])
        .branch([("n > 100", add("big"))], otherwise=add("small"))
        .map(lambda made: made["small"])
        .do_while(add("round"), "n < 5")
        .map(lambda made: [made, made])
        .foreach(add("item"), concurrency=2)
    )
    result = await (await launch(await open_engine(flow), "flow", {"n": 0})).result()
    assert statuses(result.steps) == {
        "a": "success",
        "child": "success",
        "child/inner": "success",
        "pair": "success",
        "pair/x": "success",
        "map-1": "success",
        "big": "skipped",
        "small": "success",
        "map-2": "success",
        "round": "success",
        "round[0]": "success",
        "round[1]": "success",
        "round[2]": "success",
        "map-3": "success",
        "item": "success",
        "item[0]": "success",
        "item[1]": "success",
    }


async def test_the_plain_id_of_a_loop_or_foreach_has_the_last_output_or_the_list(open_engine: OpenEngine) -> None:
    flow = create_workflow(id="flow").do_while(add("round"), "n < 3").map(lambda made: [made, {"n": 9}])
    result = await (await launch(await open_engine(flow.foreach(add("item"))), "flow", {"n": 0})).result()
    rounds, found = result.steps["round"], result.steps["item"]
    assert (rounds.input, rounds.output) == ({"n": 0}, {"n": 3})
    assert rounds.iterations == tuple(result.steps[f"round[{index}]"] for index in range(3))
    assert [record.output for record in rounds.iterations] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert (found.input, found.output) == ([{"n": 3}, {"n": 9}], [{"n": 4}, {"n": 10}])
    assert [(record.input, record.output) for record in found.iterations] == [
        ({"n": 3}, {"n": 4}),
        ({"n": 9}, {"n": 10}),
    ]


async def test_a_record_says_input_output_attempts_and_times(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="flow").then(add("a"))), "flow", {"n": 1})
    record = (await run.result()).steps["a"]
    events = {event.type: event async for event in run.events(follow=False) if event.path == "a"}
    assert record == StepRecord(
        status="success",
        input={"n": 1},
        output={"n": 2},
        attempts=1,
        started_at=events["step.started"].at,
        ended_at=events["step.succeeded"].at,
    )


async def test_a_result_is_of_one_moment(open_engine: OpenEngine) -> None:
    """Later events don't change a result that somebody holds."""
    first_step, second_step = (create_step(id=id, execute=approve) for id in "ab")
    flow = create_workflow(id="flow").then(first_step).then(second_step)
    run = await launch(await open_engine(flow), "flow")
    first = await run.result()
    before = first.to_dict()
    second = await run.resume("yes")
    middle = second.to_dict()
    await run.resume("yes")
    assert (first.to_dict(), second.to_dict()) == (before, middle)
    assert (statuses(first.steps), statuses(second.steps)) == (
        {"a": "suspended"},
        {"a": "success", "b": "suspended"},
    )


async def test_what_a_caller_does_to_a_result_changes_no_run(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="flow").then(add("a"))), "flow", {"n": 1}, state={"x": [1]})
    first = await run.result()
    first.result["n"] = first.input["n"] = first.steps["a"].output["n"] = 99
    first.state["x"].append(2)
    again = await run.result()
    assert (again.result, again.input, again.steps["a"].output, again.state) == (
        {"n": 2},
        {"n": 1},
        {"n": 2},
        {"x": [1]},
    )


async def test_a_result_is_the_same_live_and_from_the_store(sqlite_url: str) -> None:
    class Place(BaseModel):
        city: str

    async def named(place: Place) -> Place:
        return place

    def flow() -> Any:
        return (
            create_workflow(id="flow", input_schema=Place)
            .then(create_step(id="named", execute=named, input_schema=Place, output_schema=Place))
            .map(lambda _: [{"n": 1}, {"n": 2}])
            .foreach(add("item"), concurrency=2)
            .parallel([add("a"), fail("bad")], allow_failure=True)
        )

    async with Engine([flow()], store=sqlite_url) as engine:
        run = await launch(engine, "flow", {"city": "Rome"})
        live = (await run.result()).to_dict()
    async with Engine([flow()], store=sqlite_url) as engine:
        assert (await (await engine.get_run(run.run_id)).result()).to_dict() == live


async def test_a_run_that_goes_on_shows_what_runs(open_engine: OpenEngine) -> None:
    go_on = asyncio.Event()

    async def wait() -> str:
        await go_on.wait()
        return "done"

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=wait)))
    run = await engine.create_run("flow")
    await run.start_soon(5)
    result = await run.result()
    assert (result.status, result.result, result.error) == ("running", None, None)
    record = result.steps["a"]
    assert record == StepRecord(status="running", input=5, attempts=1, started_at=record.started_at)
    assert record.started_at is not None
    go_on.set()
    await run.wait()


async def test_a_result_of_a_loop_that_goes_on_stays_as_of_then(open_engine: OpenEngine) -> None:
    """Its rounds are read when they are asked for, as they were."""

    async def round(data: Any, ctx: StepContext) -> Any:
        answer = await ctx.ask({"round": ctx.iteration}) if data["n"] == 2 else True
        return {"n": data["n"] + answer}

    loop = create_workflow(id="flow").do_while(create_step(id="round", execute=round), "n < 5")
    engine = await open_engine(loop)
    run = await engine.create_run("flow")
    before = await run.start({"n": 0})
    after = await run.resume(1)

    def rounds(result: RunResult) -> list[Any]:
        return [(record.status, record.input, record.output) for record in result.steps["round"].iterations]

    made = [("success", {"n": n}, {"n": n + 1}) for n in range(5)]
    assert rounds(before) == [*made[:2], ("suspended", {"n": 2}, None)]
    assert rounds(after) == made
    assert replace(before.steps["round"], iterations=()) == StepRecord(
        status="suspended",
        input={"n": 0},
        attempts=1,
        started_at=before.steps["round"].started_at,
        suspend_payload={"round": 3},
    )


async def test_a_result_that_nobody_reads_is_the_same_as_one_that_was_read(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))
    run = await launch(engine, "flow", {"n": 0})
    read, unread = await run.result(), await run.result()

    assert (read.input, read.result, read.steps["a"].output) == ({"n": 0}, {"n": 1}, {"n": 1})
    assert read.result is read.result
    assert (unread.steps["a"], replace(unread, steps={})) == (read.steps["a"], replace(read, steps={}))
    assert repr(replace(await run.result(), steps={})) == repr(replace(read, steps={}))
    with pytest.raises(AttributeError, match="'RunResult' object has no attribute 'output'"):
        _ = read.output  # type: ignore[attr-defined]


async def test_a_result_that_is_none_is_a_result(open_engine: OpenEngine) -> None:
    async def nothing() -> None:
        return None

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="a", execute=nothing)))
    result = await (await launch(engine, "flow")).result()
    made = timeless(result)
    assert (made["result"], made["steps"]["a"]["output"], result.unwrap()) == (None, None, None)


@pytest.mark.parametrize("value", [(1, 2), {1: "a"}])
async def test_an_unannotated_tuple_or_number_key_is_not_serializable_and_says_annotate(
    open_engine: OpenEngine, value: Any
) -> None:
    async def odd() -> Any:
        return value

    flow = create_workflow(id="flow").then(create_step(id="a", execute=odd))
    error = (await (await launch(await open_engine(flow), "flow")).result()).error or {}
    assert (error["type"], "annotate" in error["message"]) == ("NotSerializable", True)


async def test_what_a_caller_does_to_an_error_changes_no_run(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(create_workflow(id="flow").then(fail("a"))), "flow")
    first = await run.result()
    for error in (first.error, first.steps["a"].error):
        (error or {}).clear()
    again = await run.result()
    assert [(error or {}).get("type") for error in (again.error, again.steps["a"].error)] == ["ValueError"] * 2
