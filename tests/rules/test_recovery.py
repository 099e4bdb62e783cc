"""After the death of a process the next engine goes on where it was: nothing finished runs again, nothing is lost.

Each test kills a real process (SIGKILL) at a chosen step and opens an engine over the same store.
"""

from __future__ import annotations

import pytest

from tests.fixtures import lines, statuses
from tests.rules.process import Life


async def test_finished_steps_never_run_again(life: Life) -> None:
    await life.die_in("b", "sequence", {"n": 0})
    result = await life.finish()
    assert (result.status, result.result) == ("success", {"n": 3})
    assert life.place.effects() == ["a 1", "b 1", "b 2", "c 1"]


async def test_a_step_cut_in_the_middle_is_interrupted_and_started_again(life: Life) -> None:
    await life.die_in("b", "sequence", {"n": 0})
    async with life.engine() as engine:
        run = await engine.get_run("r")
        await run.wait(5)
        assert await lines(run) == [
            "run.created",
            "run.started",
            "step.started a",
            "step.succeeded a",
            "step.started b",
            "run.recovered",
            "step.interrupted b",
            "step.started b",
            "step.succeeded b",
            "step.started c",
            "step.succeeded c",
            "run.succeeded",
        ]


async def test_finished_arms_never_run_again(life: Life) -> None:
    life.place.hold("c")
    life.place.hold("d")
    child = await life.spawn()
    await child.run("parallel", {"n": 0})
    await life.place.seen("b", "c", "d")
    async with life.engine() as watching:
        async for event in (await watching.get_run("r")).events():
            if (event.type, event.path) == ("step.succeeded", "b"):
                break
        await child.kill()
        life.place.release("c")
        life.place.release("d")
    result = await life.finish()
    assert result.result == {"b": {"n": 2}, "c": {"n": 2}, "d": {"n": 2}}
    assert sorted(life.place.effects()) == ["a 1", "b 1", "c 1", "c 2", "d 1", "d 2"]


async def test_finished_items_never_run_again(life: Life) -> None:
    await life.die_in("item[2]", "foreach", [{"n": n} for n in range(5)])
    result = await life.finish()
    assert result.result == [{"n": n} for n in range(1, 6)]
    effects = life.place.effects()
    assert {"item[0] 1", "item[1] 1", "item[2] 1", "item[2] 2"} <= set(effects)
    assert "item[0] 2" not in effects
    assert {line.split()[0] for line in effects} == {f"item[{index}]" for index in range(5)}


async def test_finished_iterations_never_run_again(life: Life) -> None:
    await life.die_in("round[1]/t", "loop", {"n": 0})
    result = await life.finish()
    assert result.result == {"n": 6}
    assert life.place.effects() == [
        "round[0]/s 1",
        "round[0]/t 1",
        "round[1]/s 1",
        "round[1]/t 1",
        "round[1]/t 2",
        "round[2]/s 1",
        "round[2]/t 1",
    ]


async def test_steps_of_a_nested_workflow_go_on_where_they_were(life: Life) -> None:
    await life.die_in("inner/y", "nested", {"n": 0})
    result = await life.finish()
    assert result.result == {"n": 4}
    assert life.place.effects() == ["a 1", "inner/x 1", "inner/y 1", "inner/y 2", "z 1"]


async def test_a_condition_is_not_asked_again_after_a_restart(life: Life) -> None:
    await life.die_in("yes", "branch", {"n": 1})
    async with life.engine() as engine:
        run = await engine.get_run("r")
        result = await run.wait(5)
        assert (result.result, statuses(result.steps)) == ({"yes": {"n": 2}}, {"yes": "success", "no": "skipped"})
        assert (await lines(run)).count("branch.chosen branch-1") == 1


async def test_attempts_count_starts_and_the_policy_counts_failures_only(life: Life) -> None:
    """Three attempts are allowed: two fail, and a death between them is none of the three."""
    life.place.doom("flaky")
    child = await life.spawn()
    await child.run_to_death("retried", {"n": 0})
    result = await life.finish()
    assert (result.status, result.steps["flaky"].attempts) == ("success", 4)
    assert life.place.effects() == ["flaky 1", "flaky 2", "failing", "flaky 3", "failing", "flaky 4"]


