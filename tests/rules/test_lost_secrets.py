"""Whatever reads a secret that a restart has lost asks for it again: conditions, maps, sleeps, steps that look back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from engine import (
    Engine,
    InvalidResume,
    Run,
    RunResult,
    StepContext,
    chain,
    create_step,
    create_workflow,
    from_init,
    from_step,
    template,
)
from engine.store import Store
from engine.stores import open_store
from engine.verify import verify
from tests.fixtures import lines, statuses

SECRET = "correct-horse-battery"
SOON = 10.0


class Key(BaseModel):
    """Something with a secret in it."""

    token: SecretStr
    n: int = 3


KEY = Key(token=SecretStr(SECRET))
LENGTH = len(SECRET)


def _is_long(key: Key) -> bool:
    return len(key.token) > 5


async def _is_long_later(key: Key) -> bool:
    return len(key.token) > 5


def _was_long(_value: Any, ctx: StepContext) -> bool:
    return len(ctx.init.token) > 5


def _no_time(key: Key) -> float:
    return 0.0 * len(key.token)


def _all_at_once(listed: list[Key]) -> int:
    return len([key.token for key in listed])


async def _measure(key: Key) -> int:
    return len(key.token.get_secret_value())


async def _forget() -> int:
    return 1


async def _look_back(_data: Any, ctx: StepContext) -> int:
    return len(ctx.init.token)


def _look_back_in_a_thread(_data: Any, ctx: StepContext) -> int:
    made = ctx.result_of("make")
    return len(made.token)


async def _make() -> Key:
    return KEY


measure = create_step(id="measure", execute=_measure, input_schema=Key)
make = create_step(id="make", execute=_make, output_schema=Key)
forget = create_step(id="forget", execute=_forget)
arm = create_step(id="arm", execute=_forget)
look_back = create_step(id="look_back", execute=_look_back)
look_back_in_a_thread = create_step(id="look_back", execute=_look_back_in_a_thread)

w = create_workflow(id="w", input_schema=Key)
keys = create_workflow(id="w", input_schema=list[Key])
child = create_workflow(id="child", input_schema=Key).then(forget).map({"n": from_init("n")})
TOKEN = ["token"]


async def _answer_all(engine: Engine, run: Run) -> tuple[RunResult, list[tuple[str, list[str]]]]:
    """Give the secrets wherever they are asked for, until the run is at its end."""
    asked = []
    while (result := await run.wait(SOON)).status == "suspended":
        [one] = (await engine.suspensions(run.run_id, limit=1)).items
        assert one.schema is not None
        asked.append((one.path, one.schema["required"]))
        await run.resume(dict.fromkeys(one.schema["required"], SECRET), suspension=one)
    return result, asked


@pytest.fixture(params=["memory", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """What gives the store to one engine after another: a new process has new objects, one process the same."""
    if request.param == "sqlite":
        return lambda: open_store(f"sqlite:///{tmp_path / 'runs.db'}")
    kept = open_store(":memory:")
    return lambda: kept


def _sound(folder: Path) -> None:
    for file in folder.iterdir():
        assert SECRET.encode() not in file.read_bytes()
    if (folder / "runs.db").exists():
        assert verify(folder / "runs.db") == []


@pytest.mark.parametrize(
    ("workflow", "fork_at", "questions"),
    [
        pytest.param(w.branch([("n == 3", measure)]), None, [("branch-1", TOKEN)], id="expression"),
        pytest.param(w.branch([(_is_long, measure)]), None, [("branch-1", TOKEN)], id="condition"),
        pytest.param(w.branch([(_is_long_later, measure)]), None, [("branch-1", TOKEN)], id="async condition"),
        pytest.param(w.branch([(_was_long, measure)]), None, [("branch-1", TOKEN)], id="condition that looks back"),
        pytest.param(
            w.then(forget).branch([(_was_long, arm)]), None, [("branch-1", TOKEN)], id="condition that looks far back"
        ),
        pytest.param(w.then(make).do_until(arm, _was_long), None, [("arm", TOKEN)], id="condition of a loop"),
        pytest.param(w.sleep(_no_time).then(measure), None, [("sleep-1", TOKEN)], id="sleep"),
        pytest.param(w.map({"n": from_init("n")}), None, [("map-1", TOKEN)], id="map of the input"),
        pytest.param(w.then(forget).map({"n": from_init("n")}), None, [("map-1", TOKEN)], id="map that looks back"),
        pytest.param(w.then(forget).map({"s": template("${init.n}")}), None, [("map-1", TOKEN)], id="template"),
        pytest.param(w.then(make).then(arm).map({"n": from_step("make", "n")}), "map-1", [("map-1", TOKEN)], id="step"),
        pytest.param(w.then(child), None, [("child/map-1", TOKEN)], id="nested"),
        pytest.param(w.then(forget).then(look_back), None, [("look_back", TOKEN)], id="a step's look at the input"),
        pytest.param(
            w.then(make).then(forget).then(look_back_in_a_thread),
            "look_back",
            [("look_back", TOKEN)],
            id="a thread's look at a step",
        ),
        pytest.param(
            w.then(chain(id="both").then(make).then(forget)).branch([("steps.both == 1", arm)]), None, [], id="no need"
        ),
    ],
)
async def test_it_is_asked_for_once_where_it_is_read(
    stores: Callable[[], Store], tmp_path: Path, workflow: Any, fork_at: str | None, questions: Any
) -> None:
    workflow = workflow.commit()
    async with Engine([workflow], store=stores()) as engine:
        before = await (await engine.create_run("w", run_id="r")).start(KEY)
        assert (before.status, before.error) == ("success", None)
    async with Engine([workflow], store=stores()) as engine:
        old = await engine.get_run("r")
        run = await (old.rerun() if fork_at is None else old.fork(fork_at))
        after, asked = await _answer_all(engine, run)
        assert (after.status, after.result, after.error) == ("success", before.result, None)
        assert asked == (questions if engine.store.durable else [])
        assert {event.type async for event in run.events(follow=False)}.isdisjoint({"step.failed", "step.retrying"})
    _sound(tmp_path)


async def test_a_foreach_asks_before_it_asks_how_many_run_at_once(stores: Callable[[], Store], tmp_path: Path) -> None:
    """Its items are whole then; in the meantime nothing of it has begun."""
    workflow = keys.foreach(measure, concurrency=_all_at_once, id="each").then(forget).commit()
    async with Engine([workflow], store=stores()) as engine:
        await (await engine.create_run("w", run_id="r")).start([KEY, KEY])
    async with Engine([workflow], store=stores()) as engine:
        run = await (await engine.get_run("r")).rerun()
        if engine.store.durable:
            waiting = await run.wait(SOON)
            assert (waiting.suspended, statuses(waiting.steps)) == ([["measure"]], {"measure": "suspended"})
            with pytest.raises(InvalidResume, match="still open"):
                await run.resume({"0.token": SECRET})
        result, asked = await _answer_all(engine, run)
        assert (result.status, result.steps["measure"].output, result.error) == ("success", [LENGTH, LENGTH], None)
        assert asked == ([("measure", ["0.token", "1.token"])] if engine.store.durable else [])
        assert await run.result() == result
    _sound(tmp_path)


class Gate:
    """A condition that waits until it is let through, and says that it was asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_through = asyncio.Event()
        self.rounds = 0

    async def ask(self, key: Key) -> bool:
        self.asked.set()
        await self.let_through.wait()
        self.rounds += 1
        return self.rounds == 2 and len(key.token) == LENGTH


