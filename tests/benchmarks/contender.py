"""One contender in a process of its own: it is asked over its standard input and answers on its standard output.

``python -m tests.benchmarks.contender NAME FOLDER`` serves; with ``--once`` it runs one step and ends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from tests.benchmarks.workloads import COLD, Workload, answer

PEAK = Path("/proc/self/clear_refs")
WRITTEN = Path("/proc/self/io")


class Contender(Protocol):
    """One engine, or a floor, made ready for one workload."""

    async def open(self, workload: Workload, folder: Path) -> None:
        """Make ready, with files in ``folder``. Raises ``NotImplementedError`` for what it cannot do."""

    async def run(self) -> int:
        """One run; its answer."""

    async def tidy(self) -> None:
        """Forget ended runs, if they are kept in memory. Not measured."""

    async def close(self) -> None:
        """Let go of everything."""


def make(name: str) -> Contender:
    """The contender of a name. Only its own module is imported."""
    kind, _, mode = name.partition("-") if not name.startswith(("pydantic-", "llama-")) else (name, "", "")
    if kind == "floor":
        from tests.benchmarks.floors import MemoryFloor, SqliteFloor  # noqa: PLC0415

        return SqliteFloor("FULL" if mode == "full" else "NORMAL") if mode else MemoryFloor()
    if kind == "ours":
        from tests.benchmarks.ours import Ours  # noqa: PLC0415

        url = "sqlite:///{folder}/ours.db"
        return Ours({"": ":memory:", "sqlite": url, "full": f"{url}?durability=full"}[mode])
    from tests.benchmarks.peers import make as make_peer  # noqa: PLC0415

    return make_peer(kind, stored=mode == "sqlite")


async def serve(name: str, folder: Path, answers: int) -> None:
    """Answer one question a line until there are no more."""
    loop = asyncio.get_running_loop()
    open_ones: dict[str, Contender] = {}
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        workload = Workload(**asked["workload"])
        own = folder / workload.key
        try:
            if asked["close"]:
                said = await close(open_ones.pop(workload.key, None), own)
            else:
                if workload.key not in open_ones:
                    own.mkdir(parents=True)
                    contender = make(name)
                    await contender.open(workload, own)
                    open_ones[workload.key] = contender
                    await runs(contender, workload)
                said = await measure(open_ones[workload.key], workload, asked["seconds"])
        except Exception as error:  # noqa: BLE001 - it is told, and the next question is answered
            absent = isinstance(error, NotImplementedError)
            said = {"absent": str(error) or "not offered"} if absent else {"error": f"{type(error).__name__}: {error}"}
        os.write(answers, json.dumps(said).encode() + b"\n")


async def runs(contender: Contender, workload: Workload) -> list[int]:
    """As many runs as the workload wants at once; their answers."""
    if workload.runs == 1:
        return [await contender.run()]
    return await asyncio.gather(*[contender.run() for _ in range(workload.runs)])


async def measure(contender: Contender, workload: Workload, seconds: float) -> dict[str, Any]:
    """Run for about ``seconds``, at least once; costs per step."""
    await contender.tidy()
    gc.collect()
    forget_peak()
    answers: list[int] = []
    written, cpu, wall = bytes_written(), time.process_time(), time.perf_counter()
    while not answers or time.perf_counter() - wall < seconds:
        answers += await runs(contender, workload)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    steps = len(answers) * workload.steps
    return {
        "wall_us": wall / steps * 1e6,
        "cpu_us": cpu / steps * 1e6,
        "written": (bytes_written() - written) / steps,
        "rss_mb": peak(),
        "events": getattr(contender, "seen", 0),
        "steps": steps,
        "wrong": sum(given != answer(workload) for given in answers),
    }


async def close(contender: Contender | None, folder: Path) -> dict[str, Any]:
    """Close a contender; the bytes that its files hold."""
    if contender is None:
        return {"stored": 0}
    await contender.close()
    return {"stored": size(folder)}


def size(folder: Path) -> int:
    """The bytes that the files of a folder hold."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def bytes_written() -> int:
    """Bytes that this process has handed to write calls; 0 where the system does not say."""
    if not WRITTEN.exists():
        return 0
    return int(WRITTEN.read_text("ascii").split("wchar: ")[1].split()[0])


def forget_peak() -> None:
    """Let the highest memory use be counted anew from here, where the system can."""
    if PEAK.exists():
        PEAK.write_text("5", "ascii")


def peak() -> float:
    """The highest resident memory, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text("ascii").split("VmHWM:")[1].split()[0]) / 1024
    import resource  # noqa: PLC0415 - not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def once(name: str, folder: Path) -> None:
    """One run of one step. Its cost is read from outside, over the whole process."""
    contender = make(name)
    await contender.open(COLD, folder)
    if await contender.run() != answer(COLD):
        raise AssertionError(f"{name} gave a wrong answer")
    await contender.close()


if __name__ == "__main__":
    said_here = os.dup(1)
    os.dup2(2, 1)  # what an engine prints must not come between the answers
    who, where = sys.argv[1], Path(sys.argv[2])
    if "--once" in sys.argv:
        asyncio.run(once(who, where))
    else:
        asyncio.run(serve(who, where, said_here))
        os._exit(0)  # some engines leave threads behind
