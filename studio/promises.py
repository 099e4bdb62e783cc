"""What the routes take and answer, where their code does not say it: for ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from engine import Event, RunRow, StepRecord
from studio.views.approvals import QuestionView
from studio.views.graph import OutlineItem
from studio.views.launching import PresetView
from studio.views.metrics import MetricsView
from studio.views.runs import Filters, RunLine
from studio.views.settings import SettingsView
from studio.views.workflows import CardView, ProblemView, SourceView

# -- what is answered


class Problem(TypedDict):
    """Why something was not answered or done: problem JSON."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[Wrong]]
    id: NotRequired[str]


class Wrong(TypedDict):
    """What of a request does not fit, and where."""

    path: str
    message: str


class Health(TypedDict):
    """``engine`` is open, blocked or closed; ``trouble`` says what blocks it."""

    status: str
    engine: str
    trouble: str | None


class Workflows(TypedDict):
    """Every workflow with its figures, and what could not be loaded."""

    workflows: list[CardView]
    problems: list[ProblemView]


class OneWorkflow(TypedDict):
    """A workflow. What only one of its tabs shows is there if that was asked for, and if there is any."""

    id: str
    description: str
    version: str
    input_schema: dict[str, Any] | None
    counts: dict[str, int]
    steps: NotRequired[list[OutlineItem]]
    runs: NotRequired[list[RunLine]]
    code: NotRequired[list[SourceView]]
    metrics: NotRequired[MetricsView]
    presets: NotRequired[list[PresetView]]


class Runs(TypedDict):
    """A page of runs, newest first. ``next`` is ``after`` for the page behind it."""

    runs: list[RunLine]
    counts: dict[str, int]
    filters: Filters
    next: str | None


class ChosenStep(TypedDict):
    """The step that was asked for; without a record it has not begun."""

    path: str
    record: StepRecord | None


class OneRun(TypedDict):
    """A run as it is now, without secrets. ``older`` is ``before`` for the events before these.

    Of a long run ``steps`` are the first ones, and ``steps_left_out`` counts the others; ``statuses`` are of all.
    """

    run: RunRow
    seq: int
    status: str
    input: Any
    result: Any
    error: dict[str, Any] | None
    state: Any
    statuses: dict[str, str]
    steps: dict[str, StepRecord]
    steps_left_out: int
    step: ChosenStep | None
    event: Event | None
    question: QuestionView | None
    events: list[Event]
    older: int | None


class LostRun(TypedDict):
    """A run whose workflow is not loaded and not recorded: ``why``, and its events."""

    run: RunRow
    why: str
    events: list[Event]


class Questions(TypedDict):
    """Open questions, oldest first. ``next`` is ``after`` for the page behind it."""

    questions: list[QuestionView]
    total: int
    next: str | None


@dataclass(frozen=True, slots=True)
class Data:
    """What an address is for that answers with data, and the type of that."""

    text: str
    kind: Any


ANSWERS: Mapping[str, Data] = {
    "/healthz": Data("Whether the studio lives; it needs no token.", Health),
    "/index.json": Data("The same as /workflows.json.", Workflows),
    "/workflows.json": Data("Every workflow with its figures, and what could not be loaded.", Workflows),
    "/workflows/{id}.json": Data("One workflow: the schema of its input, and what a tab shows.", OneWorkflow),
    "/runs.json": Data("Runs, newest first, a page at a time.", Runs),
    "/runs/{run_id}.json": Data("One run: its status, its data, its steps and its last events.", OneRun | LostRun),
    "/runs/{run_id}/events.ndjson": Data("The events of a run so far, all or some, one a line.", Event),
    "/approvals.json": Data("Open questions, oldest first, a page at a time.", Questions),
    "/approvals/{token}.json": Data("One open question, with the schema of its answer.", QuestionView),
    "/settings.json": Data("What the studio was started with.", SettingsView),
    "/openapi.json": Data("All this as an OpenAPI document.", dict[str, Any]),
}
"""By address; the other addresses answer with pages."""