async def test_a_loop_asks_in_each_process_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Cut while its condition is asked, answered, cut once more: no round is run twice."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    gate = Gate()
    ran: list[int] = []

    async def execute(key: Key, ctx: StepContext) -> Key:
        ran.append(ctx.iteration)
        return key

    body = create_step(id="body", execute=execute, input_schema=Key, output_schema=Key)
    workflow = w.do_until(body, gate.ask).map({"n": from_step("body", "n")}).commit()
    async with Engine([workflow], store=store) as engine:
        await (await engine.create_run("w", run_id="r")).start_soon(KEY)
        await asyncio.wait_for(gate.asked.wait(), SOON)
    gate.asked.clear()
    async with Engine([workflow], store=store) as engine:
        run = await engine.get_run("r")
        waiting = await run.wait(SOON)
        assert (waiting.status, waiting.suspended, ran) == ("suspended", [["body"]], [1])
        await run.resume_soon({"token": SECRET})
        await asyncio.wait_for(gate.asked.wait(), SOON)
        assert await run.status() == "running"
    gate.let_through.set()
    async with Engine([workflow], store=store) as engine:
        run = await engine.get_run("r")
        result, asked = await _answer_all(engine, run)
        assert (result.status, result.result, result.error) == ("success", {"n": 3}, None)
        assert (asked, ran) == ([("body", TOKEN)], [1, 2])
    _sound(tmp_path)


