"""What the page's scripts do, in a browser, without a server."""

from __future__ import annotations

import json
import random
import re
from dataclasses import asdict
from typing import Any

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from engine.graph import ElementState, build_graph, element_states, to_svg
from studio.rendering import Rendering, Shell
from tests.browser.barriers import faults
from tests.browser.paper import ORIGIN, Paper, page_of, paper, rendering
from tests.unit.graph_definitions import DEPLOY, Garden, chain, wide

__all__ = ["paper", "rendering"]  # the fixtures

GRAPH = """{% block content %}<div class="body"><section class="graph-view" data-graph data-follow aria-label="Graph"
 data-selected="{{ selected|default('') }}"><div class="canvas" data-canvas tabindex="0">{{ drawing(svg) }}</div>
<div class="graph-tools"><button class="btn" type="button" data-graph-do="fit">Fit</button>
<input type="search" class="input" aria-label="Find" data-graph-search data-key="/"><output data-graph-found></output>
</div></section><a data-place="draw" href="#draw">draw</a></div>{% endblock %}"""
LIVE = """{% block content %}<div class="body"><p id="said">old</p></div>{% endblock %}
{% block live %}<div id="live" hidden hx-ws:connect="/ws/runs/r1?after=7" hx-swap="none"></div>{% endblock %}"""

PAINTED = """(svg) => ({
  nodes: Object.fromEntries([...svg.querySelectorAll('.node')].map(
    (node) => [node.id, [node.dataset.status, node.querySelector('text.ico')?.textContent ?? '']])),
  taken: [...svg.querySelectorAll('.edge.taken')].map(
    ({dataset}) => [dataset.from, dataset.to, dataset.kind].join()).sort(),
})"""
BEFORE = ElementState()
PARSED = "(text) => (" + PAINTED + ")(new DOMParser().parseFromString(text, 'image/svg+xml'))"
VIEW = "document.querySelector('svg.workflow').getAttribute('viewBox').split(' ').map(Number)"
STATUSES = ["success", "success", "success", "running", "suspended", "failed", "skipped", "pending", "bailed"]


def tell(page: Page, frame: Any) -> None:
    """As live.js does when a frame came."""
    page.evaluate("(detail) => document.dispatchEvent(new CustomEvent('studio:graph', {detail}))", frame)


def frame_of(state: ElementState) -> dict[str, Any]:
    """One element in a frame."""
    return {key: value for key, value in asdict(state).items() if value != getattr(BEFORE, key)}


def frame(definition: Any, statuses: dict[str, str], *, whole: bool = True) -> dict[str, Any]:
    """What a frame says of the picture."""
    elements = {name: frame_of(state) for name, state in element_states(definition, statuses).items()}
    return {"picture": build_graph(definition).signature, "elements": elements, "whole": whole}


def count_touches(page: Page, detail: dict[str, Any]) -> int:
    """How many changes of the page a frame makes."""
    page.evaluate("""() => { window.touched = 0; new MutationObserver((found) => { window.touched += found.length; })
        .observe(document.body, {subtree: true, attributes: true, childList: true, characterData: true}); }""")
    tell(page, detail)
    touched: int = page.evaluate("new Promise((done) => setTimeout(() => done(window.touched), 0))")
    return touched


def opened(paper: Paper, rendering: Rendering, definition: Any, **context: Any) -> Page:
    """A page with the picture, as soon as its script has taken it over."""
    svg = to_svg(definition, standalone=False, legend=False, statuses=context.pop("statuses", None))
    page = paper.show(page_of(rendering, GRAPH, svg=svg, **context))
    expect(page.locator("[data-canvas][data-ready]")).to_be_attached()
    return page


# -- the picture


def test_changes_paint_what_the_engine_would_draw(paper: Paper, rendering: Rendering) -> None:
    for number in range(12):
        chance, definition = random.Random(number), Garden(number).definition()
        places = sorted({node.place for node in build_graph(definition).nodes.values() if node.place})
        statuses = {place: chance.choice(STATUSES) for place in places}
        page = opened(paper, rendering, definition)
        tell(page, frame(definition, statuses))
        drawn = page.evaluate(PARSED, to_svg(definition, standalone=False, statuses=statuses))
        assert page.locator("svg.workflow").evaluate(PAINTED) == drawn, number


def test_one_change_touches_few_nodes_of_a_large_picture(paper: Paper, rendering: Rendering) -> None:
    done = {f"step_{number}": "success" for number in range(500)}
    page = opened(paper, rendering, chain(1000), statuses=done)
    expect(page.locator(".minimap")).to_be_attached()
    assert 0 < count_touches(page, frame(chain(1000), {**done, "step_500": "running"})) < 20
    expect(page.locator('.node[data-place="step_500"]')).to_have_attribute("data-status", "running")


