"""What the guard lets through: one frozen set of rules for each launch."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SHORTEST_TOKEN = 32  # characters of `secrets.token_urlsafe(24)`: 192 bits
DEFAULT_PORTS = {"http": 80, "https": 443}


class UnsafeRules(ValueError):
    """Rules that would leave the studio open; the message says what to change."""


@dataclass(frozen=True, slots=True)
class GuardRules:
    """Who may come in, by which address, and how much a request may cost.

    ``allowed_hosts`` adds addresses to those of the machine itself: ``name`` (with the studio's own port),
    ``name:port``, or an origin such as ``https://studio.example`` for a proxy that ends TLS.
    Paths in ``exempt`` need no token, and are compared exactly. Below ``json_paths`` bodies are JSON, elsewhere forms.
    """

    port: int
    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    scheme: Literal["http", "https"] = "http"
    exempt: frozenset[str] = frozenset({"/healthz"})
    json_paths: tuple[str, ...] = ("/api", "/mcp")
    methods: frozenset[str] = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
    max_body: int = 1024 * 1024
    body_seconds: float = 30.0
    linger_seconds: float = 2.0  # how long a refused body is still read, so that its sender sees the answer
    max_fields: int = 1000
    max_headers: int = 100
    max_head_bytes: int = 32 * 1024
    max_target: int = 8 * 1024
    head_seconds: float = 10.0
    max_requests: int = 256
    max_websockets: int = 64
    max_message: int = 64 * 1024
    messages_per_second: int = 50
    failures_per_second: int = 10
    origins: Mapping[bytes, bytes] = field(init=False, repr=False, compare=False)
    """Every address the studio answers to, as in a Host header, with its origin."""

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise UnsafeRules(f"listening on {self.host} needs a token: others on the network could run your workflows")
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise UnsafeRules(f"the token has {len(self.token)} characters; use at least {SHORTEST_TOKEN} random ones")
        object.__setattr__(self, "origins", MappingProxyType(dict(self._origins())))

    def _origins(self) -> list[tuple[bytes, bytes]]:
        own = [] if is_wildcard(self.host) else [bracketed(self.host)]
        found = [pair for name in (*LOOPBACK, *own) for pair in _addresses(self.scheme, name, self.port)]
        for entry in self.allowed_hosts:
            scheme, name, port = _allowed(entry, self)
            found += _addresses(scheme, name, port)
        return found


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on ``host``."""
    address = _ip(host)
    return host == "localhost" if address is None else address.is_loopback


def is_wildcard(host: str) -> bool:
    """Whether ``host`` means every interface, and so is no address to ask for."""
    address = _ip(host)
    return host == "" if address is None else address.is_unspecified


def bracketed(host: str) -> str:
    """The host as a URL writes it."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _addresses(scheme: str, name: str, port: int) -> list[tuple[bytes, bytes]]:
    """Host headers that mean this place, with its origin: browsers leave a scheme's own port out."""
    full = f"{name}:{port}".lower().encode("ascii")
    if port != DEFAULT_PORTS[scheme]:
        return [(full, f"{scheme}://".encode() + full)]
    bare = name.lower().encode("ascii")
    origin = f"{scheme}://".encode() + bare
    return [(full, origin), (bare, origin)]


def _allowed(entry: str, rules: GuardRules) -> tuple[str, str, int]:
    """Scheme, name and port of an allowed host."""
    try:
        parts = urlsplit(entry if "://" in entry else f"//{entry}")
        name, port = parts.hostname, parts.port
        (name or "").encode("ascii")
    except ValueError:  # a port that is no number, a bracket without its pair, a name that is not ASCII
        name, port = None, None
        parts = urlsplit("")
    scheme = parts.scheme or rules.scheme
    if not name or scheme not in DEFAULT_PORTS or parts.path.strip("/") or parts.query or "@" in entry or "*" in entry:
        raise UnsafeRules(f"{entry!r} is no host: write NAME, NAME:PORT or https://studio.example, without wildcards")
    default = DEFAULT_PORTS[scheme] if parts.scheme else rules.port
    return scheme, bracketed(name), port or default
