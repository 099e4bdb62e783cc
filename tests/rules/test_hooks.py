"""Lifecycle hooks of a workflow."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from engine import Engine, RunInfo, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines


class Calls:
    """Hooks that note what they get."""

    def __init__(self, wanted: int) -> None:
        self.made: list[tuple[str, RunInfo]] = []
        self.wanted = wanted
        self.done = asyncio.Event()

    def hook(self, name: str) -> Any:
        def call(info: RunInfo) -> None:
            self.made.append((name, info))
            if len(self.made) == self.wanted:
                self.done.set()

        return call

    async def call(self, info: RunInfo) -> None:
        """An async hook."""
        await asyncio.sleep(0)
        self.hook("async")(info)


async def abort(data: Any, ctx: StepContext) -> None:
    ctx.abort("stop")


def hooked(id: str, calls: Calls) -> Any:
    return create_workflow(
        id=id, on_start=calls.hook("start"), on_finish=calls.hook("finish"), on_error=calls.hook("error")
    )


async def test_hooks_get_one_run_info_before_the_start_and_after_the_end(open_engine: OpenEngine) -> None:
    calls = Calls(2)
    engine = await open_engine(hooked("flow", calls).then(add("a")))
    run = await engine.create_run("flow", run_id="r-1", resource_id="user-7", tags=["red"])
    await run.start({"n": 1})
    await calls.done.wait()
    about: dict[str, Any] = {"run_id": "r-1", "workflow_id": "flow", "resource_id": "user-7", "tags": ("red",)}
    assert calls.made == [
        ("start", RunInfo(**about, status="pending", input={"n": 1})),
        ("finish", RunInfo(**about, status="success", input={"n": 1}, result={"n": 2})),
    ]


async def test_on_finish_is_for_every_end_on_error_for_failures(open_engine: OpenEngine) -> None:
    found = {}
    for status, step, wanted in (
        ("success", add("a"), 2),
        ("failed", fail("a"), 3),
        ("canceled", create_step(id="a", execute=abort), 2),
    ):
        calls = Calls(wanted)
        engine = await open_engine(hooked(status, calls).then(step))
        await launch(engine, status, {"n": 1})
        await calls.done.wait()
        found[status] = [(name, info.status, (info.error or {}).get("type")) for name, info in calls.made]
    assert found == {
        "success": [("start", "pending", None), ("finish", "success", None)],
        "failed": [("start", "pending", None), ("finish", "failed", "ValueError"), ("error", "failed", "ValueError")],
        "canceled": [("start", "pending", None), ("finish", "canceled", None)],
    }


async def test_a_hook_may_be_async(open_engine: OpenEngine) -> None:
    calls = Calls(2)
    flow = create_workflow(id="flow", on_start=calls.call, on_finish=calls.call).then(add("a"))
    await launch(await open_engine(flow), "flow", {"n": 1})
    await calls.done.wait()
    assert [info.status for _, info in calls.made] == ["pending", "success"]


async def test_what_on_start_raises_comes_out_of_start_and_the_run_stays_pending(open_engine: OpenEngine) -> None:
    refusals = iter([PermissionError("not today")])

    def check(info: RunInfo) -> None:
        for error in refusals:
            raise error

    engine = await open_engine(create_workflow(id="flow", on_start=check).then(add("a")))
    run = await engine.create_run("flow")
    with pytest.raises(PermissionError, match="not today"):
        await run.start({"n": 1})
    assert ((await run.result()).status, await lines(run)) == ("pending", ["run.created"])
    assert (await run.result()).input is None
    assert (await run.start({"n": 2})).result == {"n": 3}


async def test_what_the_other_hooks_raise_is_logged(open_engine: OpenEngine, caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls(2)

    def bad_finish(info: RunInfo) -> None:
        calls.hook("finish")(info)
        raise ValueError("finish hook")

    async def bad_error(info: RunInfo) -> None:
        calls.hook("error")(info)
        raise ValueError("error hook")

    flow = create_workflow(id="flow", on_finish=bad_finish, on_error=bad_error).then(fail("a"))
    engine = await open_engine(flow)
    with caplog.at_level(logging.ERROR, logger="engine"):
        run = await launch(engine, "flow")
        await calls.done.wait()
        await asyncio.sleep(0)
    assert ((await run.result()).error or {})["message"] == "a failed"
    assert [name for name, _ in calls.made] == ["finish", "error"]
    assert "finish hook" in caplog.text
    assert "error hook" in caplog.text


async def test_on_finish_runs_after_the_end_is_stored(open_engine: OpenEngine) -> None:
    seen: list[str] = []
    done = asyncio.Event()

    async def look(info: RunInfo) -> None:
        run = await engine.get_run(info.run_id)
        seen.extend(await lines(run))
        done.set()

    engine = await open_engine(create_workflow(id="flow", on_finish=look).then(add("a")))
    await launch(engine, "flow", {"n": 1})
    await done.wait()
    assert seen[-1] == "run.succeeded"


async def test_a_suspension_is_no_finish(open_engine: OpenEngine) -> None:
    calls = Calls(2)

    async def approve(data: Any, ctx: StepContext) -> Any:
        return await ctx.ask("Sure?")

    engine = await open_engine(hooked("flow", calls).then(create_step(id="a", execute=approve)))
    run = await launch(engine, "flow")
    assert [name for name, _ in calls.made] == ["start"]
    await run.resume("yes")
    await calls.done.wait()
    assert [name for name, _ in calls.made] == ["start", "finish"]


async def test_hooks_run_for_a_run_that_is_cancelled_before_its_start(open_engine: OpenEngine) -> None:
    calls = Calls(1)
    engine = await open_engine(hooked("flow", calls).then(add("a")))
    run = await engine.create_run("flow")
    await run.cancel()
    await calls.done.wait()
    assert [(name, info.status) for name, info in calls.made] == [("finish", "canceled")]


async def test_closing_waits_for_hooks(store_url: str) -> None:
    calls: list[str] = []

    async def slow(info: RunInfo) -> None:
        await asyncio.sleep(0.02)
        calls.append(info.status)

    flow = create_workflow(id="flow", on_finish=slow).then(add("a"))
    async with Engine([flow], store=store_url) as engine:
        await launch(engine, "flow", {"n": 1})
    assert calls == ["success"]


async def test_what_on_start_raises_comes_out_of_rerun(open_engine: OpenEngine) -> None:
    allowed = [True]

    def check(info: RunInfo) -> None:
        if not allowed:
            raise PermissionError("not today")

    engine = await open_engine(create_workflow(id="flow", on_start=check).then(add("a")))
    run = await launch(engine, "flow", {"n": 1})
    allowed.clear()
    with pytest.raises(PermissionError):
        await run.rerun()
    assert [row.status for row in (await engine.list_runs()).items] == ["pending", "success"]


async def test_a_run_that_is_cancelled_while_on_start_runs_stays_cancelled(open_engine: OpenEngine) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(info: RunInfo) -> None:
        began.set()
        await go_on.wait()

    engine = await open_engine(create_workflow(id="flow", on_start=slow).then(add("a")))
    run = await engine.create_run("flow")
    started = asyncio.create_task(run.start({"n": 1}))
    await began.wait()
    assert await run.cancel() is True
    go_on.set()
    assert (await started).status == "canceled"
    assert await lines(run) == ["run.created", "run.cancel_requested", "run.canceled"]


async def test_a_rerun_and_a_fork_have_hooks_too(open_engine: OpenEngine) -> None:
    calls = Calls(5)
    engine = await open_engine(hooked("flow", calls).then(add("a")))
    run = await launch(engine, "flow", {"n": 1})
    again, forked = await run.rerun(), await run.fork("a")
    await again.wait()
    await forked.wait()
    await calls.done.wait()
    finished = {info.run_id for name, info in calls.made if name == "finish"}
    assert finished == {run.run_id, again.run_id, forked.run_id}
