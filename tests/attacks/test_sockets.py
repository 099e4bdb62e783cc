"""A websocket hears little, and only text; more ends it, and it alone."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import pytest

from tests.attacks.conftest import Served
from tests.attacks.wire import Wire, close_code, frame, heard

TEXT, BINARY = 1, 2


def end(wire: Wire, *frames: bytes) -> int:
    """The code with which the server ends a socket that sent these frames."""
    connection, _ = wire.handshake()
    with connection:
        try:
            for one in frames:
                connection.sendall(one)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return close_code(connection)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(b"", length=100_000_000)], 1009),
        ([frame(b"a" * 65_537)], 1009),
        ([frame(b"a" * 40_000, flags=0), frame(b"a" * 40_000, 0)], 1009),
        ([frame(b"\x00\x01", BINARY)], 1003),
        ([frame(b"\xff\xfe")], 1007),
        ([frame(b"a")] * 60, 1008),
        ([frame(zlib.compress(b"a" * 1000_000), flags=0xC0)], 1002),
        ([frame(b"a", 3)], 1002),
        ([b"\x81\x01a"], 1002),
    ],
    ids=["promised", "large", "large-in-parts", "binary", "no-text", "flood", "compressed", "opcode", "unmasked"],
)
def test_a_bad_frame_ends_its_socket_only(wire: Wire, frames: list[bytes], code: int) -> None:
    other, _ = wire.handshake("/ws/runs/1")
    with other:
        assert end(wire, *frames) == code
        assert heard(other) == (TEXT, b"hello")
        other.sendall(frame(b"x", 9))
        assert heard(other) == (10, b"x")


def test_a_socket_may_be_silent_for_longer_than_a_head_may_take(start: Callable[..., Served]) -> None:
    wire = start(head_seconds=0.05).wire
    connection, _ = wire.handshake()
    with connection:
        assert heard(connection) == (TEXT, b"hello")
        time.sleep(0.3)
        connection.sendall(frame(b"abc"))
        assert heard(connection) == (TEXT, b"heard 3")


def test_text_and_malformed_json_are_only_text(wire: Wire) -> None:
    connection, _ = wire.handshake()
    with connection:
        connection.sendall(frame(b"{") + frame(b"a" * 65_536))
        assert [heard(connection)[1] for _ in range(3)] == [b"hello", b"heard 1", b"heard 65536"]
        connection.sendall(frame(b"\x03\xe8", 8))
        assert close_code(connection) == 1000


def test_compression_is_never_agreed_to(wire: Wire) -> None:
    connection, answer = wire.handshake(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    connection.close()
    assert answer.status == 101
    assert [name for name in answer.headers if name in {"sec-websocket-extensions", "server"}] == []


def test_a_socket_over_the_limit_hears_why_and_the_others_go_on(start: Callable[..., Served]) -> None:
    wire = start(max_websockets=3).wire
    tabs = [wire.handshake()[0] for _ in range(3)]
    assert [heard(tab) for tab in tabs] == [(TEXT, b"hello")] * 3
    assert [end(wire) for _ in range(20)] == [1013] * 20
    for tab in tabs:
        tab.sendall(frame(b"x", 9))
        assert heard(tab) == (10, b"x")
    tabs[0].sendall(frame(b"\x03\xe8", 8))
    assert close_code(tabs[0]) == 1000
    assert wire.upgrade() == 101
    for tab in tabs:
        tab.close()


def test_a_page_that_fails_ends_its_socket_and_tells_nothing(start: Callable[..., Served]) -> None:
    async def failing(scope: object, receive: Callable[..., object], send: Callable[..., object]) -> None:
        await send({"type": "websocket.accept"})  # type: ignore[misc]
        raise ValueError("secret")

    assert end(start(app=failing).wire) == 1011
