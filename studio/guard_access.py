"""Who is signed in: the token, its one-time links, and the cookie of this launch."""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from urllib.parse import parse_qs, quote

from studio.guard_head import RequestHead
from studio.guard_reply import Reply
from studio.guard_rules import GuardRules

LONGEST_PATH = 2048
UNUSED_LINKS = 64  # the oldest unused link is void when more are made


def safe_next(path: str | None) -> str:
    """The path if it leads to a page of this studio, else ``/``.

    Browsers drop tabs and line ends, and read a backslash as a slash: ``/\\t/elsewhere`` leaves the site.
    """
    if path is None or len(path) > LONGEST_PATH or not path.startswith("/") or path.startswith("//"):
        return "/"
    return path if all("!" <= character <= "~" and character != "\\" for character in path) else "/"


class Access:
    """The secrets of one launch: a cookie of an earlier one is worth nothing."""

    def __init__(self, rules: GuardRules, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._clock = clock
        self._token = None if rules.token is None else rules.token.encode("utf-8", "surrogateescape")
        self._session = secrets.token_urlsafe(32).encode("ascii")
        self._links: deque[bytes] = deque(maxlen=UNUSED_LINKS)
        self._failures: deque[float] = deque(maxlen=rules.failures_per_second)
        # Cookies don't know of ports: two studios on one machine would overwrite each other's.
        self.cookie = f"studio_{rules.port}".encode("ascii")

    def link(self, to: str = "/") -> str:
        """A path that signs in whoever opens it first, and leads to the page ``to``."""
        page = safe_next(to)
        if self._token is None:
            return page
        code = secrets.token_urlsafe(32)
        self._links.append(code.encode("ascii"))
        return f"/?token={code}" + ("" if page == "/" else f"&next={quote(page)}")

    def answer(self, head: RequestHead) -> Reply | None:
        """Why this request may not pass, or ``None``; for a link, the redirect."""
        if self._token is None:
            return None
        link = _link(head)
        given = head.first(b"authorization")
        if given is None and self._is_signed_in(head):
            return None if link is None else _redirect(link[1])
        if self._is_throttled():
            return Reply(429, "Too many wrong tokens. Wait a second.", ((b"retry-after", b"1"),), _retry(head))
        if given is not None:
            return None if self._is_bearer(given) else self._failed(head)
        if link is not None:
            return self._enter(head, *link)
        return self._failed(head) if self._cookies(head) else _unknown(head)

    def _enter(self, head: RequestHead, code: bytes, page: str) -> Reply:
        found = [one for one in self._links if hmac.compare_digest(one, code)]
        if not found:
            return self._failed(head)
        self._links.remove(found[0])
        own = self._rules.origins[(head.first(b"host") or b"").lower()]
        secure = b"; Secure" if own.startswith(b"https:") else b""
        cookie = b"%s=%s; Path=/; HttpOnly; SameSite=Strict%s" % (self.cookie, self._session, secure)
        return _redirect(page, (b"set-cookie", cookie))

    def _failed(self, head: RequestHead) -> Reply:
        self._failures.append(self._clock())
        return _unknown(head)

    def _is_throttled(self) -> bool:
        full = len(self._failures) == self._failures.maxlen
        return full and self._clock() - self._failures[0] < 1.0

    def _is_bearer(self, given: bytes) -> bool:
        kind, _, value = given.partition(b" ")
        return kind.lower() == b"bearer" and hmac.compare_digest(value.strip(), self._token or b"")

    def _is_signed_in(self, head: RequestHead) -> bool:
        return any(hmac.compare_digest(value, self._session) for value in self._cookies(head))

    def _cookies(self, head: RequestHead) -> list[bytes]:
        pairs = [pair.partition(b"=") for line in head.every(b"cookie") for pair in line.split(b";")]
        return [value.strip() for name, _, value in pairs if name.strip() == self.cookie]


def _link(head: RequestHead) -> tuple[bytes, str] | None:
    """The code of a sign-in link, and the page it leads to."""
    if head.kind != "http" or head.method != "GET" or head.path != "/" or b"token=" not in head.query:
        return None
    try:
        fields = parse_qs(head.query.decode("latin-1"), keep_blank_values=True, max_num_fields=8)
    except ValueError:
        return None
    codes = fields.get("token", [])
    return (codes[0].encode("utf-8"), safe_next(fields.get("next", ["/"])[0])) if len(codes) == 1 else None


def _redirect(page: str, *headers: tuple[bytes, bytes]) -> Reply:
    return Reply(303, "Signed in.", ((b"location", page.encode("ascii")), *headers))


def _unknown(head: RequestHead) -> Reply:
    detail = "Open the link that the studio printed at its start; it works once. Programs send the token as a bearer."
    return Reply(401, detail, ((b"www-authenticate", b'Bearer realm="studio"'),), _retry(head))


def _retry(head: RequestHead) -> str | None:
    """The page again: a strict cookie is not sent when a link on another site is followed, but from here it is."""
    query = b"" if b"token=" in head.query else head.query
    target = (head.raw_path + b"?" * bool(query) + query).decode("latin-1")
    page = safe_next(target)
    return page if page == target and head.method == "GET" else None
