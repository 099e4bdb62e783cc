"""The head of a request, as the guard reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.types import Scope

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Method, target and headers of a request or of a websocket's handshake."""

    kind: Literal["http", "websocket"]
    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, scope: Scope) -> RequestHead:
        """The head of this connection."""
        path: str = scope["path"]
        return cls(
            kind=scope["type"],
            method=scope.get("method", "GET"),
            path=path,
            raw_path=scope.get("raw_path") or path.encode("utf-8", "surrogateescape"),
            query=scope.get("query_string", b""),
            headers=tuple((bytes(name).lower(), bytes(value)) for name, value in scope["headers"]),
        )

    def every(self, name: bytes) -> list[bytes]:
        """All values of a header."""
        return [value for key, value in self.headers if key == name]

    def first(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.first(b"transfer-encoding") is not None or self.first(b"content-length") not in {None, b"0"}

    @property
    def declared_length(self) -> int:
        """The length that the sender names; 0 where it names none."""
        value = self.first(b"content-length") or b""
        return int(value) if value.isdigit() and len(value) < 19 else 0

    def is_below(self, prefixes: tuple[str, ...]) -> bool:
        """Whether the path is one of these, or below one."""
        return any(self.path == prefix or self.path.startswith(f"{prefix}/") for prefix in prefixes)

    def is_exactly(self, paths: frozenset[str]) -> bool:
        """Whether the path is one of these, also as it was sent: nothing encoded, nothing to normalise."""
        return self.path in paths and self.raw_path == self.path.encode("utf-8", "surrogateescape")
