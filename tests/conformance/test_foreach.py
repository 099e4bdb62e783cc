"""Once for each item: order, how many at once, failures, and what is no list."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from engine import DefinitionError, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch, statuses


class Counting:
    """A step that notes how many of it run at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.seen: list[int] = []

    def step(self) -> Any:
        async def take(item: int) -> int:
            self.seen.append(item)
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.002)
            self.now -= 1
            return item * 10

        return create_step(id="take", execute=take)


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 1),
        ({"concurrency": 2}, 2),
        ({"concurrency": lambda items: len(items) - 2}, 3),
        ({"concurrency": 99}, 5),
    ],
)
async def test_so_many_run_at_once(open_engine: OpenEngine, options: Any, most: int) -> None:
    """G2, G3: one unless told otherwise; a number or a function of the list; the output is in order."""
    counting = Counting()
    engine = await open_engine(create_workflow(id="w").foreach(counting.step(), **options))
    result = await (await launch(engine, "w", [1, 2, 3, 4, 5])).result()
    assert (result.result, counting.most, counting.seen) == ([10, 20, 30, 40, 50], most, [1, 2, 3, 4, 5])


async def test_the_output_is_in_the_order_of_the_input(open_engine: OpenEngine) -> None:
    """G2: also when the last item is done first."""
    done: list[int] = []
    turns = {3: asyncio.Event(), 2: asyncio.Event(), 1: asyncio.Event()}
    turns[3].set()

    async def backwards(item: int) -> str:
        await turns[item].wait()
        done.append(item)
        if item > 1:
            turns[item - 1].set()
        return str(item)

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=backwards), concurrency=3))
    result = await (await launch(engine, "w", [1, 2, 3])).result()
    assert (result.result, done) == (["1", "2", "3"], [3, 2, 1])


@pytest.mark.parametrize("wrong", [0, -1, 2.9, float("nan"), "3", True, None])
def test_a_bad_concurrency_is_refused_at_commit(wrong: Any) -> None:
    """G3: only a positive whole number or a function will do."""
    with pytest.raises(DefinitionError):
        create_workflow(id="w").foreach(add("a"), concurrency=wrong).commit()


@pytest.mark.parametrize("wrong", [0, -1, 2.9, None])
async def test_a_bad_concurrency_from_a_function_fails_the_run(open_engine: OpenEngine, wrong: Any) -> None:
    """G3: it names the foreach; no item starts."""
    engine = await open_engine(create_workflow(id="w").foreach(add("a"), concurrency=lambda _: wrong))
    result = await (await launch(engine, "w", [{"n": 1}])).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "failed"})
    assert result.error is not None
    assert result.error["step"] == "a"


async def test_the_first_failure_stops_what_has_not_started(open_engine: OpenEngine) -> None:
    """G5: what was done before it is kept."""
    seen: list[int] = []

    async def take(item: int) -> int:
        seen.append(item)
        if item == 2:
            raise ValueError("two")
        return item

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=take)))
    result = await (await launch(engine, "w", [1, 2, 3])).result()
    assert (result.status, seen) == ("failed", [1, 2])
    assert statuses(result.steps) == {"a": "failed", "a[0]": "success", "a[1]": "failed"}
    assert result.steps["a[0]"].output == 1
    assert result.error is not None
    assert (result.error["message"], result.error["step"]) == ("two", "a[1]")


async def test_items_that_run_beside_a_failure_end(open_engine: OpenEngine) -> None:
    """G5: with several at once nothing new starts, and what runs is waited for."""
    seen: list[int] = []
    second_failed = asyncio.Event()

    async def take(item: int) -> int:
        seen.append(item)
        if item == 2:
            second_failed.set()
            raise ValueError("two")
        await second_failed.wait()
        return item

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=take), concurrency=2))
    result = await (await launch(engine, "w", [1, 2, 3])).result()
    assert (result.status, seen) == ("failed", [1, 2])
    assert statuses(result.steps) == {"a": "failed", "a[0]": "success", "a[1]": "failed"}


