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
from studio.plain import Looks
from studio.views.prose import Block, Line, blocks, pieces
from studio.wording import NONE

SUBMIT = "Send answer"

MOST_FACTS = 24
"""Names of a payload that is shown as a list of them."""
MOST_TEXTS = 12
"""Items of a list there."""
DEEPEST = 2
"""Lists of names within each other there."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name with what it has: one text, a list of them, or facts again."""

    name: str
    texts: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One open question, for ``partials/question.html``.

    ``text`` is the payload if that is text, ``facts`` if it is a few names with plain values, ``data`` if it is
    neither. ``is_now`` marks the question as the one to answer; of one that is not ``is_open`` the form is folded.
    """

    id: Looks[str]
    token: str
    title: str
    heading: Looks[Line]
    workflow_id: str
    workflow_href: str
    step: str
    run_id: str
    run_href: str
    href: str
    label: str
    asked_at: datetime
    expires_at: datetime | None
    payload: Any
    schema: dict[str, Any] | None
    form: Looks[FormView]
    fields: Looks[int]
    text: Looks[tuple[Block, ...]] = ()
    facts: Looks[tuple[Fact, ...]] = ()
    data: Looks[Any] = None
    is_now: Looks[bool] = False
    is_open: Looks[bool] = True

    @property
    def is_gone(self) -> bool:
        return False


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
        token=suspension.token,
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
        payload=suspension.payload,
        schema=suspension.schema,
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
    if facts := _facts(payload):
        return {"facts": facts}
    return {} if payload is None or payload in ({}, []) else {"data": payload}


def _facts(value: Any, depth: int = 0) -> tuple[Fact, ...]:
    """A mapping as facts; none if it is no mapping, or more than a list of names can say."""
    if not isinstance(value, Mapping) or not value or len(value) > MOST_FACTS:
        return ()
    found = tuple(_fact(str(name), one, depth) for name, one in value.items())
    return tuple(filter(None, found)) if all(found) else ()


def _fact(name: str, value: Any, depth: int) -> Fact | None:
    if _is_plain(value) or value in ({}, [], ()):
        return Fact(name, (_shown(value),))
    if isinstance(value, list | tuple) and len(value) <= MOST_TEXTS and all(map(_is_plain, value)):
        return Fact(name, tuple(map(_shown, value)), is_list=len(value) > 1)
    facts = _facts(value, depth + 1) if depth + 1 < DEEPEST else ()
    return Fact(name, facts=facts) if facts else None


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if _is_plain(value) and value is not None else NONE


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
    def is_gone(self) -> bool:
        return True

    @property
    def brief(self) -> str:
        """What became of it, in a word or two."""
        return {"answered": "Answered.", "withdrawn": "No longer open."}.get(self.status, "Not open.")

    @property
    def title(self) -> str:
        return {
            "answered": "This question was answered",
            "withdrawn": "This question is no longer open",
            "unknown": "There is no such open question",
        }[self.status]


def gone_view(suspension: Suspension, state: str) -> GoneView:
    """What became of a question, by its state in the store."""
    shown = suspension.redacted()
    status = "answered" if state == "answered" else "withdrawn"
    return GoneView(shown.token, shown.run_id, run_href(shown.run_id), status, _title(shown))
