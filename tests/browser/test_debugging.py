"""Debugging in a browser: breakpoints, steps without a reload, forks, deleting, and a server that goes away."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pydantic import BaseModel, Field

from engine import create_workflow, step
from studio.hosting import Hosting
from tests.browser.barriers import faults
from tests.browser.hosted import Served, served_by, watched
from tests.fixtures import add

GATE = threading.Event()


class Order(BaseModel):
    item: str = Field(min_length=2)
    n: int = Field(default=1, ge=1)


@step
async def pack(order: Order) -> dict[str, int]:
    return {"n": order.n}


@step
def stubborn(data: dict[str, int]) -> dict[str, int]:
    GATE.wait(10)
    return data


WORKFLOWS = (
    create_workflow(id="three").then(add("first")).then(add("second")).then(add("third")),
    create_workflow(id="stubborn").then(stubborn),
    create_workflow(id="shop", input_schema=Order).then(pack).then(add("tie")),
)


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    yield from watched(browser.new_context(viewport={"width": 1440, "height": 900}, java_script_enabled=False))


def test_b_sets_a_breakpoint_and_c_and_s_go_on_without_a_reload(served: Served, page: Page) -> None:
    run = served.start("three", paused=True)
    page.goto(f"{served.url}/runs/{run}")
    page.evaluate("window.isTheSame = true")
    expect(page.locator("[data-canvas][data-ready]")).to_be_attached()
    page.locator('.node[data-place="third"]').click()
    expect(page).to_have_url(re.compile("step=third"))
    page.keyboard.press("b")
    expect(page.locator('.node[data-place="third"][data-breakpoint]')).to_have_count(1)
    expect(page.locator("#run-breaks")).to_contain_text("before third")
    expect(page.locator('[data-key="b"]')).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("s")
    expect(page.locator("#run-stop")).to_contain_text("Paused before second")
    expect(page.locator(".node.selected")).to_have_attribute("data-place", "second")  # it goes with the run
    expect(page).to_have_url(f"{served.url}/runs/{run}?view=graph")
    page.keyboard.press("c")
    expect(page.locator("#run-stop")).to_contain_text("Stopped before third (breakpoint)")
    expect(page.locator(".node.selected")).to_have_attribute("data-place", "third")
    page.get_by_role("button", name="Remove the breakpoint before third").click()
    expect(page.locator(".node[data-breakpoint]")).to_have_count(0)
    expect(page.locator("#run-breaks")).to_be_hidden()
    page.keyboard.press("c")
    expect(page.locator("#run-status [data-status]")).to_have_attribute("data-status", "success")
    expect(page.locator(".light")).to_have_attribute("data-state", "ended")
    expect(page.locator("[data-light]")).to_have_text("run has ended")
    assert page.evaluate("window.isTheSame")


def test_cancel_says_at_once_that_it_is_canceling(served: Served, page: Page) -> None:
    GATE.clear()
    run = served.start("stubborn", wait=False)
    page.goto(f"{served.url}/runs/{run}")
    said: list[str] = []

    def hear(route: Route) -> None:
        said.append(page.locator("[data-busy]").inner_text())
        route.continue_()

    page.route("**/cancel", hear)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#run-status [data-status]")).to_have_attribute("data-status", "canceled")
    GATE.set()
    assert said == ["Canceling…"]


def test_an_answer_that_is_no_part_of_the_page_changes_nothing_and_is_told(served: Served, browser: Browser) -> None:
    context = browser.new_context()  # its console tells of the answer
    page = context.new_page()
    page.goto(f"{served.url}/workflows/shop")
    page.locator('[name="$.item"]').fill("kettle")
    page.route("**/workflows/shop/runs", lambda route: route.fulfill(status=500, body="<h1>no</h1>"))
    page.get_by_role("button", name="Edit as JSON").click()
    expect(page.locator("#notices")).to_contain_text("answered with 500")
    expect(page.locator('[name="$.item"]')).to_have_value("kettle")
    context.close()


def test_delete_asks_in_a_dialog(served: Served, page: Page) -> None:
    run = served.start("three")
    page.goto(f"{served.url}/runs/{run}")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_be_hidden()
    expect(page).to_have_url(f"{served.url}/runs/{run}")
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete the run").click()
    expect(page).to_have_url(f"{served.url}/runs")


def test_f_forks_from_the_chosen_step_with_another_input(served: Served, page: Page) -> None:
    run = served.start("three")
    page.goto(f"{served.url}/runs/{run}?step=second")
    page.keyboard.press("f")
    expect(page).to_have_url(f"{served.url}/runs/{run}/fork?step=second")
    page.get_by_role("button", name="Edit as JSON").click()
    page.locator('[name="_json"]').fill('{"n": 40}')
    page.get_by_role("button", name="Fork with this input").click()
    expect(page).to_have_url(re.compile(r"/runs/[\w-]+$"))
    expect(page.locator("#run-status [data-status]")).to_have_attribute("data-status", "success")
    expect(page.locator("#inspector")).to_contain_text('"n": 42')


def test_breakpoints_for_a_run_are_chosen_beside_what_is_typed(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/workflows/shop")
    page.locator('[name="$.item"]').fill("kettle")
    page.locator('.node[data-place="tie"]').click()
    expect(page).to_have_url(re.compile(r"/workflows/shop\?step=tie$"))
    page.get_by_role("navigation", name="Steps").get_by_role("button", name="pack").click()
    expect(page).to_have_url(re.compile(r"/workflows/shop\?step=pack$"))
    page.get_by_role("navigation", name="Steps").get_by_role("button", name="tie").press("Enter")
    expect(page).to_have_url(re.compile(r"/workflows/shop\?step=tie$"))
    expect(page.locator('[name="$.item"]')).to_have_value("kettle")
    page.get_by_role("button", name="Break before").click()
    expect(page.locator("#launch-breaks")).to_contain_text("tie")
    expect(page.locator('.node[data-place="tie"][data-breakpoint]')).to_have_count(1)
    expect(page).to_have_url(re.compile("_break=tie"))
    page.locator('.node[data-place="pack"]').click()
    expect(page.get_by_role("button", name="Break before")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Break after").click()
    expect(page.locator("#launch-breaks li")).to_have_text(["before tie", "after pack"])
    page.get_by_role("link", name="Code", exact=True).click()  # another tab takes along what was typed
    expect(page).to_have_url(re.compile("tab=code"))
    expect(page.locator('[name="$.item"]')).to_have_value("kettle")
    page.get_by_role("button", name="Run", exact=False).first.press("Enter")
    expect(page.locator("#run-stop")).to_contain_text("Stopped after pack (breakpoint)")


def test_past_inputs_are_chosen_in_place(served: Served, page: Page) -> None:
    served.start("three")
    page.goto(f"{served.url}/workflows/three")
    page.get_by_role("link", name="Past inputs").click()
    past = page.locator("#past-inputs a").first
    expect(past).to_contain_text('"n"')
    past.click()
    expect(page).to_have_url(re.compile("from="))
    expect(page.locator(".inspector")).to_contain_text("With the input of run")


def test_without_a_script_all_of_it_is_there(served: Served, plain: Page) -> None:
    plain.goto(f"{served.url}/workflows/shop")
    plain.locator('[name="$.item"]').fill("kettle")
    plain.get_by_role("button", name="tie").click()
    expect(plain.locator('[name="$.item"]')).to_have_value("kettle")
    plain.get_by_role("button", name="Break before").click()
    plain.get_by_role("button", name="Code").click()
    expect(plain.locator('[name="$.item"]')).to_have_value("kettle")
    expect(plain.locator("#launch-breaks")).to_contain_text("tie")
    plain.locator("#launch .submit button").first.click()
    plain.goto(plain.url)
    expect(plain.locator("#run-stop")).to_contain_text("Stopped before tie (breakpoint)")
    plain.get_by_role("button", name="Break after").click()
    expect(plain.locator("#run-breaks")).to_contain_text("after tie")
    plain.get_by_role("link", name="Fork", exact=True).click()
    expect(plain.get_by_role("heading", name="A new run from tie on")).to_be_visible()
    plain.go_back()
    plain.get_by_role("button", name="Cancel").click()
    plain.get_by_role("button", name="Delete").click()
    plain.get_by_role("button", name="Delete the run").click()
    expect(plain).to_have_url(f"{served.url}/runs")


def test_a_server_that_is_gone_is_said_and_clocks_stand_still(browser: Browser) -> None:
    GATE.clear()
    context = browser.new_context()  # its console tells of each try
    page = context.new_page()
    with Hosting(WORKFLOWS) as hosting:
        with served_by(hosting) as served:
            page.goto(f"{served.url}/runs/{served.start('stubborn', wait=False)}")
            expect(page.locator(".light")).to_have_attribute("data-state", "live")
        expect(page.locator("[data-light]")).to_have_text("disconnected, retrying")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#notices")).to_contain_text("No answer from the studio")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("button", name="Cancel")).to_be_enabled()  # and can be pressed again
        clock = page.locator("#run-facts [data-since]")
        before = clock.inner_text()
        page.wait_for_timeout(1_200)  # time itself is tested: more than one tick of the clocks
        assert clock.inner_text() == before
        GATE.set()
    context.close()


def test_the_pages_of_debugging_have_no_fault_and_ask_little(served: Served, page: Page) -> None:
    run = served.start("three", breakpoints=["second"])
    done = served.start("three")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in (
        f"/runs/{run}", f"/runs/{run}?view=journal", f"/runs/{done}/fork?step=second", f"/runs/{done}/fork",
        f"/runs/{done}/delete", f"/workflows/three?step=second&_break=second&from={done}", "/workflows/three/inputs",
    ):  # fmt: skip
        asked.clear()
        page.goto(served.url + path)
        assert faults(page, 1440, 390) == []
        assert len(asked) <= 12, asked
