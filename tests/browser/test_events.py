"""An event of a run is chosen: by keys, by a click in the table, and by its address."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.barriers import barriers
from tests.browser.hosted import Served, watched
from tests.browser.journeys import Journey
from tests.browser.test_choosing import WORKFLOWS, chosen, opened, stepped  # noqa: F401 - WORKFLOWS are served

THIRD = """([key, more]) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }))"""
SEEN = """(one) => {
    const box = one.getBoundingClientRect();
    return one.contains(document.elementFromPoint(box.left + 20, box.top + 10));
}"""


def is_at(page: Page, event: int, step: str) -> None:
    """The event is chosen in the table, and its step everywhere."""
    expect(page.locator("#events-table tr[aria-current] td").first).to_have_text(str(event))
    expect(page.get_by_role("status").filter(has_text=f"Event {event}, ")).to_contain_text(step)  # it is said, too
    chosen(page, step or "Run")
    expect(page).to_have_url(re.compile(rf"event={event}&tab=events$"))
    expect(page.locator(".node.selected")).to_have_count(1 if step else 0)
    if step:
        expect(page.locator(".node.selected")).to_have_attribute("data-place", step)
        expect(page.locator("#timeline [aria-current]")).to_contain_text(step)
    assert page.locator("#event").evaluate(SEEN)


def test_brackets_go_from_event_to_event(served: Served, page: Page) -> None:
    """From the first or the last on; only what is different is fetched; and back leads back."""
    run = served.start("breaks")
    asked = opened(page, f"{served.url}/runs/{run}?step=")
    page.keyboard.press("[")
    last = int(page.locator("#run-events .num").inner_text().partition(" of ")[2])
    is_at(page, last, "")
    page.keyboard.press("]")  # there is none
    page.keyboard.press("[")
    is_at(page, last - 1, "broken")
    page.keyboard.press("[")
    is_at(page, last - 2, "broken")
    page.keyboard.press("]")
    is_at(page, last - 1, "broken")
    assert [one for one in asked if "/static/" not in one] == [f"/{run}/regions"] * 4
    page.go_back()
    is_at(page, last - 2, "broken")
    page.locator("#event").get_by_role("link", name="Choose no event").click()
    expect(page.locator("#event")).to_have_count(0)
    chosen(page, "broken")
    page.keyboard.press("]")
    is_at(page, 1, "")
    page.locator("#events-table").get_by_role("link", name="4", exact=True).click()
    is_at(page, 4, "first")
    assert page.evaluate("window.isTheSame")
    page.reload()
    is_at(page, 4, "first")


def test_brackets_that_are_pressed_faster_than_answers_come_are_not_lost(served: Served, page: Page) -> None:
    """One that is held down goes on as answers come."""
    run = served.start("breaks")
    opened(page, f"{served.url}/runs/{run}?event=1&tab=events")
    asked: list[Route] = []

    def answer(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    page.route("**/regions?*", answer)
    with page.expect_request("**/regions?*"):
        page.keyboard.press("]")
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.evaluate(THIRD, ["]", {"repeat": True}])
    asked[0].continue_()
    is_at(page, 4, "first")
    assert len(asked) == 3


def test_brackets_that_need_a_third_level_work_and_commands_are_left_alone(served: Served, page: Page) -> None:
    """AltGr may come as Ctrl and Alt. Ctrl+[ and Alt+[ belong to the browser; in a field a bracket is text."""
    run = served.start("breaks")
    opened(page, f"{served.url}/runs/{run}?event=3&tab=events")
    assert not page.evaluate(THIRD, ["]", {"modifierAltGraph": True, "ctrlKey": True, "altKey": True}])
    is_at(page, 4, "first")
    assert not page.evaluate(THIRD, ["[", {"modifierAltGraph": True}])
    is_at(page, 3, "first")
    for more in ({"ctrlKey": True}, {"metaKey": True}, {"altKey": True}):
        assert page.evaluate(THIRD, ["]", more])
    page.get_by_role("searchbox", name="Find a step").press("]")
    is_at(page, 3, "first")
    page.evaluate("localStorage.setItem('studio.keys', 'off')")
    page.locator("body").press("]")
    is_at(page, 3, "first")


def test_the_chosen_event_stays_while_others_come(served: Served, page: Page) -> None:
    run = served.start("outer", paused=True)
    opened(page, f"{served.url}/runs/{run}?event=1&tab=events")
    expect(page.locator(".light")).to_have_attribute("data-state", "live")
    before = page.locator("#events-table tbody tr").count()
    stepped(served, run)
    expect(page.locator("#run-stop")).to_contain_text("Paused before inner")
    expect(page.locator("#events-table tbody tr").nth(before)).to_be_attached()
    is_at(page, 1, "")
    assert page.evaluate("window.isTheSame")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_it_is_seen_and_goes_on_by_its_own_buttons(served: Served, browser: Browser, scheme: str) -> None:
    run = served.start("breaks")
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    for page in watched(context):
        page.goto(f"{served.url}/runs/{run}?event=3&tab=events")
        for event in (4, 5):
            page.locator("#event").get_by_role("link", name="Next event").click()
            expect(page.locator("#event")).to_have_attribute("aria-label", f"Event {event}")
            assert page.locator("#event").evaluate(SEEN)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert barriers(page) == []


def test_without_scripts_it_is_a_link(browser: Browser, journey: Journey) -> None:
    run = journey.site.run("walk")
    page = browser.new_context(java_script_enabled=False, viewport={"width": 1440, "height": 700}).new_page()
    page.goto(f"{journey.site.url}/runs/{run}?event=2&tab=events")
    page.locator("#run-events").get_by_role("link", name="Next event").click()
    expect(page).to_have_url(re.compile(r"event=3&tab=events#event$"))
    expect(page.locator("#events-table tr[aria-current] td").first).to_have_text("3")
    expect(page.locator("#event")).to_be_in_viewport()
    page.context.close()
