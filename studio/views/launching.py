"""What stands around the form that starts a run: where it stops, and whose input it shows."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from engine import RunRow, redacted
from studio.views.breakpoints import NO_BREAKS, Breaks, bare
from studio.views.graph import with_open

BREAK = "_break"
FROM = "from"
PRESET = "preset"
LONGEST = 200


@dataclass(frozen=True, slots=True)
class OldInput:
    """What a run began with: ``text`` is the input in short, ``href`` leads to the form with it."""

    run_id: str
    run_href: str
    href: str
    status: str
    at: datetime
    text: str = ""


@dataclass(frozen=True, slots=True)
class PresetView:
    """An input with a name: ``text`` is the input in short, ``href`` leads to the form with it."""

    name: str
    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Launch:
    """How a run will start. ``origin`` is whose input the form shows, ``preset`` the name of the one it shows."""

    workflow_id: str
    tab: str = ""
    step: str = ""
    opened: frozenset[str] = frozenset()
    is_paused: bool = False
    is_typed: bool = False
    breaks: Breaks = NO_BREAKS
    origin: OldInput | None = None
    has_secrets: bool = False
    presets: tuple[PresetView, ...] = ()
    preset: str = ""
    preset_said: str = ""
    """The name under which what is typed was kept just now."""

    preset_problem: str = ""

    def at(self, *, tab: str = "", step: str = "", opened: frozenset[str] | None = None) -> str:
        """The same page with another step or tab, or with other parts of the picture open."""
        return launch_href(
            self.workflow_id,
            tab=tab,
            step=step,
            breaks=self.breaks,
            origin=self.origin.run_id if self.origin else "",
            preset=self.preset,
            opened=self.opened if opened is None else opened,
        )

    def path(self, place: str) -> str:
        """The path of a breakpoint at a place of the picture."""
        return bare(place)

    @property
    def here(self) -> str:
        """Where the page is asked for with what was typed; the rest is in the form."""
        return launch_href(self.workflow_id, tab=self.tab, step=self.step, opened=self.opened)

    @property
    def presets_href(self) -> str:
        """Where inputs are given names, and lose them."""
        return f"{launch_href(self.workflow_id)}/presets"

    @property
    def past_href(self) -> str:
        """Where the inputs of the last runs are."""
        return f"{launch_href(self.workflow_id)}/inputs"


def launch_href(
    workflow_id: str,
    *,
    tab: str = "",
    step: str = "",
    breaks: Breaks = NO_BREAKS,
    origin: str = "",
    preset: str = "",
    opened: Collection[str] = (),
) -> str:
    """The page of a workflow with all that its address keeps."""
    said = (("tab", tab), ("step", step), (FROM, origin), (PRESET, preset))
    query = [(name, text) for name, text in said if text]
    query += [(BREAK, point.path) for point in breaks.points]
    return with_open(f"/workflows/{quote(workflow_id, safe='')}" + (f"?{urlencode(query)}" if query else ""), opened)


def old_input(row: RunRow, value: Any = None) -> OldInput:
    """The input of a run."""
    return OldInput(
        row.run_id,
        f"/runs/{quote(row.run_id, safe='')}",
        launch_href(row.workflow_id, origin=row.run_id),
        row.status,
        row.created_at,
        _short(value),
    )


def preset_view(workflow_id: str, name: str, value: Any) -> PresetView:
    """One preset of a workflow."""
    return PresetView(name, launch_href(workflow_id, preset=name), _short(value))


def _short(value: Any) -> str:
    text = json.dumps(redacted(value), ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
