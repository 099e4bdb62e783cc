"""The command ``studio``, as a person or a script uses it."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

STUDIO = [sys.executable, "-c", "import sys; from studio.cli import main; sys.exit(main())"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}

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

nap = create_workflow(id="nap").sleep(3600)
"""


def studio(*words: str | Path, cwd: Path, **more: str) -> tuple[int, str, str]:
    """Exit code, output and errors of one call, with nobody at the keyboard."""
    command = [*STUDIO, *map(str, words)]
    done = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT | more, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def test_examples_run_one_by_one_and_say_what_happens(tmp_path: Path) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    code, out, err = studio("examples", cwd=here, TMPDIR=str(temporary), TEMP=str(temporary))
    assert (code, err) == (0, "")
    assert re.findall(r"^([\w-]+): ", out, re.MULTILINE) == ["weather", "csv-import", "order", "review", "release"]
    assert re.findall(r"^  (success|failed|suspended)$", out, re.MULTILINE) == ["success"] * 5
    assert re.search(r"^  ✓ done +look_up_weather +\d+ ms$", out, re.MULTILINE)
    assert re.search(r"^  ↻ tries again +fulfil/charge +\d+ ms  the bank does not answer$", out, re.MULTILINE)
    assert 'the sample answers: {"action": "mend"}' in out
    assert out.splitlines()[-5] == "Where to go next"
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
        ('"lead"', 1, "  failed: ValueError: nobody wants lead"),
        ('"gold"', 4, "  canceled"),
        ("@input.json", 0, "      sold milk"),
    ],
)
def test_the_exit_code_says_how_the_run_ended(tmp_path: Path, input: str, code: int, last: str) -> None:
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    (tmp_path / "input.json").write_text('"milk"', "utf-8")
    returned, out, err = studio("run", "shop", "shop.py", "--input", input, cwd=tmp_path)
    assert (returned, out.splitlines()[-1], err) == (code, last, "")


def test_a_question_that_nobody_answers_is_kept_in_the_store_and_the_store_can_be_checked(tmp_path: Path) -> None:
    code, out, err = studio("run", "csv-import", "--store", "sqlite:///runs.db", cwd=tmp_path)
    assert (code, err) == (3, "")
    assert re.search(r"  Nobody answered: run [\w-]+ is kept in sqlite:///runs.db\.$", out.rstrip())
    for name in ("runs.db", "sqlite:///runs.db"):
        assert studio("verify", name, cwd=tmp_path) == (0, "runs.db: 1 run, no faults\n", "")


def test_ctrl_c_says_which_run_is_kept(tmp_path: Path) -> None:
    (tmp_path / "nap.py").write_text(NAP, "utf-8")
    command = [*STUDIO, "run", "nap", "nap.py", "--store", "sqlite:///runs.db"]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        for line in running.stdout:
            if " sleeps " in line:
                running.send_signal(signal.SIGINT)
                break
        out, err = running.communicate(timeout=30)
    finally:
        running.kill()
        running.wait()
    assert re.fullmatch(r"  Interrupted: run [\w-]+ is kept in sqlite:///runs\.db\.\n", out)
    assert (running.returncode, err) == (130, "\n")


def test_a_wrong_call_ends_with_one_line_and_2(tmp_path: Path) -> None:
    said = "studio.examples has no workflow 'nope'; it has csv-import, order, release, review, weather\n"
    assert studio("run", "nope", cwd=tmp_path) == (2, "", said)


def test_a_person_at_the_keyboard_is_asked(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="a terminal can be imitated on POSIX systems only")
    ours, theirs = pty.openpty()
    command = [*STUDIO, "run", "review", "--input", json.dumps({"text": "Hello"})]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        os.close(theirs)
        said = read_until(ours, "", "give up]: ")
        os.write(ours, b"maybe\n")
        said = read_until(ours, said, "That is not one of them [accept | mend | rewrite | give up]: ")
        os.write(ours, b"acc\n")
        said = read_until(ours, said, "Enter for none]: ")
        os.write(ours, b"\n")
        said = read_until(ours, said, "words: 1\r\n")
        assert running.wait(10) == 0
    finally:
        running.kill()
        running.wait()
        os.close(ours)
    assert "Round 1, findings: 1" in said
    assert "\033[32m" in said


def read_until(terminal: int, said: str, mark: str) -> str:
    """What a program has written to its terminal, when it has written ``mark`` after what it had ``said``."""
    read = said
    while mark not in read[len(said) :]:
        assert select.select([terminal], [], [], 20)[0], read
        read += os.read(terminal, 4096).decode("utf-8")
    return read


def test_python_m_engine_draws_every_example_and_checks_a_store(tmp_path: Path) -> None:
    def engine(*words: str) -> tuple[int, list[str], str]:
        command = [sys.executable, "-m", "engine", *words]
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines(), done.stderr

    names = [
        f"{id}.{ending}"
        for id in ("csv-import", "order", "release", "review", "weather")
        for ending in ("dot", "mmd", "svg")
    ]
    code, out, err = engine("graph", "studio.examples", "-o", "pictures")
    assert (code, sorted(out), err) == (0, [str(Path("pictures", name)) for name in names], "")
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == names
    assert [file.name for file in (tmp_path / "pictures").iterdir() if not file.stat().st_size] == []

    assert engine("graph", "studio.examples", "order", "--format", "mermaid")[1][0] == "flowchart TD"
    assert engine("verify", "absent.db") == (2, ["absent.db is not a file"], "")
