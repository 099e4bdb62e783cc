"""Many viewers of one run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.studio_site import site
from tests.web.process import Studio, Watcher


class Timed(Watcher):
    """A viewer who notes how old each frame is when it comes."""

    def __init__(self, studio: Studio, run_id: str, **options: Any) -> None:
        super().__init__(studio, run_id, **options)
        self.ages: list[float] = []
        self.is_whole = True

    async def add(self, text: str | bytes) -> None:
        now, before = time.time(), self.after
        await super().add(text)
        frame = self.frames.pop()
        self.is_whole = self.is_whole and frame["after"] == before and "gap" not in frame
        at = frame.get("content", "").partition("<!--at ")[2].partition("-->")[0]
        if at:
            self.ages.append((now - float(at)) * 1000)


def viewers(folder: Path, counts: tuple[int, ...], lines: int) -> Iterator[Figure]:
    """What they get, how late, and what they cost; the run has so many events, a hundred a second."""
    for count in counts:
        with site(folder / f"viewers-{count}") as studio:
            yield from asyncio.run(watched(studio, count, lines))


async def watched(studio: Studio, count: int, lines: int) -> list[Figure]:
    """A run that is watched by so many."""
    warm = await asyncio.to_thread(studio.launch, "talks", 5)
    await Timed(studio, warm).take()
    before = studio.rss
    run = await asyncio.to_thread(studio.launch, "talks", lines)
    those = [Timed(studio, run) for _ in range(count)]
    codes = await asyncio.gather(*(one.take() for one in those))
    after = studio.rss
    last = len(await asyncio.to_thread(studio.events, run))
    whole = sum(code == 1000 and one.is_whole and one.after == last for code, one in zip(codes, those, strict=True))
    ages = sorted(age for one in those for age in one.ages)
    title = f"{count} viewers of a run"
    return [
        Figure(f"{title}: who saw everything", whole, "", count, is_least=True),
        Figure(f"{title}: age of the news, p99", ages[int(len(ages) * 0.99)], "ms", 250),
        Figure(f"{title}: age of the news, median", ages[len(ages) // 2], "ms"),
        Figure(f"{title}: memory", after - before, "MB", 60),
    ]
