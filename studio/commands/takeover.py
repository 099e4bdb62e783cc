"""``studio takeover RUN``: go on here with a run whose process is stuck."""

from __future__ import annotations

import argparse

from engine import RunResult
from studio.ending import CODES, EXIT, screen_of, see_through
from studio.flags import Commands, WrongCall, add_store, add_target, target_of
from studio.following import follow
from studio.loader import discover
from studio.run_ids import find_run
from studio.store_of_runs import open_engine


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add(
        "takeover",
        take_over,
        "take a run from a process that is alive but stuck, and go on with it here",
        example="studio takeover 0193a1",
    )
    parser.add_argument("run", metavar="RUN", help="the run's id, or enough of its beginning")
    add_target(parser, word=False)
    add_store(parser)
    parser.tell(
        "That process loses the run: it can write nothing more of it. A step that it is in the middle of runs again."
    )
    parser.tell(CODES)


def take_over(chosen: argparse.Namespace) -> int:
    """Take the run, and follow it until it ends or asks."""
    screen = screen_of()
    workflows = discover(target_of(chosen)).workflows

    async def work(begun: list[str]) -> RunResult:
        async with open_engine(chosen.store, workflows.values()) as engine:
            run = await find_run(engine, chosen.run)
            status = await run.status()
            if status in EXIT:
                raise WrongCall(f"run {run.run_id} has ended ({status}); there is nothing to take over")
            if run.workflow_id not in workflows:
                there = ", ".join(workflows) or "none"
                raise WrongCall(
                    f"run {run.run_id} is of workflow {run.workflow_id!r}, whose code is not here (there is: {there}); "
                    f"name it with --target"
                )
            after = await engine.store.last_seq(run.run_id)
            await engine.take_over(run.run_id)
            begun.append(run.run_id)
            screen.line(f"  took over {run.run_id}")
            if (await engine.suspensions(run.run_id, limit=1)).items:
                return (await run.result()).redacted()
            return await follow(engine, run, screen, after=after)

    return see_through(chosen, screen, work)
