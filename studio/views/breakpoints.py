"""Where a run is to stop, and where it stands now."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine import Breakpoint, Event
from studio.live import place_of

WHEN = ("before", "after")
AFTER = "after:"
"""What the text of a breakpoint after a step begins with; one before it is its path alone."""


def bare(path: str) -> str:
    """A path or place without the numbers of rounds and items: a breakpoint there stops at each of them."""
    return place_of(path).replace("[]", "")


@dataclass(frozen=True, slots=True)
class BreakView:
    """One breakpoint. ``rule`` says when it counts, if not always; ``round`` is the only one in which it does."""

    path: str
    when: str
    rule: str = ""
    round: int | None = None

    @property
    def text(self) -> str:
        """What an address and a form say of it."""
        return break_text(self.path, self.when)


@dataclass(frozen=True, slots=True)
class Breaks:
    """All of a run, or of a form that starts one."""

    points: tuple[BreakView, ...] = ()

    @property
    def places(self) -> str:
        """What the picture's script reads: where there are dots."""
        return json.dumps(sorted({bare(point.path) for point in self.points}))

    def at(self, path: str) -> tuple[str, ...]:
        """Whether it stops there, ``before`` or ``after``, or both."""
        if not self.points:
            return ()
        there = {point.when for point in self.points if bare(point.path) == bare(path)}
        return tuple(when for when in WHEN if when in there)

    def said(self, path: str) -> str:
        """The same in words, for the sign beside a step; empty if it does not stop there."""
        return said(self.at(path))


NO_BREAKS = Breaks()


def said(when: Sequence[str]) -> str:
    """Where it stops, in words."""
    return f"breakpoint {' and '.join(when)}" if when else ""


def break_views(points: Iterable[Breakpoint]) -> Breaks:
    """The breakpoints as they are shown."""
    return Breaks(tuple(BreakView(point.path, point.when, _rule(point), point.iteration) for point in points))


def _rule(point: Breakpoint) -> str:
    number = "" if point.iteration is None else f"in round {point.iteration}"
    return ", ".join(filter(None, [number, f"if {point.condition}" if point.condition else ""]))


def break_text(path: str, when: str) -> str:
    """A breakpoint as addresses and forms say it: ``pack``, ``after:pack``."""
    return bare(path) if when == "before" else f"{AFTER}{bare(path)}"


def chosen(texts: Iterable[str], places: Collection[str]) -> Breaks:
    """The breakpoints of such texts; those at none of these places are left out: an address may say anything."""
    steps = {bare(place) for place in places}
    points = (Breakpoint(bare(text.removeprefix(AFTER)), WHEN[text.startswith(AFTER)]) for text in texts)
    return break_views(point for point in dict.fromkeys(points) if point.path in steps)


def with_point(
    points: Sequence[Breakpoint], path: str, when: str, *, condition: str = "", this_round: bool = False
) -> list[Breakpoint]:
    """One more of them, in the place of what was at the step in the same rounds.

    It counts if a condition holds, or in the path's round only.
    """
    point = Breakpoint(bare(path), when, round_of(path) if this_round else None, condition.strip() or None)
    rounds = None if point.iteration is None else (None, point.iteration)
    return [*without_point(points, path, when, rounds=rounds), point]


def round_of(path: str) -> int | None:
    """The number of the round or item that a path is; ``None`` if it is none."""
    found = re.search(r"\[(\d+)\]$", path)
    return int(found[1]) if found else None


def without_point(
    points: Sequence[Breakpoint], path: str, when: str, *, rounds: Collection[int | None] | None = None
) -> list[Breakpoint]:
    """All but those at one step; of these only those in some ``rounds`` (``None`` among them: in every round)."""
    return [
        point
        for point in points
        if bare(point.path) != bare(path) or point.when != when or not (rounds is None or point.iteration in rounds)
    ]


# -- where a run stands


@dataclass(frozen=True, slots=True)
class Stop:
    """Before or after which step a run is held; ``is_meant``: by a breakpoint. ``others``: how many more are held."""

    lead: str
    path: str
    is_meant: bool
    others: int


def stop_of(status: str, statuses: Mapping[str, str], points: Breaks, events: Collection[Event]) -> Stop | None:
    """Where a run stands that is paused; ``None`` if it is not. ``events`` are its last ones."""
    held = [path for path, one in statuses.items() if one == "held"]
    if status != "paused" or not held:
        return None
    last = _last_stop(events)
    others = len(held) - 1
    if last is not None and last.type == "run.breakpoints_set":
        return Stop("Stopped after", str(last.data.get("at")), is_meant=True, others=others)
    path = next((path for path in held if "before" in points.at(path)), held[0])
    if last is not None and last.path in held:
        path = last.path or path
    is_meant = last is not None or "before" in points.at(path)
    return Stop("Stopped before" if is_meant else "Paused before", path, is_meant=is_meant, others=others)


def _last_stop(events: Collection[Event]) -> Event | None:
    """The event that a breakpoint stopped the run with; ``None`` if something else holds it."""
    found = None
    for event in events:
        if event.type in ("run.continued", "run.stepped"):
            found = None
        elif found is None and event.data.get("at" if event.type == "run.breakpoints_set" else "breakpoint"):
            found = event
    return found
