"""What the studio was started with, and what this browser remembers."""

from __future__ import annotations

import platform
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

import engine
import studio
from studio.hosting import Hosting
from studio.pages.shell import PageRouter, page, source_of
from studio.services import hosting_of, settings_of
from studio.settings import Settings
from studio.views.settings import settings_view

router = PageRouter()


@router.page("/settings")
async def show(
    request: Request,
    hosting: Annotated[Hosting, Depends(hosting_of)],
    settings: Annotated[Settings, Depends(settings_of)],
) -> Response:
    """Read only: what was given at the start is changed at the next start."""
    view = settings_view(
        settings,
        target=source_of(settings),
        address=str(request.base_url).rstrip("/"),
        loads=hosting.catalog.version,
        files=len(hosting.catalog.loaded.files),
        versions=(
            ("Studio", studio.__version__),
            ("Engine", engine.__version__),
            ("Python", platform.python_version()),
        ),
    )
    return await page(request, "pages/settings.html", here="settings", title="Settings", data=lambda: view, view=view)
