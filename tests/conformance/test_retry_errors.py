"""Failures: how often a step is tried, and what is kept of what it raised."""

from __future__ import annotations

import asyncio
import copy
import time
from datetime import datetime
from typing import Any

import pytest

from engine import Fatal, RetryPolicy, RunFailed, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines, statuses


class Flaky:
    """A step that fails so many times before it succeeds."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.attempts: list[int] = []
        self._failures = failures
        self._error = error or ConnectionError("gone")

    def step(self, id: str = "a", **options: Any) -> Any:
        async def work(data: Any, ctx: StepContext) -> str:
            self.attempts.append(ctx.attempt)
            if len(self.attempts) <= self._failures:
                raise self._error
            return "done"

        return create_step(id=id, execute=work, **options)


async def test_a_step_is_tried_again_after_a_wait(open_engine: OpenEngine) -> None:
    """L2: third time lucky; attempts count from 1; the waits are held; the record counts the starts."""
    flaky = Flaky(2)
    policy = RetryPolicy(attempts=3, delay=0.02, backoff=1, jitter=False)
    engine = await open_engine(create_workflow(id="w").then(flaky.step(retry=policy)))
    began = time.monotonic()
    result = await (await launch(engine, "w")).result()
    assert (result.result, flaky.attempts, result.steps["a"].attempts) == ("done", [1, 2, 3], 3)
    assert time.monotonic() - began >= 0.04


async def test_a_steps_policy_wins_over_its_workflows(open_engine: OpenEngine) -> None:
    """L3: also when it allows less; a step without one has the workflow's."""
    own, inherited = Flaky(9), Flaky(9)
    five = RetryPolicy(attempts=5)
    engine = await open_engine(
        create_workflow(id="own", retry=five).then(own.step(retry=RetryPolicy(attempts=2))),
        create_workflow(id="inherited", retry=five).then(inherited.step()),
    )
    assert (await (await launch(engine, "own")).result()).status == "failed"
    assert (await (await launch(engine, "inherited")).result()).status == "failed"
    assert (len(own.attempts), len(inherited.attempts)) == (2, 5)


async def test_the_policy_holds_after_a_resume(open_engine: OpenEngine) -> None:
    """L5: one call that asks, then as many failures as the policy allows."""
    calls: list[int] = []

    async def ask_then_fail(data: Any, ctx: StepContext) -> None:
        calls.append(ctx.attempt)
        await ctx.ask("?")
        raise ValueError("no")

    engine = await open_engine(
        create_workflow(id="w", retry=RetryPolicy(attempts=3)).then(create_step(id="a", execute=ask_then_fail))
    )
    run = await launch(engine, "w")
    result = await run.resume(True)
    assert (result.status, calls) == ("failed", [1, 2, 3, 4])


async def test_attempts_are_counted_for_each_item(open_engine: OpenEngine) -> None:
    """L2: one item's failures are not another's."""
    attempts: list[tuple[int, int]] = []

    async def once_each(item: int, ctx: StepContext) -> int:
        attempts.append((item, ctx.attempt))
        if ctx.attempt == 1:
            raise ConnectionError("gone")
        return item

    taker = create_step(id="a", execute=once_each, retry=RetryPolicy(attempts=2))
    engine = await open_engine(create_workflow(id="w").foreach(taker))
    assert (await (await launch(engine, "w", [1, 2, 3])).result()).result == [1, 2, 3]
    assert attempts == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]


async def test_a_nested_step_has_the_policy_around_it(open_engine: OpenEngine) -> None:
    """L6: a workflow inside without a policy of its own takes that of the workflow it is in."""
    flaky = Flaky(1)
    child = create_workflow(id="n").then(flaky.step())
    engine = await open_engine(create_workflow(id="w", retry=RetryPolicy(attempts=2)).then(child))
    result = await (await launch(engine, "w")).result()
    assert (result.status, flaky.attempts) == ("success", [1, 2])


