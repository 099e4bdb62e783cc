"""Whatever a workflow, a run or an error says is text: on every page, in every fragment, picture and frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page

from tests.attacks import hostile
from tests.attacks.crawl import Page as Found
from tests.attacks.crawl import crawl
from tests.attacks.crawl import links as links_of
from tests.attacks.markup import read
from tests.attacks.studio import Studio, segment
from tests.attacks.wire import heard

TABS = ("data", "attempts", "logs", "error", "code", "events", "state")
VIEWS = ("graph", "timeline", "journal")


@pytest.fixture(scope="module")
def pages(served: Studio) -> list[Found]:
    """All that answers a GET."""
    return list(crawl(served))


def test_no_page_has_an_element_or_an_attribute_of_a_workflow(pages: list[Found]) -> None:
    """Read as a browser reads it: JSON and lines of JSON are never taken for pages."""
    faults, kinds, said = [], set(), ""
    for page in pages:
        kind = page.answer.headers.get("content-type", "").partition(";")[0]
        kinds.add(kind)
        if page.path.startswith("/static/"):
            continue
        if kind == "text/html":
            reader = read(page.answer.text)
            faults += [f"{page.path}: {fault}" for fault in reader.faults]
            said += reader.text
        assert "x-content-type-options" in page.answer.headers
        assert [name for name in page.answer.headers if name.startswith("hx-")] == []
    assert faults == []
    assert kinds <= {"text/html", "text/css", "text/javascript", "image/svg+xml", *PROGRAMS}
    assert [text for text in hostile.EVERY if text not in said and text != hostile.TURNED] == []
    assert "49" not in re.findall(r"\d+", said.partition(hostile.TEMPLATE)[0][-200:])


PROGRAMS = {"application/json", "application/problem+json", "application/x-ndjson", "text/plain", ""}


def frames(served: Studio, run_id: str, most: int = 8) -> Iterator[dict[str, object]]:
    """What a viewer of a run is sent, from its first event on."""
    connection, answer = served.wire.handshake(f"/ws/runs/{segment(run_id)}?after=0")
    assert answer.status == 101
    with closing(connection):
        connection.settimeout(3)
        for _ in range(most):
            try:
                opcode, payload = heard(connection)
            except TimeoutError:
                return
            if opcode == 8:
                return
            if opcode == 1:
                yield json.loads(payload)


@pytest.mark.parametrize("name", ["shows", "fails", "asks", "paused"])
def test_a_frame_of_a_run_has_no_element_of_the_run(served: Studio, name: str) -> None:
    found = list(frames(served, served.runs[name], most=1))
    assert len(found) == 1
    assert [fault for frame in found for fault in read(str(frame.get("content", ""))).faults] == []


def test_what_changes_on_an_open_page_has_no_element_of_the_run(served: Studio) -> None:
    """The fragments that an open page asks for when something has happened, for each view and tab."""
    faults, said = [], ""
    for name in ("shows", "fails", "asks"):
        for view, tab in [*((view, "data") for view in VIEWS), *(("graph", tab) for tab in TABS)]:
            answer = served.get(f"/runs/{segment(served.runs[name])}/regions?view={view}&tab={tab}")
            assert answer.status == 200
            reader = read(answer.text)
            faults += [f"{name} {view} {tab}: {fault}" for fault in reader.faults]
            said += reader.text
    assert faults == []
    assert hostile.IMG in said
    assert hostile.SCRIPT in said


# -- in a browser

FOREIGN = """() => [...document.querySelectorAll('*')].flatMap(one => [
  ...['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'IMG', 'STYLE'].includes(one.tagName) ? [one.tagName] : [],
  ...one.tagName === 'SCRIPT' && !(one.getAttribute('src') || '').startsWith('/static/') ? ['SCRIPT'] : [],
  ...[...one.attributes].filter(a => a.name.startsWith('on') || a.name.startsWith('hx-on') || a.name == 'style'
     || /^\\s*javascript:/i.test(a.value) && a.name != 'value' && a.name != 'data-copy' && a.name != 'title')
     .map(a => `${one.tagName} ${a.name}=${a.value.slice(0, 60)}`),
  ...one instanceof SVGElement && one.matches('foreignObject, image, use:not([href^="#"]), script, animate, set')
    ? [one.tagName] : [],
  ...one.matches('a') && !/^(\\/(?!\\/)|\\?|#|vscode:\\/\\/file\\/[\\w\\/.%~-]+:\\d+$)/.test(one.getAttribute('href'))
    ? ['a ' + one.getAttribute('href')] : [],
])"""
OPEN_ALL = """() => { for (const one of document.querySelectorAll('details')) one.open = true;
  for (const one of document.querySelectorAll('*'))
    for (const type of ['mouseover', 'mouseenter', 'focus', 'pointerover']) one.dispatchEvent(new Event(type)); }"""
ALERTS = "window.alert = window.prompt = window.confirm = () => { window.__xss = 'dialog'; };"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page; whatever it complains of fails the test, but for what the policy stopped (which nothing may need)."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(ALERTS)
    made = context.new_page()
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    context.close()
    assert complaints == []


def unharmed(page: Page) -> None:
    """Nothing of a workflow has become a part of the page, and nothing of it has run."""
    page.evaluate(OPEN_ALL)
    assert page.evaluate(FOREIGN) == []
    assert page.evaluate("() => window.__xss") is None


def kinds(pages: list[Found]) -> list[str]:
    """An address of each kind: every path that gives a page, and every query with other names or words in it."""
    found: dict[str, str] = {}
    for one in pages:
        path, _, query = one.path.partition("?")
        shape = re.sub(r"(step|after|before|run|question|stamp)=[^&]*", r"\1", query)
        if "html" in one.answer.headers.get("content-type", "") and one.answer.text.startswith("<!doctype html>"):
            found.setdefault(f"{path}?{shape}", one.path)
    return list(found.values())


def test_nothing_runs_in_a_browser_that_looks_at_every_page(served: Studio, page: Page, pages: list[Found]) -> None:
    paths = kinds(pages)
    assert len(paths) > 20
    for path in paths[:60]:
        page.goto(served.url + path)
        unharmed(page)
    page.goto(served.url)
    assert page.title().endswith("Studio")


def test_nothing_runs_when_everything_is_pressed(served: Studio, page: Page) -> None:
    """Tabs, views, steps of the picture, the palette, the other kinds of each form, what it says when it is wrong."""
    run = f"{served.url}/runs/{segment(served.runs['shows'])}"
    page.goto(run)
    for number in range(page.locator("nav.tabs a").count()):
        page.locator("nav.tabs a").nth(number).click()
        page.wait_for_load_state()
        unharmed(page)
    page.goto(run)
    for number in range(page.locator(".node[role=listitem]").count()):
        page.locator(".node[role=listitem]").nth(number).dispatch_event("click")
        page.wait_for_load_state()
        unharmed(page)
    page.keyboard.press("Control+k")
    page.locator("#palette input").fill("img")
    unharmed(page)


def test_nothing_runs_in_the_forms(served: Studio, page: Page) -> None:
    page.goto(f"{served.url}/workflows/{segment(hostile.SHOWS.id)}")
    unharmed(page)
    form = page.locator("form.fields").first
    for button in [one.get_attribute("value") for one in form.locator('button[name="_action"]').all()]:
        again = form.locator(f'button[name="_action"][value="{button}"]')
        if again.count() and again.first.is_enabled():
            again.first.click()
            page.wait_for_load_state("networkidle")
            unharmed(page)
            assert page.locator("nav.rail").count() == 1  # the form has come again, and no page within it
    answer = served.post(f"/workflows/{segment(hostile.SHOWS.id)}/runs", {"_mode": "json", "_json": hostile.TEXT})
    assert answer.status == 422
    assert read(answer.text).faults == []
    for question in served.questions():
        page.goto(f"{served.url}/approvals/{question.token}")
        unharmed(page)
        page.locator('form.fields button[value="mode:json"]').click()
        page.locator('form.fields button[value="mode:form"]').wait_for()
        unharmed(page)


def test_what_comes_while_a_page_is_open_is_text_too(served: Studio, page: Page) -> None:
    run = served.start(hostile.RUNS.id, {"text": hostile.TEXT, "html": hostile.SCRIPT}, until="running")
    page.goto(f"{served.url}/runs/{segment(run)}")
    page.locator('.light[data-state="live"]').wait_for()
    page.evaluate("window.isTheSame = true")
    hostile.GATE.set()
    page.locator('#run-status [data-status="success"]').wait_for()
    unharmed(page)
    assert page.evaluate("window.isTheSame")
    hostile.GATE.clear()


def test_links_lead_nowhere_but_into_the_studio(pages: list[Found]) -> None:
    """``//elsewhere`` and ``javascript:`` in ids, tags and data are parts of a path, or they are no links at all."""
    for page in pages:
        for link in links_of(page):
            assert link.startswith("/")
            assert not link.startswith(("//", "/\\"))
