"""Pages of lists over very many runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.benchmarks.studio_site import many_runs, site
from tests.web.process import Studio

LIST_GOAL = 200.0


def lists(folder: Path, *, kept: Path, count: int, repetitions: int) -> Iterator[Figure]:
    """How long each page takes, asked over HTTP."""
    kept.mkdir(parents=True, exist_ok=True)
    store = many_runs(kept, count)
    with site(folder, store=store) as studio:
        last = count + 9
        pages = {
            "the first page": "/runs",
            "in the middle": f"/runs?after={last // 2}",
            "the last page": "/runs?after=60",
            "of a status": "/runs?status=failed",
            "of a status with few": "/runs?status=suspended",
            "of a status with none": "/runs?status=canceled",
            "of a workflow": "/runs?workflow=quick",
            "of a workflow and status": "/runs?workflow=talks&status=failed",
            "of a tag": "/runs?tag=fails",
            "of a tag and status": "/runs?tag=quick&status=failed",
            "a text that is common": "/runs?text=quick",
            "a text that is nowhere": "/runs?text=nowhere-at-all",
            "of a day": "/runs?since=2026-01-01",
            "workflows": "/",
            "one workflow": "/workflows/quick",
            "questions": "/approvals",
        }
        for name, path in pages.items():
            took = timed(studio, path, repetitions)
            yield Figure(f"{count:,} runs: {name}", median(took), "ms", LIST_GOAL, note=path)


def timed(studio: Studio, path: str, repetitions: int) -> list[float]:
    """How long each answer took, in ms, after one that is not counted."""
    took = []
    for _ in range(repetitions + 1):
        began = time.perf_counter()
        status, _ = studio.get(path)
        took.append((time.perf_counter() - began) * 1000)
        if status != 200:
            raise AssertionError(f"{path} was answered with {status}")
    return took[1:]
