"""The command line's parts: calls that go wrong, pictures, questions field by field."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from engine import Suspension
from studio.cli import main
from studio.questions import fields_of, read_answer
from studio.terminal import Terminal, duration, outline

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
        ("run first absent", "absent can't be imported: ModuleNotFoundError: No module named 'absent'"),
        ("run first broken_flows.py", "broken_flows.py can't be imported: ZeroDivisionError: division by zero ("),
        ("graph first json", "json has no workflow; make one with create_workflow(...) at its top level"),
        (
            "run post some_flows.py",
            "input of workflow 'post': 1 problem: Input should be a dict",
        ),
        ("run weather --input {", "--input is not JSON: "),
        ("run weather --input {}", "input of workflow 'weather': 1 problem: day: "),
        ("run weather --input @absent.json", "[Errno 2] No such file or directory: 'absent.json'"),
        ("run weather --store runs.db", "'runs.db' does not name a store; use ':memory:'"),
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


@pytest.mark.parametrize(
    ("form", "begins"), [("svg", "<svg "), ("dot", "digraph "), ("mermaid", "flowchart TD"), ("json", "{")]
)
def test_a_workflow_is_drawn(folder: Path, capsys: pytest.CaptureFixture[str], form: str, begins: str) -> None:
    assert main(["graph", "first", "some_flows.py", "--format", form]) == 0
    drawn = capsys.readouterr().out
    assert main(["graph", "first", "some_flows.py", "--format", form, "-o", "picture"]) == 0
    assert (drawn[: len(begins)], capsys.readouterr().out) == (begins, "")
    assert (folder / "picture").read_text("utf-8") == drawn


# -- questions


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Answer(BaseModel):
    agreed: bool
    count: int = Field(description="How many?")
    price: float = 1.5
    size: Size = Size.SMALL
    note: str | None = None
    only: Literal["this"] = "this"
    tags: list[str] = []


def asked_for(schema: Any, *typed: str) -> tuple[Any, list[str]]:
    """The answer that these lines give, and the prompts that were shown."""
    lines, prompts = iter(typed), []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(lines)

    return read_answer(fields_of(schema), ask), prompts


def test_each_field_of_an_answer_is_asked_for_by_its_type() -> None:
    answer, prompts = asked_for(
        TypeAdapter(Answer).json_schema(), "y", "3", "2.5", "large", "hello", "this", '["a", "b"]'
    )
    assert answer == {
        "agreed": True,
        "count": 3,
        "price": 2.5,
        "size": "large",
        "note": "hello",
        "only": "this",
        "tags": ["a", "b"],
    }
    assert prompts == [
        "agreed: Agreed [yes or no]:",
        "count: How many? [a whole number]:",
        "price: Price [a number, Enter for 1.5]:",
        "size: Size [small | large, Enter for small]:",
        "note: Note [text, Enter for none]:",
        "only: Only [this, Enter for this]:",
        "tags: Tags [JSON, Enter for none]:",
    ]


def test_enter_leaves_out_what_is_not_needed() -> None:
    assert asked_for(TypeAdapter(Answer).json_schema(), "no", "3", "", "", "", "", "")[0] == {
        "agreed": False,
        "count": 3,
    }


def test_what_is_not_understood_is_asked_again() -> None:
    answer, prompts = asked_for(TypeAdapter(Answer).json_schema(), "", "maybe", "n", "x", "3", "", "", "", "", "")
    assert (answer, prompts[1], prompts[4]) == (
        {"agreed": False, "count": 3},
        "That is not yes or no [yes or no]:",
        "That is not a whole number [a whole number]:",
    )


@pytest.mark.parametrize(
    ("schema", "typed", "answer"),
    [
        (None, '{"a": 1}', {"a": 1}),
        ({"type": "string"}, "hello", "hello"),
        ({"type": "boolean", "title": "Go on?"}, "no", False),
        ({"enum": ["left", "right"]}, "r", "right"),
        ({"$ref": "#/$defs/N", "$defs": {"N": {"type": "integer"}}}, "4", 4),
    ],
)
def test_an_answer_that_is_one_value_is_one_line(schema: Any, typed: str, answer: Any) -> None:
    assert asked_for(schema, typed)[0] == answer


# -- the screen


def test_data_is_shown_as_an_outline() -> None:
    data = {"a": 1, "b": [True, None], "c": {"d": ["x"]}, "e": [], "f": "two\nlines", "g": {}, "h": ""}
    assert outline(data) == [
        "a: 1",
        "b:",
        "  - true",
        "  - null",
        "c:",
        "  d:",
        "    - x",
        "e: none",
        "f:",
        "  two",
        "  lines",
        "g: none",
        "h: (empty)",
    ]


def test_a_question_can_not_steer_the_terminal() -> None:
    out = io.StringIO()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    Terminal(out).question(Suspension("t", "r", "w", "p", None, "a\033[2Jb", ["\a"], None, now, None))
    assert out.getvalue() == "    a\\x1b[2Jb\n      - \\x07\n"


def test_the_end_of_the_input_is_told() -> None:
    out, now = io.StringIO(), datetime(2026, 1, 1, tzinfo=UTC)
    question = Suspension("t", "r", "w", "p", None, None, None, {"type": "string"}, now, None)
    with pytest.raises(EOFError):
        Terminal(out, io.StringIO("")).answer(question, iter(()))


@pytest.mark.parametrize(("seconds", "shown"), [(0.0004, "0 ms"), (0.25, "250 ms"), (2.04, "2.0 s")])
def test_a_duration_is_short(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
