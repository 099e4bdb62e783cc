"""The first minute on a phone: nothing sticks out, and a finger hits what it aims at."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.journeys import Journey, Site, journey_of, run_id, status

WIDTH = 390
LEAST = 24
"""Pixels of a target in both directions, if it is no link in running text; a link in a row has the row's height."""

SMALL = """(least) => [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
    .filter((one) => one.checkVisibility({visibilityProperty: true, opacityProperty: true}) && !one.disabled)
    .filter((one) => !one.closest('.sr, [aria-hidden=true], p, dd, .said, .facts, .from, h1, h2, svg'))
    .map((one) => [one.closest('label') ?? one, one])
    .map(([target, one]) => [target.getBoundingClientRect(), one, one.closest('[data-row]')?.clientHeight ?? 0])
    .filter(([box, , row]) => box.width > 1 && (box.width < least || Math.max(box.height, row) < least))
    .map(([box, one]) => `${Math.round(box.width)} x ${Math.round(box.height)}: ${one.outerHTML.slice(0, 120)}`)"""


@pytest.fixture
def phone(browser: Browser, site: Site) -> Iterator[Journey]:
    options = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with journey_of(browser, site, width=WIDTH, height=844, options=options) as made:
        yield made


def fits(page: Page) -> None:
    """The page is as wide as the screen, and no target is too small for a finger."""
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, page.url
    assert page.evaluate(SMALL, LEAST) == [], page.url


def test_the_first_minute_with_a_finger(phone: Journey) -> None:
    """From the list of workflows to a run that was answered, by taps."""
    page = phone.goto("/")
    fits(page)
    page.get_by_role("link", name="approve", exact=True).tap()
    page.wait_for_url(re.compile("/workflows/approve"))
    fits(page)
    page.get_by_role("textbox", name="n", exact=True).fill("4")
    page.get_by_role("button", name=re.compile("^Run( |$)")).last.tap()
    run = run_id(page)
    question = page.get_by_role("article").filter(has_text="Shall we go on?")
    expect(question).to_be_in_viewport()  # first of all: what the run wants to know
    fits(page)
    question.get_by_text("yes", exact=True).tap()
    question.get_by_role("button", name=re.compile("^Send answer")).last.tap()
    page.wait_for_url(re.compile(f"/runs/{run}"))
    expect(status(page)).to_contain_text("success")
    fits(page)
    page.get_by_role("link", name="Journal").tap()
    expect(page.get_by_role("main").get_by_text(re.compile("ask_boss")).first).to_be_visible()
    fits(page)
    page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("^Runs")).tap()
    expect(page.locator(f'a[href="/runs/{run}"]').first).to_be_visible()
    fits(page)


@pytest.mark.parametrize("path", ["/approvals", "/settings", "/workflows/everything", "/workflows/wide?tab=code"])
def test_a_page_fits_a_phone(phone: Journey, path: str) -> None:
    phone.site.run("approve")
    fits(phone.goto(path))
