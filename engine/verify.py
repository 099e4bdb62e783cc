"""Check a SQLite store: ``python -m engine verify FILE`` prints what is wrong with it, and exits with 1 if anything is.

With ``--repair NEW_FILE`` every run that can be read is copied to a new store, as far as it can be read.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from engine.errors import EngineError
from engine.events import ENDS, Fact
from engine.stores.fold import Folded, Question, fold
from engine.stores.sqlite import tables
from engine.stores.sqlite.files import beside, prepare
from engine.stores.sqlite.log import insert_run, keep_blob, load
from engine.stores.sqlite.owners import Owner
from engine.stores.sqlite.rows import INSERT, SELECT, Resolver, to_fact, to_row
from engine.stores.sqlite.tables import APPLICATION_ID, bring_up_to_date, connect, set_up_writer

_FINAL = frozenset({"step.succeeded", "step.bailed", "step.failed"})
_OUTCOMES = _FINAL | {"step.retrying"}
_AFTER_THE_END = frozenset({"log", "step.late"})
_FACTS = f"{SELECT} WHERE e.run = ? ORDER BY e.seq"
_KEYS = "SELECT key, run_id, hooked FROM runs ORDER BY key"
_ORPHANS = {
    "events": "SELECT count(*) FROM events WHERE run NOT IN (SELECT key FROM runs)",
    "suspensions": "SELECT count(*) FROM suspensions WHERE run NOT IN (SELECT key FROM runs)",
    "tags": "SELECT count(*) FROM tags WHERE run NOT IN (SELECT key FROM runs)",
    "requests": "SELECT count(*) FROM requests WHERE run NOT IN (SELECT key FROM runs)",
    "blobs": "SELECT count(*) FROM blobs WHERE hash NOT IN (SELECT blob FROM events WHERE blob IS NOT NULL)",
}


@dataclass
class Report:
    """What a check found: faults, and what is worth knowing."""

    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    runs: int = 0


def verify(path: str | Path) -> list[str]:
    """Everything that is wrong with a store; empty if nothing is. Reads only."""
    return examine(Path(path)).findings


def examine(path: Path) -> Report:
    """Check a store, reading only."""
    report = Report()
    try:
        with closing(_look(path)) as connection:
            cursor = connection.cursor()
            cursor.execute("BEGIN")  # one moment, whoever writes meanwhile
            if _is_known(cursor, report) and _is_whole(cursor, report):
                _check_rows(cursor, report)
                _check_counts(cursor, report)
                _check_runs(cursor, report, Owner(path.absolute()))
    except apsw.Error as error:
        report.findings.append(f"can't be read: {error}")
    return report


def _check_runs(cursor: apsw.Cursor, report: Report, us: Owner) -> None:
    for key, run_id, status, owner in _rows(cursor, "SELECT key, run_id, status, owner FROM runs ORDER BY key"):
        report.runs += 1
        report.findings += [f"run {run_id}: {fault}" for fault in _run_faults(cursor, key, run_id)]
        if status == "running" and (owner is None or not us.is_alive(owner)):
            report.notes.append(f"run {run_id} is running, but its owner is gone: the next engine takes it up")


def _rows(cursor: apsw.Cursor, query: str, *bindings: object) -> list[tuple[Any, ...]]:
    return cursor.execute(query, bindings).fetchall()


def _look(path: Path) -> apsw.Connection:
    """A connection that leaves no trace. Raises ``apsw.Error``."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    alone = "" if beside(path)[0].exists() else "?immutable=1"
    return apsw.Connection(path.absolute().as_uri() + alone, flags=flags)


def _is_known(cursor: apsw.Cursor, report: Report) -> bool:
    version = cursor.execute("PRAGMA user_version").get
    if cursor.execute("PRAGMA application_id").get != APPLICATION_ID:
        report.findings.append("not a store of this engine")
        return False
    if version != len(tables.MIGRATIONS):
        report.findings.append(f"has format {version}, this version knows {len(tables.MIGRATIONS)}")
        return False
    return True


def _is_whole(cursor: apsw.Cursor, report: Report) -> bool:
    found = [str(row[0]) for row in cursor.execute("PRAGMA integrity_check").fetchall()]
    if found != ["ok"]:
        report.findings += [f"damaged: {line}" for line in found]
    return found == ["ok"]


def _check_counts(cursor: apsw.Cursor, report: Report) -> None:
    listed = _counts(cursor, "SELECT workflow_id, status, runs FROM counts WHERE runs <> 0")
    counted = _counts(cursor, "SELECT workflow_id, status, count(*) FROM runs GROUP BY workflow_id, status")
    for workflow, status in sorted(listed.keys() | counted.keys()):
        said, is_true = listed.get((workflow, status), 0), counted.get((workflow, status), 0)
        if said != is_true:
            report.findings.append(f"workflow {workflow}: {said} runs are counted as {status}, {is_true} are")


