"""A small application behind the guard, with a route of each kind, that remembers what reached it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from studio.guard import POLICY_HEADER, Guard, GuardRules, uvicorn_options

SCRIPTED = """<svg xmlns="http://www.w3.org/2000/svg" onload="window.__xss = 1"><script>window.__xss = 2</script>
<a href="javascript:window.__xss=3"><rect id="it" width="99" height="99"/></a><image href="http://elsewhere.test/x.png"/>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><form action="http://elsewhere.test/"><input/></form></body>
</foreignObject></svg>"""
"""A drawing as somebody might plant it."""


class Site:
    """The application, and the lines it noted."""

    def __init__(self, static: Path | None = None) -> None:
        self.seen: list[str] = []
        self.app = FastAPI(debug=False)
        self.app.include_router(pages(self.seen))
        self.app.include_router(api(self.seen), prefix="/api")
        self.app.router.add_route("/held", held)
        if static is not None:
            self.app.mount("/static", StaticFiles(directory=static))


def pages(seen: list[str]) -> APIRouter:
    """Pages, forms and sockets."""
    router = APIRouter()

    @router.get("/")
    @router.get("/runs/{id}")
    async def page(request: Request) -> Response:
        seen.append(f"{request.method} {request.url.path}")
        headers = {"Server": "own", "Access-Control-Allow-Origin": "*", "X-Frame-Options": "ALLOWALL"}
        return Response("a page", headers=headers, media_type="text/html")

    @router.get("/healthz")
    async def health() -> Response:
        return Response("well", media_type="text/plain")

    @router.post("/runs/{id}/start")
    async def start(request: Request, id: str) -> Response:
        async with request.form() as form:
            seen.append(f"start {id} {[*form.multi_items()]}")
        return Response("started", status_code=201)

    @router.get("/drawing")
    async def drawing() -> Response:
        headers = {POLICY_HEADER: "sandbox", "Content-Security-Policy": "default-src *"}
        return Response("<svg/>", headers=headers, media_type="image/svg+xml")

    @router.get("/scripted")
    async def scripted() -> Response:
        return Response(SCRIPTED, media_type="image/svg+xml")

    @router.websocket("/ws")
    @router.websocket("/ws/runs/{id}")
    async def socket(websocket: WebSocket) -> None:
        seen.append(f"ws {websocket.url.path}")
        await websocket.accept()
        await websocket.send_text("hello")
        with suppress(WebSocketDisconnect):
            while True:
                text = await websocket.receive_text()
                await websocket.send_text(f"heard {len(text)}")

    return router


def api(seen: list[str]) -> APIRouter:
    """What programs call."""
    router = APIRouter()

    @router.post("/echo")
    async def echo(request: Request) -> Response:
        body = await request.body()
        seen.append(f"echo {len(body)}")
        return Response(body, media_type="application/json")

    return router


async def held(request: Request) -> Response:
    """A response that begins, and ends when the other side hangs up."""

    class Held(Response):
        async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"held", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass

    return Held()


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that fails outright."""
    raise ValueError("a secret of the program")


def configured(app: Any, rules: GuardRules, **options: Any) -> uvicorn.Config:
    """The server's configuration, as the studio has it."""
    return uvicorn.Config(app, **{"log_config": None, "lifespan": "off", **uvicorn_options(rules), **options})


def main() -> None:
    """Serve on the socket that was handed down, for measuring a process of its own."""
    descriptor, port = map(int, sys.argv[1:])
    rules = GuardRules(port=port)
    config = configured(Guard(Site().app, rules), rules, fd=descriptor)
    os.set_inheritable(descriptor, False)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
