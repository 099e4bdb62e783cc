"""With a token, only who has it comes in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from studio.guard import Guard, GuardRules, safe_next
from tests.attacks.conftest import TOKEN, Served, serve
from tests.attacks.inventory import inventory
from tests.attacks.site import Site
from tests.attacks.wire import Wire

FAILURES = 1_000_000  # no test but one is about the limit


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """A studio with a token."""
    rules = {"token": TOKEN, "failures_per_second": FAILURES}
    with serve(Site(), lambda port: GuardRules(port=port, **rules)) as served:  # type: ignore[arg-type]
        yield served


@pytest.fixture
def guard(shared: Served) -> Guard:
    return shared.guard


def sign_in(wire: Wire, link: str) -> str:
    """The cookie that a link gives."""
    return wire.ask(path=link).headers["set-cookie"].partition(";")[0]


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


WRONG = ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f"{TOKEN}, {TOKEN}", "\xe9\xff", "x" * 7000, f"{TOKEN} x"]


def test_no_route_answers_without_the_token(wire: Wire, guard: Guard, seen: list[str]) -> None:
    routes = [route for route in inventory(guard) if route.path != "/healthz"]
    for route in routes:
        if route.kind == "http":
            body = None if route.method in {"GET", "HEAD"} else b""
            answers = [wire.ask(route.method, route.path, body)]
            answers += [wire.ask(route.method, route.path, body, **bearer(token)) for token in ("x", "\xe9")]
            assert [answer.status for answer in answers] == [401] * 3, route
        else:
            assert [wire.upgrade(route.path, **given) for given in ({}, bearer("x"))] == [401] * 2, route
            assert wire.upgrade(route.path, Origin="") == 403, route
    assert {route.path for route in routes} >= {"/docs", "/openapi.json", "/api/echo", "/ws/runs/x", "/held"}
    assert seen == []


def test_wrong_tokens_are_refused_whatever_bytes_they_are(wire: Wire, seen: list[str]) -> None:
    assert {token: wire.ask(**bearer(token)).status for token in WRONG} == dict.fromkeys(WRONG, 401)
    others = [TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", f"Token {TOKEN}"]
    assert {value: wire.ask(Authorization=value).status for value in others} == dict.fromkeys(others, 401)
    links = [
        "/?token=",
        "/?token=%ff",
        "/?token=%C3%A9",
        f"/?token={TOKEN}",
        "/?token=a&token=b",
        "/?token=" + "&a" * 99,
    ]
    assert {link: wire.ask(path=link).status for link in links} == dict.fromkeys(links, 401)
    assert seen == []


def test_a_program_sends_the_token_as_a_bearer(wire: Wire) -> None:
    assert wire.ask(**bearer()).status == 200
    assert wire.ask(Authorization=f"bearer  {TOKEN}").status == 200
    assert wire.form("/runs/1/start", **bearer()).status == 201
    assert [wire.upgrade(Origin="", **bearer()), wire.upgrade(**bearer())] == [101, 101]
    assert wire.upgrade(Origin="http://evil.test", **bearer()) == 403


def test_a_wrong_bearer_is_not_saved_by_a_cookie(wire: Wire, guard: Guard) -> None:
    """A page can't be made to open a socket without an origin by its cookie."""
    cookie = sign_in(wire, guard.link())
    assert wire.upgrade(Origin="", Cookie=cookie, **bearer("x")) == 401
    assert wire.upgrade(Origin="", Cookie=cookie) == 403
    assert wire.upgrade(Cookie=cookie) == 101


def test_a_link_signs_in_once_and_leaves_no_trace_in_the_address(wire: Wire, guard: Guard, seen: list[str]) -> None:
    link = guard.link()
    first = wire.ask(path=link)
    name, _, rest = first.headers["set-cookie"].partition("=")
    assert (first.status, first.headers["location"], name) == (303, "/", f"studio_{wire.port}")
    assert rest.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]
    assert first.headers["cache-control"] == "no-store"
    assert wire.ask(path=link).status == 401
    assert seen == []
    assert wire.ask(Cookie=f"a=b; {name}={rest.split(';')[0]}; c").status == 200


def test_a_used_link_leads_on_who_is_signed_in(wire: Wire, guard: Guard) -> None:
    link = guard.link("/runs/7?view=graph")
    cookie = sign_in(wire, link)
    again = wire.ask(path=link, Cookie=cookie)
    assert (again.status, again.headers["location"]) == (303, "/runs/7?view=graph")
    assert "set-cookie" not in again.headers


def test_a_look_ahead_does_not_use_a_link_up(wire: Wire, guard: Guard) -> None:
    link = guard.link()
    assert [wire.ask("HEAD", link).status, wire.ask(path=link).status] == [401, 303]


def test_a_link_leads_only_to_a_page_of_the_studio(wire: Wire, guard: Guard) -> None:
    assert wire.ask(path=f"{guard.link()}&next=//evil.test").headers["location"] == "/"
    assert wire.ask(path=f"{guard.link()}&next=%2F%09%2Fevil.test").headers["location"] == "/"
    assert wire.ask(path=f"{guard.link()}&next=/runs%0d%0aSet-Cookie:%20a=b").headers["location"] == "/"


def test_a_cookie_of_an_earlier_launch_is_worth_nothing(wire: Wire, guard: Guard) -> None:
    old = Guard(guard.app, guard.rules)
    cookie = sign_in(wire, guard.link()).partition("=")
    assert old.link() != guard.link()
    assert wire.ask(Cookie=f"{cookie[0]}={'A' * 43}").status == 401
    assert wire.ask(Cookie=f"studio_1={cookie[2]}").status == 401
    assert wire.ask(path=old.link()).status == 401


