"""A browser that shows what a test gives it: pages, the studio's own files, and sockets; no server, no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute
from starlette.requests import Request

from studio.assets import Assets
from studio.guard_reply import PAGE_POLICY
from studio.rendering import Rendering

ORIGIN = "http://studio.test"
REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": []})


@dataclass
class Paper:
    """One page of a browser. What it complains of is in ``complaints``: a test ends with none."""

    page: Page
    assets: Assets
    pages: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.route(re.compile(".*"), self._answer)
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def show(self, html: str, path: str = "/") -> Page:
        """Open ``html`` as the page at ``path``."""
        self.pages[path] = html
        self.page.goto(ORIGIN + path)
        return self.page

    def socket(self, path: str, act: Callable[[WebSocketRoute], Any]) -> None:
        """Answer the page's sockets at ``path``."""
        self.page.route_web_socket(re.compile(re.escape(path) + r"(\?|$)"), act)

    def _answer(self, route: Route) -> None:
        url = route.request.url
        self.asked.append(url)
        path = url.removeprefix(ORIGIN).partition("?")[0]
        if path in self.pages:
            policy = {"content-security-policy": PAGE_POLICY.decode()}
            return route.fulfill(body=self.pages[path], content_type="text/html; charset=utf-8", headers=policy)
        request = Request({"type": "http", "method": "GET", "path": path, "headers": []})
        found = self.assets.response(request, path.removeprefix("/static/"))
        return route.fulfill(status=found.status_code, body=bytes(found.body), headers=dict(found.headers))


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return Rendering(Assets())


@pytest.fixture
def paper(browser: Browser, rendering: Rendering) -> Iterator[Paper]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    made = Paper(context.new_page(), rendering.assets)
    yield made
    context.close()
    assert made.complaints == []


def page_of(rendering: Rendering, source: str, **context: Any) -> str:
    """A whole page around the content that ``source``, a template, gives."""
    made = rendering.environment.from_string('{% extends "base.html" %}' + source)
    return made.render({"request": REQUEST, "title": "Paper", **context})
