"""The list of a run's events is narrowed and frozen while the run goes on; the rest of the page stays as it is."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.barriers import barriers, overflow
from tests.browser.hosted import Served
from tests.browser.journeys import Journey
from tests.browser.test_choosing import WORKFLOWS, opened, stepped  # noqa: F401 - WORKFLOWS are served


def rows(page: Page) -> list[str]:
    return page.locator("#events-table tbody tr:not(.detail) td:nth-child(3)").all_inner_texts()


def test_events_are_narrowed_and_new_ones_that_do_not_fit_stay_away(served: Served, page: Page) -> None:
    """Only what is different is fetched, what is typed is kept, and back leads back."""
    run = served.start("outer", paused=True)
    asked = opened(page, f"{served.url}/runs/{run}?step=&tab=events")
    expect(page.locator(".light")).to_have_attribute("data-state", "live")
    page.get_by_role("navigation", name="Types of events").get_by_role("link", name="run.started").click()
    expect(page).to_have_url(re.compile("type=run.started$"))
    expect(page.locator("#events-table tbody tr")).to_have_count(1)
    text = page.get_by_role("searchbox", name="Text in events")
    text.fill("paus")
    stepped(served, run)
    expect(page.locator("#events-table .chips")).to_contain_text("step.succeeded")
    assert rows(page) == ["run.started"]
    expect(text).to_have_value("paus")
    text.press("Enter")
    expect(page).to_have_url(re.compile("type=run.started&find=paus$"))
    expect(page.locator("#events-table")).to_contain_text("1 of ")
    page.keyboard.press("Escape")
    text.fill("nowhere")
    text.press("Enter")
    expect(page.get_by_role("heading", name="No event fits")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("link", name="Show all events").click()
    expect(page.locator("#events-table tbody tr").last).to_contain_text("run.created")
    expect(page.get_by_role("searchbox", name="Text in events")).to_have_value("")
    page.go_back()
    expect(page.get_by_role("heading", name="No event fits")).to_be_visible()
    assert {one for one in asked if "/static/" not in one} == {f"/{run}/regions"}
    assert page.evaluate("window.isTheSame")


def test_a_frozen_list_stays_still_while_the_page_lives_on(served: Served, page: Page) -> None:
    """What came is counted; an event can be chosen; with the newest it goes on."""
    run = served.start("outer", paused=True)
    opened(page, f"{served.url}/runs/{run}?step=&tab=events")
    expect(page.locator(".light")).to_have_attribute("data-state", "live")
    freeze = page.get_by_role("button", name="Freeze")
    freeze.click()
    expect(freeze).to_have_attribute("aria-pressed", "true")
    before = rows(page)
    stepped(served, run)
    expect(page.locator("#run-stop")).to_contain_text("Paused before inner")
    expect(page.locator("#events-table [role=status]").first).to_contain_text("new events, show")
    assert rows(page) == before
    page.locator("#events-table").get_by_role("link", name="2", exact=True).click()
    expect(page.locator("#event")).to_have_attribute("aria-label", "Event 2")
    assert rows(page) == before
    assert barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert overflow(page) == []
    page.reload()
    expect(freeze).to_have_attribute("aria-pressed", "true")
    assert rows(page) == before
    page.get_by_role("link", name="new events, show").click()
    expect(freeze).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#events-table tbody tr")).not_to_have_count(len(before))


def test_without_scripts_it_is_a_form(browser: Browser, journey: Journey) -> None:
    run = journey.site.run("walk")
    page = browser.new_context(java_script_enabled=False, viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{journey.site.url}/runs/{run}?step=&tab=events&frozen=3")
    assert len(rows(page)) == 3
    page.get_by_role("searchbox", name="Text in events").fill("run.created")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("frozen=3&find=run.created$"))
    assert rows(page) == ["run.created"]
    page.get_by_role("button", name="Freeze").click()
    expect(page).to_have_url(re.compile("tab=events&find=run.created$"))
    page.context.close()
