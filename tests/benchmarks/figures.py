"""One number, what it should be, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.benchmarks.report import MARKS, short


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured. ``goal`` is a limit from above, or from below if ``is_least``."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    is_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; ``None`` if there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.is_least else self.value < self.goal or self.value == self.goal == 0


def figures_table(figures: Iterable[Figure]) -> str:
    """Lines for people."""
    lines = [("", "value", "unit", "goal", "")]
    for one in figures:
        sign = "" if one.goal is None else f"{'≥' if one.is_least else '<' if one.goal else '='} {short(one.goal)}"
        mark = "" if one.met is None else MARKS[one.met]
        lines.append((one.what, short(one.value) if one.value else "0", one.unit, sign, f"{mark} {one.note}".strip()))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join(
            (
                line[0].ljust(widths[0]),
                line[1].rjust(widths[1]),
                line[2].ljust(widths[2]),
                line[3].ljust(widths[3]),
                line[4],
            )
        ).rstrip()
        for line in lines
    )