async def test_what_was_raised_is_kept(open_engine: OpenEngine) -> None:
    """L8: type, message, public attributes, causes, step and traceback; the same in the record and the run."""

    class Refused(Exception):
        def __init__(self, message: str, code: int) -> None:
            super().__init__(message)
            self.code = code
            self._secret = "hidden"

    async def work(data: Any) -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise Refused("card refused", 402) from error

    engine = await open_engine(create_workflow(id="w").then(create_step(id="pay", execute=work)))
    run = await launch(engine, "w")
    result = await run.result()
    error = copy.deepcopy(result.error or {})
    assert "card refused" in error.pop("traceback")
    assert "KeyError" in error["cause"].pop("traceback")
    assert error == {
        "type": "Refused",
        "message": "card refused",
        "attributes": {"code": 402},
        "cause": {"type": "KeyError", "message": "'inner'"},
        "step": "pay",
    }
    assert result.steps["pay"].error == result.error
    with pytest.raises(RunFailed, match="card refused"):
        result.unwrap()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, BaseException])
async def test_whatever_is_raised_fails_the_step_alone(open_engine: OpenEngine, kind: type[BaseException]) -> None:
    """L8: also what is no ``Exception``; the program goes on, and so do other runs."""
    raising = create_workflow(id="w").then(fail("a", kind("enough")))
    engine = await open_engine(raising, create_workflow(id="other").then(add("a")))
    result = await (await launch(engine, "w")).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "failed"})
    assert result.error is not None
    assert (result.error["type"], result.error["message"]) == (kind.__name__, "enough")
    assert (await (await launch(engine, "other", {"n": 1})).result()).result == {"n": 2}


async def test_a_result_is_the_callers_own(open_engine: OpenEngine) -> None:
    """What somebody does to it changes neither the run nor the next result."""
    engine = await open_engine(create_workflow(id="w").then(fail("a")))
    run = await launch(engine, "w", {"n": 1})
    for _ in range(2):
        result = await run.result()
        assert result.error is not None
        assert result.steps["a"].error is not None
        assert (result.error["type"], result.steps["a"].error["type"], result.input) == (
            "ValueError",
            "ValueError",
            {"n": 1},
        )
        result.error["type"] = result.steps["a"].error["type"] = "Mine"
        result.input["n"] = 99


async def test_steps_after_a_failure_have_no_record(open_engine: OpenEngine) -> None:
    """L9: they never began."""
    engine = await open_engine(create_workflow(id="w").then(add("a")).then(fail("b")).then(add("c")))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert statuses(result.steps) == {"a": "success", "b": "failed"}


async def test_a_step_that_takes_too_long_fails(open_engine: OpenEngine) -> None:
    """L11: it is cancelled and told so."""
    told: list[bool] = []

    async def slow(data: Any, ctx: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.append(ctx.cancelled.is_set())

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=slow, timeout=0.02)))
    result = await (await launch(engine, "w")).result()
    assert (result.status, statuses(result.steps), told) == ("failed", {"a": "failed"}, [True])
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("StepTimeout", "a")


async def test_the_time_limit_is_for_each_attempt(open_engine: OpenEngine) -> None:
    """L11: a time-out is retried as any failure."""
    attempts: list[int] = []

    async def slow_once(data: Any, ctx: StepContext) -> str:
        attempts.append(ctx.attempt)
        if ctx.attempt == 1:
            await asyncio.Event().wait()
        return "done"

    step = create_step(id="a", execute=slow_once, timeout=0.02, retry=RetryPolicy(attempts=2))
    engine = await open_engine(create_workflow(id="w").then(step))
    assert ((await (await launch(engine, "w")).result()).result, attempts) == ("done", [1, 2])


async def test_each_attempt_is_an_event(open_engine: OpenEngine) -> None:
    """L12: with its number, why it failed, and when the next one is."""
    flaky = Flaky(1)
    engine = await open_engine(create_workflow(id="w").then(flaky.step(retry=RetryPolicy(attempts=2))))
    run = await launch(engine, "w")
    events = [event async for event in run.events(follow=False) if event.path == "a"]
    assert [(event.type, event.attempt) for event in events] == [
        ("step.started", 1),
        ("step.retrying", 1),
        ("step.started", 2),
        ("step.succeeded", 2),
    ]
    assert (events[1].data["error"]["message"], "next_at" in events[1].data) == ("gone", True)


