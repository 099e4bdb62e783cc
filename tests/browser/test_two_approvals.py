"""Two questions of one run, open at once: answered in either order, by two people, and one of them twice.

The fault seen elsewhere: after the first answer the page says success and the other question is gone until a reload.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.journeys import Journey, Site, journey_of, node, status

TITLES = {"ask_legal": "Is it legal?", "ask_sales": "Does it sell?"}


def question(page: Page, step: str) -> Locator:
    """The question of a step, where it can be answered."""
    return page.get_by_role("article").filter(has_text=TITLES[step])


def answer(asked: Locator, word: str) -> None:
    """Say yes or no."""
    asked.get_by_text(word, exact=True).click()
    asked.get_by_role("button", name=re.compile("^Send answer")).last.click()


def links(site: Site, run: str) -> dict[str, str]:
    """The address of each open question, by its step."""
    asked = [event for event in site.events(run) if event["type"] == "step.suspended"]
    return {event["path"]: f"/approvals/{event['data']['token']}?run={run}" for event in asked}


@pytest.mark.parametrize("order", [("ask_legal", "ask_sales"), ("ask_sales", "ask_legal")], ids="-".join)
def test_answered_one_after_the_other_the_page_is_right_after_each(journey: Journey, order: tuple[str, str]) -> None:
    """After one answer the run still waits, and the page says so: in its head, in the picture and in its question."""
    first, second = order
    run = journey.site.run("two")
    page = journey.goto(f"/runs/{run}")
    expect(status(page)).to_contain_text("waiting for you")
    where = links(journey.site, run)
    journey.goto(where[first])
    answer(question(page, first), "yes")

    page.wait_for_url(re.compile(f"/runs/{run}"))
    expect(node(page, first)).to_have_attribute("data-status", "success")
    expect(node(page, second)).to_have_attribute("data-status", "suspended")
    expect(node(page, "settle")).to_have_attribute("data-status", "pending")
    expect(status(page)).to_contain_text("waiting for you")
    expect(question(page, second)).to_be_visible()
    expect(question(page, first)).to_have_count(0)

    answer(question(page, second), "no")
    expect(status(page)).to_contain_text("success")
    expect(page.get_by_role("article")).to_have_count(0)
    expect(node(page, "settle")).to_have_attribute("data-status", "success")
    journey.goto(f"/runs/{run}?step=")
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text('"total": 12')


def test_what_one_person_answers_the_other_one_sees_at_once(journey: Journey, browser: Browser) -> None:
    """Two windows at the run's page. No reload: the other window goes on to the next question, then to the end."""
    run = journey.site.run("two")
    mine = journey.goto(f"/runs/{run}")
    with journey_of(browser, journey.site) as other:
        theirs = other.goto(f"/runs/{run}")
        for page in (mine, theirs):
            page.evaluate("window.isTheSame = true")
            expect(question(page, "ask_legal")).to_be_visible()
        answer(question(theirs, "ask_legal"), "yes")
        expect(question(mine, "ask_sales")).to_be_visible()
        expect(question(mine, "ask_legal")).to_have_count(0)
        expect(status(mine)).to_contain_text("waiting for you")
        expect(node(mine, "ask_legal")).to_have_attribute("data-status", "success")
        answer(question(mine, "ask_sales"), "yes")
        expect(status(theirs)).to_contain_text("success")
        expect(question(theirs, "ask_sales")).to_have_count(0)
        expect(status(mine)).to_contain_text("success")


def test_the_number_that_waits_follows_in_every_tab(journey: Journey) -> None:
    """In the navigation and in the title of a page that has nothing to do with the run."""
    page = journey.goto("/settings")
    waiting = page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("^Approvals"))
    before = int((waiting.text_content() or "").split("Approvals")[1].split(" ")[0] or 0)
    run = journey.site.run("two")
    expect(waiting).to_contain_text(str(before + 2))
    expect(page).to_have_title(re.compile(rf"^\({before + 2}\) "))
    for where in links(journey.site, run).values():
        other = journey.goto(where, journey.tab())
        answer(other.get_by_role("article"), "yes")
        other.wait_for_url(re.compile("/runs/"))
    expect(page).to_have_title(re.compile(rf"^\({before}\) " if before else "^Settings"))


def test_who_reads_a_question_sees_that_somebody_else_has_answered_it(journey: Journey) -> None:
    """In the list of questions, and with no reload: the form is gone before one fills it in for nothing."""
    run = journey.site.run("two")
    page = journey.goto("/approvals?workflow=two")
    asked = page.get_by_role("article").filter(has=page.locator(f'a[href="/runs/{run}"]'))
    expect(asked).to_have_count(2)
    page.evaluate("window.isTheSame = true")
    other = journey.goto(links(journey.site, run)["ask_legal"], journey.tab())
    answer(question(other, "ask_legal"), "yes")
    other.wait_for_url(re.compile(f"/runs/{run}"))
    gone = asked.filter(has_text=TITLES["ask_legal"])
    expect(gone).to_contain_text("Answered")
    expect(gone.get_by_role("button", name=re.compile("^Send answer"))).to_have_count(0)
    assert page.evaluate("window.isTheSame")


def test_who_answers_too_late_is_told_who_was_first_and_nothing_is_changed(journey: Journey, browser: Browser) -> None:
    """On a page that does not follow; the second answer meets a page that says what happened, with a way on."""
    run = journey.site.run("two")
    where = links(journey.site, run)["ask_legal"]
    options = {"java_script_enabled": False}
    with journey_of(browser, journey.site, options=options, allowed="status of 409") as late:
        late.goto(where)
        answer(question(journey.goto(where), "ask_legal"), "yes")
        journey.page.wait_for_url(re.compile(f"/runs/{run}"))
        answer(question(late.page, "ask_legal"), "no")
        said = late.page.get_by_role("main")
        expect(said).to_contain_text("This question was answered")
        expect(said).to_contain_text("Nothing was changed by a second answer")
        expect(said).to_contain_text(TITLES["ask_legal"])
        answered = [event for event in journey.site.events(run) if event["type"] == "step.resumed"]
        assert [(event["path"], event["data"]["answer"]["approve"]) for event in answered] == [("ask_legal", True)]
        said.get_by_role("link", name="Open run").click()
        expect(late.page).to_have_url(re.compile(f"/runs/{run}"))
        expect(question(late.page, "ask_sales")).to_be_visible()
