"""What people get wrong first is told at once, and hangs nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from engine import RetryPolicy, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, launch


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"attempts": 0}, "attempts=0"),
        ({"attempts": "3"}, "attempts='3'"),
        ({"delay": float("nan")}, "delay=nan"),
        ({"delay": "1"}, "delay='1'"),
        ({"backoff": 0.5}, "backoff=0.5"),
        ({"max_delay": -1}, "max_delay=-1"),
        ({"retry_on": ["ConnectionError"]}, "give exception classes"),
        ({"retry_on": "ConnectionError"}, "give exception classes"),
        ({"retry_on": 3}, "give exception classes"),
    ],
)
def test_a_retry_policy_that_can_not_be_followed_is_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        RetryPolicy(**rules)


def test_retry_on_takes_a_class_or_any_list_of_them() -> None:
    kinds: Any = [ConnectionError, TimeoutError]
    assert RetryPolicy(retry_on=kinds).retry_on == (ConnectionError, TimeoutError)
    kind: Any = OSError
    assert RetryPolicy(retry_on=kind).retry_on == (OSError,)


@pytest.mark.parametrize("verb", ["ask", "suspend", "write"])
async def test_a_verb_that_is_not_awaited_fails_the_step(open_engine: OpenEngine, verb: str) -> None:
    """A question that nobody asked must not count as answered."""

    async def forgetful(_: Any, ctx: StepContext) -> str:
        question = getattr(ctx, verb)("go on?")
        answer = "yes" if question else "no"
        question.close()
        return answer

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="forgetful", execute=forgetful)))
    result = await (await launch(engine, "flow")).result()
    assert (result.status, (result.error or {})["type"]) == ("failed", "NotAwaited")
    assert f"called ctx.{verb} without await" in (result.error or {})["message"]


async def test_a_step_that_holds_the_loop_past_its_timeout_has_timed_out(open_engine: OpenEngine) -> None:
    """Its timer had no turn, but the time was over all the same."""

    async def block() -> str:
        time.sleep(0.05)  # noqa: ASYNC251 - this is the mistake
        return "late"

    step = create_step(id="block", execute=block, timeout=0.01)
    engine = await open_engine(create_workflow(id="flow").then(step))
    result = await (await launch(engine, "flow")).result()
    assert (result.status, (result.error or {})["type"]) == ("failed", "StepTimeout")
    assert "it held the event loop" in (result.error or {})["message"]


async def test_a_step_that_raises_generator_exit_has_failed(open_engine: OpenEngine) -> None:
    async def leave() -> None:
        raise GeneratorExit

    engine = await open_engine(create_workflow(id="flow").then(create_step(id="leave", execute=leave)))
    run = await engine.create_run("flow")
    result = await asyncio.wait_for(run.start(), 5)
    assert (result.status, (result.error or {})["type"]) == ("failed", "GeneratorExit")
