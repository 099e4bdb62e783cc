"""The studio's own application on a real port, with runs of every kind in a real file."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import apsw
import uvicorn

from engine import Run, Suspension, Workflow
from studio.app import Application, create_app
from studio.guard import uvicorn_options
from studio.hosting import Hosting
from studio.settings import Settings
from tests.attacks.wire import Answer, Wire

T = TypeVar("T")

MOVES_BY_ITSELF = {"owners"}
"""Tables that change while nobody does anything."""


@dataclass
class Studio:
    """A studio that is served. ``runs`` are those that were started, by a name for each."""

    hosting: Hosting
    app: Application
    wire: Wire
    file: Path
    runs: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.wire.origin

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await something, from a thread: a browser may have this one's loop."""
        made: list[T | BaseException] = []

        async def awaited() -> T:
            return await work()

        def run() -> None:
            try:
                made.append(asyncio.run(awaited()))
            except BaseException as error:  # noqa: BLE001 - it is raised below
                made.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if isinstance(made[0], BaseException):
            raise made[0]
        return made[0]

    def start(self, workflow: str, value: Any = None, *, until: str | None = None, **options: Any) -> str:
        """A new run; its id. It has ended, or waits for a person, or has come to the status that is said."""
        made = {name: options.pop(name) for name in ("run_id", "tags", "resource_id") if name in options}

        async def begin() -> str:
            run = await self.hosting.act(lambda: self.hosting.engine.create_run(workflow, **made))
            await self.hosting.act(lambda: run.start_soon(value, **options))
            while until is not None and await run.status() != until:  # noqa: ASYNC110 - a store has no event for it
                await asyncio.sleep(0.01)
            if until is None:
                await run.wait(20)
            return run.run_id

        return self.do(begin)

    def run(self, run_id: str) -> Run:
        """The handle of a run."""
        return self.do(lambda: self.hosting.engine.get_run(run_id))

    def questions(self) -> list[Suspension]:
        """What is open."""
        return list(self.do(lambda: self.hosting.engine.suspensions(limit=500)).items)

    # -- its door

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page."""
        return self.wire.ask(path=path, **headers)

    def post(self, path: str, form: dict[str, Any] | list[tuple[str, str]] | None = None) -> Answer:
        """Send a form as the studio's own page does."""
        return self.wire.form(path, urlencode(form or {}).encode(), Origin=self.url, Sec_Fetch_Site="same-origin")

    # -- its file

    def content(self) -> str:
        """A hash of all that is in the tables."""
        connection = apsw.Connection(str(self.file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            rows = {
                name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"')))  # noqa: S608
                for name in names
                if name not in MOVES_BY_ITSELF
            }
        finally:
            connection.close()
        return hashlib.sha256(repr(sorted(rows.items())).encode()).hexdigest()


@contextmanager
def studio(workflows: Iterable[Workflow[Any, Any]], file: Path, **settings: Any) -> Iterator[Studio]:
    """Serve these workflows over a store in ``file``."""
    with (
        Hosting(workflows, store=f"sqlite:///{file}", locals_in_errors=settings.get("locals", False)) as hosting,
        socket.create_server(("127.0.0.1", 0), backlog=256) as listening,
    ):
        port = listening.getsockname()[1]
        app = create_app(hosting, Settings(port=port, target="flows.py", **settings))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", **uvicorn_options(app.rules)))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Studio(hosting, app, Wire(port, 30), file)
        finally:
            server.should_exit = True
            thread.join()


def segment(text: str) -> str:
    """``text`` as one segment of an address."""
    return quote(text, safe="")
