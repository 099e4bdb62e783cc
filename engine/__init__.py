"""A durable workflow engine: define steps, compose them, run them, survive.

    from engine import create_workflow, step

    @step
    async def greet(name: str) -> str:
        return f"hello {name}"

    hello = create_workflow(id="hello", input_schema=str).then(greet)

    if __name__ == "__main__":
        print(hello.run_sync("Ada").unwrap())

To define: ``step``, ``create_step``, ``RetryPolicy``, ``create_workflow``, ``chain``, and for what goes from one step
to the next ``from_step``, ``from_init``, ``from_state``, ``from_context``, ``value``, ``template``, ``reduce``. In a
step: ``StepContext`` (``ctx.ask``, ``ctx.state``, ...) and ``Fatal``. To run: ``Engine``, whose ``create_run`` gives a
``Run`` (``start``, ``resume``, ``cancel``, ``fork``, ``events``, ...); what comes out is a ``RunResult``. Every error
is an ``EngineError``. Pictures of workflows are in ``engine.graph``.
"""

from engine.context import StepContext
from engine.engine import Engine
from engine.errors import (
    AlreadyEnded,
    AlreadyResumed,
    AlreadyStarted,
    AmbiguousResume,
    Blocked,
    ConditionFailed,
    DataError,
    DataFault,
    DefinitionChanged,
    DefinitionError,
    EngineError,
    ExpressionError,
    Fatal,
    Fenced,
    InvalidInput,
    InvalidOutput,
    InvalidPayload,
    InvalidResume,
    InvalidState,
    LoopLimit,
    MissingPath,
    NotAwaited,
    NotOwner,
    NotSerializable,
    NotStarted,
    NotSuspended,
    Problem,
    RunExists,
    RunFailed,
    RunInFlight,
    SchemaError,
    StateConflict,
    StepCanceled,
    StepTimeout,
    StoreCorrupt,
    StoreError,
    StoreNewer,
    SuspensionExpired,
    UnknownLabel,
    UnknownRun,
    UnknownStep,
    UnknownWorkflow,
    WorkflowMissing,
)
from engine.events import Event
from engine.flow import chain, from_context, from_init, from_state, from_step, template, value
from engine.redaction import redacted, register_secret, without_secrets
from engine.reducers import reduce
from engine.result import RunInfo, RunResult, StepRecord
from engine.retry import RetryPolicy
from engine.run import Run
from engine.state import Breakpoint
from engine.steps import Step, clone_step, create_step, step
from engine.store import Page, RunRow, Store, Suspension
from engine.workflow import Workflow, clone_workflow, create_workflow

__version__ = "0.1.0"

__all__ = [
    "AlreadyEnded",
    "AlreadyResumed",
    "AlreadyStarted",
    "AmbiguousResume",
    "Blocked",
    "Breakpoint",
    "ConditionFailed",
    "DataError",
    "DataFault",
    "DefinitionChanged",
    "DefinitionError",
    "Engine",
    "EngineError",
    "Event",
    "ExpressionError",
    "Fatal",
    "Fenced",
    "InvalidInput",
    "InvalidOutput",
    "InvalidPayload",
    "InvalidResume",
    "InvalidState",
    "LoopLimit",
    "MissingPath",
    "NotAwaited",
    "NotOwner",
    "NotSerializable",
    "NotStarted",
    "NotSuspended",
    "Page",
    "Problem",
    "RetryPolicy",
    "Run",
    "RunExists",
    "RunFailed",
    "RunInFlight",
    "RunInfo",
    "RunResult",
    "RunRow",
    "SchemaError",
    "StateConflict",
    "Step",
    "StepCanceled",
    "StepContext",
    "StepRecord",
    "StepTimeout",
    "Store",
    "StoreCorrupt",
    "StoreError",
    "StoreNewer",
    "Suspension",
    "SuspensionExpired",
    "UnknownLabel",
    "UnknownRun",
    "UnknownStep",
    "UnknownWorkflow",
    "Workflow",
    "WorkflowMissing",
    "chain",
    "clone_step",
    "clone_workflow",
    "create_step",
    "create_workflow",
    "from_context",
    "from_init",
    "from_state",
    "from_step",
    "redacted",
    "reduce",
    "register_secret",
    "step",
    "template",
    "value",
    "without_secrets",
]
