"""JSON that is made to hurt, in the editors of the forms that launch and that answer: refused or taken, at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from engine import StepContext, create_step, create_workflow
from tests.attacks.studio import Studio, segment, studio

SECONDS = 5.0
"""What an answer may take on a busy machine; alone it is a tenth of that, and a bomb that goes off takes minutes."""


class Sheet(BaseModel):
    """A form with rows of rows."""

    rows: list[list[list[int]]] = []
    pairs: dict[str, dict[str, int]] = {}
    number: float = 0


async def echo(data: Any) -> Any:
    return data


async def ask(_: Any, ctx: StepContext) -> Any:
    return await ctx.ask({"q": 1}, Sheet)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A workflow that takes anything, one that takes a sheet, and a question for one."""
    takes = create_step(id="echo", execute=echo)
    workflows = (
        create_workflow(id="any").then(takes),
        create_workflow(id="sheet", input_schema=Sheet).then(takes),
        create_workflow(id="asks").then(create_step(id="ask", execute=ask)),
    )
    with studio(workflows, tmp_path_factory.mktemp("bombs") / "runs.db") as made:
        made.start("asks")
        yield made


MANY = 30_000
BOMBS = {
    "deep lists": "[" * 100_000 + "]" * 100_000,
    "deep lists without an end": "[" * 200_000,
    "deep objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "just too deep for a store": "[" * 101 + "]" * 101,
    "just too deep for Python": "[" * 990 + "]" * 990,
    "many keys": "{" + ",".join(f'"{n}":0' for n in range(MANY)) + "}",
    "the same key, at last": "{" + ",".join(f'"{n}":0' for n in range(MANY)) + ',"29999":1}',
    "the same key, always": "{" + ",".join(['"a":0'] * MANY) + "}",
    "many digits": "9" * 100_000,
    "a digit too many": "9" * 5_000,
    "many digits in an object": '{"number": ' + "1" * 5_000 + "}",
    "a tiny number": "1e-" + "9" * 5_000,
    "a huge number": '{"number": 1e' + "9" * 5_000 + "}",
    "not a number": '{"number": NaN}',
    "infinite": '{"number": -Infinity, "rows": [[[Infinity]]]}',
    "half letters": '{"\\ud800": "\\udfff"}',
    "a letter of nothing": '{"\\u0000": "\\u0000"}',
    "much white space": " " * 400_000 + "x",
    "quotes without an end": '"' + "\\" * 100_001,
    "tags of the store": '{"$engine:int": "0x", "$engine:key:$engine:str": {"$engine:str": 1}}',
    "names of an object's own": '{"__proto__": {"a": 1}, "constructor": {"prototype": {"a": 1}}, "__class__": "os"}',
}
REFUSED = {name for name in BOMBS if "deep" in name or "digit" in name or "same key" in name or "end" in name}


def forms(served: Studio) -> dict[str, str]:
    """Where a form goes that is launched or answered."""
    (question,) = served.questions()
    return {
        "any": "/workflows/any/runs",
        "sheet": "/workflows/sheet/runs",
        "question": f"/approvals/{question.token}?run={segment(question.run_id)}",
    }


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_the_json_editor_is_taken_or_refused_at_once(served: Studio, name: str) -> None:
    """It is never a failure of the studio's, and an open question stays open unless the answer fits it."""
    for place in ("any", "sheet"):
        began = time.perf_counter()
        answer = served.post(forms(served)[place], {"_mode": "json", "_json": BOMBS[name]})
        assert time.perf_counter() - began < SECONDS
        assert answer.status in ({422} if name in REFUSED else {303, 422}), place
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_no_answer(served: Studio, name: str) -> None:
    """In an answer that does not fit, the question stays open."""
    text = f'{{"number": "no", "x": {BOMBS[name]}}}'
    began = time.perf_counter()
    answer = served.post(forms(served)["question"], {"_mode": "json", "_json": text})
    assert time.perf_counter() - began < SECONDS
    assert answer.status == 422
    assert len(served.questions()) == 1


FIELDS = '{"json": "", "fields": ' + "[" * 5_000


@pytest.mark.parametrize("name", ["deep lists", "the same key, at last", "many digits", "quotes without an end"])
def test_a_bomb_survives_the_change_of_the_editor(served: Studio, name: str) -> None:
    """What can't be read is not lost, and is not read as something else."""
    began = time.perf_counter()
    form = {"_mode": "json", "_json": BOMBS[name], "_action": "mode:form", "_fields": FIELDS}
    answer = served.post(forms(served)["sheet"], form)
    assert time.perf_counter() - began < SECONDS
    assert answer.status == 200
    assert 'name="_mode" value="json"' in answer.text


ROWS = {
    "more rows than there can be": [("$.rows.@rows", "999999999")],
    "rows in rows": [("$.rows.@rows", "1000"), *((f"$.rows.{n}.@rows", "1000") for n in range(990))],
    "rows in rows in rows": [
        ("$.rows.@rows", "1000"),
        *((f"$.rows.{n}.@rows", "1000") for n in range(30)),
        *((f"$.rows.{n}.{m}.@rows", "1000") for n in range(30) for m in range(30)),
    ],
    "pairs in pairs": [("$.pairs.@rows", "1000"), *((f"$.pairs.@{n}.value.@rows", "1000") for n in range(990))],
    "strange numbers": [("$.rows.@rows", "٣"), ("$.pairs.@rows", "-1"), ("$.number", "1e400")],
    "a path without an end": [("$." + "rows.0." * 900, "1")],
    "many of one name": [("$.number", str(n)) for n in range(990)],
}


@pytest.mark.parametrize("name", ROWS)
def test_a_form_that_claims_to_be_large_costs_little(served: Studio, name: str) -> None:
    for action in ("", "add:rows", "mode:json"):
        began = time.perf_counter()
        answer = served.post(forms(served)["sheet"], [*ROWS[name], ("_mode", "form"), ("_action", action)][-1000:])
        assert time.perf_counter() - began < SECONDS, action
        assert answer.status in {200, 303, 422}
        assert len(answer.body) < 8_000_000
