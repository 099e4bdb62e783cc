"""Wrong inputs, of every kind: each is said beside its field, nothing typed is lost, and the right ones start a run."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.journeys import Journey, node, run_id, status

REMARKS = "first line\n  second line <b>&amp;</b> “quoted”"


def launch(page: Page) -> Locator:
    """The form that starts a run."""
    return page.get_by_role("complementary", name="Run it")


def box(page: Page, name: str) -> Locator:
    return launch(page).get_by_role("textbox", name=name, exact=True)


def said(field: Locator) -> str:
    """What stands beside a field: the texts that it refers to as its description."""
    return field.evaluate(
        "(field) => (field.getAttribute('aria-describedby') ?? '').split(' ').filter(Boolean)"
        ".map((id) => document.getElementById(id)?.textContent.trim() ?? `nothing has the id ${id}`).join(' | ')"
    )


def press_run(page: Page) -> None:
    launch(page).get_by_role("button", name=re.compile("^Run( |$)")).last.click()


def fill_wrongly(page: Page) -> None:
    """Something wrong in every field that can be wrong; the rest is filled in, too."""
    box(page, "name").fill("ab")
    box(page, "age").fill("12 years")
    box(page, "price").fill("-1")
    launch(page).get_by_text("cup", exact=True).click()
    launch(page).get_by_role("checkbox", name="gift").check()
    box(page, "item").fill("x")
    box(page, "amount").fill("10")
    box(page, "number").fill("12a4")
    box(page, "time zone of at").fill("Nowhere/City")
    box(page, "at").fill("2026-03-01T10:30")
    box(page, "nick").fill("Zoë")
    box(page, "remarks").fill(REMARKS)


def test_every_kind_of_wrong_input_is_said_beside_its_field_and_nothing_typed_is_lost(journey: Journey) -> None:
    """Two rounds: what can't be read as a value, then what the workflow does not take; then it runs."""
    page = journey.goto("/workflows/everything")
    fill_wrongly(page)
    press_run(page)
    expect(launch(page).get_by_role("alert")).to_be_visible()
    beside = {name: said(box(page, name)) for name in ("age", "day", "at")}
    assert "not a whole number" in beside["age"]
    assert "needed" in beside["day"]
    assert "Nowhere/City" in beside["at"]
    kept(page)

    box(page, "age").fill("12")
    box(page, "day").fill("2026-03-01")
    box(page, "time zone of at").fill("Europe/Vienna")
    box(page, "password").fill("open sesame")
    press_run(page)
    expect(box(page, "name")).to_have_attribute("aria-invalid", "true")
    beside = {name: said(box(page, name)) for name in ("name", "age", "price", "item", "amount", "number")}
    assert "at least 3 characters" in beside["name"]
    assert "greater than or equal to 18" in beside["age"]
    assert "greater than 0" in beside["price"]
    assert "at least 2 characters" in beside["item"]
    assert "less than or equal to 9" in beside["amount"]
    assert "match" in beside["number"]
    kept(page)
    expect(box(page, "day")).to_have_value("2026-03-01")
    problems = launch(page).get_by_role("alert").get_by_role("link")
    problems.filter(has_text="amount").click()
    expect(box(page, "amount")).to_be_focused()  # the list of what is wrong leads there

    for name, text in {
        "name": "Ann",
        "age": "44",
        "price": "1.5",
        "item": "tea",
        "amount": "9",
        "number": "1234",
    }.items():
        box(page, name).fill(text)
    box(page, "password").fill("open sesame")
    press_run(page)
    run = run_id(page)
    expect(status(page)).to_contain_text("success")
    (began,) = [event for event in journey.site.events(run) if event["type"] == "run.started"]
    assert "open sesame" not in json.dumps(began)
    expect(page.get_by_role("main")).not_to_contain_text("open sesame")


def kept(page: Page) -> None:
    """What was typed is there as it was typed."""
    expect(box(page, "price")).to_have_value("-1")
    expect(launch(page).get_by_role("radio", name="cup")).to_be_checked()
    expect(launch(page).get_by_role("checkbox", name="gift")).to_be_checked()
    expect(box(page, "item")).to_have_value("x")
    expect(box(page, "amount")).to_have_value("10")
    expect(box(page, "number")).to_have_value("12a4")
    expect(box(page, "at")).to_have_value("2026-03-01T10:30")
    expect(box(page, "nick")).to_have_value("Zoë")
    expect(box(page, "remarks")).to_have_value(REMARKS)


