"""Live frames: complete, in order, once, and at nobody else's cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from engine import Run, StepContext, Workflow, create_workflow, step
from engine.graph import build_graph, places
from studio.app import create_app, page_routers
from studio.hosting import Hosting
from studio.hub import SKIP, Hub
from studio.live import LIST_PARTS, LIVE_PARTS, Moment, place_of
from tests.fixtures import add, fail
from tests.web.viewers import Viewer

Flow = Workflow[Any, Any]
T = TypeVar("T")


@pytest.fixture
def parts() -> Iterator[list[Moment]]:
    """The moments that were rendered; a frame's content is the seqs of its events."""
    seen: list[Moment] = []
    list(page_routers())  # the pages register theirs when they are imported: not in the middle of a test
    before = LIVE_PARTS[:], LIST_PARTS[:]

    def seqs(moment: Moment) -> str:
        seen.append(moment)
        return " ".join(str(event.seq) for event in moment.events)

    LIVE_PARTS[:], LIST_PARTS[:] = [seqs], []
    yield seen
    LIVE_PARTS[:], LIST_PARTS[:] = before


def chatty(lines: int, pause: float = 0.0) -> Flow:
    """A workflow that says many things, and waits between them."""

    @step
    async def talk(_: None, ctx: StepContext) -> None:
        for number in range(lines):
            await ctx.write(number)
            await asyncio.sleep(pause)

    return create_workflow(id="chatty").then(talk)


async def begin(hosting: Hosting, workflow: str, input: Any = None) -> Run:
    run = await hosting.engine.create_run(workflow)
    await hosting.act(lambda: run.start_soon(input))
    return run


async def finished(hosting: Hosting, workflow: str, input: Any = None) -> tuple[Run, int]:
    """A run that has ended, and how many events it has."""
    run = await begin(hosting, workflow, input)
    await run.wait(50)
    return run, len([event async for event in run.events(follow=False)])


async def soon(found: Callable[[], T | None]) -> T:
    """What ``found`` gives, once that is something; the loop's turns are counted, not the time."""
    for _ in range(100_000):
        if value := found():
            return value
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


# -- one run


async def test_a_viewer_sees_every_event_once_in_order_and_the_picture_s_changes(
    store_url: str, parts: list[Moment]
) -> None:
    body = create_workflow(id="body").then(add("inner"))
    workflow = create_workflow(id="w").then(add("a")).do_while(body, "n < 3").then(fail("bad"))
    with Hosting([workflow], store=store_url) as hosting:
        run, count = await finished(hosting, "w", {"n": 0})
        viewer = Viewer().follow(Hub(hosting), run.run_id)
        assert await viewer.end() == 1000
    assert viewer.seqs == list(range(1, count + 1))
    (frame,) = viewer.frames
    assert (frame["after"], frame["seq"], frame["status"]) == (0, count, "failed")
    shown = {place: frame["elements"][element] for place, element in build_graph(workflow).places.items()}
    assert {place: state["status"] for place, state in shown.items()} == {
        "a": "success",
        "body": "success",
        "body[]": "success",
        "body[]/inner": "success",
        "bad": "failed",
    }
    assert shown["body[]/inner"]["times"] == "\N{MULTIPLICATION SIGN}2"
    assert [moment.workflow for moment in parts] == [workflow]


async def test_at_every_point_where_a_connection_breaks_the_next_one_goes_on(
    store_url: str, parts: list[Moment]
) -> None:
    with Hosting([chatty(20)], store=store_url) as hosting:
        run, count = await finished(hosting, "chatty")
        hub = Hub(hosting)
        viewers = [Viewer().follow(hub, run.run_id, cut) for cut in range(count + 1)]
        assert {await viewer.end() for viewer in viewers} == {1000}
    assert [viewer.seqs for viewer in viewers] == [list(range(cut + 1, count + 1)) for cut in range(count + 1)]


async def test_frames_are_at_most_twenty_a_second_however_much_happens(parts: list[Moment]) -> None:
    with Hosting([chatty(300, 0.002)]) as hosting:
        run = await begin(hosting, "chatty")
        began = time.monotonic()
        viewer = Viewer().follow(Hub(hosting), run.run_id)
        await viewer.end()
        assert len(viewer.frames) <= (time.monotonic() - began) * 20 + 2
        assert viewer.seqs == list(range(1, viewer.last + 1))


