"""The command that draws a workflow."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.graph import cli
from tests.unit.graph_definitions import DEPLOY

FLOWS = """
from engine.steps import step
from engine.workflow import create_workflow

@step
def hello(name: str) -> str: return name

one = create_workflow(id="first").then(hello)
two = create_workflow(id="second").then(hello).then(hello, id="again")
"""


@pytest.fixture
def flows(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "drawn_flows.py"
    file.write_text(FLOWS, "utf-8")
    before = list(sys.path)
    yield file
    sys.path[:] = before
    sys.modules.pop("drawn_flows", None)


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.run(parser.parse_args([str(word) for word in words]))


@pytest.mark.parametrize("name", ["second", "two"])
def test_a_workflow_in_a_file(flows: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(f"{flows}:{name}", "--format", "mermaid") == 0
    assert capsys.readouterr().out.splitlines()[2:4] == ['  n1["hello<br/>step"]', '  n2["again<br/>step"]']


def test_a_workflow_in_a_module(
    flows: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(flows.parent))
    assert run("drawn_flows:first", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == "first"


@pytest.mark.parametrize(
    ("ending", "begins"),
    [("svg", "<svg "), ("dot", "digraph "), ("mmd", "flowchart TD"), ("json", "{")],
)
def test_the_files_name_says_the_format(flows: Path, tmp_path: Path, ending: str, begins: str) -> None:
    out = tmp_path / f"graph.{ending}"
    assert run(f"{flows}:first", "-o", out) == 0
    assert out.read_text("utf-8").startswith(begins)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("graph.png", "can't draw .png; use .svg, .dot, .mmd or .json, or say --format\n"),
        ("nodir/graph.svg", "folder {folder}/nodir does not exist\n"),
    ],
)
def test_what_can_not_be_written_is_told(
    flows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    assert run(f"{flows}:first", "-o", tmp_path / name) == 2
    assert capsys.readouterr().err == said.format(folder=tmp_path)
    assert not (tmp_path / name).exists()


def test_a_format_that_is_said_goes_into_any_file(flows: Path, tmp_path: Path) -> None:
    assert run(f"{flows}:first", "-o", tmp_path / "graph.txt", "--format", "dot") == 0
    assert (tmp_path / "graph.txt").read_text("utf-8").startswith("digraph ")


def test_folding_a_place_that_there_is_not_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(DEPLOY), "utf-8")
    assert run(file, "--fold", "chain-1", "--format", "json") == 0
    capsys.readouterr()
    for place in ("nope", "gather"):
        assert run(file, "--fold", "parallel-1", "--fold", place) == 2
        said = f"--fold: deploy has nothing to fold at {place!r}; it has parallel-1, chain-1\n"
        assert capsys.readouterr() == ("", said)


def test_two_workflows_with_one_id_in_a_file_are_told(flows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flows.write_text(FLOWS.replace("second", "first"), "utf-8")
    assert run(flows) == 2
    said = "drawn_flows has two workflows with the id 'first' (one is two); give one another id, "
    assert capsys.readouterr().err.startswith(said)


def test_a_stored_definition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(DEPLOY), "utf-8")
    assert run(file, "--theme", "dark") == run(file, "--no-legend") == 0
    assert 'legend"' not in capsys.readouterr().out
    assert run(file, "--legend") == 0
    assert 'legend"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{file}", "has several workflows; name one of first, second after a colon"),
        ("{file}:third", "has no workflow 'third'; it has first, second"),
        ("{folder}/absent.py", "there is no file"),
        ("json", "json has no workflow; make one with create_workflow(...) at its top level"),
        ("no_such_module_here", "can't be imported: ModuleNotFoundError"),
        ("{folder}/broken.py", "can't be imported: SyntaxError"),
        ("{folder}/absent.json", "No such file"),
        ("{folder}/list.json", "it has no 'root'"),
    ],
)
def test_a_wrong_target_says_what_there_is(
    flows: Path, capsys: pytest.CaptureFixture[str], target: str, said: str
) -> None:
    (flows.parent / "broken.py").write_text("def (", "utf-8")
    (flows.parent / "list.json").write_text("[]", "utf-8")
    assert run(target.format(file=flows, folder=flows.parent)) == 2
    out, err = capsys.readouterr()
    assert (out, said in err) == ("", True), err
