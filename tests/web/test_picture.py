"""What a viewer is told of a run's picture, and what the pages show open or folded."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine import Run, create_step, create_workflow
from engine.graph import ElementState, element_states
from studio.app import create_app
from studio.hosting import Hosting
from studio.hub import Hub
from studio.picture import Picture, described
from studio.views.graph import Opening, asked_open, outline, picture, with_open
from tests.fixtures import add
from tests.web.viewers import Viewer

DEPLOY = create_workflow(id="deploy").then(add("build")).then(add("send"))
RELEASE = create_workflow(id="release").then(add("tag")).then(DEPLOY).then(add("announce"))


async def _pause(data: dict[str, int]) -> dict[str, int]:
    await asyncio.sleep(0.01)
    return data


EACH = create_workflow(id="each").then(create_step(id="wait", execute=_pause)).parallel([add("x"), add("y")])
BUSY = (
    create_workflow(id="busy")
    .foreach(EACH, concurrency=3)
    .map(lambda found: {"n": len(found)})
    .do_while(create_workflow(id="again").then(add("up")).then(create_step(id="rest", execute=_pause)), "n < 40")
)
WORKFLOWS = [RELEASE, create_workflow(id="outer").then(RELEASE).then(add("last"))]


@pytest.fixture
def client() -> Iterator[TestClient]:
    with (
        Hosting(WORKFLOWS, store=":memory:") as hosting,
        TestClient(create_app(hosting), base_url="http://127.0.0.1:4111") as made,
    ):
        yield made


def links(html: str) -> list[str]:
    return re.findall(r'<a class="fold" href="([^"]+)"', html)


# -- what has changed


def test_a_viewer_is_told_what_has_changed_since_and_no_more() -> None:
    known = Picture()
    known.see(RELEASE, {"tag": "running"}, 4)
    known.see(RELEASE, {"tag": "success", "deploy": "running"}, 7)
    told = known.since(4)
    assert told["elements"] == {
        "node-10": {"status": "success"},
        "node-20": {"status": "running"},
        "cluster-2": {"status": "running"},
        "edge-20": {"taken": True},
    }
    assert known.since(7)["elements"] == {}


def test_who_comes_is_told_the_whole_picture() -> None:
    known = Picture()
    assert known.whole() == {}
    known.see(RELEASE, {"tag": "running"}, 4)
    told = known.whole()
    assert (told["whole"], sorted(told["elements"])) == (True, ["edge-10", "node-0", "node-10"])


def test_what_is_as_before_again_is_told_too() -> None:
    known = Picture()
    known.see(RELEASE, {"tag": "running"}, 4)
    known.see(RELEASE, {}, 6)
    assert known.since(5)["elements"] == {"node-0": {}, "node-10": {}, "edge-10": {}}


def test_other_code_is_another_picture() -> None:
    known = Picture()
    known.see(RELEASE, {"tag": "running"}, 4)
    before = known.since(4)["picture"]
    known.see(DEPLOY, {"build": "running"}, 9)
    told = known.since(4)
    assert told["picture"] != before
    assert set(told["elements"]) == {"node-0", "node-10", "edge-10"}
    known.see(None, {}, 9)
    assert known.since(4) == known.whole() == {}


# -- over the wire


def wire(state: ElementState) -> dict[str, Any]:
    """A state as a frame has it."""
    return json.loads(json.dumps(described(state)))


def told(frames: list[dict[str, Any]], page: dict[str, ElementState]) -> dict[str, dict[str, Any]]:
    """What a page shows that began with ``page`` and heard these frames."""
    shown = {name: wire(state) for name, state in page.items()}
    for frame in frames:
        if frame.get("whole"):
            shown = {}
        shown |= frame["elements"]
    return {name: state for name, state in shown.items() if state}


async def page_of(run: Run) -> tuple[int, dict[str, ElementState]]:
    """What a page that is opened now shows, and the last event that it surely knows."""
    seq = len([event async for event in run.events(follow=False)])
    return seq, element_states(BUSY, await run.statuses())


async def test_frames_bring_every_page_to_what_a_new_one_would_show(store_url: str) -> None:
    with Hosting([BUSY], store=store_url) as hosting:
        hub = Hub(hosting)
        run = await hosting.engine.create_run("busy")
        await hosting.act(lambda: run.start_soon([{"n": n} for n in range(30)]))
        viewers, pages = [Viewer().follow(hub, run.run_id)], [{}]
        while (await run.status()) == "running":
            seq, page = await page_of(run)
            viewers.append(Viewer().follow(hub, run.run_id, seq))
            pages.append(page)
            await asyncio.sleep(0.02)
        for viewer in viewers:
            await viewer.end()
        _, final = await page_of(run)
    assert len(viewers) > 3
    for viewer, page in zip(viewers, pages, strict=True):
        assert told(viewer.frames, page) == {name: wire(state) for name, state in final.items()}


# -- folded and open


def test_without_an_address_to_open_parts_everything_is_drawn() -> None:
    assert [item.title for item in picture(WORKFLOWS[1]).outline] == ["tag", "build", "send", "announce", "last"]


def test_the_list_mirrors_what_is_open() -> None:
    def told(*opened: str) -> list[tuple[str, int, str, bool]]:
        opening = Opening(frozenset(opened), lambda places: with_open("/x", places))
        return [(one.title, one.depth, one.toggle, one.is_open) for one in outline(WORKFLOWS[1], opening=opening)]

    assert told() == [("release", 0, "/x?open=release", False), ("last", 0, "", False)]
    assert told("release") == [
        ("release", 0, "/x", True),
        ("tag", 1, "", False),
        ("deploy", 1, "/x?open=release&open=release%2Fdeploy", False),
        ("announce", 1, "", False),
        ("last", 0, "", False),
    ]


def test_the_address_of_a_workflow_says_what_is_open(client: TestClient) -> None:
    closed = client.get("/workflows/outer").text
    assert links(closed) == ["/workflows/outer?open=release"]
    assert 'data-place="release/tag"' not in closed
    opened = client.get("/workflows/outer?open=release").text
    assert links(opened) == ["/workflows/outer", "/workflows/outer?open=release&amp;open=release%2Fdeploy"]
    assert 'data-place="release/tag"' in opened
    for href in re.findall(r'href="(/workflows/outer\?(?:tab|step)=[^"]*)"', opened):
        assert "open=release" in href


def test_the_address_of_a_run_says_what_is_open_and_its_links_keep_it(client: TestClient) -> None:
    origin = {"origin": "http://127.0.0.1:4111"}
    sent = client.post("/workflows/outer/runs", data={"_mode": "json", "_json": '{"n": 1}'}, headers=origin)
    run = re.sub(r"\?.*", "", str(sent.url))
    page = client.get(f"{run}?open=release&open=nothing").text
    assert 'data-place="release/tag"' in page
    kept = re.findall(r'href="(/runs/[^"]*view=[^"]*)"', page)
    assert kept
    assert all("open=release" in href or "data-fold" in href for href in kept if href not in links(page))
    regions = client.get(f"{run}/regions?open=release").text
    assert "open=release" in regions


def test_nonsense_in_the_address_opens_nothing(client: TestClient) -> None:
    page = client.get("/workflows/outer", params={"open": ["", "../x", "<script>", "nowhere"]})
    assert (page.status_code, 'data-place="release/tag"' in page.text) == (200, False)
    assert "<script>" not in page.text.partition("<main")[2].partition("</main>")[0]


def test_an_address_opens_no_more_than_every_link_can_say() -> None:
    assert asked_open(["a", "", "x" * 4000, "b"]) == {
        "a",
    }
    assert asked_open(["a", "b/c"]) == {"a", "b/c"}
