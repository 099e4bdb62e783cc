"""Lists that change while somebody looks at them: nothing jumps, and nothing that was typed or chosen is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.barriers import faults
from tests.browser.journeys import Journey, Site, journey_of

WIDTHS = (1440, 390)


@pytest.fixture
def person(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """At a studio where nothing has happened yet."""
    site = Site(tmp_path_factory.mktemp("lists"))
    with journey_of(browser, site) as made:
        yield made
    site.close()


def live(page: Page) -> Page:
    """The page once it is connected. It must not be loaded again after that."""
    expect(page.locator("#light")).to_have_attribute("data-state", "live")
    page.evaluate("window.isTheSame = true")
    return page


def place(locator: Locator) -> tuple[float, float]:
    """Where something is on the screen."""
    box = locator.bounding_box()
    assert box
    return box["x"], box["y"]


def answered(site: Site, run: str) -> None:
    """Somebody else answers the question of a run."""
    (asked,) = [event for event in site.events(run) if event["type"] == "step.suspended"]
    form = {"_mode": "json", "_json": '{"approve": true}'}
    assert site.post(f"/approvals/{asked['data']['token']}?run={run}", form)[0] == 303


def row(page: Page, run: str) -> Locator:
    return page.locator("tr", has=page.locator(f"a[href='/runs/{run}']"))


def test_rows_change_in_place_and_new_ones_are_only_announced(person: Journey) -> None:
    site = person.site
    first, waits = site.run("walk"), site.run("approve")
    page = live(person.goto("/runs"))
    row(page, first).get_by_role("checkbox").check()
    row(page, waits).get_by_role("checkbox").focus()
    before = place(row(page, first))
    expect(row(page, waits)).to_contain_text("waiting for you")
    answered(site, waits)
    expect(row(page, waits)).to_contain_text("success")
    for _ in range(2):
        new = site.run("walk")
    show = page.get_by_role("link", name="2 new runs, show")
    expect(show).to_be_visible()
    expect(page.get_by_role("navigation", name="Status")).to_contain_text(re.compile(r"success\s*4"))
    expect(row(page, new)).to_have_count(0)
    assert place(row(page, first)) == before
    expect(row(page, first).get_by_role("checkbox")).to_be_checked()
    expect(row(page, waits).get_by_role("checkbox")).to_be_focused()
    assert page.evaluate("window.isTheSame")
    show.click()
    expect(row(page, new)).to_be_visible()


def test_an_answer_that_is_being_typed_outlives_what_happens_around_it(person: Journey) -> None:
    site = person.site
    first, second = site.run("approve"), site.run("approve")
    page = live(person.goto("/approvals"))
    questions = page.get_by_role("article")
    expect(questions).to_have_count(2)
    questions.nth(1).locator("summary", has_text="Answer").click()
    note = questions.nth(1).get_by_role("textbox", name=re.compile("^note"))
    note.fill("half a sent")
    note.press("End")
    third = site.run("approve")
    expect(questions).to_have_count(3)
    expect(questions.nth(2)).to_contain_text("Shall we go on?")
    questions.nth(2).locator("summary", has_text="Answer").click()
    questions.nth(2).get_by_role("textbox", name=re.compile("^note")).fill("new too")
    note.focus()
    answered(site, first)
    gone = page.get_by_role("status").filter(has_text="Answered.")
    expect(gone).to_be_visible()
    site.run("approve")
    expect(questions).to_have_count(4)
    expect(note).to_have_value("half a sent")
    expect(note).to_be_focused()
    newer = page.locator("#questions-came").get_by_role("textbox", name=re.compile("^note")).first
    expect(newer).to_have_value("new too")
    expect(page.locator("#questions-open")).to_contain_text("3 open")
    assert page.evaluate("window.isTheSame")
    questions.nth(1).get_by_text("yes", exact=True).click()
    questions.nth(1).get_by_role("button", name=re.compile("^Send answer")).last.click()
    expect(page.get_by_role("status").filter(has_text="The run goes on")).to_be_visible()
    (done,) = [event for event in site.events(second) if event["type"] == "step.resumed"]
    assert done["data"]["answer"] == {"approve": True, "note": "half a sent"}
    assert [event for event in site.events(third) if event["type"] == "step.resumed"] == []


def test_the_empty_page_of_questions_fills_by_itself(person: Journey) -> None:
    page = live(person.goto("/approvals"))
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    person.site.run("approve")
    expect(page.get_by_role("article")).to_contain_text("Shall we go on?")
    expect(page.get_by_text("Nothing waits for you")).to_be_hidden()


def test_a_card_shows_what_runs_while_it_is_looked_at(person: Journey) -> None:
    page = live(person.goto("/"))
    card = page.get_by_role("article").filter(has=page.get_by_role("link", name="approve", exact=True))
    expect(card).to_contain_text("No runs yet")
    before = place(card)
    run = person.site.run("approve")
    expect(card).to_contain_text("1 waiting")
    expect(card.locator(f"a[href='/runs/{run}']")).to_have_count(1)
    answered(person.site, run)
    expect(card).to_contain_text("100 %")
    expect(card).not_to_contain_text("waiting")
    assert place(card) == before
    assert page.evaluate("window.isTheSame")


def test_lists_have_no_barrier_and_fit(person: Journey) -> None:
    """Each with something in it, and with a question that was answered while it was looked at."""
    site = person.site
    waits, _, again = site.run("approve"), site.run("fails"), site.run("flaky")
    page = person.page
    live(person.goto("/approvals"))
    answered(site, waits)
    expect(page.get_by_role("status").filter(has_text="Answered.")).to_be_visible()
    assert faults(page, *WIDTHS) == []
    for path in ("/runs", "/runs?tag=none", "/workflows/flaky?tab=metrics", "/workflows/quiet?tab=metrics", "/"):
        assert faults(person.goto(path), *WIDTHS) == []
    person.goto("/runs")
    row(page, again).get_by_role("checkbox").check()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.get_by_role("button", name="Delete")).to_be_in_viewport()
    assert faults(page, *WIDTHS) == []
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Delete 1 run?")).to_be_visible()
    assert faults(page, *WIDTHS) == []
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url(re.compile("/runs$"))
    expect(row(page, again)).to_have_count(0)
