"""Nothing is lost of what somebody does, or of what happens, while scripts and answers are still on their way."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import APIResponse, Page, Route, expect

from tests.browser.journeys import Journey, node, status
from tests.web.waiting import until

PICTURE = re.compile(r"/graph[.\w-]*\.js")


def held(page: Page, address: re.Pattern[str] | str) -> Callable[[], None]:
    """Hold the answer of what is asked for at an address: the studio has done its part. What lets it come."""
    waiting: list[tuple[Route, APIResponse]] = []
    page.route(address, lambda route: waiting.append((route, route.fetch())))

    def release() -> None:
        until(lambda: page.evaluate("true") and waiting)
        for route, answer in waiting:
            route.fulfill(response=answer)

    return release


def test_a_step_that_is_clicked_before_the_pictures_script_is_there_is_chosen(journey: Journey) -> None:
    page = journey.page
    release = held(page, PICTURE)
    journey.goto(f"/runs/{journey.site.run('walk')}")
    node(page, "step_c").click()
    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector.get_by_role("heading", name="step_c")).to_be_visible()
    release()
    expect(page.locator(".node.selected")).to_have_attribute("data-place", "step_c")


def test_a_picture_whose_script_comes_late_shows_what_has_happened_meanwhile(journey: Journey) -> None:
    page, site = journey.page, journey.site
    run = site.run("gate", {"n": 1, "gate": "late"})
    release = held(page, PICTURE)
    journey.goto(f"/runs/{run}")
    expect(page.locator("#light")).to_have_attribute("data-state", "live")
    site.open("late")
    expect(status(page)).to_contain_text("success")
    expect(node(page, "last")).to_have_attribute("data-status", "pending")
    release()
    expect(node(page, "last")).to_have_attribute("data-status", "success")


def test_an_answer_that_comes_after_the_end_does_not_turn_back_the_page(journey: Journey) -> None:
    """Step is pressed and its answer is slow; somebody else lets the run go on to its end meanwhile."""
    page, site = journey.page, journey.site
    run = site.run("walk", _paused="1")
    journey.goto(f"/runs/{run}")
    expect(page.locator("#light")).to_have_attribute("data-state", "live")
    release = held(page, f"**/runs/{run}/step")
    page.get_by_role("button", name="Step", exact=False).first.click()
    expect(node(page, "step_a")).to_have_attribute("data-status", "success")
    expect(status(page)).to_contain_text("paused")
    site.post(f"/runs/{run}/continue", {})
    expect(status(page)).to_contain_text("success")
    expect(page.locator("#follow[data-address]")).to_have_count(0)  # it knows that there is nothing more to ask for
    page.evaluate("""document.addEventListener("htmx:finally:request", ({ detail }) => {
        window.hasCome ||= detail.ctx?.request?.method === "POST"; })""")
    release()
    until(lambda: page.evaluate("window.hasCome"))
    expect(status(page)).to_contain_text("success")
