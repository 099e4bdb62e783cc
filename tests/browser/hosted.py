"""A studio in the test's own process, for tests that give it workflows of their own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from playwright.sync_api import BrowserContext, Page

from studio.app import create_app
from studio.hosting import Hosting
from studio.settings import Settings


@dataclass
class Served:
    """A studio on a port of its own."""

    hosting: Hosting
    url: str

    def start(self, workflow: str, *, wait: bool = True, **options: Any) -> str:
        """A new run with one input; its id."""

        async def begin() -> str:
            run = await self.hosting.engine.create_run(workflow)
            await self.hosting.act(lambda: run.start_soon({"n": 1}, **options))
            if wait:
                await run.wait(10)
            return run.run_id

        made: list[str] = []  # in a thread: the browser has this one's loop
        thread = threading.Thread(target=lambda: made.append(asyncio.run(begin())))
        thread.start()
        thread.join()
        return made[0]


@contextmanager
def served_by(hosting: Hosting) -> Iterator[Served]:
    """A studio of a hosted engine."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = create_app(hosting, Settings(port=port, target="watch.py"))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield Served(hosting, f"http://127.0.0.1:{port}")
        server.should_exit = True
        thread.join(10)


def watched(context: BrowserContext) -> Iterator[Page]:
    """A page that may complain of nothing."""
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
