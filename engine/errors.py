"""Every error the engine raises, and the form in which a failure is stored.

All of them derive from :class:`EngineError`. A message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class EngineError(Exception):
    """Base of every error of this package."""


# -- definitions


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a definition: where it is, what is wrong, and what to do."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


class DefinitionError(EngineError):
    """Everything that is wrong with a definition, found at ``commit()`` (or where a step is made).

    ``problems`` lists each fault with its remedy.
    """

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{subject} has {count} problem{'s' if count != 1 else ''}:"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


class ExpressionError(EngineError):
    """A condition or template that can't be parsed; ``position`` is the 0-based column of the fault."""

    def __init__(self, message: str, *, position: int = 0) -> None:
        self.position = position
        super().__init__(message)


class SchemaError(EngineError, ValueError):
    """Something that can't serve as a schema; the message says which part and why."""


class MissingPath(EngineError, LookupError):
    """A path leads nowhere in a value; the message names the whole path and what was there."""


# -- data


class DataError(EngineError):
    """A value that does not fit: ``path`` is where in the value (JSON path), if known."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        self.path = path
        super().__init__(message)


class DataFault(DataError):
    """A value that does not fit a schema, where nobody said what the value is for.

    ``problems`` lists each fault as (JSON path, message).
    """

    def __init__(self, message: str, *, path: str = "$", problems: Sequence[tuple[str, str]] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message, path=path)


class InvalidInput(DataError):
    """The input of a run or a step does not fit its schema."""


class InvalidOutput(DataError):
    """What a step or a workflow returned does not fit its output schema."""


class InvalidState(DataError):
    """A value for the state does not fit the state schema."""


class InvalidPayload(DataError):
    """The payload of a suspension does not fit the step's ``suspend_schema``."""


class InvalidResume(DataError):
    """An answer does not fit the schema of the question; the question stays open."""


class NotSerializable(DataError):
    """A value that can't be stored; names the field and its type."""


# -- execution


class Fatal(EngineError):
    """Raise it in a step to fail without retries."""


class StepTimeout(EngineError):
    """An attempt took longer than the step's ``timeout``, or no event came in time."""


class LoopLimit(EngineError):
    """A loop reached its ``max_iterations``."""


class ConditionFailed(EngineError):
    """A condition, map, sleep or concurrency function raised, or a path in a map is missing."""


class StateConflict(EngineError):
    """Two steps wrote the same key of the state, and the key has no reducer."""


class SuspensionExpired(EngineError):
    """Nobody answered a question in time, and it had no default."""


class NotAwaited(EngineError):
    """A step called a verb of its context, such as ``ctx.ask``, and did not await it."""


class StepCanceled(EngineError):
    """A step was cancelled from within (it raised ``CancelledError`` itself)."""


class RunFailed(EngineError):
    """``RunResult.unwrap()`` of a run that did not succeed; ``result`` is that result."""

    def __init__(self, message: str, result: object = None) -> None:
        self.result = result
        super().__init__(message)


# -- calls


class UnknownRun(EngineError):
    """No run has this id."""


class UnknownWorkflow(EngineError):
    """No workflow with this id is registered."""


class RunExists(EngineError):
    """The id given to ``create_run`` is taken."""


class AlreadyStarted(EngineError):
    """The run was started before."""


class AlreadyEnded(EngineError):
    """The run has ended; nothing changes it any more."""


class NotStarted(EngineError):
    """The run has not been started yet."""


class RunInFlight(EngineError):
    """The run has not ended: cancel it first."""


class NotSuspended(EngineError):
    """Nothing is open where an answer was given."""


class AlreadyResumed(EngineError):
    """The question was answered before, by somebody else or by another click."""


class AmbiguousResume(EngineError):
    """Several questions are open; the message lists them: say which one."""


class UnknownStep(EngineError):
    """No step has this id or path in the workflow."""


class UnknownLabel(EngineError):
    """No open question has this label."""


# -- durability


class StoreError(EngineError):
    """The store can't be opened or read: says which file and what to do."""


class StoreNewer(StoreError):
    """The store was written by a newer version of this package; it is left untouched."""


class StoreCorrupt(StoreError):
    """The database file is damaged; it is left untouched."""


class Fenced(EngineError):
    """Another process has taken this run over; this one lets it go."""


class NotOwner(EngineError):
    """The run's owner is alive but does not answer; take it over if it is stuck."""


class Blocked(EngineError):
    """A run that can't go on with the code that is loaded. Nothing was lost, no answer was spent."""


class DefinitionChanged(Blocked):
    """The workflow's definition no longer fits what the run has recorded; the message names the difference."""


class WorkflowMissing(Blocked):
    """The run's workflow is not registered with this engine."""