@pytest.mark.parametrize("is_open", [False, True])
def test_one_change_of_a_thousand_arms_touches_few_nodes(paper: Paper, rendering: Rendering, is_open: bool) -> None:
    graph = build_graph(wide(1000), unfold=["parallel-1"] if is_open else [])
    statuses = {"a": "success", "parallel-1": "running", **{f"arm_{number}": "success" for number in range(500)}}
    page = opened(paper, rendering, graph, statuses=statuses)
    before, after = element_states(graph, statuses), element_states(graph, {**statuses, "arm_500": "running"})
    changed = {name: state for name, state in after.items() if before.get(name) != state}
    elements = {name: frame_of(state) for name, state in changed.items()}
    tell(page, frame(graph, statuses))
    touched = count_touches(page, {"picture": graph.signature, "elements": elements})
    assert 0 < touched < 20
    text = page.locator(".heading .times" if is_open else '.node[data-place="parallel-1"] text.sub')
    expect(text).to_have_text("500 done · 1 running")


def test_a_long_chain_starts_readable_at_the_step_that_works(paper: Paper, rendering: Rendering) -> None:
    page = opened(paper, rendering, chain(30), statuses={"step_0": "success", "step_20": "running"})
    box = page.locator('.node[data-place="step_20"] rect.box').bounding_box()
    room = page.locator("[data-canvas]").bounding_box()
    assert box
    assert room
    assert box["height"] >= 30
    assert room["y"] < box["y"] < room["y"] + room["height"] - box["height"]
    page.get_by_role("button", name="Fit").click()
    assert page.evaluate(VIEW)[3] > 2_000


