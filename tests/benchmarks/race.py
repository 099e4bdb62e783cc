"""Asks every contender in turn, A B C A B C, one at a time: what is compared was measured within the same seconds."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.workloads import COLD, HEATS, Workload, scaled

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0
"""Seconds after which a contender that does not answer is given up."""

Sample = dict[str, Any]
"""One measurement: workload, contender, repetition, and what it cost or why there is none."""


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    repetitions: int
    seconds: float
    """How long one measurement takes, at least."""
    cold: int
    """How often the cold start is measured."""
    scale: int = 1
    """Divides the size of every workload."""
    only: frozenset[str] = frozenset()
    """Keys of workloads; empty for all."""
    peers: tuple[str, ...] = ()
    python: str = sys.executable
    """The interpreter that has the peers."""

    def heats(self) -> list[list[Workload]]:
        """The chosen workloads in their sizes, heat by heat."""
        heats = [[scaled(workload, self.scale) for workload in heat if self.takes(workload)] for heat in HEATS]
        return [heat for heat in heats if heat]

    def takes(self, workload: Workload) -> bool:
        """Whether a workload is chosen."""
        return not self.only or workload.key in self.only

    def contenders(self, workload: Workload) -> tuple[str, ...]:
        """Who is asked. Peers take the main workloads, not the ones that only show how ours grows."""
        grows = workload.viewers or workload.stalled or "-1" in workload.key
        return workload.contenders if grows else workload.contenders + self.peers


class Worker:
    """A contender's process."""

    def __init__(self, name: str, plan: Plan, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command(name, plan, folder / name),
                cwd=ROOT,
                env=quiet(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.opened: set[str] = set()
        self.silent: dict[str, Sample] = {}
        """Why there is no measurement of a workload."""

    def ask(self, workload: Workload, seconds: float = 0, *, close: bool = False) -> Sample:
        """One measurement, or, with ``close``, the bytes left behind."""
        if workload.key in self.silent:
            return self.silent[workload.key]
        if self.process.poll() is not None:
            return {"error": f"the process has ended: {self.last_words()}"}
        question = {"workload": dataclasses.asdict(workload), "seconds": seconds, "close": close}
        pipe_in, pipe_out = self.process.stdin, self.process.stdout
        if pipe_in is None or pipe_out is None:
            raise AssertionError("a worker has pipes")
        pipe_in.write(json.dumps(question).encode() + b"\n")
        pipe_in.flush()
        line = pipe_out.readline() if select.select([pipe_out], [], [], PATIENCE)[0] else b""
        if not line:
            self.process.kill()
            self.process.wait()
            said: Sample = {"error": self.last_words() or "no answer"}
        else:
            said = json.loads(line)
        if "error" in said or "absent" in said:
            self.silent[workload.key] = said
        return said

    def last_words(self) -> str:
        """The last line that the process wrote on its standard error."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def stop(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def command(name: str, plan: Plan, folder: Path) -> list[str]:
    """How a contender is started. Peers have an interpreter of their own."""
    python = plan.python if name in plan.peers else sys.executable
    return [python, "-m", "tests.benchmarks.contender", name, str(folder)]


def quiet() -> dict[str, str]:
    """The environment of contenders: they tell nobody that they run.

    They may keep their bytecode, as packages that are installed have theirs: a cold start is no compilation.
    """
    own = {"DO_NOT_TRACK": "1", "LANGSMITH_TRACING": "false", "PYTHONPATH": str(ROOT)}
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | own


def race(plan: Plan, folder: Path, tell: Callable[[str], None]) -> Iterator[Sample]:
    """Every measurement, as it is made."""
    names = dict.fromkeys(name for heat in plan.heats() for workload in heat for name in plan.contenders(workload))
    workers = {name: Worker(name, plan, folder) for name in names}
    try:
        for heat in plan.heats():
            yield from race_heat(plan, heat, workers, folder)
            tell(", ".join(workload.key for workload in heat))
    finally:
        for worker in workers.values():
            worker.stop()
    if plan.takes(COLD):
        yield from start_cold(plan, folder)
        tell(COLD.key)


def race_heat(plan: Plan, heat: list[Workload], workers: dict[str, Worker], folder: Path) -> Iterator[Sample]:
    """All repetitions of workloads that are compared with each other."""
    steps: dict[tuple[str, str], int] = {}
    for repetition in range(plan.repetitions):
        for workload in heat:
            for name in plan.contenders(workload):
                said = workers[name].ask(workload, plan.seconds)
                steps[workload.key, name] = steps.get((workload.key, name), workload.steps) + said.get("steps", 0)
                yield {"workload": workload.key, "contender": name, "repetition": repetition, **said}
    for workload in heat:
        for name in plan.contenders(workload):
            worker = workers[name]
            if workload.key not in worker.silent:
                left = worker.ask(workload, close=True).get("stored", 0)
                warm = workload.steps * (workload.runs - 1)
                yield {
                    "workload": workload.key,
                    "contender": name,
                    "stored": left / (steps[workload.key, name] + warm),
                }


def start_cold(plan: Plan, folder: Path) -> Iterator[Sample]:
    """What a whole process costs that imports a contender and runs one step."""
    for repetition in range(plan.cold):
        for name in COLD.contenders + tuple(peer for peer in plan.peers if "-sqlite" not in peer):
            own = folder / f"cold-{name}-{repetition}"
            own.mkdir()
            began = time.perf_counter()
            process = subprocess.Popen(
                [*command(name, plan, own), "--once"], cwd=ROOT, env=quiet(), stderr=subprocess.DEVNULL
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            sample: Sample = {"workload": COLD.key, "contender": name, "repetition": repetition}
            if process.returncode:
                yield {**sample, "absent": "did not start"}
                continue
            yield {
                **sample,
                "wall_us": (time.perf_counter() - began) * 1e6,
                "cpu_us": (usage.ru_utime + usage.ru_stime) * 1e6,
                "rss_mb": usage.ru_maxrss / 1024,
                "wrong": 0,
            }
