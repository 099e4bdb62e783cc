"""A store in plain dicts: nothing outlives the process, nothing is shared, nothing waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from itertools import count, islice
from typing import Any

from pydantic_core import to_json

from engine.clock import as_datetime
from engine.errors import Fenced, NotSuspended, RunExists, RunInFlight, StoreError, UnknownRun
from engine.events import BEFORE_START, Fact
from engine.store import Claim, EventFilter, Page, Request, RunFilter, RunRow, Suspension
from engine.stores.fold import LOUD, Folded, Question, expiry, fold
from engine.stores.paging import position


class _Run:
    """One run: its log, and the folds of it."""

    __slots__ = ("epoch", "facts", "folded", "hooked", "key", "owned")

    def __init__(self, key: int) -> None:
        self.key = key
        self.facts: list[Fact] = []
        self.folded = Folded()
        self.epoch = 1
        self.owned = True
        self.hooked = False


class MemoryStore:
    """Runs in memory. Reads are safe from any thread, since they copy what they look at in one step."""

    durable = False
    shared = False
    trouble: str | None = None

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._keys = count(1)
        self._questions: dict[int, tuple[str, Question]] = {}
        self._question_ids = count(1)
        self._by_token: dict[str, list[int]] = {}
        self._definitions: dict[str, dict[str, Any]] = {}
        self._requests: dict[int, Request] = {}
        self._replies: dict[int, dict[str, Any]] = {}
        self._request_ids = count(1)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Let every run go; what it holds stays readable while the object lives."""
        for run in self._runs.values():
            run.owned = False

    # -- the log

    async def append(self, run_id: str, facts: Sequence[Fact], *, epoch: int, solo: bool = False) -> None:  # noqa: ARG002
        """See :class:`engine.store.Store`."""
        run = self._runs.get(run_id)
        first = facts[0]
        if first.type == "run.created":
            if run is not None:
                raise RunExists(f"a run with the id {run_id!r} exists already; choose another id")
            run = _Run(next(self._keys))
            self._record(run_id, run, facts)
            self._runs[run_id] = run
            return
        if run is None:
            raise _unknown(run_id)
        if run.epoch != epoch:
            raise Fenced(f"run {run_id!r} was taken over (epoch {run.epoch}, not {epoch}); it goes on elsewhere")
        folded = run.folded
        if not folded.open:
            for fact in facts:
                if fact.type in LOUD:
                    break
            else:  # nearly always: only the log grows
                if first.seq != folded.last + 1:
                    raise _out_of_order(run_id, first, folded)
                run.facts.extend(facts)
                folded.last = facts[-1].seq
                return
        self._record(run_id, run, facts)

    def _record(self, run_id: str, run: _Run, facts: Sequence[Fact]) -> None:
        if facts[0].seq != run.folded.last + 1:
            raise _out_of_order(run_id, facts[0], run.folded)
        run.facts.extend(facts)
        delta = fold(run.folded, facts)
        for question in delta.opened if delta else ():
            number = next(self._question_ids)
            self._by_token.setdefault(question.token, []).append(number)
            self._questions[number] = (run_id, question)

    async def read(self, run_id: str, *, after: int = 0, limit: int | None = None, resolve: bool = False) -> list[Fact]:  # noqa: ARG002
        """See :class:`engine.store.Store`. Payloads are always here, so there is nothing to resolve."""
        run = self._run(run_id)
        return [_shell(fact) for fact in run.facts[max(after, 0) : None if limit is None else max(after, 0) + limit]]

    async def find(self, run_id: str, where: EventFilter, *, limit: int, newest: bool = False) -> list[Fact]:
        """See :class:`engine.store.Store`."""
        found = self._facts(run_id, where)
        if not newest:
            return [_shell(fact) for fact in islice(filter(where.lets_through, found), limit)]
        last = list(islice(filter(where.lets_through, reversed(found)), limit))
        return [_shell(fact) for fact in reversed(last)]

    async def count_facts(self, run_id: str, where: EventFilter) -> dict[str, int]:
        """See :class:`engine.store.Store`."""
        return dict(Counter(fact.type for fact in self._facts(run_id, where) if where.lets_through(fact)))

    def _facts(self, run_id: str, where: EventFilter) -> list[Fact]:
        end = None if where.before is None else max(where.before - 1, 0)
        return self._run(run_id).facts[max(where.after, 0) : end]

    async def last_seq(self, run_id: str) -> int:
        """See :class:`engine.store.Store`."""
        return self._run(run_id).folded.last

    # -- ownership

    async def epochs(self, run_ids: Sequence[str]) -> dict[str, int]:
        """See :class:`engine.store.Store`."""
        return {run_id: run.epoch for run_id in run_ids if (run := self._runs.get(run_id)) is not None}

    async def claim(self, run_id: str, *, force: bool = False) -> Claim | None:  # noqa: ARG002
        """See :class:`engine.store.Store`."""
        run = self._run(run_id)
        run.epoch += 1
        run.owned = True
        return Claim(run_id, run.epoch, None)

    async def release(self, run_id: str, *, epoch: int) -> None:
        """See :class:`engine.store.Store`."""
        run = self._runs.get(run_id)
        if run is not None and run.epoch == epoch:
            run.owned = False

    async def claimable(self, workflow_ids: Sequence[str]) -> list[str]:
        """See :class:`engine.store.Store`."""
        wanted = set(workflow_ids)
        return [
            run_id
            for run_id, run in self._runs.copy().items()
            if not run.owned and not run.folded.ended and run.folded.workflow_id in wanted
        ]

    # -- calls between processes

    async def post(self, run_id: str, verb: str, body: Mapping[str, Any]) -> int:
        """See :class:`engine.store.Store`."""
        self._run(run_id)
        number = next(self._request_ids)
        self._requests[number] = Request(number, run_id, verb, dict(body))
        return number

    async def requests(self) -> list[Request]:
        """See :class:`engine.store.Store`."""
        runs = self._runs
        return [request for request in self._requests.values() if request.run_id in runs and runs[request.run_id].owned]

    async def reply(self, request_id: int, body: Mapping[str, Any]) -> None:
        """See :class:`engine.store.Store`."""
        if self._requests.pop(request_id, None) is not None:
            self._replies[request_id] = dict(body)

    async def reply_to(self, request_id: int) -> dict[str, Any] | None:
        """See :class:`engine.store.Store`."""
        return self._replies.pop(request_id, None)

    def changed(self) -> bool:
        """Nobody else writes here."""
        return False

    # -- lists

    async def row(self, run_id: str) -> RunRow:
        """See :class:`engine.store.Store`."""
        return _row(run_id, self._run(run_id))

    async def list_runs(self, where: RunFilter, *, limit: int, after: str | None) -> Page[RunRow]:
        """See :class:`engine.store.Store`."""
        before = position(after)
        found = []
        for run_id, run in reversed(self._runs.copy().items()):
            if (before is None or run.key < before) and _fits(run_id, run.folded, where):
                found.append((run.key, _row(run_id, run)))
                if len(found) > limit:
                    return Page([row for _, row in found[:limit]], str(found[limit - 1][0]))
        return Page([row for _, row in found], None)

    async def list_suspensions(
        self, *, run_id: str | None, workflow: str | None, limit: int, after: str | None
    ) -> Page[Suspension]:
        """See :class:`engine.store.Store`."""
        start = position(after) or 0
        found: list[tuple[int, Suspension]] = []
        for number, (owner, question) in self._questions.copy().items():
            if number <= start or question.state != "open" or (run_id is not None and owner != run_id):
                continue
            run = self._runs[owner]
            if workflow is None or run.folded.workflow_id == workflow:
                found.append((number, _suspension(owner, run, question)))
                if len(found) > limit:
                    return Page([item for _, item in found[:limit]], str(found[limit - 1][0]))
        return Page([item for _, item in found], None)

    async def counts(self, workflow: str | None) -> dict[str, int]:
        """See :class:`engine.store.Store`."""
        runs = self._runs.copy().values()
        return dict(Counter(run.folded.status for run in runs if workflow in (None, run.folded.workflow_id)))

    async def open_questions(self, workflow: str | None) -> int:
        """See :class:`engine.store.Store`."""
        runs = self._runs.copy()
        return sum(
            question.state == "open" and workflow in (None, runs[owner].folded.workflow_id)
            for owner, question in self._questions.copy().values()
            if owner in runs
        )

    async def suspension(self, token: str) -> tuple[Suspension, str]:
        """See :class:`engine.store.Store`."""
        known = [self._questions[number] for number in self._by_token.get(token, ())]
        if not known:
            raise NotSuspended(f"no question has the token {token!r}")
        run_id, question = next((one for one in known if one[1].state == "open"), known[0])
        return _suspension(run_id, self._runs[run_id], question), question.state

    # -- the rest

    async def put_definition(self, version: str, definition: Mapping[str, Any]) -> None:
        """See :class:`engine.store.Store`."""
        if version not in self._definitions:
            self._definitions[version] = dict(definition)

    async def definition(self, version: str) -> dict[str, Any] | None:
        """See :class:`engine.store.Store`."""
        return self._definitions.get(version)

    async def mark_hooked(self, run_id: str) -> None:
        """See :class:`engine.store.Store`."""
        run = self._run(run_id)
        run.hooked = True
        run.owned = False

    async def unhooked(self, workflow_ids: Sequence[str]) -> list[str]:
        """See :class:`engine.store.Store`."""
        wanted = set(workflow_ids)
        return [
            run_id
            for run_id, run in self._runs.copy().items()
            if not run.owned and not run.hooked and run.folded.ended and run.folded.workflow_id in wanted
        ]

    async def delete(self, run_id: str) -> None:
        """See :class:`engine.store.Store`."""
        run = self._run(run_id)
        if not run.folded.ended and any(fact.type not in BEFORE_START for fact in run.facts):
            raise RunInFlight(f"run {run_id!r} has not ended; cancel it first")
        self._remove([run_id])

    async def prune(self, *, before: datetime, status: Sequence[str]) -> int:
        """See :class:`engine.store.Store`."""
        gone = [
            run_id
            for run_id, run in self._runs.copy().items()
            if run.folded.ended
            and run.folded.changed_at < before.timestamp()
            and (not status or run.folded.status in status)
        ]
        self._remove(gone)
        return len(gone)

    def _remove(self, run_ids: Iterable[str]) -> None:
        gone = set(run_ids)
        for number in [number for number, (run_id, _) in self._questions.items() if run_id in gone]:
            token = self._questions.pop(number)[1].token
            self._by_token[token].remove(number)
            if not self._by_token[token]:
                del self._by_token[token]
        for request in [request for request in self._requests.values() if request.run_id in gone]:
            del self._requests[request.id]
        for run_id in gone:
            del self._runs[run_id]

    def _run(self, run_id: str) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise _unknown(run_id)
        return run


