"""A run is watched in a browser: live to its end, step by step, and to the error of one that failed."""

from __future__ import annotations

import re
import threading

from playwright.sync_api import Page, expect

from engine import StepContext, create_step, create_workflow, step
from tests.browser.barriers import axe, overflow
from tests.browser.hosted import Served
from tests.fixtures import add

GATE = threading.Event()


@step
def gated(data: dict[str, int]) -> dict[str, int]:
    assert GATE.wait(10)
    return data


@step
async def ask(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    answer = await ctx.ask({"n": data["n"]}, int, title="How many more?")
    return {"n": data["n"] + answer}


def deeper(data: dict[str, int]) -> None:
    raise LookupError(f"nothing at {data['n']}")


def broken(data: dict[str, int]) -> None:
    deeper(data)


WORKFLOWS = (
    create_workflow(id="watched").then(add("first")).then(gated).then(add("last")),
    create_workflow(id="fails").then(add("first")).then(create_step(id="broken", execute=broken)),
    create_workflow(id="asks").then(add("first")).then(ask),
    create_workflow(id="both").parallel([ask, gated]),
)


def test_a_run_is_watched_to_its_end_without_a_reload(served: Served, page: Page) -> None:
    GATE.clear()
    run = served.start("watched", wait=False)
    page.goto(f"{served.url}/runs/{run}")
    page.evaluate("window.isTheSame = true")
    status = page.locator("#run-status [data-status]")
    expect(status).to_have_attribute("data-status", "running")
    expect(page.locator(".light")).to_have_attribute("data-state", "live")
    expect(page.locator('.node[data-place="gated"]')).to_have_attribute("data-status", "running")
    expect(page.locator('.node[data-place="last"]')).to_have_attribute("data-status", "pending")

    GATE.set()
    expect(status).to_have_attribute("data-status", "success")
    expect(page.locator('.node[data-place="last"]')).to_have_attribute("data-status", "success")
    expect(page.locator("#timeline a.lane .name")).to_have_text(["first", "gated", "last"])
    expect(page.locator("#run-actions").get_by_role("button")).to_have_text([re.compile("Re-run"), "Delete"])
    assert page.evaluate("window.isTheSame")


def test_a_run_that_is_held_is_stepped_through_by_its_buttons(served: Served, page: Page) -> None:
    GATE.set()
    run = served.start("watched", paused=True)
    page.goto(f"{served.url}/runs/{run}")
    status = page.locator("#run-status [data-status]")
    for done in (["first"], ["first", "gated"]):
        page.get_by_role("button", name="Step").click()
        for place in done:
            expect(page.locator(f'.node[data-place="{place}"]')).to_have_attribute("data-status", "success")
        expect(status).to_have_attribute("data-status", "paused")
    expect(page.locator("#run-actions [aria-disabled=true]")).to_have_count(0)  # the answer to the click is there too
    page.keyboard.press("c")
    expect(status).to_have_attribute("data-status", "success")


def test_the_error_of_a_failed_run_is_where_one_looks_first(served: Served, page: Page) -> None:
    run = served.start("fails")
    page.goto(f"{served.url}/runs")
    page.locator(f'a.main[href="/runs/{run}"]').click()
    inspector = page.locator("#inspector")
    expect(inspector).to_contain_text("LookupError")
    expect(inspector).to_contain_text("nothing at 2")
    expect(inspector.locator("section").first).to_contain_text("in deeper")
    expect(inspector.locator("section").first).to_contain_text("raise LookupError(")
    page.locator('.node[data-place="first"]').click()  # the picture leads to the step
    expect(page.locator("#inspector h2")).to_have_text("first")
    assert "step=first" in page.url


def test_what_is_typed_into_the_question_stays_while_the_page_follows(served: Served, page: Page) -> None:
    GATE.clear()
    run = served.start("both", wait=False)
    page.goto(f"{served.url}/runs/{run}")
    question = page.locator("#run-question")
    expect(question).to_contain_text("How many more?")
    field = question.locator("input.input")
    field.fill("41")
    GATE.set()
    expect(page.locator("#timeline a.lane.is-success .name")).to_have_text(["gated"])
    expect(page.locator("#run-status [data-status]")).to_have_attribute("data-status", "suspended")
    expect(field).to_have_value("41")
    question.get_by_role("button", name="Send answer").click()
    expect(page.locator("#run-status [data-status]")).to_have_attribute("data-status", "success")
    expect(question).to_be_hidden()


def test_the_pages_of_runs_fit_and_the_narrow_ones_have_no_barrier(page: Page, served: Served) -> None:
    asks, fails = served.start("asks"), served.start("fails")
    for path in (
        "/runs",
        f"/runs/{asks}",
        f"/runs/{fails}?view=journal",
        f"/runs/{fails}?view=timeline&step=&tab=events",
    ):
        page.goto(served.url + path)
        for width in (1440, 1024, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert overflow(page) == [], width
        assert axe(page) == []
