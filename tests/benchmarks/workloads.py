"""The work that every contender is asked to do, and the answer that proves it was done."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

Shape = Literal["chain", "parallel", "loop", "foreach", "approval"]

FLOORS = ("floor", "floor-sqlite")
OURS = ("ours", "ours-sqlite")
SYNCED = ("floor-full", "ours-full")


class Number(BaseModel):
    """What the steps pass on."""

    n: int


class Document(BaseModel):
    """One record of the large payload."""

    id: int
    title: str
    text: str
    score: float


class Library(BaseModel):
    """The large payload: about 1 MB as JSON."""

    n: int
    documents: list[Document]


class FrozenDocument(Document, frozen=True):
    """The same that nobody can change."""


class FrozenLibrary(BaseModel, frozen=True):
    """The same that nobody can change."""

    n: int
    documents: tuple[FrozenDocument, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of work. ``steps`` is how many one run executes; costs are told per step."""

    key: str
    title: str
    shape: Shape
    steps: int
    runs: int = 1
    """Runs in flight together."""
    window: int = 0
    """Items of a foreach in flight together."""
    documents: int = 0
    """Records in the payload; 0 for a single number."""
    changing: bool = True
    """Whether a step adds one to its number, or gives back what it got."""
    frozen: bool = False
    """Whether our types are such that nobody can change a value. The others do what they always do."""
    viewers: int = 0
    """Readers that follow the run's events."""
    stalled: int = 0
    """Readers that take one event and then no more."""
    contenders: tuple[str, ...] = FLOORS + OURS


HEATS: tuple[tuple[Workload, ...], ...] = (
    (
        Workload("chain", "chain of 100 steps", "chain", 100, contenders=FLOORS + OURS + SYNCED),
        Workload("chain-10", "chain of 10", "chain", 10),
        Workload("chain-1000", "chain of 1,000", "chain", 1000),
        Workload("chain-10000", "chain of 10,000", "chain", 10_000),
        Workload("watched", "chain of 1,000, 10 readers follow", "chain", 1000, viewers=10, contenders=OURS),
        Workload("stalled", "chain of 1,000, 10 readers stall", "chain", 1000, stalled=10, contenders=OURS),
    ),
    (
        Workload("parallel", "fan-out to 100 and join", "parallel", 100, contenders=FLOORS + OURS + SYNCED),
        Workload("parallel-1000", "fan-out to 1,000", "parallel", 1000),
    ),
    (Workload("loop", "loop of 1,000", "loop", 1000),),
    (
        Workload("foreach", "foreach of 1,000 at 10", "foreach", 1000, window=10),
        Workload("foreach-10000", "foreach of 10,000 at 10", "foreach", 10_000, window=10),
    ),
    (Workload("many", "200 runs of 10 at once", "chain", 10, runs=200, contenders=FLOORS + OURS + SYNCED),),
    (Workload("approval", "suspend and resume", "approval", 1, contenders=("floor-sqlite", *OURS, *SYNCED)),),
    (
        Workload("payload", "1 MB over 20 steps, mutable types", "chain", 20, documents=3600),
        Workload("payload-frozen", "1 MB over 20 steps, frozen types", "chain", 20, documents=3600, frozen=True),
        Workload("payload-same", "1 MB over 20 steps, unchanged", "chain", 20, documents=3600, changing=False),
    ),
)
"""Workloads of one heat are asked for in turn within each repetition, so that they can be compared with each other."""

COLD = Workload("cold", "start a process, run one step", "chain", 1, contenders=("floor", *OURS))


def scaled(workload: Workload, scale: int) -> Workload:
    """The same work in small."""
    steps = max(2, workload.steps // scale) if workload.shape != "approval" else 1
    runs, documents = -(-workload.runs // scale), -(-workload.documents // scale)
    return dataclasses.replace(workload, steps=steps, runs=runs, documents=documents)


def given(workload: Workload) -> Any:
    """The input of a run, as plain data."""
    if workload.shape == "foreach":
        return [{"n": n} for n in range(workload.steps)]
    if not workload.documents:
        return {"n": 0}
    text = "A step takes what the step before it has made, and makes of it what the next one takes. " * 2
    documents = [
        {"id": i, "title": f"Document {i}", "text": f"{text}{i}", "score": i / 7} for i in range(workload.documents)
    ]
    return {"n": 0, "documents": documents}


def answer(workload: Workload) -> int:
    """What a run must give in the end."""
    match workload.shape:
        case "approval":
            return 1
        case "foreach":
            return sum(range(1, workload.steps + 1))
        case "chain" | "loop" | "parallel":
            return workload.steps if workload.changing else 0