def _unknown(run_id: str) -> UnknownRun:
    return UnknownRun(f"no run has the id {run_id!r}; it may have been deleted, or be in another store")


def _out_of_order(run_id: str, fact: Fact, folded: Folded) -> StoreError:
    return StoreError(f"run {run_id!r}: fact {fact.seq} does not follow fact {folded.last}; nothing was written")


def _shell(fact: Fact) -> Fact:
    """A fact as a store gives it back: without its place in the tree of cells."""
    copy = Fact(fact.type, fact.path, attempt=fact.attempt, data=fact.data, value=fact.value, seq=fact.seq, at=fact.at)
    copy.ref = fact.ref
    return copy


def _row(run_id: str, run: _Run) -> RunRow:
    folded = run.folded
    return RunRow(
        run_id,
        folded.workflow_id,
        folded.status,
        folded.blocked,
        folded.resource_id,
        folded.tags,
        as_datetime(folded.created_at),
        as_datetime(run.facts[-1].at),
        folded.parent_run_id,
        folded.version,
    )


def _suspension(run_id: str, run: _Run, question: Question) -> Suspension:
    fact = run.facts[question.seq - 1]
    data = fact.data or {}
    return Suspension(
        token=question.token,
        run_id=run_id,
        workflow_id=run.folded.workflow_id,
        path=question.path,
        label=data.get("label"),
        title=data.get("title"),
        payload=None if fact.value is None else fact.value.plain(),
        schema=deepcopy(data.get("schema")),
        created_at=as_datetime(fact.at),
        expires_at=expiry(data),
    )


def _fits(run_id: str, run: Folded, where: RunFilter) -> bool:
    return (
        (where.workflow is None or run.workflow_id == where.workflow)
        and (not where.status or run.status in where.status)
        and (where.resource_id is None or run.resource_id == where.resource_id)
        and (where.tag is None or where.tag in run.tags)
        and (where.since is None or run.created_at >= where.since.timestamp())
        and (where.until is None or run.created_at < where.until.timestamp())
        and (where.text is None or _has_text(run_id, run, where.text))
    )


def _has_text(run_id: str, run: Folded, text: str) -> bool:
    tags = to_json(run.tags).decode() if run.tags else ""
    places = (run_id, run.workflow_id, run.resource_id or "", tags)
    return any(_folded_case(text) in _folded_case(place) for place in places)


def _folded_case(text: str) -> str:
    """Without upper case, as SQLite compares: ASCII only."""
    return "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in text)
