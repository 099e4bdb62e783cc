"""A run is canceled while it sleeps, waits or works: the page says so at once, and it stays so."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.journeys import Journey, journey_of, node, status

CASES = {"sleeping": ("nap", "sleep-1", "waiting"), "waiting": ("approve", "ask_boss", "waiting for you")}


@pytest.mark.parametrize(("workflow", "step", "word"), CASES.values(), ids=CASES)
def test_cancel_is_said_at_once(journey: Journey, workflow: str, step: str, word: str) -> None:
    """A day of sleep is left, or a person has all the time there is: cancel does not wait for either."""
    run = journey.site.run(workflow)
    page = journey.goto(f"/runs/{run}")
    expect(status(page)).to_contain_text(word)
    other = journey.goto(f"/runs/{run}", journey.tab())
    expect(status(other)).to_contain_text(word)
    other.evaluate("window.isTheSame = true")

    page.get_by_role("main").get_by_role("button", name="Cancel").click()
    expect(status(page)).to_contain_text("canceled")
    expect(status(other)).to_contain_text("canceled")
    assert other.evaluate("window.isTheSame")
    for one in (page, other):
        expect(node(one, step)).to_have_attribute("data-status", re.compile("canceled|skipped"))
        expect(node(one, "last")).to_have_attribute("data-status", re.compile("pending|skipped|canceled"))
        expect(one.get_by_role("main").get_by_role("button", name="Cancel")).to_have_count(0)
    assert [event["type"] for event in journey.site.events(run)][-1] == "run.canceled"
    assert took(journey, run) < 60


def took(journey: Journey, run: str) -> float:
    """Seconds from the beginning of a run to its end, by its log."""
    events = journey.site.events(run)
    begin, end = (datetime.fromisoformat(event["at"]) for event in (events[0], events[-1]))
    return (end - begin).total_seconds()


def test_a_step_that_works_is_stopped_in_the_middle(journey: Journey) -> None:
    """Its gate never opens, so that only the cancel can end it."""
    run = journey.site.run("gate", {"n": 1, "gate": "never"})
    page = journey.goto(f"/runs/{run}")
    expect(node(page, "gated")).to_have_attribute("data-status", "running")
    page.get_by_role("main").get_by_role("button", name="Cancel").click()
    expect(status(page)).to_contain_text("canceled")
    expect(node(page, "gated")).to_have_attribute("data-status", "canceled")
    assert [event["type"] for event in journey.site.events(run)][-1] == "run.canceled"


def test_a_cancel_that_comes_too_late_is_said_kindly(journey: Journey, browser: Browser) -> None:
    """On a page that does not follow: the run has ended since it was opened."""
    run = journey.site.run("gate", {"n": 1, "gate": "late"})
    options = {"java_script_enabled": False}
    with journey_of(browser, journey.site, options=options, allowed="status of 409") as late:
        page = late.goto(f"/runs/{run}")
        expect(page.get_by_role("main").get_by_role("button", name="Cancel")).to_be_visible()
        journey.goto(f"/runs/{run}")
        journey.site.open("late")
        expect(status(journey.page)).to_contain_text("success")
        page.get_by_role("main").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).to_contain_text("there is nothing to cancel")
        expect(status(page)).to_contain_text("success")
