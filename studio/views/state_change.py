"""What a step did to the shared state of its run: the state as it began, as it ended, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from engine import Event, Run, redacted

MOST_SHOWN = 50
"""Changed keys that are shown."""

ENDS = frozenset({"step.succeeded", "step.bailed", "step.failed", "step.canceled"})


@dataclass(frozen=True, slots=True)
class Change:
    """One key of the state that differs. ``was`` and ``is_there`` say whether it had a value then and has one now."""

    key: str
    before: Any
    after: Any
    was: bool
    is_there: bool
    note: str = ""
    """Who wrote it, if not this step alone."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """The state around a step, without secrets. ``is_cut``: the run was not read to the step's end."""

    changes: tuple[Change, ...] = ()
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    has_ended: bool = False
    is_cut: bool = False
    seq: int = 0
    """The event that changed the state last."""

    @property
    def shown(self) -> tuple[Change, ...]:
        """The first of them."""
        return self.changes[:MOST_SHOWN]

    @property
    def left_out(self) -> int:
        """How many more there are."""
        return len(self.changes) - len(self.shown)


class Story:
    """Follows the state from the first event of a run on, and remembers what a step found and left."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._state: dict[str, Any] = {}
        self._before: dict[str, Any] | None = None
        self._own: set[str] = set()
        self._others: set[str] = set()
        self.has_ended = False
        self.seq = 0

    def add(self, event: Event) -> None:
        """Take in the next event."""
        if event.type == "run.started":
            self._state = dict(event.data.get("state") or {})
        if event.path == self._path and event.type == "step.started" and self._before is None:
            self._before = self._state
        if event.type == "state.changed":
            self._change(event)
        if event.path == self._path and event.type in ENDS:
            self.has_ended = True

    def _change(self, event: Event) -> None:
        changes = dict(event.data.get("changes") or {})
        for key, kept in (event.data.get("appended") or {}).items():
            changes[key] = [*self._state.get(key, [])[:kept], *changes[key]]
        removed = event.data.get("removed") or ()
        self._state = {key: value for key, value in (self._state | changes).items() if key not in removed}
        self.seq = event.seq
        if self._before is not None:
            paths = event.data.get("paths") or [event.path or ""]  # several, where they are taken back together
            who = self._own if any(map(self._is_own, paths)) else self._others
            who.update(changes, removed)

    def _is_own(self, path: str) -> bool:
        return path == self._path or path.startswith((f"{self._path}/", f"{self._path}["))

    def told(self, *, is_cut: bool) -> StateChange | None:
        """What came of it; ``None`` if the step has not begun."""
        if self._before is None:
            return StateChange(is_cut=True) if is_cut else None
        before, after = redacted(self._before), redacted(self._state)
        keys = [key for key in self._before | self._state if _differs(self._before, self._state, key)]
        changes = (
            Change(key, before.get(key), after.get(key), key in before, key in after, self._note(key)) for key in keys
        )
        return StateChange(tuple(changes), before, after, self.has_ended, is_cut and not self.has_ended, self.seq)

    def _note(self, key: str) -> str:
        if key not in self._others:
            return ""
        return "with other steps" if key in self._own else "by other steps"


def _differs(before: Mapping[str, Any], after: Mapping[str, Any], key: str) -> bool:
    return (key in before) != (key in after) or before.get(key) != after.get(key)


def folded(events: Iterable[Event], path: str) -> StateChange | None:
    """What the step at ``path`` did, by all events of a run so far."""
    story = Story(path)
    for event in events:
        story.add(event)
        if story.has_ended:
            break
    return story.told(is_cut=False)


async def state_change(run: Run, path: str, *, most: int) -> StateChange | None:
    """The same, read from the store: at most so many events of it."""
    story, number = Story(path), 0
    async with aclosing(run.events(follow=False)) as events:  # type: ignore[type-var]
        async for event in events:
            number += 1
            story.add(event)
            if story.has_ended or number >= most:
                break
    return story.told(is_cut=number >= most)
