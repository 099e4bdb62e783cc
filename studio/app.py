"""The web application: routers, live frames, static files and errors, with the guard around all of it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import pkgutil
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cached_property
from html import escape
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from engine import EngineError, UnknownRun, UnknownWorkflow
from studio import __version__
from studio.assets import Assets
from studio.guard import Guard, GuardRules
from studio.hosting import EngineBlocked, Hosting
from studio.hub import Hub
from studio.presets import Presets, beside
from studio.rendering import Rendering
from studio.services import hosting_of, hub_of
from studio.settings import Settings

log = logging.getLogger("studio")

VIEWERS = 1024
"""Websockets at once; a viewer costs a few kilobytes."""

live = APIRouter()


@live.get("/healthz")
async def healthz(hosting: Annotated[Hosting, Depends(hosting_of)]) -> JSONResponse:
    """Whether the web server lives; said without asking the engine."""
    trouble = hosting.engine_trouble()
    state = "blocked" if trouble else "open" if hosting.is_open else "closed"
    return JSONResponse({"status": "ok", "engine": state, "trouble": trouble.message if trouble else None})


@live.websocket("/ws/runs/{run_id}")
async def follow_run(websocket: WebSocket, run_id: str, hub: Annotated[Hub, Depends(hub_of)], after: int = 0) -> None:
    """Frames of one run, from the first event after ``after``."""
    await hub.watch_run(websocket, run_id, after)


@live.websocket("/ws")
async def follow_lists(websocket: WebSocket, hub: Annotated[Hub, Depends(hub_of)]) -> None:
    """Frames of lists and counters; the query says which list."""
    await hub.watch_lists(websocket, websocket.url.query)


def create_app(
    hosting: Hosting, settings: Settings | None = None, *, rules: GuardRules | None = None, hub: Hub | None = None
) -> Application:
    """The application over an engine that is hosted already. ``rules`` are the guard's; by default the settings'."""
    settings = settings or Settings()
    hub = hub or Hub(hosting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        yield
        await hub.close()

    app = Application(
        title="Studio", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.rules = rules or guard_rules(settings, settings.port)
    app.state.hosting, app.state.settings, app.state.hub = hosting, settings, hub
    app.state.assets = Assets()
    app.state.rendering = Rendering(app.state.assets, editor=settings.near_editor)
    app.state.presets = Presets(beside(settings) if hosting.engine.store.durable else None)
    app.include_router(live)
    for router in page_routers():
        app.include_router(router)
    app.mount("/static", app.state.assets, name="static")
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(Failures)
    return app


class Application(FastAPI):
    """The application of one launch. ``guard`` is outermost: it is there before the first request."""

    rules: GuardRules

    @cached_property
    def guard(self) -> Guard:
        """What everything passes first."""
        return Guard(super().build_middleware_stack(), self.rules)

    def build_middleware_stack(self) -> ASGIApp:
        return self.guard


def guard_rules(settings: Settings, port: int) -> GuardRules:
    """What the guard lets through. Raises ``UnsafeRules``."""
    return GuardRules(
        port=port,
        host=settings.host,
        allowed_hosts=settings.allowed_hosts,
        token=settings.token,
        max_websockets=VIEWERS,
    )


def page_routers() -> Iterator[APIRouter]:
    """The ``router`` of every module in ``studio.pages`` and ``studio.api`` that has one."""
    for package in ("studio.pages", "studio.api"):
        spec = importlib.util.find_spec(package)
        for found in pkgutil.iter_modules(spec.submodule_search_locations or () if spec else (), f"{package}."):
            router = getattr(importlib.import_module(found.name), "router", None)
            if isinstance(router, APIRouter):
                yield router


# -- errors


def error_page(request: Request, status: int, title: str, text: str, reference: str) -> Response:
    """The page of an error."""
    context = {"title": title, "status": status, "text": text, "reference": reference}
    template = "problems/not_found.html" if status == 404 else "problems/error.html"
    rendering: Rendering = request.app.state.rendering
    try:
        return rendering.page(request, template, context, status)
    except Exception:  # this is where every other failure ends
        log.exception("the page for an error failed")
        said = "".join(f"<p>{escape(line)}</p>" for line in (text, reference) if line)
        return HTMLResponse(f"<!doctype html><title>{escape(title)}</title><h1>{escape(title)}</h1>{said}", status)


def is_for_programs(scope: Scope) -> bool:
    """Whether an answer goes to a program: problem JSON instead of a page."""
    path = str(scope["path"])
    return path == "/api" or path.startswith(("/api/", "/mcp")) or path.endswith(".json")


def problem(request: Request, status: int, title: str, detail: str, **more: Any) -> Response:
    """An error as a page, or as problem JSON."""
    if is_for_programs(request.scope):
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
        return Response(json.dumps(body), status, media_type="application/problem+json")
    return error_page(request, status, title, detail, str(more.get("id", "")))


async def on_http_error(request: Request, error: Any) -> Response:
    """What a page refused."""
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    title = HTTPStatus(error.status_code).phrase
    detail = "There is no such page." if (error.status_code, error.detail) == (404, title) else str(error.detail)
    return problem(request, error.status_code, title, detail)


async def on_wrong_request(request: Request, error: Any) -> Response:
    """A query or body that does not fit, with what is wrong where."""
    faults = [{"path": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in error.errors()]
    detail = "; ".join(f"{one['path']}: {one['message']}" for one in faults)
    return problem(request, 400, "Bad Request", detail, errors=faults)


async def on_engine_error(request: Request, error: Any) -> Response:
    """What the engine refused, and no page has dealt with."""
    match error:
        case UnknownRun() | UnknownWorkflow():
            return problem(request, 404, "Not Found", str(error))
        case EngineBlocked():
            return problem(request, 503, "The engine is busy", str(error))
        case _:
            return problem(request, 409, "Not possible now", str(error))


async def on_failure(request: Request, error: Exception) -> Response:
    """A fault of ours: a number for the person, the traceback for the log."""
    number = secrets.token_hex(4)
    log.error("failure %s: %s %r", number, request.method, request.url.path, exc_info=error)
    return problem(request, 500, "Something went wrong", f"The log of the studio has it as {number}.", id=number)


class Failures:
    """Answers what no handler took, while nothing has been sent. (Starlette's own layer raises it again, too.)"""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and answer a failure."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def sent(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception as error:
            if has_started:
                raise
            await (await on_failure(Request(scope, receive), error))(scope, receive, send)


HANDLERS: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
    HTTPException: on_http_error,
    RequestValidationError: on_wrong_request,
    EngineError: on_engine_error,
}
