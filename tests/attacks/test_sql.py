"""Filters, pages and searches are values, never a part of a query; and none of them costs much."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from engine import create_step, create_workflow
from tests.attacks.studio import Studio, studio

FILTERS = ("status", "workflow", "tag", "text", "since", "until", "after", "notice")

PARTS = (
    "'", '"', "`", "''", "\\'", "')", "';", "'--", "' OR '1'='1", "' OR 1=1--", '" OR ""="', "1; DROP TABLE runs",
    "'; DELETE FROM events; --", "' UNION SELECT body FROM definitions--", "%27%20OR%201=1", "x' AND sleep(5)--",
    "'||(SELECT load_extension('x'))||'", "'; ATTACH DATABASE '/tmp/x' AS y; --", "1 ORDER BY 99", "(SELECT 1)",
    "run_id; --", "created_at DESC, (SELECT 1)", "json_extract(data,'$')", "$.a'), 1) --", "{'a': 1}", "[]", "a[b]",
    "%", "_", "%%%%%%", "____", "\\%", "*", "?", "[a-z]", "(((((", "^(a+)+$", "a" * 8, "*" * 50, "a*" * 50,
    "NEAR(a b)", 'a" NEAR "b', "a AND OR NOT", "-a", "a:b", "^a", "{a b}", "NOT", "a*", "\"\"\"", "MATCH 'x'",
    "0", "-1", "1e309", "0x10", "9" * 30, "NULL", "NaN", "true", "\t", "\r\n", " ", "é", "日本", "\u202e", "🙂",
    "2026-01-01", "2026-13-45T99:99", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999+14:00", "now", "T", "Z",
)  # fmt: skip
TEXTS = [*PARTS, *(one + other for one in PARTS[:16] for other in PARTS[:16])]


async def echo(data: Any) -> Any:
    return data


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A hundred runs; some with tags that a pattern would find."""
    workflow = create_workflow(id="100%_sure").then(create_step(id="echo", execute=echo))
    other = create_workflow(id="100xysure").then(create_step(id="echo", execute=echo))
    with studio([workflow, other], tmp_path_factory.mktemp("sql") / "runs.db") as made:
        for number in range(30):
            made.start(workflow.id if number % 2 else other.id, {"n": number}, tags=("a%b", "a_b", "aXb")[: number % 4])
        yield made


def test_there_are_three_hundred() -> None:
    assert len(TEXTS) >= 300


@pytest.mark.parametrize("name", FILTERS)
def test_no_text_in_a_filter_is_taken_for_anything_else(served: Studio, name: str) -> None:
    before = served.content()
    for text in TEXTS if name in {"text", "after"} else PARTS:
        answer = served.get(f"/runs?{urlencode({name: text})}")
        assert answer.status in {200, 400, 404, 422}, text
        assert "sqlite" not in answer.text.lower()
        assert "syntax error" not in answer.text.lower()
        assert "no such column" not in answer.text.lower()
    assert served.content() == before


def test_names_of_filters_are_known_ones(served: Studio) -> None:
    """What is no filter is no part of a query either: it is left alone, or refused."""
    whole = served.get("/runs").text.count('name="run" value=')
    assert whole == 30
    for text in PARTS:
        answer = served.get(f"/runs?{urlencode({text: text, f'metadata[{text}]': 'x', f'sort[{text}]': text})}")
        assert answer.status in {200, 400, 422}
        assert answer.status != 200 or answer.text.count('name="run" value=') == whole


@pytest.mark.parametrize(
    ("query", "found"),
    [("text=%25", 22), ("text=_", 22), ("text=100%25", 15), ("text=100", 30), ("text=0%25_s", 15), ("text=*", 0),
     ("tag=a%25b", 22), ("tag=a_b", 14), ("tag=a%25", 0), ("tag=_%25_", 0), ("workflow=100%25", 0),
     ("workflow=100%25_sure", 15)],
)  # fmt: skip
def test_a_pattern_is_only_letters(served: Studio, query: str, found: int) -> None:
    assert served.get(f"/runs?{query}").text.count('name="run" value=') == found


@pytest.mark.parametrize("path", ["/approvals", "/", "/workflows/100%25_sure"])
def test_no_text_in_an_address_of_another_page_is_a_failure(served: Studio, path: str) -> None:
    for text in PARTS:
        for names in (("workflow", "answered", "q", "tab", "step"), ("after",)):
            query = urlencode(dict.fromkeys(names, text))
            assert served.get(f"{path}?{query}").status in {200, 400, 404, 422}, query


def test_no_text_in_the_query_of_a_run_is_a_failure(served: Studio) -> None:
    (run,) = served.do(lambda: served.hosting.engine.list_runs(limit=1)).items
    for text in PARTS:
        for query in (dict.fromkeys(("view", "step", "tab", "question", "stamp"), text), {"before": text}):
            assert served.get(f"/runs/{run.run_id}?{urlencode(query)}").status < 500, query
        assert served.get(f"/runs/{run.run_id}/regions?{urlencode({'step': text, 'stamp': text})}").status < 500, text


def test_no_text_in_the_place_of_an_id_is_a_failure(served: Studio) -> None:
    before = served.content()
    for text in PARTS:
        id = urlencode({"": text})[1:].replace("+", "%20")
        for path in (f"/runs/{id}", f"/workflows/{id}", f"/approvals/{id}", f"/runs/{id}/regions"):
            assert served.get(path).status in {400, 404}, path
        assert served.post(f"/runs/{id}/delete").status in {400, 404}
        assert served.post("/runs/bulk", {"do": "delete", "run": text}).status in {200, 303, 400, 404, 409}
    assert served.content() == before


@pytest.mark.parametrize("text", ["(a+)+$" * 1000, "a" * 7000, "%" * 2000, "*a" * 3000, "é" * 1000, "\\" * 2000])
def test_a_long_search_costs_little(served: Studio, text: str) -> None:
    """Searches are for parts of a text: no pattern of a person's is ever compiled."""
    for name in ("text", "tag", "workflow"):
        began = time.perf_counter()
        assert served.get(f"/runs?{urlencode({name: text})}").status in {200, 400, 414}
        assert time.perf_counter() - began < 3


@pytest.mark.parametrize("query", ["limit=1000000", "perPage=1000000", "page=1000000", "per_page=-1", "limit=0"])
def test_nobody_asks_for_a_million_rows_at_once(served: Studio, query: str) -> None:
    assert served.get(f"/runs?{query}").text.count('name="run" value=') <= 50
