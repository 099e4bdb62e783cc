"""A step starts processes of its own while the store is open: the store is its parent's, and stays whole."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, StepContext, create_step, create_workflow
from engine.errors import EngineError
from engine.verify import verify
from tests.fixtures import add, launch

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork: nothing to test here"),
    # Python warns of a fork beside threads, rightly; users do it all the same.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def square(n: int) -> int:
    return n * n


async def test_a_step_that_forks_leaves_the_store_to_its_parent(tmp_path: Path) -> None:
    """The child is refused whatever it tries, and its end changes nothing."""

    def forks(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        pid = os.fork()
        if pid == 0:
            refused = 0
            try:
                refused = asyncio.run(refusals(ctx.engine, ctx.run_id))
            finally:
                os._exit(refused)
        return {"n": data["n"], "refused": exit_code(pid)}

    flow = create_workflow(id="w").then(create_step(id="forks", execute=forks)).then(add("after")).commit()
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        run = await launch(engine, "w", {"n": 0})
        result = await run.result()
        assert result.steps["forks"].output == {"n": 0, "refused": 4}
        assert (result.status, result.result) == ("success", {"n": 1})
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        assert (await (await engine.get_run(run.run_id)).result()).result == {"n": 1}
    assert verify(tmp_path / "runs.db") == []


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def refusals(engine: Engine, run_id: str) -> int:
    """How many calls are refused."""
    refused = 0
    for call in (
        lambda: engine.create_run("w"),
        lambda: engine.call(run_id, "cancel", {}),
        lambda: engine.store.row(run_id),
        engine.list_runs,
    ):
        try:
            await call()
        except EngineError as error:
            refused += "parent of this process" in str(error)
    return refused


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
async def test_a_step_may_use_processes_of_any_kind(tmp_path: Path, method: str) -> None:
    def works(data: list[int]) -> list[int]:
        with multiprocessing.get_context(method).Pool(2) as pool:
            return pool.map(square, data)

    flow = create_workflow(id="w").then(create_step(id="works", execute=works)).commit()
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        runs = await asyncio.gather(*(launch(engine, "w", [1, 2, n]) for n in range(2)))
        assert [(await run.result()).result for run in runs] == [[1, 4, 0], [1, 4, 1]]
    assert verify(tmp_path / "runs.db") == []


async def test_a_child_that_outlives_its_parents_engine_keeps_no_run(tmp_path: Path) -> None:
    """Its copy of the lock must not make it look like an owner."""
    children: list[int] = []
    open_end, end = os.pipe()

    async def forks(data: Any) -> str:
        pid = os.fork()
        if pid == 0:
            os.close(end)
            os.read(open_end, 1)
            os._exit(0)
        children.append(pid)
        await asyncio.Event().wait()
        return "never"

    async def goes_on(data: Any) -> str:
        return "went on"

    def flow(function: Any) -> Any:
        return create_workflow(id="w").then(create_step(id="s", execute=function)).commit()

    async with Engine([flow(forks)], store=tmp_path / "runs.db") as engine:
        run = await engine.create_run("w")
        await run.start_soon()
        async with asyncio.timeout(5):
            while not children:  # noqa: ASYNC110 the step has no other way to say it
                await asyncio.sleep(0.002)
    try:
        async with Engine([flow(goes_on)], store=tmp_path / "runs.db") as engine:
            assert (await (await engine.get_run(run.run_id)).wait(5)).result == "went on"
    finally:
        os.close(end)
        os.close(open_end)
        for pid in children:
            exit_code(pid)
    assert verify(tmp_path / "runs.db") == []


OPEN_FILES = """
import os
print(*[os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process which files it has open")
async def test_a_program_that_a_step_starts_inherits_no_file_of_the_store(tmp_path: Path) -> None:
    def starts(data: Any) -> str:
        command = [sys.executable, "-c", OPEN_FILES]
        return subprocess.run(command, capture_output=True, text=True, check=True, close_fds=False).stdout

    flow = create_workflow(id="w").then(create_step(id="s", execute=starts)).commit()
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        result = await (await launch(engine, "w")).result()
    assert result.status == "success"
    assert "pipe:" in result.result
    assert str(tmp_path) not in result.result
