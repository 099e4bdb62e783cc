"""A release: number and notes are prepared, then it goes out in stages, with a look at the errors after each.

Shows: workflows inside a workflow, ``foreach`` over a nested workflow, ``sleep`` (durable: after a
restart it ends when it would have ended anyway), and ``catch=`` around all stages (roll back and say why).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from engine import Fatal, StepContext, create_workflow, from_step, step

STAGES = (5, 50, 100)  # percent of all users, one after another
MOST_ERRORS = 0.01
CHANGES = ["fix: the export keeps umlauts", "add: dark colours"]


class Release(BaseModel):
    """What is to be released."""

    version: str = Field(default="1.4.2", pattern=r"^\d+\.\d+\.\d+$", description="The version that is out now")
    changes: list[str] = Field(default=CHANGES, min_length=1, description="Each with 'fix:', 'add:' or 'break:' before")
    watch_seconds: float = Field(default=0.2, ge=0, le=3600, description="How long to watch each stage")
    error_rates: list[float] = Field(default=[0, 0, 0], description="Measured after each stage; above 0.01: roll back")


class Candidate(Release):
    """The same with the new version, and the changes as notes for readers."""


class Stage(BaseModel):
    """One stage of the roll-out."""

    version: str
    percent: int
    watch_seconds: float
    error_rate: float


class Outcome(BaseModel):
    """How the release ended."""

    status: Literal["released", "rolled back"]
    version: str
    notes: list[str]


@step
async def pick_version(release: Release) -> Candidate:
    """A break raises the first number, something new the second, a fix the third."""
    first, second, third = (int(part) for part in release.version.split("."))
    kinds = {change.partition(":")[0].strip() for change in release.changes}
    if unknown := kinds - {"fix", "add", "break"}:
        raise Fatal(f"a change begins with 'fix:', 'add:' or 'break:', not with {', '.join(sorted(unknown))}")
    if "break" in kinds:
        version = f"{first + 1}.0.0"
    else:
        version = f"{first}.{second + 1}.0" if "add" in kinds else f"{first}.{second}.{third + 1}"
    return Candidate(**release.model_dump(exclude={"version"}), version=version)


@step
async def write_notes(candidate: Candidate) -> Candidate:
    """Sort the changes for readers: what breaks first, then what is new, then what is mended."""
    heads = {"break": "Changed", "add": "Added", "fix": "Fixed"}
    parts = [change.partition(":") for change in candidate.changes]
    notes = [f"{head}: {text.strip()}" for kind, head in heads.items() for k, _, text in parts if k.strip() == kind]
    return candidate.model_copy(update={"changes": notes})


@step
async def plan_stages(candidate: Candidate) -> list[Stage]:
    """One stage after another; an error rate that is not given counts as none."""
    rates = [*candidate.error_rates, *(0.0 for _ in STAGES)]
    seconds = candidate.watch_seconds
    return [
        Stage(version=candidate.version, percent=percent, watch_seconds=seconds, error_rate=rate)
        for percent, rate in zip(STAGES, rates, strict=False)
    ]


@step
async def send_users(stage: Stage, ctx: StepContext) -> Stage:
    """Let this share of the users have the new version."""
    ctx.logger.info("%s %% of the users get %s", stage.percent, stage.version)
    return stage


@step
async def look_at_errors(stage: Stage) -> Stage:
    """Stop everything if too much goes wrong."""
    if stage.error_rate > MOST_ERRORS:
        raise Fatal(f"{stage.error_rate:.1%} errors at {stage.percent} % of the users")
    return stage


@step
async def announce(stages: list[Stage], ctx: StepContext) -> Outcome:
    """Everybody has it: tell them what is new."""
    return Outcome(status="released", version=stages[-1].version, notes=ctx.init.changes)


@step
async def roll_back(failed: dict[str, Any], ctx: StepContext) -> Outcome:
    """Back to the version that was out before."""
    return Outcome(status="rolled back", version=ctx.init.version, notes=[failed["error"]["message"]])


prepare = create_workflow(id="prepare", input_schema=Release).then(pick_version).then(write_notes).commit()

one_stage = (
    create_workflow(id="stage", input_schema=Stage, description="Send it to some users, watch, look at the errors")
    .then(send_users)
    .sleep(lambda stage: stage.watch_seconds, id="watch")
    .then(look_at_errors)
    .commit()
)

roll_out = (
    create_workflow(id="roll_out", input_schema=Candidate).then(plan_stages).foreach(one_stage).then(announce).commit()
)

release_workflow = (
    create_workflow(id="release", input_schema=Release, output_schema=Outcome, description="Release in watched stages")
    .then(prepare)
    .then(roll_out, catch=roll_back)
    .map(from_step([roll_out, roll_back]))
    .commit()
)
