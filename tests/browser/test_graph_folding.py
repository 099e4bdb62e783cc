"""Parts of a picture are opened in place, by pointer, key and search, while a run goes on."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import create_step, create_workflow
from studio.hosting import Hosting
from tests.browser.barriers import barriers
from tests.browser.hosted import Served, served_by, watched
from tests.fixtures import add

GATES = {name: threading.Event() for name in ("build", "send", "check_7")}


def gated(name: str) -> object:
    def run(data: dict[str, int]) -> dict[str, int]:
        assert GATES[name].wait(20)
        return data

    return create_step(id=name, execute=run)


DEPLOY = create_workflow(id="deploy").then(add("pack")).then(gated("send"))
RELEASE = create_workflow(id="release").then(gated("build")).then(DEPLOY)
WORKFLOWS = (
    create_workflow(id="outer").then(add("first")).then(RELEASE).then(add("last")),
    create_workflow(id="many").parallel([gated("check_7") if n == 7 else add(f"check_{n}") for n in range(100)]),
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Hosting(WORKFLOWS) as hosting, served_by(hosting) as served:
        yield served
        open_all()


def open_all() -> None:
    for gate in GATES.values():
        gate.set()


def page_of(served: Served, workflow: str) -> str:
    """The address of a new run's page."""
    return f"{served.url}/runs/{served.start(workflow, wait=False)}"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    for gate in GATES.values():
        gate.clear()
    yield from watched(browser.new_context(viewport={"width": 1440, "height": 900}))
    open_all()


def ready(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("[data-canvas][data-ready]")).to_be_attached()


def status(page: Page, place: str, wanted: str) -> None:
    expect(page.locator(f'.node[data-place="{place}"]')).to_have_attribute("data-status", wanted)


def button(page: Page, place: str) -> str:
    return f'svg a.fold[data-fold="{place}"]'


def test_what_is_opened_shows_its_steps_at_once_and_goes_on_live(served: Served, page: Page) -> None:
    ready(page, page_of(served, "outer"))
    page.evaluate("window.isTheSame = true")
    status(page, "release", "running")
    expect(page.locator(".light")).to_have_attribute("data-state", "live")
    page.locator(button(page, "release")).click()
    status(page, "release/build", "running")
    GATES["build"].set()
    status(page, "release/build", "success")
    status(page, "release/deploy", "running")
    expect(page.locator('.node[data-place="release/deploy"] text.sub')).to_have_text("1 of 2 done · 1 running")
    page.locator(button(page, "release/deploy")).click()
    status(page, "release/deploy/send", "running")
    assert page.url.endswith("?open=release&open=release%2Fdeploy")
    GATES["send"].set()
    for place in ("release/deploy/pack", "release/deploy/send", "last"):
        status(page, place, "success")
    assert page.locator(".edge:not(.taken)").count() == 0
    assert page.evaluate("window.isTheSame")
    address, painted = page.url, page.locator("svg.workflow .node, svg.workflow .edge")
    told = "(all) => all.map((one) => [one.id, one.dataset.status, one.classList.contains('taken')])"
    live = painted.evaluate_all(told)
    ready(page, address)
    assert sorted(painted.evaluate_all(told)) == sorted(live)


def test_a_part_is_opened_and_folded_by_keys_and_the_page_keeps_it(served: Served, page: Page) -> None:
    ready(page, f"{served.url}/workflows/outer")
    page.locator('.node[data-place="release"]').focus()
    page.keyboard.press("Space")
    expect(page.locator('.node[data-place="release/build"]')).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?open=release$"))
    assert page.evaluate("document.activeElement.dataset.fold") == "release"
    expect(page.locator("nav.outline [data-place]")).to_have_text(
        [re.compile(name) for name in ("first", "release", "build", "deploy", "last")]
    )
    assert "open=release" in (page.get_by_role("link", name="Code", exact=False).first.get_attribute("href") or "")
    page.keyboard.press("Enter")
    expect(page.locator('.node[data-place="release/build"]')).to_have_count(0)
    expect(page).to_have_url(re.compile("/workflows/outer$"))
    page.locator("nav.outline").get_by_role("link", name="Open release").click()
    expect(page.locator('.node[data-place="release/build"]')).to_be_visible()


def test_search_opens_what_it_finds_in_folded_parts(served: Served, page: Page) -> None:
    ready(page, f"{served.url}/workflows/outer")
    page.keyboard.press("/")
    page.keyboard.type("send")
    expect(page.locator("[data-graph-found]")).to_have_text("1 found, 1 in folded parts")
    expect(page.locator(".node.found")).to_have_attribute("data-place", "release")
    page.keyboard.press("Enter")
    expect(page.locator(".node.found")).to_have_attribute("data-place", "release/deploy/send")
    expect(page.locator("[data-graph-found]")).to_have_text("1 found")
    expect(page).to_have_url(re.compile(r"open=release&open=release%2Fdeploy$"))


def test_a_hundred_arms_are_counted_live_and_opened_as_a_grid(served: Served, page: Page) -> None:
    ready(page, page_of(served, "many"))
    box = page.locator('.node[data-place="parallel-1"]')
    expect(box.locator("text.id")).to_have_text("100 steps")
    expect(box.locator("text.sub")).to_have_text("99 done · 1 running")
    assert float(box.locator("[data-share=done]").get_attribute("width") or 0) > 100
    page.locator(button(page, "parallel-1")).click()
    expect(page.locator(".node[data-status=success]")).to_have_count(101)  # and the start
    status(page, "check_7", "running")
    expect(page.locator(".heading .times")).to_have_text("99 done · 1 running")
    expect(page.locator(".minimap")).to_be_attached()
    GATES["check_7"].set()
    status(page, "check_7", "success")
    expect(page.locator(".heading .times")).to_have_text("100 done")


def test_following_stops_when_a_person_moves_the_picture(served: Served, page: Page) -> None:
    ready(page, page_of(served, "outer"))
    follow = page.get_by_role("button", name="Follow what runs")
    expect(follow).to_have_attribute("aria-pressed", "true")
    page.locator("[data-canvas]").hover()
    page.mouse.wheel(0, 120)
    expect(follow).to_have_attribute("aria-pressed", "false")
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")


def test_the_chosen_step_is_marked_on_the_box_that_hides_it(served: Served, page: Page) -> None:
    ready(page, f"{served.url}/workflows/outer?step=release/build")
    expect(page.locator(".node.selected")).to_have_attribute("data-place", "release")
    page.locator(button(page, "release")).click()
    expect(page.locator(".node.selected")).to_have_attribute("data-place", "release/build")


def test_open_and_folded_parts_have_no_fault(served: Served, page: Page) -> None:
    for address in ("outer", "outer?open=release", "many?open=parallel-1"):
        ready(page, f"{served.url}/workflows/{address}")
        assert barriers(page) == []


def test_without_scripts_a_part_is_opened_by_its_link(served: Served, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.url}/workflows/outer")
    page.locator(button(page, "release")).click()
    expect(page.locator('.node[data-place="release/build"]')).to_be_visible()
    page.get_by_role("link", name="Fold release").first.click()
    expect(page.locator('.node[data-place="release"]')).to_be_visible()
    context.close()
