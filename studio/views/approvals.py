"""Questions of runs to people, as the pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from engine import Suspension
from studio.forms import FormView, build
from studio.forms.typed import Typed
from studio.views.prose import Block, Line, blocks, pieces

SUBMIT = "Resume run"


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One open question, for ``partials/question.html``.

    ``text`` is the payload if that is text, ``facts`` if it is flat, ``data`` if it is neither. ``is_now`` marks
    the question as the one to answer; of one that is not ``is_open`` the form is folded.
    """

    id: str
    title: str
    heading: Line
    workflow_id: str
    workflow_href: str
    step: str
    run_id: str
    run_href: str
    href: str
    label: str
    asked_at: datetime
    expires_at: datetime | None
    form: FormView
    fields: int
    text: tuple[Block, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    data: Any = None
    is_now: bool = False
    is_open: bool = True


def question_href(token: str, run_id: str) -> str:
    """The address of a question."""
    return f"/approvals/{quote(token, safe='')}?run={quote(run_id, safe='')}"


def run_href(run_id: str) -> str:
    """The address of a run."""
    return f"/runs/{quote(run_id, safe='')}"


def question_view(
    suspension: Suspension,
    *,
    typed: Typed | None = None,
    errors: Mapping[str, str] | None = None,
    is_now: bool = False,
    is_open: bool = True,
    back: str = "",
) -> QuestionView:
    """A question with its form; with ``typed`` as it was filled in, ``errors`` by dotted path.

    ``back="list"``: whoever answers returns to the list of questions, else to the run.
    """
    suspension = suspension.redacted()
    href = question_href(suspension.token, suspension.run_id)
    id = f"ask-{suspension.token}"
    action = f"{href}&back={back}" if back else href
    form = build(suspension.schema, typed=typed, errors=errors, id=f"{id}-form", action=action, submit=SUBMIT)
    title = _title(suspension)
    return QuestionView(
        id=id,
        title=title,
        heading=pieces(title),
        workflow_id=suspension.workflow_id,
        workflow_href=f"/workflows/{quote(suspension.workflow_id, safe='')}",
        step=suspension.path,
        run_id=suspension.run_id,
        run_href=run_href(suspension.run_id),
        href=href,
        label=suspension.label or "",
        asked_at=suspension.created_at,
        expires_at=suspension.expires_at,
        form=form,
        fields=len(form.fields),
        is_now=is_now,
        is_open=is_open,
        **_payload(suspension.payload),
    )


def _title(suspension: Suspension) -> str:
    return suspension.title or suspension.label or f"{suspension.path.rpartition('/')[2]} waits for an answer"


def _payload(payload: Any) -> dict[str, Any]:
    """Which of the three ways it is shown."""
    if isinstance(payload, str):
        return {"text": blocks(payload)}
    if isinstance(payload, Mapping) and payload and all(_is_short(value) for value in payload.values()):
        return {"facts": tuple((str(name), _shown(value)) for name, value in payload.items())}
    return {} if payload is None or payload in ({}, []) else {"data": payload}


def _is_short(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "\N{EN DASH}" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class GoneView:
    """A question that is not open (any more). ``status``: answered, withdrawn, unknown."""

    token: str
    run_id: str = ""
    run_href: str = ""
    status: str = "unknown"
    question: str = ""
    by: str = ""
    at: datetime | None = None

    @property
    def title(self) -> str:
        return {
            "answered": "This question was answered",
            "withdrawn": "This question is no longer open",
            "unknown": "There is no such open question",
        }[self.status]
