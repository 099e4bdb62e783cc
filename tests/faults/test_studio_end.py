"""The studio is told to end, once or twice, or is killed: what ran is taken up by the next one."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from engine.verify import verify
from tests.web.process import SEQS, Studio, Watcher, history, start
from tests.web.waiting import until

QUICK = 15.0
"""Seconds in which it has ended; it needs eight at most, and on a busy machine longer."""

FLOWS = (
    SEQS
    + """
import asyncio
import time
from pathlib import Path
from engine import StepContext, create_workflow, step

def tell(name, ctx):
    with Path("started").open("a") as file:
        file.write(f"{name} {ctx.attempt}\\n")

def sleeper(name):
    @step(id=name)
    async def sleep(_: None, ctx: StepContext) -> str:
        tell(name, ctx)
        if ctx.attempt == 1:
            await asyncio.sleep(100)
        return name
    return sleep

@step
async def block(_: None, ctx: StepContext) -> str:
    await asyncio.sleep(0.05)
    tell("block", ctx)
    if ctx.attempt == 1:
        time.sleep(100)  # the line
    return "blocked"

@step
def work(_: None, ctx: StepContext) -> str:
    tell("work", ctx)
    while ctx.attempt == 1:
        time.sleep(0.01)
    return "worked"

@step
def polite(_: None, ctx: StepContext) -> str:
    tell("polite", ctx)
    while ctx.attempt == 1 and not ctx.cancelled.is_set():
        time.sleep(0.01)
    return "polite"

sleeps = create_workflow(id="sleeps").parallel([sleeper(f"s{number}") for number in range(4)])
blocks = create_workflow(id="blocks").then(block)
works = create_workflow(id="works").then(work)
helps = create_workflow(id="helps").then(polite)
"""
)


@pytest.fixture(autouse=True)
def flows(folder: Path) -> None:
    (folder / "flows.py").write_text(FLOWS, "utf-8")


def begun(*steps: str) -> None:
    """Wait until these steps, and no others, have begun."""

    def found() -> bool:
        file = Path("started")
        return file.exists() and sorted(file.read_text("utf-8").splitlines()) == sorted(steps)

    until(found, 30)
    Path("started").unlink()


def is_whole() -> bool:
    """Whether the file of runs has no fault; nobody may have it open."""
    return verify(".studio/studio.db") == []


async def sent_away(studio: Studio, *watchers: Watcher) -> list[int | None]:
    """The codes with which viewers are closed once the studio is told to end. All of them see something first."""
    tasks = [asyncio.create_task(watcher.take()) for watcher in watchers]
    async with asyncio.timeout(30):
        await asyncio.gather(*(watcher.seen(1) for watcher in watchers))
        studio.process.send_signal(signal.SIGTERM)
        return await asyncio.gather(*tasks)


def test_the_first_signal_interrupts_what_runs_sends_viewers_away_and_the_next_start_takes_it_up(
    studios: list[Studio],
) -> None:
    """Five steps run, in the loop and in a thread, and three pages are open."""
    studio = start(studios, "flows.py")
    runs = [studio.launch("sleeps"), studio.launch("helps")]
    begun("s0 1", "s1 1", "s2 1", "s3 1", "polite 1")

    watchers = [Watcher(studio, runs[0]), Watcher(studio, runs[1]), Watcher(studio)]
    assert asyncio.run(sent_away(studio, *watchers)) == [1012, 1012, 1012]
    assert studio.process.wait(QUICK) == 0

    told = {run: history(run) for run in runs}
    assert {status for status, _ in told.values()} == {"running"}
    ends = [line for _, lines in told.values() for line in lines if line.startswith(("step.interrupted", "step.f"))]
    assert sorted(ends) == [f"step.interrupted {path} 1" for path in ("polite", "s0", "s1", "s2", "s3")]
    assert is_whole()

    studio = start(studios, "flows.py")
    assert [studio.ended(run)[-1]["type"] for run in runs] == ["run.succeeded"] * 2
    begun("s0 2", "s1 2", "s2 2", "s3 2", "polite 2")


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT), (signal.SIGKILL,)], ids=str
)
def test_an_interrupt_while_it_ends_leaves_at_once_and_the_runs_as_a_kill_does(
    studios: list[Studio], signals: tuple[signal.Signals, ...]
) -> None:
    studio = start(studios, "flows.py")
    runs = [studio.launch("works"), studio.launch("blocks")]
    begun("work 1", "block 1")
    code, _ = studio.end(*signals, limit=QUICK)
    assert code == (-9 if signals == (signal.SIGKILL,) else 130)
    assert [history(run) for run in runs] == [
        ("running", ["run.created", "run.started", f"step.started {path} 1"]) for path in ("work", "block")
    ]
    assert is_whole()

    studio = start(studios, "flows.py")
    for run in runs:
        assert [event["type"] for event in studio.ended(run)][-2:] == ["step.succeeded", "run.succeeded"]
    begun("work 2", "block 2")


def test_a_step_that_blocks_the_engine_does_not_keep_the_process(studios: list[Studio]) -> None:
    studio = start(studios, "flows.py")
    run = studio.launch("blocks")
    begun("block 1")
    assert studio.end(signal.SIGTERM, limit=QUICK)[0] == 0
    assert history(run)[0] == "running"


def test_a_thread_that_goes_on_does_not_keep_the_process(studios: list[Studio]) -> None:
    studio = start(studios, "flows.py")
    run = studio.launch("works")
    begun("work 1")
    assert studio.end(signal.SIGINT, limit=QUICK)[0] == 0
    assert history(run)[0] == "running"
