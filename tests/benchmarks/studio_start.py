"""From the command to the first page."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.benchmarks.studio_site import begin


def starts(folder: Path, repetitions: int) -> Iterator[Figure]:
    """How long it takes, by the clock and in time of the processor, with all bytecode there."""
    clock, processor = [], []
    for number in range(repetitions + 1):
        began = time.perf_counter()
        studio = begin(folder / "start")
        try:
            status, _ = studio.get("/runs")
            took = time.perf_counter() - began
            spent = processor_time(studio.process.pid)
        finally:
            studio.close()
        if status != 200:
            raise AssertionError(f"the first page was answered with {status}")
        if number:  # the first one compiles
            clock.append(took)
            processor.append(spent)
    yield Figure("process start to first page", median(clock), "s", 1.5, note=f"at best {min(clock):.2f}")
    yield Figure("process start to first page: processor", median(processor), "s", 1.5)


def processor_time(pid: int) -> float:
    """What a process has used so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
