"""What can be done with a run: by the buttons of its page, and with several from the list."""

from __future__ import annotations

from urllib.parse import quote

from starlette.exceptions import HTTPException

from engine import EngineError, Run
from studio.hosting import Hosting


async def perform(hosting: Hosting, run: Run, verb: str) -> str:
    """Do what a button says; where to go after that."""
    match verb:
        case "pause":
            await hosting.act(run.pause)
        case "step":
            await hosting.act(run.step)
        case "continue":
            await hosting.act(run.proceed)
        case "cancel":
            if not await hosting.act(lambda: run.cancel("canceled in the studio")):
                raise EngineError(f"run {run.run_id!r} has ended; there is nothing to cancel")
        case "rerun":
            return address((await hosting.act(run.rerun)).run_id)
        case "delete":
            await hosting.act(lambda: hosting.engine.delete_run(run.run_id))
            return "/runs"
        case _:
            raise HTTPException(404, f"There is no action {verb!r}.")
    return address(run.run_id)


def address(run_id: str) -> str:
    """The page of a run."""
    return f"/runs/{quote(run_id, safe='')}"