def test_after_a_restart_everybody_signs_in_again() -> None:
    with serve(Site(), lambda port: GuardRules(port=port, token=TOKEN)) as before:
        link = before.guard.link()
        cookie = sign_in(before.wire, before.guard.link())
    port = before.wire.port
    with serve(Site(), lambda _: GuardRules(port=port, token=TOKEN)) as after:
        host = before.wire.host
        assert after.wire.ask(Host=host, Cookie=cookie).status == 401
        assert after.wire.ask(path=link, Host=host).status == 401
        assert after.wire.ask(Host=host, **bearer()).status == 200


def test_paths_that_only_look_exempt_need_the_token(wire: Wire, seen: list[str]) -> None:
    paths = [
        *(
            "/runs/health",
            "/runs/healthz",
            "/x/ready",
            "/healthz/",
            "/healthz.",
            "/healthz..",
            "/HEALTHZ",
            "/healthz/x",
        ),
        *("//healthz", "/./healthz", "/x/../healthz", "/%68ealthz", "/healthz%20", "/healthz;x", "/healthz%00"),
        *("/static/../api", "//api", "/API", "/%2e%2e", "/..", "/api/..%2fhealthz", "/healthz%2f", "/\\healthz"),
        *("//evil.test/healthz", "/healthz%3f", "/runs/x?/healthz", "/?next=/healthz"),
    ]
    answers = {path: wire.ask(path=path).status for path in paths}
    assert answers == {**dict.fromkeys(paths, 401), "/healthz%00": 400}
    assert seen == []
    assert [wire.ask(path="/healthz").status, wire.ask(path="/healthz?a=b").status] == [200, 200]
    assert wire.ask(path="/healthz", Host="evil.test").status == 403


def test_guessing_is_slowed_down_and_who_is_signed_in_notices_nothing(start: Callable[..., Served]) -> None:
    served = start(token=TOKEN)
    wire, cookie = served.wire, sign_in(served.wire, served.guard.link())
    statuses = [wire.ask(**bearer(f"{number}")).status for number in range(30)]
    assert (statuses[:10], set(statuses[10:])) == ([401] * 10, {429})
    assert wire.ask(**bearer()).status == 429
    assert wire.ask().status == 429
    assert wire.ask(path=served.guard.link()).headers["retry-after"] == "1"
    assert wire.ask(Cookie=cookie).status == 200


async def test_after_a_second_the_right_token_comes_in_again() -> None:
    now = [0.0]
    site = Site()
    guard = Guard(site.app, GuardRules(port=80, token=TOKEN), clock=lambda: now[0])

    async def ask(token: str) -> int:
        sent: list[int] = []

        async def receive() -> dict[str, str]:
            return {"type": "http.disconnect"}

        async def send(message: dict[str, int]) -> None:
            sent.append(message.get("status", 0))

        headers = [(b"host", b"localhost"), (b"authorization", b"Bearer " + token.encode())]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "query_string": b""}
        await guard({**scope, "scheme": "http", "root_path": "", "http_version": "1.1"}, receive, send)  # type: ignore[arg-type]
        return sent[0]

    assert [await ask("x") for _ in range(11)] == [401] * 10 + [429]
    now[0] = 0.99
    assert await ask(TOKEN) == 429
    now[0] = 1.0
    assert await ask(TOKEN) == 200


def test_the_token_is_in_no_answer_and_in_no_log(
    start: Callable[..., Served], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    served = start(token=TOKEN, server={"access_log": True})
    link = served.guard.link("/runs/7")
    answers = [served.wire.ask(path=link), served.wire.ask(path=link), served.wire.ask(**bearer(TOKEN + "x"))]
    told = caplog.text + "".join(answer.text + repr(answer.headers) for answer in answers)
    code = link.partition("=")[2].partition("&")[0]
    assert [answer.status for answer in answers] == [303, 401, 401]
    assert '"GET /?token=... HTTP/1.1" 303' in caplog.text
    assert [secret for secret in (TOKEN, code) if secret in told] == []
    assert answers[0].headers["referrer-policy"] == "same-origin"


def test_a_refused_page_offers_itself_again(wire: Wire) -> None:
    """A link on another site carries no strict cookie; from the refusal's own page the same link does."""
    refused = wire.ask(path='/runs/7?a=1&b="><script>alert(1)</script>')
    assert refused.status == 401
    assert 'href="/runs/7?a=1&amp;b=&quot;&gt;&lt;script&gt;' in refused.text
    assert "href" not in wire.ask(path="//evil.test/").text


@pytest.mark.parametrize("path", ["/", "/runs/7", "/runs?a=b&c=//d", "/%2f%2fevil.test", "/a:b@c"])
def test_a_path_of_the_studio_is_followed(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *(None, "", "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "/a\\b", "https:evil.test"),
        *("https://evil.test", "javascript:alert(1)", "evil.test", "./a", "?a", "#a", " /a", "/\t/evil.test"),
        *(
            "/\n/evil.test",
            "/a\r\nSet-Cookie: a=b",
            "/a b",
            "/\x00",
            "/\x7f",
            "/\u00e9",
            "/\uff0fevil.test",
            "/" + "a" * 3000,
        ),
    ],
)
def test_any_other_path_leads_to_the_first_page(path: str | None) -> None:
    assert safe_next(path) == "/"
