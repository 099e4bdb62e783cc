"""Facts of steps and containers: begun, suspended, answered, failed, done."""

from __future__ import annotations

from typing import Any

from engine.apply.cells import answer_question, begin, cell_of, close, move, progress, set_checking
from engine.cells import Cell, Frame, Question, workflow_of
from engine.clock import from_iso
from engine.events import Fact
from engine.outputs import derived_output, forgives, output_schema
from engine.plan import Branch, Call, Foreach, Loop, Parallel, Sequence, Sleep, Wait
from engine.schema import ANY
from engine.state import RunState
from engine.values import Value, null


def started(state: RunState, fact: Fact) -> None:
    cell = begin(state, fact)
    if fact.value is not cell.input:
        _take_input(cell, fact)
    attempt = cell.attempts = fact.attempt or 1
    cell.state = state.shared
    cell.state_seq = fact.seq
    if attempt == 1:
        cell.started_at = fact.at
    else:
        cell.question = None
        cell.due = None
    if isinstance(cell, Frame):
        move(state, cell, "running")
        _frame_started(state, cell, fact.data or {})
        return
    if state.credits:
        state.credits -= 1
    node = cell.node
    if isinstance(node, Wait):
        cell.due = None if node.timeout is None else cell.started_at + node.timeout
        move(state, cell, "waiting")
    else:
        move(state, cell, "running")


def _take_input(cell: Cell, fact: Fact) -> None:
    """The input as validated. Where nothing validates, what flows there is the input, and knows its types better."""
    value = fact.value
    if value is None:
        return
    node = cell.node
    schema = node.input if isinstance(node, (Call, Sequence)) else ANY
    if schema.is_any and not (fact.data or {}).get("given"):
        return
    if value.schema.is_any:
        value.schema = schema
    cell.input = value


def _frame_started(state: RunState, frame: Frame, data: dict[str, Any]) -> None:
    frame.flow = frame.input
    if "at_once" in data:
        frame.at_once = data["at_once"]
        frame.total = data["total"]
    elif isinstance(frame.node, Parallel):
        frame.total = len(frame.node.children)
        frame.at_once = frame.node.concurrency
    if isinstance(frame.node, Branch):
        set_checking(state, frame, True)


def held(state: RunState, fact: Fact) -> None:
    cell = begin(state, fact)
    if (fact.data or {}).get("breakpoint"):
        state.hold = True
    move(state, cell, "held")


def _moment(text: str | None) -> float | None:
    return None if text is None else from_iso(text)


def suspended(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    data = fact.data or {}
    cell.question = Question(
        token=data["token"],
        payload=fact.value if fact.value is not None else null(),
        label=data.get("label"),
        title=data.get("title"),
        schema=data.get("schema"),
        expires_at=_moment(data.get("expires_at")),
        asked_at=fact.at,
        ordinal=data.get("ordinal"),
        engine=data.get("engine"),
        default=data.get("default"),
        has_default="default" in data,
        lost=tuple(data["lost"]) if "lost" in data else None,
    )
    state.questions[cell.question.token] = cell
    if cell.question.engine is None:
        progress(state, cell)
    if isinstance(cell, Frame):
        set_checking(state, cell, False)
    move(state, cell, "suspended")


def resumed(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    question = cell.question
    answer = fact.value if fact.value is not None else null()
    if question is None:
        return
    if question.engine is None:
        cell.resumed = (answer, question.payload, question.token)
        if question.ordinal is not None:
            cell.answers = {**(cell.answers or {}), question.ordinal: answer}
    else:
        cell.crashes = 0
    if cell.overlay:
        state.journal.returning[cell.path] = cell
    answer_question(state, question.token)
    cell.question = None
    # Answered and not yet started again: it counts as running, since nothing but the engine is to act now.
    move(state, cell, "running")
    if isinstance(cell, Frame) and isinstance(cell.node, (Branch, Loop)):
        set_checking(state, cell, True)


def expired(state: RunState, fact: Fact) -> None:
    state.questions.pop(str((fact.data or {}).get("token")), None)


def retrying(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    cell.failures += 1
    data = fact.data or {}
    cell.error = data.get("error")
    cell.due = _moment(data.get("next_at"))
    progress(state, cell)


def interrupted(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    if (fact.data or {}).get("unclean"):
        cell.crashes += 1


def succeeded(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    cell.crashes = state.deaths = 0
    close(state, cell, "success", fact)
    output = cell.output = _output(cell, fact)
    cell.error = None
    frame = cell.parent
    if frame is None:
        return
    kind = type(frame.node)
    if kind is Sequence:
        frame.flow = output
    elif kind is Loop:
        frame.flow = output
        frame.iterations = cell.slot + 1
        set_checking(state, frame, True)


def _output(cell: Cell, fact: Fact) -> Value:
    """The output of a cell.

    Of most containers it follows from their parts, which know their types; of a sleep, its input.
    """
    node = cell.node
    value = fact.value
    if type(node) is Call and value is not None:
        if value.schema.is_any:
            value.schema = node.output
        return value
    if isinstance(cell, Frame) and _follows_from_children(cell, fact):
        return cell.flow if value is None and isinstance(node, Sequence) else derived_output(cell)
    if value is None or isinstance(node, Sleep):
        return cell.input
    if value.schema.is_any:
        value.schema = output_schema(node)
    return value


def _follows_from_children(frame: Frame, fact: Fact) -> bool:
    """Whether a container's output is made of its children's, rather than given or checked by a schema of its own."""
    if fact.value is None:
        return True
    node = frame.node
    is_open = not isinstance(node, Sequence) or node.output.is_any
    return is_open and not (fact.data or {}).get("given")


def failed(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    progress(state, cell)
    cell.failures += 1
    cell.error = (fact.data or {}).get("error")
    close(state, cell, "failed", fact)
    frame = cell.parent
    if frame is not None and isinstance(frame.node, (Parallel, Branch, Foreach)) and not forgives(frame.node):
        frame.failed = cell.slot if frame.failed is None else min(frame.failed, cell.slot)


def skipped(state: RunState, fact: Fact) -> None:
    cell = begin(state, fact)
    close(state, cell, "skipped", fact)


def canceled(state: RunState, fact: Fact) -> None:
    close(state, cell_of(state, fact), "canceled", fact)


def bailed(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    progress(state, cell)
    cell.output = fact.value or null()
    close(state, cell, "bailed", fact)
    workflow_of(cell).closing = True
