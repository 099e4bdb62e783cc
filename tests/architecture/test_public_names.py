"""The public names: to add one is a feature, to remove one breaks somebody's code."""

from __future__ import annotations

import dataclasses
import inspect
import pydoc
import re

import engine
import studio
from engine import errors

NAMES = """
    AlreadyEnded AlreadyResumed AlreadyStarted AmbiguousResume Blocked Breakpoint ConditionFailed DataError
    DataFault DefinitionChanged DefinitionError Engine EngineError Event ExpressionError Fatal Fenced InvalidInput
    InvalidOutput InvalidPayload InvalidResume InvalidState LoopLimit MissingPath NotAwaited NotOwner NotSerializable
    NotStarted NotSuspended Page Problem RetryPolicy Run RunExists RunFailed RunInFlight RunInfo RunResult RunRow
    SchemaError StateConflict Step StepCanceled StepContext StepRecord StepTimeout Store StoreCorrupt StoreError
    StoreNewer Suspension SuspensionExpired UnknownLabel UnknownRun UnknownStep UnknownWorkflow Workflow
    WorkflowMissing
    chain clone_step clone_workflow create_step create_workflow from_context from_init from_state from_step
    redacted reduce register_secret step template value without_secrets
"""


def test_the_public_names_are_these() -> None:
    assert sorted(engine.__all__) == NAMES.split()


def test_every_error_is_public() -> None:
    own = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__}
    assert own - set(engine.__all__) == set()


def test_every_public_name_says_what_it_is() -> None:
    assert [name for name in engine.__all__ if not inspect.getdoc(getattr(engine, name))] == []


def test_the_engine_has_the_version_of_the_package() -> None:
    assert engine.__version__ == studio.__version__


def test_the_package_shows_how_it_is_used() -> None:
    shown = (engine.__doc__ or "").split("\n    ")
    program = "\n".join(line for line in shown[1:] if not line.startswith("To "))
    names = re.findall(r"``(\w+)``", engine.__doc__ or "")
    assert [
        name for name in names if name not in engine.__all__ and name not in dir(engine.Run) + dir(engine.Engine)
    ] == []
    compile(program.split("\nTo define")[0], "the example", "exec")


def test_help_names_every_option() -> None:
    for made, kind in ((engine.step, engine.Step), (engine.create_workflow, engine.Workflow)):
        options = {field.name for field in dataclasses.fields(kind)} - {"execute", "nodes", "_compiled"}
        assert options - set(re.findall(r"``(\w+)``", made.__doc__ or "")) == set()


def test_help_shows_no_address_of_an_object() -> None:
    for name in engine.__all__:
        assert " at 0x" not in pydoc.plain(pydoc.render_doc(getattr(engine, name))).replace("_NotGiven", "")
