"""An order: checks side by side, a payment that is tried again, and everything undone if a later step fails.

Shows: ``parallel``, an expression as a condition, ``RetryPolicy``, ``Fatal`` (fail without another try), the run's
shared state with a reducer, and ``catch=`` (an arm that cleans up; the run then goes on).
"""

from __future__ import annotations

import operator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from engine import Fatal, RetryPolicy, StepContext, chain, create_workflow, from_init, from_step, reduce, step

STOCK = {"tea": 40, "cup": 6, "kettle": 1}
PRICE = {"tea": 450, "cup": 990, "kettle": 5900}  # cents
COUNTRIES = {"DE", "FR", "IT"}


class Order(BaseModel):
    """What somebody wants to buy."""

    item: Literal["tea", "cup", "kettle"] = Field(default="cup", description="40, 6 and 1 of them are in stock")
    count: int = Field(default=1, ge=1, le=100, description="How many; 7 cups are refused")
    country: str = Field(default="DE", description="Where to send it: DE, FR or IT; anything else fails and is undone")
    card: Literal["good", "slow", "empty"] = Field(
        default="slow", description="How the bank answers: at once, at the third try, or with a refusal"
    )


class Verdict(BaseModel):
    """What one check says."""

    ok: bool
    note: str


class Undoable(BaseModel):
    """The run's state: what has been done so far. The reducer joins what the steps add to it."""

    done: Annotated[list[str], reduce(operator.add)] = []


class Receipt(BaseModel):
    """How the order ended."""

    status: Literal["sent", "refused", "undone"]
    cents: int = 0
    notes: list[str] = []


@step
async def check_stock(order: Order) -> Verdict:
    """Is there enough of it?"""
    left = STOCK[order.item]
    return Verdict(ok=order.count <= left, note=f"{left} in stock, {order.count} wanted")


@step
async def check_limit(order: Order) -> Verdict:
    """Is it within what we sell without a contract?"""
    cents = PRICE[order.item] * order.count
    return Verdict(ok=cents <= 10_000, note=f"{cents} of at most 10000 cents")


@step
async def reserve(order: Order, ctx: StepContext) -> Order:
    """Put the goods aside."""
    ctx.set_state(done=[f"reserved {order.count} x {order.item}"])
    return order


@step(retry=RetryPolicy(attempts=3, delay=0.05, retry_on=(ConnectionError,)))
async def charge(order: Order, ctx: StepContext) -> Order:
    """Take the money. A real bank would get ``ctx.idempotency_key``, so that no retry takes it twice."""
    if order.card == "slow" and ctx.attempt < 3:
        raise ConnectionError("the bank does not answer")
    if order.card == "empty":
        raise Fatal("the card is empty")  # another try would not help
    ctx.set_state(done=[f"charged {PRICE[order.item] * order.count} cents"])
    return order


@step
async def send(order: Order, ctx: StepContext) -> Receipt:
    """Hand the parcel over."""
    if order.country not in COUNTRIES:
        raise Fatal(f"no carrier goes to {order.country}")
    return Receipt(
        status="sent", cents=PRICE[order.item] * order.count, notes=[*ctx.state.done, f"sent to {order.country}"]
    )


@step
async def refuse(order: Order, ctx: StepContext) -> Receipt:
    """Say which check failed."""
    checks = [ctx.result_of(check_stock), ctx.result_of(check_limit)]
    return Receipt(
        status="refused", notes=[f"{order.item}: {check.note}" for check in checks if check and not check.ok]
    )


@step
async def undo(failed: dict[str, Any], ctx: StepContext) -> Receipt:
    """Take back what had been done, last first."""
    undone = [f"taken back: {done}" for done in reversed(ctx.state.done)]
    return Receipt(status="undone", notes=[failed["error"]["message"], *undone])


fulfil = chain("fulfil").then(reserve).then(charge).then(send)

order_workflow = (
    create_workflow(
        id="order",
        input_schema=Order,
        output_schema=Receipt,
        state_schema=Undoable,
        description="Check, charge and send an order; take back what was done if something fails",
    )
    .parallel([check_stock, check_limit])
    .map(from_init())
    .branch([("steps.check_stock.ok and steps.check_limit.ok", fulfil)], otherwise=refuse, catch=undo)
    .map(from_step([fulfil, refuse, undo]))
    .commit()
)
