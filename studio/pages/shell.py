"""What all pages share: the shell around them, the banner of a blocked engine, and the counters of a live page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse

from studio.assets import Assets
from studio.hosting import Hosting
from studio.live import LIST_PARTS, ListMoment
from studio.loader import usual_target
from studio.rendering import Jump, Rendering, Shell
from studio.services import hosting_of, rendering_of, settings_of
from studio.settings import Settings

COUNTERS = "/ws"
JUMPS = 500
"""Workflows that the palette knows."""


def segment(text: str) -> str:
    """``text`` as one segment of an address."""
    return quote(text, safe="")


def source_of(settings: Settings) -> str:
    """What is served, in short."""
    return settings.target or usual_target()


async def shell(hosting: Hosting, settings: Settings, here: str) -> Shell:
    """What stands around a page."""
    counts = await hosting.engine.counts()
    jumps = [Jump(id, f"/workflows/{segment(id)}", "workflow") for id in list(hosting.catalog.workflows)[:JUMPS]]
    return Shell(
        here=here,
        source=source_of(settings),
        workflows=len(hosting.catalog.workflows),
        runs=sum(counts.values()),
        approvals=await hosting.engine.open_questions(),
        jumps=tuple(jumps),
        counters=COUNTERS,
    )


async def page(
    request: Request, template: str, *, here: str, title: str, status: int = 200, **context: Any
) -> HTMLResponse:
    """A whole page. ``trouble`` is the engine's, for ``partials/trouble.html``, or ``None``."""
    hosting, settings, rendering = hosting_of(request), settings_of(request), rendering_of(request)
    around = await shell(hosting, settings, here)
    trouble = hosting.engine_trouble()
    return rendering.page(request, template, {"title": title, "shell": around, "trouble": trouble, **context}, status)


async def typed_items(request: Request) -> Sequence[tuple[str, str]]:
    """What a form's browser sent, in order; files are left out."""
    async with request.form() as form:
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


@cache
def live_rendering() -> Rendering:
    """What live parts render with: they have no request."""
    return Rendering(Assets())


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