@pytest.mark.parametrize("given", [{"n": 1}, "abc", 7, None])
async def test_what_is_no_list_fails(open_engine: OpenEngine, given: Any) -> None:
    """G6: neither a dict nor a text is taken apart."""
    engine = await open_engine(create_workflow(id="w").foreach(add("a")))
    result = await (await launch(engine, "w", given)).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"a": "failed"})
    assert result.error is not None
    assert (result.error["type"], result.error["step"]) == ("InvalidInput", "a")


async def test_an_empty_list_gives_an_empty_list(open_engine: OpenEngine) -> None:
    """And the run goes on."""
    engine = await open_engine(create_workflow(id="w").foreach(add("a")).map(len))
    result = await (await launch(engine, "w", [])).result()
    assert (result.status, result.result, result.steps["a"].output) == ("success", 0, [])


async def test_a_bail_in_an_item_ends_the_run(open_engine: OpenEngine) -> None:
    """G8: with its value; the items after it do not run."""
    seen: list[int] = []

    async def take(item: int, ctx: StepContext) -> int:
        seen.append(item)
        if item == 2:
            ctx.bail({"stopped at": item})
        return item

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=take)).then(add("next")))
    result = await (await launch(engine, "w", [1, 2, 3])).result()
    assert (result.status, result.result, seen) == ("success", {"stopped at": 2}, [1, 2])


async def test_an_item_may_run_a_workflow(open_engine: OpenEngine) -> None:
    """G9: each in its own scope, under its index."""
    child = create_workflow(id="n").then(add("i", 1)).then(add("j", 1))
    engine = await open_engine(create_workflow(id="w").foreach(child))
    result = await (await launch(engine, "w", [{"n": 1}, {"n": 5}])).result()
    assert result.result == [{"n": 3}, {"n": 7}]
    assert sorted(statuses(result.steps)) == ["n", "n[0]", "n[0]/i", "n[0]/j", "n[1]", "n[1]/i", "n[1]/j"]
    assert result.steps["n[1]/i"].output == {"n": 6}


async def test_what_an_item_writes_the_next_one_sees(open_engine: OpenEngine) -> None:
    """G11: one at a time."""

    async def count(item: int, ctx: StepContext) -> int:
        ctx.set_state(total=ctx.state.get("total", 0) + item)
        return int(ctx.state.get("total", 0))

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=count)))
    result = await (await launch(engine, "w", [1, 2, 3])).result()
    assert (result.result, result.state) == ([0, 1, 3], {"total": 6})


async def test_with_collect_errors_each_item_gives_its_own_end(open_engine: OpenEngine) -> None:
    """G12: all items run; the failed ones say why, without a traceback."""

    async def take(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=take), collect_errors=True))
    result = await (await launch(engine, "w", [1, 2, 3])).result()
    assert (result.status, result.result) == (
        "success",
        [{"ok": 1}, {"error": {"type": "ValueError", "message": "two", "step": "a[1]"}}, {"ok": 3}],
    )
    assert statuses(result.steps) == {"a": "success", "a[0]": "success", "a[1]": "failed", "a[2]": "success"}


async def test_lists_of_lists_keep_their_nesting(open_engine: OpenEngine) -> None:
    """G14: a foreach after a foreach, and one inside another; a map flattens."""
    double = create_step(id="double", execute=lambda item: [one * 2 for one in item])
    inner = create_workflow(id="inner").foreach(create_step(id="inc", execute=lambda one: one + 1))
    workflow = (
        create_workflow(id="w").foreach(double).foreach(inner).map(lambda rows: [one for row in rows for one in row])
    )
    engine = await open_engine(workflow)
    result = await (await launch(engine, "w", [[1, 2], [], [3]])).result()
    assert (result.steps["inner"].output, result.result) == ([[3, 5], [], [7]], [3, 5, 7])


async def test_two_thousand_items_take_less_than_a_second(open_engine: OpenEngine, store_url: str) -> None:
    """G15: in memory; on disk they have to be right, not that fast."""
    engine = await open_engine(create_workflow(id="w").foreach(add("a"), concurrency=50))
    run = await engine.create_run("w")
    items = [{"n": n} for n in range(2000)]
    began = time.perf_counter()
    result = await run.start(items)
    took = time.perf_counter() - began
    assert result.result == [{"n": n + 1} for n in range(2000)]
    assert took < (1.0 if store_url == ":memory:" else 5.0)