LEADS_ON = frozenset({"/workflows/{id}/runs", "/workflows/{id}/presets"})
"""Addresses that answer a GET with where the page is."""

MAY_BE_WRONG = frozenset(
    {"/runs", "/runs.json", "/runs/{run_id}", "/runs/{run_id}.json", "/runs/{run_id}/regions"}
    | {"/approvals", "/approvals.json"}
)
"""Addresses whose query is checked."""

# -- what is asked with

PARAMETERS: Mapping[str, str] = {
    "id": "The id of a workflow.",
    "run_id": "The id of a run.",
    "token": "The token of a question.",
    "verb": "pause, step, continue, cancel, rerun or delete.",
    "q": "Only workflows with this in their name or description.",
    "open": "Parts of the picture that are unfolded, by place.",
    "workflows/tab": "What is shown: graph, runs, code or metrics.",
    "workflows/step": "The chosen step, by place; its code is told, too.",
    "by": "What the metrics are coloured by: p95, failures or retries.",
    "_break": "Steps before which the run is to stop; after:STEP stops it after one.",
    "from": "The run whose input the form begins with.",
    "preset": "The kept input that the form begins with, by name.",
    "status": "Only runs of this status.",
    "workflow": "Only of the workflow with this id.",
    "tag": "Only runs with this tag.",
    "text": "Only runs with this in their id.",
    "since": "Only runs created at this time or later: a date, or a date and time.",
    "until": "Only runs created before this time.",
    "after": "The next page: what the one before says as next.",
    "notice": "Shown on the page.",
    "view": "What the page shows: graph, timeline or journal.",
    "step": "The chosen step, by path or place; empty is the run.",
    "tab": "What is shown of it: data, attempts, logs, error, code, events or state.",
    "before": "Events before the one with this number.",
    "event": "The chosen event, by its number or `last`; its step is the chosen one.",
    "type": "Only events of this type; several are said several times.",
    "path": "Only events of the step at this path, and of what is inside it.",
    "find": "Only events with this in their type, path or data.",
    "frozen": "Only events up to the one with this number: the list stays as it was then.",
    "question": "The token of the question that the page shows.",
    "stamp": "What the page has of the chosen step.",
    "give": "What a fork gives anew: the input of the step, or its output.",
    "run": "The run that asks; a fork may ask with the same token.",
    "back": "list leads back to the list of questions, else to the run.",
    "answered": "The run whose question was just answered.",
}
"""What a part of an address says, by its name, or by the first part of the address and its name."""

EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "/workflows.json": {"q": "order"},
    "/workflows/{id}.json": {"tab": "metrics"},
    "/runs.json": {"status": "failed"},
    "/runs/{run_id}.json": {"event": "1"},
    "/runs/{run_id}/events.ndjson": {"type": "step.failed"},
    "/approvals/{token}.json": {"run": "RUN_ID"},
    "/approvals/{token}": {"run": "RUN_ID"},
}
"""Queries that make sense, by address."""

STANDS_FOR: Mapping[str, str] = {"id": "WORKFLOW_ID", "run_id": "RUN_ID", "token": "TOKEN", "verb": "cancel"}
"""What stands in examples for a part of an address."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form as a program sends it: what it is for, its fields, what may become of it, and an example."""

    text: str
    fields: Mapping[str, str]
    answers: Mapping[int, str]
    example: Mapping[str, str]
    many: frozenset[str] = frozenset()
    """Fields that may be sent several times."""


VALUE = {
    "_mode": "json: the value is in _json. form: it is in fields as the page has them.",
    "_json": "The value as JSON.",
}
BUSY = "The engine is blocked by a step; nothing was done."
AGAIN = "The page again, with what is wrong."
NONE = "There is no such thing."

