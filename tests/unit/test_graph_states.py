"""What a run means for each element, the same whatever is folded; folding, marks and links."""

from __future__ import annotations

import random
from typing import Any
from xml.etree import ElementTree

import pytest

from engine.graph import ElementState, Graph, build_graph, element_states, places, to_svg
from engine.graph import fallback as own
from engine.graph.geometry import collisions
from engine.graph.labels import unclear
from tests.unit.graph_definitions import (
    ALL,
    DEPLOY,
    EVERYTHING,
    Garden,
    block,
    definition,
    foreach,
    forked,
    loop,
    nested,
    step,
    wide,
)

SVG = "{http://www.w3.org/2000/svg}"
STATUSES = ["success", "running", "suspended", "failed", "skipped", "pending", "bailed"]
RELEASE = definition(step("tag"), nested("release", step("build"), nested("deploy", step("send"), step("check"))))


def elements(graph: Graph) -> set[str]:
    """The ids that a picture has."""
    nodes = {node.element for node in graph.nodes.values()}
    return nodes | {edge.element for edge in graph.edges} | {cluster.element for cluster in graph.clusters.values()}


def shown(svg: str) -> dict[str, tuple[str, ...]]:
    """What each element shows: status, corner, line, or whether it was taken."""
    found = {}
    for one in ElementTree.fromstring(svg).iter(f"{SVG}g"):  # noqa: S314 - our own
        name = one.get("id") or ""
        if name.startswith("edge-"):
            found[name] = ("taken" if "taken" in (one.get("class") or "") else "",)
        elif name:
            texts = {text.get("class"): text.text or "" for text in one.iter(f"{SVG}text")}
            found[name] = (one.get("data-status") or "", texts.get("times", ""))
    return found


def some_way_to_fold(graph: Graph, chance: random.Random) -> dict[str, Any]:
    return {"nested": True, "unfold": [place for place in graph.can_open if chance.random() < 0.5]}


# -- one account for all ways to fold


@pytest.mark.parametrize("name", ALL)
def test_an_element_has_the_same_id_whatever_is_folded(name: str) -> None:
    whole = {(node.place, node.kind): node.element for node in build_graph(ALL[name]).nodes.values() if node.place}
    graph = build_graph(ALL[name], nested=True)
    assert len(elements(graph)) == len(graph.nodes) + len(graph.edges) + len(graph.clusters)
    for node in graph.nodes.values():
        assert node.folded or not node.place or whole[node.place, node.kind] == node.element
    assert graph.signature == build_graph(ALL[name]).signature != build_graph(RELEASE).signature


@pytest.mark.parametrize("seed", range(30))
def test_what_is_folded_changes_nothing_of_what_is_drawn(seed: int) -> None:
    chance, definition = random.Random(seed), Garden(seed).definition()
    graph = build_graph(definition, nested=True)
    statuses = {place: chance.choice(STATUSES) for place in graph.parents}
    states = element_states(definition, statuses)
    for _ in range(3):
        folded = build_graph(definition, **some_way_to_fold(graph, chance))
        drawn = shown(to_svg(folded, statuses=statuses, standalone=False))
        for element in elements(folded):
            state = states.get(element, ElementState())
            told = ("taken" if state.taken else "",) if element.startswith("edge-") else (state.status,)
            assert drawn[element][: len(told)] == told, (element, folded.opened)


def test_a_folded_workflow_shows_its_status_and_how_far_it_is() -> None:
    statuses = {"tag": "success", "release": "running", "release/build": "success", "release/deploy": "running"}
    states = element_states(RELEASE, statuses | {"release/deploy/send": "failed"})
    box = build_graph(RELEASE, nested=True).places["release"]
    assert states[box] == ElementState("running", text="1 of 3 done · 1 failed", shares=(0.333, 0.333, 0.0, 0.0))
    done = element_states(RELEASE, dict.fromkeys(build_graph(RELEASE).parents, "success"))
    assert done[box] == ElementState("success", text="3 done", shares=(1.0, 0.0, 0.0, 0.0))


def test_a_wide_parallel_counts_its_steps() -> None:
    arms = {f"arm_{n}": "success" if n < 60 else "failed" if n < 63 else "running" for n in range(100)}
    states = element_states(wide(100), {"a": "success", "parallel-1": "running", **arms})
    closed = build_graph(wide(100))
    assert states[closed.places["parallel-1"]] == ElementState(
        "running", text="60 done · 3 failed · 37 running", shares=(0.6, 0.03, 0.0, 0.37)
    )
    opened = build_graph(wide(100), unfold=["parallel-1"])
    assert states[opened.places["parallel-1"]] == ElementState("running", times="60 done · 3 failed · 37 running")


