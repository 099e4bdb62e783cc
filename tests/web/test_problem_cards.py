"""What is wrong with the files that are served, on the first page."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from studio.app import create_app
from studio.catalog import Catalog
from studio.hosting import Hosting
from studio.loader import discover, discover_again
from studio.settings import Settings

HOME = "http://127.0.0.1:4111"
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
        yield TestClient(create_app(hosting), base_url=HOME).get("/").text


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


@pytest.mark.parametrize("editor", ["vscode", "none"])
def test_a_card_leads_to_the_line_in_the_editor_also_after_a_reload(tmp_path: Path, editor: str) -> None:
    file = tmp_path / "cannot.py"
    file.write_text("x = 1\ny = 1 / 0\n", "utf-8")
    address = [f"vscode://file{file}:2"] if editor == "vscode" else []
    with Hosting(catalog=Catalog(discover(str(file)))) as hosting:
        app = create_app(hosting, Settings(editor=editor))
        with TestClient(app, base_url=HOME) as client:
            page = client.get("/").text
            assert re.findall(r'href="(vscode:[^"]*)"', page) == address
            assert f'data-copy="{file}:2"' in page
            (socket,) = re.findall(r'hx-ws:connect="(/ws[^"]*)"', page)
            hosting.catalog.replace(discover_again(str(file), hosting.catalog.loaded))
            where = "ws" + HOME.removeprefix("http") + html.unescape(socket)
            with client.websocket_connect(where, headers={"origin": HOME}) as viewer:
                content = json.loads(viewer.receive_text())["content"]
    assert "cannot.py:2" in content
    assert re.findall(r'href="(vscode:[^"]*)"', content) == address
