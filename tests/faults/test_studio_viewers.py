"""Viewers that stall, drop their line, or leave: they miss nothing, and cost the run and each other nothing."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.web.process import SEQS, Studio, Watcher, start
from tests.web.waiting import until

FLOWS = (
    SEQS
    + """
import asyncio
from pathlib import Path
from engine import StepContext, create_workflow, step

def heavy(moment):
    return f"<!--{'.' * 500_000}-->" if moment.run.workflow_id == "heavy" else ""

LIVE_PARTS.append(heavy)

def talking(name):
    @step(id=name)
    async def talk(count: int, ctx: StepContext) -> int:
        for number in range(count):
            await ctx.write(number)
            await asyncio.sleep(0.01)
        return count
    return talk

@step
async def flood(_: None, ctx: StepContext) -> None:
    while not Path("enough").exists():
        for number in range(200):
            await ctx.write(number)
        await asyncio.sleep(0.02)

@step
async def until_enough(_: None, ctx: StepContext) -> None:
    while not Path("enough").exists():
        await ctx.write("more")
        await asyncio.sleep(0.01)

talks = create_workflow(id="talks").parallel([talking("one"), talking("two")])
heavy_flow = create_workflow(id="heavy").then(until_enough)
floods = create_workflow(id="floods").then(flood)
"""
)

SMALL = 64 * 1024
"""Bytes that a stalled viewer's own socket takes in."""


@pytest.fixture
def studio(folder: Path, studios: list[Studio]) -> Studio:
    (folder / "flows.py").write_text(FLOWS, "utf-8")
    return start(studios, "flows.py", "--no-reload")


def seqs_of(studio: Studio, run_id: str) -> list[int]:
    """The numbers of all events of a run that has ended; they have no gap."""
    numbers = [event["seq"] for event in studio.ended(run_id)]
    assert numbers == list(range(1, len(numbers) + 1))
    return numbers


def are_joined(frames: list[dict[str, Any]]) -> bool:
    """Whether each frame begins where the one before has ended."""
    return [frame["after"] for frame in frames[1:]] == [frame["seq"] for frame in frames[:-1]]


def enough() -> None:
    """Let the steps return."""
    Path("enough").touch()


# -- lines that drop


async def follow_badly(watcher: Watcher, chance: random.Random) -> int:
    """Take a few frames, drop the line, come back to where it was, up to the end of the run; how often."""
    drops = 0
    while await watcher.take(chance.randrange(1, 4)) is None:
        drops += 1
        await asyncio.sleep(chance.random() * 0.1)
    return drops


async def test_a_line_that_drops_at_any_moment_of_a_run_loses_and_repeats_nothing(studio: Studio) -> None:
    run = await asyncio.to_thread(studio.launch, "talks", 150)
    watchers = [Watcher(studio, run) for _ in range(8)]
    steady = Watcher(studio, run)
    async with asyncio.timeout(50):
        *drops, code = await asyncio.gather(
            *(follow_badly(watcher, random.Random(seed)) for seed, watcher in enumerate(watchers)), steady.take()
        )
    expected = await asyncio.to_thread(seqs_of, studio, run)
    assert code == 1000
    assert steady.seqs == expected
    assert [watcher.seqs for watcher in watchers] == [expected] * len(watchers)
    assert all(are_joined(watcher.frames) for watcher in (steady, *watchers))
    assert sum(drops) > 16


async def test_after_each_event_a_line_can_have_dropped(studio: Studio) -> None:
    """For a run that has ended: whoever comes back gets what follows, from every place there is."""
    run = await asyncio.to_thread(studio.launch, "talks", 40)
    expected = await asyncio.to_thread(seqs_of, studio, run)
    watchers = [Watcher(studio, run) for _ in range(len(expected))]
    for cut, watcher in enumerate(watchers):
        watcher.after = cut
    assert await asyncio.gather(*(watcher.take() for watcher in watchers)) == [1000] * len(expected)
    assert [watcher.seqs for watcher in watchers] == [expected[cut:] for cut in range(len(expected))]


# -- viewers that leave


