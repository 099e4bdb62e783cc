"""What a page may cost: few requests, few bytes, nobody else asked, nothing in the background, nothing refused.

Over the wire means as the browser counts it: headers and compressed bodies, with nothing cached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from tests.browser.journeys import Journey, Site, journey_of, node, run_id, status

MOST_REQUESTS = 12
MOST_BYTES = 150_000
REFUSED = """addEventListener('securitypolicyviolation',
    ({violatedDirective, blockedURI, sample}) => console.error('refused', violatedDirective, blockedURI, sample))"""
PAGES = {
    "workflows": "/",
    "a workflow": "/workflows/gate",
    "a form of every kind": "/workflows/everything",
    "a long picture": "/workflows/long",
    "a wide picture": "/workflows/wide",
    "runs of a workflow": "/workflows/walk?tab=runs",
    "code": "/workflows/walk?tab=code",
    "runs": "/runs",
    "no runs": "/runs?workflow=quiet",
    "approvals": "/approvals",
    "no approvals": "/approvals?workflow=quiet",
    "settings": "/settings",
    "addresses for programs": "/docs",
    "nothing there": "/nothing/here",
    "a run that waits": "/runs/{approve}",
    "a run that ended": "/runs/{wide}",
    "a long run": "/runs/{long}",
    "timeline": "/runs/{walk}?view=timeline",
    "journal": "/runs/{walk}?view=journal",
    "events": "/runs/{long}?tab=events",
    "an event": "/runs/{long}?event=7",
    "an error": "/runs/{fails}?tab=error",
}


@dataclass
class Wire:
    """What went over the wire for a page."""

    session: CDPSession
    asked: dict[str, str] = field(default_factory=dict)
    bytes: int = 0

    def __post_init__(self) -> None:
        self.session.send("Network.enable")
        self.session.on("Network.requestWillBeSent", self._asks)
        self.session.on("Network.loadingFinished", self._ends)

    def _asks(self, said: dict[str, Any]) -> None:
        self.asked[said["requestId"]] = said["request"]["url"]

    def _ends(self, said: dict[str, Any]) -> None:
        self.bytes += int(said["encodedDataLength"])


@pytest.fixture(scope="module")
def runs(site: Site) -> dict[str, str]:
    return {id: site.run(id) for id in ("approve", "wide", "long", "walk", "fails")}


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Journey]:
    """A browser that has seen nothing yet."""
    with journey_of(browser, site, allowed="status of 4..") as made:
        made.page.add_init_script(REFUSED)
        yield made


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_a_page_asks_for_little_and_then_is_quiet(visitor: Journey, runs: dict[str, str], path: str) -> None:
    """At most 12 requests and 150 kB; and in the hour after that, none at all."""
    page = visitor.page
    wire = Wire(visitor.context.new_cdp_session(page))
    page.clock.install()
    visitor.goto(path.format_map(runs))
    if page.locator("#counters").count():
        expect(page.locator("#light")).to_contain_text(re.compile("^(live|run has ended)"))
    page.wait_for_load_state("networkidle")
    assert len(wire.asked) <= MOST_REQUESTS, wire.asked
    assert 0 < wire.bytes <= MOST_BYTES
    before = list(visitor.asked)
    page.clock.run_for("01:00:00")
    assert page.evaluate("fetch('/healthz').then((answer) => answer.status)") == 200
    later = [url for url in visitor.asked if url not in before and "/static/icon." not in url]
    assert later == [f"{visitor.site.url}/healthz"]  # the icon comes when the browser has nothing better to do


def test_whatever_one_does_nobody_else_is_asked(visitor: Journey) -> None:
    """Requests and sockets of a visit to everything: they all go to the studio itself. Nothing is refused by policy."""
    page = visitor.goto("/")
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Theme")).click()
    visitor.goto("/workflows/everything")
    page.get_by_role("button", name="Add to lines").click()
    expect(page.get_by_role("textbox", name="item", exact=True)).to_have_count(2)
    page.get_by_role("button", name="Edit as JSON").click()
    expect(page.get_by_role("textbox", name="Value as JSON")).to_be_visible()
    visitor.goto("/workflows/two")
    node(page, "settle").click()
    expect(page).to_have_url(re.compile("step=settle"))
    page.get_by_role("button", name=re.compile("^Run( |$)")).last.click()
    run = run_id(page)
    expect(status(page)).to_contain_text("waiting")
    for name in ("Timeline", "Journal", "Graph"):
        page.get_by_role("navigation", name="Views").get_by_role("link", name=name).click()
    for name in ("Events", "Logs", "State"):
        page.get_by_role("navigation", name="Inspector").get_by_role("link", name=re.compile(f"^{name}")).click()
    page.get_by_role("button", name=re.compile("^Copy run id")).first.click()
    page.get_by_role("main").get_by_role("button", name="Cancel").click()
    expect(status(page)).to_contain_text("canceled")
    visitor.goto("/runs?workflow=two")
    expect(page.locator(f'a[href="/runs/{run}"]').first).to_be_visible()
    assert {urlsplit(url).scheme for url in visitor.asked} <= {"http", "ws", "data", "blob"}
    assert len([url for url in visitor.asked if url.startswith("ws:")]) > 3
    assert visitor.hosts() == {urlsplit(visitor.site.url).netloc}


def test_what_was_loaded_once_is_not_loaded_again(visitor: Journey) -> None:
    """Styles and scripts of the second page come from the browser's memory."""
    visitor.goto("/").wait_for_load_state("networkidle")
    wire = Wire(visitor.context.new_cdp_session(visitor.page))
    visitor.goto("/runs").wait_for_load_state("networkidle")
    assert wire.bytes < 40_000
