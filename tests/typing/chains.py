"""Chains that fit: neither checker may find anything here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_type

from engine import (
    Engine,
    RetryPolicy,
    RunResult,
    Step,
    StepContext,
    Workflow,
    chain,
    clone_step,
    clone_workflow,
    create_step,
    create_workflow,
    from_init,
    from_step,
    step,
    template,
    value,
)


@dataclass
class Place:
    """Where."""

    city: str


@dataclass
class Village(Place):
    """A smaller place."""


@dataclass
class Forecast:
    """What the sky does."""

    rain_mm: float


@step
async def forecast(place: Place) -> Forecast:
    """Async, of the input."""
    return Forecast(len(place.city))


@step
def pack(sky: Forecast, ctx: StepContext) -> list[str]:
    """Sync, with the context."""
    return ["umbrella"] * ctx.attempt if sky.rain_mm else []


@step(id="count", retry=RetryPolicy(attempts=2), timeout=1)
async def count(thing: str) -> int:
    """With rules."""
    return len(thing)


@step
def start() -> Village:
    """Of nothing."""
    return Village("Ulm")


assert_type(forecast, Step[Place, Forecast])
assert_type(pack, Step[Forecast, list[str]])
assert_type(count, Step[str, int])
assert_type(start, Step[Any, Village])

packing = create_workflow(id="packing", input_schema=Place).then(forecast).then(pack)
assert_type(packing, Workflow[Place, list[str]])
assert_type(packing.foreach(count), Workflow[Place, list[int]])
assert_type(packing.sleep(1).foreach(count, concurrency=len), Workflow[Place, list[int]])
assert_type(packing.commit(), Workflow[Place, list[str]])
assert_type(clone_workflow(packing, id="other"), Workflow[Place, list[str]])
assert_type(clone_step(count, id="other", timeout=2), Step[str, int])


def first(things: Sequence[str]) -> str:
    """A map."""
    return things[0]


async def last(things: Sequence[str], ctx: StepContext) -> str:
    """An async map with the context."""
    return things[-ctx.attempt]


assert_type(packing.map(first), Workflow[Place, str])
assert_type(packing.map(last).then(count), Workflow[Place, int])

nested = create_workflow(id="nested").then(start).then(packing)  # a village is a place
assert_type(nested, Workflow[Any, list[str]])
assert_type(nested.map(from_step(start)), Workflow[Any, Any])
assert_type(nested.map({"a": from_init("b"), "c": value(1), "d": template("${init.x}")}), Workflow[Any, Any])

same = create_step(id="same", execute=lambda given: given)
assert_type(same, Step[Any, Any])
assert_type(packing.then(same), Workflow[Place, Any])
branched = packing.branch([("true", same), (lambda things: len(things) > 1, chain().then(same))], mode="first")
assert_type(branched, Workflow[Place, Any])
assert_type(packing.parallel([same, chain("c").then(same)]), Workflow[Place, Any])


@step
def older(place: Place) -> Place:
    """Its output is its input."""
    return place


looped = create_workflow(id="looped", input_schema=Place).do_while(older, "city == ''").do_until(older, "true")
assert_type(looped, Workflow[Place, Place])


async def use() -> RunResult:
    """Running."""
    async with Engine(workflows=[packing, nested]) as engine:
        run = await engine.create_run(packing)
        await run.start(Place("Ulm"))
    await looped.run(Place("Ulm"))
    return packing.run_sync({"city": "Ulm"})


def plain_call() -> list[str]:
    """A step stays callable."""
    made: list[str] = pack(Forecast(1), None)
    return made
