"""A step holds the engine's loop, or floods it: pages answer, somebody is named, and everything goes on afterwards."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.web.process import Studio, Watcher, start
from tests.web.waiting import until

FLOWS = """
import asyncio
import time
from pathlib import Path
from engine import StepContext, create_workflow, step

def started():
    Path("started").touch()

@step
async def sleeps(_: None) -> str:
    started()
    while not Path("enough").exists():
        time.sleep(0.2)  # the engine's loop can do nothing meanwhile
    return "slept"

@step
async def spins(_: None) -> str:
    started()
    count = 0
    while count % 100_000 or not Path("enough").exists():
        count += 1  # nor here, and pages have to share the processor with it
    return "spun"

@step
async def waits(_: None) -> str:
    while not Path("enough").exists():
        await asyncio.sleep(0.01)
    return "waited"

@step
async def bursts(seconds: int, ctx: StepContext) -> int:
    number, began = 0, time.monotonic()
    for tick in range(seconds * 100):
        for _ in range(100):
            await ctx.write(number)
            number += 1
        await asyncio.sleep(began + tick / 100 - time.monotonic())
    return number

@step
async def floods(_: None, ctx: StepContext) -> None:
    while not Path("dry").exists():
        for number in range(100):
            await ctx.write(number)
        await asyncio.sleep(0.01)

flows = [create_workflow(id=one.id).then(one) for one in (sleeps, spins, waits, bursts, floods)]
a, b, c, d, e = flows
"""


@pytest.fixture
def studio(folder: Path, studios: list[Studio]) -> Studio:
    (folder / "flows.py").write_text(FLOWS, "utf-8")
    return start(studios, "flows.py", "--no-reload")


def tell(line: str) -> None:
    """A figure for whoever runs the tests with ``-s``, or looks at what a failure has printed."""
    sys.stdout.write(f"\n  {line}\n")


@contextmanager
def asked(ask: Callable[[], object]) -> Iterator[list[float]]:
    """Ask over and over while something else is done; how long each answer took, in ms."""
    took: list[float] = []
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(0.01):
            began = time.perf_counter()
            ask()
            took.append((time.perf_counter() - began) * 1000)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield took
    finally:
        is_over.set()
        thread.join()


def p99(figures: list[float]) -> float:
    """What 99 of 100 stay below."""
    return sorted(figures)[int(len(figures) * 0.99)]


@pytest.mark.parametrize(("workflow", "text"), [("sleeps", "time.sleep(0.2)"), ("spins", "count += 1")])
def test_while_a_step_blocks_the_engine_pages_answer_and_it_is_named_then_other_runs_go_on(
    studio: Studio, workflow: str, text: str
) -> None:
    other = studio.launch("waits")
    run = studio.launch(workflow)  # its page comes although it has never said that it began
    until(Path("started").exists)

    def named() -> dict[str, Any] | None:
        said = studio.health()
        return said if said["trouble"] else None

    health = until(named, 30)
    with asked(lambda: studio.get("/healthz")) as took:
        lines = [
            number for number, line in enumerate(FLOWS.splitlines(), 1) if "while not" in line or "while c" in line
        ]
        assert (health["status"], health["engine"]) == ("ok", "blocked")
        assert f"step '{workflow}' of workflow '{workflow}'" in health["trouble"]
        assert any(
            f"flows.py, line {line + more}, in {workflow}" in health["trouble"] for line in lines for more in (0, 1)
        )
        for page in ("/", "/runs", f"/runs/{run}", f"/runs/{other}", f"/workflows/{workflow}", "/approvals"):
            status, html = studio.get(page)
            assert (page, status, "has blocked the engine" in html) == (page, 200, True)
        until(lambda: len(took) > 50, 30)
    assert not Path("enough").exists()  # all of this while it was blocked
    tell(f"/healthz while {workflow} blocks: p99 {p99(took):.0f} ms of {len(took)}")

    Path("enough").touch()
    assert [studio.ended(one)[-1]["type"] for one in (run, other)] == ["run.succeeded"] * 2
    assert until(lambda: studio.health()["engine"] == "open")
    assert studio.ended(studio.launch("waits"))[-1]["type"] == "run.succeeded"


async def test_a_burst_of_ten_thousand_events_a_second_is_kept_whole_and_pages_answer_meanwhile(
    studio: Studio,
) -> None:
    seconds = 5
    before = studio.rss
    run = await asyncio.to_thread(studio.launch, "bursts", seconds)
    watcher = Watcher(studio, run)
    most = 0.0

    def ask() -> None:
        nonlocal most
        studio.get("/healthz")
        most = max(most, studio.rss)

    with asked(ask) as took:
        began = time.monotonic()
        async with asyncio.timeout(50):
            assert await watcher.take() == 1000
        spent = time.monotonic() - began
    events = await asyncio.to_thread(studio.ended, run)
    written = [event["data"]["value"] for event in events if event["type"] == "step.output"]
    assert written == list(range(seconds * 10_000))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert watcher.after == len(events)
    assert [frame["after"] for frame in watcher.frames[1:]] == [frame["seq"] for frame in watcher.frames[:-1]]
    assert len(watcher.frames) > 5
    assert len(took) > 5
    tell(f"{len(events)} events in {spent:.1f} s: {len(watcher.frames) / spent:.1f} frames a second")
    tell(f"/healthz p99 {p99(took):.0f} ms of {len(took)}; memory {before:.0f} -> {most:.0f} MB")
    assert most - before < 60


async def test_a_run_that_floods_its_page_takes_nothing_from_the_others(studio: Studio) -> None:
    flood = await asyncio.to_thread(studio.launch, "floods")
    watcher = Watcher(studio, flood)
    following = asyncio.create_task(watcher.take())
    await watcher.seen(10)
    Path("enough").touch()  # noqa: ASYNC240 - at once
    for _ in range(3):
        other = await asyncio.to_thread(studio.launch, "waits")
        assert (await asyncio.to_thread(studio.ended, other))[-1]["type"] == "run.succeeded"
    await watcher.seen(10)  # it went on all the time
    Path("dry").touch()  # noqa: ASYNC240 - at once
    async with asyncio.timeout(50):
        assert await following == 1000
    assert watcher.after == len(await asyncio.to_thread(studio.ended, flood))
