"""What frames of the lists have for each page that shows one: ``/ws?show=runs&...`` and the like.

A view lives as long as somebody watches, and is one page's (or that of several with the same address, opened at the
same moment). It says what is different from the page as that was made, and after that what is different from what it
said. A region that a page does not have is passed over there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from engine import NotSuspended, RunRow, Suspension, UnknownRun, Workflow
from studio.hosting import Hosting
from studio.lists import NEWEST
from studio.live import LIST_VIEWS, ListMoment, region
from studio.pages.shell import live_rendering, segment
from studio.pages.workflows import card_of, cards_of, problems_of
from studio.views import runs as runs_view
from studio.views.approvals import GoneView, gone_view, question_view
from studio.views.workflows import workflow_href

MOST = 100
"""Rows that an address may name."""

MOST_CAME = 20
"""Questions that are added to a page while it is open."""

Seen = tuple[str, str | None]


def partial(template: str, *, editor: str = "none", **inputs: Any) -> str:
    """A partial as a frame sends it."""
    return live_rendering(editor).partial(f"partials/{template}.html", **inputs)


class LiveRuns:
    """A table of runs: the status and time of its rows, how many there are of each status, and how many are new."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._filters = runs_view.Filters.of(query)
        self._since = float(query.get("at") or 0)
        words = query.get("open", "").split("/")[: 2 * MOST]
        self._shown: dict[str, Seen] = {id: (status, None) for status, id in zip(words[::2], words[1::2], strict=False)}
        self._said = dict(self._shown)

    async def __call__(self, moment: ListMoment) -> str:
        known = {row.run_id: row for row in moment.newest}
        before = self._shown if moment.first else self._said
        said = [await self._counts(moment), self._fresh(moment)]
        for id in self._shown:
            row = known.get(id) or await _row(moment.hosting, id)
            if row is not None and (row.status, row.blocked) != before[id]:
                self._said[id] = row.status, row.blocked
                said.append(_run(row))
        return "".join(said)

    async def _counts(self, moment: ListMoment) -> str:
        counts = await moment.hosting.engine.counts(self._filters.workflow or None)
        return region("run-chips", partial("run_chips", chips=runs_view.chips(counts, self._filters)))

    def _fresh(self, moment: ListMoment) -> str:
        found = runs_view.fresh(moment.newest, self._filters, self._since, most=NEWEST, href=self._href)
        return region("runs-fresh", partial("runs_fresh", fresh=found))

    @property
    def _href(self) -> str:
        return self._filters.href()


class LiveWorkflow(LiveRuns):
    """The page of one workflow: its table of runs, and whether something of it waits."""

    async def __call__(self, moment: ListMoment) -> str:
        id = self._filters.workflow
        waiting = partial(
            "workflow_waiting",
            questions=await moment.hosting.engine.open_questions(id),
            questions_href=f"/approvals?workflow={segment(id)}",
        )
        return region("workflow-waiting", waiting) + await super().__call__(moment)

    @property
    def _href(self) -> str:
        return workflow_href(self._filters.workflow, tab="runs")


def _run(row: RunRow) -> str:
    line = runs_view.line(row, time.time())
    return region(f"state-{line.key}", partial("run_state", row=line)) + region(
        f"took-{line.key}", partial("run_took", row=line)
    )


async def _row(hosting: Hosting, run_id: str) -> RunRow | None:
    try:
        return await hosting.engine.store.row(run_id)
    except UnknownRun:  # deleted meanwhile
        return None


class LiveCards:
    """The cards of the workflows: their last runs, their figures, and what waits. All of them after a reload."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._text = query.get("q", "")
        self._version = int(query.get("version") or 0)
        self._since = float(query.get("at") or 0)
        self._editor = query.get("editor", "none")
        self._numbers: dict[str, dict[str, int]] = {}

    async def __call__(self, moment: ListMoment) -> str:
        if moment.version != self._version:
            cards, problems = await cards_of(moment.hosting, self._text), problems_of(moment.hosting)
            return region("cards", partial("workflow_cards", editor=self._editor, cards=cards, problems=problems))
        said = []
        for workflow in await self._changed(moment):
            card = await card_of(moment.hosting, workflow)
            said.append(region(f"{card.id}-state", partial("card_state", card=card)))
            said.append(region(f"{card.id}-runs", partial("card_runs", card=card)))
        return "".join(said)

    async def _changed(self, moment: ListMoment) -> list[Workflow[Any, Any]]:
        """The workflows with other numbers than before, or whose newest runs have changed."""
        engine, before = moment.hosting.engine, self._numbers
        workflows = moment.hosting.catalog.workflows
        self._numbers = {id: await engine.counts(id) for id in workflows}
        later = [row for row in moment.newest if moment.first and row.updated_at.timestamp() > self._since]
        changed = {row.workflow_id for row in (*moment.rows, *later)}
        changed |= {id for id, now in self._numbers.items() if before.get(id, now) != now}
        return [one for id, one in workflows.items() if id in changed]


class LiveQuestions:
    """A page of questions: new ones come at its end, those that are answered say so where they are."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._workflow = query.get("workflow") or None
        self._after = query.get("after") or None
        self._is_last = not query.get("more")
        self._had = [token for token in query.get("have", "").split("/") if token][:MOST]
        self._came: dict[str, Suspension] = {}
        self._gone: dict[str, GoneView] = {}

    async def __call__(self, moment: ListMoment) -> str:
        engine = moment.hosting.engine
        room = len(self._had) + MOST_CAME
        found = await engine.suspensions(workflow=self._workflow, limit=room, after=self._after)
        open = {one.token: one for one in found.items}
        came = {token: one for token, one in open.items() if token not in self._had and token not in self._came}
        missing = [token for token in (*self._had, *self._came) if token not in open and token not in self._gone]
        gone = {token: await _gone(moment.hosting, token) for token in missing}
        self._gone |= gone
        said = [region("questions-open", partial("questions_open", total=await engine.open_questions(self._workflow)))]
        if self._is_last and (came or (moment.first and self._came)):
            self._came |= came
            said.append(region("questions-came", self._tail()))
        told = self._gone if moment.first else gone
        said += [region(f"ask-{one.token}", partial("question_gone", gone=one), "outerHTML") for one in told.values()]
        return "".join(said)

    def _tail(self) -> str:
        """Those that came, in order. What was typed into one stays: its element is passed over when it is there."""
        views = [
            self._gone.get(token) or question_view(one, is_open=False, back="list") for token, one in self._came.items()
        ]
        return partial("questions_came", came=views)


async def _gone(hosting: Hosting, token: str) -> GoneView:
    try:
        return gone_view(*await hosting.engine.store.suspension(token))
    except NotSuspended:  # its run was deleted
        return GoneView(token)


LIST_VIEWS.update(workflows=LiveCards, workflow=LiveWorkflow, runs=LiveRuns, approvals=LiveQuestions)