def test_a_loop_says_how_often_and_a_foreach_how_many() -> None:
    flow = definition(loop("again", nested("again", step("a"), step("b"))), foreach("each", step("each")))
    rounds = {f"again[{n}]": "success" for n in range(5)} | {f"again[{n}]/a": "success" for n in range(5)}
    items = {"each[0]": "success", "each[1]": "success", "each[2]": "running"}
    states = element_states(flow, {"again": "success", **rounds, "each": "running", **items})
    graph = build_graph(flow)
    times = "\N{MULTIPLICATION SIGN}5"
    assert states[graph.places["again"]] == ElementState("success", times=times)
    assert states[graph.places["again[]/a"]] == ElementState("success", times=times)
    assert states[graph.places["each"]] == ElementState("running", text="2 done · 1 running")
    (back,) = [edge for edge in graph.edges if edge.kind == "back"]
    assert states[back.element].taken
    once = {"again": "success", "again[0]": "success", "again[0]/a": "success"}
    assert back.element not in element_states(flow, once)
    assert places(items)["each[]"].status == "running"


def test_an_arm_that_was_not_taken_says_so() -> None:
    states = element_states(
        DEPLOY, {"gather": "success", "branch-1": "success", "approve": "success", "skip": "skipped"}
    )
    assert states[build_graph(DEPLOY).places["skip"]] == ElementState("skipped", text="skipped")


def test_before_a_run_nothing_is_told() -> None:
    assert element_states(EVERYTHING, {}) == {}


# -- folding


def test_nested_workflows_fold_one_by_one() -> None:
    def titles(*opened: str) -> list[str]:
        graph = build_graph(RELEASE, nested=True, unfold=opened)
        assert graph.opened == frozenset(opened)
        return [node.title for node in graph.nodes.values() if node.title]

    assert titles() == ["tag", "release"]
    assert titles("release") == ["tag", "build", "deploy"]
    assert titles("release", "release/deploy") == ["tag", "build", "send", "check"]


def test_what_a_box_hides_can_be_found() -> None:
    graph = build_graph(RELEASE, nested=True)
    assert [(one.element, one.opens, one.places) for one in graph.inside()] == [
        (graph.places["release"], ("release",), ("release/build", "release/deploy")),
        (graph.places["release"], ("release", "release/deploy"), ("release/deploy/send", "release/deploy/check")),
    ]
    assert graph.element_of("release/deploy/check") == graph.places["release"]
    parallel = build_graph(wide(30))
    assert parallel.element_of("arm_7") == parallel.places["parallel-1"]
    assert [len(one.places) for one in parallel.inside()] == [30]
    assert build_graph(DEPLOY).inside() == []


def test_a_foreach_of_a_workflow_is_one_stack_until_it_is_opened() -> None:
    flow = definition(foreach("region", nested("region", step("plan"), step("apply")), concurrency=2))
    (box,) = [node for node in build_graph(flow, nested=True).nodes.values() if node.title]
    assert (box.place, box.block, box.shape, box.sub) == ("region[]", "region", "stack", "for each · 2 at once")
    opened = build_graph(flow, nested=True, unfold=["region[]"])
    assert [(one.place, one.opens) for one in opened.clusters.values()] == [("region", "region[]")]


@pytest.mark.parametrize("count", [25, 100, 1000])
def test_many_arms_are_a_grid_without_a_line_to_each(count: int) -> None:
    graph = build_graph(wide(count), unfold=["parallel-1"])
    made = own.lay_out(graph)
    assert collisions(made, graph) == []
    assert (len(graph.edges), len(graph.hidden)) == (4, 2 * count)
    arms = [made.nodes[node.key] for node in graph.nodes.values() if node.title.startswith("arm_")]
    columns = len({arm.x for arm in arms})
    assert 4 <= columns <= 12
    assert [(arm.y, arm.x) for arm in arms] == sorted((arm.y, arm.x) for arm in arms)


@pytest.mark.parametrize("count", [25, 100, 1000])
def test_many_arms_of_a_branch_are_a_grid_with_a_condition_at_each(count: int) -> None:
    graph = build_graph(forked(count), unfold=["route"])
    made = own.lay_out(graph)
    assert (collisions(made, graph), unclear(made, graph)) == ([], [])
    assert (len(graph.edges), len(graph.hidden)) == (4 + count, count)  # the ways to where they meet are not drawn
    arms = [node for node in graph.nodes.values() if node.title.startswith("arm_")]
    assert 4 <= len({made.nodes[arm.key].x for arm in arms}) <= 12
    ways = {edge.target: (edge, line) for edge, line in zip(graph.edges, made.lines, strict=True)}
    assert [ways[arm.key][0].detail for arm in arms[:2]] == [f"region == 'eu-{n}' and size > {n}" for n in range(2)]
    assert ways[arms[-1].key][0].detail == "otherwise"
    for arm in arms:  # the text stands above its own box, within its width, and its line comes in there
        edge, line = ways[arm.key]
        text, box = made.label_box(edge, line), made.box(graph, arm.key)
        assert text is not None
        assert (box.left < text.left, text.bottom < box.top, box.top - 24 < text.top) == (True, True, True)
        assert (line.tip.y, line.start.y >= box.top - 24) == (box.top, True)


