"""Several things done one after the other, quicker than they are answered; and a step that is chosen out of sight."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from engine import create_workflow
from tests.browser.hosted import Served
from tests.fixtures import add
from tests.web.waiting import until

ONE, TWO = (create_workflow(id=id).then(add(f"in_{id}")) for id in ("one", "two"))


def long() -> object:
    made = create_workflow(id="long")
    for number in range(60):
        made = made.then(add(f"step_{number}"))
    return made


WORKFLOWS = (
    create_workflow(id="nests").then(ONE).then(TWO),
    create_workflow(id="walk").then(add("a")).then(add("b")).then(add("c")).then(add("d")),
    long(),
)


def ready(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("[data-canvas][data-ready]")).to_be_attached()


def steps_held(page: Page) -> list[Route]:
    """What is asked of the Step button, and waits to be sent."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/step", hold)
    return waiting


def test_of_two_parts_opened_in_a_row_both_are_open_in_whatever_order_the_answers_come(
    served: Served, page: Page
) -> None:
    waiting: list[Route] = []

    def hold_first(route: Route) -> None:
        if waiting or "open=" not in route.request.url:
            route.continue_()
        else:
            waiting.append(route)

    ready(page, f"{served.url}/workflows/nests")
    page.route("**/workflows/nests?*", hold_first)
    for place in ("one", "two"):
        page.locator(f'svg a.fold[data-fold="{place}"]').click()
    expect(page.locator('.node[data-place="two/in_two"]')).to_be_visible()
    (late,) = waiting
    with page.expect_response(late.request.url):
        late.continue_()
    for place in ("one/in_one", "two/in_two"):
        expect(page.locator(f'.node[data-place="{place}"]')).to_be_visible()
    assert page.url.endswith("?open=one&open=two")


def test_a_key_that_is_pressed_before_the_answer_to_the_last_is_there_is_not_lost(served: Served, page: Page) -> None:
    run = served.start("walk", paused=True)
    ready(page, f"{served.url}/runs/{run}")
    waiting = steps_held(page)
    for _ in range(3):
        page.keyboard.press("s")
    for number in range(3):
        until(lambda wanted=number + 1: page.evaluate("true") and len(waiting) == wanted)
        waiting[number].continue_()
    for place in "abc":
        expect(page.locator(f'.node[data-place="{place}"]')).to_have_attribute("data-status", "success")
    expect(page.locator('.node[data-place="d"]')).to_have_attribute("data-status", "held")


def test_a_key_is_forgotten_when_something_else_is_done(served: Served, page: Page) -> None:
    run = served.start("walk", paused=True)
    ready(page, f"{served.url}/runs/{run}")
    waiting = steps_held(page)
    for key in ("s", "s", "j"):
        page.keyboard.press(key)
    until(lambda: page.evaluate("true") and waiting)
    waiting[0].continue_()
    expect(page.locator('.node[data-place="b"]')).to_have_attribute("data-status", "held")
    page.wait_for_load_state("networkidle")
    assert len(waiting) == 1


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_a_step_that_is_chosen_out_of_sight_comes_into_sight(served: Served, page: Page, motion: str) -> None:
    page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
    run = served.start("long")
    ready(page, f"{served.url}/runs/{run}?step=step_0")
    boxes = page.locator("svg.workflow").evaluate(
        "(one) => [one.getAttribute('width'), one.querySelector('.node').outerHTML]"
    )
    far = page.locator('.node[data-place="step_55"]')
    expect(far).not_to_be_in_viewport()
    page.locator("#timeline a[href*='step_55']").click()
    expect(far).to_be_in_viewport(ratio=0.99)
    expect(far).to_have_class("node selected")
    after = page.locator("svg.workflow").evaluate(
        "(one) => [one.getAttribute('width'), one.querySelector('.node').outerHTML]"
    )
    assert after == boxes  # nothing was laid out anew
    page.go_back()
    expect(page.locator('.node[data-place="step_0"]')).to_be_in_viewport(ratio=0.99)


def test_a_step_at_the_edge_of_a_picture_is_chosen_without_empty_ground_around_it(served: Served, page: Page) -> None:
    for step, edge in (("step_0", "top"), ("step_59", "bottom")):
        ready(page, f"{served.url}/workflows/long?step={step}")
        expect(page.locator(f'.node[data-place="{step}"]')).to_be_in_viewport(ratio=0.99)
        seen = page.locator("svg.workflow").evaluate(
            "(one) => ({ top: -one.viewBox.baseVal.y, bottom: one.viewBox.baseVal.y + one.viewBox.baseVal.height"
            " - one.getAttribute('height') })"
        )
        assert 0 <= seen[edge] <= 20, step


def test_a_page_that_is_opened_at_a_step_shows_it_though_another_one_is_held(served: Served, page: Page) -> None:
    run = served.start("long", paused=True)
    ready(page, f"{served.url}/runs/{run}?step=step_55")
    expect(page.locator('.node[data-place="step_55"]')).to_be_in_viewport(ratio=0.99)
    ready(page, f"{served.url}/runs/{run}")
    expect(page.locator('.node[data-place="step_0"]')).to_be_in_viewport(ratio=0.99)