async def test_only_what_is_worth_it_is_retried(open_engine: OpenEngine) -> None:
    """``retry_on`` names the errors; ``Fatal`` is never retried."""
    network, other, fatal = Flaky(1), Flaky(1, ValueError("no")), Flaky(1, Fatal("no"))
    only = RetryPolicy(attempts=3, retry_on=(ConnectionError,))
    engine = await open_engine(
        create_workflow(id="network").then(network.step(retry=only)),
        create_workflow(id="other").then(other.step(retry=only)),
        create_workflow(id="fatal").then(fatal.step(retry=RetryPolicy(attempts=3))),
    )
    ends = [(await (await launch(engine, id)).result()).status for id in ("network", "other", "fatal")]
    assert (ends, [len(one.attempts) for one in (network, other, fatal)]) == (
        ["success", "failed", "failed"],
        [2, 1, 1],
    )


async def test_the_waits_grow(open_engine: OpenEngine) -> None:
    """By ``backoff``, up to ``max_delay``."""
    flaky = Flaky(9)
    policy = RetryPolicy(attempts=4, delay=0.004, backoff=2, max_delay=0.01, jitter=False)
    engine = await open_engine(create_workflow(id="w").then(flaky.step(retry=policy)))
    run = await launch(engine, "w")
    events = [event async for event in run.events(follow=False) if event.type == "step.retrying"]
    waits = [(datetime.fromisoformat(event.data["next_at"]) - event.at).total_seconds() for event in events]
    assert waits == pytest.approx([0.004, 0.008, 0.01], abs=0.002)


async def test_a_caught_failure_does_not_fail_the_run(open_engine: OpenEngine) -> None:
    """The arm gets the input and the error, its output takes the place of the failed one's, which stays failed."""
    seen: list[Any] = []

    async def handle(data: dict[str, Any]) -> dict[str, int]:
        seen.append((data["input"], data["error"]["type"], data["error"]["message"], data["error"]["step"]))
        return {"n": 100}

    handler = create_step(id="handle", execute=handle)
    engine = await open_engine(create_workflow(id="w").then(fail("a"), catch=handler).then(add("b")))
    result = await (await launch(engine, "w", {"n": 1})).result()
    assert (result.status, result.result) == ("success", {"n": 101})
    assert statuses(result.steps) == {"a": "failed", "handle": "success", "b": "success"}
    assert seen == [({"n": 1}, "ValueError", "a failed", "a")]


async def test_a_catch_runs_once_when_the_retries_are_spent(open_engine: OpenEngine) -> None:
    """And not for a bail or an abort."""
    caught: list[str] = []

    async def handle(data: dict[str, Any]) -> None:
        caught.append(data["error"]["message"])

    async def leave(data: Any, ctx: StepContext) -> None:
        ctx.bail("bye")

    async def give_up(data: Any, ctx: StepContext) -> None:
        ctx.abort()

    handler = create_step(id="handle", execute=handle)
    flaky = Flaky(9)
    engine = await open_engine(
        create_workflow(id="retried").then(flaky.step(retry=RetryPolicy(attempts=3)), catch=handler),
        create_workflow(id="bailed").then(create_step(id="a", execute=leave), catch=handler),
        create_workflow(id="aborted").then(create_step(id="a", execute=give_up), catch=handler),
    )
    ends = [(await (await launch(engine, id)).result()).status for id in ("retried", "bailed", "aborted")]
    assert (ends, len(flaky.attempts), caught) == (["success", "success", "canceled"], 3, ["gone"])


async def test_a_failing_catch_fails_the_run(open_engine: OpenEngine) -> None:
    """With its own error."""
    engine = await open_engine(create_workflow(id="w").then(fail("a"), catch=fail("handle")))
    run = await launch(engine, "w")
    result = await run.result()
    assert (result.status, result.error and result.error["step"]) == ("failed", "handle")
    assert (await lines(run))[-3:] == ["step.started handle", "step.failed handle", "run.failed"]