def test_arrows_walk_along_the_lines_and_enter_opens(paper: Paper, rendering: Rendering) -> None:
    page = opened(paper, rendering, DEPLOY)
    page.locator('.node[data-place="gather"]').focus()
    walked = []
    for key in ("ArrowDown", "ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
        walked.append(page.evaluate("document.activeElement.dataset.place"))
    assert walked[:2] == ["draw", "estimate"]
    assert walked[2:4] == ["draw", "branch-1"]
    page.locator('.node[data-place="draw"]').focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#draw$"))
    expect(page.locator(".node.selected")).to_have_attribute("data-place", "draw")
    assert page.locator('.node[tabindex="0"]').count() == 1


def test_search_shows_and_counts_what_fits(paper: Paper, rendering: Rendering) -> None:
    page = opened(paper, rendering, chain(30))
    page.keyboard.press("/")
    page.keyboard.type("step_29")
    expect(page.locator("[data-graph-found]")).to_have_text("1 found")
    box = page.locator(".node.found rect.box").bounding_box()
    assert box
    assert 0 < box["y"] < 900


def test_breakpoints_come_and_go(paper: Paper, rendering: Rendering) -> None:
    page = opened(paper, rendering, DEPLOY)
    for stops in (["gather", "chain-1"], []):
        page.evaluate("(detail) => document.dispatchEvent(new CustomEvent('studio:breaks', {detail}))", stops)
        assert page.locator("[data-breakpoint] .bp:visible").count() == len(stops)
        said = page.locator('.node[data-place="gather"] > title').text_content() or ""
        assert said.endswith(" · breakpoint") == bool(stops)


# -- live


def test_a_reconnect_continues_after_the_last_frame(paper: Paper, rendering: Rendering) -> None:
    """No gap and no duplicate: the address of the socket is that of the last frame that was shown."""
    sockets: list[WebSocketRoute] = []

    def act(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) == 1:
            content = '<hx-partial hx-target="#said" hx-swap="outerMorph"><p id="said">new</p></hx-partial>'
            socket.send(json.dumps({"after": 7, "seq": 9, "content": content}))

    paper.socket("/ws/runs/r1", act)
    page = paper.show(page_of(rendering, LIVE))
    expect(page.locator("#said")).to_have_text("new")
    expect(page.locator("#light")).to_have_attribute("data-state", "live")
    sockets[0].close(code=1012)
    expect(page.locator("#light")).to_have_attribute("data-state", "reconnecting")
    expect(page.locator("#light")).to_have_attribute("data-state", "live")
    assert [re.sub(r".*(\?.*)", r"\1", socket.url) for socket in sockets] == ["?after=7", "?after=9"]


def test_a_socket_that_is_refused_says_so(paper: Paper, rendering: Rendering) -> None:
    paper.socket("/ws/runs/r1", lambda socket: socket.close(code=4404))
    page = paper.show(page_of(rendering, LIVE))
    expect(page.locator("#light")).to_have_attribute("data-state", "lost")
    expect(page.locator("[data-light]")).to_have_text("not live: reload the page")


def test_the_title_counts_what_waits(paper: Paper, rendering: Rendering) -> None:
    shell = Shell(approvals=1, counters="/ws")
    entry = Shell(approvals=2).entry["approvals"]
    part = rendering.partial("partials/nav_count.html", item=entry)
    content = f'<hx-partial hx-target="#count-approvals" hx-swap="outerMorph">{part}</hx-partial>'
    sockets: list[WebSocketRoute] = []
    paper.socket("/ws", lambda socket: sockets.append(socket))  # noqa: PLW0108  a built-in is refused
    page = paper.show(page_of(rendering, LIVE.partition("{% block live")[0], shell=shell))
    expect(page).to_have_title("(1) Paper · Studio")
    expect(page.locator("#light")).to_have_attribute("data-state", "live")
    sockets[0].send(json.dumps({"questions": 2, "content": content}))
    expect(page).to_have_title("(2) Paper · Studio")


# -- keys, theme, copies


KEYS = """{% block content %}<div class="body"><a data-key="1" href="#one">one</a> <a data-row href="#x">x</a>
<a data-row href="#y">y</a><form action="#sent"><textarea class="input" aria-label="t"></textarea>
<button type="submit" class="btn primary" name="ok">ok</button></form>
<button class="btn" type="button" data-copy="whole text">copy</button></div>{% endblock %}"""


def test_keys_press_what_is_marked_and_not_inside_fields(paper: Paper, rendering: Rendering) -> None:
    page = paper.show(page_of(rendering, KEYS))
    paper.pages["/runs"] = page_of(rendering, KEYS)
    page.keyboard.press("1")
    expect(page).to_have_url(re.compile("#one$"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#y$"))
    page.get_by_label("t", exact=True).focus()
    page.keyboard.type("1g r")
    expect(page).to_have_url(re.compile("#y$"))
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile("/runs$"))


def test_a_setting_turns_single_letters_off(paper: Paper, rendering: Rendering) -> None:
    page = paper.show(page_of(rendering, KEYS))
    page.keyboard.press("?")
    page.get_by_label("Single letters press buttons").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    assert "#one" not in page.url
    page.keyboard.type("appr")
    assert page.locator("#palette li:not([hidden])").count() == 1


def test_control_and_enter_send_a_form(paper: Paper, rendering: Rendering) -> None:
    page = paper.show(page_of(rendering, KEYS))
    page.get_by_label("t", exact=True).focus()
    page.keyboard.press("Control+Enter")
    expect(page).to_have_url(re.compile(r"\?ok=#?"))


def test_the_theme_is_remembered_before_the_first_paint(paper: Paper, rendering: Rendering) -> None:
    page = paper.show(page_of(rendering, KEYS))
    themes = [page.evaluate("document.documentElement.dataset.theme")]
    for _ in range(3):
        page.locator("[data-theme-next]").click()
        themes.append(page.evaluate("document.documentElement.dataset.theme"))
    assert themes == ["auto", "light", "dark", "auto"]
    page.locator("[data-theme-next]").click()
    page.add_init_script("""document.addEventListener("readystatechange", () => {
        window.early ??= document.documentElement.dataset.theme; });""")
    page.reload()
    assert page.evaluate("window.early") == "light"  # when the page was parsed, before any module ran


def test_a_page_is_read_to_its_end_while_its_stylesheet_is_on_the_way(paper: Paper, rendering: Rendering) -> None:
    held: list[Route] = []
    paper.page.route("**/app.*.css", lambda route: held.append(route))  # noqa: PLW0108 it is marked
    paper.pages["/"] = page_of(rendering, KEYS)
    paper.page.goto(ORIGIN, wait_until="commit")
    expect(paper.page.get_by_role("button", name="copy", include_hidden=True)).to_be_attached(timeout=5000)
    (stylesheet,) = held
    stylesheet.fallback()
    expect(paper.page.locator(".btn.primary")).to_be_visible()


# -- every page


def test_the_shell_has_no_fault_and_asks_little(paper: Paper, rendering: Rendering) -> None:
    shell = Shell(here="runs", source="app.py", workflows=6, runs=1204, approvals=3)
    svg = to_svg(DEPLOY, standalone=False)
    page = paper.show(page_of(rendering, GRAPH, shell=shell, svg=svg, selected="draw"))
    assert faults(page, 1440, 1024, 390) == []
    assert len(paper.asked) <= 12, paper.asked


def test_without_scripts_the_page_has_links_and_the_whole_picture(rendering: Rendering, paper: Paper) -> None:
    context = paper.page.context.browser
    assert context
    bare = context.new_context(java_script_enabled=False)
    page = Paper(bare.new_page(), rendering.assets).show(
        page_of(rendering, GRAPH, svg=to_svg(chain(30), standalone=False))
    )
    expect(page.get_by_role("link", name="Runs")).to_be_visible()
    expect(page.locator(".rail .tools")).to_be_hidden()
    height = page.locator("svg.workflow").bounding_box()
    assert height
    assert height["height"] > 2_000  # it scrolls
    bare.close()