async def test_a_branch_that_asks_is_open_like_a_step_that_asks(tmp_path: Path) -> None:
    """It is listed, answered by its path, counted as suspended, kept by a fork, and cancelled with its run."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    gate = create_step(id="gate", execute=_ask, input_schema=None)
    inner = create_workflow(id="inner", input_schema=Key).branch([(_is_long, measure)], id="which")
    workflow = w.parallel([gate, inner]).commit()
    async with Engine([workflow], store=store) as engine:
        first = await engine.create_run("w", run_id="r")
        await first.start(KEY)
        await first.resume("yes")
    async with Engine([workflow], store=store) as engine:
        run = await (await engine.get_run("r")).rerun()
        waiting = await run.wait(SOON)
        assert sorted(waiting.suspended) == [["gate"], ["inner", "which"]]
        assert statuses(waiting.steps) == {"gate": "suspended", "inner": "suspended"}
        assert (await run.statuses())["inner/which"] == "suspended"
        forked = await run.fork("gate")
        canceled = await run.fork("gate")
        for wrong in ({}, {"token": 5}, "x"):
            with pytest.raises(InvalidResume, match="still open"):
                await run.resume(wrong, step="inner/which")
        still = await run.resume({"token": SECRET}, step="inner/which")
        assert (still.status, still.suspended, still.steps["inner"].output) == (
            "suspended",
            [["gate"]],
            {"measure": LENGTH},
        )
        assert (await run.resume("yes")).status == "success"
        assert await canceled.cancel() is True
        assert (await canceled.statuses())["inner/which"] == "canceled"
        assert sorted((await forked.wait(SOON)).suspended) == [["gate"], ["inner", "which"]]
        await forked.resume({"token": SECRET}, step="which")
        assert (await forked.resume("yes", step="gate")).status == "success"
        assert (await engine.suspensions()).items == []
    _sound(tmp_path)


async def _ask(_data: Any, ctx: StepContext) -> Any:
    return await ctx.ask("Go on?")


async def test_a_fork_inside_of_a_loop_that_asks_does_not_keep_its_question(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    gate = Gate()
    body = create_step(id="body", execute=_same, input_schema=Key, output_schema=Key)
    workflow = w.do_until(body, gate.ask).commit()
    async with Engine([workflow], store=store) as engine:
        await (await engine.create_run("w", run_id="r")).start_soon(KEY)
        await asyncio.wait_for(gate.asked.wait(), SOON)
    gate.let_through.set()
    async with Engine([workflow], store=store) as engine:
        run = await engine.get_run("r")
        assert (await run.wait(SOON)).suspended == [["body"]]
        fork = await run.fork("body[0]")
        assert (await fork.wait(SOON)).suspended == [["body[0]"]]
        result, asked = await _answer_all(engine, fork)
        assert (result.status, asked) == ("success", [("body[0]", TOKEN)])
        kinds = await lines(fork)
        assert [one for one in kinds if one.endswith(" body")] == [
            "step.started body",
            "loop.checked body",
            "loop.checked body",
            "step.succeeded body",
        ]
    _sound(tmp_path)


async def _same(key: Key) -> Key:
    return key


async def test_what_nobody_needs_is_not_asked_for_at_the_end(tmp_path: Path) -> None:
    """A workflow whose output is checked by another class ends, though a restart has lost the secret in it."""

    class Token(BaseModel):
        """The same by another class."""

        token: SecretStr

    store = f"sqlite:///{tmp_path / 'runs.db'}"
    inner = create_workflow(id="inner", input_schema=Key, output_schema=Token).sleep(0.05)
    workflow = w.then(inner).commit()
    async with Engine([workflow], store=store) as engine:
        await (await engine.create_run("w", run_id="r")).start_soon(KEY)
    async with Engine([workflow], store=store) as engine:
        result = await (await engine.get_run("r")).wait(SOON)
        assert (result.status, result.error, result.result) == ("success", None, {"token": None, "n": 3})
    _sound(tmp_path)
