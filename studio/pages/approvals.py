"""Open questions: all of them, and one by its address, where it is answered."""

from __future__ import annotations

import contextlib
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from engine import (
    AlreadyResumed,
    EngineError,
    InvalidResume,
    NotSuspended,
    Suspension,
    UnknownRun,
)
from studio.forms import MISSING, errors_from, parse
from studio.hosting import EngineBlocked, Hosting
from studio.live import named, watching
from studio.pages.shell import PageRouter, page, typed_items
from studio.services import hosting_of
from studio.views.approvals import GoneView, question_view, run_href

router = PageRouter()

PAGE = 20
"""Questions on one page."""
SCAN = 500
BY = "studio"


@router.page("/approvals")
async def show_all(
    request: Request,
    hosting: Annotated[Hosting, Depends(hosting_of)],
    workflow: str = "",
    after: str = "",
    answered: str = "",
) -> Response:
    """Every open question, oldest first."""
    status, notice = 200, ""
    try:
        found = await hosting.engine.suspensions(workflow=workflow or None, limit=PAGE, after=after or None)
    except ValueError:  # a page that there is not: a link that somebody has changed
        found = await hosting.engine.suspensions(workflow=workflow or None, limit=PAGE)
        after, status, notice = "", 400, "There is no such page of questions; this is the first one."
    questions = [
        question_view(one, is_now=not number and not after, is_open=not number, back="list")
        for number, one in enumerate(found.items)
    ]
    more = f"?workflow={quote(workflow, safe='')}&after={quote(found.next, safe='')}" if found.next else ""
    total = await hosting.engine.open_questions(workflow or None)
    answered = await _known(hosting, answered)
    return await page(
        request,
        "pages/approvals.html",
        here="approvals",
        title="Approvals",
        status=status,
        socket=watching(
            "approvals",
            workflow=workflow,
            after=after,
            more="yes" if found.next else "",
            have=named((one.token,) for one in found.items),
        ),
        data=lambda: {"questions": questions, "total": total, "next": found.next},
        questions=questions,
        total=total,
        workflow=workflow,
        more=more,
        is_first=not after,
        answered=answered,
        answered_href=run_href(answered),
        notice=notice,
    )


async def _known(hosting: Hosting, run_id: str) -> str:
    """``run_id`` if there is such a run: the address may say anything."""
    with contextlib.suppress(UnknownRun):
        return (await hosting.engine.get_run(run_id)).run_id
    return ""


@router.page("/approvals/{token}")
async def show_one(
    request: Request, token: str, hosting: Annotated[Hosting, Depends(hosting_of)], run: str = "", back: str = ""
) -> Response:
    """One question, as a page that can be sent around."""
    found = await find(hosting, token, run)
    if found is None:
        return await gone_page(request, hosting, token, run, 404)
    return await question_page(request, found, back=back)


@router.post("/approvals/{token}")
async def answer(
    request: Request, token: str, hosting: Annotated[Hosting, Depends(hosting_of)], run: str = "", back: str = ""
) -> Response:
    """Answer it, once; or do what a button of the form says, or ask again with what is wrong."""
    found = await find(hosting, token, run)
    if found is None:
        return await gone_page(request, hosting, token, run, 409)
    parsed = parse(found.schema, await typed_items(request))
    if not parsed.submitted:
        status = 422 if parsed.action is None else 200
        return await question_page(request, found, back=back, typed=parsed.typed, errors=parsed.errors, status=status)
    value = None if parsed.value is MISSING else parsed.value
    try:
        handle = await hosting.engine.get_run(found.run_id)
        await hosting.act(lambda: handle.resume_soon(value, suspension=found.token, by=BY))
    except (AlreadyResumed, NotSuspended, UnknownRun):
        return await gone_page(request, hosting, token, found.run_id, 409)
    except EngineBlocked as error:
        if not error.under_way:
            return await question_page(
                request, found, back=back, typed=parsed.typed, errors={"": str(error)}, status=503
            )
    except EngineError as error:
        status = 422 if isinstance(error, InvalidResume) else 409
        errors = errors_from(error)
        return await question_page(request, found, back=back, typed=parsed.typed, errors=errors, status=status)
    where = f"/approvals?answered={quote(found.run_id, safe='')}" if back == "list" else run_href(found.run_id)
    return RedirectResponse(where, 303)


async def find(hosting: Hosting, token: str, run_id: str) -> Suspension | None:
    """The open question with this token, of this run if one is named: that of a fork may have the same."""
    if run_id:
        asked = await hosting.engine.suspensions(run_id, limit=SCAN)
        return next((one for one in asked.items if one.token == token), None)
    try:
        found, state = await hosting.engine.store.suspension(token)
    except NotSuspended:
        return None
    return found if state == "open" else None


async def question_page(
    request: Request,
    suspension: Suspension,
    *,
    back: str,
    typed: dict[str, list[str]] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The page of one question, with what was typed and what is wrong with it."""
    question = question_view(suspension, typed=typed, errors=errors, is_now=True, back=back)
    return await page(
        request,
        "pages/approval.html",
        here="approvals",
        title=question.title,
        status=status,
        data=lambda: question,
        question=question,
        gone=None,
    )


async def gone_page(request: Request, hosting: Hosting, token: str, run_id: str, status: int) -> Response:
    """Says what became of a question that is not open."""
    gone = GoneView(token)
    with contextlib.suppress(UnknownRun, NotSuspended):
        gone = await _story(hosting, token, run_id or (await hosting.engine.store.suspension(token))[0].run_id)
    return await page(
        request,
        "pages/approval.html",
        here="approvals",
        title=gone.title,
        status=status,
        data=lambda: gone,
        question=None,
        gone=gone,
    )


async def _story(hosting: Hosting, token: str, run_id: str) -> GoneView:
    """What the run's log says of the question. Raises ``UnknownRun``."""
    run = await hosting.engine.get_run(run_id)
    title, known = "", False
    async for event in run.events(follow=False):
        if event.data.get("token") != token:
            continue
        if event.type == "step.suspended":
            title, known = str(event.redacted().data.get("title") or ""), True
        elif event.type == "step.resumed":
            by = str(event.data.get("by") or "")
            return GoneView(token, run_id, run_href(run_id), "answered", title, by, event.at)
    status = "withdrawn" if known else "unknown"
    return GoneView(token, run_id, run_href(run_id), status, title)
