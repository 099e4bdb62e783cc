"""``studio run`` and ``studio examples``, as a person or a script uses them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.call import ENVIRONMENT, desk, started, studio, wait_for

SHOP = '''
from engine import StepContext, create_workflow, step

@step
async def sell(name: str, ctx: StepContext) -> str:
    """Sell."""
    if name == "lead":
        raise ValueError("nobody wants lead")
    if name == "gold":
        ctx.abort("too dear")
    return f"sold {name}"

shop = create_workflow(id="shop", input_schema=str).then(sell)
'''


NAP = """
from engine import create_workflow

nap = create_workflow(id="nap").sleep(0.3).sleep(0.01, id="nap_again")
"""

VAULT = """
from pydantic import BaseModel, SecretStr
from engine import create_workflow, step

class Key(BaseModel):
    password: SecretStr

@step
async def enter(key: Key) -> str:
    return "open" if key.password.get_secret_value() == "swordfish" else "closed"

vault = create_workflow(id="vault", input_schema=Key).then(enter)
"""

DEAF = """
import time
from engine import create_workflow, step

@step
def hear(_: None) -> None:
    print("deaf to everything", flush=True)
    time.sleep(60)

deaf = create_workflow(id="deaf").then(hear)
"""

ASIDE = """
import signal
import time
from engine import create_workflow, step

@step
async def turn_away(_: None) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])

@step
def hear(_: None) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    print("heard aside", flush=True)
    time.sleep(60)

