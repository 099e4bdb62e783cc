"""Every route of an application, found by walking it, and whether the guard stands before each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp


@dataclass(frozen=True, order=True)
class Route:
    """One way in: ``http`` with a method, or ``websocket``."""

    kind: str
    method: str
    path: str


def inventory(app: Any) -> list[Route]:
    """The routes of an ASGI application, those of its mounts and routers included."""
    return sorted(set(_walk(app, "")))


def patterns(app: Any) -> list[str]:
    """The paths that a GET reaches, with the names of their parts as they are declared."""
    return sorted({path for path, route in _declared(app, "") if "GET" in (route.methods or ())})


def _declared(app: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for route in iter_route_contexts(app.routes):
        original = route.original_route
        path = prefix + (route.path or getattr(original, "path", ""))
        if hasattr(original, "methods"):
            yield path, original
        elif getattr(original, "routes", None):
            yield from _declared(original.app, path)


def _walk(app: Any, prefix: str) -> Iterator[Route]:
    while not getattr(app, "routes", None) and hasattr(app, "app"):
        app = app.app  # a middleware, or the guard
    routes = getattr(app, "routes", None)
    if not routes and not prefix:
        raise LookupError(f"{app!r} shows no routes: walk the application itself, not what is around it")
    if not routes:  # an application without routes answers below its mount
        yield Route("http", "GET", f"{prefix}/x")
        yield Route("websocket", "GET", f"{prefix}/x")
        return
    for route in iter_route_contexts(routes):
        original = route.original_route
        path = prefix + re.sub(r"\{[^}]*\}", "x", route.path or getattr(original, "path", ""))
        if getattr(original, "methods", None):
            yield from (Route("http", method, path) for method in original.methods)
        elif "WebSocket" in type(original).__name__:
            yield Route("websocket", "GET", path)
        else:
            yield from _walk(original.app, path)


async def reached(
    app: ASGIApp,
    routes: Iterable[Route],
    host: bytes = b"elsewhere.test",
    refusals: Set[int] = frozenset({403}),
) -> list[Route]:
    """The routes that let in a request with a stranger's address: none, if the guard is before all of them."""
    found = []
    for route in routes:
        status = await _status(app, route, host)
        if status not in refusals:
            found.append(route)
    return found


async def _status(app: ASGIApp, route: Route, host: bytes) -> int:
    sent: list[dict[str, Any]] = []

    begin = {"type": "websocket.connect"} if route.kind == "websocket" else {"type": "http.request"}
    events = chain([begin], repeat({"type": f"{route.kind}.disconnect", "code": 1005}))

    async def receive() -> dict[str, Any]:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": route.kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": route.method,
        "scheme": "http",
        "path": route.path,
        "raw_path": route.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", host)],
        "extensions": {"websocket.http.response": {}},
    }
    await app(scope, receive, send)
    return int(sent[0].get("status", 0))
