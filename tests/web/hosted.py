"""A studio over a hosted engine, with a client: what the tests of the pages share."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from engine import Run, RunResult, Workflow
from studio.app import create_app
from studio.hosting import Hosting

ORIGIN = "http://127.0.0.1:4111"
POST = {"headers": {"origin": ORIGIN}, "follow_redirects": False}


class Studio:
    """A client of an application over a hosted engine."""

    def __init__(self, hosting: Hosting, client: TestClient) -> None:
        self.hosting = hosting
        self.client = client

    def start(self, workflow: str, input: Any = None, *, wait: bool = True, **options: Any) -> str:
        """A new run; with ``wait`` at rest. Its id."""

        async def begin() -> str:
            run = await self.hosting.engine.create_run(workflow)
            await self.hosting.act(lambda: run.start_soon(input, **options))
            if wait:
                await run.wait(10)
            return run.run_id

        return asyncio.run(begin())

    def rest(self, run_id: str) -> RunResult:
        """The run once it has come to rest."""

        async def wait() -> RunResult:
            return await (await self.hosting.engine.get_run(run_id)).wait(10)

        return asyncio.run(wait())

    def read(self, run_id: str, call: Callable[[Run], Awaitable[Any]]) -> Any:
        """What a call of the run's handle gives."""

        async def ask() -> Any:
            return await call(await self.hosting.engine.get_run(run_id))

        return asyncio.run(ask())

    def page(self, path: str, status: int = 200) -> str:
        found = self.client.get(path)
        assert found.status_code == status, found.text
        return found.text

    def press(self, run_id: str, verb: str, **values: str) -> Any:
        return self.client.post(f"/runs/{run_id}/{verb}", data=values, **POST)


@contextmanager
def studio(*workflows: Workflow[Any, Any]) -> Iterator[Studio]:
    with Hosting(workflows) as hosting, TestClient(create_app(hosting), base_url=ORIGIN) as client:
        yield Studio(hosting, client)


def status(html: str) -> str:
    """The status that the head of the page says."""
    found = re.search(r'id="run-status"><span class="pill is-\w+" data-status="(\w+)"', html)
    assert found
    return found[1]
