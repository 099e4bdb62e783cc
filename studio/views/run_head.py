"""The head of a run's page: what can be pressed now, what is known of the run, and why it does not go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from engine import RunRow

ENDED = frozenset({"success", "failed", "canceled"})
"""Statuses after which nothing more comes."""


@dataclass(frozen=True, slots=True)
class Button:
    """A form with one button in the header."""

    name: str
    label: str
    icon: str
    key: str = ""
    tone: str = ""
    href: str = ""
    """Where it leads, if it is a link; what it asks first stands there."""

    is_live: bool = False
    """With a script the page stays and shows what has come of it."""

    busy: str = ""
    """What it says from the click on."""

    dialog: str = ""
    """The dialog in which it asks first."""

    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """The head of the page. ``groups`` are buttons that belong together."""

    run_id: str
    workflow_id: str
    status: str
    has_ended: bool
    groups: tuple[tuple[Button, ...], ...]


STEP = Button("step", "Step", "step", "s", is_live=True)
CONTINUE = Button("continue", "Continue", "play", "c", is_live=True)
PAUSE = Button("pause", "Pause", "pause", "p", is_live=True)
RERUN = Button("rerun", "Re-run", "rerun", "r")
CANCEL = Button("cancel", "Cancel", "cancel", "", "danger", is_live=True, busy="Canceling…")
CANCELING = Button("canceling", "Canceling…", "cancel", "", "danger", is_disabled=True)
DELETE_DIALOG = "confirm-delete"


def header(
    run_id: str, workflow_id: str, status: str, *, step: str = "", has_begun: bool = True, is_canceling: bool = False
) -> Header:
    """The head of a run: only what makes sense now can be pressed. One that never began can't be run again.

    ``step`` is the chosen one: there a fork begins.
    """
    at = f"/runs/{quote(run_id, safe='')}"
    edit = Button("edit", "Edit and re-run", "edit", href=edit_href(run_id, workflow_id))
    fork = Button("fork", "Fork", "fork", "f", href=fork_href(run_id, step))
    delete = Button("delete", "Delete", "trash", "", "danger", href=f"{at}/delete", dialog=DELETE_DIALOG)
    again = ((RERUN, edit), (fork,)) if has_begun else ()
    stop = (CANCELING if is_canceling else CANCEL,)
    match status:
        case "pending":
            groups: tuple[tuple[Button, ...], ...] = (stop,)
        case "paused":
            groups = ((STEP, CONTINUE), *again, stop)
        case "success" | "failed" | "canceled":
            groups = (*again, (delete,))
        case _:
            groups = ((PAUSE,), *again, stop)
    return Header(run_id, workflow_id, status, status in ENDED, groups)


def edit_href(run_id: str, workflow_id: str) -> str:
    """The form of the workflow with what a run began with."""
    return f"/workflows/{quote(workflow_id, safe='')}?{urlencode({'from': run_id})}"


def fork_href(run_id: str, step: str) -> str:
    """The page where a fork is made."""
    query = f"?{urlencode({'step': step})}" if step else ""
    return f"/runs/{quote(run_id, safe='')}/fork{query}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What never changes of a run, or only at its end."""

    started_at: datetime
    ended_at: datetime | None
    seconds: float
    version: str
    parent: str
    tags: tuple[str, ...]
    blocked: str


def facts(row: RunRow, now: float) -> Facts:
    """The facts of a run's row."""
    ended = row.updated_at if row.status in ENDED else None
    end = now if ended is None else ended.timestamp()
    seconds = max(0.0, end - row.created_at.timestamp())
    return Facts(
        row.created_at, ended, seconds, row.version or "", row.parent_run_id or "", row.tags, row.blocked or ""
    )
