"""A mistake that newcomers make is answered with what to write instead."""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    AlreadyResumed,
    DefinitionError,
    Engine,
    EngineError,
    InvalidResume,
    NotSuspended,
    RunFailed,
    StepContext,
    UnknownRun,
    chain,
    create_step,
    create_workflow,
    step,
)
from tests.fixtures import OpenEngine, add, fail, launch, open_engine, store_url

__all__ = ["open_engine", "store_url"]


class Expense(BaseModel):
    what: str
    euros: float


@step
async def ask(n: int, ctx: StepContext) -> str:
    return "yes" if await ctx.ask("go on?", bool) else "no"


asking = create_workflow(id="asking", input_schema=int).then(ask)
one = add("one")


# -- definitions


def with_context_first() -> None:
    @step
    async def swapped(ctx: StepContext, n: int) -> int:
        return n


def with_context_only() -> None:
    @step
    async def alone(ctx: StepContext) -> int:
        return ctx.attempt


def with_a_bare_context() -> None:
    create_step(id="bare", execute=lambda ctx: ctx.attempt)


def on_a_method() -> None:
    class Shop:
        @step
        async def sell(self, n: int) -> int:
            return n


SECOND = "ctx is the second parameter; write (input, ctx)"
METHOD = "it is a method, which is called without its 'self'; write a plain function, or create_step(id=..., execute="
OPTIONS = "on_error, on_finish, on_start, output_schema, request_context_schema, retry, state_schema"

