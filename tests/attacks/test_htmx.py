"""What htmx would obey is written by templates only: the words of a workflow give it no orders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.attacks import hostile
from tests.attacks.studio import Studio, segment

# How htmx is told to do something: an attribute, or an element of its own.
ORDERS = re.compile(r"<[a-z][^<>]*\s(?:data-)?hx-[\w:-]+|<hx-partial", re.IGNORECASE)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_its_settings_leave_nothing_open(served: Studio, page: Page) -> None:
    """Requests go to the studio only, no style sheet is added, and nothing but sockets is switched on."""
    page.goto(served.url)
    told = json.loads(page.locator('meta[name="htmx-config"]').get_attribute("content") or "{}")
    assert {name: told.get(name) for name in ("mode", "extensions", "includeIndicatorCSS")} == {
        "mode": "same-origin",
        "extensions": "ws",
        "includeIndicatorCSS": False,
    }
    for name, value in told.items():
        assert page.evaluate("name => htmx.config[name]", name) == value


def test_data_makes_no_request_and_moves_nothing(served: Studio, page: Page) -> None:
    """``hx-get``, ``hx-trigger=load``, ``hx-swap-oob`` and ``<hx-partial>`` in what a step gave, shown in full."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "hx-request" in request.headers else None)
    run = segment(served.runs["shows"])
    for query in ("tab=data&step=" + segment(hostile.STEP), "tab=events", "tab=logs", "tab=state", "view=journal"):
        page.goto(f"{served.url}/runs/{run}?{query}")
        page.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true }")
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.locator("#main").count() == 1
        assert "swapped" not in page.locator("#main > header").inner_text()
    page.goto(f"{served.url}/runs/{run}?tab=data&step={segment(hostile.STEP)}")
    assert hostile.HTMX in page.locator("#inspector").inner_text()
    assert asked == []


def test_orders_in_an_answer_are_words_of_templates(served: Studio) -> None:
    """An answer with and without such data has the same orders in it."""
    plain = served.start(hostile.FAILS.id, {"x": 1})
    found = {}
    for run in (plain, served.runs["fails"]):
        text = served.get(f"/runs/{segment(run)}/regions?tab=data&view=journal").text
        found[run] = [re.sub(re.escape(segment(run)), "RUN", order)[:40] for order in ORDERS.findall(text)]
    assert found[plain] == found[served.runs["fails"]]
    assert found[plain] != []


def test_what_a_page_showed_is_not_kept_by_the_browser(served: Studio, page: Page) -> None:
    """No copy of a page stays in the browser's stores, where the next user of the machine would find it."""
    page.goto(f"{served.url}/workflows/{segment(hostile.SHOWS.id)}")
    page.locator("nav.outline button").first.click()
    page.wait_for_url("**step=**")
    page.go_back()
    stored = page.evaluate("() => JSON.stringify([Object.values(localStorage), Object.values(sessionStorage)])")
    assert "onerror" not in stored
    assert len(stored) < 500


PLANTED = """() => setTimeout(() => {
  const one = document.createElement('div');
  one.innerHTML = '<b id=b hx-on:click="window.__xss=1" hx-get="http://elsewhere.test/x" hx-trigger=click>b</b>'
    + '<i id=i hx-get="/runs" hx-trigger="click[window.__xss=2]" hx-vals="js:{a: window.__xss=3}">i</i>';
  document.querySelector('main').prepend(one);
  htmx.process(one);
})"""


def test_code_in_an_attribute_does_not_run(served: Studio, page: Page) -> None:
    """Even if somebody got an element into a page: the policy stops what htmx would run."""
    page.goto(f"{served.url}/runs")
    page.evaluate(PLANTED)
    for name in ("#b", "#i"):
        page.locator(name).click()  # a real one: what a test evaluates may evaluate code in turn
    page.evaluate("() => new Promise(done => setTimeout(done, 50))")
    assert page.evaluate("() => window.__xss") is None
