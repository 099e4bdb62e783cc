"""The public names: to add one is a feature, to remove one breaks somebody's code."""

from __future__ import annotations

import inspect

import engine
from engine import errors

NAMES = """
    AlreadyEnded AlreadyResumed AlreadyStarted AmbiguousResume Blocked Breakpoint ConditionFailed DataError
    DataFault DefinitionChanged DefinitionError Engine EngineError Event ExpressionError Fatal Fenced InvalidInput
    InvalidOutput InvalidPayload InvalidResume InvalidState LoopLimit MissingPath NotAwaited NotOwner NotSerializable
    NotStarted NotSuspended Page Problem RetryPolicy Run RunExists RunFailed RunInFlight RunInfo RunResult RunRow
    SchemaError StateConflict Step StepCanceled StepContext StepRecord StepTimeout Store StoreCorrupt StoreError
    StoreNewer Suspension SuspensionExpired UnknownLabel UnknownRun UnknownStep UnknownWorkflow Workflow
    WorkflowMissing
    chain clone_step clone_workflow create_step create_workflow from_context from_init from_state from_step reduce
    step template value
"""


def test_the_public_names_are_these() -> None:
    assert sorted(engine.__all__) == NAMES.split()


def test_every_error_is_public() -> None:
    own = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__}
    assert own - set(engine.__all__) == set()


def test_every_public_name_says_what_it_is() -> None:
    assert [name for name in engine.__all__ if not inspect.getdoc(getattr(engine, name))] == []
