"""What a run has come to: :class:`RunResult`, and what hooks get: :class:`RunInfo`."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from engine.cells import DONE, Cell, Frame, ancestors
from engine.clock import as_datetime
from engine.errors import RunFailed
from engine.later import Later, later
from engine.plan import Branch, Foreach, Loop, Parallel
from engine.redaction import learn, redacted, redacted_error
from engine.schema import ANY
from engine.state import RunState
from engine.values import Value


@dataclass(frozen=True, slots=True)
class StepRecord(Later):
    """One step of a result. Data is plain JSON; times are UTC.

    ``status``: success, failed, skipped, canceled, bailed, running, suspended, waiting, held. ``iterations``: for a
    loop or foreach, the record of each round or item, in order. Data is read when it is asked for.
    """

    status: str
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    suspend_payload: Any = None
    resume_data: Any = None
    iterations: tuple[StepRecord, ...] = ()

    def redacted(self) -> StepRecord:
        """The same for showing: secrets in its data are hidden. See ``register_secret``."""
        learn([self.input, self.output, self.error, self.suspend_payload, self.resume_data])
        return replace(
            self,
            input=redacted(self.input),
            output=redacted(self.output),
            error=redacted_error(self.error),
            suspend_payload=redacted(self.suspend_payload),
            resume_data=redacted(self.resume_data),
            iterations=tuple(record.redacted() for record in self.iterations),
        )


@dataclass(frozen=True, slots=True)
class RunResult(Later):
    """A run as of one moment: its status, its result or error, and every step. Data is read when it is asked for.

    ``steps`` has the top level by id, nested steps by path (``child/inner``), iterations by index (``item[2]``), and
    for the body of a loop or foreach also the plain id. ``suspended`` lists the paths of open questions, each as its
    segments.
    """

    status: str
    run_id: str
    workflow_id: str
    input: Any
    steps: Mapping[str, StepRecord]
    result: Any = None
    error: dict[str, Any] | None = None
    suspended: list[list[str]] = field(default_factory=list)
    state: Any = None

    def unwrap(self) -> Any:
        """The result of a run that succeeded. Raises ``RunFailed`` for any other."""
        if self.status == "success":
            return self.result
        raise RunFailed(f"run {self.run_id!r} of {self.workflow_id!r} {self._why()}", self)

    def redacted(self) -> RunResult:
        """The same for showing: secrets in its data are hidden. See ``register_secret``."""
        learn([self.input, self.result, self.error, self.state])
        return replace(
            self,
            input=redacted(self.input),
            steps=RedactedSteps(self.steps),
            result=redacted(self.result),
            error=redacted_error(self.error),
            state=redacted(self.state),
        )

    def _why(self) -> str:
        error = self.error or {}
        if self.status == "failed":
            where = f" at step {error['step']!r}" if error.get("step") else ""
            return f"failed{where}: {error.get('type')}: {error.get('message')}"
        if self.suspended:
            open = ", ".join(repr("/".join(path)) for path in self.suspended)
            return f"is {self.status}: it waits for an answer at {open}; give it with run.resume(...)"
        return f"is {self.status}" + (f": {error['message']}" if error.get("message") else "")

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON data, without what does not apply."""
        made: dict[str, Any] = {
            "status": self.status,
            "run_id": self.run_id,
            "workflow_id": self.workflow_id,
            "input": self.input,
        }
        if self.status == "success":
            made["result"] = self.result
        if self.error is not None:
            made["error"] = self.error
        if self.suspended:
            made["suspended"] = self.suspended
        made["steps"] = {path: _record_dict(record) for path, record in self.steps.items()}
        return made


def _record_dict(record: StepRecord) -> dict[str, Any]:
    made: dict[str, Any] = {"status": record.status, "input": record.input}
    if record.status in ("success", "bailed"):
        made["output"] = record.output
    if record.error is not None:
        made["error"] = record.error
    if record.status == "suspended":
        made["suspend_payload"] = record.suspend_payload
    made["attempts"] = record.attempts
    made["started_at"] = None if record.started_at is None else record.started_at.isoformat()
    made["ended_at"] = None if record.ended_at is None else record.ended_at.isoformat()
    return made


