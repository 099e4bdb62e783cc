"""The state that steps of one run share: when a write is seen, merged, dropped or refused."""

from __future__ import annotations

import operator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from engine import Engine, InvalidState, RetryPolicy, StepContext, create_step, create_workflow, reduce
from tests.fixtures import OpenEngine, add, launch, lines


class Counted(BaseModel):
    c: int = 0


class Summed(BaseModel):
    c: Annotated[int, reduce(operator.add)] = 0
    log: Annotated[list[str], reduce(operator.add)] = []


def setting(id: str, **changes: Any) -> Any:
    async def write(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(**changes)
        return data

    return create_step(id=id, execute=write)


def reading(id: str = "read") -> Any:
    async def read(data: Any, ctx: StepContext) -> Any:
        state = ctx.state
        return state.model_dump() if isinstance(state, BaseModel) else state

    return create_step(id=id, execute=read)


async def test_a_step_sees_the_state_as_of_its_start(open_engine: OpenEngine) -> None:
    """I2: what it sets itself is seen by the next step."""

    async def write(data: Any, ctx: StepContext) -> Any:
        before = ctx.state["c"]
        ctx.set_state(c=9)
        return [before, ctx.state["c"]]

    async def look(data: Any, ctx: StepContext) -> Any:
        return [*data, ctx.state["c"]]

    workflow = create_workflow(id="w").then(create_step(id="a", execute=write)).then(create_step(id="b", execute=look))
    engine = await open_engine(workflow)
    assert (await (await launch(engine, "w", state={"c": 1})).result()).result == [1, 1, 9]


async def test_the_last_of_two_writes_in_a_step_wins(open_engine: OpenEngine) -> None:
    """I3: key by key; a dict and keywords are the same."""

    async def write(data: Any, ctx: StepContext) -> None:
        ctx.set_state({"c": 2, "d": 1})
        ctx.set_state(c=3)

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=write)))
    assert (await (await launch(engine, "w", state={"e": 5})).result()).state == {"c": 3, "d": 1, "e": 5}


async def test_two_arms_add_with_a_reducer(open_engine: OpenEngine) -> None:
    """I5: nothing is lost, whoever ends first."""
    workflow = create_workflow(id="w", state_schema=Summed).parallel(
        [setting("p", c=1, log=["p"]), setting("q", c=10, log=["q"])]
    )
    engine = await open_engine(workflow)
    result = await (await launch(engine, "w", state={"c": 1})).result()
    assert result.state["c"] == 12
    assert sorted(result.state["log"]) == ["p", "q"]


async def test_two_arms_that_write_one_key_without_a_reducer_fail(open_engine: OpenEngine) -> None:
    """I5: never a silent loss; the error names the key and the remedy."""
    workflow = create_workflow(id="w", state_schema=Counted).parallel([setting("p", c=1), setting("q", c=10)])
    engine = await open_engine(workflow)
    result = await (await launch(engine, "w")).result()
    assert result.status == "failed"
    assert result.error is not None
    assert (result.error["type"], "'c'" in result.error["message"]) == ("StateConflict", True)


async def test_two_arms_that_write_different_keys_merge(open_engine: OpenEngine) -> None:
    """I5: neither takes the other's back."""
    engine = await open_engine(create_workflow(id="w").parallel([setting("p", a=1), setting("q", b=2)]).then(reading()))
    result = await (await launch(engine, "w", state={"a": 0, "b": 0, "c": 0})).result()
    assert result.result == {"a": 1, "b": 2, "c": 0}