def test_rows_are_added_moved_and_removed_and_keep_what_was_typed(journey: Journey) -> None:
    """Lists and dicts; the page is not left, and the focus goes where one types next."""
    page = journey.goto("/workflows/everything")
    page.evaluate("window.isTheSame = true")
    box(page, "name").fill("Ann")
    lines = launch(page).get_by_role("group", name=re.compile("^lines ≥"))
    box(page, "item").fill("tea")
    lines.get_by_role("button", name="Add to lines").click()
    second = lines.get_by_role("textbox", name="item", exact=True).nth(1)
    expect(second).to_be_focused()
    second.fill("milk")
    lines.get_by_role("button", name="Move lines 2 up").click()
    expect(lines.get_by_role("textbox", name="item", exact=True).nth(0)).to_have_value("milk")
    expect(lines.get_by_role("textbox", name="item", exact=True).nth(1)).to_have_value("tea")
    lines.get_by_role("button", name="Remove lines 1").click()
    expect(lines.get_by_role("textbox", name="item", exact=True)).to_have_count(1)
    expect(lines.get_by_role("textbox", name="item", exact=True)).to_have_value("tea")

    prices = launch(page).get_by_role("group", name=re.compile("^prices"))
    prices.get_by_role("button", name="Add to prices").click()
    expect(prices.get_by_role("textbox").first).to_be_focused()
    page.keyboard.type("tea")
    prices.get_by_role("textbox").nth(1).fill("3")
    expect(box(page, "name")).to_have_value("Ann")
    assert page.evaluate("window.isTheSame")


def test_the_alternatives_of_a_union_each_keep_what_was_typed(journey: Journey) -> None:
    """Choosing another one shows its fields only."""
    page = journey.goto("/workflows/everything")
    box(page, "number").fill("1234")
    launch(page).get_by_text("cash", exact=True).first.click()
    expect(box(page, "number")).to_be_hidden()
    box(page, "given").fill("20")
    launch(page).get_by_text("card", exact=True).first.click()
    expect(box(page, "number")).to_have_value("1234")
    expect(box(page, "given")).to_be_hidden()


def test_the_json_editor_and_the_fields_show_the_same_value(journey: Journey) -> None:
    """There and back; wrong JSON is said and stays as it was typed; the value typed there starts a run."""
    page = journey.goto("/workflows/gate")
    box(page, "n").fill("7")
    launch(page).get_by_role("button", name="Edit as JSON").click()
    editor = box(page, "Value as JSON")
    expect(editor).to_have_value(re.compile('"n": 7'))
    editor.fill('{"n": 8, "gate": "a"}')
    launch(page).get_by_role("button", name="Edit as form").click()
    expect(box(page, "n")).to_have_value("8")
    expect(box(page, "gate")).to_have_value("a")
    launch(page).get_by_role("button", name="Edit as JSON").click()
    for wrong, message in {
        '{"n": 8': "not JSON",
        '{"n": "many"}': "integer",
        "": "needed",
        '{"n": 1, "n": 2}': "given twice",
    }.items():
        editor.fill(wrong)
        press_run(page)
        expect(launch(page).get_by_role("alert")).to_contain_text(message)
        expect(editor).to_have_value(wrong)
        assert message in said(editor)
    editor.fill('{"n": 5}')
    press_run(page)
    run_id(page)
    expect(status(page)).to_contain_text("success")
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text('"n": 7')


@pytest.mark.parametrize("field", ["n", "gate"])
def test_ctrl_enter_sends_the_form_from_any_field(journey: Journey, field: str) -> None:
    """And so does a plain Enter in a field of one line."""
    page = journey.goto("/workflows/walk")
    box(page, field).press("Control+Enter" if field == "n" else "Enter")
    run_id(page)
    expect(status(page)).to_contain_text("success")


def test_ctrl_enter_sends_it_from_a_text_of_several_lines_where_enter_does_not(journey: Journey) -> None:
    page = journey.goto("/workflows/everything")
    box(page, "remarks").fill("one")
    box(page, "remarks").press("Enter")
    expect(box(page, "remarks")).to_have_value("one\n")
    box(page, "remarks").press("Control+Enter")
    expect(launch(page).get_by_role("alert")).to_be_visible()
    expect(box(page, "remarks")).to_have_value("one\n")


def test_a_wrong_answer_to_a_question_asks_again_and_the_run_lives(journey: Journey) -> None:
    """On the run's own page; then the right one lets it go on."""
    run = journey.site.run("approve")
    page = journey.goto(f"/runs/{run}")
    question = page.get_by_role("article").filter(has_text="Shall we go on?")
    question.get_by_role("textbox", name="note").fill("not sure yet")
    question.get_by_role("button", name=re.compile("^Send answer")).last.click()
    question = page.get_by_role("article").filter(has_text="Shall we go on?")
    expect(question.get_by_role("alert")).to_contain_text("needed")
    expect(question.get_by_role("textbox", name="note")).to_have_value("not sure yet")
    question.get_by_text("yes", exact=True).click()
    question.get_by_role("textbox", name="note").press("Control+Enter")
    page.wait_for_url(re.compile(f"/runs/{run}"))
    expect(status(page)).to_contain_text("success")
    expect(node(page, "last")).to_have_attribute("data-status", "success")
