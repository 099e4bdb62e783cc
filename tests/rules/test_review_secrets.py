"""Secrets between steps: whole in the process that has them, however they get from one step to another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from engine import (
    Engine,
    InvalidInput,
    InvalidResume,
    Run,
    StepContext,
    Workflow,
    clone_step,
    create_step,
    create_workflow,
    template,
    value,
)
from engine.verify import verify

SECRET = "correct-horse-battery"
SOON = 5.0


class Key(BaseModel):
    """Something with a secret in it."""

    token: SecretStr
    n: int = 0


class Token(BaseModel):
    """The same by another class."""

    token: SecretStr


class Pair(BaseModel):
    """Two of them."""

    a: Key
    b: Key


@dataclass
class Box:
    """One as a dataclass."""

    token: SecretStr


async def _make(data: Any) -> Key:
    return Key(token=SecretStr(SECRET))


async def _use(data: Key) -> int:
    return len(data.token.get_secret_value())


async def _use_token(data: Token) -> int:
    return len(data.token.get_secret_value())


async def _use_box(data: Box) -> int:
    return len(data.token.get_secret_value())


async def _use_pair(data: Pair) -> list[int]:
    return [len(data.a.token.get_secret_value()), len(data.b.token.get_secret_value())]


async def _use_all(data: list[Key]) -> list[int]:
    return [len(one.token.get_secret_value()) for one in data]


make = create_step(id="make", execute=_make, output_schema=Key)
use = create_step(id="use", execute=_use, input_schema=Key)
use_token = create_step(id="use_token", execute=_use_token, input_schema=Token)
use_box = create_step(id="use_box", execute=_use_box, input_schema=Box)
use_pair = create_step(id="use_pair", execute=_use_pair, input_schema=Pair)
use_all = create_step(id="use_all", execute=_use_all, input_schema=list[Key])

KEY = Key(token=SecretStr(SECRET))
LENGTH = len(SECRET)


def _foreach() -> Workflow[Any, Any]:
    return create_workflow(id="w", input_schema=list[Key]).foreach(use)


def _foreach_that_makes() -> Workflow[Any, Any]:
    return create_workflow(id="w", input_schema=list[Key]).foreach(make).then(use_all)


def _parallel() -> Workflow[Any, Any]:
    return create_workflow(id="w").parallel([clone_step(make, id="a"), clone_step(make, id="b")]).then(use_pair)


def _another_class() -> Workflow[Any, Any]:
    return create_workflow(id="w").then(make).then(use_token)


def _a_dataclass() -> Workflow[Any, Any]:
    return create_workflow(id="w").then(make).then(use_box)


def _nested() -> Workflow[Any, Any]:
    return create_workflow(id="w", input_schema=Key).then(create_workflow(id="child", input_schema=Key).then(use))


def _nested_other() -> Workflow[Any, Any]:
    return create_workflow(id="w", input_schema=Key).then(
        create_workflow(id="child", input_schema=Token).then(use_token)
    )


def _mapped() -> Workflow[Any, Any]:
    return create_workflow(id="w", input_schema=Key).map(lambda key: key).then(use)


def _told_by_a_template() -> Workflow[Any, Any]:
    return create_workflow(id="w", input_schema=Key).map({"said": template("of ${init.n}"), "n": value(1)})


def _mapped_into_a_list() -> Workflow[Any, Any]:
    return create_workflow(id="w", input_schema=Key).map(lambda key: [key, Token(token=key.token)]).foreach(use_token)


def _mapped_into_a_dict() -> Workflow[Any, Any]:
    return create_workflow(id="w", input_schema=Key).map(lambda key: {"a": key, "b": key}).then(use_pair)


CASES: list[tuple[Any, Any, Any]] = [
    (_foreach, [KEY, KEY], [LENGTH, LENGTH]),
    (_foreach_that_makes, [KEY, KEY], [LENGTH, LENGTH]),
    (_another_class, None, LENGTH),
    (_a_dataclass, None, LENGTH),
    (_parallel, None, [LENGTH, LENGTH]),
    (_nested, KEY, LENGTH),
    (_nested_other, KEY, LENGTH),
    (_mapped, KEY, LENGTH),
    (_mapped_into_a_list, KEY, [LENGTH, LENGTH]),
    (_mapped_into_a_dict, KEY, [LENGTH, LENGTH]),
]


def _no_secret(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes()


@pytest.mark.parametrize(("make_workflow", "given", "expected"), CASES)
async def test_in_the_same_process_a_secret_is_whole(
    tmp_path: Path, make_workflow: Any, given: Any, expected: Any
) -> None:
    async with Engine([make_workflow().commit()], store=f"sqlite:///{tmp_path / 'runs.db'}") as engine:
        result = await (await engine.create_run("w")).start(given)
        assert (result.status, result.result, result.error) == ("success", expected, None)
        _no_secret(tmp_path)
    _no_secret(tmp_path)
    assert verify(tmp_path / "runs.db") == []


async def _answer_all(engine: Engine, run: Run) -> Any:
    """Give the secret wherever it is asked for, until the run is at its end."""
    asked = []
    while (result := await run.wait(SOON)).status == "suspended":
        [one] = (await engine.suspensions(run.run_id, limit=1)).items
        names = (one.schema or {})["required"]
        asked.append((one.path, names))
        await run.resume(dict.fromkeys(names, SECRET), suspension=one)
    return result, asked


@pytest.mark.parametrize(
    ("make_workflow", "given", "fork_at", "questions"),
    [
        (_nested, KEY, None, [("child/use", ["token"])]),
        (_nested_other, KEY, None, [("child/use_token", ["token"])]),
        (_foreach, [KEY, KEY], None, [("use[0]", ["token"]), ("use[1]", ["token"])]),
        (_another_class, None, "use_token", [("use_token", ["token"])]),
        (_parallel, None, "use_pair", [("use_pair", ["a.token", "b.token"])]),
        (_mapped_into_a_dict, KEY, "use_pair", [("use_pair", ["a.token", "b.token"])]),
        (_mapped, KEY, None, [("map-1", ["token"])]),
        (_mapped_into_a_list, KEY, None, [("map-1", ["token"])]),
        (_told_by_a_template, KEY, None, [("map-1", ["token"])]),
    ],
)
async def test_after_a_restart_it_is_asked_for_by_name_where_it_is_needed(
    tmp_path: Path, make_workflow: Any, given: Any, fork_at: str | None, questions: Any
) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    workflow = make_workflow().commit()
    async with Engine([workflow], store=store) as engine:
        before = await (await engine.create_run("w", run_id="r")).start(given)
        assert before.status == "success"
    async with Engine([workflow], store=store) as engine:
        old = await engine.get_run("r")
        run = await old.rerun() if fork_at is None else await old.fork(fork_at)
        after, asked = await _answer_all(engine, run)
        assert (after.status, after.result, after.error) == ("success", before.result, None)
        assert asked == questions
    _no_secret(tmp_path)


async def test_a_secret_that_does_not_fit_is_refused_and_asked_for_again(tmp_path: Path) -> None:
    class Long(BaseModel):
        """A secret of some length."""

        token: SecretStr

        def model_post_init(self, _context: Any) -> None:
            if len(self.token) < 5:
                raise ValueError("too short")

    async def execute(data: Long) -> int:
        return len(data.token)

    step = create_step(id="use", execute=execute, input_schema=Long)
    workflow = create_workflow(id="w", input_schema=Long).then(step).commit()
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with Engine([workflow], store=store) as engine:
        await (await engine.create_run("w", run_id="r")).start(Long(token=SecretStr(SECRET)))
    async with Engine([workflow], store=store) as engine:
        run = await (await engine.get_run("r")).rerun()
        assert (await run.wait(SOON)).status == "suspended"
        with pytest.raises(InvalidResume, match="too short; the question is still open"):
            await run.resume({"token": "x"})
        assert (await run.resume({"token": SECRET})).result == LENGTH


async def test_secrets_do_not_travel_to_the_process_that_has_the_run(tmp_path: Path) -> None:
    workflow = create_workflow(id="w", input_schema=Key).then(use).commit()
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with Engine([workflow], store=store) as owner, Engine([workflow], store=store) as other:
        run = await owner.create_run("w", run_id="r")
        there = await other.get_run("r")
        for given in (KEY, {"token": SECRET}):
            with pytest.raises(InvalidInput, match="has secrets, which don't travel between processes"):
                await there.start(given)
        _no_secret(tmp_path)
        assert await run.status() == "pending"
        assert (await run.start(KEY)).result == LENGTH
    _no_secret(tmp_path)


async def test_the_input_of_the_workflow_is_whole_for_a_step_that_looks_at_it_again(tmp_path: Path) -> None:
    async def look(data: Any, ctx: StepContext) -> int:
        return len(ctx.init.token.get_secret_value())

    step = create_step(id="look", execute=look)
    workflow = create_workflow(id="w", input_schema=Key).map(lambda key: key.n).then(step)
    async with Engine([workflow], store=f"sqlite:///{tmp_path / 'runs.db'}") as engine:
        result = await (await engine.create_run("w")).start(KEY)
    assert (result.status, result.result) == ("success", LENGTH)
    _no_secret(tmp_path)


async def test_a_map_whose_secret_was_lost_is_asked_in_each_process_that_takes_it_up(tmp_path: Path) -> None:
    """Filled in, interrupted, filled in once more; a wrong answer leaves the question open."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    begun, end = asyncio.Event(), asyncio.Event()

    async def slow(key: Key) -> int:
        begun.set()
        await end.wait()
        return len(key.token.get_secret_value())

    workflow = create_workflow(id="w", input_schema=Key).sleep(0.05).map(slow).commit()
    async with Engine([workflow], store=store) as engine:
        run = await engine.create_run("w", run_id="r")
        await run.start_soon(KEY)
    async with Engine([workflow], store=store) as engine:
        run = await engine.get_run("r")
        assert (await run.wait(SOON)).suspended == [["map-1"]]
        with pytest.raises(InvalidResume, match="still open"):
            await run.resume({"token": 5})
        await run.resume_soon({"token": SECRET})
        await asyncio.wait_for(begun.wait(), SOON)
    end.set()
    async with Engine([workflow], store=store) as engine:
        result, asked = await _answer_all(engine, await engine.get_run("r"))
    assert (result.status, result.result, result.error, asked) == ("success", LENGTH, None, [("map-1", ["token"])])
    _no_secret(tmp_path)