async def test_when_some_viewers_leave_the_others_see_every_event_to_the_end(studio: Studio) -> None:
    run = await asyncio.to_thread(studio.launch, "talks", 100)
    stay = [Watcher(studio, run) for _ in range(5)]
    follow = asyncio.gather(*(watcher.take() for watcher in stay))
    for number in range(10):
        leaves = Watcher(studio, run)
        assert await leaves.take(1) is None  # its line breaks
        async with connect(studio.url.replace("http", "ws") + f"/ws/runs/{run}", origin=studio.url) as polite:  # type: ignore[arg-type]
            if number % 2:
                await polite.recv()
    async with asyncio.timeout(50):
        assert await follow == [1000] * 5
    expected = await asyncio.to_thread(seqs_of, studio, run)
    assert [watcher.seqs for watcher in stay] == [expected] * 5


# -- viewers that stall


async def stalled(studio: Studio, run_id: str) -> ClientConnection:
    """A viewer that takes nothing from its line but what the system takes for it."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    line.setblocking(False)
    host, _, port = studio.url.removeprefix("http://").partition(":")
    await asyncio.get_running_loop().sock_connect(line, (host, int(port)))
    address = studio.url.replace("http", "ws") + f"/ws/runs/{run_id}"
    viewer = await connect(address, sock=line, origin=studio.url, max_size=None, ping_interval=None, max_queue=1)  # type: ignore[arg-type]
    viewer.transport.pause_reading()
    return viewer


async def taken(watcher: Watcher, viewer: ClientConnection) -> int:
    """Let a stalled viewer take what comes; how its line ended."""
    viewer.transport.resume_reading()
    try:
        while True:
            await watcher.add(await viewer.recv())
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


async def test_a_viewer_that_stalls_is_cut_off_and_neither_the_others_nor_the_memory_feel_it(studio: Studio) -> None:
    run = await asyncio.to_thread(studio.launch, "heavy")
    good = Watcher(studio, run)
    following = asyncio.create_task(good.take())
    await good.seen(10)
    before = studio.rss
    viewers = [await stalled(studio, run) for _ in range(4)]
    assert studio.sockets > 4
    lines = studio.sockets - 4
    await good.seen(100)  # five seconds: that is what a viewer has for a frame
    await asyncio.to_thread(until, lambda: studio.sockets <= lines, 30)
    grown = studio.rss - before
    late = [Watcher(studio) for _ in viewers]
    ends = [await taken(watcher, viewer) for watcher, viewer in zip(late, viewers, strict=True)]
    enough()
    async with asyncio.timeout(30):
        assert await following == 1000
    assert good.seqs == await asyncio.to_thread(seqs_of, studio, run)
    assert set(ends) <= {1013, 1006}  # told so, or cut off where not even that could be sent
    assert all(are_joined(watcher.frames) and watcher.after < good.after - 100 for watcher in late)
    assert grown < 40, f"{grown:.0f} MB for four viewers, with half a megabyte in a frame"


async def test_a_viewer_that_is_far_behind_skips_to_the_present(studio: Studio) -> None:
    run = await asyncio.to_thread(studio.launch, "floods")
    good, slow = Watcher(studio, run), Watcher(studio, run)
    following = asyncio.create_task(good.take())
    await good.seen(2)
    assert await slow.take(1) is None  # its line drops, and for as long as this many events take
    await good.until(lambda: good.after > slow.after + 10_000)
    assert await slow.take(1) is None
    skipped = slow.frames[-1]
    assert (skipped["after"], skipped["gap"]) == (slow.frames[0]["seq"], True)
    assert skipped["seq"] > skipped["after"] + 2_000
    enough()
    async with asyncio.timeout(30):
        assert await asyncio.gather(following, slow.take()) == [1000, 1000]
    last = (await asyncio.to_thread(studio.ended, run))[-1]["seq"]
    assert (good.after, slow.after) == (last, last)
    assert are_joined(good.frames)
    assert are_joined(slow.frames)


async def test_a_viewer_that_stalls_does_not_keep_the_studio_from_ending(studio: Studio) -> None:
    run = await asyncio.to_thread(studio.launch, "heavy")
    good = Watcher(studio, run)
    following = asyncio.create_task(good.take())
    viewer = await stalled(studio, run)
    await good.seen(40)
    studio.process.send_signal(signal.SIGTERM)
    assert await following == 1012
    assert await asyncio.to_thread(studio.process.wait, 15) == 0
    viewer.transport.abort()