async def test_a_failed_step_writes_nothing(open_engine: OpenEngine) -> None:
    """I6: also when it is caught, and when a later attempt succeeds."""

    async def break_it(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(c=data_of_attempt[ctx.attempt])
        if ctx.attempt < 3:
            raise ValueError("not yet")
        return ctx.state

    async def never(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(c=99)
        raise ValueError("no")

    data_of_attempt = {1: 10, 2: 20, 3: 30}
    often = RetryPolicy(attempts=3)
    engine = await open_engine(
        create_workflow(id="retried").then(create_step(id="a", execute=break_it, retry=often)),
        create_workflow(id="caught").then(create_step(id="a", execute=never), catch=reading()),
        create_workflow(id="failed").then(create_step(id="a", execute=never)),
    )
    retried = await (await launch(engine, "retried", state={"c": 1})).result()
    assert (retried.result, retried.state) == ({"c": 1}, {"c": 30})
    assert (await (await launch(engine, "caught", state={"c": 1})).result()).result == {"c": 1}
    assert (await (await launch(engine, "failed", state={"c": 1})).result()).state == {"c": 1}


@pytest.mark.parametrize("changes", [{"c": "x"}, {"unknown": 1}])
async def test_a_write_that_does_not_fit_fails_the_step(open_engine: OpenEngine, changes: Any) -> None:
    """I8: and the state stays."""
    engine = await open_engine(create_workflow(id="w", state_schema=Counted).then(setting("a", **changes)))
    result = await (await launch(engine, "w", state={"c": 1})).result()
    assert (result.status, result.state, result.steps["a"].status) == ("failed", {"c": 1}, "failed")
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("InvalidState", "a")


async def test_a_step_may_declare_its_part_of_the_state(open_engine: OpenEngine) -> None:
    """I8: it sees its own schema, and its writes are held to it."""

    async def write(data: Any, ctx: StepContext) -> None:
        assert isinstance(ctx.state, Counted)
        ctx.set_state(c=ctx.state.c + 1)

    engine = await open_engine(create_workflow(id="w").then(create_step(id="a", execute=write, state_schema=Counted)))
    assert (await (await launch(engine, "w", state={"c": 1, "other": 2})).result()).state == {"c": 2, "other": 2}


async def test_a_nested_workflow_shares_the_state(open_engine: OpenEngine) -> None:
    """I9: the parent sets 2, the child adds 5, the parent sees 7."""

    async def five(data: Any, ctx: StepContext) -> Any:
        ctx.set_state(c=ctx.state["c"] + 5)
        return data

    child = create_workflow(id="n").then(create_step(id="five", execute=five))
    engine = await open_engine(create_workflow(id="w").then(setting("two", c=2)).then(child).then(reading()))
    assert (await (await launch(engine, "w", {})).result()).result == {"c": 7}


async def test_a_fork_keeps_the_state_unless_one_is_given(open_engine: OpenEngine) -> None:
    """I11: it begins with what was there when its step began."""
    workflow = create_workflow(id="w").then(setting("a", c=1)).then(reading()).then(setting("z", c=100))
    engine = await open_engine(workflow)
    run = await launch(engine, "w", state={"c": 0})
    kept = await (await run.fork("read")).wait()
    given = await (await run.fork("read", state={"c": 42})).wait()
    assert (kept.result, given.result, (await run.result()).state) == ({"c": 1}, {"c": 42}, {"c": 100})


async def test_the_state_outlives_its_engine(sqlite_url: str) -> None:
    """I12: what was written before an engine closed is seen after."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        await ctx.ask("?")
        return ctx.state

    workflow = create_workflow(id="w").then(setting("a", c=5)).then(create_step(id="b", execute=ask))
    async with Engine([workflow], store=sqlite_url) as engine:
        run_id = (await launch(engine, "w", state={"d": 1})).run_id
    async with Engine([workflow], store=sqlite_url) as engine:
        run = await engine.get_run(run_id)
        assert (await run.resume(True)).result == {"c": 5, "d": 1}


async def test_the_state_at_the_start_is_checked(open_engine: OpenEngine) -> None:
    """Defaults apply; a misfit is refused and nothing runs."""
    engine = await open_engine(create_workflow(id="w", state_schema=Counted).then(add("a")))
    run = await engine.create_run("w")
    with pytest.raises(InvalidState, match="state of workflow 'w'"):
        await run.start({"n": 1}, state={"c": "x"})
    assert (await run.status(), await lines(run)) == ("pending", ["run.created"])
    assert (await run.start({"n": 1})).state == {"c": 0}


async def test_what_a_suspended_step_wrote_counts_once(open_engine: OpenEngine) -> None:
    """It is visible while it waits, and taken back when its next pass starts."""

    async def count(data: Any, ctx: StepContext) -> Any:
        seen = ctx.state.c
        ctx.set_state(c=1)
        await ctx.ask("?")
        return seen

    workflow = create_workflow(id="w", state_schema=Summed).then(create_step(id="a", execute=count))
    engine = await open_engine(workflow)
    run = await launch(engine, "w", state={"c": 10})
    assert (await run.result()).state == {"c": 11, "log": []}
    result = await run.resume(True)
    assert (result.result, result.state) == (10, {"c": 11, "log": []})
