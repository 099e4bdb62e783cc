"""A process dies at one chosen moment of a run; what the next one finds and does is known to the event."""

from __future__ import annotations

from pathlib import Path

from tests.faults.kills import effects, kill, recovered
from tests.faults.processes import Zygote
from tests.fixtures import lines


async def test_a_step_whose_outcome_was_not_written_runs_once_more_with_the_same_key(
    tmp_path: Path, killer: Zygote
) -> None:
    await kill(killer, tmp_path, "line", "before", "step.succeeded b")
    async with recovered(tmp_path) as run:
        result = await run.wait(10)
        assert (result.status, result.result) == ("success", 6)
        assert await lines(run) == [
            *("run.created", "run.started", "step.started a", "step.succeeded a", "step.started b"),
            *("run.recovered", "step.interrupted b", "step.started b", "step.succeeded b"),
            *("step.started c", "step.succeeded c", "run.succeeded"),
        ]
        assert {path: step.attempts for path, step in result.steps.items()} == {"a": 1, "b": 2, "c": 1}
    assert (tmp_path / "effects").read_text(encoding="utf-8").splitlines() == [
        "a 1 r1:a",
        "b 1 r1:b",
        "b 2 r1:b",
        "c 1 r1:c",
    ]


async def test_a_step_whose_outcome_was_written_never_runs_again(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "line", "after", "step.succeeded b")
    async with recovered(tmp_path) as run:
        result = await run.wait(10)
        assert (result.status, result.result) == ("success", 6)
        assert {path: step.attempts for path, step in result.steps.items()} == {"a": 1, "b": 1, "c": 2}
    # `c` had started in the commit of `b`, but its code had not been called yet.
    assert effects(tmp_path) == ["a 1", "b 1", "c 2"]


async def test_killed_after_the_last_commit_nothing_is_done_again(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "line", "after", "run.succeeded")
    async with recovered(tmp_path) as run:
        result = await run.result()
        assert (result.status, result.result) == ("success", 6)
        assert "run.recovered" not in await lines(run)
    assert effects(tmp_path) == ["a 1", "b 1", "c 1"]


async def test_killed_before_the_start_was_written_the_run_is_still_pending(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "line", "before", "run.started")
    async with recovered(tmp_path) as run:
        assert (await run.status(), await lines(run)) == ("pending", ["run.created"])
        assert (await run.start(0)).result == 6
    assert effects(tmp_path) == ["a 1", "b 1", "c 1"]


async def test_a_question_that_was_not_written_was_never_asked(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "asks", "before", "step.suspended approve")
    async with recovered(tmp_path) as run:
        assert (await run.wait(10)).suspended == [["approve"]]
        asked = await run._engine.suspensions("r1")
        assert [(one.path, one.payload) for one in asked.items] == [("approve", {"so far": 1})]
        assert (await lines(run)).count("step.suspended approve") == 1
        assert (await run.resume(10)).result == 12
    assert effects(tmp_path) == ["a 1", "approve 1", "approve 2", "approve 3", "approve 3", "pay 1"]


async def test_a_question_that_was_written_is_asked_once_and_can_be_answered(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "asks", "after", "step.suspended approve")
    async with recovered(tmp_path) as run:
        assert (await run.wait(10)).suspended == [["approve"]]
        assert effects(tmp_path) == ["a 1", "approve 1"]
        assert (await run.resume(10)).result == 12
        assert (await lines(run)).count("step.suspended approve") == 1
    assert effects(tmp_path) == ["a 1", "approve 1", "approve 2", "approve 2", "pay 1"]


async def test_an_answer_that_was_not_written_is_not_spent(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "asks", "before", "step.resumed approve", answer=10)
    async with recovered(tmp_path) as run:
        assert (await run.wait(10)).suspended == [["approve"]]
        (asked,) = (await run._engine.suspensions("r1")).items
        assert (await run.resume(20, suspension=asked)).result == 22
        assert [line for line in await lines(run) if "resumed" in line] == ["step.resumed approve", "run.resumed"]


async def test_an_answer_that_was_written_is_used_once_and_not_asked_for_again(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "asks", "after", "step.resumed approve", answer=10)
    async with recovered(tmp_path) as run:
        assert (await run.wait(10)).result == 12
        assert (await lines(run)).count("step.suspended approve") == 1
    assert effects(tmp_path) == ["a 1", "approve 1", "approve 3", "approve 3", "pay 1"]


async def test_killed_in_a_parallel_only_the_arm_that_was_under_way_runs_again(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "joins", "after", "step.succeeded one", "step.succeeded two")
    (tmp_path / "open").touch()
    async with recovered(tmp_path) as run:
        result = await run.wait(10)
        assert (result.status, result.result) == ("success", 104)
        log = await lines(run)
        assert [log.count(f"step.started {path}") for path in ("one", "two", "three", "after")] == [1, 1, 2, 1]
        assert log.count("step.succeeded parallel-1") == 1
    assert sorted(effects(tmp_path)) == ["after 1", "one 1", "three 1", "three 2", "two 1"]


async def test_killed_in_an_item_of_a_nested_foreach_the_items_before_it_stay_done(
    tmp_path: Path, killer: Zygote
) -> None:
    await kill(killer, tmp_path, "items", "after", "never")
    async with recovered(tmp_path) as run:
        result = await run.wait(10)
        assert (result.status, result.result) == ("success", 9901)
        assert [step.output for step in result.steps["inner/item"].iterations] == [2 * i for i in range(100)]
        assert [path for path, step in result.steps.items() if step.attempts > 1] == ["inner/item[37]"]
    ran = effects(tmp_path)
    again = ran.index("inner/item[37] 1") + 1
    assert ran[:again] == [f"inner/item[{i}] 1" for i in range(38)]
    assert ran[again:] == ["inner/item[37] 2", *(f"inner/item[{i}] 1" for i in range(38, 100)), "after 1"]


async def test_killed_in_the_wait_before_a_retry_the_attempts_count_on_and_the_wait_does_not_begin_anew(
    tmp_path: Path, killer: Zygote
) -> None:
    await kill(killer, tmp_path, "retries", "after", "step.retrying flaky")
    async with recovered(tmp_path) as run:
        result = await run.wait(10)
        assert (result.status, result.result, result.steps["flaky"].attempts) == ("success", 3, 3)
        events = [event async for event in run.events(follow=False)]
        assert [event.type for event in events if event.path == "flaky"] == [
            *("step.started", "step.retrying", "step.started", "step.retrying", "step.started", "step.succeeded"),
        ]
        due = [event.data["next_at"] for event in events if event.type == "step.retrying"]
        starts = [event.at for event in events if event.type == "step.started"][1:]
        late = [(start - type(start).fromisoformat(at)).total_seconds() for start, at in zip(starts, due, strict=True)]
        assert all(-0.002 <= seconds < 2 for seconds in late)
        assert "step.interrupted flaky" not in await lines(run)
    assert effects(tmp_path) == ["flaky 1", "flaky 2", "flaky 3"]
