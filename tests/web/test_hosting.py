"""The engine beside the web server: a user's code can't freeze a page, and is named when it freezes the engine."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine import AlreadyStarted, Engine, EngineError, StepContext, StoreError, create_workflow, step
from studio.app import create_app
from studio.hosting import EngineBlocked, Hosting
from tests.fixtures import add
from tests.web.waiting import until


class Blocking:
    """A workflow whose async step sits on the event loop until it is let go."""

    def __init__(self) -> None:
        self.is_free = threading.Event()

        @step
        async def greedy() -> str:
            while not self.is_free.is_set():
                time.sleep(0.01)  # noqa: ASYNC251 - that is the point
            return "done"

        self.workflow = create_workflow(id="blocks").then(add("first")).then(greedy)

    @property
    def lines(self) -> range:
        """Where in this file the step can be while it blocks."""
        source = Path(__file__).read_text("utf-8").splitlines()
        line = next(number for number, text in enumerate(source, 1) if "while not self.is_free" in text)
        return range(line, line + 2)


async def begin(hosting: Hosting, workflow: str, input: Any = None) -> str:
    run = await hosting.engine.create_run(workflow)
    with suppress(EngineBlocked):  # the start has been written; the step then has the loop before it can say so
        await hosting.act(lambda: run.start_soon(input))
    return run.run_id


async def test_user_code_runs_on_a_thread_of_its_own() -> None:
    seen: list[str] = []

    @step
    async def where() -> None:
        seen.append(threading.current_thread().name)

    with Hosting([create_workflow(id="w").then(where)]) as hosting:
        run = await hosting.engine.create_run("w")
        assert (await run.start()).status == "success"
    assert seen == ["engine"]


async def test_while_a_step_blocks_the_engine_pages_read_and_actions_name_the_step_and_its_line(
    store_url: str,
) -> None:
    blocking = Blocking()
    with (
        Hosting([blocking.workflow], store=store_url) as hosting,
        TestClient(create_app(hosting), base_url="http://127.0.0.1:4111") as client,
    ):
        other = await hosting.engine.create_run("blocks")
        run_id = await begin(hosting, "blocks", {"n": 1})
        trouble = await asyncio.to_thread(until, hosting.engine_trouble)
        assert (trouble.run_id, trouble.workflow_id, trouble.step) == (run_id, "blocks", "greedy")
        assert (trouble.file, trouble.line in blocking.lines) == (__file__, True)
        assert trouble.function.endswith("greedy")

        began = time.monotonic()
        assert client.get("/healthz").json() == {
            "status": "ok", "engine": "blocked", "trouble": hosting.engine_trouble().message,
        }  # fmt: skip
        assert {row.run_id: row.status for row in (await hosting.engine.list_runs()).items} == {
            other.run_id: "pending",
            run_id: "running",
        }
        result = await (await hosting.engine.get_run(run_id)).result()
        assert {path: record.status for path, record in result.steps.items()} == {
            "first": "success",
            "greedy": "running",
        }
        assert time.monotonic() - began < 5

        began = time.monotonic()
        with pytest.raises(
            EngineBlocked,
            match=r"'greedy' of .* 'blocks' .*test_hosting\.py, line \d+, .*Nothing was changed",
        ):
            await hosting.act(lambda: other.start_soon({"n": 1}))
        assert time.monotonic() - began < 10

        blocking.is_free.set()
        assert (await (await hosting.engine.get_run(run_id)).wait(5)).status == "success"
        await asyncio.to_thread(until, lambda: hosting.engine_trouble() is None)
        assert await other.status() == "pending"  # what could not begin was not done later either


async def test_an_action_that_has_begun_goes_on_and_says_so() -> None:
    blocking = Blocking()
    begun: list[str] = []
    with Hosting([blocking.workflow]) as hosting:

        async def work() -> None:
            run = await hosting.engine.create_run("blocks")
            begun.append(run.run_id)
            await run.start_soon({"n": 1})
            for _ in range(100):  # until the step has the loop
                await asyncio.sleep(0)
            await run.cancel()

        with pytest.raises(EngineBlocked) as caught:
            await hosting.act(work)
        assert (caught.value.under_way, "goes on" in str(caught.value)) == (True, True)
        blocking.is_free.set()
        run = await hosting.engine.get_run(begun[0])
        assert (await run.wait(5)).status in ("success", "canceled")


async def test_an_action_raises_what_the_engine_raises() -> None:
    with Hosting([create_workflow(id="w").then(add("a"))]) as hosting:
        run = await hosting.engine.create_run("w")
        await hosting.act(lambda: run.start({"n": 1}))
        with pytest.raises(AlreadyStarted):
            await hosting.act(lambda: run.start({"n": 1}))


async def test_stopping_interrupts_what_runs_and_the_next_start_takes_it_up(sqlite_url: str) -> None:
    patient = asyncio.Event()
    attempts: list[int] = []

    @step
    async def wait(_: None, ctx: StepContext) -> str:
        attempts.append(ctx.attempt)
        if ctx.attempt == 1:
            await patient.wait()
        return "done"

    workflow = create_workflow(id="w").then(wait)
    hosting = Hosting([workflow], store=sqlite_url)
    hosting.start()
    run_id = await begin(hosting, "w")
    await asyncio.to_thread(until, lambda: attempts)
    assert await asyncio.to_thread(hosting.stop)
    with pytest.raises(EngineError, match="is stopping"):
        await hosting.act(lambda: hosting.engine.create_run("w"))
    async with Engine([workflow], store=sqlite_url) as engine:
        result = await (await engine.get_run(run_id)).wait(5)
    assert (result.status, result.result, attempts) == ("success", "done", [1, 2])


def test_an_engine_that_is_blocked_is_left_in_time(caplog: pytest.LogCaptureFixture) -> None:
    blocking = Blocking()
    hosting = Hosting([blocking.workflow])
    hosting.start()
    asyncio.run(begin(hosting, "blocks", {"n": 1}))
    until(hosting.engine_trouble)
    assert hosting.stop(0.2) is False
    assert "taken up at the next start: step 'greedy'" in caplog.text
    blocking.is_free.set()
    assert hosting.stop(5) is True


def test_a_store_that_can_not_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are notes, not a database" * 100, "utf-8")
    with pytest.raises(StoreError, match=r"notes\.db"):
        Hosting(store=f"sqlite:///{tmp_path / 'notes.db'}").start()


async def test_a_run_can_be_looked_at_while_it_changes_in_another_thread() -> None:
    """Results are read on the web server's loop while the engine's thread adds to the run."""
    enough = threading.Event()

    @step
    async def pause(data: dict[str, int]) -> dict[str, int]:
        await asyncio.sleep(0.01)  # it grows, but not faster than it can be looked at
        return data

    body = create_workflow(id="body").then(add("a")).then(add("b")).then(pause)
    workflow = create_workflow(id="w").do_until(body, lambda _: enough.is_set())
    with Hosting([workflow]) as hosting:
        run = await hosting.engine.create_run("w")
        await hosting.act(lambda: run.start_soon({"n": 0}))
        for _ in range(50):
            result = await run.result()
            assert {record.status for record in result.steps.values()} <= {"running", "success"}
            await run.statuses()
        enough.set()
        result = await run.wait(10)
        assert result.result == {"n": 2 * len(result.steps["body"].iterations)}
