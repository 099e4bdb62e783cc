"""What goes wrong in another studio for workflows, one by one, and what ours does instead.

The numbers are those of the list that was made when that studio was tried. Where another file proves a point, it is
named here and not proven again:

==  ==============================================  ==================================================================
 1  a wrong status after one of two answers         test_two_approvals.py: test_answered_one_after_the_other_the_page_is_right_after_each
 3  nobody is told that something waits             test_two_approvals.py: test_the_number_that_waits_follows_in_every_tab
 5  the server is gone and the page does not say    test_reconnect.py: test_a_page_outlives_its_studio
 6  cancel looks dead; no cancel while it sleeps    test_cancel_sleeping.py: test_cancel_is_said_at_once
 6  and while a step works                          test_cancel_sleeping.py: test_a_step_that_works_is_stopped_in_the_middle
 9  no stack trace, or one of a bundle              test_watch_a_run.py: test_the_error_of_a_failed_run_is_where_one_looks_first
13  large pictures can't be read                    test_scripts.py: test_a_long_chain_starts_readable_at_the_step_that_works
16  Enter does not send a form                      test_form_errors.py: test_ctrl_enter_sends_the_form_from_any_field
16  the JSON editor has another value               test_form_errors.py: test_the_json_editor_and_the_fields_show_the_same_value
21  megabytes of scripts, polling, other hosts      test_budgets.py: test_a_page_asks_for_little_and_then_is_quiet
22  it listens to everybody                         test_address.py: test_without_a_token_the_studio_listens_on_the_loopback_only
22  other pages may start runs                      test_origin.py: test_a_form_on_another_page_starts_nothing
23  the palette                                     test_keyboard.py: test_help_and_palette_open_by_keys_and_give_the_focus_back
23  steps one by one                                test_watch_a_run.py: test_a_run_that_is_held_is_stepped_through_by_its_buttons
==  ==============================================  ==================================================================

Not in this version, and so not here: of 14 comparing two runs, of 12 the difference that each step made; the scrubber,
why a condition came out so, sharing, watches, agents, tools and schedules.
"""  # noqa: E501 - the names of tests stand in a table

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.architecture.tree import ROOT
from tests.browser.journeys import Journey, node, run_id, status


def inspector(page: Page) -> Locator:
    """What is said of the chosen step."""
    return page.get_by_role("complementary", name="Inspector")


def ended(journey: Journey, workflow: str, input: object = None, *, word: str = "success") -> str:
    """A run that has come to its end, with its page open."""
    run = journey.site.run(workflow, input)
    expect(status(journey.goto(f"/runs/{run}"))).to_contain_text(word)
    return run


def test_02_what_is_asked_is_said_in_the_open(journey: Journey) -> None:
    """Elsewhere the reason is in a closed box labelled with its size; ours is the headline, with big answers."""
    ended(journey, "approve", {"n": 41}, word="waiting for you")
    question = journey.page.get_by_role("article")
    expect(question.get_by_role("heading", name="Shall we go on?")).to_be_in_viewport()
    for text in ("amount", "42", "ask_boss wants to know"):
        expect(question.get_by_text(text, exact=True).first).to_be_in_viewport()
    for answer in ("yes", "no"):
        box = question.get_by_text(answer, exact=True).bounding_box()
        assert box is not None
        assert box["height"] >= 24


def test_03_there_is_one_list_of_runs_of_all_workflows(journey: Journey) -> None:
    """Elsewhere runs are only found workflow by workflow; ours are in one list, by status, from the chip's link on."""
    for workflow, word in {"fails": "failed", "flaky": "success"}.items():
        ended(journey, workflow, word=word)
    page = journey.goto("/runs")
    page.get_by_role("navigation", name="Status").get_by_role("link", name=re.compile("failed")).click()
    page.wait_for_url(re.compile("status=failed"))
    rows = page.get_by_role("row").filter(has=page.get_by_role("cell"))
    expect(rows.filter(has_text="fails").first).to_be_visible()
    expect(rows.filter(has_text="flaky")).to_have_count(0)


