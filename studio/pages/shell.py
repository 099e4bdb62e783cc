"""What all pages share: the shell around them, the banner of a blocked engine, and the counters of a live page."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine import redacted
from studio.assets import Assets
from studio.hosting import Hosting
from studio.live import LIST_PARTS, ListMoment
from studio.loader import usual_target
from studio.plain import plain_text
from studio.rendering import Jump, Rendering, Shell
from studio.services import hosting_of, rendering_of, settings_of
from studio.settings import EDITORS, Settings

Handler = TypeVar("Handler", bound=Callable[..., Any])

COUNTERS = "/ws"
JUMPS = 500
"""Workflows that the palette knows."""


class PageRouter(APIRouter):
    """Routes of pages. Each page has a twin for programs, at its address with ``.json`` behind it."""

    def page(self, path: str, *twins: str) -> Callable[[Handler], Handler]:
        """Serve a page at ``path``; its handler answers with :func:`page`. ``twins``: other addresses of the twin."""

        def register(handler: Handler) -> Handler:
            for address in (*(twins or (f"{path}.json",)), path):  # before it: an id in the path would take the suffix
                self.add_api_route(address, handler, methods=["GET"])
            return handler

        return register


def twin_of(request: Request) -> str:
    """The address of a page's twin."""
    path = quote(request.url.path) if request.url.path != "/" else "/workflows"
    return f"{path}.json" + (f"?{request.url.query}" if request.url.query else "")


def segment(text: str) -> str:
    """``text`` as one segment of an address."""
    return quote(text, safe="")


def source_of(settings: Settings) -> str:
    """What is served, in short; of the folder that one is in, its name."""
    target = settings.target or usual_target()
    return target if Path(target).name else Path(target).absolute().name or target


def command_line(settings: Settings, *words: str, takes: str = "target store") -> str:
    """A line for the terminal that does something here: with the same workflows and store, if it takes them."""
    said = ["studio", *words]
    if "target" in takes and settings.target:
        said += ["--target", settings.target]
    if "store" in takes and settings.store_url != Settings().store_url:
        said += ["--store", settings.store_url]
    return str(redacted(shlex.join(said)))


async def shell(hosting: Hosting, settings: Settings, here: str, socket: str = COUNTERS) -> Shell:
    """What stands around a page, whose counters and lists come over the socket at this address."""
    counts = await hosting.engine.counts()
    jumps = [Jump(id, f"/workflows/{segment(id)}", "workflow") for id in list(hosting.catalog.workflows)[:JUMPS]]
    jumps.append(Jump("For programs", "/docs", "addresses, with lines to copy", "code"))
    return Shell(
        here=here,
        source=source_of(settings),
        workflows=len(hosting.catalog.workflows),
        runs=sum(counts.values()),
        approvals=await hosting.engine.open_questions(),
        jumps=tuple(jumps),
        counters=socket,
    )


async def page(
    request: Request,
    template: str,
    *,
    here: str,
    title: str,
    status: int = 200,
    socket: str = COUNTERS,
    data: Callable[[], object] | None = None,
    **context: Any,
) -> Response:
    """A whole page. ``trouble`` is the engine's, for ``partials/trouble.html``, or ``None``.

    ``socket``: see ``studio.live.watching``. ``data`` gives what of the views its twin says, if the page has one;
    there a status of 400 and more is an error.
    """
    if data is not None and request.url.path.endswith(".json"):
        if status >= 400:
            raise HTTPException(status, title)
        return Response(plain_text(data()), status, media_type="application/json")
    hosting, settings, rendering = hosting_of(request), settings_of(request), rendering_of(request)
    around = await shell(hosting, settings, here, socket)
    if data is not None and request.method == "GET":
        around = replace(around, twin=twin_of(request))
    trouble, command = hosting.engine_trouble(), partial(command_line, settings)
    shown = {"title": title, "shell": around, "trouble": trouble, "command": command, **context}
    return rendering.page(request, template, shown, status)


async def typed_items(request: Request) -> Sequence[tuple[str, str]]:
    """What a form's browser sent, in order; files are left out."""
    async with request.form() as form:
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


@cache
def live_rendering(editor: str = "none") -> Rendering:
    """What live parts render with: they have no request."""
    return Rendering(Assets(), editor=editor if editor in EDITORS else "none")


def nav_counts(moment: ListMoment) -> str:
    """The numbers of the navigation."""
    around = Shell(
        workflows=len(moment.hosting.catalog.workflows),
        runs=sum(moment.counts.values()),
        approvals=moment.questions,
    )
    return "".join(
        f'<hx-partial hx-target="#count-{item.name}" hx-swap="outerMorph">'
        f"{live_rendering().partial('partials/nav_count.html', item=item)}</hx-partial>"
        for item in around.entries
        if item.count is not None
    )


LIST_PARTS.append(nav_counts)
