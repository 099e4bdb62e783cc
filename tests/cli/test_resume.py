"""``studio resume``: answers from the command line, whoever has the run."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from studio.cli import main
from tests.cli.call import desk, started, studio, wait_for
from tests.cli.test_runs import leave

FLOWS = """
from typing import Literal
from pydantic import BaseModel
from engine import StepContext, create_workflow, step

class Word(BaseModel):
    say: Literal["yes", "no"]

@step
async def first(name: str, ctx: StepContext) -> str:
    return (await ctx.ask({"to": name}, Word, title="First?", label="one")).say

@step
async def second(name: str, ctx: StepContext) -> str:
    return (await ctx.ask({"to": name}, Word, title="Second?", label="two")).say

both = create_workflow(id="both", input_schema=str).parallel([first, second])
alone = create_workflow(id="alone", input_schema=str).then(first)
"""

HELD = """
from engine import create_workflow, step

@step
async def say(name: str) -> str:
    return name

held = create_workflow(id="held", input_schema=str).then(say)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflows.py").write_text(FLOWS, "utf-8")
    return tmp_path


YES = '{"say": "yes"}'


def test_an_answer_is_given_and_the_run_followed_to_its_end(folder: Path) -> None:
    leave(folder, ("abc", "alone", "Ada"))
    code, out, err = studio("resume", "ab", "--answer", YES, cwd=folder)
    assert (code, err, re.sub(r" +\d+ ms", " N ms", out).splitlines()) == (
        0,
        "",
        ["  ✓ done         first N ms", "  success", "      yes"],
    )
    said = "run abc has ended (success); begin anew with: studio run alone\n"
    assert studio("resume", "abc", "--answer", YES, cwd=folder) == (2, "", said)


def test_an_answer_that_does_not_fit_leaves_the_question_open(folder: Path) -> None:
    leave(folder, ("abc", "alone", "Ada"))
    (folder / "answer.json").write_text('{"say": "perhaps"}', "utf-8")
    code, out, err = studio("resume", "abc", "--answer", "@answer.json", cwd=folder)
    assert (code, out) == (2, "")
    assert "say: Input should be 'yes' or 'no'" in err
    assert studio("resume", "abc", "--answer", YES, cwd=folder)[0] == 0


def test_of_several_questions_one_is_named_by_its_step_or_its_label(folder: Path) -> None:
    leave(folder, ("abc", "both", "Ada"))
    which = "say which question of run abc is meant:\n  --step first --label one\n  --step second --label two\n"
    assert studio("resume", "abc", "--answer", YES, cwd=folder) == (2, "", which)
    assert studio("resume", "abc", "--answer", YES, "--step", "third", cwd=folder) == (2, "", which)
    code, out, _ = studio("resume", "abc", "--answer", YES, "--label", "two", cwd=folder)
    assert (code, out.splitlines()[-1]) == (3, "  Go on with it: studio resume abc")
    assert studio("resume", "abc", "--answer", YES, "--step", "second", cwd=folder)[0] == 2
    assert studio("resume", "abc", "--answer", YES, "--step", "first", cwd=folder)[0] == 0


def test_without_an_answer_and_nobody_at_the_keyboard_the_questions_are_shown(folder: Path) -> None:
    leave(folder, ("abc", "both", "Ada"))
    code, out, err = studio("resume", "abc", cwd=folder)
    assert (code, err) == (3, "")
    assert out.splitlines() == [
        "  first asks (label one)",
        "    First?",
        "      to: Ada",
        "  second asks (label two)",
        "    Second?",
        "      to: Ada",
        "  Nobody is at the keyboard; answer with --answer JSON --step PATH.",
    ]


def test_a_person_is_asked_one_question_after_the_other(folder: Path) -> None:
    leave(folder, ("abc", "both", "Ada"))
    with desk("resume", "abc", cwd=folder) as person:
        person.read_until("First?")
        person.read_until("[yes | no]: ")
        person.type("y\n")
        person.read_until("Second?")
        person.read_until("[yes | no]: ")
        person.type("no\n")
        person.read_until("second: no\r\n")
        assert person.process.wait(10) == 0


def test_the_answer_reaches_a_run_that_another_process_has(folder: Path) -> None:
    """It goes through the store; this command then waits for what comes of it, and needs none of the code."""
    with desk("run", "alone", "--input", '"Ada"', cwd=folder) as person:
        person.read_until("[yes | no]: ")
        (row,) = json.loads(studio("runs", "--json", cwd=folder)[1])
        code, out, err = studio("resume", row["run_id"], "--answer", YES, "--target", "studio.examples", cwd=folder)
        assert (code, err, out.splitlines()[-2:]) == (0, "", ["  success", "      yes"])
        person.read_until("It was answered elsewhere.")
        person.read_until("      yes\r\n")
        assert person.process.wait(10) == 0


def test_an_owner_that_is_stuck_is_named_with_the_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with desk("run", "alone", "--input", '"Ada"', cwd=folder) as person:
        person.read_until("[yes | no]: ")
        (row,) = json.loads(studio("runs", "--json", cwd=folder)[1])
        person.process.send_signal(signal.SIGSTOP)
        monkeypatch.chdir(folder)
        monkeypatch.setattr("engine.remote.PATIENCE", 0.2)
        assert main(["resume", row["run_id"], "--answer", YES, "--target", "studio.examples"]) == 2
        again = f"studio takeover {row['run_id']} --target studio.examples"
        said = f"the process that has the run is alive but does not answer; take the run over: {again}\n"
        assert capsys.readouterr().err == said


def test_the_answer_goes_to_a_studio_that_has_the_run(folder: Path) -> None:
    leave(folder, ("abc", "alone", "Ada"))
    with started("serve", "--port", "0", cwd=folder) as running:
        wait_for(running, "serves ")
        code, out, err = studio("resume", "abc", "--answer", YES, cwd=folder)
        assert (code, err, out.splitlines()[-1]) == (0, "", "      yes")


def test_a_run_that_is_held_goes_on(folder: Path) -> None:
    (folder / "workflows.py").write_text(HELD, "utf-8")
    leave(folder, ("abc", "held", "Ada"), paused=True)
    assert studio("runs", cwd=folder)[1].split()[:3] == ["abc", "paused", "held"]
    code, out, err = studio("resume", "abc", cwd=folder)
    assert (code, err, out.splitlines()[-2:]) == (0, "", ["  success", "      Ada"])


def test_a_run_that_was_never_started_is_told_apart(folder: Path) -> None:
    leave(folder, ("abc", "alone", None))
    said = "run abc was made and never started; whoever made it can start it\n"
    assert studio("resume", "abc", cwd=folder) == (2, "", said)


def test_a_run_without_its_code_keeps_its_question(folder: Path) -> None:
    leave(folder, ("abc", "alone", "Ada"))
    code, out, err = studio("resume", "abc", "--answer", YES, "--target", "studio.examples", cwd=folder)
    assert (code, out) == (2, "")
    assert "is of workflow 'alone', which is not registered" in err
    assert err.endswith("(--target names the file that has it)\n")
    assert studio("resume", "abc", "--answer", YES, cwd=folder)[0] == 0
