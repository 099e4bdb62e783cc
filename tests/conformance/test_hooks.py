"""What is called when a run starts and ends.

Left out: a hook for a suspension (``on_finish`` is for ends; a question is an event), reading state in a hook.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from engine import RunInfo, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines


class Calls:
    """Hooks that note what they get; ``ended`` is set when the last one due has been called."""

    def __init__(self, due: str = "finish") -> None:
        self.seen: list[tuple[str, RunInfo]] = []
        self.ended = asyncio.Event()
        self._due = due

    def hook(self, name: str) -> Any:
        def note(info: RunInfo) -> None:
            self.seen.append((name, info))
            if name == self._due:
                self.ended.set()

        return note

    @property
    def all(self) -> dict[str, Any]:
        return {f"on_{name}": self.hook(name) for name in ("start", "finish", "error")}

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.seen]


async def test_success_calls_start_and_finish(open_engine: OpenEngine) -> None:
    """M2, M5: with who, whose, what came in and what came out."""
    calls = Calls()
    engine = await open_engine(create_workflow(id="w", **calls.all).then(add("a")))
    run = await engine.create_run("w", resource_id="r", tags=["t"])
    await run.start({"n": 1})
    await calls.ended.wait()
    about = {"run_id": run.run_id, "workflow_id": "w", "resource_id": "r", "tags": ("t",), "input": {"n": 1}}
    assert calls.seen == [
        ("start", RunInfo(status="pending", **about)),
        ("finish", RunInfo(status="success", result={"n": 2}, **about)),
    ]


async def test_failure_calls_finish_then_error(open_engine: OpenEngine) -> None:
    """M2, M3: both with the error."""
    calls = Calls(due="error")
    engine = await open_engine(create_workflow(id="w", **calls.all).then(fail("a", ValueError("no"))))
    await launch(engine, "w")
    await calls.ended.wait()
    assert [(name, info.status, info.error and info.error["message"]) for name, info in calls.seen[1:]] == [
        ("finish", "failed", "no"),
        ("error", "failed", "no"),
    ]


async def test_cancel_calls_finish_alone(open_engine: OpenEngine) -> None:
    """M2, M3: an end without an error."""
    calls = Calls()

    async def give_up(data: Any, ctx: StepContext) -> None:
        ctx.abort()

    engine = await open_engine(create_workflow(id="w", **calls.all).then(create_step(id="a", execute=give_up)))
    await launch(engine, "w")
    await calls.ended.wait()
    await engine.close()
    assert [(name, info.status) for name, info in calls.seen] == [("start", "pending"), ("finish", "canceled")]


async def test_a_run_that_is_suspended_or_paused_has_not_ended(open_engine: OpenEngine) -> None:
    """M2, M6: ``on_finish`` comes with the end, and a resume is no second start."""
    calls = Calls()

    async def ask(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("?")

    engine = await open_engine(create_workflow(id="w", **calls.all).then(create_step(id="a", execute=ask)))
    run = await launch(engine, "w", paused=True)
    assert calls.names == ["start"]
    await run.proceed()
    assert ((await run.wait()).status, calls.names) == ("suspended", ["start"])
    await run.resume(1)
    await calls.ended.wait()
    assert calls.names == ["start", "finish"]


async def test_a_fork_is_no_start_and_a_rerun_ends_like_any_run(open_engine: OpenEngine) -> None:
    """M6: what was checked at the start is not checked again in the middle."""
    calls = Calls()
    engine = await open_engine(create_workflow(id="w", **calls.all).then(add("a")).then(add("b")))
    run = await launch(engine, "w", {"n": 1})
    await calls.ended.wait()
    calls.ended.clear()
    fork = await run.fork("b")
    await fork.wait()
    await calls.ended.wait()
    assert [(name, info.run_id) for name, info in calls.seen] == [
        ("start", run.run_id),
        ("finish", run.run_id),
        ("finish", fork.run_id),
    ]


async def test_on_start_may_refuse(open_engine: OpenEngine) -> None:
    """What it raises comes out of ``start``; the run stays pending and may be started later."""
    refusing = [PermissionError("not today")]

    async def guard(info: RunInfo) -> None:
        if refusing:
            raise refusing.pop()

    engine = await open_engine(create_workflow(id="w", on_start=guard).then(add("a")))
    run = await engine.create_run("w")
    with pytest.raises(PermissionError, match="not today"):
        await run.start({"n": 1})
    assert (await run.status(), await lines(run)) == ("pending", ["run.created"])
    assert (await run.start({"n": 1})).result == {"n": 2}


async def test_what_the_other_hooks_raise_is_logged(open_engine: OpenEngine, caplog: pytest.LogCaptureFixture) -> None:
    """The run has ended already, and its end stands."""

    async def broken(info: RunInfo) -> None:
        raise RuntimeError("hook broke")

    calls = Calls(due="error")
    workflow = create_workflow(id="w", on_finish=broken, on_error=calls.hook("error")).then(fail("a"))
    engine = await open_engine(workflow)
    with caplog.at_level(logging.ERROR, logger="engine"):
        run = await launch(engine, "w")
        await calls.ended.wait()
    assert await run.status() == "failed"
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info and record.exc_info[1]] == [
        ("hook broke",)
    ]
