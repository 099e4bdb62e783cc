"""What stands around the form that starts a run: where it stops, and whose input it shows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from engine import RunRow, redacted
from studio.forms.paths import escape, join
from studio.plain import Looks
from studio.views.breakpoints import NO_BREAKS, Breaks, break_text
from studio.views.graph import with_open

BREAK = "_break"
FROM = "from"
PRESET = "preset"
LONGEST = 200
MOST_NAMED = 6


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
    input: Any
    href: Looks[str]
    text: Looks[str]


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
    left_out: str = ""
    """What of that input is not in the form and has no field that asks for it: secrets."""

    presets: tuple[PresetView, ...] = ()
    preset: str = ""
    preset_said: str = ""
    """The name under which what is typed was kept just now, but for what is in ``preset_lacks``."""

    preset_lacks: str = ""

    preset_going: str = ""
    """The name of the one that is to be deleted, if that is meant."""

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

    def break_at(self, place: str, when: str) -> str:
        """The breakpoint before or after a place of the picture, as the form says it."""
        return break_text(place, when)

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
    query += [(BREAK, point.text) for point in breaks.points]
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
    return PresetView(name, redacted(value), launch_href(workflow_id, preset=name), _short(value))


def left_out(value: Any, plain: Any, *, asked: Collection[str] = ()) -> str:
    """What a copy without secrets lacks, but for what is ``asked`` for anew; by path, in words."""
    paths = [path for path in _lacking(value, plain, "") if path not in asked]
    shown = ", ".join(paths[:MOST_NAMED])
    return f"{shown} and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else shown


def _lacking(value: Any, plain: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping) and isinstance(plain, Mapping):
        for name, part in value.items():
            yield from _lacking(part, plain.get(name), join(path, escape(name)))
    elif isinstance(value, list) and isinstance(plain, list):
        for number, part in enumerate(value):
            yield from _lacking(part, plain[number], join(path, number))
    elif value not in (plain, ""):
        yield path or "the input"


def _short(value: Any) -> str:
    text = json.dumps(redacted(value), ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