async def test_a_retry_that_waited_still_waits_until_its_time(life: Life) -> None:
    child = await life.spawn()
    await child.run("backing_off", {"n": 0})
    async with life.engine() as engine:
        run = await engine.get_run("r")
        async for event in run.events():
            if event.type == "step.retrying":
                due = event.data["next_at"]
                await child.kill()
                break
    async with life.engine() as engine:
        run = await engine.get_run("r")
        async for event in run.events():
            if event.type == "step.started" and event.attempt == 2:
                assert event.at.isoformat() >= due.replace("Z", "+00:00")
                break
        assert (await run.wait(5)).status == "success"
        assert "step.interrupted flaky" not in await lines(run)
    assert life.place.effects()[:3] == ["flaky 1", "failing", "flaky 2"]


async def test_a_sleep_ends_at_the_time_first_fixed(life: Life) -> None:
    child = await life.spawn()
    await child.run("sleeping", {"n": 0})
    async with life.engine() as engine:
        run = await engine.get_run("r")
        async for event in run.events():
            if event.type == "timer.started":
                await child.kill()
                break
    async with life.engine() as engine:
        run = await engine.get_run("r")
        assert (await run.wait(5)).result == {"n": 2}
        events = {f"{event.type} {event.path}": event async for event in run.events(follow=False)}
    assert [line for line in events if "timer" in line] == ["timer.started sleep-1", "timer.fired sleep-1"]
    due = events["timer.started sleep-1"].data["due"].replace("Z", "+00:00")
    fired = events["timer.fired sleep-1"].at
    assert due <= fired.isoformat()
    assert (fired - events["timer.started sleep-1"].at).total_seconds() < 0.3 + 0.2


async def test_an_open_question_stays_open_with_its_token(life: Life) -> None:
    child = await life.spawn()
    await child.run("asking", {"n": 0})
    asked = await child.send("wait", "r")
    assert asked["suspended"] == [["ask"]]
    async with life.engine(recover=False) as engine:
        [before] = (await engine.suspensions()).items
        await child.kill()
    async with life.engine() as engine:
        [after] = (await engine.suspensions()).items
        assert after == before
        run = await engine.get_run("r")
        assert await run.status() == "suspended"
        result = await run.resume({"add": 5}, suspension=before)
        assert result.result == {"n": 7}
        assert "run.recovered" not in await lines(run)
    assert life.place.effects() == ["a 1", "z 1"]


async def test_an_answer_that_was_accepted_is_never_asked_for_again(life: Life) -> None:
    life.place.hold("z")
    child = await life.spawn()
    await child.run("asking", {"n": 0})
    await child.send("wait", "r")
    await child.send("resume_soon", "r", data={"add": 5})
    await life.place.seen("z")
    await child.kill()
    life.place.release("z")
    assert (await life.finish()).result == {"n": 7}
    assert life.place.effects() == ["a 1", "z 1", "z 2"]


async def test_a_paused_run_survives_a_restart(life: Life) -> None:
    child = await life.spawn()
    await child.run("sequence", {"n": 0}, paused=True)
    await child.send("wait", "r")
    await child.send("step", "r")
    await child.send("wait", "r")
    await child.kill()
    async with life.engine() as engine:
        run = await engine.get_run("r")
        assert (await run.wait(5)).status == "paused"
        assert life.place.effects() == ["a 1"]
        await run.step()
        assert (await run.wait(5)).status == "paused"
        assert life.place.effects() == ["a 1", "b 1"]
        await run.proceed()
        assert (await run.wait(5)).result == {"n": 3}


async def test_breakpoints_survive_a_restart(life: Life) -> None:
    await life.die_in("a", "sequence", {"n": 0}, breakpoints=["c"])
    async with life.engine() as engine:
        run = await engine.get_run("r")
        result = await run.wait(5)
        assert (result.status, statuses(result.steps)) == ("paused", {"a": "success", "b": "success", "c": "held"})
        await run.proceed()
        assert (await run.wait(5)).status == "success"


