"""What follows from a fact, decided with plain values: no loop, no clock, no store, no user code."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Workflow, chain, create_workflow
from engine.advance import advance
from engine.apply import apply
from engine.cells import Cell
from engine.commands import (
    Again,
    Begin,
    CancelRun,
    Check,
    Choose,
    Command,
    Drop,
    Fail,
    Finish,
    Invoke,
    Leave,
    Wake,
)
from engine.errors import StoreCorrupt
from engine.events import Fact
from engine.state import RunState
from engine.values import Value
from tests.fixtures import add

Flow = Workflow[Any, Any]
NOTHING: Any = object()
ERROR = {"type": "ValueError", "message": "no"}


class Story:
    """A run told fact by fact. Time is the number of the fact."""

    def __init__(self, flow: Flow, input: Any = None) -> None:
        self.state = RunState("r", flow.plan)
        self.facts: list[Fact] = []
        self.tell("run.created", workflow_id=flow.id)
        self.first = self.tell("run.started", value=input)

    def tell(self, type: str, path: str | None = None, *, value: Any = NOTHING, **data: Any) -> list[str]:
        """A fact happens: what follows?"""
        payload = None if value is NOTHING else Value.of(value)
        seq = self.state.seq + 1
        attempt = 1 if type == "step.started" else None
        fact = Fact(type, path, data=data or None, value=payload, seq=seq, at=float(seq), attempt=attempt)
        apply(self.state, fact)
        self.facts.append(fact)
        return [shown(command) for command in advance(self.state, fact)]

    def start(self, path: str, **data: Any) -> list[str]:
        """A node starts."""
        return self.tell("step.started", path, **data)

    def done(self, path: str, value: Any = NOTHING) -> list[str]:
        """A node succeeds."""
        return self.tell("step.succeeded", path, value=value)

    def run(self, path: str, value: Any = NOTHING) -> list[str]:
        """A leaf starts and succeeds."""
        self.start(path)
        return self.done(path, value)

    def broken(self, path: str) -> list[str]:
        """A node fails for good."""
        return self.tell("step.failed", path, error=ERROR)

    def statuses(self) -> dict[str, str]:
        """The status of every cell."""
        return {path: cell.status for path, cell in self.state.cells.items()}


def shown(command: Command) -> str:
    """A command as a short line."""
    match command:
        case Begin(site=site):
            return f"begin {site.path} {json(site.input)}"
        case Finish(frame=frame, output=output):
            return f"finish {frame.path or 'run'}" + (f" {json(output)}" if output is not None else "")
        case Fail(frame=frame, error=error):
            return f"fail {frame.path or 'run'} {error['type']}"
        case Wake(cell=cell, at=at, mark=mark):
            return f"wake {cell.path} {at:g} {mark}"
        case Leave(frame=frame, output=output):
            return f"leave {frame.path or 'run'} {json(output)}"
        case CancelRun():
            return "cancel"
        case Drop(frame=frame) | Choose(frame=frame) | Check(frame=frame):
            return f"{type(command).__name__.lower()} {frame.path or 'run'}"
        case Again(cell=cell) | Invoke(cell=cell):
            return f"{type(command).__name__.lower()} {cell.path}"


def json(value: Value) -> str:
    """A value as JSON text."""
    return value.raw.decode()


def flow() -> Flow:
    """An empty workflow."""
    return create_workflow(id="w")


# -- one after another


def test_a_sequence_begins_its_first_child_with_the_input_and_hands_each_output_on() -> None:
    story = Story(flow().then(add("a")).then(add("b")), 1)
    assert story.first == ["begin a 1"]
    assert story.start("a") == ["invoke a"]
    assert story.done("a", 2) == ["begin b 2"]
    assert story.run("b", 3) == ["finish run 3"]


def test_a_failed_child_fails_the_sequence() -> None:
    story = Story(flow().then(add("a")).then(add("b")), 1)
    story.start("a")
    assert story.broken("a") == ["fail run ValueError"]


def test_a_nested_workflow_and_a_chain_begin_and_finish_like_the_run_itself() -> None:
    story = Story(flow().then(create_workflow(id="v").then(chain("c").then(add("a")))), 1)
    assert story.first == ["begin v 1"]
    assert story.start("v") == ["begin v/c 1"]
    assert story.start("v/c") == ["begin v/c/a 1"]
    assert story.run("v/c/a", 2) == ["finish v/c 2"]
    assert story.done("v/c") == ["finish v 2"]
    assert story.done("v") == ["finish run 2"]


# -- side by side


def test_a_parallel_begins_all_arms_with_its_input_and_finishes_with_the_last() -> None:
    story = Story(flow().parallel([add("a"), add("b")]), 1)
    assert story.start("parallel-1") == ["begin a 1", "begin b 1"]
    assert [story.start(arm) for arm in "ab"] == [["invoke a"], ["invoke b"]]
    assert story.done("b", 3) == []
    assert story.done("a", 2) == ["finish parallel-1"]
    assert story.done("parallel-1") == ['finish run {"a":2,"b":3}']


def test_with_concurrency_the_next_arm_takes_the_free_slot() -> None:
    story = Story(flow().parallel([add("a"), add("b"), add("c")], concurrency=2), 1)
    assert story.start("parallel-1") == ["begin a 1", "begin b 1"]
    assert [story.start(arm) for arm in "ab"] == [["invoke a"], ["invoke b"]]
    assert story.done("b", 2) == ["begin c 1"]


def test_a_parallel_waits_for_all_then_fails_with_the_first_failed_in_order() -> None:
    story = Story(flow().parallel([add("a"), add("b"), add("c")]), 1)
    story.start("parallel-1")
    for arm in "abc":
        story.start(arm)
    assert story.broken("b") == []
    assert story.tell("step.failed", "a", error={**ERROR, "type": "First"}) == []
    assert story.done("c", 1) == ["fail parallel-1 First"]


def test_arms_that_only_wait_are_dropped_when_another_has_failed() -> None:
    story = Story(flow().parallel([add("a"), add("b")]), 1)
    story.start("parallel-1")
    story.start("a")
    story.start("b")
    assert story.tell("step.suspended", "a", value=None, token="t") == []
    assert story.broken("b") == ["drop parallel-1"]


def test_a_branch_asks_first_and_begins_what_was_chosen() -> None:
    story = Story(flow().branch([("true", add("a")), ("true", add("b"))], otherwise=add("c")), 1)
    assert story.start("branch-1") == ["choose branch-1"]
    assert story.tell("branch.chosen", "branch-1", arms=["b"], values=[False, True]) == ["begin b 1"]
    assert story.run("b", 2) == ["finish branch-1"]
    assert story.done("branch-1") == ['finish run {"b":2}']


def test_a_branch_that_chose_nothing_is_done() -> None:
    story = Story(flow().branch([("true", add("a"))]), 1)
    story.start("branch-1")
    assert story.tell("branch.chosen", "branch-1", arms=[], values=[False]) == ["finish branch-1"]


# -- again and again


def test_a_loop_runs_once_then_asks_after_each_round() -> None:
    story = Story(flow().do_while(add("a"), "true"), 1)
    assert story.start("a") == ["begin a[0] 1"]
    assert story.run("a[0]", 2) == ["check a"]
    assert story.tell("loop.checked", "a", iteration=0, value=True, again=True) == ["begin a[1] 2"]
    assert story.run("a[1]", 3) == ["check a"]
    assert story.tell("loop.checked", "a", iteration=1, value=False, again=False) == ["finish a 3"]


def test_a_loop_that_would_go_past_its_limit_fails() -> None:
    story = Story(flow().do_while(add("a"), "true", max_iterations=1), 1)
    story.start("a")
    story.run("a[0]", 2)
    assert story.tell("loop.checked", "a", iteration=0, value=True, again=True) == ["fail a LoopLimit"]


def test_a_foreach_begins_as_many_items_as_may_run_and_slides() -> None:
    story = Story(flow().foreach(add("a"), concurrency=2), [5, 6, 7])
    assert story.start("a", at_once=2, total=3) == ["begin a[0] 5", "begin a[1] 6"]
    assert [story.start(f"a[{item}]") for item in (0, 1)] == [["invoke a[0]"], ["invoke a[1]"]]
    assert story.tell("step.suspended", "a[0]", value=None, token="t") == []
    assert story.done("a[1]", 60) == ["begin a[2] 7"]
    assert story.run("a[2]", 70) == []
    assert story.tell("step.resumed", "a[0]", value="yes", token="t") == ["again a[0]"]
    assert story.start("a[0]") == ["invoke a[0]"]
    assert story.done("a[0]", 50) == ["finish a"]
    assert story.done("a") == ["finish run [50,60,70]"]


def test_after_a_failed_item_nothing_new_begins() -> None:
    story = Story(flow().foreach(add("a"), concurrency=2), [5, 6, 7])
    story.start("a", at_once=2, total=3)
    story.start("a[0]")
    story.start("a[1]")
    assert story.broken("a[1]") == []
    assert story.done("a[0]", 50) == ["fail a ValueError"]


def test_an_empty_foreach_is_done() -> None:
    assert Story(flow().foreach(add("a")), []).start("a", at_once=1, total=0) == ["finish a"]


# -- failures that are caught, waits, answers


def test_a_caught_failure_begins_the_catch_arm_with_input_and_error() -> None:
    story = Story(flow().then(add("a"), catch=add("saved")).then(add("b")), 1)
    story.start("a")
    caught = '{"input":1,"error":{"type":"ValueError","message":"no"}}'
    assert story.broken("a") == [f"begin saved {caught}"]
    assert story.run("saved", 9) == ["begin b 9"]
    assert story.statuses() == {"a": "failed", "saved": "success"}


def test_a_retry_wakes_at_its_time_and_an_answer_starts_the_step_again() -> None:
    story = Story(flow().then(add("a")), 1)
    story.start("a")
    assert story.tell("step.retrying", "a", error=ERROR, next_at="1970-01-01T00:01:40.000000Z") == ["wake a 100 1"]
    assert story.tell("step.suspended", "a", value="q", token="t", expires_at="1970-01-01T00:03:20.000000Z") == [
        "wake a 200 t"
    ]
    assert story.tell("step.resumed", "a", value="yes", token="t") == ["again a"]
    assert story.tell("step.interrupted", "a") == ["again a"]


def test_a_sleep_wakes_when_it_is_due_and_a_wait_when_its_time_is_over() -> None:
    story = Story(flow().sleep(5).wait_for_event("go", timeout=7), 1)
    assert story.start("sleep-1") == ["invoke sleep-1"]
    assert story.tell("timer.started", "sleep-1", due="1970-01-01T00:01:40.000000Z") == ["wake sleep-1 100 1"]
    assert story.tell("timer.fired", "sleep-1") == []
    assert story.done("sleep-1", 1) == ["begin wait_for_event-1 1"]
    begun = story.state.seq + 1
    assert story.start("wait_for_event-1") == ["invoke wait_for_event-1", f"wake wait_for_event-1 {begun + 7} 1"]


def test_a_bail_leaves_its_own_workflow() -> None:
    story = Story(flow().then(create_workflow(id="v").then(chain("c").then(add("a")))), 1)
    for path in ("v", "v/c", "v/c/a"):
        story.start(path)
    assert story.tell("step.bailed", "v/c/a", value=7) == ["leave v 7"]


def test_a_cancel_is_all_that_follows_and_after_an_end_nothing_does() -> None:
    story = Story(flow().then(add("a")).then(add("b")), 1)
    story.start("a")
    assert story.tell("run.cancel_requested", reason="why") == ["cancel"]
    assert story.done("a", 2) == []
    assert story.tell("run.canceled", reason="why") == []
    assert story.tell("run.continued") == []


def test_the_debugger_lets_one_go_or_all() -> None:
    story = Story(flow().parallel([add("a"), add("b")]), 1)
    story.start("parallel-1")
    assert [story.tell("step.held", arm) for arm in "ab"] == [[], []]
    assert story.tell("run.stepped") == ["again a"]
    assert story.tell("run.continued") == ["again a", "again b"]


# -- the fold


def test_advance_never_changes_the_state() -> None:
    story = Story(flow().parallel([add("a"), add("b")]), 1)
    story.start("parallel-1")
    before = picture(story.state)
    again = [[shown(command) for command in advance(story.state, story.facts[-1])] for _ in range(3)]
    assert again == [["begin a 1", "begin b 1"]] * 3
    assert picture(story.state) == before


def picture(state: RunState) -> list[Any]:
    """All of a state that can be compared."""
    cells = {path: picture_of(cell) for path, cell in state.cells.items()}
    return [state.seq, state.status, dict(state.tally), dict(state.shared), cells]


def picture_of(cell: Cell) -> list[Any]:
    """One cell, to compare."""
    output = None if cell.output is None else json(cell.output)
    return [cell.status, json(cell.input), output, cell.error, cell.attempts, cell.started_at, cell.ended_at]


def test_folding_the_same_facts_gives_the_same_state() -> None:
    story = Story(flow().parallel([add("a"), add("b")]).then(add("c")), 1)
    story.start("parallel-1")
    story.run("a", 2)
    story.run("b", 3)
    story.done("parallel-1")
    twin = RunState("r", story.state.plan)
    for fact in story.facts:
        apply(
            twin,
            Fact(
                fact.type, fact.path, data=fact.data, value=fact.value, seq=fact.seq, at=fact.at, attempt=fact.attempt
            ),
        )
    assert picture(twin) == picture(story.state)


def test_an_event_of_a_path_that_is_not_in_the_workflow_is_told() -> None:
    story = Story(flow().then(add("a")), 1)
    with pytest.raises(StoreCorrupt, match="'nope', which is not in workflow 'w'"):
        story.start("nope")


def test_the_tally_says_what_the_run_is_doing() -> None:
    story = Story(flow().parallel([add("a"), add("b"), create_workflow(id="v").wait_for_event("go")]), 1)
    story.start("parallel-1")
    story.start("v")
    seen = [story.state.open_status()]
    for type, path in [
        ("step.started", "v/wait_for_event-1"),
        ("step.held", "b"),
        ("step.started", "a"),
    ]:
        story.tell(type, path)
        seen.append(story.state.open_status())
    story.tell("step.suspended", "a", value=None, token="t")
    assert [*seen, story.state.open_status()] == ["running", "waiting", "paused", "running", "paused"]
