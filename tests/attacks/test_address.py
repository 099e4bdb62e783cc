"""A request names one of the studio's own addresses, or it stays outside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studio.guard import GuardRules, UnsafeRules
from tests.attacks.conftest import TOKEN, Served
from tests.attacks.wire import Wire

EVERY = "0.0.0.0"  # noqa: S104 - refused, which is what is tested


def foreign(port: int) -> list[str]:
    """Addresses that are none of the studio's, however near they look."""
    return [
        f"evil.test:{port}",
        "evil.test",
        "127.0.0.1",
        "localhost",
        "localhost:9",
        f"127.0.0.1:{port + 1}",
        f"127.0.0.1:0{port}",
        f"127.0.0.1.evil.test:{port}",
        f"localhost.:{port}",
        f"0.0.0.0:{port}",
        f"127.1:{port}",
        f"2130706433:{port}",
        f"a@127.0.0.1:{port}",
        f"127.0.0.1:{port}@evil.test",
        f"127.0.0.1:{port},evil.test",
        f"127.0.0.1:{port}/",
        f"::1:{port}",
        f"[::1%lo]:{port}",
        f"[::ffff:127.0.0.1]:{port}",
        "[::1]",
        f"studio.test:{port}.evil.test",
        ":",
        "[",
        f":{port}",
        f"\xe9\xff:{port}",
        f"lo\u00ddcalhost:{port}",
        "x" * 5000,
    ]


def test_a_foreign_address_is_refused_before_any_route(wire: Wire, seen: list[str]) -> None:
    answers = {host: wire.ask(path="/runs/secret", Host=host).status for host in foreign(wire.port)}
    assert answers == dict.fromkeys(answers, 403)
    assert seen == []


def test_a_websocket_by_a_foreign_address_is_refused(wire: Wire, seen: list[str]) -> None:
    answers = {host: wire.upgrade(Host=host, Origin=f"http://{host}") for host in foreign(wire.port)}
    assert answers == dict.fromkeys(answers, 403)
    assert seen == []
    assert wire.ask().status == 200


def test_own_addresses_come_in_however_they_are_written(wire: Wire) -> None:
    hosts = [f"{name}:{wire.port}" for name in ("localhost", "127.0.0.1", "[::1]", "LocalHost", "studio.test")]
    assert {host: wire.ask(Host=host).status for host in hosts} == dict.fromkeys(hosts, 200)
    assert {host: wire.upgrade(Host=host, Origin=f"http://{host}") for host in hosts} == dict.fromkeys(hosts, 101)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: own.test\r\nHost: evil.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: own.test\r\nOrigin: http://own.test\r\nOrigin: http://evil.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: own.test\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: own.test\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : own.test\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: own.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: own.test\x00\r\n\r\n",
        b"GET http://evil.test/ HTTP/1.1\r\nHost: own.test\r\n\r\n",
        b"GET http://own.test/ HTTP/1.1\r\nHost: own.test\r\n\r\n",
        b"GET evil.test HTTP/1.1\r\nHost: own.test\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: own.test\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: own.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: own.test\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
        b"GET / HTTP/1.1\r\nHost: own.test\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: own.test\r\nA: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: own.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nA: "
        + b"a" * 9000
        + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: own.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: own.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_what_is_no_sound_request_gets_an_error_and_the_studio_lives(wire: Wire, seen: list[str], head: bytes) -> None:
    answer = wire.raw(head.replace(b"own.test", wire.host.encode()))
    assert answer.status in {400, 431, 501}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert seen == []
    assert wire.ask(path="/healthz").text == "well"


def test_a_head_is_of_a_usual_size(wire: Wire, seen: list[str]) -> None:
    many = wire.ask(**{f"X_{number}": "1" for number in range(120)})
    large = wire.raw(wire.head("GET", "/", {f"X-{number}": "a" * 7000 for number in range(5)}))
    long = wire.ask(path="/?" + "a" * 9000)
    assert (many.status, large.status, long.status) == (431, 431, 414)
    assert seen == []


def test_unknown_methods_are_refused(wire: Wire, seen: list[str]) -> None:
    answers = {method: wire.ask(method) for method in ("TRACE", "CONNECT", "PROPFIND", "get", "X")}
    assert {method: answer.status for method, answer in answers.items()} == dict.fromkeys(answers, 405)
    assert answers["TRACE"].headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert seen == []


@pytest.mark.parametrize("host", [EVERY, "::", "", "192.0.2.7", "studio.test"])
def test_without_a_token_the_studio_listens_on_the_loopback_only(host: str) -> None:
    with pytest.raises(UnsafeRules, match="needs a token"):
        GuardRules(port=4111, host=host)
    assert GuardRules(port=4111, host=host, token=TOKEN).token == TOKEN


def test_every_interface_is_no_address_and_one_interface_is() -> None:
    every = GuardRules(port=4111, host=EVERY, token=TOKEN)
    one = GuardRules(port=4111, host="192.0.2.7", token=TOKEN)
    six = GuardRules(port=4111, host="2001:db8::7", token=TOKEN)
    loopback = {b"localhost:4111", b"127.0.0.1:4111", b"[::1]:4111"}
    assert set(every.origins) == loopback
    assert set(one.origins) - loopback == {b"192.0.2.7:4111"}
    assert set(six.origins) - loopback == {b"[2001:db8::7]:4111"}


@pytest.mark.parametrize(
    ("entry", "address", "origin"),
    [
        ("Studio.test", b"studio.test:4111", b"http://studio.test:4111"),
        ("studio.test:80", b"studio.test", b"http://studio.test"),
        ("https://studio.test", b"studio.test", b"https://studio.test"),
        ("https://studio.test:8443/", b"studio.test:8443", b"https://studio.test:8443"),
        ("[2001:db8::7]", b"[2001:db8::7]:4111", b"http://[2001:db8::7]:4111"),
    ],
)
def test_an_allowed_host_is_one_address_with_one_origin(entry: str, address: bytes, origin: bytes) -> None:
    assert GuardRules(port=4111, allowed_hosts=(entry,)).origins[address] == origin


@pytest.mark.parametrize(
    "entry", ["", "*", "*.test", "a@b.test", "ftp://a.test", "a.test/path", "a.test:x", "[::1", "b\u00fccher.test"]
)
def test_what_is_no_host_is_not_allowed(entry: str) -> None:
    with pytest.raises(UnsafeRules, match="is no host"):
        GuardRules(port=4111, allowed_hosts=(entry,))


def test_a_token_is_long_and_never_shown() -> None:
    with pytest.raises(UnsafeRules, match="at least 32"):
        GuardRules(port=4111, token="short")
    assert TOKEN not in repr(GuardRules(port=4111, token=TOKEN))


def test_behind_tls_the_origin_is_the_proxys(start: Callable[..., Served]) -> None:
    wire = start(allowed_hosts=("https://studio.test",)).wire
    start_page = "/runs/1/start"
    assert wire.form(start_page, Host="studio.test", Origin="https://studio.test").status == 201
    assert wire.form(start_page, Host="studio.test", Origin="http://studio.test").status == 403
