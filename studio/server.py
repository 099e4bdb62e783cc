"""The studio's process: engine, web server, signals, and an orderly end."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

import uvicorn

from studio.app import Application, create_app, guard_rules
from studio.catalog import Catalog
from studio.guard import GuardRules, UnsafeRules, uvicorn_options
from studio.hosting import Hosting
from studio.hub import Hub
from studio.loader import discover, usual_target
from studio.log_lines import LogLines, one_line
from studio.reloading import Reloading
from studio.settings import Settings, SettingsError

log = logging.getLogger("studio")

TRIED = 20
"""Ports that are tried when the wanted one is busy."""

GIVE_WAY = 0.0005
"""Seconds after which a thread that computes lets others have their turn. A page has many turns: with Python's own 5 ms
it would wait a third of a second where two steps compute."""

INTERRUPTED = 130
END_LIMIT = 7.0
"""Seconds from the first signal to the end of the process at most."""


def serve(settings: Settings) -> NoReturn:
    """Run the studio until a signal; never returns: threads of users' steps must not keep the process.

    Raises ``SettingsError``, ``TargetError``, ``OSError`` or ``EngineError`` if it can't start.
    """
    with contextlib.ExitStack() as opened:  # what is closed again if it can't start
        listener = opened.enter_context(listen(settings))
        port = int(listener.getsockname()[1])
        try:
            rules = guard_rules(settings, port)
        except UnsafeRules as error:
            raise SettingsError(str(error)) from error
        catalog = Catalog(discover(settings.target))
        settings.make_folder()
        hosting = opened.enter_context(
            Hosting(store=settings.store_url, catalog=catalog, locals_in_errors=settings.locals)
        )
        app = create_app(hosting, settings, rules=rules)
        opened.pop_all()
    sys.setswitchinterval(GIVE_WAY)
    _log_to_terminal()
    if settings.reload:
        Reloading(hosting, settings.target).start()
    server = Server(app, rules, hosting, greeting=lambda: _greet(settings, app, port))
    server.run([listener])
    hosting.stop(max(0.5, END_LIMIT - server.seconds_since_signal))
    _leave(0)


def listen(settings: Settings) -> socket.socket:
    """A socket on the wanted port, else on the next free one, which is said. Raises ``OSError``."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    wanted = settings.port
    for port in range(wanted, min(wanted + TRIED, 65536)) if wanted else [0]:
        # asyncio sends what is small at once only where the protocol is named: else answers wait 40 ms for the peer
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host.strip("[]"), port))
            listener.listen(256)
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            continue
        if port != wanted:
            _say(f"Port {wanted} is busy; using {port}.")
        return listener
    raise SettingsError(f"ports {wanted} to {wanted + TRIED - 1} are busy; choose one with --port")


def _say(line: str) -> None:
    sys.stdout.write(f"{one_line(line)}\n")
    sys.stdout.flush()


def _log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(LogLines())
    for name, level in (("studio", logging.INFO), ("engine", logging.WARNING), ("uvicorn", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.addHandler(handler)
        logger.propagate = False


def _greet(settings: Settings, app: Application, port: int) -> None:
    url = settings.url(port)
    _say(f"Studio on {url}")
    catalog = app.state.hosting.catalog
    _say(f"  serves {settings.target or usual_target()}: {', '.join(sorted(catalog.workflows)) or 'no workflow yet'}")
    for problem in catalog.problems:
        _say(f"  ! {problem.module}: {problem.message}")
    if settings.token:
        _say(f"  sign in with {url}{app.guard.link()}")
    threading.Thread(target=app.state.rendering.warm, name="templates", daemon=True).start()
    if settings.open and has_display():
        threading.Thread(target=webbrowser.open, args=(url + app.guard.link(),), daemon=True).start()


def has_display() -> bool:
    """Whether there is a screen for a browser to open on."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class Server(uvicorn.Server):
    """Uvicorn with our signals: the first one drains, the second one ends at once."""

    def __init__(self, app: Application, rules: GuardRules, hosting: Hosting, *, greeting: Callable[[], None]) -> None:
        options = uvicorn_options(rules)
        super().__init__(uvicorn.Config(app, log_config=None, lifespan="on", **options))
        self._hosting = hosting
        self._hub: Hub = app.state.hub
        self._signaled: float | None = None
        self._greeting = greeting

    @property
    def seconds_since_signal(self) -> float:
        """How long the end has been under way."""
        return 0.0 if self._signaled is None else time.monotonic() - self._signaled

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        self._greeting()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to accept, send viewers away, let requests end."""
        for server in self.servers:
            server.close()
        await self._hub.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Our signals instead of uvicorn's, which raises them again at the end."""
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, self._on_signal)
        yield

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._signaled is not None:
            if number == signal.SIGINT:
                _leave(INTERRUPTED)
            return
        self._signaled = time.monotonic()
        self.should_exit = True
        self._hosting.begin_stop()
        threading.Thread(target=self._at_the_latest, name="end", daemon=True).start()

    def _at_the_latest(self) -> None:
        time.sleep(END_LIMIT + 0.5)
        log.warning("something did not end in time; its runs are taken up at the next start")
        _leave(0)


def _leave(code: int) -> NoReturn:
    """End the process without waiting for threads; the store is safe at any moment."""
    with contextlib.suppress(Exception):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
