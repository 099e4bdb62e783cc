"""How the studio's process starts. (How it ends: the tests of faults.)"""

from __future__ import annotations

import http.client
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.cli import main, make_parser
from studio.settings import Settings
from tests.web.process import Studio, start

FLOWS = """
from engine import create_workflow, step

@step
def work() -> str:
    return "done"

first = create_workflow(id="first").then(work)
second = create_workflow(id="second").then(work)
"""


@pytest.fixture(autouse=True)
def flows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (folder / "flows.py").write_text(FLOWS, "utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("flows", None)


def test_a_page_is_there_after_little_work(studios: list[Studio]) -> None:
    """The time that the processor spends, since others may keep it from us; by the clock it is the same when idle."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    studio = start(studios, "--no-reload")
    assert studio.get("/healthz") == (200, '{"status":"ok","engine":"open","trouble":null}')
    assert studio.end(signal.SIGTERM)[0] == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5


def test_it_says_where_it_is_what_it_serves_and_what_is_wrong(studios: list[Studio], folder: Path) -> None:
    (folder / "bad.py").write_text("1 / 0", "utf-8")
    studio = start(studios, ".")
    studio.read_until("  ! ")
    bad = folder / "bad.py"
    assert studio.said[1:] == [
        "  serves .: first, second",
        f"  ! bad.py: ZeroDivisionError: division by zero ({bad}, line 1)",
    ]
    assert [(path.name, path.stat().st_mode & 0o777) for path in sorted((folder / ".studio").glob("*.db"))] == [
        ("studio.db", 0o600)
    ]
    assert (folder / ".studio").stat().st_mode & 0o777 == 0o700


def test_a_busy_port_gives_way_to_the_next_one_and_says_so(studios: list[Studio]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        studios.append(Studio("flows.py", "--port", str(port)))
        (studio,) = studios
        used = int(studio.url.rpartition(":")[2])
        assert studio.said[0] == f"Port {port} is busy; using {used}."
        assert used > port
        assert studio.get_quietly() == 200


def test_an_answer_on_a_kept_connection_is_sent_at_once(studios: list[Studio]) -> None:
    """A line that gathers what is small would keep the second half of an answer for 40 ms, until the first half is
    acknowledged; at the beginning of a line that comes at once."""
    studio = start(studios, "flows.py", "--no-reload")
    line = http.client.HTTPConnection(studio.url.removeprefix("http://"))
    took = []
    for _ in range(60):
        began = time.perf_counter()
        line.request("GET", "/healthz")
        assert line.getresponse().read()
        took.append(time.perf_counter() - began)
    line.close()
    assert min(took[30:]) < 0.03


def test_steps_that_compute_let_pages_have_their_turn(studios: list[Studio], folder: Path) -> None:
    """Ten times as often as Python would have them: measured, pages are five times as quick then."""
    told = FLOWS.replace("-> str", "-> float").replace('"done"', "__import__('sys').getswitchinterval()")
    (folder / "flows.py").write_text(told, "utf-8")
    studio = start(studios, "flows.py", "--no-reload")
    (ended,) = (one for one in studio.ended(studio.launch("first")) if one["type"] == "run.succeeded")
    assert ended["data"] == {"result": pytest.approx(0.0005)}


def test_with_a_token_nobody_gets_in_without_it(studios: list[Studio]) -> None:
    token = "correct-horse-battery-staple-0123456789"
    studio = start(studios, "flows.py", STUDIO_TOKEN=token)
    assert studio.get("/nowhere")[0] == 401
    assert studio.get("/nowhere", Authorization=f"Bearer {token}")[0] == 404
    assert studio.get("/healthz")[0] == 200
    studio.read_until("  sign in with ")
    assert token not in "".join(studio.said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--host 0.0.0.0", "--host 0.0.0.0 lets other machines in, and whoever gets in can run your workflows: "),
        ("--port 70000", "--port 70000: a port is a number from 0 (any free one) to 65535"),
        ("--token short", "the token has 5 characters; use at least 32 random ones"),
        ("absent.py", "there is no file absent.py"),
        ("flows.py --store other://x", "'other://x' does not name a store"),
    ],
)
def test_what_can_not_be_started_says_why_and_ends_with_2(
    capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert main(["serve", *words.split(), "--no-open", *(["--port", "0"] if "--port" not in words else [])]) == 2
    assert capsys.readouterr().err.startswith(said)


def test_a_target_alone_is_served(studios: list[Studio]) -> None:
    studios.append(Studio("--port", "0", "flows.py", command=()))
    assert studios[0].get_quietly() == 200


def test_every_command_of_the_help_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A first word that is no command is a target."""
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out.partition("commands:")[2]
    assert set(re.findall(r"^    (\w+) ", told, re.MULTILINE)) == set(make_parser()[1].parsers)


# -- settings


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.5.5.5", True), ("192.0.2.1", False), ("", False)],
)
def test_only_loopback_is_local(host: str, is_local: bool) -> None:
    assert Settings(host=host, token="x").is_local is is_local
