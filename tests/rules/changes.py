"""A workflow that changes between two openings of a store, and the run that waits in it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from engine import Blocked, Engine, Run, RunRow, StepContext, Workflow, create_step, create_workflow
from engine.verify import verify
from tests.fixtures import add

Made = Workflow[Any, Any]


class Count(BaseModel):
    """What flows."""

    n: int


class Wider(BaseModel):
    """It takes every Count."""

    n: float
    note: str = "none"


class Other(BaseModel):
    """It takes no Count."""

    text: str


async def _ask(data: Any, ctx: StepContext) -> Any:
    n = data["n"] if isinstance(data, dict) else data.n
    return {"n": n + await ctx.ask({"have": n}, int)}


def says(id: str) -> Any:
    """A step that gives something else than it did."""

    async def execute(data: Any) -> Other:
        return Other(text=f"from {data['n']}")

    return create_step(id=id, execute=execute, output_schema=Other)


def ask(**options: Any) -> Any:
    """The step that a run waits at."""
    return create_step(id="ask", execute=_ask, **options)


def flow() -> Made:
    """An empty workflow of the one id."""
    return create_workflow(id="w")


def before() -> Made:
    """The workflow as it was when the run began: it waits at ``ask``."""
    return flow().then(add("a")).then(add("b", input_schema=None)).then(ask()).then(add("z"))


async def wait_at_ask(url: str, made: Made, input: Any = None) -> None:
    """A run that waits at its question, in a store that no engine has open."""
    async with Engine([made], store=url) as engine:
        run = await engine.create_run("w", run_id="r")
        result = await run.start({"n": 0} if input is None else input)
        assert result.status == "suspended"


async def only_row(engine: Engine) -> RunRow:
    return (await engine.list_runs()).items[0]


async def row_of(engine: Engine, run_id: str) -> RunRow:
    return next(row for row in (await engine.list_runs()).items if row.run_id == run_id)


async def expect_blocked(engine: Engine, kind: type[Blocked], message: str, path: str = "ask") -> Run:
    """The run can't be answered, and stays as it was."""
    run = await engine.get_run("r")
    with pytest.raises(kind) as caught:
        await run.resume(5)
    assert message in str(caught.value)
    row = await only_row(engine)
    assert (row.status, row.blocked) == ("suspended", kind.__name__)
    [question] = (await engine.suspensions("r")).items
    assert (question.path, question.payload) == (path, {"have": 2})
    return run


@pytest.fixture
def url(sqlite_url: str) -> Iterator[str]:
    """An empty store; it is sound at the end."""
    yield sqlite_url
    assert verify(sqlite_url.removeprefix("sqlite:///")) == []
