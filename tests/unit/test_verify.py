"""What a check of a store finds."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from engine.events import Fact
from engine.values import Value
from engine.verify import examine, log_faults, main, verify
from tests.faults.disk import created, names, opened, said, started


def numbered(*facts: Fact) -> list[Fact]:
    for seq, fact in enumerate(facts, 1):
        fact.seq = seq
    return list(facts)


def begun(path: str, attempt: int) -> Fact:
    return Fact("step.started", path, attempt=attempt)


def done(path: str, attempt: int, kind: str = "step.succeeded") -> Fact:
    return Fact(kind, path, attempt=attempt)


def asked(token: str) -> Fact:
    return Fact("step.suspended", "q", data={"token": token})


def answered(token: str) -> Fact:
    return Fact("step.resumed", "q", data={"token": token})


@pytest.mark.parametrize(
    ("facts", "faults"),
    [
        ([begun("a", 1), done("a", 1, "step.retrying"), begun("a", 2), done("a", 2)], []),
        ([begun("a", 1), done("a", 1), begun("a", 2)], ["event 4 (step.started a): it had ended before"]),
        ([begun("a", 1), done("a", 1), Fact("run.forked"), begun("a", 1)], []),
        ([begun("a", 1), begun("a", 1)], ["event 3 (step.started a): attempt 1 after attempt 1"]),
        (
            [begun("a", 1), done("a", 1, "step.failed"), done("a", 1)],
            ["event 4 (step.succeeded a): a second outcome of attempt 1"],
        ),
        ([asked("t"), answered("t"), asked("u")], []),
        ([asked("t"), answered("t"), answered("t")], ["event 4 (step.resumed q): a second answer"]),
        ([asked("t"), asked("t")], ["event 3 (step.suspended q): the same question again"]),
        ([answered("t")], ["event 2 (step.resumed q): an answer to what was not asked"]),
        ([Fact("run.canceled"), Fact("step.late", "a"), Fact("log")], []),
        ([Fact("run.canceled"), begun("a", 1)], ["event 3 (step.started a): after the end"]),
    ],
)
def test_a_log_is_checked(facts: list[Fact], faults: list[str]) -> None:
    assert list(log_faults(numbered(created(), *facts))) == faults


def test_a_log_has_a_beginning_and_no_holes() -> None:
    facts = numbered(started(1), said(2))
    facts[1].seq = 3
    assert list(log_faults(facts)) == ["its events are not numbered 1 to 2", "it begins with run.started"]


async def a_store(path: Path) -> None:
    question = Fact("step.suspended", "q", data={"token": "t"}, value=Value(b"1"), seq=4, at=1.0)
    async with opened(path) as store:
        await store.append("r1", [created(), started(2), said(3, 50_000), question], epoch=1)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("UPDATE runs SET status = 'failed'", "run r1: the list says status 'failed', its events 'running'"),
        ("UPDATE runs SET ended = 1", "run r1: the list is wrong about whether it has ended"),
        ("UPDATE suspensions SET state = 'answered'", "run r1: the list of its questions differs from its events"),
        ("INSERT INTO tags VALUES ('x', 1)", "run r1: it is found under the tags ['x'], its events say []"),
        ("UPDATE blobs SET body = x'00'", "is not what was stored"),
        ("DELETE FROM blobs", "run r1: can't be read: the payload of event 3 is missing"),
        ("INSERT INTO blobs VALUES ('x', x'00')", "1 row of blobs belongs to nothing"),
        ("DELETE FROM events", "run r1: has no events"),
        ("DELETE FROM events WHERE seq = 2", "run r1: its events are not numbered 1 to 3"),
        ("UPDATE counts SET runs = 2", "2 runs are counted as running, 1 are"),
        ("DELETE FROM runs", "rows of events belong to nothing"),
        ("PRAGMA user_version = 9", "has format 9, this version knows 3"),
        ("PRAGMA application_id = 9", "not a store of this engine"),
    ],
)
async def test_a_change_from_outside_is_found(tmp_path: Path, change: str, finding: str) -> None:
    path = tmp_path / "runs.db"
    await a_store(path)
    assert verify(path) == []
    connection = apsw.Connection(str(path))
    connection.execute(change)
    connection.close()
    before = path.read_bytes()
    assert any(finding in found for found in verify(path))
    assert path.read_bytes() == before
    assert names(tmp_path) == ["runs.db"]


async def test_a_run_without_an_owner_is_a_note(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await a_store(path)
    assert [len(examine(path).notes), examine(path).runs] == [1, 1]
    async with opened(path) as store:
        await store.claim("r1")
        assert examine(path).notes == []


async def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.db"
    assert main([str(path)]) == 2
    await a_store(path)
    capsys.readouterr()
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{path}: 1 run, no faults"
    assert main([str(path), "--repair", str(tmp_path / "new.db")]) == 0
    assert verify(tmp_path / "new.db") == []
