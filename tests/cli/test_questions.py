"""Questions at a prompt, field by field, and what the screen shows of data."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from engine import Suspension
from studio.questions import fields_of, read_answer
from studio.terminal import Terminal, duration, outline


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Answer(BaseModel):
    agreed: bool
    count: int = Field(description="How many?")
    price: float = 1.5
    size: Size = Size.SMALL
    note: str | None = None
    only: Literal["this"] = "this"
    tags: list[str] = []


def asked_for(schema: Any, *typed: str) -> tuple[Any, list[str]]:
    """The answer that these lines give, and the prompts that were shown."""
    lines, prompts = iter(typed), []

    async def ask(prompt: str, secret: bool) -> str:
        prompts.append(prompt)
        return next(lines)

    return asyncio.run(read_answer(fields_of(schema), ask)), prompts


def test_each_field_of_an_answer_is_asked_for_by_its_type() -> None:
    answer, prompts = asked_for(
        TypeAdapter(Answer).json_schema(), "y", "3", "2.5", "large", "hello", "this", '["a", "b"]'
    )
    assert answer == {
        "agreed": True,
        "count": 3,
        "price": 2.5,
        "size": "large",
        "note": "hello",
        "only": "this",
        "tags": ["a", "b"],
    }
    assert prompts == [
        "agreed: Agreed [yes or no]:",
        "count: How many? [a whole number]:",
        "price: Price [a number, Enter for 1.5]:",
        "size: Size [small | large, Enter for small]:",
        "note: Note [text, Enter for none]:",
        "only: Only [this, Enter for this]:",
        "tags: Tags [JSON, Enter for none]:",
    ]


def test_enter_leaves_out_what_is_not_needed() -> None:
    assert asked_for(TypeAdapter(Answer).json_schema(), "no", "3", "", "", "", "", "")[0] == {
        "agreed": False,
        "count": 3,
    }


def test_what_is_not_understood_is_asked_again() -> None:
    answer, prompts = asked_for(TypeAdapter(Answer).json_schema(), "", "maybe", "n", "x", "3", "", "", "", "", "")
    assert (answer, prompts[1], prompts[4]) == (
        {"agreed": False, "count": 3},
        "That is not yes or no [yes or no]:",
        "That is not a whole number [a whole number]:",
    )


@pytest.mark.parametrize(
    ("schema", "typed", "answer"),
    [
        (None, '{"a": 1}', {"a": 1}),
        ({"type": "string"}, "hello", "hello"),
        ({"type": "boolean", "title": "Go on?"}, "no", False),
        ({"enum": ["left", "right"]}, "r", "right"),
        ({"$ref": "#/$defs/N", "$defs": {"N": {"type": "integer"}}}, "4", 4),
    ],
)
def test_an_answer_that_is_one_value_is_one_line(schema: Any, typed: str, answer: Any) -> None:
    assert asked_for(schema, typed)[0] == answer


# -- the screen


def test_data_is_shown_as_an_outline() -> None:
    data = {"a": 1, "b": [True, None], "c": {"d": ["x"]}, "e": [], "f": "two\nlines", "g": {}, "h": ""}
    assert outline(data) == [
        "a: 1",
        "b:",
        "  - true",
        "  - null",
        "c:",
        "  d:",
        "    - x",
        "e: none",
        "f:",
        "  two",
        "  lines",
        "g: none",
        "h: (empty)",
    ]


def test_a_question_can_not_steer_the_terminal() -> None:
    out = io.StringIO()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    Terminal(out).question(Suspension("t", "r", "w", "p", None, "a\033[2Jb", ["\a"], None, now, None))
    assert out.getvalue() == "    a\\x1b[2Jb\n      - \\x07\n"


@pytest.mark.parametrize(("seconds", "shown"), [(0.0004, "0 ms"), (0.25, "250 ms"), (2.04, "2.0 s")])
def test_a_duration_is_short(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
