"""Servers to attack."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser

from studio.guard import Guard, GuardRules
from tests.attacks import hostile
from tests.attacks.site import Site, configured
from tests.attacks.studio import Studio, studio
from tests.attacks.wire import Wire
from tests.chromium import chromium

TOKEN = "t0ken-" + "x" * 40


@dataclass(frozen=True)
class Served:
    """A server of a test, its guard and its site."""

    wire: Wire
    guard: Guard
    site: Site


@contextmanager
def serve(
    site: Site, rules: Callable[[int], GuardRules], app: Any = None, server: dict[str, Any] | None = None
) -> Iterator[Served]:
    """A real server in a thread. Its socket listens before the thread starts, so nobody has to wait for it."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        bound = rules(listening.getsockname()[1])
        guard = Guard(app or site.app, bound)
        running = uvicorn.Server(configured(guard, bound, **(server or {})))
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        try:
            yield Served(Wire(listening.getsockname()[1]), guard, site)
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is served, beside a file that is not."""
    root = tmp_path_factory.mktemp("site")
    (root / "canary.txt").write_text("canary")
    folder = root / "static"
    folder.mkdir()
    (folder / "app.css").write_text("body {}" * 1000)
    (folder / "out.txt").symlink_to(root / "canary.txt")
    return folder


@pytest.fixture(scope="module")
def shared(static: Path) -> Iterator[Served]:
    """An open studio on the loopback, one for all tests of a file."""
    with serve(Site(static), lambda port: GuardRules(port=port, allowed_hosts=("studio.test",))) as served:
        yield served


@pytest.fixture
def wire(shared: Served) -> Wire:
    """A way to the shared server, which has seen nothing yet."""
    shared.site.seen.clear()
    return shared.wire


@pytest.fixture
def seen(shared: Served, wire: Wire) -> list[str]:
    """What reached the shared server's pages in this test."""
    return shared.site.seen


@pytest.fixture
def start() -> Iterator[Callable[..., Served]]:
    """Starts servers with rules of their own: ``start(token=...)``."""
    with ExitStack() as stack:

        def begin(app: Any = None, server: dict[str, Any] | None = None, **rules: Any) -> Served:
            return stack.enter_context(serve(Site(), lambda port: GuardRules(port=port, **rules), app, server))

        yield begin


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The studio itself, with a run of each kind whose every text is an attack."""
    with studio(hostile.ALL, tmp_path_factory.mktemp("hostile") / "runs.db") as made:
        hostile.populate(made)
        yield made
        hostile.GATE.set()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one file."""
    with chromium() as started:
        yield started
