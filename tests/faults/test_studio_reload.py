"""A file is saved while runs are under way: rightly, then wrongly. No run fails by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.process import Studio, start
from tests.web.waiting import until

FLOWS = """
import asyncio
from pathlib import Path
from engine import create_workflow, step

@step
async def wait(name: str) -> str:
    Path(name).touch()
    while not Path("enough").exists():
        await asyncio.sleep(0.01)
    return WORD

WORD = "old"
waits = create_workflow(id="waits").then(wait)
"""


@pytest.fixture
def file(folder: Path) -> Path:
    file = folder / "flows.py"
    file.write_text(FLOWS, "utf-8")
    return file


def result(studio: Studio, run: str) -> tuple[str, object]:
    """How a run has ended."""
    last = studio.ended(run)[-1]
    return last["type"], last["data"].get("result")


def test_runs_under_way_end_on_their_code_new_ones_take_the_new_and_a_syntax_error_keeps_that(
    studios: list[Studio], file: Path
) -> None:
    studio = start(studios, "flows.py", "--reload")
    names = ["a", "b", "c"]
    before = [studio.launch("waits", name) for name in names]
    until(lambda: all(Path(name).exists() for name in names))

    file.write_text(FLOWS.replace('"old"', '"new"'), "utf-8")
    studio.read_until("loaded again: waits")
    between = studio.launch("waits", "d")
    until(Path("d").exists)

    broken = FLOWS.replace('"old"', '"newest').replace("waits = ", "renamed = ")
    file.write_text(broken, "utf-8")
    studio.read_until("flows.py: SyntaxError")
    status, html = studio.get("/")
    assert status == 200
    assert all(said in html for said in ("flows.py", "SyntaxError", "unterminated string literal", "/workflows/waits"))
    after = studio.launch("waits", "e")
    until(Path("e").exists)

    Path("enough").touch()
    ended = [result(studio, run) for run in (*before, between, after)]
    assert ended == [("run.succeeded", word) for word in ("old", "old", "old", "new", "new")]

    file.write_text(FLOWS.replace('"old"', '"newest"'), "utf-8")
    studio.read_until("loaded again: waits")
    assert "SyntaxError" not in studio.get("/")[1]
    assert result(studio, studio.launch("waits", "f")) == ("run.succeeded", "newest")
