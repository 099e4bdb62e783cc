"""With JavaScript off all of it works: rows are added by buttons, runs start, questions are answered."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.journeys import Journey, Site, journey_of, node, run_id, status


@pytest.fixture
def plain(browser: Browser, site: Site) -> Iterator[Journey]:
    with journey_of(browser, site, options={"java_script_enabled": False}) as made:
        yield made


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("complementary", name="Run it").get_by_role("textbox", name=name, exact=True)


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=re.compile(f"^{name}( |$)")).last.click()


def reload_until(page: Page, found: Locator, text: str) -> None:
    """What a person does whose page does not follow: load it again."""
    for _ in range(200):
        if text in (found.text_content() or ""):
            return
        page.reload()
    expect(found).to_contain_text(text)


def test_rows_are_added_by_buttons_and_the_run_gets_them(plain: Journey) -> None:
    """Two rows in a list and one in a dict; what was typed before stays."""
    page = plain.goto("/workflows/everything")
    for name, text in {"name": "Ann", "age": "44", "day": "2026-03-01", "number": "1234", "password": "s3cret"}.items():
        box(page, name).fill(text)
    box(page, "item").fill("tea")
    box(page, "amount").fill("2")
    page.get_by_role("button", name="Add to lines").click()
    expect(box(page, "item")).to_have_count(2)
    box(page, "item").nth(1).fill("milk")
    box(page, "amount").nth(1).fill("3")
    page.get_by_role("button", name="Add to prices").click()
    prices = page.get_by_role("group", name=re.compile("^prices")).get_by_role("textbox")
    prices.first.fill("tea")
    prices.nth(1).fill("250")
    page.get_by_role("button", name="Move lines 2 up").click()
    expect(box(page, "item").first).to_have_value("milk")
    expect(box(page, "name")).to_have_value("Ann")
    box(page, "password").fill("s3cret")  # a secret is never sent back
    press(page, "Run")
    run = run_id(page)
    reload_until(page, status(page), "success")
    (began,) = [event["data"]["input"] for event in plain.site.events(run) if event["type"] == "run.started"]
    assert (began["lines"], began["prices"]) == (
        [{"item": "milk", "amount": 3}, {"item": "tea", "amount": 2}],
        {"tea": 250},
    )


def test_the_json_editor_is_another_page(plain: Journey) -> None:
    """There with what was typed, back with what was changed, and a run of it."""
    page = plain.goto("/workflows/walk")
    box(page, "n").fill("7")
    press(page, "Edit as JSON")
    expect(box(page, "Value as JSON")).to_have_value(re.compile('"n": 7'))
    box(page, "Value as JSON").fill('{"n": 20')
    press(page, "Run")
    expect(page.get_by_role("alert")).to_contain_text("not JSON")
    expect(box(page, "Value as JSON")).to_have_value('{"n": 20')
    box(page, "Value as JSON").fill('{"n": 20}')
    press(page, "Edit as form")
    expect(box(page, "n")).to_have_value("20")
    press(page, "Run")
    run_id(page)
    reload_until(page, status(page), "success")
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text('"n": 25')


def test_a_question_is_answered_wrongly_then_rightly(plain: Journey) -> None:
    """On the run's page, from its link in the list of runs."""
    run = plain.site.run("approve")
    page = plain.goto("/runs?workflow=approve")
    page.locator(f'a[href="/runs/{run}"]').first.click()
    reload_until(page, page.get_by_role("main"), "Shall we go on?")
    page.get_by_role("textbox", name="note").fill("why not")
    press(page, "Send answer")
    expect(page.get_by_role("alert")).to_contain_text("needed")
    expect(page.get_by_role("textbox", name="note")).to_have_value("why not")
    page.get_by_text("no", exact=True).click()
    press(page, "Send answer")
    page.wait_for_url(re.compile(f"/runs/{run}"))
    reload_until(page, status(page), "success")


def test_a_run_is_stepped_continued_and_canceled(plain: Journey) -> None:
    """The buttons are forms, the steps are links; no page says that it follows."""
    page = plain.goto("/workflows/walk")
    page.get_by_role("checkbox", name="Run paused at start").check()
    press(page, "Run")
    run_id(page)
    reload_until(page, status(page), "paused")
    press(page, "Step")
    expect(node(page, "step_a")).to_have_attribute("data-status", "success")
    expect(node(page, "step_b")).not_to_have_attribute("data-status", "success")
    page.get_by_role("main").get_by_text("Steps", exact=True).click()
    page.get_by_role("link", name=re.compile("step_a")).first.click()
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text('"n": 2')
    press(page, "Continue")
    reload_until(page, status(page), "success")
    plain.goto(f"/runs/{plain.site.run('nap')}")
    reload_until(page, status(page), "waiting")
    press(page, "Cancel")
    reload_until(page, status(page), "canceled")
    expect(page.get_by_text("shown as loaded")).to_be_visible()


def test_what_only_works_with_scripts_is_not_there(plain: Journey) -> None:
    page = plain.goto("/settings")
    expect(page.get_by_role("radio", name="Dark")).to_have_count(0)
    expect(page.get_by_text("need JavaScript")).to_be_visible()
    expect(page.get_by_role("button", name="Go to")).to_have_count(0)
