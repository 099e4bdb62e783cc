"""What is wrong with the files that are served, on the first page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from studio.app import create_app
from studio.catalog import Catalog
from studio.hosting import Hosting
from studio.loader import discover

FLOWS = """
from engine import create_workflow, step

@step
async def say(name: str) -> str:
    return name

a = create_workflow(id="greeting", input_schema=str).then(say)
b = create_workflow(id="greeting", input_schema=str).then(say, id="again")
c = create_workflow(id="wrong").then(say).then(say)
"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The first page of a studio on that file."""
    monkeypatch.chdir(tmp_path)
    Path("flows_with_mistakes.py").write_text(FLOWS, "utf-8")
    with Hosting(catalog=Catalog(discover("flows_with_mistakes.py"))) as hosting:
        yield TestClient(create_app(hosting), base_url="http://127.0.0.1:4111").get("/").text


def test_two_workflows_of_one_id_and_a_wrong_definition_have_a_card_each(page: str) -> None:
    cards = [html.unescape(re.sub(r"<[^>]+>", "", card)) for card in page.split("<article")[1:]]
    assert len(cards) == 3
    good, twice, wrong = cards
    assert "greeting" in good
    assert "has a mistake" in twice
    assert (
        "two workflows have the id 'greeting': a and b in flows_with_mistakes.py; "
        "the first is served, give the other an id of its own"
    ) in twice
    assert "workflow 'wrong' has 1 problem:\n  - say: the id is used twice; " in wrong
