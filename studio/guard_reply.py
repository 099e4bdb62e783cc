"""What the guard itself answers, and the headers of every response."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from http import HTTPStatus

from starlette.types import Message, Send

from studio.guard_head import RequestHead

Headers = tuple[tuple[bytes, bytes], ...]

PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# A drawing carries its own style sheet, and can do nothing else.
DOCUMENT_POLICY = (
    b"sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    b"form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
# A response that sets this header to `sandbox` is a document from a workflow: it gets the second policy. So does all
# that a browser would open as a drawing or another kind of page.
POLICY_HEADER = "x-guard-policy"
DRAWN = (b"image/svg", b"application/xml", b"text/xml", b"application/xhtml")
_POLICY = POLICY_HEADER.encode("ascii")
POLICIES = {b"sandbox": DOCUMENT_POLICY}

ALWAYS: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # With `no-referrer` a form post would carry the origin `null`.
    (b"referrer-policy", b"same-origin"),
)
OURS = frozenset({b"content-security-policy", b"server", _POLICY, *(name for name, _ in ALWAYS)})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that no page gives: a refusal, or the redirect after signing in."""

    status: int
    detail: str
    headers: Headers = ()
    retry: str | None = None  # a link back to the page that was asked for

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase


def secured(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of a response with the guard's own; who wrote it has no say in them."""
    given = [(bytes(name).lower(), bytes(value)) for name, value in headers]
    is_drawn = any(name == b"content-type" and value.lower().startswith(DRAWN) for name, value in given)
    usual = DOCUMENT_POLICY if is_drawn else PAGE_POLICY
    policy = next((POLICIES.get(value, usual) for name, value in given if name == _POLICY), usual)
    kept = [(name, value) for name, value in given if name not in OURS and not name.startswith(b"access-control-")]
    return [*kept, (b"content-security-policy", policy), *ALWAYS]


def secured_send(send: Send) -> Send:
    """``send`` with the guard's headers on every response that passes."""

    async def secure(message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            message = {**message, "headers": secured(message.get("headers", ()))}
        elif message["type"] == "websocket.accept":
            plain = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in OURS]
            message = {**message, "headers": plain}
        await send(message)

    return secure


def rendered(reply: Reply, head: RequestHead, json_paths: tuple[str, ...]) -> tuple[Headers, bytes]:
    """Headers and body of a reply: problem JSON for programs, a small page for people."""
    accept = (head.first(b"accept") or b"").lower()
    wants_json = b"json" in accept and b"text/html" not in accept
    if wants_json or (head.is_below(json_paths) and b"text/html" not in accept):
        kind, body = b"application/problem+json", _problem(reply)
    else:
        kind, body = b"text/html; charset=utf-8", _page(reply)
    headers = (
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *reply.headers,
    )
    return headers, body


def _problem(reply: Reply) -> bytes:
    problem = {"type": "about:blank", "title": reply.title, "status": reply.status, "detail": reply.detail}
    return json.dumps(problem).encode("utf-8")


def _page(reply: Reply) -> bytes:
    title = f"{reply.status} {escape(reply.title)}"
    retry = f'<p><a href="{escape(reply.retry)}">Try again</a></p>' if reply.retry else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"></head>'
        f"<body><main><h1>{title}</h1><p>{escape(reply.detail)}</p>{retry}</main></body></html>"
    ).encode()