def test_04_the_address_follows_the_run(journey: Journey) -> None:
    """Elsewhere a reload loses the run; ours has its own address from the start, good for another tab while it runs."""
    page = journey.goto("/workflows/gate")
    page.get_by_role("textbox", name="gate", exact=True).fill("fourth")
    page.get_by_role("button", name=re.compile("^Run( |$)")).last.click()
    run = run_id(page)
    page.reload()
    expect(node(page, "gated")).to_have_attribute("data-status", "running")
    other = journey.goto(f"/runs/{run}", journey.tab())
    expect(node(other, "gated")).to_have_attribute("data-status", "running")
    journey.site.open("fourth")
    for one in (page, other):
        expect(status(one)).to_contain_text("success")


def test_07_every_round_of_a_loop_is_kept(journey: Journey) -> None:
    """Elsewhere only the last pass is kept, uncounted; ours has each with its own data, a count, and the way back."""
    run = ended(journey, "rounds")
    page = journey.page
    back = page.locator(".edge[data-kind='back'], .edge[data-kind='loop']")
    expect(back.first).to_be_attached()
    expect(page.locator("svg.workflow")).to_contain_text("n >= 5")
    node(page, "grow").or_(node(page, "round[]/grow")).first.click()
    picker = inspector(page).get_by_role("navigation", name="Iterations").get_by_role("link")
    expect(picker).to_have_count(4)
    for number, link in enumerate(picker.all()):
        link.click()
        expect(inspector(page)).to_contain_text(f'"n": {number + 1},')
        expect(inspector(page)).to_contain_text(f'"n": {number + 2},')
        expect(picker.nth(number)).to_have_attribute("aria-current", "true")
    events = journey.site.events(run)
    starts = [event["path"] for event in events if event["type"] == "step.started" and event["path"].endswith("grow")]
    assert starts == [f"round[{number}]/grow" for number in range(4)]


def test_07_how_often_a_step_ran_is_written_at_its_box(journey: Journey) -> None:
    """Also when the page is opened after the end."""
    ended(journey, "rounds")
    expect(journey.page.locator("svg.workflow")).to_contain_text("\N{MULTIPLICATION SIGN}4")


def test_08_every_attempt_is_shown_with_its_error(journey: Journey) -> None:
    """Elsewhere retries can't be seen; ours are rows: when, how long, and why it failed."""
    run = ended(journey, "flaky")
    page = journey.goto(f"/runs/{run}?step=calls&tab=attempts")
    for number in (1, 2):
        expect(inspector(page)).to_contain_text(f"no answer to try {number}")
    expect(inspector(page)).not_to_contain_text("no answer to try 3")
    page.get_by_role("navigation", name="Inspector").get_by_role("link", name=re.compile("^Logs")).click()
    expect(inspector(page)).to_contain_text("try number 3")


def test_10_what_a_step_logs_is_shown_while_it_works(journey: Journey) -> None:
    """Elsewhere it goes to the terminal; ours is on the page, with no reload."""
    run = journey.site.run("gate", {"n": 6, "gate": "tenth"}, _paused="1")
    page = journey.goto(f"/runs/{run}?step=gated&tab=logs")
    expect(status(page)).to_contain_text("paused")
    page.evaluate("window.isTheSame = true")
    journey.site.post(f"/runs/{run}/continue", {})
    expect(inspector(page)).to_contain_text("waits for the gate at 7")
    expect(status(page)).to_contain_text("running")
    journey.site.open("tenth")
    expect(status(page)).to_contain_text("success")


