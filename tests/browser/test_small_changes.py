"""What one change of a run touches of its page, however large the workflow is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.journeys import Journey, Site, journey_of
from tests.browser.test_budgets import MOST_BYTES, MOST_REQUESTS, Wire
from tests.web.waiting import until

FLOWS = """
from engine import create_step, create_workflow

async def same(data: object) -> object:
    return data

def passing(name: str) -> object:
    return create_step(id=name, execute=same)

thousand = create_workflow(id="thousand")
for number in range(1000):
    thousand = thousand.then(passing(f"s{number}"))
thousand = thousand.commit()
hundred = create_workflow(id="hundred").then(passing("first"))
hundred = hundred.parallel([passing(f"arm-{number}") for number in range(100)]).commit()
"""

MOST_TOUCHED = 19
WATCH = """() => {
  const touched = (window.touched = new Map());
  const path = (node) => (node.id === undefined ? node.data : `${node.nodeName}#${node.id} ${node.className}`);
  const isIn = (node, many) => [...many].some((one) => one !== node && one.contains(node));
  const came = new Set();
  window.last = performance.now();
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) came.add(node);
    for (const { target, addedNodes } of changes) {
      for (const node of [target, ...addedNodes]) {
        if (isIn(node, came)) continue; // it came as a part of that
        if ((node.closest ? node : node.parentElement)?.closest("[data-since]")) continue; // a clock goes by itself
        window.last = performance.now();
        touched.set(node, `${path(node.parentNode ?? node)} > ${path(node)}`);
      }
    }
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
"""Notes every node that changes, or that is put in or replaced with what is in it."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A studio with workflows of a thousand steps and of a hundred arms."""
    made = Site(tmp_path_factory.mktemp("large"), large=FLOWS)
    yield made
    made.close()


@pytest.fixture
def visitor(browser: Browser, large: Site) -> Iterator[Journey]:
    with journey_of(browser, large) as made:
        yield made


def step(site: Site, run: str) -> None:
    """Press Step as another viewer; the run is held again soon after."""
    until(lambda: site.post(f"/runs/{run}/step", {})[0] == 303)


def shows(page: Page, after: str) -> str:
    """Wait until the page shows that the run is held at another step than before: at which."""
    expect(page.locator("#run-stop b")).not_to_have_text(after)
    found = page.locator("#run-stop b").inner_text()
    expect(page.locator("#inspector h2")).to_have_text(found)
    page.wait_for_load_state("networkidle")
    return found


@pytest.mark.parametrize(("workflow", "steps"), [("thousand", 12), ("hundred", 2)], ids=["1,000 steps", "100 arms"])
def test_one_step_touches_few_nodes_of_the_whole_page(visitor: Journey, workflow: str, steps: int) -> None:
    """Picture, timeline, inspector, head and lists together: fewer than 20 nodes are changed, put in or replaced."""
    site, run = visitor.site, visitor.site.run(workflow, _paused="1")
    for _ in range(steps):
        step(site, run)
    page = visitor.goto(f"/runs/{run}")
    expect(page.locator("#light")).to_contain_text("live")
    first = page.locator("#run-stop b").inner_text()
    step(site, run)
    at = shows(page, first)  # what is loaded only when something changes is there now
    page.evaluate(WATCH)
    step(site, run)
    shows(page, at)
    until(lambda: page.evaluate("performance.now() - last > 1000"))  # a second frame, a new layout
    found = page.evaluate("[...touched].filter(([node]) => node.isConnected).map(([node, said]) => said)")
    assert 5 < len(found) <= MOST_TOUCHED, "\n".join(found)


@pytest.mark.parametrize("page", ["a workflow", "a run"])
def test_a_page_of_a_thousand_steps_is_small_over_the_wire(visitor: Journey, page: str) -> None:
    """The picture, and the list of its steps, compressed, with styles and scripts."""
    path = "/workflows/thousand" if page == "a workflow" else f"/runs/{visitor.site.run('thousand', _paused='1')}"
    wire = Wire(visitor.context.new_cdp_session(visitor.page))
    visitor.goto(path).wait_for_load_state("networkidle")
    assert len(wire.asked) <= MOST_REQUESTS, wire.asked
    assert 0 < wire.bytes <= MOST_BYTES


def test_the_keyboard_and_what_was_opened_stay_when_the_step_goes_on(visitor: Journey) -> None:
    """The inspector shows another step then: the same button has the focus, and does what it says for that step."""
    site, run = visitor.site, visitor.site.run("hundred", _paused="1")
    page = visitor.goto(f"/runs/{run}")
    expect(page.locator("#light")).to_contain_text("live")
    button = page.get_by_role("button", name="Break before").first
    button.focus()
    page.locator("details.opens", has_text="Steps").locator("summary").first.evaluate("(it) => it.click()")
    step(site, run)
    shows(page, "first")
    expect(button).to_be_focused()
    expect(page.locator("#run-outline a[data-place=first]")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#run-breaks")).to_contain_text("before arm-0")
    expect(page.locator("#timeline a.lane")).to_have_count(101)
