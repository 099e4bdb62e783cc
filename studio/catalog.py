"""What the studio serves at this moment: the workflows that could be loaded, and what could not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import Workflow


@dataclass(frozen=True, slots=True)
class Problem:
    """A module that can't be imported, or something else that a person must mend, for a card.

    ``traceback`` has the user's frames only; ``is_old``: workflows of an earlier version of it are still served.
    """

    module: str
    message: str
    file: str | None = None
    line: int | None = None
    traceback: str = ""
    is_old: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found in a target. ``homes`` says which module each workflow is from, by id."""

    workflows: Mapping[str, Workflow[Any, Any]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    homes: Mapping[str, str] = field(default_factory=dict)
    files: frozenset[Path] = frozenset()
    """What it was loaded from: a change of these is a reason to load again."""


class Catalog:
    """The latest of what was loaded; replaced whole, so that it may be read from any thread.

    ``version`` counts the loads.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.version = 1

    @classmethod
    def of(cls, workflows: Iterable[Workflow[Any, Any]]) -> Catalog:
        """A catalog of workflows that are at hand."""
        return cls(Loaded({workflow.id: workflow for workflow in workflows}))

    @property
    def workflows(self) -> Mapping[str, Workflow[Any, Any]]:
        """What can be run, by id."""
        return self.loaded.workflows

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be loaded."""
        return self.loaded.problems

    def replace(self, loaded: Loaded) -> None:
        """Serve this from now on."""
        self.loaded = loaded
        self.version += 1
