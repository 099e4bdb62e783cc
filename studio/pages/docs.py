"""What programs can use of the studio: as a document for them, and as a page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from studio.openapi import document
from studio.pages.shell import page
from studio.services import settings_of
from studio.settings import Settings
from studio.views.docs import docs_view

router = APIRouter()

Started = Annotated[Settings, Depends(settings_of)]


@router.get("/openapi.json")
async def tell(request: Request, settings: Started) -> JSONResponse:
    """Every address of the studio, as an OpenAPI document."""
    return JSONResponse(_document(request, settings))


@router.get("/docs")
async def show(request: Request, settings: Started) -> Response:
    """Every address of the studio, with a line to copy."""
    view = docs_view(_document(request, settings))
    return await page(request, "pages/docs.html", here="settings", title="For programs", docs=view)


def _document(request: Request, settings: Settings) -> dict[str, Any]:
    address = str(request.base_url).rstrip("/")
    return document(request.app, address=address, has_token=settings.token is not None)
