"""What waits: for events that came early, for a thread, for an answer, for a restart."""

from __future__ import annotations

import asyncio
import operator
import time
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from engine import Engine, Event, Run, StepContext, create_step, create_workflow, live, reduce
from engine.verify import verify
from tests.fixtures import OpenEngine, add, launch, lines, statuses

SOON = 5.0


async def _data(run: Run, type: str) -> list[dict[str, Any]]:
    return [event.data for event in [one async for one in run.events(follow=False)] if event.type == type]


async def test_events_that_came_early_and_do_not_fit_are_dropped_for_good(open_engine: OpenEngine) -> None:
    """The first one that fits is taken, and nothing that came before it is left for the next wait."""
    workflow = create_workflow(id="w").wait_for_event("go", schema=int).wait_for_event("go", schema=int).commit()
    engine = await open_engine(workflow)
    run = await engine.create_run("w")
    for data in ("bad", "worse", 7, 8):
        await engine.send_event(run.run_id, "go", data)
    result = await run.start(None)
    assert (result.status, result.result) == ("success", 8)
    assert result.steps["wait_for_event-1"].output == 7
    assert (await _data(run, "event.received"))[4:] == [
        {"name": "go", "early": 3, "data": 7},
        {"name": "go", "early": 1, "data": 8},
    ]


async def test_a_misfit_that_nothing_fitting_follows_is_dropped_by_an_event_and_stays_dropped(sqlite_url: str) -> None:
    workflow = create_workflow(id="w").wait_for_event("go", schema=int).wait_for_event("go", schema=str).commit()
    async with Engine([workflow], store=sqlite_url) as engine:
        run = await engine.create_run("w", run_id="r")
        await engine.send_event("r", "go", "text")
        await run.start_soon(None)
        assert await run.status() == "waiting"
        assert (await _data(run, "event.received"))[1:] == [{"name": "go", "dropped": 1}]
        assert [entry["level"] for entry in await _data(run, "log")] == ["warning"]
        written = await lines(run)
    async with Engine([workflow], store=sqlite_url) as engine:
        run = await engine.get_run("r")
        assert await lines(run) == written
        await engine.send_event("r", "go", 7)
        assert await run.status() == "waiting"  # "text" would have fitted the second wait
        await engine.send_event("r", "go", "later")
        assert (await run.wait(SOON)).result == "later"
    assert verify(sqlite_url.removeprefix("sqlite:///")) == []


