"""Forks over a restart and with other code; reruns."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Engine, NotStarted, StepContext, Workflow, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, lines
from tests.rules.steps import Counted


async def test_a_fork_runs_with_todays_code(sqlite_url: str) -> None:
    def version(amount: int) -> Workflow[Any, Any]:
        count = Counted()
        return create_workflow(id="flow").then(count.add("a")).then(count.add("b", amount)).commit()

    async with Engine([version(1)], store=sqlite_url) as engine:
        run = await launch(engine, "flow", {"n": 0})
    async with Engine([version(100)], store=sqlite_url) as engine:
        run = await engine.get_run(run.run_id)
        assert (await (await run.fork("b")).wait()).result == {"n": 101}


async def test_a_fork_survives_a_restart(sqlite_url: str) -> None:
    count = Counted()
    flow = create_workflow(id="flow").then(count.add("a")).then(count.ask("ask")).then(count.add("c"))
    async with Engine([flow], store=sqlite_url) as engine:
        run = await launch(engine, "flow", {"n": 0})
        new = await run.fork("ask", input={"n": 50})
        await new.wait()
    async with Engine([flow], store=sqlite_url) as engine:
        new = await engine.get_run(new.run_id)
        assert (await new.resume(5)).result == {"n": 56}


async def test_rerun_is_a_new_run_with_the_same_input(open_engine: OpenEngine) -> None:
    count = Counted()

    async def look(data: Any, ctx: StepContext) -> Any:
        return [data, ctx.state, ctx.request_context]

    flow = create_workflow(id="flow").then(count.add("a")).then(create_step(id="look", execute=look))
    run = await launch(await open_engine(flow), "flow", {"n": 1}, state={"x": 1}, request_context={"y": 2})
    again = await run.rerun()
    result = await again.wait()
    assert (result.input, result.result) == ({"n": 1}, [{"n": 2}, {"x": 1}, {"y": 2}])
    assert (again.parent_run_id, count.taken(), await lines(again)) == (run.run_id, {"a": 2}, await lines(run))


async def test_rerun_of_a_run_to_which_much_happened_before_it_was_started(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a")))
    run = await engine.create_run("w")
    for _ in range(25):
        await run.set_breakpoints([])
    await run.start({"n": 1})

    assert (await (await run.rerun()).wait()).result == {"n": 2}


async def test_rerun_of_a_run_that_was_never_started(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(Counted().add("a")))
    with pytest.raises(NotStarted):
        await (await engine.create_run("flow")).rerun()