def test_11_a_click_on_a_step_shows_all_of_it_in_one_place(journey: Journey) -> None:
    """Elsewhere it only moves the camera, and data is in five other places."""
    ended(journey, "walk")
    page = journey.page
    node(page, "step_c").click()
    expect(inspector(page).get_by_role("heading", name="step_c")).to_be_visible()
    expect(inspector(page)).to_contain_text('"n": 3')
    expect(inspector(page)).to_contain_text('"n": 4')
    tabs = page.get_by_role("navigation", name="Inspector")
    for name, text in {"Attempts": "1", "Code": "data.n + amount", "Events": "step.succeeded"}.items():
        tabs.get_by_role("link", name=re.compile(f"^{name}")).click()
        expect(inspector(page)).to_contain_text(text)
    assert "step=step_c" in page.url


def test_12_the_shared_state_has_a_view(journey: Journey) -> None:
    """Elsewhere the documentation promises one."""
    run = ended(journey, "state", {"n": 3})
    page = journey.goto(f"/runs/{run}?tab=state")
    expect(inspector(page)).to_contain_text('"total": 7')


def test_13_a_hundred_steps_at_once_can_be_read(journey: Journey) -> None:
    """Elsewhere they are a strip of 27 pixels; ours begin folded and readable, and each has its line in time."""
    ended(journey, "wide")
    page = journey.page
    for box in page.locator(".node[data-place]").all():
        assert box.evaluate("(one) => one.getBoundingClientRect().height") >= 24
    expect(page.locator("svg.workflow")).to_contain_text(re.compile("100 (arms|steps)"))
    expect(page.get_by_role("region", name="Timeline").get_by_role("link", name=re.compile("^side_"))).to_have_count(
        100
    )


def test_14_a_run_is_run_again_with_the_same_input(journey: Journey) -> None:
    """Elsewhere the form is empty again; ours makes another run of it, and leaves the first as it was."""
    first = ended(journey, "walk", {"n": 30})
    page = journey.page
    page.get_by_role("button", name="Re-run").click()
    page.wait_for_url(lambda url: first not in url and "/runs/" in url)
    expect(status(page)).to_contain_text("success")
    again = run_id(page)
    inputs = [
        event["data"]["input"]
        for run in (first, again)
        for event in journey.site.events(run)
        if event["type"] == "run.started"
    ]
    assert inputs == [{"n": 30, "gate": ""}] * 2


def test_15_going_back_in_time_makes_another_run(journey: Journey) -> None:
    """Elsewhere the old result is overwritten; ours is a fork that says where it comes from, and both are kept."""
    first = ended(journey, "walk")
    page = journey.goto(f"/runs/{first}?step=step_c")
    before = journey.site.events(first)
    inspector(page).get_by_role("link", name="Fork from here").click()
    page.get_by_role("button", name="Fork with this input").click()
    page.wait_for_url(lambda url: first not in url and "/runs/" in url)
    expect(status(page)).to_contain_text("success")
    expect(page.get_by_role("main").locator(f'a[href="/runs/{first}"]').first).to_be_visible()
    assert journey.site.events(first) == before
    assert run_id(page) != first


def test_16_a_form_names_describes_and_limits_its_fields(journey: Journey) -> None:
    """Elsewhere the description hides the name, a moment has no time, and what is optional is starred."""
    page = journey.goto("/workflows/everything")
    form = page.get_by_role("complementary", name="Run it")
    name = form.get_by_role("textbox", name="name", exact=True)
    expect(form.get_by_text("name", exact=True).first).to_be_visible()
    expect(form.get_by_text("Who orders")).to_be_visible()
    expect(form.get_by_text("3-12 characters")).to_be_visible()
    assert name.evaluate("(one) => one.tagName") == "INPUT"  # of one line: Enter sends it
    expect(name).to_have_attribute("aria-required", "true")
    expect(form.get_by_label("at", exact=True)).to_have_attribute("type", "datetime-local")
    expect(form.get_by_label("day", exact=True)).to_have_attribute("type", "date")
    expect(form.get_by_role("textbox", name="nick")).not_to_have_attribute("aria-required", "true")
    expect(form.get_by_role("textbox", name="price")).to_have_value("2.5")
    expect(form.get_by_role("radio", name="bag")).to_be_checked()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_17_no_pane_covers_another(journey: Journey, width: int, height: int) -> None:
    """Elsewhere floating cards lie on the picture."""
    journey.page.set_viewport_size({"width": width, "height": height})
    ended(journey, "approve", word="waiting for you")
    page = journey.page
    panes = {
        "picture": page.get_by_role("region", name="What runs"),
        "inspector": inspector(page),
        "timeline": page.get_by_role("region", name="Timeline"),
        "head": page.get_by_role("main").locator("header").first,
    }
    boxes = {name: pane.bounding_box() for name, pane in panes.items()}
    covered = [
        (one, other)
        for one, a in boxes.items()
        for other, b in boxes.items()
        if one < other
        and a
        and b
        and min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"]) > 1
        and min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"]) > 1
    ]
    assert (covered, [name for name, box in boxes.items() if not box]) == ([], [])


