"""Every flag has a twin in the environment. Which flags there are is read from the parser."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main, make_parser
from studio.flags import takes_several, variable
from tests.architecture.tree import ROOT

PARSERS = make_parser()[1].parsers
FLAGS = [(name, flag) for name, parser in PARSERS.items() for flag in parser.flags()]
STRICT = [(name, flag) for name, flag in FLAGS if flag.nargs == 0 or flag.choices or flag.type not in (None, str, Path)]
# Of the others, any number does.
SAMPLES = {"status": ("failed", "success"), "format": ("png", "svg"), "editor": ("zed", "none")}


def named(flags: list[tuple[str, argparse.Action]]) -> list[str]:
    return [f"{name} {flag.option_strings[-1]}" for name, flag in flags]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STUDIO_")]:
        monkeypatch.delenv(name)


def parsed(name: str, *words: str) -> dict[str, Any]:
    """What a command understands; the words that it can't do without are added."""
    needed = ["x" for one in PARSERS[name]._actions if not one.option_strings and one.nargs is None]
    return vars(make_parser()[0].parse_args([name, *needed, *words]))


def samples(flag: argparse.Action) -> tuple[list[str], list[str]]:
    """Two values for a flag, as words of the command line; a switch has but one."""
    one, two = SAMPLES.get(flag.dest, ("7", "8"))
    return ([], []) if flag.nargs == 0 else ([one], [two])


@pytest.mark.parametrize(("name", "flag"), FLAGS, ids=named(FLAGS))
def test_a_flag_and_its_variable_are_the_same_and_the_flag_wins(
    name: str, flag: argparse.Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = next(one for one in flag.option_strings if one.startswith("--"))
    one, two = samples(flag)
    nothing, by_flag, by_other = parsed(name), parsed(name, long, *one), parsed(name, long, *two)
    monkeypatch.setenv(variable(flag), one[0] if one else "yes")
    assert parsed(name) == by_flag
    assert parsed(name, long, *two) == by_other
    monkeypatch.setenv(variable(flag), "")
    assert parsed(name) == nothing


@pytest.mark.parametrize(("name", "flag"), STRICT, ids=named(STRICT))
def test_a_wrong_variable_is_named_and_ends_with_2(
    name: str, flag: argparse.Action, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable(flag), "perhaps")
    with pytest.raises(SystemExit) as ended:
        parsed(name)
    said = capsys.readouterr().err
    assert (ended.value.code, said.startswith(f"studio {name}: {variable(flag)}=perhaps: ")) == (2, True), said
    assert said.endswith(f"\n(see studio {name} --help)\n")


@pytest.mark.parametrize("name", ["open", "serve"])
@pytest.mark.parametrize(("text", "means"), [("1", True), ("no", False), ("TRUE", True), ("off", False)])
def test_a_switch_can_be_turned_off_by_its_variable(
    name: str, text: str, means: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_RELOAD", text)
    assert parsed(name)["reload"] is means


def test_a_flag_that_may_be_repeated_has_commas_in_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    several = [one for one in FLAGS if takes_several(one[1])]
    assert named(several) == ["open --allowed-host", "serve --allowed-host", "runs --status"]
    monkeypatch.setenv("STUDIO_STATUS", "failed, success")
    assert parsed("runs")["status"] == ["failed", "success"]


@pytest.mark.parametrize("name", PARSERS)
def test_help_has_an_example_that_is_understood_and_names_every_variable(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = PARSERS[name]
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    said = capsys.readouterr().out
    assert (ended.value.code, f"example: {parser.example}" in said) == (0, True)
    assert [flag.dest for flag in parser.flags() if f"[{variable(flag)}]" not in " ".join(said.split())] == []
    program, *words = shlex.split(parser.example)
    assert program == "studio"
    chosen = make_parser()[0].parse_args(words if words[0] == name else [name, *words])
    assert chosen.action is parser.get_default("action")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("runs --limit 0", "studio runs: argument --limit: a whole number from 1 to 10000\n"),
        ("runs --status done", "studio runs: argument --status: invalid choice: 'done' (choose from"),
        (
            "serve --port many",
            "studio serve: argument --port: many: a port is a number from 0 ",
        ),
        ("graph order --format pdf", "studio graph: argument --format: invalid choice: 'pdf' (choose from"),
        ("run", "studio run: the following arguments are required: ID\n"),
        ("run order --inptu {}", "studio: unrecognized arguments: --inptu {}\n"),
        ("resume", "studio resume: the following arguments are required: RUN\n"),
    ],
)
def test_a_wrong_value_is_named_and_ends_with_2(capsys: pytest.CaptureFixture[str], words: str, said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert (ended.value.code, capsys.readouterr().err[: len(said)]) == (2, said)


def test_the_readme_names_every_command_and_no_other() -> None:
    said = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"`(?:\.venv/bin/)?studio ([a-z]+)\b(?!\.)", said))
    assert named ^ set(PARSERS) == {"open"}, "what `studio` alone does"


def test_servers_open_no_browser_and_load_no_file_again() -> None:
    assert {name: (parsed(name)["open"], parsed(name)["reload"]) for name in ("open", "serve")} == {
        "open": (True, True),
        "serve": (False, False),
    }
