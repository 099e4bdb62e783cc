"""What has changed in the picture of a run since a viewer last heard of it.

Elements have the same ids whatever a viewer has folded, so one account serves all of them: who does not draw an element
leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from engine import Workflow
from engine.graph import ElementState, States, build_graph


class Picture:
    """The elements of a run's picture as its viewers know them, and up to which event each may have changed."""

    def __init__(self) -> None:
        self._workflow: Workflow[Any, Any] | None = None
        self._states: States | None = None
        self._signature = ""
        self._known: dict[str, ElementState] = {}
        self._changed: dict[str, int] = {}

    def see(self, workflow: Workflow[Any, Any] | None, statuses: Mapping[str, str], seq: int) -> None:
        """Take in how the run is now; nothing of it happened after the event ``seq``."""
        if workflow is not self._workflow:
            self._begin(workflow)
        if self._states is None:
            return
        now = self._states.of(statuses)
        for element in now.keys() | self._known.keys():
            if now.get(element) != self._known.get(element):
                self._changed[element] = seq
        self._known = now

    def _begin(self, workflow: Workflow[Any, Any] | None) -> None:
        self._workflow, self._states, self._known, self._changed = workflow, None, {}, {}
        if workflow is not None:
            graph = build_graph(workflow)
            self._states, self._signature = States(graph.definition), graph.signature

    def whole(self) -> dict[str, Any]:
        """The part of a frame for a viewer who comes: what is not named is as before the run."""
        return self._part(self._known) | {"whole": True} if self._states is not None else {}

    def since(self, after: int) -> dict[str, Any]:
        """The part of a frame for viewers who have heard everything up to the event ``after``: what has changed."""
        changed = [name for name, seq in self._changed.items() if seq > after]
        return self._part(changed) if self._states is not None else {}

    def _part(self, names: Iterable[str]) -> dict[str, Any]:
        told = {name: described(self._known.get(name, _BEFORE)) for name in names}
        return {"picture": self._signature, "elements": told}


_BEFORE = ElementState()
_FIELDS = tuple(field.name for field in fields(ElementState))


def described(state: ElementState) -> dict[str, Any]:
    """What differs from before the run."""
    pairs = ((name, getattr(state, name)) for name in _FIELDS)
    return {name: value for name, value in pairs if value != getattr(_BEFORE, name)}
