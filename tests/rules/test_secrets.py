"""Secrets are never stored: in the process that has them they are whole, after it they are asked for."""

from __future__ import annotations

import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from engine import Engine, InvalidResume, RetryPolicy, Run, StepContext, Workflow, create_step, create_workflow
from engine.verify import verify
from tests.fixtures import lines, statuses

SECRET = "correct-horse-battery"
TYPED_AGAIN = "typed-in-again-later"


class Login(BaseModel):
    """Something with a secret in it."""

    user: str
    password: SecretStr


class Keys(BaseModel):
    """Secrets deeper inside."""

    logins: list[Login]


LOGIN = {"user": "ann", "password": SECRET}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A store whose files hold no secret at the end."""
    path = tmp_path / "runs.db"
    yield path
    if path.exists():
        assert verify(path) == []
        _no_secret(path)


def _no_secret(database: Path) -> None:
    for file in database.parent.iterdir():
        if file.is_file():
            content = file.read_bytes()
            assert SECRET.encode() not in content
            assert TYPED_AGAIN.encode() not in content


def _hold(seen: list[str], id: str = "use", **options: Any) -> Any:
    """A step that gets a login and notes the secret."""

    async def execute(data: Login) -> Login:
        seen.append(f"{id} {data.password.get_secret_value()}")
        return data

    return create_step(id=id, execute=execute, input_schema=Login, output_schema=Login, **options)


def _wait() -> Any:
    """A step that a run rests at."""

    async def execute(data: Login, ctx: StepContext) -> Login:
        await ctx.ask("go on?", bool)
        return data

    return create_step(id="wait", execute=execute, input_schema=Login, output_schema=Login)


def _flow(seen: list[str]) -> Workflow[Any, Any]:
    return (
        create_workflow(id="w", input_schema=Login).then(_hold(seen, "first")).then(_wait()).then(_hold(seen, "last"))
    )


@asynccontextmanager
async def _open(database: Path, *workflows: Workflow[Any, Any]) -> AsyncIterator[Engine]:
    async with Engine(workflows, store=f"sqlite:///{database}") as engine:
        yield engine


async def _started(engine: Engine, input: Any = LOGIN) -> Run:
    run = await engine.create_run("w", run_id="r")
    await run.start(input)
    return run


async def test_in_the_same_process_a_secret_is_whole(database: Path) -> None:
    seen: list[str] = []
    async with _open(database, _flow(seen)) as engine:
        run = await _started(engine)
        result = await run.resume(True)
        _no_secret(database)
    assert (result.status, seen) == ("success", [f"first {SECRET}", f"last {SECRET}"])


async def test_every_arm_and_every_attempt_has_it_whole(database: Path) -> None:
    seen: list[str] = []

    async def flaky(data: Login, ctx: StepContext) -> None:
        seen.append(f"flaky {data.password.get_secret_value()}")
        if ctx.attempt == 1:
            raise ValueError("once more")

    again = create_step(id="flaky", execute=flaky, input_schema=Login, retry=RetryPolicy(attempts=2, delay=0))
    workflow = create_workflow(id="w", input_schema=Login).parallel([_hold(seen, "p"), _hold(seen, "q"), again])
    async with _open(database, workflow) as engine:
        assert (await (await _started(engine)).result()).status == "success"
    assert sorted(seen) == [f"flaky {SECRET}", f"flaky {SECRET}", f"p {SECRET}", f"q {SECRET}"]


async def test_events_results_and_rows_show_a_hole(database: Path) -> None:
    async with _open(database, _flow([])) as engine:
        run = await _started(engine)
        await run.resume(True)
        shown = repr([event async for event in run.events(follow=False)]) + repr((await run.result()).to_dict())
        assert SECRET not in shown
        result = await run.result()
    assert result.input == {"user": "ann", "password": None}
    assert result.steps["last"].output == {"user": "ann", "password": None}


async def test_after_a_restart_the_step_asks_before_it_runs(database: Path) -> None:
    seen: list[str] = []
    async with _open(database, _flow(seen)) as engine:
        await _started(engine)
    async with _open(database, _flow(seen)) as engine:
        run = await engine.get_run("r")
        result = await run.resume(True)
        assert (result.status, result.suspended) == ("suspended", [["wait"]])
        [question] = (await engine.suspensions("r")).items
        assert question.schema == {
            "type": "object",
            "properties": {
                "password": {"type": "string", "format": "password", "writeOnly": True, "title": "password"}
            },
            "required": ["password"],
            "additionalProperties": False,
        }
        assert seen == [f"first {SECRET}"]
        result = await run.resume({"password": TYPED_AGAIN})
        assert result.status == "success"
        _no_secret(database)
    assert seen == [f"first {SECRET}", f"last {TYPED_AGAIN}"]


async def test_an_answer_that_is_no_secret_is_refused_and_the_question_stays(database: Path) -> None:
    async with _open(database, _flow([])) as engine:
        await _started(engine)
    async with _open(database, _flow([])) as engine:
        run = await engine.get_run("r")
        await run.resume(True)
        for wrong in ({}, {"password": 5}, {"password": "x", "more": "y"}, "x"):
            with pytest.raises(InvalidResume):
                await run.resume(wrong)
        assert (await run.result()).suspended == [["wait"]]


async def test_secrets_deep_inside_are_asked_for_by_their_path(database: Path) -> None:
    seen: list[str] = []

    async def use(data: Keys, ctx: StepContext) -> None:
        await ctx.ask("go on?", bool)
        seen.extend(login.password.get_secret_value() for login in data.logins)

    step = create_step(id="use", execute=use, input_schema=Keys)
    workflow = create_workflow(id="w", input_schema=Keys).then(step)
    async with _open(database, workflow) as engine:
        await _started(engine, {"logins": [LOGIN, {"user": "bob", "password": SECRET}]})
    async with _open(database, workflow) as engine:
        run = await engine.get_run("r")
        await run.resume(True)
        [question] = (await engine.suspensions("r")).items
        assert question.schema is not None
        assert question.schema["required"] == ["logins.0.password", "logins.1.password"]
        answer = {"logins.0.password": TYPED_AGAIN, "logins.1.password": TYPED_AGAIN * 2}
        assert (await run.resume(answer)).status == "success"
    assert seen == [TYPED_AGAIN, TYPED_AGAIN * 2]


async def test_a_step_without_a_hole_is_not_asked_about(database: Path) -> None:
    seen: list[str] = []

    async def name_only(data: Login) -> dict[str, str]:
        return {"user": data.user}

    async def rest(data: dict[str, str], ctx: StepContext) -> dict[str, str]:
        await ctx.ask("go on?", bool)
        return data

    name = create_step(id="name", execute=name_only, input_schema=Login)
    workflow = create_workflow(id="w", input_schema=Login).then(name).then(create_step(id="rest", execute=rest))
    async with _open(database, workflow) as engine:
        await _started(engine)
    async with _open(database, workflow) as engine:
        result = await (await engine.get_run("r")).resume(True)
        assert (result.status, result.result) == ("success", {"user": "ann"})
    assert seen == []


async def test_a_rerun_asks_in_another_process_and_not_in_the_same(database: Path) -> None:
    seen: list[str] = []
    workflow = create_workflow(id="w", input_schema=Login).then(_hold(seen))
    async with _open(database, workflow) as engine:
        await _started(engine)
    async with _open(database, workflow) as engine:
        again = await (await engine.get_run("r")).rerun()
        result = await again.wait(5)
        assert (result.status, result.suspended, len(seen)) == ("suspended", [["use"]], 1)
        assert (await again.resume({"password": TYPED_AGAIN})).status == "success"
        assert "step.suspended use" in await lines(again)
    assert seen == [f"use {SECRET}", f"use {TYPED_AGAIN}"]


async def test_a_fork_asks_for_what_is_missing(database: Path) -> None:
    seen: list[str] = []
    async with _open(database, _flow(seen)) as engine:
        run = await _started(engine)
        await run.resume(True)
    async with _open(database, _flow(seen)) as engine:
        fork = await (await engine.get_run("r")).fork("last")
        result = await fork.wait(5)
        assert (result.suspended, statuses(result.steps)["first"]) == ([["last"]], "success")
        assert (await fork.resume({"password": TYPED_AGAIN})).status == "success"
    assert seen == [f"first {SECRET}", f"last {SECRET}", f"last {TYPED_AGAIN}"]


async def test_a_failure_does_not_write_the_secret(database: Path) -> None:
    async def leak(data: Login) -> None:
        password = data.password
        raise ValueError(f"can't log in as {data.user} with {password}")

    workflow = create_workflow(id="w", input_schema=Login).then(
        create_step(id="leak", execute=leak, input_schema=Login)
    )
    async with _open(database, workflow) as engine:
        result = await (await _started(engine)).result()
    assert result.error is not None
    assert result.error["message"] == "can't log in as ann with **********"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes; the folder's rights count there")
async def test_only_their_owner_can_read_the_files_of_the_log(database: Path) -> None:
    async with _open(database, _flow([])) as engine:
        await _started(engine)
        modes = {
            file.name: stat.S_IMODE(file.stat().st_mode) for file in database.parent.glob("runs.db*") if file.is_file()
        }
    assert set(modes.values()) == {0o600}
    assert {"runs.db", "runs.db-wal"} <= set(modes)
