"""The studio as people start it: the command in a process of its own, with real sockets and a real file of runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from engine import Engine
from tests.architecture.tree import ROOT
from tests.web.waiting import until

STUDIO = [sys.executable, "-c", "import sys; from studio.cli import main; sys.exit(main())"]
STORE = "sqlite:///.studio/studio.db"


class Studio:
    """A process of the studio, which serves a file of the current folder."""

    def __init__(self, *words: str, command: tuple[str, ...] = ("open",), **environment: str) -> None:
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
        self.close()
        raise AssertionError(f"it ended with {self.process.returncode}: {self.said}")

    # -- pages

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of a page."""
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def get_quietly(self) -> int | None:
        """The status of a page; ``None`` if nobody answers."""
        try:
            return self.get("/healthz")[0]
        except OSError:
            return None

    def health(self) -> dict[str, Any]:
        """What it says of itself."""
        return dict(json.loads(self.get("/healthz")[1]))

    def launch(self, workflow: str, value: object = None) -> str:
        """Press Run on the page of a workflow; the id of the run."""
        body = urlencode({"_mode": "form", "$": json.dumps(value)}).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/workflows/{workflow}/runs", body, headers={"origin": self.url}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return str(answer.url).rpartition("/")[2]

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """All events of a run so far, as the page downloads them."""
        status, text = self.get(f"/runs/{run_id}/events.ndjson")
        assert status == 200
        return [json.loads(line) for line in text.splitlines()]

    def ended(self, run_id: str, limit: float = 30) -> list[dict[str, Any]]:
        """All events of a run, once it has ended."""

        def found() -> list[dict[str, Any]] | None:
            events = self.events(run_id)
            return events if events[-1]["type"] in ("run.succeeded", "run.failed", "run.canceled") else None

        return until(found, limit)

    # -- the process

    @property
    def rss(self) -> float:
        """Its resident memory, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    @property
    def sockets(self) -> int:
        """How many it has open."""
        files = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return sum(str(file.readlink()).startswith("socket:") for file in files)

    def end(self, *signals: signal.Signals, limit: float = 30) -> tuple[int, float]:
        """Send signals, each when the one before shows; the exit code, and the seconds from the last to the end."""
        for one in signals[:-1]:
            self.process.send_signal(one)
            until(lambda: self.get_quietly() is None)
        began = time.monotonic()
        self.process.send_signal(signals[-1])
        code = self.process.wait(limit)
        return code, time.monotonic() - began

    def close(self) -> None:
        """Make sure that it is gone."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout and not self.process.stdout.closed:
            self.said += self.process.stdout.read().splitlines()
            self.process.stdout.close()


class Watcher:
    """A viewer of a run over a real socket. What it is sent is put into ``frames``, when it is taken."""

    def __init__(self, studio: Studio, run_id: str | None = None, **options: Any) -> None:
        """``run_id`` is left out for the lists. ``options`` are those of the connection."""
        self._address = studio.url.replace("http", "ws", 1) + (f"/ws/runs/{run_id}" if run_id else "/ws")
        self._options = {"origin": studio.url, "max_size": None, "ping_interval": None, **options}
        self.after = 0
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None
        self._came = asyncio.Condition()

    async def take(self, frames: int | None = None) -> int | None:
        """Connect where it was, take so many frames and drop the line, or all to the end; the server's close code."""
        async with connect(f"{self._address}?after={self.after}", **self._options) as socket:
            try:
                while frames is None or frames > 0:
                    await self.add(await socket.recv())
                    frames = None if frames is None else frames - 1
            except ConnectionClosed as closed:
                self.code = closed.rcvd.code if closed.rcvd else 1006
                return self.code
            socket.transport.abort()  # as a cable does
        return None

    async def add(self, text: str | bytes) -> None:
        """Look at a frame."""
        frame = json.loads(text)
        self.frames.append(frame)
        self.after = frame.get("seq", 0)
        async with self._came:
            self._came.notify_all()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so of the frames that came, by this or another viewer's frame."""
        async with self._came, asyncio.timeout(30):
            await self._came.wait_for(is_so)

    async def seen(self, count: int) -> None:
        """Wait for so many more frames."""
        wanted = len(self.frames) + count
        await self.until(lambda: len(self.frames) >= wanted)

    @property
    def seqs(self) -> list[int]:
        """The events of its frames, as a live part of ``SEQS`` writes them."""
        texts = [frame.get("content", "").partition("<!--seqs ")[2].partition("-->")[0] for frame in self.frames]
        return [int(seq) for text in texts for seq in text.split()]


SEQS = """
from studio.live import LIVE_PARTS

def seqs(moment):
    return f"<!--seqs {' '.join(str(event.seq) for event in moment.events)}-->"

LIVE_PARTS.append(seqs)
"""
"""For a file of workflows: every frame says which events it has."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the studio is started, with no settings around it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STUDIO_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def studios(folder: Path) -> Iterator[list[Studio]]:
    """Those that a test starts; they are ended after it."""
    started: list[Studio] = []
    yield started
    for studio in started:
        studio.close()


def start(studios: list[Studio], *words: str, **environment: str) -> Studio:
    """One more studio, on a port of its own."""
    studios.append(Studio(*words, "--port", "0", **environment))
    return studios[-1]


def history(run_id: str, store: str = STORE) -> tuple[str, list[str]]:
    """The run's status and its events as ``type path attempt``, as stored. No studio may have the store open."""

    async def read() -> tuple[str, list[str]]:
        async with Engine(store=store, recover=False) as engine:
            run = await engine.get_run(run_id)
            told = [event async for event in run.events(follow=False)]
            return await run.status(), [" ".join(filter(None, _words(event))) for event in told]

    return asyncio.run(read())


def _words(event: Any) -> tuple[str, str, str]:
    return event.type, event.path or "", str(event.attempt or "")
