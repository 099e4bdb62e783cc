"""Other processes: zygotes that fork quickly, and programs that are told what to do line by line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


class Zygote:
    """Calls functions in children of a process of its own, one at a time."""

    def __init__(self, *prefix: str) -> None:
        """``prefix`` is a command to start it under."""
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.faults.programs.zygote"],
            cwd=ROOT,
            env=ENVIRONMENT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    async def call(self, function: str, *arguments: Any, kill: tuple[str, int] | None = None) -> int:
        """The exit code of a child that called ``module:function``; -9 if it was killed."""
        request = {"call": f"tests.faults.programs.{function}", "arguments": arguments, "kill": kill}
        return int(await asyncio.to_thread(self._ask, json.dumps(request)))

    def _ask(self, line: str) -> str:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return process.stdout.readline()

    def close(self) -> None:
        self._process.communicate(timeout=20)


class Program:
    """A process that reads a line, does what it says, and answers with a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def say(self, *words: str) -> str:
        """Tell the program something; its answer."""
        return await _exchange(self._process, " ".join(words))

    def tell(self, *words: str) -> None:
        """Tell the program something, not waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words).encode() + b"\n")

    async def hear(self) -> str:
        """The next line of the program."""
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().rstrip("\n")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def gone(self) -> int:
        return await self._process.wait()


async def _exchange(process: asyncio.subprocess.Process, line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line.encode() + b"\n")
    answer = await process.stdout.readline()
    if not answer:
        raise AssertionError(f"the process ended with {await process.wait()} while it was asked: {line}")
    return answer.decode().rstrip("\n")


@asynccontextmanager
async def program(name: str, *arguments: Any) -> AsyncIterator[Program]:
    """A program of this folder, in a process of its own."""
    async with _started(sys.executable, "-m", f"tests.faults.programs.{name}", *map(str, arguments)) as process:
        yield Program(process)


@asynccontextmanager
async def _started(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=ENVIRONMENT, stdin=pipe, stdout=pipe)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