class Steps(Mapping[str, StepRecord]):
    """Records by path, made as they are asked for."""

    def __init__(self, cells: Mapping[str, Cell], asking: Mapping[str, Cell]) -> None:
        self._cells = cells
        self._asking = asking
        self._made: dict[str, StepRecord] = {}

    def __getitem__(self, path: str) -> StepRecord:
        made = self._made.get(path)
        if made is None:
            made = self._made[path] = _record(self._cells[path], self._asking.get(path), self)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def __repr__(self) -> str:
        return repr({path: self[path] for path in self})

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy, or one for another process, has the records alone


class RedactedSteps(Mapping[str, StepRecord]):
    """Records for showing, made as they are asked for."""

    def __init__(self, steps: Mapping[str, StepRecord]) -> None:
        self._steps = steps
        self._made: dict[str, StepRecord] = {}

    def __getitem__(self, path: str) -> StepRecord:
        made = self._made.get(path)
        if made is None:
            made = self._made[path] = self._steps[path].redacted()
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _plain(value: Value | None) -> Any:
    return None if value is None else value.plain()


def _record(cell: Cell, asking: Cell | None, steps: Steps) -> StepRecord:
    question = asking.question if asking is not None else None
    resumed, is_skipped = cell.resumed, cell.status == "skipped"
    record = StepRecord(
        status=cell.status if question is None else "suspended",
        error=copy.deepcopy(cell.error) if cell.status != "success" else None,
        attempts=cell.attempts,
        started_at=None if is_skipped else as_datetime(cell.started_at),
        ended_at=None if cell.ended_at is None else as_datetime(cell.ended_at),
        suspend_payload=None if question is None else question.payload.plain(),
        resume_data=None if resumed is None else resumed[0].plain(),
    )
    makers = {"input": partial(_plain, None if is_skipped else cell.input), "output": partial(_plain, cell.output)}
    if isinstance(cell, Frame) and isinstance(cell.node, (Loop, Foreach)):
        makers["iterations"] = partial(_iterations, cell.path, tuple(cell.children.copy()), steps)
    return later(record, **makers)


def _iterations(path: str, slots: tuple[int, ...], steps: Steps) -> tuple[StepRecord, ...]:
    paths = [f"{path}[{slot}]" for slot in sorted(slots)]
    return tuple(steps[path] for path in paths if path in steps)


def build_result(state: RunState) -> RunResult:
    """The result of a run as of now. Of one that has not ended, a copy that later events don't change."""
    # Copies: whoever asks in another thread sees the run while it goes on.
    cells = {path: cell for path, cell in state.cells.copy().items() if not isinstance(cell.node, (Parallel, Branch))}
    asking = _asking(state)
    steps = Steps(cells, asking)
    if not state.ended:  # what has ended never changes, so its record can be made when it is asked for
        for path, cell in cells.items():
            if cell.status not in DONE or path in asking:
                steps[path]
    result = RunResult(
        status=state.status,
        run_id=state.run_id,
        workflow_id=state.workflow_id,
        input=None,
        steps=steps,
        error=copy.deepcopy(state.error),
        suspended=[cell.path.split("/") for cell in state.questions.copy().values()],
        state=ANY.decode(ANY.encode(state.shared)),
    )
    return later(result, input=partial(_plain, state.input), result=partial(_plain, state.result))


def build_statuses(state: RunState) -> dict[str, str]:
    """The status of every path, blocks around others included."""
    asking = _asking(state)
    return {path: "suspended" if path in asking else cell.status for path, cell in state.cells.copy().items()}


def _asking(state: RunState) -> dict[str, Cell]:
    """For each path that waits for an answer, the cell that asks: the step itself, and the containers it is in."""
    found: dict[str, Cell] = {}
    for cell in state.questions.copy().values():
        found[cell.path] = cell
        for frame in ancestors(cell):
            if not frame.live:
                found.setdefault(frame.path, cell)
    return found


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a hook gets."""

    run_id: str
    workflow_id: str
    resource_id: str | None
    tags: tuple[str, ...]
    status: str
    input: Any
    result: Any = None
    error: dict[str, Any] | None = None


def build_info(state: RunState) -> RunInfo:
    """The hook's argument for a run as of now."""
    return RunInfo(
        run_id=state.run_id,
        workflow_id=state.workflow_id,
        resource_id=state.resource_id,
        tags=state.tags,
        status=state.status,
        input=_plain(state.input),
        result=_plain(state.result),
        error=copy.deepcopy(state.error),
    )
