"""Setting and taking away a run's breakpoints, by the buttons of its page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from studio.forms.typed import number
from studio.hosting import Hosting
from studio.pages.run import answered
from studio.services import hosting_of
from studio.views.breakpoints import WHEN, with_point, without_point

router = APIRouter()


@router.post("/runs/{run_id}/breakpoints")
async def change(request: Request, hosting: Annotated[Hosting, Depends(hosting_of)], run_id: str) -> Response:
    """Set a breakpoint, or with ``do=remove`` take it away. ``at`` is the step, ``when`` before or after.

    ``if`` is a condition; with ``round`` it holds in this round of a loop, or for this item, only. ``in`` says which of
    those at the step is taken away: that of a round, or if it is empty that of all rounds; without it all are.
    """
    form = await request.form()
    at, when = str(form.get("at", "")), str(form.get("when", "before"))
    if not at or when not in WHEN:
        raise HTTPException(400, "A breakpoint is before or after a step; say which.")
    run = await hosting.engine.get_run(run_id)

    async def act() -> None:
        before = await run.breakpoints()
        if form.get("do") == "remove":
            rounds = (number(str(form["in"])),) if "in" in form else None
            await run.set_breakpoints(without_point(before, at, when, rounds=rounds))
        else:
            condition, this_round = str(form.get("if", "")), "round" in form
            await run.set_breakpoints(with_point(before, at, when, condition=condition, this_round=this_round))

    return await answered(request, hosting, run, lambda: hosting.act(act), stays=True)
