"""Example workflows. They run as they are: no key, no account, no network.

Each module is one example and reads from top to bottom; ``EXAMPLES`` lists them, simplest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine import Workflow

# Simplest first: the studio shows them in this order.
# isort: off
from studio.examples.weather import weather_workflow
from studio.examples.csv_import import csv_import_workflow
from studio.examples.order import order_workflow
from studio.examples.review import SAMPLE, review_workflow
from studio.examples.release import release_workflow
from studio.examples.timesheet import timesheet_workflow
# isort: on


@dataclass(frozen=True, slots=True)
class Example:
    """A workflow with something to try it on.

    ``answers``: to its questions, in the order in which it asks them. ``ends``: the status that its run comes to.
    """

    workflow: Workflow[Any, Any]
    summary: str
    input: dict[str, Any]
    answers: tuple[dict[str, Any], ...] = ()
    ends: str = "success"


EXAMPLES: tuple[Example, ...] = (
    Example(
        weather_workflow,
        "Plans a day by its measured weather: one of three plans is chosen.",
        {"day": "2015-07-04"},
    ),
    Example(
        csv_import_workflow,
        "Imports a CSV file: rows are checked side by side, and a person decides about the bad ones.",
        {},
        ({"bad_rows": "leave out"},),
    ),
    Example(
        order_workflow,
        "Handles an order: the bank answers at the third try, no carrier goes there, everything is undone.",
        {"item": "cup", "count": 2, "card": "slow", "country": "NO"},
    ),
    Example(
        review_workflow,
        "Reviews a text in rounds, until its editor accepts it.",
        {"text": SAMPLE},
        ({"action": "mend"}, {"action": "accept"}),
    ),
    Example(
        release_workflow,
        "Releases a version in three stages, and watches each for a moment.",
        {"watch_seconds": 0.1},
    ),
    Example(
        timesheet_workflow,
        "Works out a pay list, and fails on purpose: look at the input of the step that failed.",
        {},
        ends="failed",
    ),
)
