"""Without a mouse: from the first page to a finished run, and the focus can be seen at every stop."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.journeys import Journey, node, run_id, status

LOOK = """(one) => [one, ...[...one.children].slice(0, 8), one.nextElementSibling, one.closest('label')]
    .filter(Boolean).map((element) => getComputedStyle(element)).map((style) => [style.outlineStyle, style.outlineWidth,
    style.outlineColor, style.boxShadow, style.borderColor, style.backgroundColor, style.stroke, style.strokeWidth,
    style.textDecorationLine].join(' ')).join(' | ')"""
SHOWS = f"""() => {{
    const one = document.activeElement;
    if (one === document.body || (window.checked ??= new Set()).has(one)) return '';
    window.checked.add(one);
    const look = {LOOK};
    const box = one.getBoundingClientRect();
    const inside = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth && box.width > 0;
    const on = look(one);
    one.blur();
    const off = look(one);
    one.focus({{focusVisible: true, preventScroll: true}});
    return inside && on !== off ? '' : `${{inside ? 'no mark' : 'out of sight'}}: ${{one.outerHTML.slice(0, 160)}}`;
}}"""


def press_tab(page: Page) -> None:
    """Go on to the next stop, where the focus must be seen (of a date's parts, the first is looked at)."""
    page.keyboard.press("Tab")
    assert page.evaluate(SHOWS) == "", page.url


def tab_to(page: Page, wanted: Locator, most: int = 80) -> None:
    """Press Tab until it has the focus."""
    for _ in range(most):
        press_tab(page)
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"not reached by {most} tabs: {wanted}")


def test_from_the_first_page_to_the_result(journey: Journey) -> None:
    """Filter, open, fill in, run, answer, read: every one by keys."""
    page = journey.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("approve")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=approve"))
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="approve", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/workflows/approve"))

    field = page.get_by_role("textbox", name="n", exact=True)
    tab_to(page, field)
    page.keyboard.press("Control+a")
    page.keyboard.type("4")
    page.keyboard.press("Control+Enter")
    run = run_id(page)
    question = page.get_by_role("article").filter(has_text="Shall we go on?")
    expect(question).to_be_visible()
    tab_to(page, question.get_by_role("radio", name="yes"))
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(f"/runs/{run}"))
    expect(status(page)).to_contain_text("success")
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text('"n": 16')


def test_the_picture_is_walked_by_arrows(journey: Journey) -> None:
    """It is one stop; arrows go along its lines; Enter shows the step, and its tabs can be reached."""
    run = journey.site.run("choice", {"n": 9})
    page = journey.goto(f"/runs/{run}")
    expect(page.locator("[data-canvas][data-ready]")).to_be_attached()
    stops = page.locator(".node[tabindex='0']")
    expect(stops).to_have_count(1)
    tab_to(page, stops)
    page.keyboard.press("ArrowDown")
    expect(node(page, "high").or_(node(page, "low")).and_(page.locator(":focus"))).to_have_count(1)
    page.keyboard.press("ArrowRight")
    expect(node(page, "low")).to_be_focused()
    assert page.evaluate(SHOWS) == ""
    page.keyboard.press("ArrowLeft")
    expect(node(page, "high")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Inspector").get_by_role("heading", name="high")).to_be_visible()
    tab_to(page, page.get_by_role("link", name="Code", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text("data.n + amount")


def test_views_are_chosen_by_numbers_and_pages_by_two_letters(journey: Journey) -> None:
    run = journey.site.run("walk")
    page = journey.goto(f"/runs/{run}")
    for key, view in {"3": "journal", "2": "timeline", "1": "graph"}.items():
        page.keyboard.press(key)
        page.wait_for_url(re.compile(f"view={view}"))
    for keys, path in {"gr": "/runs", "ga": "/approvals", "gs": "/settings", "gw": "/"}.items():
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(re.compile(f"{re.escape(path)}$"))


def test_help_and_palette_open_by_keys_and_give_the_focus_back(journey: Journey) -> None:
    """And letters typed there are no commands."""
    page = journey.goto("/runs")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    expect(help_).to_be_visible()
    assert page.evaluate("document.querySelector('dialog[open]').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()

    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go to")
    expect(palette).to_be_visible()
    page.keyboard.type("gate")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/workflows/gate"))
    page.keyboard.press("Control+k")
    page.keyboard.type("nothing is called so")
    page.keyboard.press("Escape")  # the first one empties a search
    expect(palette.get_by_role("searchbox")).to_have_value("")
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()


def test_letters_can_be_turned_off(journey: Journey) -> None:
    """In the settings, for this browser."""
    page = journey.goto("/settings")
    page.get_by_role("main").get_by_role("checkbox", name=re.compile("Single letters")).uncheck()
    journey.goto("/runs")
    for key in "ga":
        page.keyboard.press(key)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert page.url.endswith("/runs")
    page.keyboard.press("Control+k")  # no single letter
    expect(page.get_by_role("dialog", name="Go to")).to_be_visible()


@pytest.mark.parametrize(
    "path", ["/", "/workflows/everything", "/runs?workflow=walk", "/approvals", "/settings", "RUN"]
)
def test_the_focus_is_seen_at_every_stop_of_a_page(journey: Journey, path: str) -> None:
    """Around by Tab: every stop is in sight and marked, and there is a way out."""
    page = journey.goto(path.replace("RUN", f"/runs/{journey.site.run('approve')}"))
    seen: list[str] = []
    while len(seen) < 250:
        press_tab(page)
        where = page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if seen and where in (seen[0], page.evaluate("document.body.outerHTML.slice(0, 200)")):
            break
        seen.append(where)
    assert 8 < len(seen) < 250, seen[-3:]
