"""A step that a death cut in the middle: run again, asked about, or failed; and no crash loop.

Each test kills real processes (SIGKILL).
"""

from __future__ import annotations

from typing import Any

import pytest

from engine import InvalidResume
from tests.fixtures import lines
from tests.rules.process import Life

# -- steps that may have taken effect


async def _asked_about(life: Life) -> None:
    await life.die_in("a", "crash_ask", {"n": 0})


async def test_on_crash_ask_suspends_with_the_engines_own_question(life: Life) -> None:
    await _asked_about(life)
    async with life.engine() as engine:
        run = await engine.get_run("r")
        assert (await run.wait(5)).suspended == [["a"]]
        [question] = (await engine.suspensions("r")).items
        assert (question.path, question.schema is not None) == ("a", True)
        assert question.schema["properties"]["action"]["enum"] == ["done", "retry", "fail"]
    assert life.place.effects() == ["a 1"]


@pytest.mark.parametrize(
    ("answer", "status", "result", "effects"),
    [
        ({"action": "done", "output": {"n": 50}}, "success", {"n": 51}, ["a 1", "z 1"]),
        ({"action": "retry"}, "success", {"n": 2}, ["a 1", "a 2", "z 1"]),
        ({"action": "fail"}, "failed", None, ["a 1"]),
    ],
)
async def test_the_answer_says_what_became_of_the_step(
    life: Life, answer: Any, status: str, result: Any, effects: list[str]
) -> None:
    await _asked_about(life)
    async with life.engine() as engine:
        run = await engine.get_run("r")
        await run.wait(5)
        with pytest.raises(InvalidResume):
            await run.resume({"action": "shrug"})
        ended = await run.resume(answer)
    assert (ended.status, ended.result, life.place.effects()) == (status, result, effects)


async def test_on_crash_fail_fails_the_step(life: Life) -> None:
    await life.die_in("a", "crash_fail", {"n": 0})
    result = await life.finish()
    assert result.error is not None
    assert (result.status, result.error["type"], result.error["step"]) == ("failed", "Interrupted", "a")
    assert life.place.effects() == ["a 1"]


async def test_a_secret_in_what_a_person_says_that_the_step_gave_is_whole_and_not_stored(life: Life) -> None:
    await life.die_in("a", "crash_key", {"n": 0})
    async with life.engine() as engine:
        run = await engine.get_run("r")
        result = await run.resume({"action": "done", "output": {"token": "correct-horse"}})
        assert (result.status, result.result, result.steps["a"].output) == ("success", 13, {"token": None})
        assert "correct-horse" not in repr([event async for event in run.events(follow=False)])
    files = [file for file in life.database.parent.glob("runs.db*") if file.is_file()]
    assert [file.name for file in files if b"correct-horse" in file.read_bytes()] == []


# -- crash loops


async def _deaths(life: Life, count: int) -> None:
    """Let so many more processes die of the run."""
    for _ in range(count):
        await (await life.spawn()).gone()


async def test_a_step_in_flight_in_three_deaths_in_a_row_is_asked_about(life: Life) -> None:
    life.place.doom("b")
    child = await life.spawn()
    await child.run_to_death("sequence", {"n": 0})
    await _deaths(life, 2)
    assert life.place.effects() == ["a 1", "b 1", "b 2", "b 3"]
    child = await life.spawn()
    asked = await child.send("wait", "r")
    assert (asked["status"], asked["suspended"]) == ("suspended", [["b"]])
    await child.kill()
    async with life.engine() as engine:
        result = await (await engine.get_run("r")).resume({"action": "done", "output": {"n": 2}})
    assert (result.result, life.place.effects()) == ({"n": 3}, ["a 1", "b 1", "b 2", "b 3", "c 1"])


async def test_from_the_second_death_on_interrupted_steps_are_taken_up_one_at_a_time(life: Life) -> None:
    """One of three arms kills the process: only that one is asked about, and the others get their turn."""
    for path in ("b", "d"):
        life.place.hold(path)
    life.place.hold("c")
    child = await life.spawn()
    await child.run("parallel", {"n": 0})
    await life.place.seen("b", "c", "d")
    await child.kill()
    life.place.release("c")
    life.place.doom("c")
    await _deaths(life, 1)  # all three at once: c kills it
    first = len(life.place.effects())
    for path in ("b", "d"):
        life.place.release(path)
    await _deaths(life, 1)  # b, then c: c kills it
    assert life.place.effects()[first:] == ["b 3", "c 3"]
    child = await life.spawn()
    asked = await child.send("wait", "r")
    assert asked["suspended"] == [["c"]]
    assert life.place.effects()[first:] == ["b 3", "c 3", "d 3"]
    await child.kill()
    async with life.engine() as engine:
        result = await (await engine.get_run("r")).resume({"action": "done", "output": {"n": 0}})
    assert result.result == {"b": {"n": 2}, "c": {"n": 0}, "d": {"n": 2}}


async def test_steps_that_had_no_turn_since_the_last_death_get_theirs_one_at_a_time(life: Life) -> None:
    """The first of three arms kills the process until it is asked about; then the second runs, and then the third."""
    for path in ("b", "c", "d"):
        life.place.hold(path)
    child = await life.spawn()
    await child.run("parallel", {"n": 0})
    await life.place.seen("b", "c", "d")
    await child.kill()
    life.place.doom("b")
    await _deaths(life, 1)  # all at once
    before = len(life.place.effects())
    await _deaths(life, 1)  # b alone
    assert life.place.effects()[before:] == ["b 3"]
    async with life.engine() as engine:
        run = await engine.get_run("r")
        await life.place.counts(before + 2)
        assert [cell.path for cell in engine.live("r").state.questions.values()] == ["b"]
        assert life.place.effects()[before + 1 :] == ["c 3"]
        started = [line for line in await lines(run) if line == "step.started d"]
        assert len(started) == 2
        life.place.release("c")
        await life.place.counts(before + 3)
        life.place.release("d")
        result = await run.wait(5)
        assert result.suspended == [["b"]]
        assert (await run.resume({"action": "fail"})).status == "failed"
    assert life.place.effects()[before:] == ["b 3", "c 3", "d 3"]
