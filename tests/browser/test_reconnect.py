"""The studio dies under an open page and comes back: the page says so, freezes its clocks, and catches up by itself.

The fault seen elsewhere: the page goes on saying "running" with a clock that counts, and forgets the run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect

from tests.browser.journeys import Journey, Site, journey_of, node, status

GONE = r"net::ERR_|WebSocket|Failed to load resource"
"""What a browser says of a server that is not there."""


@pytest.fixture
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A studio that may be killed."""
    made = Site(tmp_path_factory.mktemp("fragile"))
    yield made
    made.close()


@pytest.fixture
def watcher(browser: Browser, fragile: Site) -> Iterator[Journey]:
    with journey_of(browser, fragile, allowed=GONE) as made:
        yield made


def connection(page: Page) -> Locator:
    """What the page says of its connection."""
    return page.locator("#light")


def clock(page: Page) -> Locator:
    """The running clock in the head of a run's page."""
    return page.locator("#run-facts [data-since]")


def seconds(text: str | None) -> float:
    """The seconds that a clock shows."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+) (ms|s|m|h)", text or ""))


def frames_of(page: Page, run: str) -> list[dict[str, Any]]:
    """A list that gets every frame of the run's socket as it comes."""
    found: list[dict[str, Any]] = []

    def listen(socket: WebSocket) -> None:
        if f"/ws/runs/{run}" in socket.url:
            found.append({"url": socket.url})
            socket.on("framereceived", lambda payload: found.append(json.loads(payload)))

    page.on("websocket", listen)
    return found


def test_a_page_outlives_its_studio(watcher: Journey) -> None:
    """Killed in the middle of a step: retrying is said, clocks stand still; after the restart all of it is there."""
    site, page = watcher.site, watcher.page
    run = site.run("gate", {"n": 1, "gate": "open"})
    frames = frames_of(page, run)
    page.clock.install()
    watcher.goto(f"/runs/{run}")
    page.evaluate("window.isTheSame = true")
    expect(connection(page)).to_contain_text("live")
    expect(node(page, "gated")).to_have_attribute("data-status", "running")
    before = seconds(clock(page).text_content())
    page.clock.fast_forward(60_000)
    expect(clock(page)).to_have_text(re.compile(" m "))  # it counts while the page is live
    assert seconds(clock(page).text_content()) >= before + 59

    site.kill()
    expect(connection(page)).to_contain_text("disconnected, retrying")
    frozen = clock(page).text_content()
    page.clock.fast_forward(60_000)
    expect(connection(page)).to_contain_text("disconnected, retrying")
    assert clock(page).text_content() == frozen

    site.restart()
    page.clock.fast_forward(60_000)  # the next try
    expect(connection(page)).to_contain_text("live")
    expect(node(page, "gated")).to_have_attribute("data-status", "running")
    site.open("open")
    expect(status(page)).to_contain_text("success")
    expect(node(page, "last")).to_have_attribute("data-status", "success")
    assert page.evaluate("window.isTheSame")

    events = site.events(run)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("run.succeeded") == 1
    joined(frames, len(events))


def joined(frames: list[dict[str, Any]], last: int) -> None:
    """Each frame begins where the one before has ended, over all connections, up to the last event."""
    seq, told, connections = None, 0, 0
    for frame in frames:
        if "url" in frame:
            after = int(frame["url"].rpartition("after=")[2])
            assert seq in (None, after)
            seq, connections = after, connections + 1
        elif "seq" in frame:
            assert (frame["after"], frame.get("gap", False)) == (seq, False)
            seq, told = frame["seq"], told + 1
    assert (seq, connections >= 2, told >= 2) == (last, True, True)


def test_what_was_typed_into_a_question_outlives_the_studio(watcher: Journey) -> None:
    """And can be sent to the new one."""
    site = watcher.site
    run = site.run("approve")
    page = watcher.goto(f"/runs/{run}")
    question = page.get_by_role("article").filter(has_text="Shall we go on?")
    question.get_by_role("textbox", name="note").fill("I was in the middle of it")
    expect(connection(page)).to_contain_text("live")
    site.kill()
    expect(connection(page)).to_contain_text(re.compile("reconnecting|disconnected, retrying"))
    site.restart()
    expect(connection(page)).to_contain_text("live")
    expect(question.get_by_role("textbox", name="note")).to_have_value("I was in the middle of it")
    question.get_by_text("yes", exact=True).click()
    question.get_by_role("button", name=re.compile("^Send answer")).last.click()
    expect(status(page)).to_contain_text("success")
    (answered,) = [event for event in site.events(run) if event["type"] == "step.resumed"]
    assert answered["data"]["answer"] == {"approve": True, "note": "I was in the middle of it"}