async def test_a_fork_of_a_run_that_took_an_early_event_has_taken_it_too(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").wait_for_event("go").then(add("a")).then(add("b")).commit())
    run = await engine.create_run("w")
    await engine.send_event(run.run_id, "go", {"n": 1})
    assert (await run.start(None)).result == {"n": 3}
    forked = await run.fork("b", input={"n": 10})
    assert (await forked.wait(SOON)).result == {"n": 11}
    again = await run.fork("wait_for_event-1")  # it waits again, and the event is there again
    assert (await again.wait(SOON)).result == {"n": 3}


async def test_a_restart_of_a_run_that_only_waits_writes_nothing(sqlite_url: str) -> None:
    workflow = create_workflow(id="w").then(add("a")).wait_for_event("go", timeout=60).then(add("b")).commit()
    async with Engine([workflow], store=sqlite_url) as engine:
        run = await engine.create_run("w", run_id="r")
        await run.start_soon({"n": 0})
        async for event in run.events():
            if event.type == "run.waiting":
                break
        written = await lines(run)
    for _ in range(2):
        async with Engine([workflow], store=sqlite_url) as engine:
            assert await lines(await engine.get_run("r")) == written
    async with Engine([workflow], store=sqlite_url) as engine:
        await engine.send_event("r", "go", {"n": 5})
        assert (await (await engine.get_run("r")).wait(SOON)).result == {"n": 6}


async def test_a_question_that_was_answered_holds_no_timer_and_no_memory(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run at rest can be put out of memory then, whatever it once waited for."""
    monkeypatch.setattr(live, "IDLE_RUNS", 1)

    async def ask(data: int, ctx: StepContext) -> int:
        await ctx.ask("first", int, expires_in=3600)
        return await ctx.ask("second", int)

    engine = await open_engine(create_workflow(id="w").then(create_step(id="ask", execute=ask)).commit())
    run = await launch(engine, "w", 1)
    await engine.create_run("w")
    assert engine.live(run.run_id) is not None  # it expects a time
    assert (await run.resume(1)).status == "suspended"
    for _ in range(3):
        await engine.create_run("w")
    assert engine.live(run.run_id) is None
    assert (await run.resume(2)).result == 2


async def test_the_time_of_a_plain_function_begins_when_it_gets_a_thread(open_engine: OpenEngine) -> None:
    ran = []

    def slow(id: str) -> Any:
        def execute(data: int) -> int:
            time.sleep(0.05)
            ran.append(id)
            return data

        return create_step(id=id, execute=execute, timeout=0.12)

    workflow = create_workflow(id="w").parallel([slow(f"s{n}") for n in range(4)]).commit()
    engine = await open_engine(workflow, threads=1)
    result = await (await launch(engine, "w", 1)).result()
    assert statuses(result.steps) == dict.fromkeys(("s0", "s1", "s2", "s3"), "success")
    assert ran == ["s0", "s1", "s2", "s3"]


async def test_watching_begins_now_wherever_the_run_is(
    open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "IDLE_RUNS", 1)

    async def ask(data: int, ctx: StepContext) -> int:
        return await ctx.ask("?", int)

    engine = await open_engine(create_workflow(id="w").then(create_step(id="ask", execute=ask)).commit())
    run = await launch(engine, "w", 1)
    for _ in range(3):
        await engine.create_run("w")
    assert engine.live(run.run_id) is None
    seen: list[Event] = []
    done = asyncio.Event()

    def note(event: Event) -> None:
        seen.append(event)
        if event.type == "run.succeeded":
            done.set()

    before = len(await lines(run))
    run.watch(note)
    await run.resume(5)
    await asyncio.wait_for(done.wait(), SOON)
    assert [event.seq for event in seen] == list(range(before + 1, before + 1 + len(seen)))
    assert seen[0].type == "step.resumed"


class Log(BaseModel):
    """A list that only grows."""

    log: Annotated[list[str], reduce(operator.add)] = []


LINE = "x" * 100


def _logging(rounds: int) -> Any:
    async def execute(data: int, ctx: StepContext) -> int:
        ctx.set_state(log=[f"{data} {LINE}"])
        return data + 1

    body = create_step(id="a", execute=execute)
    return create_workflow(id=f"w{rounds}", state_schema=Log).do_while(body, f"value < {rounds}").commit()


async def test_a_list_that_grows_is_written_once_and_not_whole_at_every_step(sqlite_url: str) -> None:
    async with Engine([_logging(40), _logging(80)], store=sqlite_url) as engine:
        sizes = []
        for rounds in (40, 80):
            run = await launch(engine, f"w{rounds}", 0)
            facts = await engine.store.read(run.run_id)
            sizes.append(sum(len(fact.value.raw) for fact in facts if fact.type == "state.changed" and fact.value))
            expected = [f"{n} {LINE}" for n in range(rounds)]
            assert (await run.result()).state == {"log": expected}
            changes = await _data(run, "state.changed")
            assert changes[0] == {"args": [["log", [expected[0]]]], "changes": {"log": [expected[0]]}}
            assert changes[-1] == {
                "args": [["log", [expected[-1]]]],
                "appended": {"log": rounds - 1},
                "changes": {"log": [expected[-1]]},
            }
            forked = await run.fork(f"a[{rounds - 2}]")
            assert (await forked.wait(SOON)).state == {"log": expected}
        assert sizes[1] < 2.2 * sizes[0]
    async with Engine([_logging(40)], store=sqlite_url) as engine:  # folded from the log
        [row] = (await engine.list_runs("w40", limit=2)).items[1:]
        assert (await (await engine.get_run(row.run_id)).result()).state == {"log": [f"{n} {LINE}" for n in range(40)]}
    assert verify(sqlite_url.removeprefix("sqlite:///")) == []


async def test_a_list_that_a_suspended_step_added_to_is_as_before_when_it_runs_again(open_engine: OpenEngine) -> None:
    async def first(data: int, ctx: StepContext) -> int:
        ctx.set_state(log=[LINE] * 5)
        return data

    async def ask(data: int, ctx: StepContext) -> int:
        ctx.set_state(log=["draft"])
        return await ctx.ask(len(ctx.state.log), int)

    steps = create_workflow(id="w", state_schema=Log).then(create_step(id="first", execute=first))
    engine = await open_engine(steps.then(create_step(id="ask", execute=ask)).commit())
    run = await launch(engine, "w", 0)
    assert (await run.result()).state == {"log": [*[LINE] * 5, "draft"]}
    result = await run.resume(3)
    assert result.state == {"log": [*[LINE] * 5, "draft"]}
