"""What others wrote steers no terminal and fakes no line of a log: it is shown as the letters that it is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from studio.log_lines import LogLines, one_line
from studio.terminal import Terminal
from tests.architecture.tree import ROOT
from tests.web.process import Studio

STEERS = {
    "line feed": "a\nERROR all is lost",
    "carriage return": "a\rERROR",
    "both": "a\r\nfailure 0000",
    "colour": "\x1b[31mred\x1b[0m",
    "clear": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://elsewhere.test\x1b\\here\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "eight bits": "\x9b31m\x9d0;x\x9c",
    "backspace": "good\x08\x08\x08\x08bad ",
    "bell": "\x07",
    "nothing": "\x00",
    "delete": "\x7f",
    "other line ends": "a\u2028b\u2029c\x0bd\x0ce\x85f",
    "direction": "\u202egnp.exe\u2066",
    "half a letter": "\udcff",
}
ALLOWED = {"\n"}


def steering(text: str) -> list[str]:
    """What is in a text that a terminal would obey."""
    return [repr(letter) for letter in text if not letter.isprintable() and letter not in ALLOWED]


@pytest.fixture
def log() -> tuple[logging.Logger, StringIO]:
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LogLines())
    logger = logging.Logger("tests.of.lines")  # noqa: LOG001 - of nobody: a test report can't hold what steers terminals
    logger.addHandler(handler)
    return logger, written


@pytest.mark.parametrize("name", STEERS)
def test_a_record_is_one_line(log: tuple[logging.Logger, StringIO], name: str) -> None:
    logger, written = log
    logger.warning("run %s failed", STEERS[name])
    logger.warning(STEERS[name])
    assert written.getvalue().count("\n") == 2
    assert steering(written.getvalue()) == []


@pytest.mark.parametrize("name", STEERS)
def test_a_traceback_can_not_be_taken_for_records(log: tuple[logging.Logger, StringIO], name: str) -> None:
    logger, written = log
    try:
        raise ValueError(STEERS[name])
    except ValueError:
        logger.exception("failure 1234")
    first, *rest = written.getvalue().splitlines()
    assert first == "failure 1234"
    assert [line for line in rest if not line.startswith("  ")] == []
    assert steering(written.getvalue()) == []


@pytest.mark.parametrize("name", STEERS)
def test_a_line_on_the_terminal_is_one_line(name: str) -> None:
    written = StringIO()
    Terminal(written).line(STEERS[name])
    assert written.getvalue().count("\n") == 1
    assert steering(written.getvalue()) == []
    assert steering(one_line(STEERS[name]).replace("\n", "\x00")) == []


FLOWS = """
import logging
from engine import create_step, create_workflow
TEXT = {text!r}
async def hurt(data, ctx):
    ctx.logger.warning("%s", TEXT)
    raise ValueError(TEXT)
async def ask(data, ctx):
    return await ctx.ask({{"x": TEXT}}, dict, title=TEXT)
hurts = create_workflow(id="hurts").then(create_step(id="hurt", execute=hurt))
asks = create_workflow(id="asks", description=TEXT).then(create_step(id="ask", execute=ask))
"""
ALL = "".join(text for name, text in STEERS.items() if name != "half a letter")
COMMAND = [sys.executable, "-c", "import sys; from studio.cli import main; sys.exit(main())"]


def said(folder: Path, *words: str) -> str:
    """All that the command writes to the terminal."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:surrogateescape"}
    done = subprocess.run([*COMMAND, *words], cwd=folder, env=environment, capture_output=True, timeout=30, check=False)
    return (done.stdout + done.stderr).decode("utf-8", "surrogateescape")


def test_the_command_says_what_a_run_says_without_obeying_it(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS.format(text=ALL), "utf-8")
    for words in (["run", "hurts", "flows.py"], ["run", "asks", "flows.py"], ["check", "flows.py"]):
        text = said(tmp_path, *words)
        assert (words, steering(text)) == (words, [])
        assert text.count("\n") < 60
    assert "owned" in said(tmp_path, "run", "hurts", "flows.py")


def test_the_command_says_what_is_wrong_without_obeying_it(tmp_path: Path) -> None:
    """Targets, ids and messages of files that fail to load."""
    (tmp_path / "bad.py").write_text(f"raise ValueError({ALL!r})\n", "utf-8")
    for words in (["check", "bad.py"], ["run", "\x1b[31mx", "bad.py"], ["run", "x", "\x1b]0;y\x07.py"], ["\x1b[2J.py"]):
        text = said(tmp_path, *words)
        assert text
        assert (words, steering(text)) == (words, [])


def test_the_server_says_what_it_serves_without_obeying_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that can't be loaded, and requests for what is not there."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "bad.py").write_text(f"raise ValueError({ALL!r})\n", "utf-8")
    (folder / "good.py").write_text(FLOWS.format(text=ALL), "utf-8")
    served = Studio(str(folder), "--port", "0", "--no-reload", STUDIO_OPEN="0")
    try:
        run = served.launch("hurts")
        served.ended(run)
        assert served.get("/runs/%1b%5b31m%0aERROR")[0] in {400, 404}
        assert served.get("/%0d%0aSet-Cookie:x=1")[0] in {400, 404}
    finally:
        served.close()
    assert any("bad" in line for line in served.said)
    assert [line for line in served.said if steering(line)] == []
