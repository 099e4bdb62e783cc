"""What a workflow says of its input before any run: its schema, and whether a value fits."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field

from engine import Engine, InvalidInput, create_workflow
from tests.fixtures import add


class Order(BaseModel):
    item: str = Field(min_length=2)
    n: int = 1


order = create_workflow(id="order", input_schema=Order).map(lambda given: given)
anything = create_workflow(id="anything").then(add("a"))


def test_the_schema_of_the_input_is_json_schema_and_nothing_if_any_is_taken() -> None:
    schema = order.input_json_schema()
    assert schema is not None
    assert (schema["properties"]["item"]["minLength"], schema["required"]) == (2, ["item"])
    assert anything.input_json_schema() is None


async def test_an_input_is_refused_as_a_start_would_refuse_it() -> None:
    with pytest.raises(InvalidInput) as checked:
        order.check_input({"item": "x", "n": "many"})
    async with Engine([order]) as engine:
        run = await engine.create_run("order")
        with pytest.raises(InvalidInput) as started:
            await run.start({"item": "x", "n": "many"})
    assert str(checked.value) == str(started.value)
    assert checked.value.path == started.value.path


def test_an_input_that_fits_passes() -> None:
    order.check_input({"item": "tea"})
    order.check_input(Order(item="tea"))
    anything.check_input(object)
