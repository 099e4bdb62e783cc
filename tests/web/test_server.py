"""The studio's process: how it starts, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from engine import Engine, Workflow
from studio.cli import COMMANDS, main
from studio.loader import load
from studio.settings import Settings, SettingsError, read_settings
from tests.architecture.tree import ROOT
from tests.web.waiting import until

STUDIO = [sys.executable, "-c", "import sys; from studio.cli import main; sys.exit(main())"]
STORE = "sqlite:///.studio/studio.db"

FLOWS = """
import asyncio
import time
from pathlib import Path
from engine import StepContext, create_workflow, step

def tell(ctx):
    if ctx.attempt > 1:
        Path("started").touch()

@step
async def sleep(_: None, ctx: StepContext) -> None:
    tell(ctx)
    await asyncio.sleep(100)

@step
async def block(_: None, ctx: StepContext) -> None:
    tell(ctx)
    await asyncio.sleep(0 if ctx.attempt > 1 else 100)
    time.sleep(100)  # the line

@step
def work(_: None, ctx: StepContext) -> None:
    tell(ctx)
    while ctx.attempt > 1 or not ctx.cancelled.is_set():
        time.sleep(0.01)

sleeps = create_workflow(id="sleeps").then(sleep)
blocks = create_workflow(id="blocks").then(block)
works = create_workflow(id="works").then(work)
"""


class Studio:
    """A process of the studio, which serves ``flows.py`` of the current folder."""

    def __init__(self, *words: str, command: tuple[str, ...] = ("serve",), **environment: str) -> None:
        self.process = subprocess.Popen(
            [*STUDIO, *command, *words],
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said: list[str] = []
        self.read_until("Studio on ")
        self.url = self.said[-1].removeprefix("Studio on ")

    def read_until(self, begin: str) -> None:
        """Read what it prints, up to a line that begins so."""
        for line in self.process.stdout or ():
            self.said.append(line.rstrip())
            if line.startswith(begin):
                return
        raise AssertionError(f"it ended with {self.process.wait()}: {self.said}")

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of a page."""
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def end(self, *signals: signal.Signals) -> tuple[int, float]:
        """Send signals; the exit code, and the seconds from the last one to the end."""
        for one in signals[:-1]:
            self.process.send_signal(one)
            until(lambda: self.get_quietly() is None)
        began = time.monotonic()
        self.process.send_signal(signals[-1])
        code = self.process.wait(10)
        return code, time.monotonic() - began

    def get_quietly(self) -> int | None:
        """The status of a page; ``None`` if nobody answers."""
        try:
            return self.get("/healthz")[0]
        except OSError:
            return None

    def close(self) -> None:
        """Make sure that it is gone."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.said += self.process.stdout.read().splitlines()
            self.process.stdout.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "flows.py").write_text(FLOWS, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in os.environ if name.startswith("STUDIO_")]:
        monkeypatch.delenv(name)
    yield tmp_path
    sys.modules.pop("flows", None)


@pytest.fixture
def studios() -> Iterator[list[Studio]]:
    """Those that a test starts; they are ended after it."""
    started: list[Studio] = []
    yield started
    for studio in started:
        studio.close()


def start(studios: list[Studio], *words: str, **environment: str) -> Studio:
    studios.append(Studio(*words, "--port", "0", **environment))
    return studios[-1]


def leave_a_run(workflow: str) -> str:
    """A run of ``flows.py`` that is in flight in the store when the studio starts; it takes it up."""

    Path(".studio").mkdir(mode=0o700)

    async def leave() -> str:
        flow: Workflow[object, object] = load("flows.py")[workflow]
        async with Engine([flow], store=STORE) as engine:
            run = await engine.create_run(flow)
            await run.start_soon()
            async for event in run.events():
                if event.type == "step.started":
                    break
            return run.run_id
        raise AssertionError("it has returned")

    return asyncio.run(leave())


def history(run_id: str) -> tuple[str, list[str]]:
    """The run's status and the types of its events, as stored."""

    async def read() -> tuple[str, list[str]]:
        async with Engine(store=STORE, recover=False) as engine:
            run = await engine.get_run(run_id)
            return await run.status(), [event.type async for event in run.events(follow=False)]

    return asyncio.run(read())


# -- the end


def test_the_first_signal_drains(studios: list[Studio]) -> None:
    """Viewers are sent away with 1012, a running step is interrupted, and the process exits with 0."""
    run_id = leave_a_run("sleeps")
    studio = start(studios, "flows.py")
    until(Path("started").exists)
    address = studio.url.replace("http", "ws")
    with connect(f"{address}/ws/runs/{run_id}", origin=studio.url) as viewer:  # type: ignore[arg-type]
        assert json.loads(viewer.recv(5))["status"] == "running"
        code, seconds = studio.end(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            list(iter(viewer.recv, ""))
    assert (code, closed.value.rcvd and closed.value.rcvd.code, seconds < 4) == (0, 1012, True)
    status, types = history(run_id)
    assert (status, types[-1]) == ("running", "step.interrupted")


def test_the_second_interrupt_ends_at_once(studios: list[Studio]) -> None:
    leave_a_run("blocks")
    studio = start(studios, "flows.py")
    until(Path("started").exists)
    code, seconds = studio.end(signal.SIGINT, signal.SIGINT)
    assert (code, seconds < 0.5) == (130, True)


def test_a_step_that_blocks_the_engine_is_named_and_does_not_keep_the_process(studios: list[Studio]) -> None:
    leave_a_run("blocks")
    studio = start(studios, "flows.py")
    line = FLOWS.splitlines().index("    time.sleep(100)  # the line") + 1
    health = until(lambda: (told := json.loads(studio.get("/healthz")[1]))["trouble"] and told)
    assert (health["status"], health["engine"]) == ("ok", "blocked")
    assert "step 'block' of workflow 'blocks'" in health["trouble"]
    assert f"flows.py, line {line}, in block" in health["trouble"]
    code, seconds = studio.end(signal.SIGTERM)
    assert (code, seconds < 8) == (0, True)


def test_a_step_in_a_thread_does_not_keep_the_process(studios: list[Studio]) -> None:
    run_id = leave_a_run("works")
    studio = start(studios, "flows.py")
    until(Path("started").exists)
    code, seconds = studio.end(signal.SIGINT)
    assert (code, seconds < 8) == (0, True)
    assert history(run_id)[0] == "running"


# -- the start


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
        "  serves .: blocks, sleeps, works",
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
    assert set(re.findall(r"^    (\w+) ", told, re.MULTILINE)) == COMMANDS


# -- settings


def test_flags_win_over_the_environment_and_that_over_the_defaults() -> None:
    environment = {
        "STUDIO_TARGET": "flows.py",
        "STUDIO_PORT": "80",
        "STUDIO_OPEN": "no",
        "STUDIO_RELOAD": "1",
        "STUDIO_ALLOWED_HOSTS": "a.example, b.example",
        "STUDIO_STORE": "",
    }
    given = {"port": 81, "host": None, "open": None}
    assert read_settings(given, environment) == Settings(
        target="flows.py", port=81, open=False, reload=True, allowed_hosts=("a.example", "b.example")
    )


@pytest.mark.parametrize(("name", "text"), [("PORT", "many"), ("OPEN", "perhaps")])
def test_a_wrong_variable_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"STUDIO_{name}={text}: "):
        read_settings({}, {f"STUDIO_{name}": text})


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.5.5.5", True), ("192.0.2.1", False), ("", False)],
)
def test_only_loopback_is_local(host: str, is_local: bool) -> None:
    assert Settings(host=host, token="x").is_local is is_local
