"""Example workflows. They run as they are: no key, no account, no network.

Each module is one example and reads from top to bottom; ``EXAMPLES`` lists them, simplest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine import Workflow
from studio.examples.csv_import import csv_import_workflow
from studio.examples.order import order_workflow
from studio.examples.release import release_workflow
from studio.examples.review import review_workflow
from studio.examples.weather import weather_workflow


@dataclass(frozen=True, slots=True)
class Example:
    """A workflow with something to try it on. ``answers``: to its questions, in the order in which it asks them."""

    workflow: Workflow[Any, Any]
    summary: str
    input: dict[str, Any]
    answers: tuple[dict[str, Any], ...] = ()


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
        {"text": "The the workflow  waits for you. It can wait long"},
        ({"action": "mend"}, {"action": "accept"}),
    ),
    Example(
        release_workflow,
        "Releases a version in three stages, and watches each for a moment.",
        {"version": "1.4.2", "changes": ["fix: the export keeps umlauts", "add: dark colours"], "watch_seconds": 0.1},
    ),
)
