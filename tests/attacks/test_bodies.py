"""A body has the type its route reads, and is bounded in size, in time and in fields."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attacks.conftest import Served
from tests.attacks.wire import Answer, Wire, answer

ECHO = "/api/echo"
START = "/runs/1/start"
FORM = "application/x-www-form-urlencoded"
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "",
        FORM,
        "multipart/form-data; boundary=a",
        "application/jsonp",
        "application/json; charset=utf-16",
        "a",
    ],
)
def test_the_api_reads_json_only(wire: Wire, seen: list[str], kind: str) -> None:
    assert wire.ask("POST", ECHO, b"{}", Content_Type=kind).status == 415
    assert seen == []


def test_a_body_without_a_type_is_refused(wire: Wire, seen: list[str]) -> None:
    assert [wire.ask("POST", path, b"{}").status for path in (ECHO, START)] == [415, 415]
    assert wire.ask("POST", ECHO, b"{}", Content_Type="application/json", Content_Encoding="gzip").status == 415
    assert seen == []


def test_json_comes_in(wire: Wire) -> None:
    kinds = ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
    assert [wire.ask("POST", ECHO, b"{}", Content_Type=kind).body for kind in kinds] == [b"{}"] * 3
    assert wire.ask("POST", ECHO, b"").status == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream"])
def test_pages_read_forms_only(wire: Wire, seen: list[str], kind: str) -> None:
    assert wire.ask("POST", START, b"{}", Content_Type=kind).status == 415
    assert seen == []


def multipart(*parts: str) -> bytes:
    """A form of these parts, each its headers and its text."""
    return "".join(f"--b\r\n{part}\r\n" for part in parts).encode() + b"--b--\r\n"


def field(name: str, value: str = "1") -> str:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'


def test_a_form_of_parts_may_hold_text_but_no_file(wire: Wire, seen: list[str]) -> None:
    kind = {"Content_Type": "multipart/form-data; boundary=b"}
    text = multipart(field("a"), field("b", 'a file; filename="x"'))
    assert wire.ask("POST", START, text, **kind).status == 201
    assert seen == ["start 1 [('a', '1'), ('b', 'a file; filename=\"x\"')]"]
    disposition = "content-disposition: form-data; name=a; FILENAME=x"
    for part in (field('f"; filename="x'), field('f"; filename="'), f"{disposition.lower()}\r\n\r\n1"):
        assert wire.ask("POST", START, multipart(field("a"), part), **kind).status == 415
    for broken in (b"x", b"--b\r\n", text[:-20], text.replace(b"--b", b"--c")):
        assert wire.ask("POST", START, broken, **kind).status == 400
    assert wire.ask("POST", START, text, Content_Type="multipart/form-data").status == 400
    assert len(seen) == 1


def test_a_form_has_a_thousand_fields_at_most(wire: Wire, seen: list[str]) -> None:
    parts = multipart(*[field(f"f{number}") for number in range(1001)])
    assert wire.form(START, b"&".join([b"a=1"] * 2000)).status == 413
    assert wire.ask("POST", START, parts, Content_Type="multipart/form-data; boundary=b").status == 413
    assert seen == []
    assert wire.form(START, b"&".join([b"a=1"] * 1000)).status == 201


def test_a_request_that_reads_brings_no_body(wire: Wire, seen: list[str]) -> None:
    assert [wire.ask(method, "/", b"a=1", Content_Type=FORM).status for method in ("GET", "OPTIONS")] == [400, 400]
    assert seen == []
    assert wire.ask("GET", "/", b"").status == 200


def test_a_megabyte_comes_in_and_a_byte_more_does_not(wire: Wire, seen: list[str]) -> None:
    json = {"Content_Type": "application/json"}
    chunked = {**json, "Transfer_Encoding": "chunked"}
    assert wire.ask("POST", ECHO, b"1" * MEGABYTE, **json).status == 200
    assert wire.ask("POST", ECHO, chunks(b"1" * MEGABYTE), **chunked).status == 200
    assert wire.ask("POST", ECHO, b"1" * (MEGABYTE + 1), **json).status == 413
    assert wire.ask("POST", ECHO, chunks(b"1" * (MEGABYTE + 1)), **chunked).status == 413
    assert seen == [f"echo {MEGABYTE}"] * 2


def chunks(body: bytes, size: int = 60_000) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_who_sends_too_much_before_listening_still_hears_why(wire: Wire) -> None:
    """Hanging up on unread bytes would reset the connection, and a browser would show no reason."""
    body = b"1" * 16 * MEGABYTE
    answers = [
        wire.ask("POST", ECHO, body, Content_Type="application/json"),
        wire.ask("POST", ECHO, chunks(body), Content_Type="application/json", Transfer_Encoding="chunked"),
        wire.ask("POST", ECHO, body, Content_Type="application/json", Origin="null"),
    ]
    assert [answer.status for answer in answers] == [413, 413, 403]


def test_a_length_that_only_promises_is_refused_at_once(wire: Wire) -> None:
    """The sender waits for leave to send; it gets the refusal instead, without delay."""
    headers = {"Content-Type": "application/json", "Content-Length": "300000000", "Expect": "100-continue"}
    assert wire.raw(wire.head("POST", ECHO, headers)).status == 413


def test_a_slow_body_is_given_up(start: Callable[..., Served]) -> None:
    served = start(body_seconds=0.1)
    headers = {"Content-Type": "application/json", "Content-Length": "10"}
    with served.wire.connect() as connection:
        connection.sendall(served.wire.head("POST", ECHO, headers) + b"1")
        slow = answer(connection)
        assert connection.recv(1) == b""
    assert (slow.status, slow.headers["connection"]) == (408, "close")
    assert served.site.seen == []


def test_an_endless_body_after_a_refusal_ends_the_connection(start: Callable[..., Served]) -> None:
    wire = start(linger_seconds=0.1).wire
    headers = {"Content-Type": "text/plain", "Transfer-Encoding": "chunked"}
    with wire.connect() as connection:
        connection.sendall(wire.head("POST", ECHO, headers) + b"1\r\na\r\n")
        assert answer(connection).status == 415
        assert connection.recv(1) == b""


def test_a_sender_that_hangs_up_reaches_no_page(wire: Wire, seen: list[str]) -> None:
    with wire.connect() as connection:
        headers = {"Content-Type": "application/json", "Content-Length": "10"}
        connection.sendall(wire.head("POST", ECHO, headers) + b"1")
    assert wire.ask(path="/healthz").status == 200
    assert seen == []


def test_a_head_that_never_ends_is_given_up(start: Callable[..., Served]) -> None:
    wire = start(head_seconds=0.1).wire
    for beginning in (b"", b"GET / HTTP/1.1\r\nHo"):
        with wire.connect() as connection:
            connection.sendall(beginning)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="LOUD: memory is read from /proc, which is missing")
def test_300_megabytes_cost_no_memory() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", "tests.attacks.site", str(listening.fileno()), str(port)]
        with subprocess.Popen(command, pass_fds=[listening.fileno()]) as process:
            try:
                wire = Wire(port)
                assert wire.ask("POST", ECHO, b"1" * MEGABYTE, Content_Type="application/json").status == 200
                before = peak(process.pid)
                assert [flood(wire, declared=True), flood(wire, declared=False)] == [413, 413]
                assert peak(process.pid) - before < 5 * 1024
                assert wire.ask(path="/healthz").text == "well"
            finally:
                process.kill()


def flood(wire: Wire, *, declared: bool) -> int:
    """Send 300 MB, or as much as is taken; the status of the answer."""
    length = {"Content-Length": "300000000"} if declared else {"Transfer-Encoding": "chunked"}
    piece = b"1" * 1_000_000
    with wire.connect() as connection:
        connection.sendall(wire.head("POST", ECHO, {"Content-Type": "application/json", **length}))
        try:
            for _ in range(300):
                connection.sendall(piece if declared else b"%x\r\n%s\r\n" % (len(piece), piece))
        except (BrokenPipeError, ConnectionResetError):
            pass
        found: Answer = answer(connection)
        return found.status


def peak(process: int) -> int:
    """The most memory a process ever had, in kB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
