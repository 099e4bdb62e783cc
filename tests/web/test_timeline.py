"""Bars of the timeline: attempts, waits, and idle time that is drawn short."""

from __future__ import annotations

from datetime import UTC, datetime

from engine import Event, StepRecord
from studio.views.timeline import Bar, Gap, Row, timeline


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(1_000_000 + seconds, UTC)


def record(status: str, begin: float, end: float | None, attempts: int = 1) -> StepRecord:
    ended = None if end is None else at(end)
    return StepRecord(status, attempts=attempts, started_at=at(begin), ended_at=ended)


def event(seq: int, seconds: float, type: str, path: str) -> Event:
    return Event(seq, "r", at(seconds), type, path)


def test_steps_are_bars_in_per_cent_in_the_order_in_which_they_began() -> None:
    records = {"b": record("failed", 1, 4), "a": record("success", 0, 1)}
    found = timeline(records, {"a": "success", "b": "failed"}, [], 1_000_010)
    assert found.rows == (
        Row("a", "a", 0, "success", (Bar(0, 25, "success", "success 1 s"),), "1 s", 1, 1),
        Row("b", "b", 0, "failed", (Bar(25, 75, "failed", "failed 3 s"),), "3 s", 1, 3),
    )
    assert (found.gaps, found.total, found.left_out) == ((), "4 s", 0)


def test_an_attempt_that_failed_and_the_wait_after_it_are_parts_of_their_own() -> None:
    records = {"a": record("success", 0, 4, attempts=2)}
    events = [
        event(1, 0, "step.started", "a"),
        event(2, 1, "step.retrying", "a"),
        event(3, 2, "step.started", "a"),
        event(4, 4, "step.succeeded", "a"),
    ]
    [row] = timeline(records, {"a": "success"}, events, 1_000_010).rows
    assert row.bars == (
        Bar(0, 25, "failed", "failed 1 s"),
        Bar(25, 25, "retrying", "retrying 1 s", waits=True),
        Bar(50, 50, "success", "success 2 s"),
    )


def test_attempts_from_before_the_known_events_are_one_bar_and_it_says_so() -> None:
    records = {"a": record("success", 0, 4, attempts=2), "b": record("success", 4, 5)}
    begun = Event(9, "r", at(4), "step.started", "b", 1)
    found = timeline(records, {"a": "success", "b": "success"}, [begun, event(10, 5, "step.succeeded", "b")], 1_000_010)
    assert [len(row.bars) for row in found.rows] == [1, 1]
    assert found.since == 9
    alone = timeline({"b": records["b"]}, {"b": "success"}, [begun, event(10, 5, "step.succeeded", "b")], 1_000_010)
    assert alone.since == 0  # nothing is missing


def test_time_in_which_only_a_person_is_waited_for_is_drawn_short_and_told() -> None:
    records = {"ask": record("suspended", 0, None)}
    events = [event(1, 0, "step.started", "ask"), event(2, 10, "step.suspended", "ask")]
    found = timeline(records, {"ask": "suspended"}, events, 1_000_000 + 3610)
    assert found.gaps == (Gap(58.528, 8.779, "1 h 00 m"),)
    [row] = found.rows
    assert [(bar.start, bar.width, bar.status, bar.waits) for bar in row.bars] == [
        (0, 58.528, "success", False),
        (58.528, 41.472, "suspended", True),  # it has no end: it reaches to the edge
    ]
    assert (row.bars[1].label, row.took) == ("suspended since 13:46:50", "waiting")
    later = timeline(records, {"ask": "suspended"}, events, 1_000_000 + 7200)
    assert (later.rows[0].bars, later.gaps) == (row.bars, (Gap(58.528, 8.779, "1 h 59 m"),))


def test_what_runs_still_moves_and_reaches_to_the_edge() -> None:
    found = timeline({"a": record("running", 0, None)}, {"a": "running"}, [], 1_000_002)
    assert found.rows[0].bars == (Bar(0, 100, "running", "running since 13:46:40", moves=True),)
    assert found.rows[0].took == "running"


def test_while_a_run_goes_on_the_scale_grows_in_steps_and_what_is_drawn_stays() -> None:
    def rows(now: float) -> list[Row]:
        records = {"a": record("success", 0, 1), "b": record("running", 1, None)}
        return list(timeline(records, {"a": "success", "b": "running"}, [], 1_000_000 + now).rows)

    widths = {row.bars[0].width for now in range(2, 200) for row in rows(now) if row.name == "a"}
    assert len(widths) == 13  # each is two thirds of the one before
    assert [row.bars for row in rows(60)] == [row.bars for row in rows(70)]


def test_of_very_many_rows_the_first_are_left_out_many_at_a_time() -> None:
    def left_out(count: int) -> int:
        records = {f"s{n}": record("success", n, n + 1) for n in range(count)}
        return timeline(records, {}, [], 1_002_000).left_out

    assert [left_out(count) for count in (200, 201, 250, 251)] == [0, 50, 50, 100]


def test_a_step_that_was_left_out_has_no_row_and_nothing_has_none() -> None:
    assert timeline({"a": StepRecord("skipped")}, {"a": "skipped"}, [], 0).rows == ()
    assert timeline({}, {}, [], 0).total == "0 ms"
