"""Several processes on one store: each run has one owner, whoever dies, stops or comes back."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from engine.verify import verify
from tests.faults.processes import Program, Zygote, program

ROUNDS = 20


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[list[Program]]:
    """Two processes over one store; their engines are not open yet."""
    (tmp_path / "effects").touch()
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(program("worker", tmp_path)) for _ in range(2)]


def ran(folder: Path, run_id: str) -> list[str]:
    """``path attempt`` of the steps of a run, in order."""
    found = [line.split(maxsplit=1) for line in (folder / "effects").read_text(encoding="utf-8").splitlines()]
    return [what for whose, what in found if whose == run_id]


async def until(condition: Callable[[], bool]) -> None:
    """Another process does it, so there is nothing to wait on but what it leaves."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def both(two: list[Program], *lines: str) -> list[str]:
    """Tell both at the same moment."""
    return await asyncio.gather(*(one.say(line) for one, line in zip(two, lines, strict=True)))


async def test_two_processes_that_recover_at_once_share_the_runs_and_repeat_nothing(
    tmp_path: Path, two: list[Program], killer: Zygote
) -> None:
    for turn in range(ROUNDS):
        runs = [f"r{turn}-{n}" for n in range(3)]
        assert await killer.call("worker:strand", str(tmp_path), runs) == -9
        # BUG: opening the writing connection fails at once when the other process holds the file for a moment; the
        # patience that bringing the file up to date has (SqliteStore.open) is needed there, too.
        assert await both(two, "open", "open") == ["ok", "ok"]
        for run_id in runs:
            assert await both(two, *[f"wait {run_id}"] * 2) == ["success 3", "success 3"]
            assert ran(tmp_path, run_id) == ["a 1", "hold 1", "hold 2", "b 1"]
        assert await both(two, "close", "close") == ["ok", "ok"]
    assert verify(tmp_path / "runs.db") == []


async def test_a_living_process_takes_the_runs_of_a_dead_one_within_two_seconds(
    tmp_path: Path, two: list[Program], killer: Zygote
) -> None:
    assert await both(two, "open", "open") == ["ok", "ok"]
    assert await killer.call("worker:strand", str(tmp_path), ["r1"]) == -9
    async with asyncio.timeout(2):
        await until(lambda: ran(tmp_path, "r1")[-1] == "b 1")  # nobody asks for the run: it is found
    assert await both(two, "wait r1", "wait r1") == ["success 3", "success 3"]
    assert ran(tmp_path, "r1") == ["a 1", "hold 1", "hold 2", "b 1"]
    assert verify(tmp_path / "runs.db") == []


async def test_an_owner_that_was_stopped_and_comes_back_writes_nothing_and_lets_go(
    tmp_path: Path, two: list[Program]
) -> None:
    old, new = two
    assert await both(two, "open", "open") == ["ok", "ok"]
    for turn in range(5):
        run_id = f"r{turn}"
        go = tmp_path / "go"
        assert await old.say("create", run_id, "relay") == "ok"
        assert await old.say("start", run_id) == "ok"
        await until(lambda run_id=run_id: ran(tmp_path, run_id) == ["a 1", "hold 1"])
        old.tell("wait", run_id)
        old.signal(signal.SIGSTOP)
        try:
            assert await new.say("take", run_id) == "ok"
            assert await new.say("wait", run_id) == "success 3"
            go.touch()  # the old one is in the first attempt of the step, which succeeds now
        finally:
            old.signal(signal.SIGCONT)
        # BUG: who begins to wait just after the run was let go waits for ever: Executor.rest does not ask `fenced`.
        assert await old.hear() in ("Fenced", "success 3")
        assert await old.say("wait", run_id) == "success 3"
        go.unlink()
        assert ran(tmp_path, run_id) == ["a 1", "hold 1", "hold 2", "b 1"]
    assert await both(two, "close", "close") == ["ok", "ok"]
    assert verify(tmp_path / "runs.db") == []


async def test_of_answers_from_two_processes_one_is_taken(tmp_path: Path, two: list[Program]) -> None:
    assert await both(two, "open", "open") == ["ok", "ok"]
    for turn in range(ROUNDS):
        run_id, owner = f"r{turn}", two[turn % 2]
        assert await owner.say("create", run_id, "asking") == "ok"
        assert await owner.say("start", run_id) == "ok"
        assert await owner.say("wait", run_id) == "suspended None"
        made = await both(two, f"resume {run_id} 10", f"resume {run_id} 20")
        assert Counter(made)["ok"] == 1
        assert set(made) <= {"ok", "AlreadyResumed", "NotSuspended"}  # not suspended: it had ended by then
        won = 11 if made[0] == "ok" else 21
        assert await both(two, *[f"wait {run_id}"] * 2) == [f"success {won}"] * 2
        assert ran(tmp_path, run_id) == ["ask 2", "b 1"]
    assert verify(tmp_path / "runs.db") == []


async def test_of_a_cancel_and_an_answer_from_two_processes_one_wins(tmp_path: Path, two: list[Program]) -> None:
    assert await both(two, "open", "open") == ["ok", "ok"]
    for turn in range(ROUNDS):
        run_id, owner = f"r{turn}", two[turn % 2]
        assert await owner.say("create", run_id, "asking") == "ok"
        assert await owner.say("start", run_id) == "ok"
        answered, canceled = await both(two, f"resume {run_id} 10", f"cancel {run_id}")
        end = await both(two, *[f"wait {run_id}"] * 2)
        assert end == ([f"{'canceled None' if canceled == 'True' else 'success 11'}"] * 2)
        assert answered in (("ok", "NotSuspended", "AlreadyResumed") if canceled == "True" else ("ok",))
    assert verify(tmp_path / "runs.db") == []


async def test_a_process_that_dies_while_it_is_asked_leaves_the_call_to_the_other(
    tmp_path: Path, two: list[Program]
) -> None:
    owner, other = two
    assert await both(two, "open", "open") == ["ok", "ok"]
    assert await owner.say("create", "r1", "asking") == "ok"
    assert await owner.say("start", "r1") == "ok"
    assert await owner.say("wait", "r1") == "suspended None"
    owner.signal(signal.SIGSTOP)
    asking = asyncio.ensure_future(other.say("resume", "r1", "10"))
    await asyncio.sleep(0.05)  # the call is in the store by now, most likely; either way it must end well
    owner.signal(signal.SIGKILL)
    await owner.gone()
    assert await asking == "ok"
    assert await other.say("wait", "r1") == "success 11"
    assert await other.say("close") == "ok"
    assert verify(tmp_path / "runs.db") == []
