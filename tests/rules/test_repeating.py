"""Loops and foreach."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import StepContext, chain, create_step, create_workflow
from tests.fixtures import OpenEngine, add, fail, launch, lines


def asking(id: str) -> Any:
    """A step that waits for a person."""

    async def execute(given: Any, ctx: StepContext) -> Any:
        return await ctx.ask({"item": given})

    return create_step(id=id, execute=execute)


# -- loops


@pytest.mark.parametrize(("start", "rounds"), [(0, 3), (2, 1), (9, 1)])
async def test_do_while_goes_on_while_the_condition_holds_and_runs_once_at_least(
    open_engine: OpenEngine, start: int, rounds: int
) -> None:
    engine = await open_engine(create_workflow(id="w").do_while(add("a"), "n < 3"))
    result = await (await launch(engine, "w", {"n": start})).result()
    assert result.result == {"n": start + rounds}
    assert [step.output for step in result.steps["a"].iterations] == [{"n": start + 1 + i} for i in range(rounds)]


@pytest.mark.parametrize(("start", "rounds"), [(0, 3), (2, 1), (9, 1)])
async def test_do_until_goes_on_until_the_condition_holds_and_runs_once_at_least(
    open_engine: OpenEngine, start: int, rounds: int
) -> None:
    async def enough(given: dict[str, int]) -> bool:
        return given["n"] >= 3

    engine = await open_engine(create_workflow(id="w").do_until(add("a"), enough))
    result = await (await launch(engine, "w", {"n": start})).result()
    assert (result.result, len(result.steps["a"].iterations)) == ({"n": start + rounds}, rounds)


async def test_every_iteration_is_kept_by_index_and_each_gets_the_last_output(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").do_while(add("a"), "n < 2", id="rounds"))
    run = await launch(engine, "w", {"n": 0})
    result = await run.result()
    assert {path: (step.input, step.output) for path, step in result.steps.items()} == {
        "a": ({"n": 0}, {"n": 2}),
        "a[0]": ({"n": 0}, {"n": 1}),
        "a[1]": ({"n": 1}, {"n": 2}),
    }
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started a",
        "step.started a[0]",
        "step.succeeded a[0]",
        "loop.checked a",
        "step.started a[1]",
        "step.succeeded a[1]",
        "loop.checked a",
        "step.succeeded a",
        "run.succeeded",
    ]


async def test_the_iteration_counts_from_one_and_the_loops_condition_sees_it(open_engine: OpenEngine) -> None:
    async def count(given: Any, ctx: StepContext) -> Any:
        return [*given, ctx.iteration]

    engine = await open_engine(
        create_workflow(id="w").do_while(create_step(id="a", execute=count), lambda _, ctx: ctx.iteration < 3)
    )
    assert (await (await launch(engine, "w", [])).result()).result == [1, 2, 3]


async def test_too_many_iterations_fail_with_loop_limit(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").do_while(add("a"), "true", max_iterations=2))
    result = await (await launch(engine, "w", {"n": 0})).result()
    assert (result.status, result.error["type"]) == ("failed", "LoopLimit")
    assert [step.status for step in result.steps["a"].iterations] == ["success", "success"]


async def test_a_loop_that_ends_on_its_last_allowed_round_succeeds(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").do_while(add("a"), "n < 2", max_iterations=2))
    assert (await (await launch(engine, "w", {"n": 0})).result()).result == {"n": 2}


async def test_a_body_may_be_a_chain_or_a_workflow_with_paths_inside_each_round(open_engine: OpenEngine) -> None:
    links = chain().then(add("a")).then(add("b"))
    nested = create_workflow(id="flow").then(add("a"))
    engine = await open_engine(create_workflow(id="w").do_while(links, "n < 4").do_until(nested, "n >= 6"))
    result = await (await launch(engine, "w", {"n": 0})).result()
    assert result.result == {"n": 6}
    assert sorted(result.steps) == [
        "chain-1",
        "chain-1[0]",
        "chain-1[0]/a",
        "chain-1[0]/b",
        "chain-1[1]",
        "chain-1[1]/a",
        "chain-1[1]/b",
        "flow",
        "flow[0]",
        "flow[0]/a",
        "flow[1]",
        "flow[1]/a",
    ]


async def test_a_body_that_fails_fails_the_loop(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").do_until(fail("a"), "true"))
    result = await (await launch(engine, "w")).result()
    assert (result.status, result.error["step"]) == ("failed", "a[0]")


# -- foreach


async def test_foreach_gives_the_outputs_in_the_order_of_the_input(open_engine: OpenEngine) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    ended: list[int] = []

    async def work(item: int) -> int:
        if item < 2:
            await gates[item].wait()
        ended.append(item)
        if item:
            gates[item - 1].set()
        return item * 10

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=work), concurrency=3))
    result = await (await launch(engine, "w", [0, 1, 2])).result()
    assert (ended, result.result) == ([2, 1, 0], [0, 10, 20])
    assert result.steps["a"].output == [0, 10, 20]
    assert [step.output for step in result.steps["a"].iterations] == [0, 10, 20]
    assert result.steps["a[2]"].output == 20


async def test_an_empty_list_gives_an_empty_list(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").foreach(fail("a")))
    assert (await (await launch(engine, "w", [])).result()).result == []


@pytest.mark.parametrize("given", ["abc", {"a": 1}, 3, None])
async def test_foreach_takes_a_list_and_no_text(open_engine: OpenEngine, given: Any) -> None:
    engine = await open_engine(create_workflow(id="w").foreach(add("a")))
    result = await (await launch(engine, "w", given)).result()
    assert (result.status, result.error["type"]) == ("failed", "InvalidInput")


@pytest.mark.parametrize(
    ("concurrency", "most"),
    [(1, 1), (2, 2), (lambda items: len(items) - 1, 3), (lambda items, ctx: len(ctx.init) + len(items), 4)],
    ids=["one", "two", "a function of the list", "a function of the list and the context"],
)
async def test_concurrency_is_a_number_or_a_function_of_the_list(
    open_engine: OpenEngine, concurrency: Any, most: int
) -> None:
    running, seen = 0, 0

    async def work(item: int) -> int:
        nonlocal running, seen
        running += 1
        seen = max(seen, running)
        await asyncio.sleep(0)
        running -= 1
        return item

    step = create_step(id="a", execute=work)
    engine = await open_engine(create_workflow(id="w").foreach(step, concurrency=concurrency))
    assert ((await (await launch(engine, "w", [1, 2, 3, 4])).result()).result, seen) == ([1, 2, 3, 4], most)


@pytest.mark.parametrize("made", [0, "two", True])
async def test_a_concurrency_function_that_gives_no_positive_number_fails_the_run(
    open_engine: OpenEngine, made: Any
) -> None:
    engine = await open_engine(create_workflow(id="w").foreach(add("a"), concurrency=lambda _: made))
    result = await (await launch(engine, "w", [{"n": 1}])).result()
    assert (result.status, result.error["type"]) == ("failed", "ConditionFailed")


async def test_the_window_slides_and_a_suspended_item_keeps_its_slot(open_engine: OpenEngine) -> None:
    started: list[int] = []

    async def work(item: int, ctx: StepContext) -> Any:
        if not ctx.resume_data:
            started.append(item)
        return await ctx.ask(item) if item == 0 else item

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=work), concurrency=2))
    run = await launch(engine, "w", [0, 1, 2, 3])
    result = await run.result()
    assert (result.status, started, result.suspended) == ("suspended", [0, 1, 2, 3], [["a[0]"]])
    assert (await run.resume("zero", index=0)).result == ["zero", 1, 2, 3]


async def test_suspended_items_that_fill_the_window_hold_the_others_back(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").foreach(asking("a"), concurrency=2))
    run = await launch(engine, "w", [1, 2, 3])
    assert (await run.result()).suspended == [["a[0]"], ["a[1]"]]
    assert (await run.resume("one", step="a[1]")).suspended == [["a[0]"], ["a[2]"]]
    await run.resume("two", index=2)
    assert (await run.resume("three", index=0)).result == ["three", "one", "two"]


async def test_the_first_failure_stops_what_has_not_started(open_engine: OpenEngine) -> None:
    async def work(item: int) -> int:
        if item == 1:
            raise ValueError("one")
        return item

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=work)))
    result = await (await launch(engine, "w", [0, 1, 2])).result()
    assert (result.status, result.error["message"], result.error["step"]) == ("failed", "one", "a[1]")
    assert [step.status for step in result.steps["a"].iterations] == ["success", "failed"]


async def test_collect_errors_gives_ok_or_error_for_each_item(open_engine: OpenEngine) -> None:
    async def work(item: int) -> int:
        if item == 1:
            raise ValueError("one")
        return item

    engine = await open_engine(create_workflow(id="w").foreach(create_step(id="a", execute=work), collect_errors=True))
    run = await launch(engine, "w", [0, 1, 2])
    result = await run.result()
    first, second, third = result.result
    assert (result.status, first, third) == ("success", {"ok": 0}, {"ok": 2})
    assert (list(second), second["error"]["type"], second["error"]["message"]) == (["error"], "ValueError", "one")


async def test_collect_errors_beside_a_suspension_is_suspended_and_gives_the_error_at_the_end(
    open_engine: OpenEngine,
) -> None:
    async def work(item: int, ctx: StepContext) -> Any:
        if item == 0:
            raise ValueError("zero")
        return await ctx.ask(item)

    engine = await open_engine(
        create_workflow(id="w").foreach(create_step(id="a", execute=work), concurrency=2, collect_errors=True)
    )
    run = await launch(engine, "w", [0, 1])
    assert (await run.result()).status == "suspended"
    ended = await run.resume("yes")
    assert (ended.result[0]["error"]["message"], ended.result[1]) == ("zero", {"ok": "yes"})


async def test_foreach_in_a_foreach_has_an_index_in_each_segment(open_engine: OpenEngine) -> None:
    inner = create_workflow(id="row").foreach(add("cell", 10))
    engine = await open_engine(create_workflow(id="w").foreach(inner))
    result = await (await launch(engine, "w", [[{"n": 1}, {"n": 2}], [{"n": 3}]])).result()
    assert result.result == [[{"n": 11}, {"n": 12}], [{"n": 13}]]
    cells = [path for path in result.steps if path.endswith("]") and "/" in path]
    assert cells == ["row[0]/cell[0]", "row[0]/cell[1]", "row[1]/cell[0]"]