aside = create_workflow(id="aside").then(turn_away).then(hear)
"""


def test_examples_run_one_by_one_and_say_what_happens(tmp_path: Path) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    code, out, err = studio("examples", cwd=here, TMPDIR=str(temporary), TEMP=str(temporary))
    assert (code, err) == (0, "")
    assert re.findall(r"^([\w-]+): ", out, re.MULTILINE) == [
        "weather",
        "csv-import",
        "order",
        "review",
        "release",
        "timesheet",
    ]
    assert re.findall(r"^  (success|failed|suspended)\b", out, re.MULTILINE) == ["success"] * 5 + ["failed"]
    assert re.search(r"^  ✓ done +look_up_weather +\d+ ms$", out, re.MULTILINE)
    assert re.search(r"^  ↻ tries again +fulfil/charge +\d+ ms  the bank does not answer$", out, re.MULTILINE)
    assert 'the sample answers: {"action": "mend"}' in out
    assert out.splitlines()[-6] == "Where to go next"
    assert "\033" not in out
    assert list(here.iterdir()) == []
    assert [file.name for file in temporary.glob("studio-*/*")] == ["contacts.json"]


def test_a_terminal_that_knows_only_ascii_gets_ascii(tmp_path: Path) -> None:
    code, out, err = studio("run", "weather", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (code, err, out.isascii()) == (0, "", True)
    assert re.search(r"^  \+ done +look_up_weather", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("input", "code", "last"),
    [
        ('"tea"', 0, "      sold tea"),
        ('"lead"', 1, "      {folder}/shop.py, line 8, in sell"),
        ('"gold"', 4, "  canceled"),
        ("@input.json", 0, "      sold milk"),
    ],
)
def test_the_exit_code_says_how_the_run_ended(tmp_path: Path, input: str, code: int, last: str) -> None:
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    (tmp_path / "input.json").write_text('"milk"', "utf-8")
    returned, out, err = studio("run", "shop", "shop.py", "--input", input, cwd=tmp_path)
    assert (returned, out.splitlines()[-1], err) == (code, last.format(folder=tmp_path), "")
    assert code != 1 or out.splitlines()[-2] == "  failed: ValueError: nobody wants lead"


def test_a_question_that_nobody_answers_is_kept_in_the_store_and_the_store_can_be_checked(tmp_path: Path) -> None:
    code, out, err = studio("run", "csv-import", "--store", "runs.db", cwd=tmp_path)
    assert (code, err) == (3, "")
    run_id = re.findall(r"^  run   (\S+)$", out, re.MULTILINE)[0]
    assert out.splitlines()[-2:] == [
        f"  Nobody answered: run {run_id} is kept in runs.db.",
        f"  Go on with it: studio resume {run_id} --store runs.db",
    ]
    for name in ("runs.db", "sqlite:///runs.db"):
        assert studio("verify", name, cwd=tmp_path) == (0, "runs.db: 1 run, no faults\n", "")


def test_runs_are_kept_where_the_studio_looks_unless_they_are_to_be_in_memory(tmp_path: Path) -> None:
    code, out, _ = studio("run", "csv-import", "--store", ":memory:", cwd=tmp_path)
    gone = "  Nobody answered: the run was in memory and is gone; without --store :memory: it is kept."
    assert (code, out.splitlines()[-1], list(tmp_path.iterdir())) == (3, gone, [])
    assert studio("run", "weather", cwd=tmp_path)[0] == 0
    assert [path.name for path in (tmp_path / ".studio").glob("*.db")] == ["studio.db"]
    assert (tmp_path / ".studio").stat().st_mode & 0o777 == 0o700


def test_a_wrong_input_leaves_no_run_behind(tmp_path: Path) -> None:
    assert studio("run", "weather", "--input", '{"day": "soon"}', cwd=tmp_path)[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_the_run_and_resume_goes_on_with_it(tmp_path: Path) -> None:
    (tmp_path / "nap.py").write_text(NAP, "utf-8")
    with started("run", "nap", "nap.py", cwd=tmp_path) as running:
        run_id = wait_for(running, "  run ").split()[1]
        wait_for(running, " sleeps ")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
        assert (running.returncode, err) == (130, "\n")
    again = f"resume {run_id} --target nap.py"
    assert out.splitlines() == [
        "",
        f"  Interrupted: run {run_id} is kept in .studio/studio.db.",
        f"  Go on with it: studio {again}",
    ]
    with started(*again.split(), cwd=tmp_path) as running:
        wait_for(running, "nap_again")
        assert running.wait(10) == 0


def test_ctrl_c_ends_although_a_step_works_in_a_thread(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(DEAF, "utf-8")
    with started("run", "deaf", "deaf.py", "--store", ":memory:", cwd=tmp_path) as running:
        wait_for(running, "deaf to everything")
        running.send_signal(signal.SIGINT)
        assert running.wait(15) == 130


def test_ctrl_c_wakes_the_loop_when_it_did_not_hear_it_itself(tmp_path: Path) -> None:
    """As when it comes between the last look for signals and the wait for what happens next."""
    (tmp_path / "aside.py").write_text(ASIDE, "utf-8")
    with started("run", "aside", "aside.py", "--store", ":memory:", cwd=tmp_path) as running:
        wait_for(running, "heard aside")
        running.send_signal(signal.SIGINT)
        assert running.wait(15) == 130


def test_a_workflow_of_the_usual_file_is_run_and_an_example_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "workflows.py").write_text(SHOP, "utf-8")
    assert studio("run", "shop", "--input", '"tea"', cwd=tmp_path)[0] == 0
    assert studio("run", "order", cwd=tmp_path) == (
        2,
        "",
        "workflows.py has no workflow 'order'; it has shop\nthe example of that name needs --target studio.examples\n",
    )


def test_a_person_at_the_keyboard_is_asked(tmp_path: Path) -> None:
    with desk("run", "review", "--input", json.dumps({"text": "Hello"}), cwd=tmp_path) as person:
        person.read_until("give up]: ")
        person.type("maybe\n")
        person.read_until("That is not one of them [accept | mend | rewrite | give up]: ")
        person.type("acc\n")
        person.read_until("Enter for none]: ")
        person.type("\n")
        person.read_until("words: 1\r\n")
        assert person.process.wait(10) == 0
    assert "Round 1: what shall happen to this text?" in person.said
    assert "\033[32m" in person.said


def test_a_person_is_asked_for_an_input_that_was_not_given(tmp_path: Path) -> None:
    (tmp_path / "workflows.py").write_text(SHOP, "utf-8")
    with desk("run", "shop", cwd=tmp_path) as person:
        person.read_until("shop takes an input")
        person.read_until("[text]: ")
        person.type("tea\n")
        person.read_until("      sold tea\r\n")
        assert person.process.wait(10) == 0


def test_what_is_secret_is_not_shown_while_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "workflows.py").write_text(VAULT, "utf-8")
    with desk("run", "vault", cwd=tmp_path) as person:
        person.read_until("password: Password [text]: ")
        person.type("swordfish\n")
        person.read_until("      open\r\n")
        assert person.process.wait(10) == 0
    assert "swordfish" not in person.said


def test_ctrl_c_at_a_question_leaves_it_open(tmp_path: Path) -> None:
    with desk("run", "review", cwd=tmp_path) as person:
        person.read_until("give up]: ")
        person.process.send_signal(signal.SIGINT)
        person.read_until("Go on with it: studio resume ")
        assert person.process.wait(10) == 130
    assert studio("runs", "--status", "suspended", cwd=tmp_path)[1].split()[1:3] == ["suspended", "review"]


def test_the_end_of_the_keyboard_leaves_the_question_open(tmp_path: Path) -> None:
    with desk("run", "review", cwd=tmp_path) as person:
        person.read_until("give up]: ")
        person.type("\x04")
        person.read_until("Nobody answered: ")
        assert person.process.wait(10) == 3


def test_python_m_engine_draws_every_example_and_checks_a_store(tmp_path: Path) -> None:
    def engine(*words: str) -> tuple[int, list[str], str]:
        command = [sys.executable, "-m", "engine", *words]
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines(), done.stderr

    names = [
        f"{id}.{ending}"
        for id in ("csv-import", "order", "release", "review", "timesheet", "weather")
        for ending in ("dot", "mmd", "svg")
    ]
    code, out, err = engine("graph", "studio.examples", "-o", "pictures")
    assert (code, sorted(out), err) == (0, [str(Path("pictures", name)) for name in names], "")
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == names
    assert [file.name for file in (tmp_path / "pictures").iterdir() if not file.stat().st_size] == []

    assert engine("graph", "studio.examples", "order", "--format", "mermaid")[1][0] == "flowchart TD"
    assert engine("verify", "absent.db") == (2, ["absent.db is not a file"], "")
