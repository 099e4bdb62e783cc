"""How pages are rendered: strictly, escaped, with words and numbers for people."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jinja2 import ChoiceLoader, DictLoader, UndefinedError
from starlette.requests import Request

from engine import create_step, create_workflow
from engine.graph import ICONS, to_svg
from studio import wording
from studio.assets import Assets
from studio.json_view import json_view
from studio.rendering import STATUSES, Jump, Rendering, Shell, cut, drawing
from tests.architecture.tree import ROOT

NOW = 1_764_000_000.0
REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
EVIL = "<img src=x onerror=alert(1)>\"'{{7*7}}\u202e</script>"


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return Rendering(Assets(), now=lambda: NOW)


@pytest.fixture
def text(rendering: Rendering) -> Iterator[Any]:
    """Renders a text as a template."""
    loader, made = rendering.environment.loader, {}
    assert loader
    rendering.environment.loader = ChoiceLoader([DictLoader(made), loader])

    def render(source: str, **context: Any) -> str:
        name = f"text-{abs(hash(source))}"
        made[name] = source
        return rendering.partial(name, **context)

    yield render
    rendering.environment.loader = loader


# -- numbers and times


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, wording.NONE), (0, "0 ms"), (0.0004, "< 1 ms"), (0.012, "12 ms"), (0.412, "412 ms"), (0.9994, "999 ms"),
        (0.9996, "1 s"), (1.84, "1.84 s"), (4.1, "4.1 s"), (9.996, "10 s"), (12, "12 s"), (47.3, "47.3 s"),
        (59.96, "1 m 00 s"), (64, "1 m 04 s"), (3599.6, "1 h 00 m"), (7500, "2 h 05 m"), (273_600, "3 d 04 h"),
        (-1.84, "\N{MINUS SIGN}1.84 s"), (timedelta(minutes=1, seconds=4), "1 m 04 s"),
    ],
)  # fmt: skip
def test_durations_are_for_people(seconds: float | timedelta | None, said: str) -> None:
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (0, "just now"), (1.9, "just now"), (42, "42 s ago"), (200, "3 min ago"), (7300, "2 h ago"),
        (5 * 86_400, "5 d ago"), (-200, "in 3 min"), (-1, "just now"),
    ],
)  # fmt: skip
def test_moments_are_for_people(passed: float, said: str) -> None:
    assert wording.ago(NOW - passed, NOW) == said
    assert wording.ago(datetime.fromtimestamp(NOW - passed, UTC), NOW) == said


def test_what_is_long_ago_is_a_day() -> None:
    assert re.fullmatch(r"2025-10-\d\d", wording.ago(NOW - 30 * 86_400, NOW))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        wording.exact(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_moment_is_short_with_the_exact_time_on_hover(text: Any) -> None:
    said = text("{% from 'macros/time.html' import ago %}{{ ago(at) }}", at=NOW - 200.4)
    exact = wording.exact(NOW - 200.4)
    assert said == f'<time datetime="2025-11-24T15:56:39.600Z" title="{exact}" data-ago>3 min ago</time>'
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:39\.600 [+-]\d\d:\d\d", exact)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (wording.count(1204), "1,204"), (wording.count(["a"] * 3), "3"),
        (wording.count(None) + "?", wording.NONE + "?"),
        (wording.size(812), "812 B"), (wording.size(1234), "1.2 kB"), (wording.size(999_600), "1.0 MB"),
        (wording.size(34_000_000), "34 MB"), (wording.size(None), wording.NONE),
        (wording.per_cent(0.97), "97 %"), (wording.per_cent(0.9999), "99 %"), (wording.per_cent(1), "100 %"),
        (wording.per_cent(0.0001), "1 %"), (wording.per_cent(0), "0 %"),
        (wording.plural(1, "step"), "1 step"), (wording.plural(1204, "run"), "1,204 runs"),
        (wording.plural(2, "entry", "entries"), "2 entries"),
        (wording.short_id("01JD7F3MZX9QWERTY7QK2"), "01JD…7QK2"), (wording.short_id("order-12"), "order-12"),
    ],
)  # fmt: skip
def test_numbers_are_for_people(said: str, expected: str) -> None:
    assert said == expected


def test_the_scripts_clock_says_what_the_server_says() -> None:
    """The two spell the same units with the same limits."""
    script = (ROOT / "static" / "js" / "times.js").read_text("utf-8")
    assert '[["s", 1, 60], ["min", 60, 3600], ["h", 3600, 86400], ["d", 86400, 14 * 86400]]' in script


# -- JSON


def test_a_short_value_is_one_line() -> None:
    view = json_view({"a": 1, "b": None, "c": []})
    assert view.text == '{"a": 1, "b": null, "c": []}'
    assert [word for word in view.parts if word[0]] == [
        ("key", '"a"'), ("number", "1"), ("key", '"b"'), ("word", "null"), ("key", '"c"'),
    ]  # fmt: skip


def test_a_long_value_is_folded_with_its_length() -> None:
    view = json_view({"text": "x" * 5_000, "rows": [{"n": n, "name": "row" * 20} for n in range(500)]})
    long, rows = view.children
    assert (long.is_long, long.is_open, long.note, long.cut) == (True, False, "5,000 characters", "")
    assert (rows.note, rows.is_open, len(rows.children), rows.cut) == ("500 items", False, 200, "300 more")


def test_an_endless_text_is_cut() -> None:
    view = json_view("x" * 50_000)
    assert (len(view.text), view.note, view.cut) == (20_000, "50,000 characters", "30,002 more characters")


def test_a_value_without_end_is_bounded() -> None:
    def lines(view: Any) -> int:
        return 1 + sum(map(lines, view.children))

    assert lines(json_view([[[n, "y" * 60] for n in range(100)] for _ in range(100)])) <= 1_600
    deep: Any = "end"
    for _ in range(300):
        deep = [deep, "z" * 80]
    assert lines(json_view(deep)) <= 100


def test_strange_numbers_are_shown() -> None:
    said = [json_view(value).text for value in (742.0, float("nan"), -(10**5000), True)]
    assert (said[:2], said[2][:5], said[3]) == (["742.0", "nan"], "-0x31", "true")


def test_json_is_escaped_markup_with_details(text: Any) -> None:
    said = text(
        "{% from 'macros/data.html' import json %}{{ json(value) }}",
        value={EVIL: EVIL, "rows": [{"n": n, "text": "x" * 70} for n in range(3)], "long": EVIL * 20},
    )
    assert "<img" not in said
    assert html.escape(EVIL.replace('"', '\\"')).replace("&#x27;", "&#39;") in said.replace("&#34;", "&quot;")
    assert said.count("<details") == said.count("</details>") == 6
    assert f"{len(EVIL) * 20:,} characters" in said


# -- what workflows say


def test_a_text_of_a_workflow_stays_text(text: Any) -> None:
    said = text("{% from 'macros/data.html' import said %}{{ said(value) }}", value=EVIL)
    assert (
        said == f'<span class="said">{html.escape(EVIL).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")}</span>'
    )


def test_its_direction_is_kept_to_itself() -> None:
    rules = (ROOT / "static" / "css" / "base.css").read_text("utf-8")
    assert re.search(r"\.said \{[^}]*unicode-bidi: isolate", rules)


def test_a_long_text_is_folded_and_cut_with_its_length(text: Any) -> None:
    said = text("{% from 'macros/data.html' import said %}{{ said(value) }}", value="y" * 5_000)
    assert ("<details" in said, "5,000 characters" in said, "1,000 more characters" in said) == (True, True, True)
    assert (cut("abcdef", 4).text, cut("abcdef", 4).left) == ("abcd", 2)


def test_half_a_character_does_not_stop_a_page(text: Any) -> None:
    assert text("{{ value }}", value="a\ud800b") == "a\ufffdb"


def test_only_a_picture_of_the_engine_is_markup(text: Any) -> None:
    flow = create_workflow(id="flow").then(create_step(id="greet", execute=lambda name: name)).commit()
    svg = to_svg(flow, standalone=False)
    assert text("{{ drawing(svg) }}", svg=svg) == svg
    with pytest.raises(ValueError, match="no picture"):
        drawing("<script>alert(1)</script>")


# -- strictness


def test_a_name_that_nobody_gave_is_an_error(text: Any) -> None:
    with pytest.raises(UndefinedError, match="'missing' is undefined"):
        text("{{ missing }}")


def test_an_unknown_icon_is_an_error(text: Any) -> None:
    with pytest.raises(LookupError, match=r"there is no icon 'nonesuch'"):
        text("{% from 'macros/icons.html' import icon %}{{ icon('nonesuch') }}")


def test_every_status_has_an_icon_and_a_word(text: Any) -> None:
    source = "{% from 'macros/status.html' import pill %}{{ pill(status) }}"
    assert {*ICONS} | {"pending"} == {*STATUSES}
    for status, (_, word) in STATUSES.items():
        said = text(source, status=status)
        assert f'class="pill is-{status}"' in said
        assert "<svg" in said
        assert said.endswith(f"</svg>{word}</span>")
    tones = (ROOT / "static" / "css" / "tokens.css").read_text("utf-8")
    assert [status for status in STATUSES if f".is-{status}" not in tones] == []


def test_no_two_statuses_that_differ_look_alike() -> None:
    icons = [icon for status, (icon, _) in STATUSES.items() if status not in {"bailed", "held"}]
    assert len(icons) == len(set(icons))


# -- pages


def test_a_page_stands_in_the_shell(rendering: Rendering) -> None:
    shell = Shell(here="runs", source="app.py", workflows=6, runs=1204, approvals=3, counters="/ws")
    answer = rendering.page(
        REQUEST, "problems/not_found.html", {"title": "Not found", "text": EVIL, "shell": shell}, status=404
    )
    body = bytes(answer.body).decode()
    assert (answer.status_code, answer.media_type) == (404, "text/html")
    assert "<title>(3) Not found · Studio</title>" in body
    assert re.findall(r'<a href="(/\w*)"[^>]*aria-current="page"', body) == ["/runs"]
    assert re.findall(r'id="count-(\w+)" data-count="(\d+)"', body) == [
        ("workflows", "6"), ("runs", "1204"), ("approvals", "3"), ("settings", "0"),
    ]  # fmt: skip
    assert 'hx-ws:connect="/ws"' in body
    assert EVIL not in body


def test_a_page_without_counts_has_none(rendering: Rendering) -> None:
    context = {"title": "Error", "status": 500, "text": "It broke.", "reference": "e-12"}
    body = bytes(rendering.page(REQUEST, "problems/error.html", context, status=500).body).decode()
    assert "<title>Error · Studio</title>" in body
    assert "hx-ws:connect" not in body
    assert re.findall(r'id="count-\w+" data-count="0"( hidden)?', body) == [" hidden"] * 4


def test_a_page_has_its_landmarks_once(rendering: Rendering) -> None:
    body = bytes(rendering.page(REQUEST, "problems/not_found.html", {"title": "x", "text": "y"}).body).decode()
    marks = ("<main", '<nav class="rail" aria-label="Main"', '<a class="skip" href="#main"', "<h1>", 'id="main"')
    assert [body.count(mark) for mark in marks] == [1, 1, 1, 1, 1]
    ids = re.findall(r'\sid="([^"]+)"', body)
    assert len(ids) == len(set(ids))


def test_the_count_of_the_navigation_has_two_doors(rendering: Rendering) -> None:
    """The page and a live frame use the same file."""
    shell = Shell(approvals=3)
    alone = rendering.partial("partials/nav_count.html", item=shell.entry["approvals"])
    page = rendering.page(REQUEST, "problems/not_found.html", {"title": "x", "text": "y", "shell": shell})
    assert alone in bytes(page.body).decode()


def test_the_palette_leads_where_the_shell_says(rendering: Rendering) -> None:
    shell = Shell(jumps=(Jump(EVIL, "/workflows/x", "workflow"),))
    said = rendering.partial("partials/dialogs.html", shell=shell)
    assert 'href="/workflows/x"' in said
    assert "<img" not in said


def test_templates_are_found_where_the_assets_are(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "own.html").write_text("{{ 1 + 1 }}")
    assets = Assets()
    assets.templates = tmp_path / "templates"
    assert Rendering(assets).partial("own.html") == "2"
