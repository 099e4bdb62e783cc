"""Choosing what a run's page shows: only that is fetched; and what became of a button stays until it is dismissed."""

from __future__ import annotations

import asyncio
import re
import threading

from playwright.sync_api import Browser, Page, expect

from engine import create_workflow
from tests.browser.barriers import faults
from tests.browser.hosted import Served, watched
from tests.fixtures import add, fail

INNER = create_workflow(id="inner").then(add("deep")).then(add("deeper"))
WORKFLOWS = (
    create_workflow(id="outer").then(add("first")).then(INNER).then(add("last")),
    create_workflow(id="breaks").then(add("first")).then(fail("broken")).then(add("last")),
)
SHOWN = "() => document.querySelector('svg.workflow').getAttribute('viewBox')"


def stepped(served: Served, run_id: str) -> None:
    """Somebody else steps the run."""

    async def go() -> None:
        run = await served.hosting.engine.get_run(run_id)
        await served.hosting.act(run.step)

    thread = threading.Thread(target=lambda: asyncio.run(go()))  # the browser has this one's loop
    thread.start()
    thread.join()


def opened(page: Page, address: str) -> list[str]:
    """Go there; what is asked for from then on."""
    page.goto(address)
    expect(page.locator("[data-canvas][data-ready]")).to_be_attached()
    page.wait_for_load_state("networkidle")
    page.evaluate("window.isTheSame = true")
    asked: list[str] = []
    home = address.rpartition("/")[0]
    page.on("request", lambda request: asked.append(request.url.partition("?")[0].removeprefix(home)))
    return asked


def chosen(page: Page, title: str) -> None:
    expect(page.locator("#inspector h2").first).to_have_text(title)


def test_another_step_is_fetched_alone_and_the_picture_stays_as_it_is(served: Served, page: Page) -> None:
    run = served.start("outer")
    asked = opened(page, f"{served.url}/runs/{run}")
    page.get_by_role("button", name="Larger").click()
    page.get_by_role("button", name="Larger").click()
    shown = page.evaluate(SHOWN)
    page.locator('.node[data-place="first"]').click()
    chosen(page, "first")
    expect(page).to_have_url(re.compile(r"step=first"))
    expect(page.locator("#run-outline [aria-current]")).to_have_attribute("data-place", "first")
    page.locator('#timeline a[href*="step=last"]').click()
    chosen(page, "last")
    expect(page.locator(".node.selected")).to_have_attribute("data-place", "last")
    expect(page.locator("#timeline [aria-current]")).to_contain_text("last")
    page.get_by_role("navigation", name="Inspector").get_by_role("link", name="Code").click()
    expect(page.locator("#inspector-tabs [aria-current]")).to_have_text("Code")
    assert [one for one in asked if "/static/" not in one] == [f"/{run}/regions"] * 3
    page.go_back()
    expect(page.locator("#inspector-tabs [aria-current]")).to_have_text("Data")
    page.go_back()
    chosen(page, "first")
    expect(page.locator(".node.selected")).to_have_attribute("data-place", "first")
    page.go_back()
    chosen(page, "Run")
    page.go_forward()
    chosen(page, "first")
    assert page.evaluate(SHOWN) == shown
    assert page.evaluate("window.isTheSame")
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Journal").click()  # the step goes along
    expect(page).to_have_url(re.compile(r"view=journal&step=first"))


def test_what_is_opened_of_the_picture_stays_open(served: Served, page: Page) -> None:
    run = served.start("outer")
    opened(page, f"{served.url}/runs/{run}")
    page.locator('svg a.fold[data-fold="inner"]').click()
    expect(page.locator('.node[data-place="inner/deep"]')).to_be_visible()
    page.locator('.node[data-place="inner/deep"]').click()
    chosen(page, "deep")
    expect(page).to_have_url(re.compile(r"step=inner%2Fdeep.*&open=inner"))
    page.locator('.node[data-place="first"]').click()
    chosen(page, "first")
    expect(page).to_have_url(re.compile(r"step=first.*&open=inner"))
    assert page.evaluate("window.isTheSame")
    page.reload()
    chosen(page, "first")
    expect(page.locator('.node[data-place="inner/deep"]')).to_be_visible()


def test_the_chosen_step_stays_while_the_run_goes_on(served: Served, page: Page) -> None:
    run = served.start("outer", paused=True)
    opened(page, f"{served.url}/runs/{run}")
    expect(page.locator(".light")).to_have_attribute("data-state", "live")
    page.locator('.node[data-place="last"]').click()
    chosen(page, "last")
    stepped(served, run)
    expect(page.locator("#run-stop")).to_contain_text("Paused before inner")
    chosen(page, "last")
    assert page.evaluate("window.isTheSame")


def test_why_a_button_did_nothing_is_said_until_it_is_dismissed(served: Served, browser: Browser) -> None:
    run = served.start("outer", paused=True)
    context = browser.new_context()  # its console tells of the refusal
    page = context.new_page()
    opened(page, f"{served.url}/runs/{run}?step=first")
    expect(page.locator(".light")).to_have_attribute("data-state", "live")
    page.get_by_text("Break only if").click()
    page.get_by_label("Condition").fill("n >")
    page.get_by_role("button", name="Break before, then").click()
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    expect(page.get_by_label("Condition")).to_have_value("n >")  # to be mended
    stepped(served, run)
    expect(page.locator("#run-stop")).to_contain_text("Paused before inner")  # frames and regions have come
    expect(alert).to_be_visible()
    alert.get_by_role("link", name="Dismiss").click()
    expect(alert).to_have_count(0)
    assert page.evaluate("window.isTheSame")
    page.get_by_role("button", name="Break before, then").click()
    expect(alert).to_be_visible()
    page.get_by_role("button", name="Step").click()
    expect(alert).to_have_count(0)  # the next button worked
    context.close()


CUT = """() => [
    ...[...document.querySelectorAll(".actions, .tabs")].filter((one) => one.scrollWidth > one.clientWidth),
    ...[...document.querySelectorAll(".actions .btn, .tabs a")].filter((one) => {
        const { left, right, width } = one.getBoundingClientRect();
        return width > 0 && (left < 0 || right > innerWidth);
    }),
].filter((one) => one.checkVisibility()).map((one) => one.innerText)"""


def test_nothing_that_can_be_pressed_is_cut_off(served: Served, page: Page) -> None:
    paused, failed = served.start("outer", paused=True), served.start("breaks")
    for path in (f"/runs/{paused}?step=first", f"/runs/{failed}", "/workflows/outer"):
        page.goto(served.url + path)
        for width in (390, 1024):
            assert faults(page, width) == []
            assert page.evaluate(CUT) == [], (path, width)


def test_on_a_phone_a_workflows_form_says_that_it_is_first_and_where_the_graph_is(
    served: Served, browser: Browser
) -> None:
    pages = watched(browser.new_context(viewport={"width": 390, "height": 844}))
    page = next(pages)
    page.goto(f"{served.url}/workflows/outer")
    tabs = page.get_by_role("navigation", name="Views").get_by_role("link")
    said = [text.split("\n")[0] for text in tabs.all_inner_texts()]
    assert said == ["Run", "Graph", "Runs", "Code", "Metrics"]
    tabs.filter(has_text="Graph").click()
    expect(page.locator('.node[data-place="first"]')).to_be_in_viewport()
    tabs.filter(has_text=re.compile("^Run$")).click()
    expect(page.locator("#launch")).to_be_in_viewport()
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(tabs.first).to_have_text("Graph")
    next(pages, None)
