"""Secrets that come later: a person answers with one, an event brings one. They are whole, and never written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from engine import (
    DefinitionError,
    Engine,
    InvalidInput,
    InvalidResume,
    Run,
    StepContext,
    create_step,
    create_workflow,
)
from engine.verify import verify
from tests.fixtures import OpenEngine

SECRET = "correct-horse-battery"
SOON = 10.0


class Key(BaseModel):
    """Something with a secret in it."""

    token: SecretStr
    n: int = 3


ANSWER = {"token": SECRET}
LENGTH = len(SECRET)


async def _asks(_data: Any, ctx: StepContext) -> int:
    return len((await ctx.ask("Which key?", Key)).token)


async def _suspends(_data: Any, ctx: StepContext) -> int:
    if ctx.resume_data is None:
        await ctx.suspend("Which key?")
    return len(ctx.resume_data.token)


def _asks_in_a_thread(_data: Any, ctx: StepContext) -> int:
    return len(ctx.sync.ask("Which key?", Key).token)


async def _measure(key: Key) -> int:
    return len(key.token)


async def _asks_by_json_schema(_data: Any, ctx: StepContext) -> int:
    answer = await ctx.ask("Which key?", FORM)
    return len(answer["token"])


async def _suspends_by_json_schema(_data: Any, ctx: StepContext) -> int:
    if ctx.resume_data is None:
        await ctx.suspend("Which key?")
    return len(ctx.resume_data["token"])


FORM: dict[str, Any] = {
    "type": "object",
    "properties": {"token": {"$ref": "#/$defs/text"}, "n": {"type": "integer"}},
    "required": ["token"],
    "$defs": {"text": {"type": "string", "writeOnly": True}},
}
STEPS = [
    create_step(id="ask", execute=_asks),
    create_step(id="ask", execute=_suspends, resume_schema=Key),
    create_step(id="ask", execute=_asks_in_a_thread),
    create_step(id="ask", execute=_asks_by_json_schema),
    create_step(id="ask", execute=_suspends_by_json_schema, resume_schema=FORM),
]
measure = create_step(id="measure", execute=_measure, input_schema=Key)
waits = create_workflow(id="w").wait_for_event("key", schema=Key).then(measure).commit()


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """Where the store is; no file of it has the secret at the end, and all are sound."""
    yield tmp_path
    _no_secret_in(SECRET, tmp_path)
    if (tmp_path / "runs.db").exists():
        assert verify(tmp_path / "runs.db") == []


def _no_secret_in(secret: str, folder: Path) -> None:
    for file in folder.iterdir():
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file.name


async def _waiting(run: Run) -> Run:
    async for event in run.events():
        if event.type == "run.waiting":
            break
    return run


@pytest.mark.parametrize("step", STEPS)
async def test_an_answer_with_a_secret_is_whole(open_engine: OpenEngine, folder: Path, step: Any) -> None:
    engine = await open_engine(create_workflow(id="w").then(step))
    run = await engine.create_run("w")
    await run.start(1)
    result = await run.resume(ANSWER)
    assert (result.status, result.result, result.error) == ("success", LENGTH, None)
    assert result.steps["ask"].resume_data["token"] is None


@pytest.mark.parametrize("early", [True, False])
async def test_an_event_with_a_secret_is_whole(open_engine: OpenEngine, folder: Path, early: bool) -> None:
    """Whether somebody waits for it already or not."""
    engine = await open_engine(waits)
    run = await engine.create_run("w")
    if early:
        await engine.send_event(run.run_id, "key", ANSWER)
        await run.start_soon(1)
    else:
        await run.start_soon(1)
        await engine.send_event((await _waiting(run)).run_id, "key", ANSWER)
    result = await run.wait(SOON)
    assert (result.status, result.result, result.error) == ("success", LENGTH, None)


@pytest.mark.parametrize("ask", [_asks, _suspends, _asks_by_json_schema, _suspends_by_json_schema])
async def test_an_answer_that_a_restart_has_lost_is_asked_for_again(folder: Path, ask: Callable[..., Any]) -> None:
    """The step was cut after it had got the answer."""
    begun, end = asyncio.Event(), asyncio.Event()

    async def execute(data: Any, ctx: StepContext) -> int:
        found: int = await ask(data, ctx)
        begun.set()
        await end.wait()
        return found

    schema = {_suspends: Key, _suspends_by_json_schema: FORM}.get(ask)
    workflow = create_workflow(id="w").then(create_step(id="ask", execute=execute, resume_schema=schema)).commit()
    store = f"sqlite:///{folder / 'runs.db'}"
    async with Engine([workflow], store=store) as engine:
        run = await engine.create_run("w", run_id="r")
        await run.start(1)
        await run.resume_soon(ANSWER)
        await asyncio.wait_for(begun.wait(), SOON)
    end.set()
    async with Engine([workflow], store=store) as engine:
        run = await engine.get_run("r")
        assert (await run.wait(SOON)).suspended == [["ask"]]
        result = await run.resume(ANSWER)
        assert (result.status, result.result, result.error) == ("success", LENGTH, None)


async def test_secrets_do_not_travel_to_the_process_that_has_the_run(folder: Path) -> None:
    store = f"sqlite:///{folder / 'runs.db'}"
    asks = create_workflow(id="asks").then(STEPS[0]).commit()
    async with Engine([asks, waits], store=store) as owner, Engine([asks, waits], store=store) as other:
        asked, waiting = await owner.create_run("asks"), await owner.create_run("w")
        await asked.start(1)
        await waiting.start_soon(1)
        await _waiting(waiting)
        with pytest.raises(InvalidResume, match="don't travel between processes"):
            await (await other.get_run(asked.run_id)).resume(ANSWER)
        with pytest.raises(InvalidInput, match="don't travel between processes"):
            await other.send_event(waiting.run_id, "key", ANSWER)
        await owner.send_event(waiting.run_id, "key", ANSWER)
        assert [(await run.wait(SOON)).status for run in (asked, waiting)] == ["suspended", "success"]
        await other.take_over(asked.run_id)
        assert (await (await other.get_run(asked.run_id)).resume(ANSWER)).result == LENGTH


def test_what_is_always_stored_as_it_is_has_no_place_for_secrets() -> None:
    step = create_step(id="a", execute=_asks, state_schema=Key)
    with pytest.raises(DefinitionError) as caught:
        create_workflow(id="w", state_schema=Key, request_context_schema=Key).then(step).commit()
    told = [problem.what for problem in caught.value.problems]
    assert told == ["it has secrets, which are never stored"] * 3


@pytest.mark.parametrize(
    ("at", "changes"),
    [
        ("measure", {"outputs": {"make": ANSWER}}),
        ("measure", {"input": ANSWER}),
        ("measure", {"input": Key(token=SecretStr(SECRET))}),
        ("branch-1", {"input": ANSWER}),
    ],
)
async def test_a_secret_that_a_fork_is_given_is_whole(
    open_engine: OpenEngine, folder: Path, at: str, changes: Any
) -> None:
    async def execute() -> Key:
        return Key(token=SecretStr("another-secret"))

    make = create_step(id="make", execute=execute, output_schema=Key)
    workflow = create_workflow(id="w").then(make)
    workflow = workflow.then(measure) if at == "measure" else workflow.branch([("n == 3", measure)])
    engine = await open_engine(workflow)
    run = await engine.create_run("w")
    await run.start(1)
    fork = await run.fork(at, **changes)
    result = await fork.wait(SOON)
    assert (result.status, result.error, result.steps["measure"].output) == ("success", None, LENGTH)
    _no_secret_in("another-secret", folder)


async def test_an_early_event_that_does_not_fit_is_dropped_with_its_secret(
    open_engine: OpenEngine, folder: Path
) -> None:
    engine = await open_engine(waits)
    run = await engine.create_run("w")
    await engine.send_event(run.run_id, "key", {"token": SECRET, "n": "many"})
    await run.start_soon(1)
    await engine.send_event((await _waiting(run)).run_id, "key", ANSWER)
    assert (await run.wait(SOON)).result == LENGTH
    logged = [event.data["message"] async for event in run.events(follow=False) if event.type == "log"]
    assert logged == ["event 'key' came early and does not fit, so it was dropped"]
