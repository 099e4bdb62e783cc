"""The variables that an error kept, on the page of its run and as data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine import Workflow, create_workflow, step
from studio.app import create_app
from studio.cli import make_parser
from studio.hosting import Hosting
from studio.settings import Settings, read_settings
from studio.views.faults import fault
from tests.web.hosted import ORIGIN, Studio


def share(euros: float, people: int) -> float:
    return euros / people


@step
def split(data: dict[str, Any]) -> float:
    api_key, note = "named-on-a-page-71c", "<b>it's</b>"
    try:
        return share(data["euros"], 0)
    except ZeroDivisionError as error:
        raise ValueError(f"{len(note)} of {len(api_key)}") from error


SPLIT = create_workflow(id="split").then(split)


@contextmanager
def studio(*workflows: Workflow[Any, Any], **options: Any) -> Iterator[Studio]:
    with Hosting(workflows, **options) as hosting, TestClient(create_app(hosting), base_url=ORIGIN) as client:
        yield Studio(hosting, client)


def variables(html: str) -> list[tuple[bool, dict[str, str]]]:
    """The tables of variables: whether each is open, and what it has."""
    table = r'<details class="opens"( open)?><summary>Locals</summary><table[^>]*>(.*?)</table>'
    rows = r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>'
    return [
        (bool(is_open), {name: unescape(text) for name, text in re.findall(rows, inside)})
        for is_open, inside in re.findall(table, html)
    ]


def test_the_error_shows_them_beneath_each_frame_open_for_the_innermost_and_with_those_of_its_cause() -> None:
    with studio(SPLIT, locals_in_errors=True) as at:
        run = at.start("split", {"euros": 9})
        html = at.page(f"/runs/{run}?step=split&tab=error")
    own = {"data": "{'euros': 9}", "api_key": "[redacted]", "note": '"<b>it\'s</b>"'}
    assert variables(html) == [(True, own), (False, {"euros": "9", "people": "0"}), (False, own)]
    assert "<b>it" not in html
    order = [html.index(text) for text in ("in <b>split</b>", "because of", "in <b>share</b>")]
    assert order == sorted(order)
    assert re.search(r'<details class="opens"><summary>\d+ frames? of libraries', html)


def test_they_are_in_the_data_too_with_secrets_hidden() -> None:
    with studio(SPLIT, locals_in_errors=True) as at:
        run = at.start("split", {"euros": 9})
        result = at.client.get(f"/runs/{run}.json").text
        events = at.client.get(f"/runs/{run}/events.ndjson").text
    for text in (result, events):
        assert '"people":"0"' in text.replace(" ", "")
        assert "named-on-a-page-71c" not in text


def test_an_engine_that_keeps_none_shows_none() -> None:
    with studio(SPLIT) as at:
        run = at.start("split", {"euros": 9})
        html = at.page(f"/runs/{run}?step=split&tab=error")
    assert (variables(html), "Locals" in html) == ([], False)
    assert "in <b>share</b>" in html


@pytest.mark.parametrize(
    ("words", "keeps"),
    [
        (["open"], True),
        (["serve"], False),
        (["open", "--no-locals"], False),
        (["serve", "--locals"], True),
    ],
)
def test_the_studio_keeps_them_where_it_is_for_whoever_writes_workflows(words: list[str], keeps: bool) -> None:
    assert read_settings(vars(make_parser()[0].parse_args(words))).locals is keeps
    assert Settings().locals is False


@pytest.mark.parametrize(
    "frames",
    [
        7,
        [7],
        [{}],
        [{"locals": []}],
        [{"locals": {"n": {}}, "line": []}],
        [{"locals": {"n": [1]}, "line": 1, "file": {}}],
    ],
)
def test_no_stored_error_breaks_the_page(frames: Any) -> None:
    error: dict[str, Any] = {"type": "E", "frames": frames, "traceback": '  File "x.py", line 1, in f'}
    error |= {"cause": {"cause": {"exceptions": [1, error]}}, "exceptions": {"a": 1}}
    found = fault(error)
    assert found is not None
    assert [frame.variables for frame in found.users] == [()]
