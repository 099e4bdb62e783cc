"""Inputs with a name, on the page of a workflow: kept, chosen and deleted beside the form."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from engine import Workflow, without_secrets
from studio.forms import MISSING, parse, read
from studio.forms.typed import without_secrets as without_secret_fields
from studio.hosting import Hosting
from studio.pages.launch_form import Filled, kept
from studio.pages.shell import typed_items
from studio.pages.workflows import workflow_of, workflow_page
from studio.presets import PresetError, Presets
from studio.services import hosting_of, presets_of
from studio.views.launching import launch_href, left_out

router = APIRouter()

NAME = "_preset_name"
DELETE = "_preset_delete"
SURE = "_preset_sure"

Items = Sequence[tuple[str, str]]


@router.post("/workflows/{id}/presets")
async def change(
    request: Request,
    id: str,
    hosting: Annotated[Hosting, Depends(hosting_of)],
    presets: Annotated[Presets, Depends(presets_of)],
) -> Response:
    """Keep what is typed under a name, or delete what has a name, once that is sure; what is typed stays."""
    workflow, items = workflow_of(hosting, id), await typed_items(request)
    asked, sure = _last(items, DELETE), _last(items, SURE)
    if asked is None and sure is None:
        return await keep(request, hosting, workflow, items)
    filled = kept(workflow, items)
    if sure is None:
        return await _page(request, hosting, workflow, replace(filled, preset_going=asked or ""))
    try:
        await asyncio.to_thread(presets.delete, id, sure)
    except PresetError as error:
        filled = replace(filled, preset_problem=str(error))
    return await _page(request, hosting, workflow, filled)


@router.get("/workflows/{id}/presets")
async def show(id: str) -> Response:
    """Where the address of a kept input leads when it is opened again."""
    return RedirectResponse(launch_href(id))


def named(items: Items) -> bool:
    """Whether a name was typed: then the input is to be kept, whatever button was pressed."""
    return bool((_last(items, NAME) or "").strip())


async def keep(request: Request, hosting: Hosting, workflow: Workflow[Any, Any], items: Items) -> Response:
    """Keep what is typed, but for secrets, under the name that is typed beside it."""
    filled = kept(workflow, items)
    mode = _last(items, "_mode") or "form"
    # As if a button of the form were pressed: nothing need be complete yet.
    parsed = parse(workflow.input_json_schema(), [*items, ("_action", f"mode:{'json' if mode == 'json' else 'form'}")])
    if parsed.errors:
        return await _page(request, hosting, workflow, replace(filled, errors=parsed.errors))
    value = None if parsed.value is MISSING else parsed.value
    plain = without_secrets(without_secret_fields(read(workflow.input_json_schema()), value))
    try:
        name = await asyncio.to_thread(presets_of(request).save, workflow.id, _last(items, NAME) or "", plain)
    except PresetError as error:
        return await _page(request, hosting, workflow, replace(filled, preset_problem=str(error)))
    return await _page(
        request, hosting, workflow, replace(filled, preset_said=name, preset_lacks=left_out(value, plain))
    )


async def _page(request: Request, hosting: Hosting, workflow: Workflow[Any, Any], filled: Filled) -> Response:
    status = 422 if filled.preset_problem or filled.errors else 200
    return await workflow_page(request, hosting, workflow, filled=filled, status=status)


def _last(items: Items, name: str) -> str | None:
    return next((text for key, text in reversed(items) if key == name), None)
