"""The body of a request, read whole before any page sees it: within a size, a time, and without files."""

from __future__ import annotations

import asyncio

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.types import Message, Receive

from studio.guard_admission import too_large
from studio.guard_head import RequestHead
from studio.guard_reply import Reply
from studio.guard_rules import GuardRules


class Gone(ConnectionError):
    """The other side hung up, or the guard did."""


async def read_body(receive: Receive, rules: GuardRules) -> bytes | Reply:
    """The whole body, or why it was not read to its end. Raises ``Gone``."""
    body = bytearray()
    try:
        async with asyncio.timeout(rules.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > rules.max_body:
                    return too_large(rules)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        return Reply(408, f"The body was not complete after {rules.body_seconds:g} seconds.")


def replayed(body: bytes, receive: Receive) -> Receive:
    """``receive`` for a page: the body first, then what the connection has to tell."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def form_fault(head: RequestHead, body: bytes, rules: GuardRules) -> Reply | None:
    """Why this body is no form of ours, or ``None``."""
    kind, options = parse_options_header(head.first(b"content-type"))
    if kind == b"application/x-www-form-urlencoded":
        return _count_fault(body.count(b"&") + 1, rules)
    if kind == b"multipart/form-data" and body:
        return _multipart_fault(options.get(b"boundary", b""), body, rules)
    return None


def _count_fault(fields: int, rules: GuardRules) -> Reply | None:
    return Reply(413, f"A form has at most {rules.max_fields} fields.") if fields > rules.max_fields else None


_UNREADABLE = Reply(400, "The form can't be read.")


def _multipart_fault(boundary: bytes, body: bytes, rules: GuardRules) -> Reply | None:
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError:
        return _UNREADABLE
    if parts.has_file:
        return Reply(415, "Files are not taken.")
    if not parts.is_complete:
        return _UNREADABLE
    return _count_fault(parts.count, rules)


class _Parts:
    """Counts the parts of a multipart form, and notices files."""

    def __init__(self) -> None:
        self.count = 0
        self.has_file = False
        self.is_complete = False
        self._name = b""
        self._value = b""

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._part,
            "on_header_begin": self._header,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._header_end,
            "on_end": self._end,
        }

    def _part(self) -> None:
        self.count += 1

    def _end(self) -> None:
        self.is_complete = True

    def _header(self) -> None:
        self._name = self._value = b""

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self.has_file |= b"filename" in parse_options_header(self._value)[1]
