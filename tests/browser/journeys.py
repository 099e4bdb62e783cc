"""A studio as a process of its own, and a person who goes through it with a browser."""

from __future__ import annotations

import http.client
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, WebSocket, expect

from tests.web.process import Studio

SERVED = Path(__file__).parent / "served" / "flows.py"
WAIT = 15_000
"""Milliseconds that a condition may take on a busy machine."""

LEFT = "htmx:ws:error"
"""What it says of a page that is left while its socket opens. That sockets work is shown by what they bring."""

expect.set_options(timeout=WAIT)


class Site:
    """The command ``studio serve`` on a folder of its own, with a store in it. ``open`` lets steps go on."""

    def __init__(self, folder: Path, **more_files: str) -> None:
        self.folder = folder
        self.gates = folder / "gates"
        self.gates.mkdir()
        self.target = folder / "served"
        self.target.mkdir()
        shutil.copy(SERVED, self.target)
        for name, text in more_files.items():
            (self.target / f"{name}.py").write_text(text, "utf-8")
        self.port = 0
        self.studio = self.start_process()
        self.url = self.studio.url
        self.port = urlsplit(self.url).port or 0

    def start_process(self) -> Studio:
        """Start it, again on the same port if it has had one."""
        store = ("--store", str(self.folder / "runs.db"))
        target = str(self.target if len(list(self.target.glob("*.py"))) > 1 else self.target / SERVED.name)
        return Studio(target, "--port", str(self.port), *store, "--no-reload", STUDIO_OPEN="0", GATES=str(self.gates))

    def kill(self) -> None:
        """As if the power failed."""
        self.studio.process.kill()
        self.studio.close()

    def restart(self) -> None:
        """The same studio again, over the same store."""
        self.studio = self.start_process()
        assert self.studio.url == self.url

    def close(self) -> None:
        """End it."""
        self.studio.close()

    def open(self, gate: str) -> None:
        """Let the steps go on that wait for this gate."""
        (self.gates / gate).touch()

    def run(self, workflow: str, input: Any = None, **fields: str) -> str:
        """Start a run as the form's JSON editor does; its id."""
        form = {"_mode": "json", "_json": json.dumps({"n": 1} if input is None else input), **fields}
        status, where, said = self.post(f"/workflows/{workflow}/runs", form)
        assert status == 303, said
        return where.rpartition("/")[2].partition("?")[0]

    def post(self, path: str, form: dict[str, str]) -> tuple[int, str, str]:
        """Send a form: status, where the answer leads, and its text."""
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"origin": self.url, "content-type": "application/x-www-form-urlencoded"}
        try:
            asking.request("POST", path, urlencode(form), headers)
            answer = asking.getresponse()
            return answer.status, answer.getheader("location") or "", answer.read().decode()
        finally:
            asking.close()

    def events(self, run: str) -> list[dict[str, Any]]:
        """Everything in the log of a run."""
        status, text = self.studio.get(f"/runs/{run}/events.ndjson")
        assert status == 200
        return [json.loads(line) for line in text.splitlines()]


@dataclass
class Journey:
    """A person with one browser window. ``complaints`` are errors on its console; ``asked`` what it asked for."""

    browser: Browser
    site: Site
    width: int = 1440
    height: int = 900
    options: dict[str, Any] = field(default_factory=dict)
    allowed: str = "status of 422"
    """What the console may say, as a regular expression: a browser tells of every refused form. See ``LEFT``, too."""

    def __post_init__(self) -> None:
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.context: BrowserContext = self.browser.new_context(
            viewport={"width": self.width, "height": self.height}, reduced_motion="reduce", **self.options
        )
        self.context.set_default_timeout(WAIT)
        self.page = self.tab()

    def tab(self) -> Page:
        """One more tab of the same window."""
        page = self.context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asks)
        page.on("websocket", self._connects)
        return page

    def _asks(self, request: Request) -> None:
        self.asked.append(request.url)

    def _connects(self, socket: WebSocket) -> None:
        self.asked.append(socket.url)

    def hosts(self) -> set[str]:
        """Whom the browser asked for anything."""
        return {urlsplit(url).netloc for url in self.asked if not url.startswith(("data:", "blob:"))}

    def end(self) -> None:
        """Close the window; nothing may have complained, and nobody else have been asked."""
        self.context.close()
        complaints = [said for said in self.complaints if not re.search(f"{LEFT}|{self.allowed}", said)]
        assert complaints == [], complaints
        assert self.hosts() <= {urlsplit(self.site.url).netloc}

    # -- what a person does

    def goto(self, path: str, page: Page | None = None) -> Page:
        """Open an address of the studio."""
        page = page or self.page
        page.goto(self.site.url + path)
        return page

    def run_page(self, run: str, query: str = "", page: Page | None = None) -> Page:
        """Open the page of a run, and wait until it follows it or says that there is nothing more to come."""
        return self.goto(f"/runs/{run}{query}", page)


@contextmanager
def journey_of(browser: Browser, site: Site, **options: Any) -> Iterator[Journey]:
    """A window of another size, or without scripts, for the time of a block."""
    made = Journey(browser, site, **options)
    yield made
    made.end()


def run_id(page: Page) -> str:
    """The id of the run whose page is shown, or comes."""
    page.wait_for_url(re.compile(r"/runs/[^/?]+"))
    return urlsplit(page.url).path.rpartition("/")[2]


def status(page: Page) -> Locator:
    """What the head of a run's page says of it."""
    return page.locator("#run-status")


def light(page: Page) -> Locator:
    """What the page says of its connection."""
    return page.get_by_role("status").filter(has_text=re.compile("live|connect|ended|loaded|paused"))


def node(page: Page, name: str) -> Locator:
    """The box of a step in the picture."""
    return page.locator(f'.node[data-place="{name}"]')
