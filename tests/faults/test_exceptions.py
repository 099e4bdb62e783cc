"""Exceptions of every kind out of a step: the failure is written down whole, and the program lives."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, RetryPolicy, StepContext, create_step, create_workflow
from engine.verify import verify
from tests.faults.processes import Zygote
from tests.fixtures import OpenEngine, add, fail, launch, lines


def boom(error: BaseException) -> Any:
    raise error


async def failure(open_engine: OpenEngine, error: Any) -> dict[str, Any]:
    """The error of a run whose step raises; ``error`` may be a function that does."""

    async def execute() -> None:
        if callable(error):
            error()
        raise error

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=execute)).commit())
    result = await (await launch(engine, "w")).result()
    assert (result.status, result.steps["s"].status) == ("failed", "failed")
    assert result.error is not None
    assert result.error["step"] == "s"
    assert result.error == result.steps["s"].error
    return result.error


async def test_a_group_of_errors_shows_each_with_its_own_traceback(open_engine: OpenEngine) -> None:
    def several() -> None:
        errors: list[Exception] = []
        for kind in (KeyError, ValueError, OSError):
            try:
                raise kind(f"of {kind.__name__}")
            except kind as error:
                errors.append(error)
        raise ExceptionGroup("three branches failed", errors)

    error = await failure(open_engine, several)
    assert (error["type"], error["message"]) == ("ExceptionGroup", "three branches failed (3 sub-exceptions)")
    assert [(one["type"], one["message"]) for one in error["exceptions"]] == [
        ("KeyError", "'of KeyError'"),
        ("ValueError", "of ValueError"),
        ("OSError", "of OSError"),
    ]
    assert all("in several" in one["traceback"] for one in (error, *error["exceptions"]))


async def test_a_task_group_in_a_step_shows_what_its_tasks_raised(open_engine: OpenEngine) -> None:
    async def execute() -> None:
        async def one(n: int) -> None:
            raise ValueError(n)

        async with asyncio.TaskGroup() as group:
            for n in range(2):
                group.create_task(one(n))

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=execute)).commit())
    result = await (await launch(engine, "w")).result()
    assert result.error is not None
    assert [one["message"] for one in result.error["exceptions"]] == ["0", "1"]


async def test_a_chain_of_causes_is_kept(open_engine: OpenEngine) -> None:
    def chained() -> None:
        try:
            try:
                boom(KeyError("first"))
            except KeyError as error:
                raise ValueError("second") from error
        except ValueError:
            boom(RuntimeError("third"))

    error = await failure(open_engine, chained)
    chain = [error, error["cause"], error["cause"]["cause"]]
    assert [(one["type"], one["message"]) for one in chain] == [
        ("RuntimeError", "third"),
        ("ValueError", "second"),
        ("KeyError", "'first'"),
    ]
    assert "cause" not in chain[-1]


def endless() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    raise first


def deep() -> None:
    error: Exception = ValueError("inmost")
    for _ in range(1000):
        error = ExceptionGroup("g", [error])
    raise error


async def test_chains_and_groups_without_end_are_cut(open_engine: OpenEngine) -> None:
    for raiser in (endless, deep):
        error = await failure(open_engine, raiser)
        assert error["type"] in ("ValueError", "ExceptionGroup")
        assert len(str(error)) < 500_000


class NoText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class EvilText(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class OddText(Exception):
    def __str__(self) -> str:
        return 7  # noqa: PLE0307 that is what is odd about it


class EvilAttribute(Exception):
    def __init__(self) -> None:
        self.fine = {"n": 1}
        self.lock = asyncio.Lock()
        self.nan = float("nan")
        self._hidden = 1
        super().__init__("attributes")

    def __reduce__(self) -> Any:
        raise RuntimeError("can't be pickled")


class EvilDict(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name in ("__dict__", "__traceback__", "__notes__"):
            raise RuntimeError(f"no {name}")
        return super().__getattribute__(name)


class Loud(Exception):
    def __str__(self) -> str:
        return "x" * 10_000_000


@pytest.mark.parametrize("kind", [NoText, EvilText, OddText, EvilAttribute, EvilDict, Loud])
async def test_an_exception_that_fights_back_is_written_down_all_the_same(
    open_engine: OpenEngine, kind: type[Exception]
) -> None:
    made = kind() if kind is EvilAttribute else kind("text")
    error = await failure(open_engine, made)
    assert error["type"] == kind.__name__
    assert error["message"]
    assert len(str(error)) < 200_000
    if kind in (NoText, EvilText, OddText):
        assert kind.__name__ in error["message"]
    if kind is EvilAttribute:
        assert error["attributes"]["fine"] == {"n": 1}
        assert not {"lock", "_hidden"} & set(error["attributes"])


async def test_odd_text_in_a_message_is_kept_as_far_as_it_can_be(open_engine: OpenEngine) -> None:
    error = await failure(open_engine, ValueError("\x00 \u202e \U0001f600 <b>"))
    assert error["message"] == "\x00 \u202e \U0001f600 <b>"
    error = await failure(open_engine, ValueError("\ud800"))
    assert error["message"] == "?"


async def test_a_traceback_begins_in_the_users_code(open_engine: OpenEngine) -> None:
    error = await failure(open_engine, lambda: boom(ValueError("x")))
    assert "test_exceptions.py" in error["traceback"]
    assert f"engine{os.sep}invoke.py" not in error["traceback"]


# -- what would end the program


class Strange(BaseException):
    """Neither an Exception nor anything known."""


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), Strange("x"), StopIteration(), StopAsyncIteration()]
)
async def test_what_would_end_the_program_fails_the_step_only_and_is_not_tried_again(
    open_engine: OpenEngine, error: BaseException, in_thread: bool
) -> None:
    async def execute(data: Any) -> None:
        raise error

    def in_a_thread(data: Any) -> None:
        raise error

    policy = RetryPolicy(attempts=1 if isinstance(error, Exception) else 3, delay=0)
    step = create_step(id="s", execute=in_a_thread if in_thread else execute, retry=policy)
    engine = await open_engine(
        create_workflow(id="w").parallel([step, add("beside")]).commit(),
        create_workflow(id="next").then(add("a")).commit(),
    )
    async with asyncio.timeout(5):
        run = await launch(engine, "w", {"n": 0})
    result = await run.result()
    assert (result.status, result.steps["beside"].status, result.steps["s"].attempts) == ("failed", "success", 1)
    assert result.error is not None
    # Python itself turns StopIteration out of a coroutine or a future into a RuntimeError.
    assert result.error["type"] in (type(error).__name__, "RuntimeError")
    assert (await (await launch(engine, "next", {"n": 0})).result()).result == {"n": 1}


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), Strange("x"), asyncio.CancelledError()])
@pytest.mark.parametrize("place", ["map", "condition", "sleep", "concurrency", "loop"])
async def test_what_would_end_the_program_in_a_small_function_fails_the_run_only(
    open_engine: OpenEngine, error: BaseException, place: str
) -> None:
    def evil(data: Any) -> Any:
        raise error

    flow = create_workflow(id="w")
    match place:
        case "map":
            flow = flow.map(evil)
        case "condition":
            flow = flow.branch([(evil, add("a"))])
        case "sleep":
            flow = flow.sleep(evil)
        case "concurrency":
            flow = flow.map(lambda data: [data]).foreach(add("a"), concurrency=evil)
        case _:
            flow = flow.do_while(add("a"), evil)
    engine = await open_engine(flow.commit(), create_workflow(id="next").then(add("a")).commit())
    async with asyncio.timeout(5):
        result = await (await launch(engine, "w", {"n": 0})).result()
    assert result.status == "failed"
    assert result.error is not None
    assert type(error).__name__ in f"{result.error['type']} {result.error['message']}"
    assert (await (await launch(engine, "next", {"n": 0})).result()).result == {"n": 1}


@pytest.mark.parametrize("verb", ["suspend", "bail", "abort"])
async def test_a_small_function_that_does_what_only_steps_can_fails_the_run_and_says_so(
    open_engine: OpenEngine, verb: str
) -> None:
    async def wants(data: Any, ctx: StepContext) -> Any:
        made = getattr(ctx, verb)("x")
        await made

    engine = await open_engine(create_workflow(id="w").map(wants).commit())
    async with asyncio.timeout(5):
        result = await (await launch(engine, "w")).result()
    assert result.error is not None
    assert (result.status, result.error["type"]) == ("failed", "ConditionFailed")
    assert "which only a step can do" in result.error["message"]


async def test_a_step_that_ends_its_process_at_once_is_taken_up_as_after_a_kill(tmp_path: Path, killer: Zygote) -> None:
    assert await killer.call("leaver:go", str(tmp_path)) == 3
    from tests.faults.programs.leaver import workflow  # noqa: PLC0415 its steps look for their folder

    async with Engine([workflow(tmp_path)], store=tmp_path / "runs.db") as engine:
        result = await (await engine.get_run("r1")).wait(10)
        assert (result.status, result.result, result.steps["leaves"].attempts) == ("success", "stayed", 2)
    assert verify(tmp_path / "runs.db") == []


async def test_failed_arms_are_all_in_the_log_and_the_first_is_the_runs_error(open_engine: OpenEngine) -> None:
    arms = [fail(id, kind(id)) for id, kind in (("a", KeyError), ("b", ValueError), ("c", OSError))]
    engine = await open_engine(create_workflow(id="w").parallel(arms).commit())
    run = await launch(engine, "w")
    result = await run.result()
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("KeyError", "a")
    failed = {
        event.path: event.data["error"]["type"]
        async for event in run.events(follow=False)
        if event.type == "step.failed"
    }
    assert {path: failed[path] for path in ("a", "b", "c")} == {"a": "KeyError", "b": "ValueError", "c": "OSError"}
    assert (await lines(run))[-1] == "run.failed"


async def test_a_step_that_swallows_the_signal_of_its_own_suspension_is_suspended_all_the_same(
    open_engine: OpenEngine,
) -> None:
    async def swallows(data: Any, ctx: StepContext) -> str:
        try:
            await ctx.ask("?")
        except BaseException:  # noqa: BLE001 it is what users write
            return "swallowed"
        return "answered"

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=swallows)).commit())
    run = await launch(engine, "w")
    assert (await run.result()).status == "suspended"
    assert (await run.resume(1)).result == "answered"
