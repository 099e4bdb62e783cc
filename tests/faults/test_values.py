"""Data that is too large, too deep, or no data at all: it comes back as it was, or an error says where it can't."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import re
import sys
import threading
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from engine import Engine, Run, Step, create_step, create_workflow, step
from engine.errors import EngineError, InvalidInput
from engine.verify import verify
from tests.fixtures import OpenEngine, launch, lines

MB = 2**20


def gives(id: str, value: Any, **options: Any) -> Step[Any, Any]:
    async def execute() -> Any:
        return value

    return create_step(id=id, execute=execute, **options)


def same(value: Any) -> Any:
    return value


def passes(id: str, **options: Any) -> Step[Any, Any]:
    async def execute(data: Any) -> Any:
        return data

    return create_step(id=id, execute=execute, **options)


def size(tmp_path: Path) -> int:
    return sum(file.stat().st_size for file in tmp_path.glob("runs.db*") if file.is_file())


# -- sizes


async def test_an_output_of_thirty_megabytes_is_stored_once_and_read_again(tmp_path: Path) -> None:
    big = "x" * (30 * MB)
    flow = create_workflow(id="w").then(gives("s", {"big": big})).then(passes("t")).map(lambda data: len(data["big"]))
    async with Engine([flow.commit()], store=tmp_path / "runs.db") as engine:
        run = await launch(engine, "w")
        assert (await run.result()).result == len(big)
    assert 30 * MB < size(tmp_path) < 31 * MB
    async with Engine([flow.commit()], store=tmp_path / "runs.db") as engine:
        result = await (await engine.get_run(run.run_id)).result()
        assert result.steps["t"].output == {"big": big}
    assert verify(tmp_path / "runs.db") == []


async def test_an_output_beyond_the_limit_fails_its_step_and_says_how_large_it_was(tmp_path: Path) -> None:
    flow = create_workflow(id="w").then(gives("s", {"big": "x" * (50 * MB)})).commit()
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        result = await (await launch(engine, "w")).result()
        assert result.error is not None
        assert (result.status, result.error["type"], result.error["step"]) == ("failed", "NotSerializable", "s")
        assert re.search(r"50\.0 MiB .* the limit is 32 MiB; store a file and pass its path", result.error["message"])
        with pytest.raises(InvalidInput, match=r"50\.0 MiB"):
            await (await engine.create_run("w")).start("y" * (50 * MB))
    assert size(tmp_path) < MB


async def test_a_value_that_goes_through_twenty_steps_is_stored_once(tmp_path: Path) -> None:
    flow = create_workflow(id="w")
    for n in range(20):
        flow = flow.then(passes(f"s{n}"))
    big = {"rows": [{"n": n, "text": "y" * 1000} for n in range(5000)]}
    async with Engine([flow.commit()], store=tmp_path / "runs.db") as engine:
        run = await launch(engine, "w", big)
        assert (await run.result()).status == "success"
    assert size(tmp_path) < 6 * MB
    async with Engine([flow.commit()], store=tmp_path / "runs.db") as engine:
        assert (await (await engine.get_run(run.run_id)).result()).result == big
    assert verify(tmp_path / "runs.db") == []


async def test_a_long_run_grows_with_its_data_and_not_with_the_square_of_its_steps(tmp_path: Path) -> None:
    sizes = []
    for count in (50, 200):
        folder = tmp_path / str(count)
        folder.mkdir()
        flow = create_workflow(id="w").foreach(passes("item")).commit()
        async with Engine([flow], store=folder / "runs.db") as engine:
            result = await (await launch(engine, "w", list(range(count)))).result()
            assert result.result == list(range(count))
        sizes.append(size(folder))
    assert sizes[1] < 3 * sizes[0]


async def test_very_many_keys_pass(open_engine: OpenEngine) -> None:
    many = {f"k{n}": n for n in range(200_000)}
    engine = await open_engine(create_workflow(id="w").then(passes("s")).commit())
    assert (await (await launch(engine, "w", many)).result()).result == many


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1_000, 100_000])
async def test_data_that_is_nested_too_deeply_is_refused_quickly_wherever_it_comes_from(
    open_engine: OpenEngine, depth: int
) -> None:
    async def asks(data: Any, ctx: Any) -> Any:
        return await ctx.ask("?")

    flows = [
        create_workflow(id="out").then(gives("s", nested(depth))),
        create_workflow(id="ask").then(create_step(id="s", execute=asks)),
        create_workflow(id="wait").wait_for_event("go"),
    ]
    engine = await open_engine(*(flow.commit() for flow in flows))
    asking = await launch(engine, "ask")
    waiting = await engine.create_run("wait")
    await waiting.start_soon()
    fresh = await engine.create_run("ask")
    for call in (
        lambda: fresh.start(nested(depth)),
        lambda: asking.resume(nested(depth)),
        lambda: engine.send_event(waiting.run_id, "go", nested(depth)),
    ):
        with pytest.raises(EngineError, match=r"nested|deep|depth"):
            async with asyncio.timeout(2):
                await call()
    assert [await run.status() for run in (fresh, asking, waiting)] == ["pending", "suspended", "waiting"]
    result = await (await launch(engine, "out")).result()
    assert result.error is not None
    assert (result.status, result.error["type"], result.error["step"]) == ("failed", "NotSerializable", "s")


async def test_data_of_a_hundred_levels_passes(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(passes("s")).commit())
    assert (await (await launch(engine, "w", nested(90))).result()).result == nested(90)


# -- what is no data


def cycle() -> Any:
    made: list[Any] = []
    made.append({"again": made})
    return made


class Plain:
    """An object of the user's own."""


