"""The studio's benchmarks run, and their table has all its lines. No time is judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.figures import Figure, figures_table
from tests.benchmarks.studio_pages import clicks, opened
from tests.benchmarks.studio_site import site
from tests.chromium import chromium
from tests.requires import requires_tool


def test_starts_lists_and_viewers_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = tmp_path / "found.json"
    words = f"studio --only start,lists,viewers --runs 1000 --viewers 3 --events 20 --repetitions 1 --json {found}"
    assert main([*words.split(), "--kept", str(tmp_path / "kept")]) == 0
    figures = {one["what"]: one for one in json.loads(found.read_text("utf-8"))}
    assert figures["3 viewers of a run: who saw everything"]["value"] == 3
    assert sum(name.startswith("1,000 runs: ") for name in figures) == 16
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("process start to first page  ")]
    assert lines[-1].endswith(f"of {sum(one['goal'] is not None for one in figures.values())} goals met")


@requires_tool("chromium")
def test_a_page_is_weighed_and_a_click_followed(tmp_path: Path) -> None:
    with chromium() as browser, site(tmp_path) as studio:
        page = opened(browser, studio, "/")
        assert 3 < page.requests < 30
        assert 10_000 < page.sent < 1_000_000
        assert page.paint > 0
        first, end = clicks(browser, studio, 1)
        assert 0 < first.value <= end.value


def test_a_table_says_what_is_met() -> None:
    figures = [
        Figure("quick enough", 5, "ms", 10, note="once"),
        Figure("too slow", 20, "ms", 10),
        Figure("none", 0, "", 0),
        Figure("all", 7, "", 7, is_least=True),
        Figure("no matter", 1234, "B"),
    ]
    assert figures_table(figures).splitlines()[1:] == [
        "quick enough   5.00  ms    < 10.0  ✓ once",
        "too slow       20.0  ms    < 10.0  ✗",
        "none              0        = 0.00  ✓",
        "all            7.00        ≥ 7.00  ✓",
        "no matter     1,234  B",
    ]
