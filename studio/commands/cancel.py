"""``studio cancel RUN``."""

from __future__ import annotations

import argparse
import asyncio

from studio.ending import screen_of
from studio.flags import Commands, WrongCall, add_store, add_target, target_of
from studio.loader import discover
from studio.run_ids import find_run
from studio.store_of_runs import open_engine


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add(
        "cancel", cancel, "cancel a run and all in it", example="studio cancel 0193a1 --reason 'ordered twice'"
    )
    parser.add_argument("run", metavar="RUN", help="the run's id, or enough of its beginning")
    parser.add_argument("--reason", metavar="TEXT", help="why, for whoever looks at the run")
    add_target(parser, word=False)
    add_store(parser)


def cancel(chosen: argparse.Namespace) -> int:
    """Cancel a run; if another process has it, that one does it."""
    workflows = discover(target_of(chosen)).workflows

    async def end() -> str:
        async with open_engine(chosen.store, workflows.values()) as engine:
            run = await find_run(engine, chosen.run)
            if not await run.cancel(chosen.reason):
                raise WrongCall(f"run {run.run_id} has ended already ({await run.status()}); nothing was changed")
            return run.run_id

    screen_of().line(f"canceled {asyncio.run(end())}")
    return 0
