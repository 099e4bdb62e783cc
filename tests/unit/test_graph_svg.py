"""The picture: well-formed, accessible, safe for any text, coloured by status."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pygraphviz
import pytest

from engine.graph import RULES, build_graph, to_dot, to_json, to_mermaid, to_svg
from engine.graph.style import DARK, LIGHT, stylesheet
from engine.graph.words import clean, columns, duration, shorten
from tests.unit.graph_definitions import ALL, DEPLOY, EVERYTHING, NASTY, block, definition, foreach, loop, nested, step

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "style", "g", "rect", "circle", "path", "polygon", "text", "tspan"}
ATTRIBUTES = {
    *("class", "id", "role", "tabindex", "aria-labelledby", "aria-hidden", "viewBox", "width", "height", "transform"),
    *("data-workflow", "data-place", "data-kind", "data-body", "data-block", "data-folded", "data-status"),
    *("data-picture", "data-base", "data-share"),
    *("data-from", "data-to", "x", "y", "rx", "cx", "cy", "r", "d", "points", "text-anchor"),
}


def nasty(text: str) -> dict[str, Any]:
    """A definition with ``text`` wherever a text can stand."""
    return definition(
        step(text, description=text, catch={"id": text + "c", "kind": text}),
        {"id": "m", "kind": "map", "source": text},
        {"id": "w", "kind": "wait_for_event", "event": text},
        {"id": "z", "kind": "sleep", "for": text},
        block("branch", text + "b", step("x"), step("y"), mode=text, conditions=[text], otherwise="y"),
        loop(text + "l", step(text), text),
        foreach("f", nested(text, step(text)), concurrency=text, name=text),
        id=text,
        description=text,
    )


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.encode("utf-8"))  # noqa: S314 - our own


@pytest.mark.parametrize("standalone", [True, False])
@pytest.mark.parametrize("number", range(len(NASTY)), ids=lambda n: f"nasty{n}")
def test_any_text_gives_a_picture_that_is_xml_and_nothing_else(number: int, standalone: bool) -> None:
    svg = to_svg(nasty(NASTY[number]), standalone=standalone)
    root = parsed(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= ELEMENTS
    assert {name for element in root.iter() for name in element.attrib} <= ATTRIBUTES
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]", svg)
    assert len(svg) < 120_000


def test_there_are_two_hundred_nasty_texts() -> None:
    assert len(NASTY) >= 200


def test_a_short_text_is_shown_as_it_is() -> None:
    for text in ("<lambda>", r"\N", "a & b", "\"'", "日本語", "x\\"):
        root = parsed(to_svg(definition(step(text))))
        assert [one.text for one in root.iter(f"{SVG}text") if one.get("class") == "id"] == [text]


@pytest.mark.parametrize("number", range(0, len(NASTY), 7))
def test_any_text_gives_dot_mermaid_and_json_that_can_be_read(number: int) -> None:
    graph = build_graph(nasty(NASTY[number]))
    read = pygraphviz.AGraph(string=to_dot(graph))
    assert set(read.nodes()) == set(graph.nodes)
    assert to_json(graph).isascii()
    for line in to_mermaid(graph).splitlines():
        assert re.fullmatch(MERMAID, line), line


TEXT = r'"(?:[^"<>&`{}\[\]|\\;#]|#\d+;|<br/>)*"'
NODE = rf"n\d+(?:\[+|\(+|\(\[){TEXT}(?:\]+|\)+|\]\))"
EDGE = rf"n\d+ -[.-]?->(?:\|{TEXT}\|)? n\d+"
MERMAID = rf" *(?:flowchart TD|direction TB|end|subgraph c\d+\[{TEXT}\]|{NODE}|{EDGE})"


def test_dot_shows_the_text_as_it_is() -> None:
    for text in ("<b>x</b>", r"\N", "a & b", 'say "hi"', "&lt;"):
        drawn = (
            pygraphviz.AGraph(string=to_dot(definition(step(text)))).draw(format="svg", prog="dot", args="-q").decode()
        )
        assert text in [one.text for one in parsed(drawn).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", ALL)
def test_everybody_can_read_it(name: str) -> None:
    root = parsed(to_svg(ALL[name], standalone=False))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert root.get("role") == "graphics-document"
    assert set((root.get("aria-labelledby") or "").split()) <= set(ids)
    items = [one for one in root.iter() if one.get("role") == "listitem"]
    assert [(one.get("tabindex"), one.get("data-status"), one[0].tag) for one in items] == [
        ("0", "pending", f"{SVG}title")
    ] * len(items)
    assert all(one[0].text for one in items)
    nodes = {one.get("id") for one in root.iter() if one.get("class") == "node"}
    ends = {
        end
        for one in root.iter()
        if "edge" in (one.get("class") or "").split()
        for end in (one.get("data-from"), one.get("data-to"))
    }
    assert ends == nodes


def test_the_page_form_has_no_style_at_all() -> None:
    svg = to_svg(EVERYTHING, standalone=False)
    assert "style" not in svg
    assert "fill=" not in svg
    assert "<style>" in to_svg(EVERYTHING)


def test_ids_can_have_a_prefix() -> None:
    root = parsed(to_svg(DEPLOY, prefix="mini-"))
    assert all((one.get("id") or "mini-").startswith("mini-") for one in root.iter())
    assert {one.get("data-from") for one in root.iter() if one.get("data-from")} <= {
        one.get("id") for one in root.iter()
    }


def test_themes_have_their_colours_and_no_variables() -> None:
    assert DARK["bg"] in to_svg(DEPLOY, theme="dark")
    assert LIGHT["bg"] not in to_svg(DEPLOY, theme="dark")
    auto = to_svg(DEPLOY)
    assert auto.index(LIGHT["bg"]) < auto.index("@media (prefers-color-scheme:dark)") < auto.index(DARK["bg"])
    assert "var(" not in auto
    assert "url(" not in stylesheet("auto")
    assert set(re.findall(r"var\(--([\w-]+)\)", RULES)) <= DARK.keys() | {"font", "mono"}


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([light(one), light(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_texts_stand_out(theme: dict[str, str]) -> None:
    texts = ("text", "muted", "faint")
    signs = ("success", "running", "suspended", "failed", "paused")
    low = {name: contrast(theme[name], theme[ground]) for name in texts for ground in ("bg", "raised")}
    assert {name: ratio for name, ratio in low.items() if ratio < 4.5} == {}
    assert {name: ratio for name in signs if (ratio := contrast(theme[name], theme["raised"])) < 4.5} == {}


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_every_line_between_steps_can_be_seen(theme: dict[str, str]) -> None:
    assert contrast(theme["edge"], theme["bg"]) >= 3
    assert re.findall(r"\.edge (?:path|polygon)\{[^}]*var\(--([\w-]+)\)", RULES) == ["edge", "edge"]


def test_the_legend_is_for_a_run_unless_it_is_asked_for() -> None:
    def has_legend(**options: Any) -> bool:
        return 'class="legend"' in to_svg(DEPLOY, **options)

    run = {"gather": "success"}
    assert (has_legend(), has_legend(statuses=run), has_legend(statuses={})) == (False, True, True)
    assert (has_legend(legend=True), has_legend(statuses=run, legend=False)) == (True, False)


def statuses_of(svg: str) -> dict[str, str]:
    return {
        one.get("data-place") or "": one.get("data-status") or ""
        for one in parsed(svg).iter()
        if one.get("class") == "node" and one.get("data-place")
    }


def taken(svg: str) -> list[str]:
    root = parsed(svg)
    names = {
        one.get("id"): one.get("data-place") or one.get("data-kind")
        for one in root.iter()
        if one.get("class") == "node"
    }
    return [
        f"{names[one.get('data-from')]}>{names[one.get('data-to')]}"
        for one in root.iter()
        if "taken" in (one.get("class") or "").split()
    ]


def test_statuses_colour_nodes_and_the_edges_that_were_taken() -> None:
    done = dict.fromkeys(["gather", "draw", "estimate", "scan", "branch-1"], "success")
    svg = to_svg(DEPLOY, statuses={**done, "approve": "suspended", "skip": "skipped"})
    assert statuses_of(svg) == {**done, "approve": "suspended", "skip": "skipped"} | dict.fromkeys(
        ["chain-1[]/write", "chain-1[]/validate", "region[]"], "pending"
    )
    assert taken(svg) == [
        "start>gather", "gather>draw", "gather>estimate", "gather>scan", "draw>join", "estimate>join", "scan>join",
        "join>branch-1", "branch-1>approve",
    ]  # fmt: skip
    assert ">?</text>" in svg
    assert svg.count(">✓</text>") == 4


def test_a_join_waits_for_all_arms() -> None:
    flow = definition(block("parallel", "p", step("a"), step("b")), step("c"))
    assert taken(to_svg(flow, statuses={"a": "success", "b": "running"})) == ["start>a", "start>b", "a>join"][:2]
    assert "join>c" in taken(to_svg(flow, statuses={"a": "success", "b": "failed", "c": "running"}))


def test_a_caught_failure_goes_by_its_arm() -> None:
    flow = definition(step("a", catch=step("c")), step("b"))
    assert taken(to_svg(flow, statuses={"a": "failed", "c": "success", "b": "success"})) == [
        "start>a",
        "a>c",
        "c>join",
        "join>b",
        "b>end",
    ]
    assert taken(to_svg(flow, statuses={"a": "success", "b": "running"})) == ["start>a", "a>join", "join>b"]


def test_a_caught_failure_in_a_branch_does_not_look_like_a_success() -> None:
    arms = block("branch", "branch-1", step("a"), step("b"), mode="all", conditions=["x"], otherwise="b")
    flow = definition(arms | {"catch": step("undo")}, step("c"))
    failed = {"branch-1": "failed", "a": "failed", "b": "skipped", "undo": "success", "c": "running"}
    assert taken(to_svg(flow, statuses=failed))[1:] == ["join>undo", "undo>join", "join>c"]
    went_well = {"branch-1": "success", "a": "success", "b": "skipped", "c": "running"}
    assert taken(to_svg(flow, statuses=went_well))[1:] == ["branch-1>a", "a>join", "join>join", "join>c"]


def test_no_match_goes_past_the_arms() -> None:
    flow = definition(block("branch", "branch-1", step("a"), mode="all", conditions=["x"]), step("b"))
    assert taken(to_svg(flow, statuses={"branch-1": "success", "a": "skipped", "b": "running"})) == [
        "start>branch-1",
        "branch-1>join",
        "join>b",
    ]
    assert taken(to_svg(flow, statuses={"branch-1": "success", "a": "running"})) == ["start>branch-1", "branch-1>a"]


def test_words() -> None:
    assert [duration(s) for s in (0.5, 45, 60, 90, 5400, 86400, 172800, 90061)] == [
        "0.5 s", "45 s", "1 min", "1 min 30 s", "1 h 30 min", "1 day", "2 days", "1 day 1 h",
    ]  # fmt: skip
    assert shorten("abcdef", 4) == "abc…"
    assert columns("日本e\u0301") == 5
    assert clean("a\nb\x00c\ud800") == "a b c\ufffd"


@pytest.mark.parametrize("name", ["round", "a", "do_it_again_until_it_fits"])
def test_no_line_goes_through_the_name_of_a_frame(name: str) -> None:
    root = parsed(to_svg(definition(step("a"), loop("l", nested(name, step("b")), "n > 5"), step("c"))))
    found = {text.text: float(text.get("x", "")) for text in root.iter(f"{SVG}text")}
    frame = root.find(f".//{SVG}g[@class='cluster']/{SVG}rect")
    assert frame is not None
    left, top, width = (float(frame.get(key, "")) for key in ("x", "y", "width"))
    arrows = [str(one.get("points")).split()[-1].split(",") for one in root.iter(f"{SVG}polygon")]
    entering = next(float(x) for x, y in arrows if top < float(y) < top + 60)
    end = found[name] + columns(name) * 6.6
    assert left < found["do until"] < found[name] < end < left + width
    assert not found[name] - 6 < entering < end + 6
