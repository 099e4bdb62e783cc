"""Workflows whose steps leave their effects in a file, and die or hang where a test tells them to."""

from __future__ import annotations

import asyncio
import contextlib
import operator
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, SecretStr

from engine import (
    RetryPolicy,
    RunInfo,
    Step,
    StepContext,
    Workflow,
    chain,
    create_step,
    create_workflow,
    reduce,
)

Flows = dict[str, Workflow[Any, Any]]


class Place:
    """A folder that steps and tests share: what was done, and where steps are to hang or to die.

    Only in a ``mortal`` process do steps die.
    """

    def __init__(self, folder: Path, *, mortal: bool = False) -> None:
        self.folder = folder
        self.mortal = mortal
        folder.mkdir(exist_ok=True)
        self._effects = folder / "effects"

    def _marker(self, what: str, path: str) -> Path:
        return self.folder / f"{what} {path.replace('/', '~')}"

    def note(self, line: str) -> None:
        """Something has taken effect."""
        descriptor = os.open(self._effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)

    def effects(self) -> list[str]:
        """Everything that has taken effect, in order."""
        return self._effects.read_text().splitlines() if self._effects.exists() else []

    async def seen(self, *paths: str) -> None:
        """Wait until steps at these paths have begun."""
        await _until(lambda: {line.split()[0] for line in self.effects()} >= set(paths))

    async def counts(self, lines: int) -> None:
        """Wait until there are so many effects."""
        await _until(lambda: len(self.effects()) >= lines)

    def hold(self, path: str) -> None:
        """The step at this path hangs, once it has noted its effect, until it is released."""
        self._marker("hold", path).touch()

    def release(self, path: str) -> None:
        """A step that hangs goes on."""
        self._marker("hold", path).unlink()

    def doom(self, path: str) -> None:
        """The step at this path kills its process whenever it runs in a mortal one."""
        self._marker("doom", path).touch()

    async def pass_by(self, path: str) -> None:
        """What a step does after its effect: die, hang, or go on."""
        if self.mortal and self._marker("doom", path).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        held = self._marker("hold", path)
        await _until(lambda: not held.exists())


async def _until(holds: Callable[[], bool]) -> None:
    """Wait for what another process does to a file."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nothing tells of a file but the file
            await asyncio.sleep(0.002)


def effect(place: Place, id: str, **options: Any) -> Step[Any, Any]:
    """A step that notes ``path attempt`` and adds one to ``{"n": ...}``."""

    async def execute(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        place.note(f"{ctx.path} {ctx.attempt}")
        await place.pass_by(ctx.path)
        return {"n": data["n"] + 1}

    return create_step(id=id, execute=execute, **options)


def all_flows(place: Place) -> Flows:
    """Every workflow of this module."""
    made = [*shapes(place), *waits(place), *failures(place), *states(place), *keys(place)]
    return {workflow.id: workflow.commit() for workflow in made}


def shapes(place: Place) -> list[Workflow[Any, Any]]:
    """One workflow for each kind of block."""
    step = lambda id, **options: effect(place, id, **options)  # noqa: E731

    async def on_start(info: RunInfo) -> None:
        place.note("on_start 1")
        await place.pass_by("on_start")

    inner = create_workflow(id="inner").then(step("x")).then(step("y"))
    return [
        create_workflow(id="sequence").then(step("a")).then(step("b")).then(step("c")),
        create_workflow(id="parallel").then(step("a")).parallel([step("b"), step("c"), step("d")]),
        create_workflow(id="nested").then(step("a")).then(inner).then(step("z")),
        create_workflow(id="foreach").foreach(step("item"), concurrency=2),
        create_workflow(id="loop").do_while(chain("round").then(step("s")).then(step("t")), "n < 6"),
        create_workflow(id="branch").branch([("n > 0", step("yes")), ("n <= 0", step("no"))]),
        create_workflow(id="alone").then(step("a")),
        create_workflow(id="hooked", on_start=on_start).then(step("a")),
    ]


async def _ask(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    answer = await ctx.ask({"n": data["n"]}, dict[str, int])
    return {"n": data["n"] + answer["add"]}


def waits(place: Place) -> list[Workflow[Any, Any]]:
    """Workflows that wait for a time, a person, an event."""
    ask = create_step(id="ask", execute=_ask)
    return [
        create_workflow(id="asking").then(effect(place, "a")).then(ask).then(effect(place, "z")),
        create_workflow(id="asking_each").foreach(ask, concurrency=5),
        create_workflow(id="sleeping").then(effect(place, "a")).sleep(0.3).then(effect(place, "z")),
        create_workflow(id="napping").sleep(0.6).then(effect(place, "z")),
        create_workflow(id="listening").wait_for_event("go").then(effect(place, "z")),
        create_workflow(id="beside").parallel([ask, effect(place, "b")]),
    ]


def failures(place: Place) -> list[Workflow[Any, Any]]:
    """Workflows whose steps fail, or say what to do after a crash."""

    async def flaky(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
        place.note(f"flaky {ctx.attempt}")
        failed = sum(line == "failing" for line in place.effects())
        await place.pass_by("flaky")
        if failed < 2:
            place.note("failing")
            raise RuntimeError("not yet")
        return data

    def retried(id: str, delay: float) -> Workflow[Any, Any]:
        policy = RetryPolicy(attempts=3, delay=delay, backoff=1, jitter=False)
        return create_workflow(id=id).then(create_step(id="flaky", execute=flaky, retry=policy))

    async def stubborn(data: Any, ctx: StepContext) -> Any:
        place.note(f"stubborn {ctx.attempt}")
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                return await place.pass_by("stubborn")

    return [
        create_workflow(id="stubborn").then(create_step(id="stubborn", execute=stubborn)),
        retried("retried", 0.02),
        retried("backing_off", 0.4),
        *(
            create_workflow(id=f"crash_{choice}").then(effect(place, "a", on_crash=choice)).then(effect(place, "z"))
            for choice in ("ask", "fail")
        ),
        create_workflow(id="crash_key")
        .then(effect(place, "a", on_crash="ask", output_schema=Key))
        .then(create_step(id="use", execute=_measure, input_schema=Key)),
    ]


class Key(BaseModel):
    """Something with a secret in it."""

    token: SecretStr


async def _measure(key: Key) -> int:
    return len(key.token)


class Sum(BaseModel):
    """The state of the workflows with one."""

    total: Annotated[int, reduce(operator.add)] = 0
    last: str | None = None


def states(place: Place) -> list[Workflow[Any, Any]]:
    """Workflows that keep a state."""

    def add(id: str, amount: int) -> Step[Any, Any]:
        async def execute(data: Any, ctx: StepContext) -> Any:
            ctx.set_state(total=amount, last=id)
            place.note(f"{ctx.path} {ctx.attempt} {ctx.state.total}")
            await place.pass_by(ctx.path)
            return data

        return create_step(id=id, execute=execute)

    made = create_workflow(id="summing", state_schema=Sum).then(add("a", 1)).then(add("b", 10)).then(add("c", 100))
    return [made]


def keys(place: Place) -> list[Workflow[Any, Any]]:
    """A workflow that notes its idempotency key."""

    async def execute(data: Any, ctx: StepContext) -> Any:
        place.note(f"key {ctx.attempt} {ctx.idempotency_key}")
        await place.pass_by("key")
        if ctx.attempt == 2:
            raise RuntimeError("once more")
        return data

    policy = RetryPolicy(attempts=2, delay=0)
    return [create_workflow(id="keyed").then(create_step(id="key", execute=execute, retry=policy))]
