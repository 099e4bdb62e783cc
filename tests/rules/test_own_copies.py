"""Whoever looks at a run gets data of their own: to change it, copy it or send it away changes nothing of the run."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from pydantic import BaseModel

from engine import Engine, Run, RunResult, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine


class Answer(BaseModel):
    """What a person says."""

    ok: bool


async def _ask(data: Any, ctx: StepContext) -> Any:
    ctx.set_state(seen={"by": ["me"]})
    await ctx.ask({"lines": [1, 2]}, Answer, default=Answer(ok=True), expires_in=100)
    raise ValueError("no")


def _spoil(data: Any) -> None:
    """Change whatever can be changed, however deep."""
    match data:
        case dict():
            for part in data.values():
                _spoil(part)
            data["SPOILED"] = True
        case list():
            for part in data:
                _spoil(part)
            data.append("SPOILED")


async def _look(engine: Engine, run: Run) -> list[Any]:
    """All that can be seen of a run."""
    result = await run.result()
    records = [
        part
        for one in result.steps.values()
        for part in (one.input, one.output, one.error, one.suspend_payload, one.resume_data)
    ]
    questions = [(one.payload, one.schema) for one in (await engine.suspensions(run.run_id)).items]
    events = [event.data async for event in run.events(follow=False)]
    return [result.input, result.state, result.error, *records, *(part for pair in questions for part in pair), *events]


async def test_changing_what_one_got_changes_nothing_of_the_run(open_engine: OpenEngine) -> None:
    step = create_step(id="ask", execute=_ask)
    engine = await open_engine(create_workflow(id="w").branch([("1 == 1", step)]))
    run = await engine.create_run("w", tags=["t"])
    await run.start({"n": {"m": 1}}, state={"z": {"y": 1}}, request_context={"who": {"k": [1]}})
    for _ in range(2):
        before = repr(await _look(engine, run))
        _spoil(await _look(engine, run))
        assert repr(await _look(engine, run)) == before
        assert "SPOILED" not in before
        if await run.status() == "suspended":
            await run.resume({"ok": True})
    assert (await run.result()).status == "failed"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301
async def test_results_and_events_can_be_copied_and_sent_to_another_process(
    open_engine: OpenEngine, copied: Any
) -> None:
    step = create_step(id="ask", execute=_ask)
    engine = await open_engine(create_workflow(id="w").foreach(step))
    run = await engine.create_run("w")
    await run.start([{"n": 1}, {"n": 2}])
    for _ in range(2):
        result = await run.result()
        again: RunResult = copied(result)
        assert (again, again.to_dict()) == (result, result.to_dict())
        assert copied(result.redacted()).to_dict() == result.redacted().to_dict()
        events = [event async for event in run.events(follow=False)]
        assert copied(events) == events
        await run.cancel()