def test_arms_of_a_grid_may_be_anything() -> None:
    arms = [
        nested(f"arm_{n}", step("x"), block("parallel", "p", step("y"), step("z")), kind="chain") for n in range(30)
    ]
    flow = definition(block("parallel", "many", *arms) | {"catch": step("undo")}, step("after"))
    graph = build_graph(flow, unfold=["many"])
    assert collisions(own.lay_out(graph), graph) == []
    assert ("failed", "undo") in {
        (edge.detail and "failed", graph.nodes[edge.target].place) for edge in graph.edges if edge.kind == "error"
    }


def test_arms_of_a_branch_in_a_grid_may_be_anything() -> None:
    kinds = (
        lambda n: nested(f"arm_{n}", step("x"), step("y")),
        lambda n: block("parallel", f"arm_{n}", step(f"p{n}"), step(f"q{n}")),
        lambda n: loop(f"arm_{n}", step(f"arm_{n}")),
        lambda n: block("branch", f"arm_{n}", step(f"r{n}"), conditions=["x"], mode="first"),
        lambda n: foreach(f"arm_{n}", step(f"arm_{n}")),
    )
    arms = [kinds[n % len(kinds)](n) for n in range(30)]
    conditions = [f"region == 'eu-{n}' and size > 3" for n in range(30)]
    route = block("branch", "route", *arms, conditions=conditions, mode="all") | {"catch": step("undo")}
    graph = build_graph(definition(step("a"), route, step("b")), unfold=["route"])
    made = own.lay_out(graph)
    assert (collisions(made, graph), unclear(made, graph)) == ([], [])
    shown = [edge.detail for edge in graph.edges if edge.kind == "case"]
    assert [text for text in shown if text != "x"] == conditions
    assert "no match" in {edge.detail for edge in graph.hidden}
    (failed,) = (edge for edge in graph.edges if edge.kind == "error")
    assert graph.clusters[failed.frame or ""].kind == "branch"


# -- marks and links


def test_a_breakpoint_is_shown_at_its_place_or_at_the_box_that_hides_it() -> None:
    def marked(graph: Graph, *breaks: str) -> list[str]:
        root = ElementTree.fromstring(to_svg(graph, breakpoints=breaks, standalone=False))  # noqa: S314 - our own
        dots = [one for one in root.iter() if one.get("data-breakpoint") is not None]
        assert all(one.find(f"{SVG}circle[@class='bp']") is not None for one in dots)
        return [one.get("id") or "" for one in dots]

    closed, opened = build_graph(RELEASE, nested=True), build_graph(RELEASE)
    assert marked(closed, "release/deploy/send") == [closed.places["release"]]
    assert marked(opened, "release/deploy/send") == [opened.places["release/deploy/send"]]
    assert marked(opened, "release") == [opened.places["release"].replace("cluster", "heading")]
    assert "tag · step · breakpoint</title>" in to_svg(opened, breakpoints=["tag"])


def test_heat_is_a_badge_with_a_text() -> None:
    svg = to_svg(DEPLOY, heat={"gather": (4, "p95 1.2 s"), "draw": (0, "<3 ms"), "nowhere": (1, "x")})
    assert svg.count('class="heat"') == 2
    assert 'data-heat="4"' in svg
    assert ">p95 1.2 s</text>" in svg
    assert ">&lt;3 ms</text>" in svg


def test_a_folded_box_is_as_hot_as_the_hottest_that_it_hides() -> None:
    heat = {"release/build": (1, "10 ms"), "release/deploy/send": (3, "2 s"), "tag": (0, "1 ms")}
    svg = to_svg(build_graph(RELEASE, nested=True), heat=heat)
    assert (">2 s<" in svg, ">10 ms<" in svg, ">1 ms<" in svg) == (True, False, True)
    svg = to_svg(build_graph(RELEASE, nested=True), heat={**heat, "release": (2, "3 s")})
    assert (">2 s<" in svg, ">3 s<" in svg) == (False, True)


def test_folded_parts_are_opened_by_links_that_the_caller_gives() -> None:
    def link(place: str, is_open: bool) -> str:
        return f"?{'open' if is_open else 'fold'}={place}"

    closed = to_svg(build_graph(RELEASE, nested=True), link=link)
    assert 'href="?open=release" data-fold="release" aria-label="Open release"' in closed
    opened = to_svg(build_graph(RELEASE, nested=True, unfold=["release"]), link=link)
    assert 'href="?fold=release" data-fold="release" aria-label="Fold release"' in opened
    assert "<a " not in to_svg(build_graph(RELEASE, nested=True))
    for bad in ("https://example.org", "//example.org", "javascript:alert(1)"):
        with pytest.raises(ValueError, match="nothing outside"):
            to_svg(build_graph(RELEASE, nested=True), link=lambda *_, bad=bad: bad)