FORMS: Mapping[str, Form] = {
    "/workflows/{id}/runs": Form(
        "Start a run.",
        VALUE | {"_paused": "With any value the run is paused at its start.", "_break": PARAMETERS["_break"]},
        {
            303: "It has begun; its page is the Location.",
            404: NONE,
            409: AGAIN,
            422: "The input does not fit.",
            503: BUSY,
        },
        {"_mode": "json", "_json": '{"n": 1}'},
        frozenset({"_break"}),
    ),
    "/workflows/{id}": Form(
        "Show the page of a workflow with a form that is filled in; nothing is started.",
        VALUE,
        {200: "The page with what was sent.", 404: NONE},
        {"_mode": "json", "_json": '{"n": 1}'},
    ),
    "/workflows/{id}/presets": Form(
        "Keep an input under a name, or delete one.",
        VALUE
        | {
            "_preset_name": "Keep it under this name.",
            "_preset_delete": "Ask whether to delete what has this name.",
            "_preset_sure": "Delete what has this name.",
        },
        {200: "The page, with what is kept.", 404: NONE, 422: AGAIN},
        {"_mode": "json", "_json": '{"n": 1}', "_preset_name": "one"},
    ),
    "/runs/bulk": Form(
        "Cancel, re-run or delete several runs.",
        {
            "do": "cancel, rerun or delete.",
            "run": "The ids of the runs, at most 200.",
            "query": "The query of the list to go back to.",
            "sure": "yes: delete without asking.",
        },
        {303: "Done; the Location is the list.", 200: "Deleting asks first.", 409: "Some could not be done: the list."},
        {"do": "cancel", "run": "RUN_ID"},
        frozenset({"run"}),
    ),
    "/runs/{run_id}/breakpoints": Form(
        "Set a breakpoint of a run, or take it away.",
        {
            "at": "The path of the step.",
            "when": "before or after.",
            "do": "remove takes it away; else it is set.",
            "if": "A condition: the run stops only if it holds.",
            "round": "With any value it holds in the round of this path only.",
            "in": "Of several at the step only that of this round is taken away; empty: that of every round.",
        },
        {
            303: "Done; the Location is the run.",
            400: "No step, or neither before nor after.",
            404: NONE,
            409: "Not possible now.",
        },
        {"at": "first", "when": "before"},
    ),
    "/runs/{run_id}/fork": Form(
        "Make a new run that keeps what does not depend on a step, and goes on from there.",
        {"step": "The path of the step to fork from.", "give": "What is given: input (the usual) or output."} | VALUE,
        {
            303: "Made; the Location is the new run. Without _mode all is as it was.",
            404: NONE,
            409: AGAIN,
            422: "What is given does not fit.",
            503: BUSY,
        },
        {"step": "first"},
    ),
    "/runs/{run_id}/{verb}": Form(
        "Pause, step, continue, cancel, re-run or delete a run.",
        {"view": "The view of the page to go back to."},
        {
            303: "Done; the Location is the run, the new one of rerun, or the list after delete.",
            404: NONE,
            409: "Not possible now.",
            503: BUSY,
        },
        {},
    ),
    "/approvals/{token}": Form(
        "Answer a question, once.",
        VALUE,
        {
            303: "Answered; the Location is the run.",
            409: "It is not open any more.",
            422: "The answer does not fit: the question again.",
            503: BUSY,
        },
        {"_mode": "json", "_json": "true"},
    ),
}

# -- sockets


@dataclass(frozen=True, slots=True)
class Socket:
    """What a websocket says, and what is asked in its address."""

    text: str
    query: Mapping[str, str]


SOCKETS: Mapping[str, Socket] = {
    "/ws/runs/{run_id}": Socket(
        "Frames of a run, as text in JSON: after, seq and status, what changed in its picture, and in content parts of "
        "the page. With gap the events between after and seq are left out: read them in the log. Frames join "
        "without hole or double. Nothing is read. Closed with 1000 when the run has ended, 1012 when the studio stops, "
        "1013 when it is read too slowly or too many look, and 4404 if there is no such run.",
        {"after": "The number of the last event that is known; 0 is all."},
    ),
    "/ws": Socket(
        "Frames of lists and counters, as text in JSON: counts by status, questions, the runs that changed, and the "
        "version of what is loaded. Nothing is read.",
        {"show": "A list whose parts come in content: workflows, workflow, runs or approvals."},
    ),
}