def _counts(cursor: apsw.Cursor, query: str) -> dict[tuple[str, str], int]:
    return {(workflow, status): number for workflow, status, number in _rows(cursor, query)}


def _check_rows(cursor: apsw.Cursor, report: Report) -> None:
    for table, query in _ORPHANS.items():
        if count := cursor.execute(query).get:
            report.findings.append(f"{_plural(count, 'row')} of {table} belong{'s' if count == 1 else ''} to nothing")
    for (name,) in _rows(cursor, "SELECT hash FROM blobs"):
        body: Any = cursor.execute("SELECT body FROM blobs WHERE hash = ?", (name,)).get
        if hashlib.sha256(body).hexdigest() != name:
            report.findings.append(f"the payload {name} is not what was stored")


# -- one run


def _run_faults(cursor: apsw.Cursor, key: int, run_id: str) -> Iterator[str]:
    try:
        facts = [to_fact(row) for row in _rows(cursor, _FACTS, key)]
        resolver = Resolver(facts, lambda _: None)
        for fact in facts:
            resolver.resolve(fact)
    except (EngineError, ValueError, TypeError, KeyError) as error:
        yield f"can't be read: {error}"
        return
    if not facts:
        yield "has no events"
        return
    yield from log_faults(facts)
    yield from _table_faults(cursor, key, run_id, facts)


def log_faults(facts: Sequence[Fact]) -> Iterator[str]:
    """What is wrong with the log of a run, whatever the store."""
    if [fact.seq for fact in facts] != list(range(1, len(facts) + 1)):
        yield f"its events are not numbered 1 to {len(facts)}"
    if facts[0].type != "run.created":
        yield f"it begins with {facts[0].type}"
    for check in (_Steps(), _Questions(), _End()):
        for fact in facts:
            if fault := check.take(fact):
                yield f"event {fact.seq} ({fact.type} {fact.path or ''}): {fault}"


class _Steps:
    """No step starts after its outcome; attempts count up; each has one outcome."""

    def __init__(self) -> None:
        self._ended: set[str] = set()
        self._attempts: dict[str, int] = {}
        self._outcomes: set[tuple[str, int]] = set()

    def take(self, fact: Fact) -> str | None:
        path, attempt = fact.path, fact.attempt
        if fact.type == "run.forked":
            for seen in (self._ended, self._attempts, self._outcomes):  # what was copied before counts for itself
                seen.clear()
        if path is None:
            return None
        if fact.type == "step.started":
            return self._start(path, attempt)
        if fact.type in _OUTCOMES:
            return self._end(fact.type, path, attempt)
        return None

    def _start(self, path: str, attempt: int | None) -> str | None:
        if path in self._ended:
            return "it had ended before"
        if attempt is None:
            return None
        before = self._attempts.get(path, 0)
        self._attempts[path] = max(attempt, before)
        return None if attempt > before else f"attempt {attempt} after attempt {before}"

    def _end(self, kind: str, path: str, attempt: int | None) -> str | None:
        if kind in _FINAL:
            self._ended.add(path)
        if attempt is None:
            return None
        known = (path, attempt) in self._outcomes
        self._outcomes.add((path, attempt))
        return f"a second outcome of attempt {attempt}" if known else None


