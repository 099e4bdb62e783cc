"""Ownership is per run: two processes never execute the same run at once, and each can act on every run."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any

import pytest

from engine import AlreadyResumed, AlreadyStarted, EngineError, Fenced, NotOwner, remote
from tests.fixtures import lines
from tests.rules.process import Child, Life

SOON = 2.0
"""Seconds within which an owner has acted on another's call (0.25), with a little for a busy machine."""


async def _fast(call: Any) -> Any:
    """Await a call to another process's run; it must not take longer than the rule says."""
    began = time.monotonic()
    result = await call
    assert time.monotonic() - began < SOON
    return result


async def test_an_answer_from_another_process_is_acted_on_by_the_owner(life: Life) -> None:
    owner = await life.spawn()
    await owner.run("asking", {"n": 0})
    await owner.send("wait", "r")
    async with life.engine() as engine:
        run = await engine.get_run("r")
        result = await _fast(run.resume({"add": 5}))
        assert (result.status, result.result) == ("success", {"n": 7})
        assert "run.recovered" not in await lines(run)


async def test_a_cancel_from_another_process_stops_the_step(life: Life) -> None:
    life.place.hold("a")
    owner = await life.spawn()
    await owner.run("sequence", {"n": 0})
    await life.place.seen("a")
    async with life.engine() as engine:
        run = await engine.get_run("r")
        assert await _fast(run.cancel("enough")) is True
        assert (await run.result()).status == "canceled"
        assert await run.cancel() is False
    assert (await owner.send("result", "r"))["status"] == "canceled"


async def test_the_debugger_works_from_another_process(life: Life) -> None:
    life.place.hold("a")
    owner = await life.spawn()
    await owner.run("sequence", {"n": 0})
    await life.place.seen("a")
    async with life.engine() as engine:
        run = await engine.get_run("r")
        await _fast(run.pause())
        life.place.release("a")
        assert (await run.wait(5)).status == "paused"
        await _fast(run.step())
        assert (await run.wait(5)).steps["b"].status == "success"
        await _fast(run.set_breakpoints(["c"]))
        await _fast(run.set_breakpoints([]))
        await _fast(run.proceed())
        assert (await run.wait(5)).result == {"n": 3}
    assert life.place.effects() == ["a 1", "b 1", "c 1"]


async def test_an_event_from_another_process_reaches_the_step_that_waits(life: Life) -> None:
    owner = await life.spawn()
    await owner.run("listening")
    async with life.engine() as engine:
        await _fast(engine.send_event("r", "go", {"n": 1}))
        assert (await (await engine.get_run("r")).wait(5)).result == {"n": 2}


async def test_a_start_from_another_process_is_done_by_the_one_that_made_the_run(life: Life) -> None:
    owner = await life.spawn()
    await owner.send("create_run", workflow="sequence", run_id="r")
    async with life.engine() as engine:
        result = await (await engine.get_run("r")).start({"n": 0})
        assert result.result == {"n": 3}
        assert engine.live("r") is None


async def test_errors_of_a_call_come_back_to_the_process_that_made_it(life: Life) -> None:
    owner = await life.spawn()
    await owner.run("asking", {"n": 0})
    await owner.send("wait", "r")
    async with life.engine() as engine:
        run = await engine.get_run("r")
        with pytest.raises(EngineError, match="no step 'nobody'"):
            await run.resume({"add": 1}, step="nobody")
        with pytest.raises(AlreadyStarted):
            await run.start({"n": 0})
        assert await run.status() == "suspended"


async def test_events_of_another_processs_run_come_without_gap_or_duplicate(life: Life) -> None:
    life.place.hold("b")
    owner = await life.spawn()
    await owner.run("sequence", {"n": 0})
    await life.place.seen("b")
    seen = []
    async with life.engine() as engine, asyncio.timeout(5):
        async for event in (await engine.get_run("r")).events():
            seen.append((event.seq, event.type))
            if len(seen) == 5:
                life.place.release("b")
    assert [seq for seq, _ in seen] == list(range(1, 10))
    assert seen[-1] == (9, "run.succeeded")


async def test_a_dead_owners_runs_are_taken_up_by_a_living_process(life: Life) -> None:
    life.place.hold("b")
    owner = await life.spawn()
    await owner.run("sequence", {"n": 0})
    await life.place.seen("b")
    async with life.engine() as engine:
        run = await engine.get_run("r")
        await owner.kill()
        life.place.release("b")
        result = await run.wait(10)
        assert result.result == {"n": 3}
    assert life.place.effects() == ["a 1", "b 1", "b 2", "c 1"]


async def test_a_call_to_a_dead_owners_run_takes_it_up_at_once(life: Life) -> None:
    owner = await life.spawn()
    await owner.run("asking", {"n": 0})
    await owner.send("wait", "r")
    await owner.kill()
    async with life.engine(recover=False) as engine:
        run = await engine.get_run("r")
        assert (await _fast(run.resume({"add": 1}))).result == {"n": 3}


async def test_a_living_owner_keeps_its_runs_however_many_engines_open(life: Life) -> None:
    life.place.hold("a")
    owner = await life.spawn()
    await owner.run("alone", {"n": 0})
    await life.place.seen("a")
    for _ in range(3):
        async with life.engine() as engine:
            assert await engine.recover() == []
    life.place.release("a")
    assert (await owner.send("wait", "r"))["status"] == "success"
    assert life.place.effects() == ["a 1"]


