"""What suspended steps wrote is taken back when they start again, and costs what it is worth, however many they are."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from engine import Run, StepContext, Workflow, create_step, create_workflow, reduce
from tests.fixtures import OpenEngine, launch

MANY = 60


class Adder:
    """A reducer that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, old: Any, new: Any) -> Any:
        self.asked += 1
        return old + new


def _flow(add: Adder) -> Workflow[Any, Any]:
    class Votes(BaseModel):
        """What each voter adds to."""

        count: Annotated[int, reduce(add)] = 0
        names: Annotated[list[str], reduce(add)] = []

    async def vote(name: str, ctx: StepContext) -> str:
        seen = ctx.state.count
        ctx.set_state(count=1, names=[name])
        await ctx.ask("Sure?", bool)
        return f"{name} saw {seen}"

    return create_workflow(id="w", state_schema=Votes).foreach(
        create_step(id="vote", execute=vote, input_schema=str), concurrency=MANY
    )


NAMES = [f"voter {number}" for number in range(MANY)]


async def _state(run: Run) -> Any:
    return (await run.result()).state


async def test_taking_back_all_at_once_asks_a_reducer_once_a_write(open_engine: OpenEngine) -> None:
    """None of those who start again sees what it or another of them had written before."""
    add = Adder()
    run = await launch(await open_engine(_flow(add)), "w", NAMES)
    assert (await _state(run), add.asked) == ({"count": MANY, "names": NAMES}, 2 * MANY)
    result = await run.resume(True, all=True)
    assert (result.status, result.state["count"], sorted(result.state["names"])) == ("success", MANY, sorted(NAMES))
    assert result.result == [f"{name} saw 0" for name in NAMES]
    assert add.asked == 4 * MANY
    undone = [event async for event in run.events(follow=False) if event.data.get("undo")]
    assert [(event.path, len(event.data["paths"])) for event in undone] == [("vote[0]", MANY)]


async def test_one_is_taken_back_from_among_the_others(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(_flow(Adder())), "w", NAMES[:3])
    await run.resume(True, step="vote[1]")
    assert await _state(run) == {"count": 3, "names": [NAMES[0], NAMES[2], NAMES[1]]}
    result = await run.resume(True, all=True)
    assert (result.status, result.state) == ("success", {"count": 3, "names": [NAMES[1], NAMES[0], NAMES[2]]})
    assert result.result == [f"{NAMES[0]} saw 1", f"{NAMES[1]} saw 2", f"{NAMES[2]} saw 1"]


async def test_what_many_suspended_steps_write_is_written_once(open_engine: OpenEngine) -> None:
    """A list that each of them adds to is not in the log as often as there are steps."""
    run = await launch(await open_engine(_flow(Adder())), "w", ["long name " * 10 + name for name in NAMES])
    written = [event async for event in run.events(follow=False) if event.type == "state.changed"]
    assert sum(len(event.data["changes"]["names"]) for event in written) < 2 * MANY
    assert [len(names) for names in [(await _state(run))["names"]]] == [MANY]


async def test_a_held_step_keeps_what_it_wrote_until_it_starts_again(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(_flow(Adder())), "w", NAMES[:3])
    await run.pause()
    await run.resume(True, all=True)
    assert (await _state(run))["count"] == 3
    await run.step()
    assert (await run.wait(5)).status == "paused"
    assert [record.status for record in (await run.result()).steps["vote"].iterations] == ["success", "held", "held"]
    assert (await _state(run))["count"] == 3
    await run.proceed()
    result = await run.wait(5)
    assert (result.status, result.state["count"]) == ("success", 3)


@pytest.mark.parametrize("at", ["vote[0]", "vote[1]"])
async def test_a_fork_takes_back_what_it_keeps_of_those_who_started_together(open_engine: OpenEngine, at: str) -> None:
    run = await launch(await open_engine(_flow(Adder())), "w", NAMES[:3])
    await run.resume(True, all=True)
    fork = await run.fork(at)
    assert (await fork.wait(5)).suspended == [[at]]
    assert (await _state(fork))["count"] == 3
    result = await fork.resume(True)
    assert (result.status, result.state["count"], sorted(result.state["names"])) == ("success", 3, NAMES[:3])