async def test_a_viewer_that_is_far_behind_skips_to_the_present(store_url: str, parts: list[Moment]) -> None:
    with Hosting([chatty(SKIP * 3)], store=store_url) as hosting:
        run, count = await finished(hosting, "chatty")
        hub = Hub(hosting)
        viewer = Viewer().follow(hub, run.run_id)
        late = Viewer().follow(hub, run.run_id, count - 5)
        assert (await viewer.end(), await late.end()) == (1000, 1000)
    *_, gap = [frame for frame in viewer.frames if "gap" in frame]  # on a busy machine it may skip once more
    assert [frame["after"] for frame in viewer.frames] == [0, *(frame["seq"] for frame in viewer.frames[:-1])]
    assert {"status": "success"} in gap["elements"].values()
    assert viewer.last == count
    assert late.seqs == list(range(count - 4, count + 1))


async def test_a_viewer_that_takes_nothing_is_closed_and_costs_the_others_nothing(parts: list[Moment]) -> None:
    with Hosting([chatty(100, 0.01)]) as hosting:
        hub = Hub(hosting, send_limit=0.3)
        run = await begin(hosting, "chatty")
        stalled = Viewer(asyncio.Event().wait).follow(hub, run.run_id)
        good = Viewer().follow(hub, run.run_id)
        assert (await stalled.end(), stalled.frames) == (1013, [])
        assert (await run.status(), hub.viewers) == ("running", 1)
        assert await good.end() == 1000
        assert good.seqs == list(range(1, good.last + 1))


async def test_a_slow_viewer_gets_fewer_frames_and_everything_in_them(parts: list[Moment]) -> None:
    with Hosting([chatty(100, 0.01)]) as hosting:
        hub = Hub(hosting)
        run = await begin(hosting, "chatty")
        slow = Viewer(lambda: asyncio.sleep(0.3)).follow(hub, run.run_id)
        quick = Viewer().follow(hub, run.run_id)
        assert (await slow.end(), await quick.end()) == (1000, 1000)
    assert slow.seqs == quick.seqs == list(range(1, quick.last + 1))
    assert len(slow.frames) < len(quick.frames) / 2


async def test_a_run_is_rendered_once_for_256_viewers(parts: list[Moment]) -> None:
    with Hosting([chatty(20, 0.02)]) as hosting:
        hub = Hub(hosting)
        run = await begin(hosting, "chatty")
        viewers = [Viewer().follow(hub, run.run_id) for _ in range(256)]
        assert {await viewer.end() for viewer in viewers} == {1000}
        assert {tuple(viewer.seqs) for viewer in viewers} == {tuple(range(1, viewers[0].last + 1))}
        assert len(parts) < 40
        assert hub.viewers == 0


async def test_a_run_that_is_not_there_and_a_place_it_has_not_come_to(parts: list[Moment]) -> None:
    with Hosting([chatty(1)]) as hosting:
        hub = Hub(hosting)
        assert await Viewer().follow(hub, "none").end() == 4404
        run, count = await finished(hosting, "chatty")
        viewer = Viewer().follow(hub, run.run_id, 5000)
        assert (await viewer.end(), viewer.seqs) == (1000, list(range(1, count + 1)))


