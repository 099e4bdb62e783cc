"""A process that dies again and again: recovery can be repeated, and a step that kills is found and asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.kills import effects, kill, recovered
from tests.faults.processes import Zygote
from tests.faults.programs.kill_points import NEVER
from tests.fixtures import lines


async def test_killed_five_times_before_its_recovery_was_written_a_run_goes_on_at_the_sixth_start(
    tmp_path: Path,
    killer: Zygote,
) -> None:
    await kill(killer, tmp_path, "line", "before", "step.succeeded b")
    for _ in range(4):
        await kill(killer, tmp_path, "line", "before", "run.recovered")
    async with recovered(tmp_path) as run:
        result = await run.wait(10)
        assert (result.status, result.result, result.steps["b"].attempts) == ("success", 6, 2)
        assert (await lines(run)).count("run.recovered") == 1
    assert effects(tmp_path) == ["a 1", "b 1", "b 2", "c 1"]


async def die_until_asked(killer: Zygote, folder: Path, workflow: str) -> None:
    for _ in range(3):
        await kill(killer, folder, workflow, "after", "never")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"action": "done", "output": 41}, ("success", 41, [])),
        ({"action": "retry"}, ("success", 2, ["bomb 4"])),
        ({"action": "fail"}, ("failed", None, [])),
    ],
)
async def test_a_step_that_killed_its_process_three_times_is_asked_about(
    tmp_path: Path,
    killer: Zygote,
    answer: dict[str, Any],
    expected: tuple[str, Any, list[str]],
) -> None:
    await die_until_asked(killer, tmp_path, "deadly")
    for _ in range(2):  # the question lasts, and nothing runs meanwhile
        async with recovered(tmp_path) as run:
            assert (await run.wait(10)).suspended == [["bomb"]]
            (asked,) = (await run._engine.suspensions()).items
            assert asked.payload == {"step": "bomb", "attempts": 3, "crashes": 3}
    (tmp_path / NEVER).touch()
    async with recovered(tmp_path) as run:
        end = await run.resume(answer)
    ran = effects(tmp_path)
    assert ran[:4] == ["a 1", "bomb 1", "bomb 2", "bomb 3"]
    assert (end.status, end.result, ran[4:]) == expected


async def test_a_step_that_ran_beside_the_one_that_kills_is_not_blamed(
    tmp_path: Path,
    killer: Zygote,
) -> None:
    await die_until_asked(killer, tmp_path, "two bombs")
    (tmp_path / "open").touch()
    (tmp_path / NEVER).touch()
    async with recovered(tmp_path) as run:
        result = await run.wait(10)
        assert result.suspended == [["bomb"]]
        assert result.steps["three"].status == "success"
        assert (await run.resume({"action": "retry"})).result == 101


async def test_a_recovery_that_was_written_counts_as_a_start(tmp_path: Path, killer: Zygote) -> None:
    await kill(killer, tmp_path, "line", "before", "step.succeeded b")
    await kill(killer, tmp_path, "line", "after", "run.recovered")
    async with recovered(tmp_path) as run:
        result = await run.wait(10)
        assert (result.status, result.result, result.steps["b"].attempts) == ("success", 6, 3)
    assert effects(tmp_path) == ["a 1", "b 1", "b 3", "c 1"]
