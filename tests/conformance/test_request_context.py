"""What a caller gives along with a request: who asks, for which tenant.

Left out: changing it in a step for later ones (a step gets a copy; what steps share is the state).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from engine import Engine, StepContext, create_step, create_workflow, from_context
from tests.fixtures import OpenEngine, launch


class Caller(BaseModel):
    user: str
    role: str = "guest"


def reading(id: str) -> Any:
    async def read(data: Any, ctx: StepContext) -> Any:
        return ctx.request_context

    return create_step(id=id, execute=read)


async def test_every_step_sees_it(open_engine: OpenEngine) -> None:
    """S1: with the defaults of its schema; a condition and a map, too."""
    workflow = (
        create_workflow(id="w", request_context_schema=Caller)
        .then(reading("a"))
        .branch([("context.role == 'guest'", reading("b"))])
        .map({"a": lambda _, ctx: ctx.result_of("a"), "b": lambda data: data["b"], "user": from_context("user")})
    )
    engine = await open_engine(workflow)
    run = await launch(engine, "w", request_context={"user": "ann"})
    full = {"user": "ann", "role": "guest"}
    assert (await run.result()).result == {"a": full, "b": full, "user": "ann"}


async def test_what_a_step_does_to_it_nobody_else_sees(open_engine: OpenEngine) -> None:
    """S1: neither the next step nor the caller."""

    async def spoil(data: Any, ctx: StepContext) -> None:
        ctx.request_context["user"] = "eve"

    engine = await open_engine(create_workflow(id="w").then(create_step(id="spoil", execute=spoil)).then(reading("a")))
    given = {"user": "ann"}
    run = await launch(engine, "w", request_context=given)
    assert ((await run.result()).result, given) == ({"user": "ann"}, {"user": "ann"})


async def test_nested_steps_see_it_also_after_a_restart(sqlite_url: str) -> None:
    """S3: it is stored with the run."""

    async def ask(data: Any, ctx: StepContext) -> Any:
        await ctx.ask("?")
        return ctx.request_context

    child = create_workflow(id="n").then(create_step(id="ask", execute=ask))
    workflow = create_workflow(id="w").then(child)
    async with Engine([workflow], store=sqlite_url) as engine:
        run_id = (await launch(engine, "w", request_context={"user": "ann"})).run_id
    async with Engine([workflow], store=sqlite_url) as engine:
        assert (await (await engine.get_run(run_id)).resume(True)).result == {"user": "ann"}
