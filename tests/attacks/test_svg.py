"""Pictures of workflows: whatever their texts are, a picture has the elements that we draw, and no others."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import apsw
import pytest

from engine import Engine, create_step, create_workflow
from engine.graph import to_svg
from tests.attacks.markup import is_ours
from tests.attacks.studio import Studio, studio
from tests.unit.graph_definitions import NASTY
from tests.unit.test_graph_svg import ATTRIBUTES, ELEMENTS, SVG, nasty

FILES = [
    "<IMG SRC='/etc/passwd'>", "<table background='/etc/passwd'><tr><td>x</td></tr></table>", "image=/etc/passwd",
    'shapefile="/etc/passwd"', "fontpath=/etc", 'imagepath="/etc"', "URL=javascript:window.__xss=1", "tooltip=x",
    'x"]; n9 [URL="javascript:1"]; n1 [label="', "x\\\"]; rankdir=LR; //", "label=<<b>x</b>>", "&lt;b&gt;", "<b/>",
]  # fmt: skip
LABELS = [*NASTY, *FILES]
PLANTED = [text for text in LABELS if text.isascii() or text.encode("utf-8", "ignore").decode() == text][::4]
"""Half a letter can't be in a file of JSON."""
LINKED = {*ATTRIBUTES, "aria-label", "data-fold"}
CANARY = "root:x:0:0"
PICTURE = re.compile(r'<svg xmlns="http://www.w3.org/2000/svg" class="workflow".*?</svg>', re.DOTALL)


def faults(svg: str) -> list[str]:
    """What is in a picture that is not drawn by us. On a page it has links, too, that fold and unfold."""
    root = ElementTree.fromstring(svg.encode("utf-8"))  # noqa: S314 - our own
    for link in list(root.iter(f"{SVG}a")):
        if is_ours(link.attrib.pop("href", "")) and link.attrib.keys() <= LINKED:
            link.tag = f"{SVG}g"
            link.attrib.clear()
    found = [element.tag for element in root.iter() if element.tag.removeprefix(SVG) not in ELEMENTS]
    found += [name for element in root.iter() for name in element.attrib if name not in ATTRIBUTES]
    return found


def test_there_are_two_hundred_labels() -> None:
    assert len(LABELS) >= 200


@pytest.mark.parametrize("text", FILES)
def test_no_text_makes_a_picture_read_a_file_or_lead_anywhere(text: str) -> None:
    svg = to_svg(nasty(text))
    assert faults(svg) == []
    assert CANARY not in svg
    assert "href" not in re.sub(r">[^<]*<", "><", svg)


@pytest.mark.parametrize("text", ["<lambda>", "<b>x</b>", "a & b", r"\N", "\"'", "x</text>", "%s{}${x}"])
def test_a_label_is_the_text_and_nothing_else(text: str) -> None:
    workflow = create_workflow(id="w").then(create_step(id=text.replace("/", ""), execute=lambda: None))
    root = ElementTree.fromstring(to_svg(workflow).encode("utf-8"))  # noqa: S314 - our own
    shown = [one.text for one in root.iter(f"{SVG}text") if one.get("class") == "id"]
    assert shown == [text.replace("/", "")]


WORKFLOW = create_workflow(id="gone").then(create_step(id="step", execute=lambda: None))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Runs whose code is gone, and whose stored definitions somebody has written."""
    file = tmp_path_factory.mktemp("svg") / "runs.db"

    async def prepare() -> None:
        async with Engine([WORKFLOW], store=f"sqlite:///{file}") as engine:
            for number in range(len(PLANTED)):
                await (await engine.create_run("gone", run_id=f"r{number}")).start()

    asyncio.run(prepare())
    with closing(apsw.Connection(str(file))) as connection:
        for number, text in enumerate(PLANTED):
            body = json.dumps(nasty(text[:5000]))
            connection.execute("INSERT INTO definitions VALUES (?, ?)", (f"planted{number}", body))
            connection.execute("UPDATE runs SET version = ? WHERE run_id = ?", (f"planted{number}", f"r{number}"))
    with studio([], file) as made:
        made.runs = {f"r{number}": f"r{number}" for number in range(len(PLANTED))}
        yield made


def test_a_picture_of_a_planted_definition_has_nothing_of_it_but_text(served: Studio) -> None:
    drawn = 0
    for run in served.runs.values():
        answer = served.get(f"/runs/{run}")
        assert answer.status == 200, run
        for svg in re.findall(
            r'<svg xmlns="http://www.w3.org/2000/svg" class="workflow".*?</svg>', answer.text, re.DOTALL
        ):
            drawn += 1
            assert faults(svg) == []
            assert CANARY not in svg
    assert drawn > len(served.runs) / 2


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", '{"root": 1}',
     '{"id": 1, "root": {"id": "x", "children": 3}}', '{"root": {"children": [[]]}}',
     '{"id": "x", "root": ' + '{"id": "a", "kind": "workflow", "children": [' * 300 + "]}" * 300 + "}",
     '{"id":"x","root":{"id":"x","kind":"workflow","children":[{"id":"a","kind":"nothing we know"}]}}'],
)  # fmt: skip
def test_a_definition_that_is_none_is_said_and_harms_no_other_page(tmp_path: Path, body: str) -> None:
    """Without one the run can't be told; that is no failure of the studio's."""

    async def prepare() -> None:
        async with Engine([WORKFLOW], store=f"sqlite:///{tmp_path / 'runs.db'}") as engine:
            await (await engine.create_run("gone", run_id="r")).start()

    asyncio.run(prepare())
    with closing(apsw.Connection(str(tmp_path / "runs.db"))) as connection:
        connection.execute("UPDATE definitions SET body = ?", (body,))
    with studio([], tmp_path / "runs.db") as made:
        found = made.get("/runs/r")
        assert found.status == 409
        assert "Traceback" not in found.text
        assert (made.get("/runs").status, made.get("/").status) == (200, 200)
