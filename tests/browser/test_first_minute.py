"""The first minute: the real command on the bundled examples, from the first page to an answered question."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.barriers import axe, overflow
from tests.web.test_server import Studio

PAGES = (
    "/",
    "/workflows/order",
    "/workflows/order?tab=runs",
    "/workflows/order?tab=code",
    "/workflows/order?step=fulfil/charge",
    "/approvals",
    "/settings",
)
TEXT = "This text text has a doubled word."


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The command ``studio serve`` without a target: it serves the bundled examples."""
    store = tmp_path_factory.mktemp("first") / "runs.db"
    started = Studio("studio.examples", "--port", "0", "--store", str(store), STUDIO_OPEN="0")
    yield started
    started.close()


class Visit:
    """A browser at the studio. ``complaints`` are errors on its console, ``asked`` the hosts that it asked."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.page: Page = context.new_page()
        self.home = home
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.add("/".join(request.url.split("/")[:3])))

    def open(self, path: str) -> Page:
        """Open a page."""
        self.page.goto(self.home + path)
        return self.page


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def visit(request: pytest.FixtureRequest, browser: Browser, studio: Studio) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, java_script_enabled=request.param)
    context.set_default_timeout(10_000)
    made = Visit(context, studio.url)
    yield made
    context.close()
    assert made.asked == {studio.url}


def test_open_run_answer(visit: Visit) -> None:
    """From the first page: open a workflow, run it, answer its question, and see that it is answered."""
    page = visit.open("/")
    page.get_by_role("link", name="review", exact=True).click()
    expect(page).to_have_url(re.compile("/workflows/review"))
    page.get_by_role("textbox", name="text", exact=True).fill(TEXT)
    page.get_by_role("button", name=re.compile("^Run")).last.click()
    page.wait_for_url(re.compile("/runs/"))
    run_id = page.url.rpartition("/")[2].partition("?")[0]

    page = visit.open("/approvals")
    question = page.locator(f"article.ask:has(a[href='/runs/{run_id}'])")
    for _ in range(100):
        if question.count():
            break
        page.reload()
    expect(question).to_contain_text("is doubled")
    summary = question.locator("summary", has_text="Answer")
    if summary.count():
        summary.click()
    question.get_by_text("accept", exact=True).click()
    question.get_by_role("button", name=re.compile("^Send answer")).last.click()
    page.wait_for_url(re.compile("/approvals"))
    expect(page.get_by_role("status").filter(has_text="Answered.")).to_be_visible()
    expect(page.locator(f"article.ask:has(a[href='/runs/{run_id}'])")).to_have_count(0)

    page = visit.open("/workflows/review?tab=runs")
    row = page.locator("tr", has=page.locator(f"a[href='/runs/{run_id}']"))
    for _ in range(100):
        if row.locator("[data-status='success']").count():
            break
        page.reload()
    expect(row).to_contain_text("success")


def test_every_page_fits_and_complains_of_nothing(browser: Browser, studio: Studio) -> None:
    """The narrow form of each has no barrier either; those of the wide one are looked for elsewhere, in every state."""
    context = browser.new_context(viewport={"width": 390, "height": 900})
    visit = Visit(context, studio.url)
    faults = []
    for path in PAGES:
        page = visit.open(path)
        faults += axe(page)
        for width in (390, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            faults += overflow(page)
        page.set_viewport_size({"width": 390, "height": 900})
    context.close()
    assert (faults, visit.complaints, visit.asked) == ([], [], {studio.url})


def test_a_wrong_input_is_said_beside_its_field(browser: Browser, studio: Studio) -> None:
    """In a browser too: what was typed is there again."""
    context = browser.new_context()
    page = Visit(context, studio.url).open("/workflows/order")
    page.get_by_role("textbox", name="count", exact=True).fill("1000")
    page.get_by_text("cup", exact=True).click()
    page.get_by_role("button", name=re.compile("^Run")).last.click()
    expect(page.get_by_role("alert")).to_contain_text("less than or equal to 100")
    expect(page.get_by_role("textbox", name="count", exact=True)).to_have_value("1000")
    expect(page.get_by_role("radio", name="cup")).to_be_checked()
    context.close()


def test_choosing_a_step_shows_its_code_and_leaves_the_form_alone(browser: Browser, studio: Studio) -> None:
    """A click in the picture changes the address and the code; what was typed stays."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    visit = Visit(context, studio.url)
    page = visit.open("/workflows/order")
    page.get_by_role("textbox", name="count", exact=True).fill("77")
    page.locator("[data-ready] .node[data-place='fulfil/charge']").click()
    expect(page.get_by_label("Source of charge")).to_contain_text("the bank does not answer")
    expect(page).to_have_url(re.compile("step=fulfil"))
    expect(page.get_by_role("textbox", name="count", exact=True)).to_have_value("77")
    page.get_by_role("navigation", name="Steps").get_by_role("button", name="refuse step").click()
    expect(page.get_by_label("Source of refuse")).to_contain_text("Say which check failed")
    expect(page.get_by_role("textbox", name="count", exact=True)).to_have_value("77")
    context.close()
    assert visit.complaints == []
