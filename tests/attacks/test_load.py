"""Many connections leave room for those that are used."""

from __future__ import annotations

from collections.abc import Callable

from tests.attacks.conftest import Served
from tests.attacks.wire import read


def test_requests_over_the_limit_are_told_to_come_back(start: Callable[..., Served]) -> None:
    wire = start(max_requests=4).wire
    waiting = [wire.connect() for _ in range(4)]
    for connection in waiting:
        connection.sendall(wire.head("GET", "/held", {}))
        read(connection, 20)
    busy = wire.ask()
    assert (busy.status, busy.headers["retry-after"]) == (503, "1")
    assert busy.headers["x-content-type-options"] == "nosniff"
    for connection in waiting:
        connection.close()
    assert wire.ask(path="/healthz").status == 200


def test_silent_connections_give_way_to_requests(start: Callable[..., Served]) -> None:
    served = start(max_requests=8, max_websockets=2)
    silent = [served.wire.connect() for _ in range(100)]
    tab, _ = served.wire.handshake()
    assert [served.wire.ask().status for _ in range(20)] == [200] * 20
    silent += [served.wire.connect() for _ in range(20)]
    assert served.wire.ask().status == 200
    assert [connection.recv(1) for connection in silent[:90]] == [b""] * 90
    assert read(tab, 7)[2:] == b"hello"
    for connection in (tab, *silent):
        connection.close()