async def test_a_part_that_fails_is_left_out_of_the_frame(
    parts: list[Moment], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(moment: Moment) -> str:
        raise LookupError("no such field")

    LIVE_PARTS.insert(0, broken)
    with Hosting([chatty(1)]) as hosting:
        run, count = await finished(hosting, "chatty")
        viewer = Viewer().follow(Hub(hosting), run.run_id)
        await viewer.end()
    assert viewer.seqs == list(range(1, count + 1))
    assert "broken failed" in caplog.text


async def test_when_the_studio_stops_viewers_are_told_to_come_back(parts: list[Moment]) -> None:
    with Hosting([chatty(1000, 0.01)]) as hosting:
        hub = Hub(hosting)
        run = await begin(hosting, "chatty")
        one, other = Viewer().follow(hub, run.run_id), Viewer().follow_lists(hub)
        await one.until(lambda _: True)
        await other.until(lambda _: True)
        await hub.close()
        assert (await one.end(), await other.end()) == (1012, 1012)
        late = Viewer().follow(hub, run.run_id)
        assert await late.end() == 1012
        await hosting.act(run.cancel)


async def test_what_is_made_for_viewers_who_have_left_is_made_no_further(parts: list[Moment]) -> None:
    with Hosting([chatty(20)]) as hosting:
        run = await hosting.engine.create_run("chatty")
        await hosting.act(lambda: run.start_soon(None, paused=True))
        await run.wait(10)
        last = await hosting.engine.store.last_seq(run.run_id)
        hub = Hub(hosting)
        here = Viewer().follow(hub, run.run_id, last)
        channel = await soon(lambda: hub._channels.get(run.run_id))
        async with channel._looking:  # the next frame takes a while
            late = Viewer().follow(hub, run.run_id, 0)
            made = await soon(lambda: [one for one in asyncio.all_tasks() if one.get_name().startswith("catch up")])
            await late.leave()
            await here.leave()
            await asyncio.wait(made, timeout=5)
    assert [task.cancelled() for task in made] == [True]


async def test_a_run_that_is_deleted_ends_its_viewers(sqlite_url: str, parts: list[Moment]) -> None:
    with Hosting([chatty(1)], store=sqlite_url) as hosting:
        run = await hosting.engine.create_run("chatty")
        viewer = Viewer().follow(Hub(hosting), run.run_id)
        await viewer.until(lambda frame: frame["seq"] == 1)
        await hosting.act(run.cancel)
        assert await viewer.end() == 1000


# -- lists and counters


async def test_lists_tell_what_there_is_then_what_changes(store_url: str, parts: list[Moment]) -> None:
    @step
    async def ask(_: None, ctx: StepContext) -> None:
        await ctx.ask("Go on?")

    with Hosting([create_workflow(id="asks").then(ask)], store=store_url) as hosting:
        hub = Hub(hosting)
        first = await hosting.engine.create_run("asks")
        viewer = Viewer().follow_lists(hub)
        assert await viewer.until(lambda _: True) == {
            "counts": {"pending": 1},
            "questions": 0,
            "runs": [],
            "version": 1,
            "first": True,
        }
        await hosting.act(first.start)
        assert await viewer.until(lambda frame: frame["questions"] == 1) == {
            "counts": {"suspended": 1},
            "questions": 1,
            "runs": [{"run_id": first.run_id, "workflow_id": "asks", "status": "suspended"}],
            "version": 1,
        }
        other = Viewer().follow_lists(hub)
        assert (await other.until(lambda _: True))["counts"] == {"suspended": 1}
        await hosting.act(lambda: first.resume(None))
        for one in (viewer, other):
            frame = await one.until(lambda frame: "success" in frame["counts"])
            assert (frame["counts"], frame["questions"]) == ({"success": 1}, 0)
            await one.leave()
        assert hub.viewers == 0


# -- the door


def test_frames_come_through_the_guard_to_our_own_pages_only(parts: list[Moment]) -> None:
    ours, theirs = {"origin": "http://127.0.0.1:4111"}, {"origin": "http://other.test"}
    with Hosting([chatty(1)]) as hosting:
        run, count = asyncio.run(finished(hosting, "chatty"))
        with TestClient(create_app(hosting), base_url="http://127.0.0.1:4111") as client:
            address = f"/ws/runs/{run.run_id}?after=2"
            with client.websocket_connect(f"ws://127.0.0.1:4111{address}", headers=ours) as socket:
                assert socket.receive_json()["content"] == " ".join(map(str, range(3, count + 1)))
                with pytest.raises(WebSocketDisconnect) as ended:
                    socket.receive_json()
                assert ended.value.code == 1000
            with client.websocket_connect("ws://127.0.0.1:4111/ws", headers=ours) as socket:
                assert socket.receive_json()["counts"] == {"success": 1}
            for path in (address, "/ws"):
                with (
                    pytest.raises(WebSocketDenialResponse) as refused,
                    client.websocket_connect(f"ws://127.0.0.1:4111{path}", headers=theirs),
                ):
                    raise AssertionError("it was let in")
                assert refused.value.status_code == 403


# -- the picture


def test_a_place_shows_what_is_open_before_what_has_ended_and_failures_before_successes() -> None:
    statuses = {"item[0]": "success", "item[1]": "running", "a[0]": "success", "a[1]": "failed", "b": "skipped"}
    assert {place: (one.status, one.count) for place, one in places(statuses).items()} == {
        "item[]": ("running", 2),
        "a[]": ("failed", 2),
        "b": ("skipped", 1),
    }
    assert place_of("review[12]/item[3]/check") == "review[]/item[]/check"
