"""Calls that go wrong say what to do instead, in a line or two, and end with 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.cli import main

FLOWS = """
from dataclasses import dataclass
from engine import Engine, create_workflow, step

@step
def hello(name: str) -> str: return name

@dataclass
class Parcel:
    weight: float
    fragile: bool = False

@step
def send(parcel: Parcel) -> str: return "sent"

one = create_workflow(id="first").then(hello)
post = create_workflow(id="post", input_schema=Parcel).then(send)
count = create_workflow(id="count", input_schema=str).then(hello)
app = Engine([create_workflow(id="second").then(hello)])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a few files in it; what a call imports is forgotten."""
    (tmp_path / "some_flows.py").write_text(FLOWS, "utf-8")
    (tmp_path / "broken_flows.py").write_text("1 / 0", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in {"some_flows", "broken_flows"} - known:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run third some_flows.py", "some_flows.py has no workflow 'third'; it has first, post, count, second"),
        ("run first some_flows:app", "some_flows:app has no workflow 'first'; it has second"),
        ("run first some_flows:other", "some_flows has no 'other'; it has one, post, count, app"),
        ("run first absent.py", "there is no file absent.py"),
        ("run first absent", "there is no module absent; name a file, a folder or a module"),
        ("run first broken_flows.py", "broken_flows.py can't be imported: ZeroDivisionError: division by zero ("),
        ("graph first json", "json has no workflow; make one with create_workflow(...) at its top level"),
        (
            "run post some_flows.py",
            "input of workflow 'post': 1 problem: weight: ",
        ),
        ("run weather --input {", "--input is not JSON: "),
        (
            "run first some_flows.py --input Ada",
            "--input is not JSON: Expecting value: line 1 column 1 (char 0); ",
        ),
        ("run weather --target some_flows.py", "some_flows.py has no workflow 'weather'; it has first, post, "),
        ("run order --input 3", "input of workflow 'order': 1 problem: Input should be "),
        ("run weather --input @absent.json", "--input @absent.json: No such file or directory\n"),
        ("run weather --store other://x", "'other://x' does not name a store; use ':memory:'"),
        ("runs --store absent.db", "there is no store absent.db\n"),
        ("cancel 0193", "there is no store .studio/studio.db; name yours with --store\n"),
        ("resume 0193 --store :memory:", "what ran in memory is gone with its process; name a file with --store\n"),
        ("rnu", "there is no module rnu; name a file, a folder or a module (or is it the command `studio run`?)"),
    ],
)
def test_a_wrong_call_says_what_to_do(capsys: pytest.CaptureFixture[str], words: str, said: str) -> None:
    assert main(words.split()) == 2
    assert capsys.readouterr().err[: len(said)] == said


@pytest.mark.parametrize(("id", "shown"), [("post", """'{"weight": ..., "fragile": ...}'"""), ("count", "'JSON'")])
def test_a_run_without_its_input_says_how_to_give_one(capsys: pytest.CaptureFixture[str], id: str, shown: str) -> None:
    assert main(["run", id, "some_flows.py"]) == 2
    assert capsys.readouterr().err.endswith(f"; give one: --input {shown}\n")
    assert main(["run", id, "some_flows.py", "--input", "null"]) == 2
    assert "give one" not in capsys.readouterr().err


def test_the_help_lists_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    codes = "0 success, 1 failed, 2 wrong call, 3 waits for an answer, 4 canceled, 130 interrupted"
    assert said.endswith(f"exit codes: {codes}")


def test_an_engine_in_a_file_gives_its_workflows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "second", "some_flows.py", "--input", '"you"']) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "      you"
