"""Orders that follow from a fact. They can fail; what comes of them is written down as facts.

Plain slotted dataclasses: frozen ones cost three times as much to make, and one or two are made for every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.cells import Cell, Frame, Site
from engine.values import Value


@dataclass(slots=True)
class Begin:
    """Begin a node: check its input, hold it if the debugger says so, and write that it has started."""

    site: Site


@dataclass(slots=True)
class Again:
    """Start a cell once more: after an answer, a wait, a crash, or when the debugger lets it go."""

    cell: Cell


@dataclass(slots=True)
class Invoke:
    """Do what a leaf does: call the step, make the map's value, fix the time of a sleep, look for the event."""

    cell: Cell


@dataclass(slots=True)
class Choose:
    """Ask the conditions of a branch."""

    frame: Frame


@dataclass(slots=True)
class Check:
    """Ask the condition of a loop."""

    frame: Frame


@dataclass(slots=True)
class Finish:
    """A container is done, with this output (``None``: what follows from its children)."""

    frame: Frame
    output: Value | None = None


@dataclass(slots=True)
class Fail:
    """A container has failed."""

    frame: Frame
    error: dict[str, Any]


@dataclass(slots=True)
class Wake:
    """At a time, look at a cell again.

    ``mark`` says what for: the token of a question, or the number of the attempt.
    """

    cell: Cell
    at: float
    mark: str | int


@dataclass(slots=True)
class Drop:
    """Cancel what is still open among the arms of a block that has failed."""

    frame: Frame


@dataclass(slots=True)
class Leave:
    """A step bailed: cancel what else is open in its workflow, then finish that workflow with the step's value."""

    frame: Frame
    output: Value


@dataclass(slots=True)
class CancelRun:
    """Cancel everything that is open, then the run."""


OnFrame = Choose | Check | Finish | Fail | Drop | Leave
Command = Begin | Again | Invoke | Wake | CancelRun | OnFrame