class _Questions:
    """Each question is asked once, and answered once at most."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._answered: set[str] = set()

    def take(self, fact: Fact) -> str | None:
        if fact.type not in ("step.suspended", "step.resumed"):
            return None
        token = str((fact.data or {}).get("token"))
        asks = fact.type == "step.suspended"
        seen = self._asked if asks else self._answered
        if token in seen:
            return "the same question again" if asks else "a second answer"
        seen.add(token)
        return None if asks or token in self._asked else "an answer to what was not asked"


class _End:
    """After the end of a run comes nothing but what was late."""

    def __init__(self) -> None:
        self._has_ended = False

    def take(self, fact: Fact) -> str | None:
        late = self._has_ended and fact.type not in _AFTER_THE_END
        self._has_ended = self._has_ended or fact.type in ENDS
        return "after the end" if late else None


def _table_faults(cursor: apsw.Cursor, key: int, run_id: str, facts: list[Fact]) -> Iterator[str]:
    rebuilt, questions = rebuild(facts)
    head = load(cursor, run_id)
    stored = head.folded if head is not None else Folded()
    for name in ("workflow_id", "status", "blocked", "resource_id", "tags", "parent_run_id", "version", "changed_at"):
        if getattr(stored, name) != getattr(rebuilt, name):
            yield f"the list says {name} {getattr(stored, name)!r}, its events {getattr(rebuilt, name)!r}"
    if cursor.execute("SELECT ended FROM runs WHERE key = ?", (key,)).get != rebuilt.ended:
        yield "the list is wrong about whether it has ended"
    tags = {tag for (tag,) in _rows(cursor, "SELECT tag FROM tags WHERE run = ?", key)}
    if tags != set(rebuilt.tags):
        yield f"it is found under the tags {sorted(tags)}, its events say {sorted(rebuilt.tags)}"
    listed = cursor.execute(
        "SELECT token, seq, path, state FROM suspensions WHERE run = ? ORDER BY id", (key,)
    ).fetchall()
    if listed != [(question.token, question.seq, question.path, question.state) for question in questions]:
        yield "the list of its questions differs from its events"


def rebuild(facts: Sequence[Fact]) -> tuple[Folded, list[Question]]:
    """The tables as the log says they are."""
    folded = Folded()
    delta = fold(folded, facts)
    return folded, delta.opened if delta else []


# -- repair


def repair(path: Path, target: Path, tell: Callable[[str], object]) -> int:
    """Copy what can be read of every run to a new store; returns how many runs were copied. Raises ``EngineError``."""
    place = prepare(target)
    copied = 0
    with closing(_look(path)) as source, closing(connect(place)) as connection:
        bring_up_to_date(connection, place)
        set_up_writer(connection)
        cursor = connection.cursor()
        for key, run_id, hooked in _keys(source):
            facts, complete = _readable(source, key)
            if facts:
                _copy(cursor, run_id, facts, hooked=hooked)
                copied += 1
            if not complete:
                tell(f"run {run_id}: only its first {len(facts)} events could be read")
        try:
            rows = source.execute("SELECT version, body FROM definitions").fetchall()
            cursor.executemany("INSERT INTO definitions VALUES (?, ?)", rows)
        except apsw.Error as error:
            tell(f"the definitions of workflows could not be read: {error}")
    return copied


def _keys(source: apsw.Connection) -> list[tuple[Any, ...]]:
    """The runs that can be found, from both ends, since a damaged page hides what is behind it."""
    found: dict[int, tuple[Any, ...]] = {}
    row: tuple[Any, ...]
    for query in (_KEYS, f"{_KEYS} DESC"):
        try:
            for row in source.execute(query):
                found.setdefault(row[0], row)
        except apsw.Error:
            continue
    return [found[key] for key in sorted(found)]


def _readable(source: apsw.Connection, key: int) -> tuple[list[Fact], bool]:
    """The first facts of a run, up to what can't be read."""
    facts: list[Fact] = []
    try:
        for row in source.execute(_FACTS, (key,)):
            fact = to_fact(row)
            if fact.seq != len(facts) + 1:
                return facts, False
            facts.append(fact)
    except (apsw.Error, EngineError, ValueError, TypeError):
        return facts, False
    return facts, True


def _copy(cursor: apsw.Cursor, run_id: str, facts: list[Fact], *, hooked: int) -> None:
    folded, questions = rebuild(facts)
    cursor.execute("BEGIN IMMEDIATE")
    insert_run(cursor, run_id, folded, owner=None)
    key = cursor.connection.last_insert_rowid()
    if hooked:
        cursor.execute("UPDATE runs SET hooked = 1 WHERE key = ?", (key,))
    cursor.executemany(INSERT, [to_row(key, fact, lambda value: keep_blob(cursor, value)) for fact in facts])
    asked = [(one.token, key, one.seq, one.path, one.state) for one in questions]
    cursor.executemany("INSERT INTO suspensions (token, run, seq, path, state) VALUES (?, ?, ?, ?, ?)", asked)
    cursor.execute("COMMIT")


# -- the command


def main(arguments: Sequence[str]) -> int:
    """Check, and repair if asked to; 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(
        "python -m engine verify", description="Check a SQLite store of runs, reading only."
    )
    parser.add_argument("file", type=_file, help="the store: runs.db or sqlite:///runs.db")
    parser.add_argument(
        "--repair", type=_file, metavar="NEW_FILE", help="copy every run that can be read to a new file"
    )
    chosen = parser.parse_args(arguments)
    if not chosen.file.is_file():
        _say(f"{chosen.file} is not a file")
        return 2
    report = examine(chosen.file)
    for note in report.notes:
        _say(f"note: {note}")
    for finding in report.findings:
        _say(finding)
    _say(f"{chosen.file}: {_plural(report.runs, 'run')}, {_plural(len(report.findings), 'fault')}")
    if chosen.repair is not None:
        if chosen.repair.exists():
            _say(f"{chosen.repair} exists; name a new file")
            return 2
        try:
            _say(f"{chosen.repair}: {_plural(repair(chosen.file, chosen.repair, _say), 'run')} copied")
        except (EngineError, apsw.Error) as error:
            _say(f"could not be repaired: {error}")
            return 2
    return 1 if report.findings else 0


def _file(given: str) -> Path:
    """The file of a path or of a ``sqlite:///`` URL."""
    return Path(given.removeprefix("sqlite:///").partition("?")[0] if given.startswith("sqlite:///") else given)


def _plural(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