Mistake = tuple[Callable[[], Any], type[Exception], str]
WRONG: dict[str, Mistake] = {
    "retries": (
        lambda: step(retries=3),
        TypeError,
        "@step has no 'retries'; did you mean retry=RetryPolicy(attempts=3)?",
    ),
    "a typing error": (lambda: step(time_out=3), TypeError, "@step has no 'time_out'; did you mean timeout?"),
    "schema": (
        lambda: create_workflow(id="x", schema=Expense),
        TypeError,
        "create_workflow has no 'schema'; did you mean input_schema?",
    ),
    "nothing like it": (
        lambda: create_workflow(id="x", qqq=1),
        TypeError,
        f"create_workflow has no 'qqq'; it has description, input_schema, metadata, {OPTIONS}",
    ),
    "one workflow": (
        lambda: Engine(asking),
        TypeError,
        "workflow 'asking' is given alone; give a list: Engine([workflow])",
    ),
    "context first": (with_context_first, DefinitionError, f"step 'swapped': {SECOND}"),
    "context only": (with_context_only, DefinitionError, f"step 'alone': {SECOND}"),
    "context bare": (with_a_bare_context, DefinitionError, f"step 'bare': {SECOND}"),
    "method": (on_a_method, DefinitionError, f"step 'sell': {METHOD}object.method)"),
    "parallel": (
        lambda: create_workflow(id="x").parallel({"a": one}),
        DefinitionError,
        "parallel: it takes a list, not a dict; write .parallel([a, b]), whose output has the arms' ids as keys",
    ),
    "branch": (
        lambda: create_workflow(id="x").branch({"n > 1": one}),
        DefinitionError,
        "branch: it takes a list, not a dict; write .branch([(condition, arm), ...])",
    ),
    "chain": (
        lambda: chain().parallel([one]),
        AttributeError,
        "a chain only has .then, no .parallel; nest a create_workflow(...), which has the other methods",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_definition_says_what_to_write(mistake: str) -> None:
    make, kind, said = WRONG[mistake]
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value).splitlines()[-1].removeprefix("  - ") == said


def test_a_bound_method_can_be_a_step() -> None:
    class Shop:
        def sell(self, n: int) -> int:
            return n + 1

    selling = create_step(id="sell", execute=Shop().sell)
    assert create_workflow(id="w").then(selling).run_sync(1).unwrap() == 2


# -- engines and runs


def test_an_engine_is_opened_with_async_with() -> None:
    with pytest.raises(TypeError, match="an engine is opened with 'async with"), Engine([asking]):
        pass


async def test_run_sync_in_a_running_loop_says_so_and_leaves_nothing_unawaited() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(EngineError, match=re.escape("here one runs: use 'await run(...)'")):
            asking.run_sync(1)


async def test_what_can_not_be_resumed_says_what_can_be_done(open_engine: OpenEngine) -> None:
    failing = create_workflow(id="failing").then(fail("boom"))
    late = create_workflow(id="late", input_schema=int).then(ask).then(fail("boom"))
    engine = await open_engine(asking, failing, late)
    run = await engine.create_run(asking)
    with pytest.raises(NotSuspended, match=r"\(status pending; open questions: none\); start it first$"):
        await run.resume(True)
    with pytest.raises(NotSuspended, match=r"status failed; .*; it has ended: use fork\(step\) or rerun\(\)$"):
        await (await launch(engine, failing)).resume(True)
    run = await launch(engine, late, 1)
    await run.resume(True)
    with pytest.raises(AlreadyResumed, match=r"it was answered before; it has ended: use fork\(step\) or rerun\(\)$"):
        await run.resume(True)


async def test_an_answer_that_does_not_fit_says_that_the_question_is_open(open_engine: OpenEngine) -> None:
    run = await launch(await open_engine(asking), asking, 1)
    with pytest.raises(InvalidResume) as caught:
        await run.resume("perhaps")
    assert str(caught.value).startswith("answer to 'ask': 1 problem: ")
    assert str(caught.value).endswith("(got 'perhaps'); the question is still open")
    assert (await run.resume(True)).result == "yes"


async def test_an_unknown_run_may_be_in_another_store(open_engine: OpenEngine) -> None:
    engine = await open_engine(asking)
    with pytest.raises(UnknownRun, match="no run has the id 'nope'; it may have been deleted, or be in another store"):
        await engine.get_run("nope")


def test_unwrap_says_at_which_step_a_run_failed_or_waits() -> None:
    failed = create_workflow(id="w").then(fail("f")).run_sync()
    with pytest.raises(RunFailed, match=r"^run '[\w-]+' of 'w' failed at step 'f': ValueError: f failed$"):
        failed.unwrap()
    waits = r" of 'asking' is suspended: it waits for an answer at 'ask'; give it with run.resume\(...\)$"
    with pytest.raises(RunFailed, match=waits):
        asking.run_sync(1).unwrap()


async def test_lists_know_their_statuses(open_engine: OpenEngine) -> None:
    engine = await open_engine(asking)
    known = "pending, running, waiting, suspended, paused, success, failed, canceled"
    with pytest.raises(ValueError, match=re.escape(f"list_runs(status='fail'): it is one of {known}")):
        await engine.list_runs(status="fail")
    with pytest.raises(ValueError, match=re.escape("prune(status='running'): it is one of canceled, failed, success")):
        await engine.prune(older_than=timedelta(0), status=["failed", "running"])
    assert (await engine.list_runs(status=["success", "failed"])).items == []


# -- what functions return


def message(error: dict[str, Any] | None) -> str:
    """What an error says, with the line numbers of this file left out."""
    return re.sub(r"\.py:\d+", ".py:N", (error or {})["message"])


def test_an_output_that_does_not_fit_names_the_function() -> None:
    @step
    async def price(what: str) -> Expense:
        return {"what": what}

    failed = create_workflow(id="w", input_schema=str).then(price).run_sync("train")
    assert message(failed.error) == (
        "output of step 'price': 1 problem: euros: Field required; returned by price (test_messages.py:N)"
    )
    assert f"test_messages.py:{price.execute.__code__.co_firstlineno})" in failed.error["message"]


@pytest.mark.parametrize("wanted", [str, Any])
def test_a_coroutine_that_was_returned_may_lack_an_await(wanted: Any) -> None:
    async def inner() -> str:
        return "x"

    async def outer() -> Any:
        return inner()

    flow = create_workflow(id="w").then(create_step(id="outer", execute=outer, output_schema=wanted))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = message(flow.run_sync().error)
    assert said.endswith("; is an await missing?; returned by outer (test_messages.py:N)")


def unstorable() -> object:
    return object()


def test_what_can_not_be_stored_is_called_the_output_itself_and_has_a_remedy() -> None:
    flow = create_workflow(id="w").then(create_step(id="s", execute=unstorable))
    assert message(flow.run_sync().error) == (
        "output of step 's': the output itself (type object) can't be stored; "
        "make it JSON data, a model or a dataclass; returned by unstorable (test_messages.py:N)"
    )
    nested = create_workflow(id="w").then(create_step(id="s", execute=lambda: {"a": [print]}))
    assert message(nested.run_sync().error).startswith("output of step 's': $.a[0] (type builtin_function_or_method) ")


def test_a_map_is_told_what_a_map_can_do() -> None:
    def said(value: Any) -> str:
        return message(create_workflow(id="w").map(lambda _: value).run_sync(1).error)

    assert said((1, 2)) == "map 'map-1': what it gives (type tuple) can't be stored without a schema; return a list"
    assert said({"a": {1}}) == "map 'map-1': $.a (type set) can't be stored without a schema; return a list"
    assert said(b"x") == "map 'map-1': what it gives (type bytes) can't be stored without a schema; return JSON data"
    assert said(object()).endswith(
        "what it gives (type object) can't be stored; make it JSON data, a model or a dataclass"
    )


@pytest.mark.parametrize("seconds", [math.inf, 1e18])
def test_a_sleep_without_an_end_names_its_step(seconds: float) -> None:
    failed = create_workflow(id="w").sleep(lambda _: seconds, id="nap").run_sync(1)
    error = failed.error or {}
    assert (error["type"], error["message"]) == (
        "ConditionFailed",
        "'nap' sleeps beyond the year 9999; give seconds or a timedelta",
    )


def test_defaults_that_are_not_given_are_shown_as_words() -> None:
    assert "object at 0x" not in f"{inspect.signature(StepContext.ask)}{inspect.signature(StepContext.suspend)}"
