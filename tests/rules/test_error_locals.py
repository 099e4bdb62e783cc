"""``Engine(locals_in_errors=True)``: an error keeps what the variables of the user's code were, as short texts."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import tracemalloc
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from engine import Engine, RetryPolicy, chain, create_step, create_workflow, step
from tests.fixtures import OpenEngine, launch
from tests.rules.variables import frames, raising, shown


def per_hour(euros: float, hours: float) -> float:
    return euros / hours


@step
def rate(data: dict[str, float]) -> float:
    who = "ada"
    return per_hour(data["euros"], len(who) - 3)


RATE = create_workflow(id="rate").then(rate)
GIVEN = {"euros": 8.5}


# -- what is kept


async def test_by_itself_an_error_has_a_traceback_and_no_variables(open_engine: OpenEngine) -> None:
    result = await (await launch(await open_engine(RATE), "rate", GIVEN)).result()
    assert result.error is not None
    assert set(result.error) == {"type", "message", "step", "traceback"}


async def test_an_error_has_the_frames_of_user_code_innermost_first_beside_what_it_always_has(
    open_engine: OpenEngine,
) -> None:
    run = await launch(await open_engine(RATE, locals_in_errors=True), "rate", GIVEN)
    result = await run.result()
    first = per_hour.__code__.co_firstlineno
    frames = [
        {"file": __file__, "line": first + 1, "function": "per_hour", "locals": {"euros": "8.5", "hours": "0"}},
        {
            "file": __file__,
            "line": rate.execute.__code__.co_firstlineno + 3,
            "function": "rate",
            "locals": {"data": "{'euros': 8.5}", "who": "'ada'"},
        },
    ]
    error = result.error
    assert error is not None
    assert set(error) == {"type", "message", "step", "traceback", "frames"}
    assert error["frames"] == frames
    assert (result.steps["rate"].error or {})["frames"] == frames
    failed = [event async for event in run.events(follow=False) if event.type in ("step.failed", "run.failed")]
    assert [event.data["error"]["frames"] for event in failed] == [frames, frames]


async def test_they_are_the_same_after_a_restart(sqlite_url: str) -> None:
    async with Engine([RATE], store=sqlite_url, locals_in_errors=True) as engine:
        run = await launch(engine, "rate", GIVEN)
        before = (await run.result()).error
    async with Engine([RATE], store=sqlite_url) as engine:
        assert (await (await engine.get_run(run.run_id)).result()).error == before


async def test_a_coroutine_a_generator_and_a_retry_have_them_too(open_engine: OpenEngine) -> None:
    def numbers(most: int) -> Iterator[int]:
        yield most
        raise ValueError("no more")

    @step(retry=RetryPolicy(attempts=2, delay=0))
    async def total() -> int:
        await asyncio.sleep(0)
        return sum(number for number in numbers(3))

    workflow = create_workflow(id="w").then(total)
    run = await launch(await open_engine(workflow, locals_in_errors=True), workflow)
    failed = [event async for event in run.events(follow=False) if "error" in event.data]
    assert [event.type for event in failed] == ["step.retrying", "step.failed", "run.failed"]
    for event in failed:
        found = [(frame["function"], frame["locals"]) for frame in event.data["error"]["frames"]]
        assert [name for name, _ in found] == ["numbers", "<genexpr>", "total"]
        assert (found[0][1], found[1][1]) == ({"most": "3"}, {"number": "3"})


async def test_causes_and_the_parts_of_a_group_follow_the_error_itself(open_engine: OpenEngine) -> None:
    def part(number: int) -> None:
        raise ValueError(number)

    @step
    def work() -> None:
        errors = []
        for number in (1, 2):
            try:
                part(number)
            except ValueError as error:
                errors.append(error)
        del errors[2:], number
        try:
            per_hour(1, 0)
        except ZeroDivisionError as error:
            raise ExceptionGroup("several", errors) from error

    found = await frames(open_engine, create_workflow(id="w").then(work))
    assert [name for name, _ in found] == ["work", "per_hour", "work", "part", "work", "part", "work"]
    assert [variables["number"] for name, variables in found if name == "part"] == ["1", "2"]


async def test_errors_that_go_in_circles_end(open_engine: OpenEngine) -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert await frames(open_engine, raising(first, n=1)) == [("work", {"n": "1"})]


async def test_conditions_maps_and_functions_of_blocks_have_them_too(open_engine: OpenEngine) -> None:
    def fails(value: Any) -> Any:
        return value["missing"]

    body = create_step(id="body", execute=lambda: 1)
    for workflow in (
        create_workflow(id="map").map(fails),
        create_workflow(id="branch").branch([(fails, body)]),
        create_workflow(id="loop").do_until(create_step(id="again", execute=lambda: {"n": 1}), fails),
        create_workflow(id="each").map(lambda: [{"n": 1}]).foreach(body, concurrency=lambda items: fails(items[0])),
        create_workflow(id="sleep").sleep(fails),
    ):
        found = await frames(open_engine, workflow, {"n": 1})
        assert found[0] == ("fails", {"value": "{'n': 1}"}), workflow.id


async def test_code_of_libraries_has_no_frames_unless_the_step_itself_is_there(
    open_engine: OpenEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "flows_of_others.py").write_text("def work():\n    n = 1\n    raise ValueError(n)\n", "utf-8")
    spec = importlib.util.spec_from_file_location("flows_of_others", folder / "flows_of_others.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    @step
    def calls_it() -> None:
        module.work()

    @step
    def reads() -> None:
        json.loads("{")

    assert [name for name, _ in await frames(open_engine, create_workflow(id="a").then(calls_it))] == ["calls_it"]
    assert [name for name, _ in await frames(open_engine, create_workflow(id="b").then(reads))] == ["reads"]
    own = create_step(id="work", execute=module.work)
    assert await frames(open_engine, create_workflow(id="c").then(own)) == [("work", {"n": "1"})]


async def test_other_steps_get_an_error_without_them(open_engine: OpenEngine) -> None:
    """What a step gets must not depend on how an engine is set up."""

    @step
    def keys(data: Any) -> list[str]:
        return sorted(data["error"])

    caught = create_workflow(id="caught").then(chain().then(rate), catch=keys)
    collected = create_workflow(id="collected").foreach(rate, collect_errors=True)
    engine = await open_engine(caught, collected, locals_in_errors=True)
    assert (await (await launch(engine, caught, GIVEN)).result()).result == ["message", "step", "type"]
    (item,) = (await (await launch(engine, collected, [GIVEN])).result()).result
    assert sorted(item["error"]) == ["message", "step", "type"]


# -- what it may cost


async def test_only_the_innermost_frames_are_kept(open_engine: OpenEngine) -> None:
    def deeper(depth: int) -> None:
        if depth == 50:
            raise ValueError("deep")
        deeper(depth + 1)

    found = await frames(open_engine, create_workflow(id="w").then(create_step(id="s", execute=lambda: deeper(0))))
    assert [variables["depth"] for _, variables in found] == [str(depth) for depth in range(50, 30, -1)]


async def test_names_that_say_nothing_and_those_above_thirty_are_left_out(open_engine: OpenEngine) -> None:
    silent = {"module": asyncio, "function": launch, "builtin": len, "kind": int, "method": Path.cwd, "__x__": 1}
    many = {f"n{number}": number for number in range(40)}
    assert await shown(open_engine, **silent, **many) == {f"n{number}": str(number) for number in range(30)}


async def test_all_of_an_error_is_about_sixteen_thousand_characters_at_most(open_engine: OpenEngine) -> None:
    def deeper(depth: int, **more: Any) -> None:
        a, b, c, d, e, f, g, h = ["x" * 1000 for _ in range(8)]
        deeper(depth - 1) if depth else per_hour(1, 0)
        assert a, (b, c, d, e, f, g, h)

    workflow = create_workflow(id="w").then(create_step(id="s", execute=lambda: deeper(30)))
    run = await launch(await open_engine(workflow, locals_in_errors=True), workflow)
    error = (await run.result()).error
    assert error is not None
    assert len(error["frames"]) == 20
    assert 15_000 < len(json.dumps(error["frames"])) < 20_000


class Tags(BaseModel):
    tags: list[str] = []


@dataclass
class Holds:
    items: list[int]


LARGE: dict[str, Callable[[], Any]] = {
    "text": lambda: "x" * 20_000_000,
    "bytes": lambda: b"x" * 20_000_000,
    "bytearray": lambda: bytearray(20_000_000),
    "number": lambda: 10**30_000,
    "list": lambda: [None] * 2_000_000,
    "dict": lambda: dict.fromkeys(range(100_000)),
    "texts": lambda: {"deep": ["x" * 1_000_000] * 1_000_000},
    "tree": lambda: [[[[["x" * 20_000] * 30] * 30] * 30] * 30],
    "deque": lambda: deque([1] * 1_000_000),
    "view": lambda: dict.fromkeys(range(100_000)).values(),
    "namespace": lambda: SimpleNamespace(items=[1] * 1_000_000),
    "error": lambda: ValueError([1] * 1_000_000),
    "model": lambda: Tags.model_construct(tags=[""] * 1_000_000),
    "dataclass": lambda: Holds([1] * 1_000_000),
}


@pytest.mark.parametrize("kind", LARGE)
async def test_a_large_value_costs_no_more_than_what_is_shown_of_it(kind: str) -> None:
    workflow = raising(value=LARGE[kind]())
    async with Engine([workflow], locals_in_errors=True) as engine:
        tracemalloc.start()
        try:
            error = (await (await launch(engine, workflow)).result()).error
            assert tracemalloc.get_traced_memory()[1] < 1_000_000  # bytes: whoever writes all of it takes more
        finally:
            tracemalloc.stop()
    assert error is not None
    assert 0 < len(error["frames"][0]["locals"]["value"]) <= 200


async def test_no_object_is_kept_alive(open_engine: OpenEngine) -> None:
    class Large:
        pass

    seen: list[weakref.ref[Large]] = []

    @step
    def work() -> None:
        large = Large()
        seen.append(weakref.ref(large))
        raise ValueError("no")

    run = await launch(await open_engine(create_workflow(id="w").then(work), locals_in_errors=True), "w")
    error = (await run.result()).error
    assert error is not None
    assert list(error["frames"][0]["locals"]) == ["large", "seen"]
    gc.collect()  # asyncio's own circles, which are there without the option too
    assert [ref() for ref in seen] == [None]
