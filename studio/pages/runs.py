"""The list of runs: filters, pages, and what is done with several of them at once."""

from __future__ import annotations

import time
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from engine import EngineError, StoreError
from studio.hosting import Hosting
from studio.pages.run_actions import perform
from studio.pages.shell import page
from studio.services import hosting_of
from studio.views import runs as runs_view

router = APIRouter()

Host = Annotated[Hosting, Depends(hosting_of)]

MOST_AT_ONCE = 200
"""Runs that one bulk action takes."""

BULK = ("cancel", "rerun", "delete")


@router.get("/runs")
async def show_runs(
    request: Request,
    hosting: Host,
    *,
    status: str = "",
    workflow: str = "",
    tag: str = "",
    text: str = "",
    since: str = "",
    until: str = "",
    after: str = "",
    notice: str = "",
) -> HTMLResponse:
    """Runs, newest first, by what the address asks for."""
    filters = runs_view.Filters(status, workflow, tag, text.strip(), since, until, after)
    return await _list(request, hosting, filters, notice)


async def _list(
    request: Request,
    hosting: Hosting,
    filters: runs_view.Filters,
    notice: str = "",
    problem: str = "",
) -> HTMLResponse:
    try:
        found = await hosting.engine.list_runs(limit=runs_view.PAGE, **filters.arguments())
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    except StoreError as error:
        if not filters.after:
            raise
        raise HTTPException(400, f"There is no such page: {error}") from None
    counts = await hosting.engine.counts(filters.workflow or None)
    context = {
        "filters": filters,
        "chips": runs_view.chips(counts, filters),
        "rows": runs_view.lines(found.items, time.time()),
        "older": filters.href(after=found.next) if found.next else "",
        "workflows": sorted({*hosting.catalog.workflows, *([filters.workflow] if filters.workflow else [])}),
        "notice": notice,
        "problem": problem,
    }
    status = 409 if problem else 200
    return await page(request, "pages/runs.html", here="runs", title="Runs", status=status, **context)


@router.post("/runs/bulk")
async def act_on_many(request: Request, hosting: Host) -> Response:
    """Cancel, re-run or delete the chosen runs; what did not work is said, the rest is done."""
    form = await request.form()
    verb = str(form.get("do", ""))
    if verb not in BULK:
        raise HTTPException(400, f"{verb!r} is nothing that can be done with several runs")
    query = dict(parse_qsl(str(form.get("query", ""))))
    filters = runs_view.Filters(**{name: query[name] for name in runs_view.Filters.__slots__ if name in query})
    chosen = [str(id) for id in form.getlist("run")][:MOST_AT_ONCE]
    refused = []
    for run_id in chosen:
        try:
            await perform(hosting, await hosting.engine.get_run(run_id), verb)
        except EngineError as error:
            refused.append(str(error))
    if refused:
        problem = f"{len(refused)} of {len(chosen)} could not be done: " + "; ".join(refused[:5])
        return await _list(request, hosting, filters, problem=problem)
    return RedirectResponse(filters.href(after=filters.after), 303)
