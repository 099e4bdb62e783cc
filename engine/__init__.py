"""A durable workflow engine: define steps, compose them, run them, survive."""

from engine.context import StepContext
from engine.engine import Engine
from engine.errors import *  # noqa: F403
from engine.errors import EngineError
from engine.events import Event
from engine.flow import chain, from_context, from_init, from_state, from_step, template, value
from engine.reducers import reduce
from engine.result import RunInfo, RunResult, StepRecord
from engine.retry import RetryPolicy
from engine.run import Run
from engine.state import Breakpoint
from engine.steps import Step, clone_step, create_step, step
from engine.store import Page, RunRow, Store, Suspension
from engine.workflow import Workflow, clone_workflow, create_workflow
