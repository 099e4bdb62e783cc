"""``studio resume RUN``: answer what a run asks, let go on what was held or interrupted."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from engine import Run, RunResult, Suspension
from studio.ending import CODES, EXIT, screen_of, see_through
from studio.flags import Commands, WrongCall, add_store, add_target, read_json, target_of
from studio.following import answer_one, follow
from studio.loader import discover
from studio.run_ids import find_run
from studio.store_of_runs import open_engine
from studio.terminal import Terminal

MOST = 100
"""Questions that are looked at; a run rarely has more than a few."""


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add(
        "resume",
        resume,
        "answer a run's question, or let a held or interrupted run go on",
        example="""studio resume 0193a1 --answer '{"action": "accept"}'""",
    )
    parser.add_argument("run", metavar="RUN", help="the run's id, or enough of its beginning")
    parser.add_argument("--answer", metavar="JSON|@FILE", help="the answer as JSON (default: you are asked for it)")
    parser.add_argument("--step", metavar="PATH", help="which question, if there are several: the step that asks")
    parser.add_argument("--label", metavar="LABEL", help="which question, if there are several: its label")
    add_target(parser, word=False)
    add_store(parser)
    parser.tell(CODES)


def resume(chosen: argparse.Namespace) -> int:
    """Answer, and follow the run until it ends or asks again."""
    screen = screen_of()
    answer = () if chosen.answer is None else (read_json("--answer", chosen.answer),)
    workflows = discover(target_of(chosen)).workflows

    async def work(begun: list[str]) -> RunResult | None:
        async with open_engine(chosen.store, workflows.values()) as engine:
            run = await find_run(engine, chosen.run)
            after = await engine.store.last_seq(run.run_id)
            await _refuse_ended(run)
            meant = _meant(run, (await engine.suspensions(run.run_id, limit=MOST)).items, chosen)
            begun.append(run.run_id)
            if answer:
                await _give(run, meant, answer[0])
            elif not meant:
                await run.proceed()
            elif not await _ask(run, meant, screen, after):
                return None
            return await follow(engine, run, screen, after=after)

    return see_through(chosen, screen, work)


async def _refuse_ended(run: Run) -> None:
    status = await run.status()
    if status in EXIT:
        raise WrongCall(f"run {run.run_id} has ended ({status}); begin anew with: studio run {run.workflow_id}")
    if status == "pending":
        raise WrongCall(f"run {run.run_id} was made and never started; whoever made it can start it")


async def _give(run: Run, meant: Sequence[Suspension], answer: Any) -> None:
    """Give the answer that is there already. Raises ``WrongCall`` if it may be for several questions."""
    if len(meant) != 1:
        raise WrongCall(_which(run, meant))
    await run.resume_soon(answer, suspension=meant[0], by="terminal")


async def _ask(run: Run, meant: Sequence[Suspension], screen: Terminal, after: int) -> bool:
    """Get one question after the other answered; ``False`` if there is nobody to ask, or no more."""
    for one in meant:
        screen.line(f"  {one.path} asks" + (f" (label {one.label})" if one.label else ""))
        screen.question(one.redacted())
        if screen.has_person and not await answer_one(run, one, screen, after=after):
            return False
    if not screen.has_person:
        screen.line(f"  Nobody is at the keyboard; answer with --answer JSON{' --step PATH' * (len(meant) > 1)}.")
    return screen.has_person


def _meant(run: Run, asked: Sequence[Suspension], chosen: argparse.Namespace) -> list[Suspension]:
    """The open questions that the flags fit. Raises ``WrongCall`` if they fit none."""
    found = [
        one
        for one in asked
        if (chosen.step is None or chosen.step in (one.path, one.path.rpartition("/")[2]))
        and (chosen.label is None or chosen.label == one.label)
    ]
    if not found and (chosen.step is not None or chosen.label is not None or chosen.answer is not None):
        raise WrongCall(_which(run, asked))
    return found


def _which(run: Run, asked: Sequence[Suspension]) -> str:
    """What is open, to choose from."""
    if not asked:
        return f"run {run.run_id} asks nothing now"
    there = "\n".join(f"  --step {one.path}" + (f" --label {one.label}" if one.label else "") for one in asked)
    return f"say which question of run {run.run_id} is meant:\n{there}"