async def test_a_wait_for_an_event_and_an_early_event_survive_a_restart(life: Life) -> None:
    child = await life.spawn()
    await child.send("create_run", workflow="listening", run_id="early")
    await child.send("send_event", run_id="early", name="go", data={"n": 10})
    await child.run("listening", run_id="waits")
    await child.kill()
    async with life.engine() as engine:
        early, waits = await engine.get_run("early"), await engine.get_run("waits")
        assert await waits.status() == "waiting"
        assert (await early.start()).result == {"n": 11}
        await engine.send_event("waits", "go", {"n": 20})
        assert (await waits.wait(5)).result == {"n": 21}


async def test_state_is_as_it_was_and_a_cut_step_counts_once(life: Life) -> None:
    await life.die_in("b", "summing", {"n": 0})
    result = await life.finish()
    assert result.state == {"total": 111, "last": "c"}
    assert life.place.effects() == ["a 1 0", "b 1 1", "b 2 1", "c 1 11"]


async def test_the_idempotency_key_is_the_same_in_every_attempt_and_after_every_death(life: Life) -> None:
    await life.die_in("key", "keyed", {"n": 0})
    assert (await life.finish()).status == "success"
    attempts, keys = zip(*[line.split()[1:] for line in life.place.effects()], strict=True)
    assert (attempts, len(set(keys))) == (("1", "2", "3"), 1)


async def _die_while_canceling(life: Life) -> None:
    """A step that swallows the cancel keeps the run from ending until its grace is over; the process dies before."""
    life.place.hold("stubborn")
    child = await life.spawn()
    await child.run("stubborn", {"n": 0})
    await life.place.seen("stubborn")
    canceling = child.send("cancel", "r", reason="enough")
    async with life.engine(recover=False) as engine:
        async for event in (await engine.get_run("r")).events():
            if event.type == "run.cancel_requested":
                break
    await child.kill()
    with pytest.raises(ConnectionError):
        await canceling


async def test_a_run_that_was_being_cancelled_ends_canceled(life: Life) -> None:
    await _die_while_canceling(life)
    async with life.engine() as engine:
        run = await engine.get_run("r")
        assert (await run.wait(5)).status == "canceled"
        assert (await lines(run))[-2:] == ["step.canceled stubborn", "run.canceled"]
    assert life.place.effects() == ["stubborn 1"]


async def test_a_run_that_was_being_cancelled_can_be_cancelled_again(life: Life) -> None:
    await _die_while_canceling(life)
    async with life.engine(recover=False) as engine:
        run = await engine.get_run("r")
        assert await run.cancel() is True
        assert (await run.result()).status == "canceled"
    assert life.place.effects() == ["stubborn 1"]


async def test_nothing_is_started_only_to_be_cancelled(life: Life) -> None:
    await life.die_in("b", "sequence", {"n": 0})
    async with life.engine(recover=False) as engine:
        run = await engine.get_run("r")
        assert await run.cancel() is True
        assert (await run.result()).status == "canceled"
    assert life.place.effects() == ["a 1", "b 1"]


# -- a clean close


async def test_a_clean_close_interrupts_what_runs_and_is_no_death(life: Life) -> None:
    life.place.hold("a")
    for number in range(4):
        async with life.engine() as engine:
            if number == 0:
                await (await engine.create_run("alone", run_id="r")).start_soon({"n": 0})
            await life.place.counts(number + 1)
    life.place.release("a")
    async with life.engine() as engine:
        run = await engine.get_run("r")
        assert (await run.wait(5)).status == "success"
        cut = [event.data async for event in run.events(follow=False) if event.type == "step.interrupted"]
        assert cut == [{}] * 4
        recovered = [event.data async for event in run.events(follow=False) if event.type == "run.recovered"]
        assert [data.get("unclean", False) for data in recovered] == [False] * 4
