"""A run folded from its log is the run as it was live."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from engine import Engine
from engine.cells import Cell, Frame
from engine.recovery import Replay
from engine.state import RunState
from engine.values import Value
from tests.properties import building
from tests.properties.building import Book
from tests.properties.oracle import Expected
from tests.properties.trees import Flow


def _plain(value: Value | None) -> Any:
    return None if value is None else value.plain()


def _cell(cell: Cell) -> dict[str, Any]:
    """All of a cell that decides what happens next."""
    made = {
        "status": cell.status,
        "input": _plain(cell.input),
        "output": _plain(cell.output),
        "error": cell.error,
        "attempts": (cell.attempts, cell.failures, cell.crashes),
        "times": (cell.started_at, cell.ended_at),
        "question": cell.question and (cell.question.token, cell.question.ordinal, _plain(cell.question.payload)),
        "lost": cell.question and cell.question.lost,
        "resumed": cell.resumed and (_plain(cell.resumed[0]), _plain(cell.resumed[1]), cell.resumed[2]),
        "answers": {nth: _plain(value) for nth, value in (cell.answers or {}).items()},
        "catches": cell.catches and cell.catches.path,
        "overlay": cell.overlay,
        "state": (cell.state, cell.state_seq),
    }
    if isinstance(cell, Frame):
        made |= {
            "counts": (cell.open, cell.live, cell.parked, cell.begun, cell.total, cell.at_once, cell.iterations),
            "flags": (cell.failed, cell.chosen, cell.checking, cell.closing),
            "children": {slot: child.path for slot, child in cell.children.items()},
            "flow": _plain(cell.flow),
        }
    return made


def _picture(state: RunState) -> dict[str, Any]:
    """A state as plain data, one entry for each thing that it holds."""
    made: dict[str, Any] = {path: _cell(cell) for path, cell in state.cells.items()}
    made["(run)"] = None if state.root is None else _cell(state.root)
    made["(status)"] = (state.seq, state.status, state.started, state.canceling, state.cancel_reason, state.deaths)
    made["(values)"] = (_plain(state.input), _plain(state.result), state.error, state.context)
    made["(questions)"] = {token: cell.path for token, cell in state.questions.items()}
    made["(answered)"] = state.answered
    made["(tally)"] = state.tally
    made["(shared)"] = (state.shared, state.versions)
    journal = state.journal
    made["(journal)"] = (list(journal.writes.items()), journal.base, journal.suspended, list(journal.returning))
    return made


def _differences(live: RunState, folded: RunState, when: str) -> list[str]:
    have, want = _picture(folded), _picture(live)
    found = [f"{when}: {path} only once" for path in have.keys() ^ want.keys()]
    changed = [path for path in have.keys() & want.keys() if have[path] != want[path]]
    return found + [f"{when}: {path} is {have[path]!r} when folded, was {want[path]!r}" for path in changed]


async def _check(tree: Flow, expected: Expected, tmp_path: Path) -> list[str]:
    with building.fresh(tmp_path) as folder:
        return await _run(tree, f"sqlite:///{folder / 'runs.db'}")


async def _run(tree: Flow, store: str) -> list[str]:
    book = Book()
    workflow = building.build(tree, book)
    rng = random.Random(len(str(tree)))
    found: list[str] = []
    async with Engine([workflow], store=store) as engine:
        run = await engine.create_run(tree.id, run_id="r")
        live = engine.live("r")
        assert live is not None
        result = await run.start(building.INPUT, request_context={"who": building.trees.WHO})
        for _ in range(1000):
            folded = Replay("r", workflow.plan, await engine.store.read("r"))
            found += _differences(live.state, folded.state, f"at {live.state.seq}")
            found += [f"at rest, and still to do: {command}" for command in (*folded.pending(), *folded.cut())]
            if result.status != "suspended":
                break
            result = await building.answer_all(engine, "r", rng, at_most=1)
        first = result.to_dict()
    async with Engine([workflow], store=store) as engine:
        again = await (await engine.get_run("r")).result()
    if again.to_dict() != first or again.state != result.state:
        found.append(f"read again it is {again.to_dict()!r}, was {first!r}")
    return found


async def test_a_run_folded_from_its_log_is_the_run_as_it_was_live(tmp_path: Path) -> None:
    """At every rest: each cell, the counts, the shared state, the questions; and the same result in a later engine."""
    for seed in building.seeds(100):
        await building.hold(seed, lambda tree, expected: _check(tree, expected, tmp_path))
