"""Bytes to and from a server, as no browser would send them."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from http.client import HTTPResponse


@dataclass(frozen=True)
class Answer:
    """A response as it came; `headers` has lower case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


@dataclass(frozen=True)
class Wire:
    """A way to one server."""

    port: int
    seconds: float = 5
    """What an answer may take."""

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=self.seconds)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def head(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        """A request's head: a header `Host` replaces the right one."""
        lines = {"Host": self.host, **headers}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode("latin-1")

    def ask(self, method: str = "GET", path: str = "/", body: bytes | None = None, **headers: str) -> Answer:
        """Send one request (`Sec_Fetch_Site=...` is the header of that name), and read its answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and "Transfer-Encoding" not in named:
            named.setdefault("Content-Length", str(len(body)))
        return self.raw(self.head(method, path, {**named, "Connection": "close"}) + (body or b""), method)

    def form(self, path: str, body: bytes = b"a=1", **headers: str) -> Answer:
        """Post a form."""
        return self.ask("POST", path, body, **{"Content_Type": "application/x-www-form-urlencoded", **headers})

    def raw(self, data: bytes, method: str = "GET") -> Answer:
        """Send bytes, read one answer."""
        with self.connect() as connection:
            connection.sendall(data)
            return answer(connection, method)

    def handshake(self, path: str = "/ws", **headers: str) -> tuple[socket.socket, Answer]:
        """Ask for a websocket; `Origin=""` leaves the origin out."""
        named = {"Origin": self.origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
        key = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        named |= {**key, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        connection = self.connect()
        connection.sendall(self.head("GET", path, {name: value for name, value in named.items() if value}))
        return connection, answer(connection)

    def upgrade(self, path: str = "/ws", **headers: str) -> int:
        """The status of a handshake."""
        connection, found = self.handshake(path, **headers)
        connection.close()
        return found.status


def answer(connection: socket.socket, method: str = "GET") -> Answer:
    """Read one response, and no byte beyond it: what follows a handshake stays in the socket."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError(f"closed after {head!r}")
        head += byte
    status = int(head.split(b" ", 2)[1])
    pairs = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:-2]]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if status == 101 or method == "HEAD":
        return Answer(status, headers, b"")
    return Answer(status, headers, _body(connection, head, headers))


def _body(connection: socket.socket, head: bytes, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return read(connection, int(headers.get("content-length", 0)))
    response = HTTPResponse(_Resumed(connection, head))  # type: ignore[arg-type]
    response.begin()
    return response.read()


class _Resumed:
    """A socket whose head was read before."""

    def __init__(self, connection: socket.socket, head: bytes) -> None:
        self._connection, self._head = connection, head

    def makefile(self, _mode: str) -> _Resumed:
        return self

    def readline(self, _: int = -1) -> bytes:
        line, separator, self._head = self._head.partition(b"\n")
        if separator:
            return line + separator
        line = b""
        while not line.endswith(b"\n"):
            line += self._connection.recv(1)
        return line

    def read(self, size: int) -> bytes:
        return read(self._connection, size)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def read(connection: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError(f"closed after {len(data)} of {size} bytes")
        data += piece
    return data


def frame(payload: bytes, opcode: int = 1, length: int | None = None, *, flags: int = 0x80) -> bytes:
    """A masked websocket frame; `length` may promise more than there is."""
    size = len(payload) if length is None else length
    head = bytes([flags | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", size)
    return head + bytes(4) + payload  # a mask of zeros changes nothing


def heard(connection: socket.socket) -> tuple[int, bytes]:
    """The next frame of the server: opcode and payload."""
    first, second = read(connection, 2)
    size = second & 0x7F
    if size == 126:
        size = struct.unpack("!H", read(connection, 2))[0]
    return first & 0x0F, read(connection, size)


def close_code(connection: socket.socket) -> int:
    """The code with which the server hangs up."""
    opcode, payload = heard(connection)
    while opcode != 8:
        opcode, payload = heard(connection)
    return int(struct.unpack("!H", payload[:2])[0])
