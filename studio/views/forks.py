"""What a fork is made of: where it begins, what it keeps, what runs again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine import RunResult
from studio.live import place_of
from studio.views.run import Place
from studio.views.run_head import fork_href

MOST = 100
"""Steps that a list shows."""

NEVER = frozenset({"skipped", "pending"})


@dataclass(frozen=True, slots=True)
class Part:
    """A step, with its status in the run that is forked."""

    path: str
    status: str
    href: str


@dataclass(frozen=True, slots=True)
class Parts:
    """Some steps. ``more`` are not shown."""

    shown: tuple[Part, ...] = ()
    more: int = 0

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.shown) + self.more


@dataclass(frozen=True, slots=True)
class ForkView:
    """A fork that can be made. ``step`` is empty as long as nobody has said where."""

    run_id: str
    workflow_id: str
    status: str
    step: str
    href: str
    kept: Parts
    again: Parts
    can_choose: Parts
    again_places: frozenset[str] = frozenset()
    """Where in the picture something runs again, also if others of that place are kept."""


def fork_view(result: RunResult, statuses: Mapping[str, str], step: str, kept: Collection[str]) -> ForkView:
    """The fork of a run at a step. ``kept`` are the paths that it keeps."""
    run_id = result.run_id
    begun = [path for path, one in statuses.items() if one not in NEVER and path in result.steps]
    known = frozenset(kept)
    again = [path for path in begun if path not in known] if step else []
    return ForkView(
        run_id,
        result.workflow_id,
        result.status,
        step,
        Place(run_id, "graph", step, "").href(),
        _parts(run_id, [path for path in begun if path in known], statuses),
        _parts(run_id, again, statuses),
        _parts(run_id, [] if step else begun, statuses),
        frozenset(map(place_of, again)),
    )


def _parts(run_id: str, paths: list[str], statuses: Mapping[str, str]) -> Parts:
    shown = tuple(Part(path, statuses[path], fork_href(run_id, path)) for path in paths[:MOST])
    return Parts(shown, len(paths) - len(shown))