NO_DATA: dict[str, tuple[Any, str]] = {
    "an object": (Plain(), r"\$\.items\[1\]"),
    "a lock": (threading.Lock(), r"\$\.items\[1\] \(type _thread\.lock\)"),
    "a generator": ((n for n in range(3)), r"\$\.items\[1\] \(type generator\)"),
    "a function": (same, r"\$\.items\[1\]"),
    "a class": (Plain, r"\$\.items\[1\]"),
    "a module": (sys, r"\$\.items\[1\]"),
    "a file": (sys.__stdout__, r"\$\.items\[1\]"),
    "an iterator": (iter([1]), r"\$\.items\[1\]"),
    "a cycle": (cycle(), "contains itself"),
    "a tuple": ((1, 2), r"\$\.items\[1\]"),
    "a set": ({1, 2}, r"\$\.items\[1\]"),
    "bytes": (b"x", r"\$\.items\[1\]"),
    "a datetime": (datetime(2020, 1, 1, tzinfo=UTC), r"\$\.items\[1\]"),
    "a Decimal": (Decimal("0.1"), r"\$\.items\[1\]"),
    "a number as a key": ({1: "x", "1": "y"}, r"\$\.items\[1\]"),
    "an exception": (ValueError("x"), r"\$\.items\[1\]"),
}


@pytest.mark.parametrize("name", NO_DATA)
async def test_an_output_that_is_no_data_fails_the_step_and_names_where(open_engine: OpenEngine, name: str) -> None:
    value, where = NO_DATA[name]
    engine = await open_engine(create_workflow(id="w").then(gives("s", {"items": [0, value]})).commit())
    run = await launch(engine, "w")
    result = await run.result()
    assert result.error is not None
    assert (result.status, result.error["type"], result.error["step"]) == ("failed", "NotSerializable", "s")
    assert re.search(where, result.error["message"]), result.error["message"]
    assert await lines(run) == ["run.created", "run.started", "step.started s", "step.failed s", "run.failed"]


@pytest.mark.parametrize("place", ["input", "write", "suspend", "state", "event", "answer"])
async def test_what_is_no_data_is_refused_at_every_door(open_engine: OpenEngine, place: str) -> None:
    async def work(data: Any, ctx: Any) -> Any:
        match place:
            case "write":
                await ctx.write(threading.Lock())
            case "suspend":
                await ctx.suspend(threading.Lock())
            case "state":
                ctx.set_state(lock=threading.Lock())
            case _:
                await ctx.ask("?")

    engine = await open_engine(create_workflow(id="w").then(create_step(id="s", execute=work)).commit())
    run = await engine.create_run("w")
    if place == "input":
        with pytest.raises(InvalidInput, match=r"_thread\.lock"):
            await run.start({"lock": threading.Lock()})
        assert await lines(run) == ["run.created"]
        return
    result = await run.start()
    if place == "event":
        with pytest.raises(InvalidInput, match=r"_thread\.lock"):
            await engine.send_event(run.run_id, "go", threading.Lock())
        assert await run.status() == "suspended"
    elif place == "answer":
        with pytest.raises(EngineError, match=r"_thread\.lock"):
            await run.resume(threading.Lock())
        assert await run.status() == "suspended"
    else:
        assert result.error is not None
        assert (result.status, result.error["step"]) == ("failed", "s")
        assert "_thread.lock" in result.error["message"]


# -- what is data


@dataclasses.dataclass
class Odd:
    """Everything that JSON has no word for, with a type that says what it is."""

    big: int
    huge: int
    exact: Decimal
    pair: tuple[int, str]
    names: set[str]
    raw: bytes
    at: datetime
    on: date
    clock: time
    long: timedelta
    id: UUID
    by_number: dict[int, str]


