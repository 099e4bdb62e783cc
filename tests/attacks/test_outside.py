"""Nobody but the studio is asked for anything, and no other page gets anything of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.attacks.conftest import TOKEN, Served
from tests.attacks.crawl import crawl
from tests.attacks.studio import Studio

CONNECTED: list[tuple[str, Any]] = []


def listen(event: str, arguments: tuple[Any, ...]) -> None:
    """Notes who is connected to, or looked up, by any thread of this process."""
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"}:
        CONNECTED.append((event, arguments[1] if event == "socket.connect" else arguments[0]))


@pytest.fixture(scope="module", autouse=True)
def listening() -> None:
    sys.addaudithook(listen)  # it can't be taken back; it only notes


def test_looking_at_everything_asks_nobody_else(served: Studio) -> None:
    """Data has addresses in it: no page, picture or card makes the studio go there."""
    CONNECTED.clear()
    assert sum(1 for _ in crawl(served, most=120)) > 60
    own = ("127.0.0.1", served.wire.port)
    assert [seen for seen in CONNECTED if seen[1] not in {own, own[0]}] == []
    assert CONNECTED != []


ATTEMPTS = """async ([url, socket]) => {
  const tried = {};
  for (const options of [{mode: 'no-cors'}, {mode: 'no-cors', credentials: 'include'}, {}]) {
    try { const got = await fetch(url, {method: 'POST', body: new URLSearchParams({a: 1}), ...options});
      tried['fetch ' + JSON.stringify(options)] = got.type; } catch { tried['fetch ' + JSON.stringify(options)] = ''; }
  }
  navigator.sendBeacon(url, new URLSearchParams({a: 1}));
  tried.socket = await new Promise(done => { const one = new WebSocket(socket);
    one.onopen = () => done('open'); one.onerror = () => done('refused'); });
  return tried;
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("origin", ["http://evil.test", "http://localhost:{other}", "http://127.0.0.1:{other}"])
def test_a_page_of_another_origin_starts_nothing_and_reads_nothing(shared: Served, page: Page, origin: str) -> None:
    """A page of another site, and one of another port of this machine, which a browser takes for the same site."""
    shared.site.seen.clear()
    where = origin.format(other=shared.wire.port + 1 if shared.wire.port < 65535 else 1024)
    start = f"{shared.wire.origin}/runs/1/start"
    html = f'<!doctype html><form id="f" method="post" action="{start}" target="_blank"></form>'
    page.context.route(f"{where}/**", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{where}/")
    socket = shared.wire.origin.replace("http", "ws") + "/ws"
    tried = page.evaluate(ATTEMPTS, [start, socket])
    assert tried["socket"] == "refused"
    assert {answer for name, answer in tried.items() if name != "socket"} <= {"", "opaque"}
    with page.expect_popup() as opened:
        page.evaluate("() => document.querySelector('#f').submit()")
    opened.value.wait_for_load_state()
    assert "403" in opened.value.title()
    assert [line for line in shared.site.seen if line.startswith(("start", "ws", "echo"))] == []


def test_a_cookie_is_of_no_use_to_another_port(start: Any, page: Page) -> None:
    """Cookies know of no ports: the server of the next one gets it. It is for one launch, and no script sees it."""
    guarded = start(token=TOKEN)
    page.goto(guarded.wire.origin + guarded.guard.link())
    assert page.evaluate("() => document.cookie") == ""
    (cookie,) = page.context.cookies(guarded.wire.origin)
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert str(guarded.wire.port) in cookie["name"]
    other = start(token=TOKEN)
    assert other.wire.ask(Cookie=f"{cookie['name']}={cookie['value']}").status == 401
    assert other.wire.ask(Cookie=f"studio_{other.wire.port}={cookie['value']}").status == 401
