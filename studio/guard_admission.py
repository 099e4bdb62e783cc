"""Whether a request may come in, told from its head alone: its shape, its address, where it comes from, its type."""

from __future__ import annotations

from studio.guard_head import UNSAFE, RequestHead
from studio.guard_reply import Reply
from studio.guard_rules import GuardRules

# What must be said once: two of them would be read differently by two readers.
SINGLE = (b"host", b"origin", b"authorization", b"content-type", b"content-length", b"sec-fetch-site")
OWN_SITE = frozenset({b"same-origin", b"none"})
FORMS = frozenset({b"application/x-www-form-urlencoded", b"multipart/form-data"})


def admission(head: RequestHead, rules: GuardRules) -> Reply | None:
    """Why this request is refused, or ``None``."""
    for check in (shape, address, method, origin):
        if (reply := check(head, rules)) is not None:
            return reply
    return None


def shape(head: RequestHead, rules: GuardRules) -> Reply | None:
    """A request is of a usual size, asks for a path, and says once what may be said once."""
    if len(head.raw_path) + len(head.query) > rules.max_target:
        return Reply(414, f"The address is longer than {rules.max_target} bytes.")
    size = sum(len(name) + len(value) + 4 for name, value in head.headers)
    if len(head.headers) > rules.max_headers or size > rules.max_head_bytes:
        return Reply(431, f"At most {rules.max_headers} headers of {rules.max_head_bytes} bytes in all are read.")
    if not head.path.startswith("/") or "\0" in head.path:
        return Reply(400, "The request must ask for a path.")
    twice = next((name for name in SINGLE if len(head.every(name)) > 1), None)
    if twice is not None:
        return Reply(400, f"The header {twice.decode('ascii')} may be given once.")
    return None


def address(head: RequestHead, rules: GuardRules) -> Reply | None:
    """A request names one of the studio's own addresses: any other name may have been pointed here by a stranger."""
    host = head.first(b"host")
    if not host:
        return Reply(400, "The Host header is missing.")
    if host.lower() not in rules.origins:
        known = ", ".join(name.decode("ascii") for name in rules.origins)
        return Reply(403, f"The studio does not go by this address. It answers to {known}; allowed hosts add others.")
    return None


def method(head: RequestHead, rules: GuardRules) -> Reply | None:
    """Only known methods come in."""
    if head.method in rules.methods:
        return None
    allowed = ", ".join(sorted(rules.methods))
    return Reply(405, f"Use one of {allowed}.", headers=((b"allow", allowed.encode("ascii")),))


def origin(head: RequestHead, rules: GuardRules) -> Reply | None:
    """What changes something, and every websocket, comes from a page of the studio or from no page at all."""
    if head.kind == "websocket":
        return _websocket_origin(head, rules)
    if head.method in UNSAFE:
        return None if _is_own(head, rules) else _FOREIGN
    site = head.first(b"sec-fetch-site")
    return None if site is None or site in OWN_SITE or _is_visit(head) else _FOREIGN


_FOREIGN = Reply(403, "This request comes from a page of another site.")


def _websocket_origin(head: RequestHead, rules: GuardRules) -> Reply | None:
    """No browser opens a websocket without naming an origin, and none can add a bearer token to it."""
    if head.first(b"origin") is None and (rules.token is None or head.first(b"authorization") is None):
        return Reply(403, "A websocket must name its origin, or bring the token in an Authorization header.")
    return None if _is_own(head, rules) else _FOREIGN


def _is_own(head: RequestHead, rules: GuardRules) -> bool:
    """Whether nothing that a browser says of itself speaks against the studio's own page as the sender."""
    site, claimed = head.first(b"sec-fetch-site"), head.first(b"origin")
    own = rules.origins[(head.first(b"host") or b"").lower()]
    return (site is None or site in OWN_SITE) and (claimed is None or claimed.lower() == own)


def _is_visit(head: RequestHead) -> bool:
    """Whether a person follows a link from elsewhere, as opposed to a page that loads from here."""
    navigates = head.first(b"sec-fetch-mode") == b"navigate" and head.first(b"sec-fetch-dest") == b"document"
    return navigates and head.method == "GET"


def content(head: RequestHead, rules: GuardRules) -> Reply | None:
    """A body has the one type that its route reads, is of known length or chunked, and not too large."""
    kind = head.first(b"content-type")
    if head.method not in UNSAFE:
        return Reply(400, f"A {head.method} request has no body.") if head.has_body else None
    if head.declared_length > rules.max_body:
        return too_large(rules)
    if head.first(b"content-encoding") not in {None, b"identity"}:
        return Reply(415, "Send the body without compression.")
    if kind is None:
        return Reply(415, "Name the type of the body in Content-Type.") if head.has_body else None
    return _type(kind, is_json=head.is_below(rules.json_paths))


def _type(kind: bytes, *, is_json: bool) -> Reply | None:
    media, _, parameters = kind.lower().partition(b";")
    if is_json and media.strip() != b"application/json":
        return Reply(415, "The API reads application/json.")
    if not is_json and media.strip() not in FORMS:
        return Reply(415, "Forms are sent as application/x-www-form-urlencoded or multipart/form-data.")
    charset = parameters.partition(b"charset=")[2].partition(b";")[0].strip(b' "')
    return None if charset in {b"", b"utf-8", b"utf8"} else Reply(415, "Text is read as UTF-8.")


def too_large(rules: GuardRules) -> Reply:
    """The answer to a body over the limit."""
    return Reply(413, f"A body has at most {rules.max_body} bytes.")
