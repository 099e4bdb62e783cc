"""After the death of a process the next engine goes on where it was: nothing finished runs again, nothing is lost."""

from __future__ import annotations

from tests.rules.process import Life


async def test_finished_steps_never_run_again(life: Life) -> None:
    await life.die_in("b", "sequence", {"n": 0})
    result = await life.finish()
    assert (result.status, result.result) == ("success", {"n": 3})
    assert life.place.effects() == ["a 1", "b 1", "b 2", "c 1"]
