"""Follow a run on a terminal: its steps as they happen, its questions, its end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from engine import AlreadyResumed, Engine, Event, InvalidResume, NotSuspended, Run, RunResult, Suspension, Workflow
from engine.graph import build_graph
from studio.terminal import LOOKS, Terminal

QUIET = {"start", "end", "join", "branch"}  # drawn, but not steps
TERMINAL = frozenset({"success", "failed", "canceled"})
_INDEX = re.compile(r"\[\d+\]")


async def follow(
    engine: Engine, run: Run, screen: Terminal, *, after: int = 0, answers: Iterable[Any] = ()
) -> RunResult:
    """Show what happens to a run after an event, until it ends, or asks something that nobody answers.

    ``answers`` are given where there is no person at the keyboard.
    """
    shown = _steps(engine.workflows.get(run.workflow_id))
    started: dict[str | None, datetime] = {}
    samples = iter(answers)
    async for event in run.events(after):
        if event.type == "step.started":
            started[event.path] = event.at
        kind = "step" if shown is None else shown.get(_INDEX.sub("[]", event.path or ""))
        if event.type in LOOKS and kind and (kind != "map" or event.type == "step.failed"):
            began = started.get(event.path) if event.type != "timer.started" else None
            screen.step(event.redacted(), None if began is None else (event.at - began).total_seconds())
        if event.type == "run.paused":
            screen.line("  paused: a debugger holds it; it goes on in the studio, or with: studio resume", "33")
        if event.type == "run.suspended" and not await _answer_oldest(engine, run, screen, event, samples):
            break
    return (await run.result()).redacted()


async def _answer_oldest(engine: Engine, run: Run, screen: Terminal, event: Event, samples: Iterator[Any]) -> bool:
    """Get the oldest open question answered; whether the run goes on."""
    open_now = (await engine.suspensions(run.run_id, limit=1)).items
    if not open_now:
        return True  # somebody was quicker
    asked = open_now[0]
    screen.question(asked.redacted())
    if screen.has_person:
        return await answer_one(run, asked, screen, after=event.seq)
    sample = next(samples, None)
    if sample is None:
        return False
    screen.line(f"    Nobody is at the keyboard; the sample answers: {json.dumps(sample, ensure_ascii=False)}")
    await run.resume_soon(sample, suspension=asked)
    return True


async def answer_one(run: Run, asked: Suspension, screen: Terminal, *, after: int) -> bool:
    """Ask the person until the answer fits, or was given elsewhere; ``False`` if there is no person any more."""
    settled = asyncio.create_task(_settled(run, asked, after), name="answered elsewhere")
    try:
        while True:
            typing = asyncio.create_task(screen.ask(asked.schema), name="prompt")
            try:
                await asyncio.wait({typing, settled}, return_when=asyncio.FIRST_COMPLETED)
                if not typing.done():
                    screen.line()
                    screen.line("    It was answered elsewhere.", "33")
                    return True
                await run.resume_soon(typing.result(), suspension=asked, by="terminal")
            except EOFError:
                return False
            except InvalidResume as error:
                screen.line(f"    {error}", "31")
            except (AlreadyResumed, NotSuspended) as error:
                screen.line(f"    {error}", "33")
                return True
            else:
                return True
            finally:
                typing.cancel()
    finally:
        settled.cancel()


async def _settled(run: Run, asked: Suspension, after: int) -> None:
    """Return when a question is open no more."""
    async for event in run.events(after):
        is_answer = event.type == "step.resumed" and event.data.get("token") == asked.token
        if is_answer or (event.path == asked.path and event.type in ("suspension.expired", "step.canceled")):
            return


def _steps(workflow: Workflow[Any, Any] | None) -> dict[str, str] | None:
    """The places of what a person calls a step, with its kind: no blocks around others. ``None``: nobody knows."""
    if workflow is None:
        return None
    nodes = build_graph(workflow).nodes.values()
    return {node.place: node.kind for node in nodes if node.place and node.kind not in QUIET}
