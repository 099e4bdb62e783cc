"""What the journeys run. A step waits for a file that the test makes, or for a person: never for a time to guess."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr

from engine import RetryPolicy, Step, StepContext, chain, create_workflow, from_step, step

GATES = Path(os.environ.get("GATES", "."))


class Count(BaseModel):
    """A number, and the file that lets the steps go on that wait for one."""

    n: int = 1
    gate: str = ""


class Decision(BaseModel):
    """What a person says to it."""

    approve: bool = Field(description="Shall it go on?")
    note: str = Field(default="", description="Why")


class Line(BaseModel):
    """What is ordered."""

    item: str = Field(min_length=2)
    amount: int = Field(ge=1, le=9)


class Card(BaseModel):
    """Paid by card."""

    kind: Literal["card"] = "card"
    number: str = Field(pattern=r"^\d{4}$", description="The last four digits")


class Cash(BaseModel):
    """Paid in cash."""

    kind: Literal["cash"] = "cash"
    given: float = Field(gt=0)


class Everything(BaseModel):
    """A field of every kind."""

    name: str = Field(min_length=3, max_length=12, description="Who orders")
    age: int = Field(ge=18)
    price: float = Field(default=2.5, gt=0)
    size: Literal["cup", "bag", "sack"] = "bag"
    day: date
    at: datetime | None = None
    gift: bool = False
    lines: list[Line] = Field(min_length=1)
    prices: dict[str, int] = {}
    pay: Annotated[Card | Cash, Field(discriminator="kind")]
    password: SecretStr
    nick: str | None = None
    remarks: str = Field(default="", max_length=2000)


async def opened(gate: str) -> None:
    """Wait until the test has made the file."""
    while gate and not (GATES / gate).exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)


def plus(id: str, amount: int = 1) -> Step[Any, Any]:
    """A step that adds."""

    @step(id=id)
    async def execute(data: Count) -> Count:
        return Count(n=data.n + amount, gate=data.gate)

    return execute


@step
async def gated(data: Count, ctx: StepContext) -> Count:
    """Wait for the gate, and say so."""
    ctx.logger.info("waits for the gate at %s", data.n)
    await opened(data.gate)
    return data


def asks(id: str, title: str) -> Step[Any, Any]:
    """A step that asks a person."""

    @step(id=id)
    async def execute(data: Count, ctx: StepContext) -> Count:
        answer = await ctx.ask({"amount": data.n, "reason": f"{id} wants to know"}, Decision, title=title)
        return Count(n=data.n + (10 if answer.approve else 0), gate=data.gate)

    return execute


@step
async def tell(data: Any, ctx: StepContext) -> dict[str, int]:
    """Take whatever came."""
    return {"fields": len(data.model_dump()) if isinstance(data, BaseModel) else len(data)}


@step(retry=RetryPolicy(attempts=3, delay=0.01))
async def calls(data: Count, ctx: StepContext) -> Count:
    """Fail two times."""
    ctx.logger.warning("try number %s", ctx.attempt)
    if ctx.attempt < 3:
        raise ConnectionError(f"no answer to try {ctx.attempt}")
    return data


@step
async def looks_up(data: Count) -> Count:
    """Fail for good."""
    prices: dict[int, Count] = {}
    return prices[data.n]


def counts(id: str) -> Step[Any, Any]:
    """A step that counts in the shared state, too."""

    @step(id=id)
    async def execute(data: Count, ctx: StepContext) -> Count:
        ctx.set_state(total=ctx.state.get("total", 0) + data.n)
        return Count(n=data.n + 1, gate=data.gate)

    return execute


@step
async def items(data: Count) -> list[Count]:
    """Several of them, of which only the last waits."""
    return [Count(n=number, gate=data.gate if number == data.n else "") for number in range(1, data.n + 1)]


def each(of: str, make: Callable[[str], Step[Any, Any]], amount: int) -> list[Step[Any, Any]]:
    """Steps that differ by their number."""
    return [make(f"{of}_{number}") for number in range(1, amount + 1)]


def flow(id: str, description: str = "", **options: Any) -> Any:
    """A workflow over counts."""
    return create_workflow(id=id, description=description, input_schema=Count, **options)


def long_chain(id: str, amount: int) -> Any:
    """So many steps, one after another."""
    made = flow(id)
    for one in each("part", plus, amount):
        made = made.then(one)
    return made.commit()


@step
async def settle(data: dict[str, Any]) -> dict[str, int]:
    """Add up what both said."""
    return {"total": sum(one["n"] if isinstance(one, dict) else one.n for one in data.values())}


inner = flow("inner").then(plus("in_a")).then(plus("in_b")).commit()
one_round = chain("round").then(plus("grow"))

gate = flow("gate", "Waits in the middle").then(plus("first")).then(gated).then(plus("last")).commit()
walk = flow("walk", "Five steps")
for letter in "abcde":
    walk = walk.then(plus(f"step_{letter}"))
walk = walk.commit()
approve = flow("approve", "Asks one person").then(plus("first")).then(asks("ask_boss", "Shall we go on?"))
approve = approve.then(plus("last")).commit()
two = (
    flow("two", "Asks two people at once")
    .parallel([asks("ask_legal", "Is it legal?"), asks("ask_sales", "Does it sell?")])
    .then(settle)
    .commit()
)
nap = flow("nap", "Sleeps for a day").then(plus("first")).sleep(timedelta(days=1)).then(plus("last")).commit()
everything = (
    create_workflow(id="everything", description="A field of every kind", input_schema=Everything).then(tell).commit()
)
flaky = flow("flaky", "Works at the third try").then(calls).commit()
fails = flow("fails", "Never works").then(plus("first")).then(looks_up).commit()
rounds = flow("rounds", "Goes round until it is enough").do_until(one_round, "n >= 5").then(plus("last")).commit()
many = flow("many", "One step for each item").then(items).foreach(gated, concurrency=2).commit()
choice = (
    flow("choice", "Takes one of two ways")
    .branch([("n > 5", plus("high"))], otherwise=plus("low"), mode="first")
    .map(from_step(["high", "low"]))
    .commit()
)
nested = flow("nested", "Has a workflow in it").then(inner).then(plus("out")).commit()
state = (
    create_workflow(id="state", description="Keeps a total", input_schema=Count, state_schema=dict[str, int])
    .then(counts("count_a"))
    .then(counts("count_b"))
    .commit()
)
wide = flow("wide", "A hundred at once").parallel(each("side", plus, 100)).commit()
long = long_chain("long", 60)
quiet = flow("quiet", "Nobody has run it").then(plus("only")).commit()