ODD = Odd(
    big=2**70,
    huge=10**4000 + 7,
    exact=Decimal("0.10"),
    pair=(1, "x"),
    names={"a", "b"},
    raw=b"\x00\xff",
    at=datetime(2020, 2, 29, 12, 30, 1, 5, tzinfo=UTC),
    on=date(2020, 2, 29),
    clock=time(1, 2, 3, 4),
    long=timedelta(days=3, microseconds=1),
    id=UUID(int=7),
    by_number={1: "x", 2: "y"},
)


class Level(Enum):
    LOW = 1
    HIGH = "high"


async def test_typed_values_come_back_as_they_were_also_after_a_restart(tmp_path: Path) -> None:
    seen: list[Any] = []

    @step
    async def make() -> Odd:
        return ODD

    @step
    async def take(odd: Odd, ctx: Any) -> list[Level]:
        seen.append(odd)
        if ctx.resume_data is None:
            await ctx.suspend()
        return [Level.LOW, Level.HIGH]

    @step
    async def last(levels: list[Level]) -> bool:
        return levels == [Level.LOW, Level.HIGH]

    flow = create_workflow(id="w").then(make).then(take).then(last).commit()
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        run = await launch(engine, "w")
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        result = await (await engine.get_run(run.run_id)).resume("go")
        assert (result.status, result.result) == ("success", True)
    assert seen == [ODD, ODD]


async def test_numbers_that_json_has_no_word_for_come_back_as_they_were_also_after_a_restart(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def asks(data: Any, ctx: Any) -> str:
        seen.append(data)
        if ctx.resume_data is None:
            await ctx.suspend()
        return "done"

    odd = [math.inf, -math.inf, 5e-324, 1.7e308, 2**70, -(10**4999), "\ud800", {"\udfff": -0.0}]
    flow = create_workflow(id="w").then(gives("s", [*odd, math.nan])).then(create_step(id="t", execute=asks)).commit()
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        run = await launch(engine, "w")
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        assert (await (await engine.get_run(run.run_id)).resume("go")).status == "success"
    assert [data[:-1] for data in seen] == [odd, odd]
    assert [math.isnan(data[-1]) for data in seen] == [True, True]
    assert verify(tmp_path / "runs.db") == []


TEXTS = [
    "\x00",
    "a\x00b",
    "\x01\x1f\x7f",
    "\u202eevil\u202c",
    "😀👩‍👩‍👧",
    "é",
    "e\u0301",
    "\ufeff",
    "\u2028",
    "'; DROP TABLE runs; --",
]


async def test_odd_text_comes_back_as_it_was_also_after_a_restart(tmp_path: Path) -> None:
    value = {"texts": TEXTS, "keys": {text: text for text in TEXTS}, "big": 2**70, "minus zero": -0.0, "none": None}
    flow = create_workflow(id="w").then(passes("s")).commit()
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        run = await launch(engine, "w", value)
        assert (await run.result()).result == value
        await engine.create_run("w", run_id="naïve 😀", resource_id=TEXTS[3], tags=[TEXTS[9], TEXTS[4]])
    async with Engine([flow], store=tmp_path / "runs.db") as engine:
        result = await (await engine.get_run(run.run_id)).result()
        assert (result.result, result.input) == (value, value)
        assert math.copysign(1, result.result["minus zero"]) == -1
        (row,) = (await engine.list_runs(tag=TEXTS[9])).items
        assert (row.run_id, row.resource_id, row.tags) == ("naïve 😀", TEXTS[3], (TEXTS[9], TEXTS[4]))
    assert verify(tmp_path / "runs.db") == []


@pytest.mark.parametrize(
    "run_id", ["", "a/b", "a[0]", "x" * 129, "x" * MB, "a\x00", "a\nb", "\x1b[31m", "\ud800", "\u202e"]
)
async def test_an_id_that_could_not_be_shown_is_refused(open_engine: OpenEngine, run_id: str) -> None:
    engine = await open_engine(create_workflow(id="w").then(passes("s")).commit())
    with pytest.raises(ValueError, match="run_id"):
        await engine.create_run("w", run_id=run_id)
    assert (await engine.list_runs()).items == []


async def test_a_step_that_changes_its_input_changes_nobody_elses(open_engine: OpenEngine) -> None:
    async def spoils(data: Any) -> Any:
        data["n"].append(99)
        return data

    async def reads(data: Any) -> Any:
        return data

    arms = [
        create_step(id="a", execute=spoils),
        create_step(id="b", execute=reads),
        create_step(id="c", execute=spoils),
    ]
    engine = await open_engine(create_workflow(id="w").parallel(arms).commit())
    given = {"n": [1]}
    run: Run = await launch(engine, "w", given)
    result = await run.result()
    assert result.result == {"a": {"n": [1, 99]}, "b": {"n": [1]}, "c": {"n": [1, 99]}}
    assert (given, result.input, result.steps["a"].input) == ({"n": [1]}, {"n": [1]}, {"n": [1]})
