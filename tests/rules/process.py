"""Engines in processes of their own, to be killed, stopped, and raced against each other.

``python -m tests.rules.process`` is a nursery: it imports everything once, then forks a child for each line it reads,
so that a test gets a real process within milliseconds. A child opens an engine over the store of the test and does
what it is told over a socket: calls of ``Run`` and ``Engine`` by name. Its workflows come from ``tests.rules.flows``
and leave their effects in the :class:`Place` of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, EngineError, Page, Run, RunResult, create_workflow, errors, value
from engine.verify import verify
from tests.rules import flows
from tests.rules.flows import Place

ROOT = Path(__file__).parents[2]


# -- in the test


class Child:
    """One process with an engine, as the test sees it."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self._writer = writer
        self._ids = itertools.count()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._task = asyncio.get_running_loop().create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                said = json.loads(line)
                future = self._asked.pop(said["id"])
                if "error" not in said:
                    future.set_result(said["result"])
                else:
                    future.set_exception(_error(said["error"], said["message"]))
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ConnectionError(f"process {self.pid} is gone"))
                future.exception()

    def send(self, verb: str, run_id: str | None = None, /, **arguments: Any) -> asyncio.Future[Any]:
        """Ask for a call; the future has its result, or the error it raised."""
        number = next(self._ids)
        self._asked[number] = asyncio.get_running_loop().create_future()
        line = {"id": number, "verb": verb, "run": run_id, "arguments": arguments}
        self._writer.write(json.dumps(line).encode() + b"\n")
        return self._asked[number]

    async def run(self, workflow: str, input: Any = None, *, run_id: str = "r", **options: Any) -> None:
        """Create a run and start it."""
        await self.send("create_run", workflow=workflow, run_id=run_id)
        await self.send("start_soon", run_id, input=input, **options)

    async def run_to_death(self, workflow: str, input: Any = None) -> None:
        """Create a run and start it; a step of it kills the process."""
        with contextlib.suppress(ConnectionError):
            await self.run(workflow, input)
        await self.gone()

    async def kill(self) -> None:
        """SIGKILL: no time for anything. Returns when the process is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await self.gone()

    async def gone(self) -> None:
        """Wait for the end of the process."""
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(self.pid, 0)
                await asyncio.sleep(0.001)
        await self._task
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def stop(self) -> None:
        """SIGSTOP: alive, but stuck."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)


def _error(name: str, message: str) -> Exception:
    kind = getattr(errors, name, None)
    return (
        kind(message)
        if isinstance(kind, type) and issubclass(kind, EngineError)
        else RuntimeError(f"{name}: {message}")
    )


class Life:
    """A store and what happens to its owners: processes that die, and engines of the test's own that come after."""

    def __init__(self, folder: Path, nursery: subprocess.Popen[str]) -> None:
        self.place = Place(folder / "effects")
        self.database = folder / "runs.db"
        self.url = f"sqlite:///{self.database}"
        self._nursery = nursery
        self._children: list[Child] = []

    async def spawn(self, flow: str = "all_flows", **options: Any) -> Child:
        """A new process whose engine is open. ``flow`` names a function of ``flows`` that gives its workflows."""
        arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(lambda *streams: arrived.set_result(streams), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        order = {"port": port, "place": str(self.place.folder), "store": self.url, "flow": flow, "options": options}
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(order) + "\n")
        self._nursery.stdin.flush()
        reader, writer = await arrived
        server.close()
        pid = int(await reader.readline())
        await reader.readline()  # it is open, or has died of what it took up
        child = Child(pid, reader, writer)
        self._children.append(child)
        return child

    @contextlib.asynccontextmanager
    async def engine(self, flow: str = "all_flows", **options: Any) -> AsyncIterator[Engine]:
        """An engine in this process, over the same store, with the same workflows."""
        async with Engine(getattr(flows, flow)(self.place).values(), store=self.url, **options) as engine:
            yield engine

    async def die_in(self, path: str, workflow: str, input: Any, *, run_id: str = "r", **options: Any) -> None:
        """Run a workflow in a process that is killed while the step at ``path`` runs."""
        self.place.hold(path)
        child = await self.spawn()
        await child.run(workflow, input, run_id=run_id, **options)
        await self.place.seen(path)
        await child.kill()
        self.place.release(path)

    async def finish(self, run_id: str = "r", **options: Any) -> RunResult:
        """Open an engine that takes the run up, and wait until it is at rest."""
        async with self.engine(**options) as engine:
            return await (await engine.get_run(run_id)).wait(5)

    async def close(self) -> None:
        """End what is left, and look whether the store is sound."""
        for child in self._children:
            await child.kill()
        if self.database.exists():
            assert verify(self.database) == []


@pytest.fixture(scope="session")
def nursery() -> Iterator[subprocess.Popen[str]]:
    """The process that children are forked from."""
    command = [sys.executable, "-W", "error", "-m", "tests.rules.process"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True)
    yield process
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


@pytest.fixture
async def life(tmp_path: Path, nursery: subprocess.Popen[str]) -> AsyncIterator[Life]:
    """A fresh store; at the end every process is ended and the store is checked."""
    made = Life(tmp_path, nursery)
    yield made
    await made.close()


# -- in the child


async def serve(order: dict[str, Any]) -> None:
    """Open the engine and do what is asked, each call in a task of its own, until killed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", order["port"])
    place = Place(Path(order["place"]), mortal=True)
    made = getattr(flows, order["flow"])(place).values()
    writer.write(f"{os.getpid()}\n".encode())
    async with Engine(made, store=order["store"], **order["options"]) as engine, asyncio.TaskGroup() as group:
        writer.write(b"open\n")
        while line := await reader.readline():
            group.create_task(_answer(engine, writer, json.loads(line)))


async def _answer(engine: Engine, writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
    said: dict[str, Any] = {"id": asked["id"]}
    try:
        owner: Any = engine if asked["run"] is None else await engine.get_run(asked["run"])
        if asked["verb"] == "close":
            await engine.close()
        else:
            said["result"] = _plain(await getattr(owner, asked["verb"])(**asked["arguments"]))
    except Exception as error:  # noqa: BLE001 - the test gets it
        said |= {"error": type(error).__name__, "message": str(error)}
    said.setdefault("result", None)
    writer.write(json.dumps(said).encode() + b"\n")


def _plain(result: Any) -> Any:
    match result:
        case RunResult():
            return result.to_dict()
        case Run():
            return result.run_id
        case Page():
            return [str(item) for item in result.items]
    return result


def import_all() -> None:
    """Import now what a first run would import."""
    create_workflow(id="first").map(value(1)).run_sync()


def main() -> None:
    """Fork a child for each order."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    import_all()
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                asyncio.run(serve(json.loads(line)))
            except BaseException:  # noqa: BLE001 - a child never goes on as a nursery
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(0)


if __name__ == "__main__":
    main()
