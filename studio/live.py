"""From events to frames: what a viewer is sent, and who says what it contains.

A frame is one JSON object: small data for graph and timeline, and in ``content`` the HTML of the regions that changed,
rendered by the same partials as the page. The pages' authors register what renders them in ``LIVE_PARTS`` and
``LIST_PARTS``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, TypeVar
from urllib.parse import urlencode

from engine import Event, Run, RunResult, RunRow, Workflow
from studio.hosting import Hosting

log = logging.getLogger("studio")
M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A run as a frame shows it.

    ``events`` are those of the frame, in order; none if it is a ``gap``: a jump to the present. ``result`` is never
    older than ``seq``, and may be newer: the next frame then says the same again.
    """

    hosting: Hosting
    run: Run
    workflow: Workflow[Any, Any] | None
    result: RunResult
    statuses: Mapping[str, str]
    """The status of every path that the run has come to, blocks included."""

    events: tuple[Event, ...]
    seq: int
    gap: bool = False
    drawn: Mapping[str, Any] = field(default_factory=dict)
    """What has changed in the picture, as a frame says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMoment:
    """All runs as a frame of the lists shows them. ``rows`` have changed since the frame before (``first``: none).

    ``newest`` are the newest runs, newest first, whether they have changed or not.
    """

    hosting: Hosting
    counts: Mapping[str, int]
    questions: int
    rows: tuple[RunRow, ...] = ()
    newest: tuple[RunRow, ...] = ()
    version: int = 1
    first: bool = False


LIVE_PARTS: list[Callable[[Moment], str]] = []
"""What gives the HTML of a run's frame: ``<hx-partial>`` elements, or ``""``."""

LIST_PARTS: list[Callable[[ListMoment], str]] = []
"""The same for the lists' frames."""

LONGEST = 3_000
"""Characters of the ids that a page names in its socket's address."""

ListView = Callable[[ListMoment], Awaitable[str]]
"""What gives the HTML of one page's regions in a list's frame; it may remember what it gave."""

LIST_VIEWS: dict[str, Callable[[Mapping[str, str]], ListView]] = {}
"""What a page asks for with ``/ws?show=NAME&...``. Each makes, of the whole query, a view of its own for all pages
that ask alike. Raises ``ValueError`` for a query that means nothing."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is sent to whoever has seen everything up to ``after``; then they have up to ``seq``."""

    after: int
    seq: int
    text: str
    body: Mapping[str, Any] = field(default_factory=dict)
    """The same before it became text."""

    def also(self, more: Mapping[str, Any]) -> Frame:
        """The same with something more, or something else, in it."""
        body = {**self.body, **more}
        return Frame(self.after, self.seq, _written(body, ""), body)


def run_frame(moment: Moment, after: int) -> Frame:
    """The frame of a run."""
    body: dict[str, Any] = {
        "after": after,
        "seq": moment.seq,
        "status": moment.result.status,
        **moment.drawn,
    }
    if moment.gap:
        body["gap"] = True
    return Frame(after, moment.seq, _written(body, content(LIVE_PARTS, moment)), body)


def list_text(moment: ListMoment, html: str = "") -> str:
    """The frame of the lists; ``html`` is what a page's own view gave."""
    rows = [{"run_id": row.run_id, "workflow_id": row.workflow_id, "status": row.status} for row in moment.rows]
    body: dict[str, Any] = {
        "counts": dict(moment.counts),
        "questions": moment.questions,
        "runs": rows,
        "version": moment.version,
    }
    if moment.first:
        body["first"] = True
    return _written(body, content(LIST_PARTS, moment) + html)


def list_view(query: Mapping[str, str]) -> ListView | None:
    """The view that a page asks for, if it asks for one that there is."""
    made = LIST_VIEWS.get(query.get("show", ""))
    try:
        return made(query) if made is not None else None
    except ValueError as error:
        log.debug("a page asks for a list that there is not: %s", error)
        return None


def named(pairs: Iterable[tuple[str, ...]]) -> str:
    """Ids for such an address, each with what belongs to it; as many as there is room for. An id has no slash."""
    found = ""
    for pair in pairs:
        more = "/".join(pair)
        if len(found) + len(more) > LONGEST:
            break
        found = f"{found}/{more}" if found else more
    return found


def watching(show: str, **query: object) -> str:
    """The address of the socket for a page that shows a list; what is empty is left out."""
    said = {name: value for name, value in query.items() if value}
    return f"/ws?{urlencode({'show': show, **said}, safe='/')}"


def region(id: str, html: str, swap: str = "outerMorph") -> str:
    """The piece of a frame that puts ``html`` in the place of the element with this id, if the page has one."""
    return f'<hx-partial hx-target="[id=&quot;{escape(id)}&quot;]" hx-swap="{swap}">{html}</hx-partial>'


def content(parts: Iterable[Callable[[M], str]], moment: M) -> str:
    """What the parts say, in order; one that fails is left out."""
    said = []
    for part in parts:
        try:
            said.append(part(moment))
        except Exception:
            log.exception("the live part %s failed", getattr(part, "__qualname__", part))
    return "".join(said)


def _written(body: dict[str, Any], html: str) -> str:
    if html:
        body["content"] = html
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


# -- the graph


def place_of(path: str) -> str:
    """Where in the definition a path is: ``item[2]/check`` is at ``item[]/check``."""
    return re.sub(r"\[\d+\]", "[]", path)