async def test_a_stopped_owner_is_fenced_once_its_run_is_taken_over(life: Life) -> None:
    life.place.hold("b")
    owner = await life.spawn()
    await owner.send("create_run", workflow="sequence", run_id="r")
    waiting = owner.send("start", "r", input={"n": 0})
    await life.place.seen("b")
    owner.stop()
    async with life.engine() as engine:
        assert await engine.recover() == []  # stopped is not dead
        await engine.take_over("r")
        await life.place.counts(3)
        life.place.release("b")
        run = await engine.get_run("r")
        assert (await run.wait(5)).result == {"n": 3}
        before = await lines(run)
        owner.go_on()
        with pytest.raises(Fenced):
            await waiting
        assert await lines(run) == before
    assert life.place.effects() == ["a 1", "b 1", "b 2", "c 1"]


async def test_a_run_that_was_taken_over_is_shown_as_it_is_now_even_before_its_old_owner_has_noticed(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "POLL", 60.0)  # it looks so rarely that it does not notice
    async with life.engine() as first, life.engine() as second:
        run = await first.create_run("asking", run_id="r")
        assert (await run.start({"n": 0})).status == "suspended"
        await second.take_over("r")
        assert (await (await second.get_run("r")).resume({"add": 5})).status == "success"
        result = await run.result()
        assert (result.status, result.result) == ("success", {"n": 7})


async def test_an_owner_that_was_fenced_says_so(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    life.place.hold("b")
    async with life.engine() as first, life.engine() as second:
        run = await first.create_run("sequence", run_id="r")
        await run.start_soon({"n": 0})
        await life.place.seen("b")
        await second.take_over("r")
        await life.place.counts(3)
        with caplog.at_level(logging.WARNING, "engine"):
            life.place.release("b")
            assert (await (await second.get_run("r")).wait(5)).result == {"n": 3}
            await first.close()
        assert [record.getMessage() for record in caplog.records if "taken over" in record.getMessage()] != []
    assert life.place.effects() == ["a 1", "b 1", "b 2", "c 1"]


async def test_a_call_that_failed_because_the_owner_is_stuck_is_never_acted_on(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 0.15)
    owner = await life.spawn()
    await owner.run("asking", {"n": 0})
    await owner.send("wait", "r")
    owner.stop()
    async with life.engine() as engine:
        run = await engine.get_run("r")
        with pytest.raises(NotOwner, match="take_over"):
            await run.resume({"add": 5})
        owner.go_on()
        monkeypatch.setattr(remote, "PATIENCE", 10.0)
        await run.set_breakpoints([])  # the owner acts on calls in order: on this one after any that was left
        assert (await run.status(), life.place.effects()) == ("suspended", ["a 1"])
        assert (await run.resume({"add": 6})).result == {"n": 8}


async def test_a_slow_call_is_acted_on_once(life: Life) -> None:
    """The hook of a start takes its time; other calls are served meanwhile, and the start is not made again."""
    life.place.hold("on_start")
    owner = await life.spawn()
    await owner.send("create_run", workflow="hooked", run_id="r")
    await owner.run("listening", run_id="other")
    async with life.engine() as engine:
        run = await engine.get_run("r")
        starting = asyncio.ensure_future(run.start({"n": 0}))
        await life.place.seen("on_start")
        await _fast(engine.send_event("other", "go", {"n": 0}))
        life.place.release("on_start")
        assert (await starting).result == {"n": 1}
    assert sorted(life.place.effects()) == ["a 1", "on_start 1", "z 1"]


async def _race(life: Life, verb: str, run_id: str, arguments: dict[str, Any]) -> Counter[str]:
    """Several processes make the same call at once; how it ended for each."""
    racers: list[Child] = [await life.spawn(recover=False) for _ in range(3)]
    calls = [racer.send(verb, run_id, **arguments) for racer in racers]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    return Counter("won" if not isinstance(one, BaseException) else type(one).__name__ for one in ended)


@pytest.mark.parametrize("owned", [True, False], ids=["owned", "orphaned"])
async def test_one_of_many_starts_wins(life: Life, owned: bool) -> None:
    owner = await life.spawn()
    await owner.send("create_run", workflow="sequence", run_id="r")
    if not owned:
        await owner.kill()
    won = await _race(life, "start_soon", "r", {"input": {"n": 0}})
    assert won == {"won": 1, AlreadyStarted.__name__: 2}
    assert (await life.finish()).result == {"n": 3}
    assert life.place.effects() == ["a 1", "b 1", "c 1"]


@pytest.mark.parametrize("owned", [True, False], ids=["owned", "orphaned"])
async def test_one_of_many_answers_wins(life: Life, owned: bool) -> None:
    owner = await life.spawn()
    await owner.run("asking", {"n": 0})
    await owner.send("wait", "r")
    if not owned:
        await owner.kill()
    won = await _race(life, "resume_soon", "r", {"data": {"add": 5}, "step": "ask"})
    assert won == {"won": 1, AlreadyResumed.__name__: 2}
    assert (await life.finish()).result == {"n": 7}
    assert life.place.effects() == ["a 1", "z 1"]


async def test_each_process_owns_its_own_runs_and_all_see_all(life: Life) -> None:
    first, second = await life.spawn(), await life.spawn()
    for number in range(6):
        owner = (first, second)[number % 2]
        await owner.run("alone", {"n": number}, run_id=f"r{number}")
    for number in range(6):
        assert (await first.send("wait", f"r{number}"))["result"] == {"n": number + 1}
    async with life.engine() as engine:
        page = await engine.list_runs(status="success")
        assert sorted(row.run_id for row in page.items) == [f"r{number}" for number in range(6)]
    assert life.place.effects() == ["a 1"] * 6
