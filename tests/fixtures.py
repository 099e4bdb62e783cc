"""What most tests need: an engine over each store, small steps, and events as short lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Run, Step, Workflow, create_step

OpenEngine = Callable[..., Awaitable[Engine]]


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, of each kind in turn."""
    return ":memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an empty SQLite store, for what must outlive an engine."""
    return f"sqlite:///{tmp_path / 'runs.db'}"


@pytest.fixture
async def open_engine(store_url: str) -> AsyncIterator[OpenEngine]:
    """Opens engines over ``store_url``.

    They are closed after the test. ``await open_engine(workflow, ..., **options)``.
    """
    async with AsyncExitStack() as stack:

        async def make(*workflows: Workflow[Any, Any], **options: Any) -> Engine:
            return await stack.enter_async_context(Engine(workflows, **{"store": store_url, **options}))

        yield make


async def launch(engine: Engine, workflow: str | Workflow[Any, Any], input: Any = None, **options: Any) -> Run:
    """A new run of a workflow, started and at rest."""
    run = await engine.create_run(workflow)
    await run.start(input, **options)
    return run


async def lines(run: Run, after: int = 0) -> list[str]:
    """The run's events so far as ``type path`` lines."""
    return [f"{event.type} {event.path or ''}".rstrip() async for event in run.events(after, follow=False)]


def add(id: str, amount: int = 1, **options: Any) -> Step[Any, Any]:
    """A step that adds to ``{"n": ...}``."""

    async def execute(data: dict[str, int]) -> dict[str, int]:
        return {"n": data["n"] + amount}

    return create_step(id=id, execute=execute, **options)


def fail(id: str, error: BaseException | None = None, **options: Any) -> Step[Any, Any]:
    """A step that raises."""

    async def execute() -> None:
        raise error or ValueError(f"{id} failed")

    return create_step(id=id, execute=execute, **options)


def statuses(steps: Any, only: Iterable[str] | None = None) -> dict[str, str]:
    """The status of each step of a result."""
    return {path: record.status for path, record in steps.items() if only is None or path in only}
