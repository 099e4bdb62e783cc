"""The example of an order."""

from __future__ import annotations

from typing import Any

import pytest

from engine import InvalidInput
from studio.examples.order import order_workflow
from tests.fixtures import OpenEngine, launch


@pytest.mark.parametrize(
    ("order", "receipt", "charged"),
    [
        (
            {"item": "tea", "card": "good"},
            {"status": "sent", "cents": 450, "notes": ["reserved 1 x tea", "charged 450 cents", "sent to DE"]},
            ("success", 1),
        ),
        (
            {"item": "tea", "card": "slow"},
            {"status": "sent", "cents": 450, "notes": ["reserved 1 x tea", "charged 450 cents", "sent to DE"]},
            ("success", 3),
        ),
        (
            {"item": "tea", "card": "empty"},
            {"status": "undone", "cents": 0, "notes": ["the card is empty", "taken back: reserved 1 x tea"]},
            ("failed", 1),
        ),
        (
            {"item": "cup", "country": "NO", "card": "good"},
            {
                "status": "undone",
                "cents": 0,
                "notes": ["no carrier goes to NO", "taken back: charged 990 cents", "taken back: reserved 1 x cup"],
            },
            ("success", 1),
        ),
    ],
    ids=["sent", "the bank is slow", "the card is empty", "no carrier"],
)
async def test_an_order_is_sent_or_undone(
    open_engine: OpenEngine, order: dict[str, Any], receipt: dict[str, Any], charged: tuple[str, int]
) -> None:
    engine = await open_engine(order_workflow)
    result = await (await launch(engine, order_workflow, order)).result()
    charge = result.steps["fulfil/charge"]
    assert (result.status, result.result, (charge.status, charge.attempts)) == ("success", receipt, charged)


@pytest.mark.parametrize(
    ("order", "notes"),
    [
        ({"item": "kettle", "count": 2}, ["kettle: 1 in stock, 2 wanted", "kettle: 11800 of at most 10000 cents"]),
        ({"item": "cup", "count": 7}, ["cup: 6 in stock, 7 wanted"]),
    ],
)
async def test_an_order_that_fails_a_check_is_refused(
    open_engine: OpenEngine, order: dict[str, Any], notes: list[str]
) -> None:
    engine = await open_engine(order_workflow)
    result = await (await launch(engine, order_workflow, order)).result()
    assert (result.status, result.result) == ("success", {"status": "refused", "cents": 0, "notes": notes})
    assert (result.steps["fulfil"].status, result.state) == ("skipped", {"done": []})


async def test_a_wrong_order_does_not_start(open_engine: OpenEngine) -> None:
    engine = await open_engine(order_workflow)
    run = await engine.create_run(order_workflow)
    with pytest.raises(InvalidInput, match="count: Input should be less than or equal to 100"):
        await run.start({"item": "tea", "count": 101})
    assert await run.status() == "pending"
