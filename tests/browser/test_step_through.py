"""The debugger: a run is held at its start, stepped, let go to a breakpoint, and let go to its end."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.journeys import Journey, node, run_id, status

STEPS = [f"step_{letter}" for letter in "abcde"]


def press(page: Page, name: str) -> None:
    """A button in the head of the page."""
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def inspector(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Inspector")


def done(page: Page, amount: int) -> None:
    """So many steps are done, the next one is held, and the run stands."""
    for place in STEPS[:amount]:
        expect(node(page, place)).to_have_attribute("data-status", "success")
    if amount < len(STEPS):
        expect(node(page, STEPS[amount])).to_have_attribute("data-status", "held")
    for place in STEPS[amount + 1 :]:
        expect(node(page, place)).to_have_attribute("data-status", "pending")
    expect(status(page)).to_contain_text("paused" if amount < len(STEPS) else "success")


def begun(journey: Journey, run: str) -> list[str]:
    """The steps that have begun, in order, by the log."""
    return [event["path"] for event in journey.site.events(run) if event["type"] == "step.started"]


def test_from_the_first_step_over_a_breakpoint_to_the_end(journey: Journey) -> None:
    """By buttons, without a reload; each stop says where it stands and what the next step will get."""
    page = journey.goto("/workflows/walk")
    page.get_by_role("checkbox", name="Run paused at start").check()
    page.get_by_role("button", name=re.compile("^Run( |$)")).last.click()
    run = run_id(page)
    page.evaluate("window.isTheSame = true")
    done(page, 0)
    assert begun(journey, run) == []
    press(page, "Step")
    done(page, 1)
    press(page, "Step")
    done(page, 2)
    assert begun(journey, run) == STEPS[:2]
    assert page.evaluate("window.isTheSame")

    node(page, "step_e").click()
    expect(inspector(page).get_by_role("heading", name="step_e")).to_be_visible()
    page.evaluate("window.isTheSame = true")
    inspector(page).get_by_role("button", name="Break before").click()
    expect(node(page, "step_e")).to_have_attribute("data-breakpoint", "")
    press(page, "Continue")
    done(page, 4)
    expect(page.get_by_role("status").filter(has_text="(breakpoint)")).to_contain_text("step_e")
    assert begun(journey, run) == STEPS[:4]
    press(page, "Continue")
    done(page, 5)
    expect(page.get_by_role("status").filter(has_text="(breakpoint)")).to_have_count(0)
    assert begun(journey, run) == STEPS
    assert page.evaluate("window.isTheSame")


def test_the_same_by_keys(journey: Journey) -> None:
    """``s`` steps, ``b`` sets and takes away the breakpoint of the chosen step, ``c`` continues."""
    run = journey.site.run("walk", _paused="1")
    page = journey.goto(f"/runs/{run}")
    done(page, 0)
    page.keyboard.press("s")
    done(page, 1)
    node(page, "step_d").click()
    expect(inspector(page).get_by_role("heading", name="step_d")).to_be_visible()
    page.keyboard.press("b")
    expect(node(page, "step_d")).to_have_attribute("data-breakpoint", "")
    page.keyboard.press("c")
    done(page, 3)
    page.keyboard.press("b")
    expect(node(page, "step_d")).not_to_have_attribute("data-breakpoint", "")
    page.keyboard.press("c")
    done(page, 5)


def test_a_breakpoint_that_is_set_before_the_start_holds(journey: Journey) -> None:
    """A run that somebody else watches stops there for them, too; a stop outlives a reload."""
    run = journey.site.run("walk", _paused="1")
    page = journey.goto(f"/runs/{run}?step=step_c")
    other = journey.goto(f"/runs/{run}", journey.tab())
    inspector(page).get_by_role("button", name="Break before").click()
    expect(node(other, "step_c")).to_have_attribute("data-breakpoint", "")
    press(page, "Continue")
    for one in (page, other):
        done(one, 2)
    page.reload()
    done(page, 2)
    expect(node(page, "step_c")).to_have_attribute("data-breakpoint", "")
    press(other, "Continue")
    for one in (page, other):
        done(one, 5)


def test_a_breakpoint_on_a_condition_stops_in_that_round_only(journey: Journey) -> None:
    """Of four rounds of a loop it is the third."""
    run = journey.site.run("rounds", _paused="1")
    page = journey.goto(f"/runs/{run}")
    expect(status(page)).to_contain_text("paused")
    node(page, "round[]/grow").or_(node(page, "grow")).first.click()
    expect(inspector(page).get_by_role("heading", name="grow")).to_be_visible()
    inspector(page).get_by_text("Break only if").click()
    inspector(page).get_by_role("textbox", name=re.compile("^Condition")).fill("n == 3")
    inspector(page).get_by_role("button", name="Break before, then").click()
    expect(page.get_by_role("main").get_by_text("n == 3").first).to_be_visible()
    press(page, "Continue")
    expect(page.get_by_role("status").filter(has_text="(breakpoint)")).to_contain_text("round[2]/grow")
    assert [path for path in begun(journey, run) if path.endswith("grow")] == ["round[0]/grow", "round[1]/grow"]
    press(page, "Continue")
    expect(status(page)).to_contain_text("success")
