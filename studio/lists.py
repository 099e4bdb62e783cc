"""The lists, looked at for everybody who watches one: what has changed, and the frame that says it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from urllib.parse import parse_qsl

from engine import EngineError, RunRow
from studio.hosting import Hosting
from studio.live import Frame, ListMoment, ListView, list_text, list_view
from studio.waking import Signal

log = logging.getLogger("studio")

LIST_PACE = 0.5
"""Seconds between two looks at the lists."""

NEWEST = 100
"""Runs that are watched for changes in the lists."""


class Lists:
    """What changes in the lists, looked for while anybody looks."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self.viewers = 0
        self._rows: dict[str, RunRow] = {}
        self._latest: ListMoment | None = None
        self._number = 0
        self._asked: Counter[str] = Counter()
        self._views: dict[str, ListView | None] = {}
        self._made: dict[tuple[str, bool], asyncio.Task[str]] = {}
        """Texts of the frame with the latest number: those who ask alike share them."""
        self._failed: set[str] = set()
        """What pages ask for that lack something: their next frame has all of it again."""
        self._moved = Signal()
        self._task = asyncio.create_task(self._look(), name="lists")

    def close(self) -> None:
        """Nobody looks any more."""
        self._task.cancel()

    def enter(self, query: str) -> None:
        """A viewer comes, who asks for this."""
        self.viewers += 1
        self._asked[query] += 1
        if query not in self._views:
            self._views[query] = list_view(dict(parse_qsl(query)))

    def leave(self, query: str) -> None:
        """It goes."""
        self.viewers -= 1
        self._asked[query] -= 1
        if not self._asked[query]:
            del self._asked[query], self._views[query]
            self._failed.discard(query)

    async def _look(self) -> None:
        while True:
            try:
                moment = await self._moment()
            except EngineError as error:
                log.debug("the lists can't be read: %s", error)
            except Exception:
                log.exception("the lists can't be read")
            else:
                self._tell(moment)
            await asyncio.sleep(LIST_PACE)

    async def _moment(self) -> ListMoment:
        hosting = self._hosting
        rows = {row.run_id: row for row in (await hosting.engine.list_runs(limit=NEWEST)).items}
        before, self._rows = self._rows, rows
        return ListMoment(
            hosting=hosting,
            counts=await hosting.engine.counts(),
            questions=await hosting.engine.open_questions(),
            rows=tuple(row for id, row in rows.items() if _shown(before.get(id)) != _shown(row)),
            newest=tuple(rows.values()),
            version=hosting.catalog.version,
            first=self._latest is None,
        )

    def _tell(self, moment: ListMoment) -> None:
        before = self._latest
        if before is None or moment.rows or _numbers(before) != _numbers(moment):
            self._latest = moment
            self._made.clear()
            self._number += 1
            self._moved.wake()

    async def next(self, cursor: int, query: str = "") -> Frame | None:
        """The next frame; what a viewer who comes now sees first is how everything is."""
        while self._number == cursor or self._latest is None:
            await self._moved.wait()
        number, latest = self._number, self._latest
        is_whole = cursor != number - 1 or latest.first or query in self._failed
        made = self._made.get((query, True)) or self._made.get((query, is_whole))  # the view has told it all then
        if made is None:
            moment = replace(latest, rows=(), first=True) if is_whole else latest
            made = self._made[query, is_whole] = asyncio.create_task(self._text(moment, query))
        return Frame(cursor, number, await asyncio.shield(made))

    async def _text(self, moment: ListMoment, query: str) -> str:
        view = self._views.get(query)
        html = ""
        if view is not None:
            try:
                html = await view(moment)
                self._failed.discard(query)
            except EngineError as error:
                log.debug("a list can't be read: %s", error)
                self._failed.add(query)
            except Exception:
                log.exception("the list for %r failed", query)
                self._failed.add(query)
        return list_text(moment, html)


def _numbers(moment: ListMoment) -> tuple[object, ...]:
    return moment.counts, moment.questions, moment.version


def _shown(row: RunRow | None) -> tuple[object, ...] | None:
    """What there is to see of a run; one that asks again and again looks the same but for the time."""
    return None if row is None else (row.status, row.blocked, row.updated_at if row.status == "suspended" else None)
