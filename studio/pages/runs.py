"""The list of runs: filters, pages, and what is done with several of them at once."""

from __future__ import annotations

import time
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from engine import EngineError
from studio.hosting import Hosting
from studio.live import named, watching
from studio.pages.run_actions import perform
from studio.pages.shell import PageRouter, page
from studio.services import hosting_of
from studio.views import runs as runs_view

router = PageRouter()

Host = Annotated[Hosting, Depends(hosting_of)]

MOST_AT_ONCE = 200
"""Runs that one bulk action takes."""

BULK = ("cancel", "rerun", "delete")


@router.page("/runs")
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
) -> Response:
    """Runs, newest first, by what the address asks for."""
    filters = runs_view.Filters(status, workflow, tag, text.strip(), since, until, after)
    return await _list(request, hosting, filters, notice)


async def _list(
    request: Request,
    hosting: Hosting,
    filters: runs_view.Filters,
    notice: str = "",
    problem: str = "",
) -> Response:
    now = time.time()
    try:
        found = await hosting.engine.list_runs(limit=runs_view.PAGE, **filters.arguments())
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    counts = await hosting.engine.counts(filters.workflow or None)
    rows = runs_view.lines(found.items, now)
    asked = dict(parse_qsl(filters.query)) | {"at": now, "open": named(runs_view.may_change(rows))}
    socket = watching("runs", **asked)
    context = {
        "filters": filters,
        "chips": runs_view.chips(counts, filters),
        "rows": rows,
        "older": filters.href(after=found.next) if found.next else "",
        "workflows": sorted({*hosting.catalog.workflows, *([filters.workflow] if filters.workflow else [])}),
        "notice": notice,
        "problem": problem,
    }
    status = 409 if problem else 200
    return await page(
        request,
        "pages/runs.html",
        here="runs",
        title="Runs",
        status=status,
        socket=socket,
        data=lambda: {"runs": rows, "counts": counts, "filters": filters, "next": found.next},
        **context,
    )


@router.post("/runs/bulk")
async def act_on_many(request: Request, hosting: Host) -> Response:
    """Cancel, re-run or delete the chosen runs; what did not work is said, the rest is done."""
    form = await request.form()
    verb = str(form.get("do", ""))
    if verb not in BULK:
        raise HTTPException(400, f"{verb!r} is nothing that can be done with several runs")
    filters = runs_view.Filters.of(dict(parse_qsl(str(form.get("query", "")))))
    chosen = [str(id) for id in form.getlist("run")][:MOST_AT_ONCE]
    if verb == "delete" and chosen and form.get("sure") != "yes":
        query = filters.query
        title, back = "Delete runs", filters.href(after=filters.after)
        return await page(
            request, "pages/delete_many.html", here="runs", title=title, chosen=chosen, query=query, back=back
        )
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