def test_18_steps_have_names_that_stay(journey: Journey) -> None:
    """Elsewhere a sleep has a random name that is another one after each start."""
    page = journey.goto("/workflows/nap")
    places = page.locator(".node[data-place]").evaluate_all("(nodes) => nodes.map((one) => one.dataset.place)")
    assert places == ["first", "sleep-1", "last"]


def test_19_a_status_is_the_same_word_and_sign_everywhere(journey: Journey) -> None:
    """Elsewhere what waits is blue here and amber there, and the way that was not taken is "not started"."""
    run = ended(journey, "approve", word="waiting for you")
    page = journey.page
    said = {status(page).inner_text().strip(), inspector(page).locator("[data-status]").first.inner_text().strip()}
    journey.goto("/runs?workflow=approve")
    said.add(page.get_by_role("row").filter(has_text=run[:4]).first.locator("[data-status]").first.inner_text().strip())
    assert said == {"waiting for you"}
    ended(journey, "choice", {"n": 9})
    expect(node(page, "low")).to_have_attribute("data-status", "skipped")
    page.get_by_role("main").get_by_text("Steps", exact=True).first.click()
    skipped = inspector(page).get_by_role("link", name=re.compile("low")).first
    assert "skipped" in skipped.evaluate("(one) => `${one.ariaLabel ?? ''} ${one.innerHTML}`")


def test_20_the_navigation_has_what_there_is(journey: Journey) -> None:
    """Elsewhere it has 14 entries, some of them broken; each of ours leads to a page that answers."""
    page = journey.goto("/")
    links = page.get_by_role("navigation", name="Main").get_by_role("listitem").get_by_role("link")
    found = {link.get_attribute("title"): link.get_attribute("href") for link in links.all()}
    assert found == {"Workflows": "/", "Runs": "/runs", "Approvals": "/approvals", "Settings": "/settings"}
    for path in found.values():
        answer = page.goto(f"{journey.site.url}{path}")
        assert answer is not None
        assert answer.status == 200


def test_23_what_is_good_elsewhere_is_here_too(journey: Journey) -> None:
    """Conditions in the picture, nested workflows in place, a copy of what one sees, themes."""
    journey.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = journey.goto("/workflows/choice")
    expect(page.locator("svg.workflow")).to_contain_text("n > 5")
    journey.goto("/workflows/nested")
    expect(page.locator("svg.workflow")).to_contain_text("inner")
    run = ended(journey, "nested")
    page.get_by_role("button", name=re.compile("^Copy run id")).first.click()
    page.wait_for_function("(id) => navigator.clipboard.readText().then((text) => text === id)", arg=run)
    colours = set()
    for theme in ("Theme: automatic", "Theme: light", "Theme: dark"):
        page.get_by_role("button", name=theme).click()
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_the_tests_that_are_named_above_exist() -> None:
    named = re.findall(r"(test_\w+\.py): (test_\w+)", __doc__ or "")
    files = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) == len([line for line in (__doc__ or "").splitlines() if re.match(r"^[ \d]\d  ", line)])
    assert [pair for pair in named if f"def {pair[1]}(" not in source(files[pair[0]])] == []


def source(path: Path) -> str:
    return path.read_text("utf-8")
