"""What the engine refuses, beside the field it is about."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

from engine import DataError, Engine, InvalidInput, InvalidResume, StepContext, create_step, create_workflow
from studio.forms import FormView, build, errors_from, parse
from tests.web.browser_form import Page, html_of, sent


class Stop(BaseModel):
    city: str = Field(min_length=2)
    zip: int | None = None


class Card(BaseModel):
    kind: Literal["card"] = "card"
    number: int


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"
    coins: int = Field(ge=0)


class Order(BaseModel, extra="forbid"):
    stops: list[Stop]
    prices: dict[Annotated[str, Field(max_length=3)], Annotated[int, Field(ge=0)]]
    pay: Annotated[Card | Cash, Field(discriminator="kind")]
    size: Annotated[int, Field(ge=0)] | Annotated[str, Field(max_length=3)]
    code: Annotated[str, Field(alias="the code", pattern="^a")]
    token: SecretStr = Field(min_length=50)
    place: tuple[float, Annotated[float, Field(lt=90)]]
    tags: list[str] = Field(max_length=1)

    @field_validator("tags")
    @classmethod
    def no_x(cls, tags: list[str]) -> list[str]:
        if "x" in tags:
            raise ValueError("x is taken")
        return tags


SCHEMA = Order.model_json_schema()
WRONG = {
    "stops": [{"city": "Wien", "zip": None}, {"city": "W", "zip": 1}],
    "prices": {"a.b": -1, "long": 1},
    "pay": {"kind": "cash", "coins": -1},
    "size": -5,
    "the code": "b",
    "token": "s3cret",
    "place": [1.0, 91.5],
    "tags": ["x"],
    "unknown": True,
}
BESIDE = {
    "stops.1.city": "String should have at least 2 characters",
    "prices.@0.value": "Input should be greater than or equal to 0",
    "prices.@1.key": "String should have at most 3 characters",
    "pay.@1.coins": "Input should be greater than or equal to 0",
    "size.@0": "Input should be greater than or equal to 0",
    "the~20~code": "String should match pattern '^a'",
    "token": "Value should have at least 50 items after validation, not 6",
    "place.1": "Input should be less than 90",
    "tags": "x is taken",
    "@more": "unknown: Extra inputs are not permitted",
}


async def refusal(kind: Any, value: Any) -> DataError:
    async def execute() -> None: ...

    workflow = create_workflow(id="w", input_schema=kind).then(create_step(id="a", execute=execute)).commit()
    async with Engine([workflow]) as engine:
        run = await engine.create_run("w")
        with pytest.raises(InvalidInput) as refused:
            await run.start(value)
        return refused.value


def shown(view: FormView) -> dict[str, str]:
    """Every error that is shown, by the id of what it describes."""
    elements = Page(html_of(view)).elements
    texts = {one.attributes.get("id"): elements[index + 1 :] for index, one in enumerate(elements) if one.tag == "p"}
    found: dict[str, str] = {}
    for one in elements:
        for id in one.attributes.get("aria-describedby", "").split():
            if id.endswith(".error"):
                said = next(part.text for part in texts[id] if part.tag == "span")
                found[one.attributes["id"].removeprefix(f"{view.id}.")] = said
    return found


async def test_each_objection_to_an_input_is_beside_its_field() -> None:
    error = await refusal(Order, WRONG)
    typed = {name: [text] for name, text in sent(build(SCHEMA, WRONG))} | {"$.token": ["s3cret"]}
    view = build(SCHEMA, typed=typed, errors=errors_from(error))
    beside = {fault.href.removeprefix("#form."): fault.message for fault in view.faults}
    assert beside == BESIDE
    assert shown(view) == BESIDE


async def test_an_objection_to_an_answer_is_beside_its_field_and_the_question_stays_open() -> None:
    class Decision(BaseModel):
        limit_usd: int = Field(ge=0)

    async def execute(data: Any, ctx: StepContext) -> int:
        answer = await ctx.ask({"why": "cost"}, Decision)
        return answer.limit_usd

    workflow = create_workflow(id="w").then(create_step(id="a", execute=execute)).commit()
    schema = Decision.model_json_schema()
    async with Engine([workflow]) as engine:
        run = await engine.create_run("w")
        await run.start({})
        parsed = parse(schema, [("$.limit_usd", "-5")])
        with pytest.raises(InvalidResume) as refused:
            await run.resume(parsed.value)
        view = build(schema, typed=parsed.typed, errors=errors_from(refused.value))
        assert [(one.href, one.message) for one in view.faults] == [
            ("#form.limit_usd", "Input should be greater than or equal to 0")
        ]
        assert dict(sent(view))["$.limit_usd"] == "-5"
        result = await run.resume(parse(schema, [("$.limit_usd", "7")]).value)
        assert result.result == 7


async def test_an_objection_to_a_part_that_is_shown_as_json_is_beside_that_part() -> None:
    class Whole(BaseModel):
        pay: Annotated[Card | Cash, Field(discriminator="kind")]
        size: int | Stop
        stop: Stop

    value = {"pay": {"kind": "cheque"}, "size": [1], "stop": [2]}
    error = await refusal(Whole, value)
    view = build(Whole.model_json_schema(), value, errors=errors_from(error))
    assert [fault.href for fault in view.faults] == ["#form.pay", "#form.size", "#form.stop"]
    assert parse(Whole.model_json_schema(), sent(view)).value == value


async def test_objections_to_alternatives_that_are_not_chosen_are_left_out_unless_there_are_no_others() -> None:
    class Whole(BaseModel):
        size: Annotated[int, Field(ge=0)] | Stop | list[int]

    schema = Whole.model_json_schema()
    for value, href in (({"size": {"city": "W", "zip": None}}, "size.@1.city"), ({"size": -1}, "size.@0")):
        view = build(schema, value, errors=errors_from(await refusal(Whole, value)))
        assert [fault.href for fault in view.faults] == [f"#form.{href}"]


async def test_a_json_schema_objects_beside_its_fields_too() -> None:
    words = {"type": "array", "items": {"type": "string", "minLength": 2}}
    properties = {"n": {"type": "integer", "minimum": 1}, "words": words}
    schema = {"type": "object", "properties": properties, "required": ["n"]}
    value = {"n": 0, "words": ["ok", "x"]}
    view = build(schema, value, errors=errors_from(await refusal(schema, value)))
    assert [fault.href for fault in view.faults] == ["#form.n", "#form.words.1"]


def test_an_error_that_knows_no_path_is_about_the_whole() -> None:
    assert errors_from(ValueError("no")) == {"": "no"}
    assert errors_from(InvalidInput("input of 'w': 1 problem: n: too small", path="$.n")) == {"n": "n: too small"}
    view = build({"type": "object", "properties": {"n": {"type": "integer"}}}, errors={"": "no"})
    assert [(fault.href, fault.message) for fault in view.faults] == [("#form", "no")]


def test_the_summary_is_in_the_order_of_the_form_and_names_the_way() -> None:
    view = build(SCHEMA, WRONG, errors={"tags": "last", "stops.1.city": "first", "pay.cash.coins": "between"})
    assert [(fault.label, fault.message) for fault in view.faults] == [
        ("stops 2 / city", "first"),
        ("pay / cash / coins", "between"),
        ("tags", "last"),
    ]
