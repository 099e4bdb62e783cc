"""What flows between blocks: then, parallel, branch, chains, nesting, catch."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import StepContext, chain, create_step, create_workflow, from_step
from tests.fixtures import OpenEngine, add, fail, launch, lines, statuses


async def same(given: Any) -> Any:
    """Give back what it gets."""
    return given


def echo(id: str, **options: Any) -> Any:
    """A step that gives back what it gets."""
    return create_step(id=id, execute=same, **options)


def asking(id: str) -> Any:
    """A step that waits for a person."""

    async def execute(given: Any, ctx: StepContext) -> Any:
        return await ctx.ask({"by": id})

    return create_step(id=id, execute=execute)


# -- then


async def test_then_gets_the_previous_output_and_the_runs_input_at_first(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(add("a", 1)).then(add("b", 10)))
    run = await launch(engine, "w", {"n": 0})
    result = await run.result()
    flows = {path: (step.input, step.output) for path, step in result.steps.items()}
    assert flows == {"a": ({"n": 0}, {"n": 1}), "b": ({"n": 1}, {"n": 11})}
    assert result.result == {"n": 11}
    assert await lines(run) == [
        "run.created",
        "run.started",
        "step.started a",
        "step.succeeded a",
        "step.started b",
        "step.succeeded b",
        "run.succeeded",
    ]


async def test_then_takes_an_id_of_its_own(open_engine: OpenEngine) -> None:
    once = add("a")
    engine = await open_engine(create_workflow(id="w").then(once).then(once, id="again"))
    assert list((await (await launch(engine, "w", {"n": 0})).result()).steps) == ["a", "again"]


# -- parallel


async def test_all_arms_get_the_same_input_and_the_output_is_keyed_by_arm(open_engine: OpenEngine) -> None:
    nested = create_workflow(id="flow").then(add("x", 3))
    arms = [add("a", 1), nested, chain("links").then(add("x", 1)).then(add("y", 4)), chain().then(add("z", 6))]
    engine = await open_engine(create_workflow(id="w").parallel(arms))
    result = await (await launch(engine, "w", {"n": 0})).result()
    assert result.result == {"a": {"n": 1}, "flow": {"n": 3}, "links": {"n": 5}, "chain-1": {"n": 6}}
    inputs = [step.input for path, step in result.steps.items() if "/" not in path]
    assert inputs == [{"n": 0}] * 4


async def test_an_arm_that_changes_its_input_changes_nobody_elses(open_engine: OpenEngine) -> None:
    async def spoil(given: dict[str, Any]) -> Any:
        given["list"].append(len(given["list"]))
        return given["list"]

    arms = [create_step(id=id, execute=spoil) for id in ("a", "b")]
    engine = await open_engine(create_workflow(id="w").parallel(arms))
    assert (await (await launch(engine, "w", {"list": []})).result()).result == {"a": [0], "b": [0]}


async def test_concurrency_limits_how_many_arms_run_at_once(open_engine: OpenEngine) -> None:
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    arms = [create_step(id=f"s{number}", execute=work) for number in range(5)]
    engine = await open_engine(create_workflow(id="w").parallel(arms, concurrency=2))
    result = await (await launch(engine, "w")).result()
    assert (result.result, most) == ({f"s{number}": None for number in range(5)}, 2)


async def test_a_parallel_waits_for_every_arm_then_fails_with_the_first_failed_in_order(
    open_engine: OpenEngine,
) -> None:
    gate = asyncio.Event()

    async def late() -> None:
        await gate.wait()
        raise ValueError("late but first")

    async def soon() -> None:
        gate.set()
        raise ValueError("soon but second")

    arms = [create_step(id="late", execute=late), create_step(id="soon", execute=soon), echo("ok")]
    engine = await open_engine(create_workflow(id="w").parallel(arms).then(echo("after")))
    result = await (await launch(engine, "w", 1)).result()
    assert statuses(result.steps) == {"late": "failed", "soon": "failed", "ok": "success"}
    assert (result.status, result.error["message"], result.error["step"]) == ("failed", "late but first", "late")


async def test_arms_that_only_wait_are_canceled_when_a_parallel_has_failed(open_engine: OpenEngine) -> None:
    waiting = chain("wait").then(create_workflow(id="inner").wait_for_event("go"))
    engine = await open_engine(create_workflow(id="w").parallel([asking("ask"), waiting, fail("bad"), echo("ok")]))
    result = await (await launch(engine, "w")).result()
    assert result.status == "failed"
    assert statuses(result.steps) == {
        "ask": "canceled",
        "wait": "canceled",
        "wait/inner": "canceled",
        "wait/inner/wait_for_event-1": "canceled",
        "bad": "failed",
        "ok": "success",
    }


async def test_with_allow_failure_a_failed_arm_gives_none(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").parallel([fail("bad"), echo("ok")], allow_failure=True))
    result = await (await launch(engine, "w", 1)).result()
    assert (result.status, result.result) == ("success", {"bad": None, "ok": 1})
    assert statuses(result.steps) == {"bad": "failed", "ok": "success"}


async def test_allow_failure_beside_a_suspension_is_suspended_and_gives_none_at_the_end(
    open_engine: OpenEngine,
) -> None:
    engine = await open_engine(create_workflow(id="w").parallel([fail("bad"), asking("ask")], allow_failure=True))
    run = await launch(engine, "w")
    assert ((await run.result()).status, (await run.result()).suspended) == ("suspended", [["ask"]])
    assert (await run.resume("yes")).result == {"bad": None, "ask": "yes"}


# -- branch

CASES = [("n > 5", echo("big")), (lambda given: given["n"] % 2 == 0, echo("even"))]


@pytest.mark.parametrize(
    ("mode", "n", "ran"),
    [
        ("all", 8, ["big", "even"]),
        ("all", 7, ["big"]),
        ("all", 1, ["rest"]),
        ("first", 8, ["big"]),
        ("first", 2, ["even"]),
        ("first", 1, ["rest"]),
    ],
)
async def test_a_branch_runs_every_true_arm_or_the_first_else_otherwise(
    open_engine: OpenEngine, mode: Any, n: int, ran: list[str]
) -> None:
    engine = await open_engine(create_workflow(id="w").branch(CASES, mode=mode, otherwise=echo("rest")))
    result = await (await launch(engine, "w", {"n": n})).result()
    assert result.result == {arm: {"n": n} for arm in ran}
    expected = {arm: "success" if arm in ran else "skipped" for arm in ("big", "even", "rest")}
    assert statuses(result.steps) == expected


async def test_a_branch_without_a_match_gives_an_empty_object(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").branch(CASES))
    assert (await (await launch(engine, "w", {"n": 1})).result()).result == {}


@pytest.mark.parametrize("mode", ["all", "first"])
async def test_all_conditions_are_evaluated_once(open_engine: OpenEngine, mode: Any) -> None:
    asked: list[str] = []

    async def first(given: Any) -> bool:
        asked.append("first")
        return True

    def second(given: Any, ctx: StepContext) -> bool:
        asked.append(f"second {ctx.run_id == run.run_id}")
        return True

    engine = await open_engine(
        create_workflow(id="w").branch([(first, asking("ask")), (second, echo("other"))], mode=mode)
    )
    run = await engine.create_run("w")
    await run.start(1)
    await run.resume("yes")
    assert asked == ["first", "second True"]
    (chosen,) = [event.data async for event in run.events(follow=False) if event.type == "branch.chosen"]
    assert chosen == {"arms": ["ask", "other"] if mode == "all" else ["ask"], "values": [True, True]}


async def test_conditions_are_not_asked_again_after_a_restart(open_engine: OpenEngine, sqlite_url: str) -> None:
    asked: list[int] = []

    def condition(given: Any) -> bool:
        asked.append(given)
        return len(asked) == 1

    flow = create_workflow(id="w").branch([(condition, asking("ask"))], otherwise=echo("rest"))
    first = await open_engine(flow, store=sqlite_url)
    run = await launch(first, "w", 1)
    await first.close()
    again = await open_engine(flow, store=sqlite_url)
    result = await (await again.get_run(run.run_id)).resume("yes")
    assert (result.result, asked) == ({"ask": "yes"}, [1])


# -- chains and nesting


async def test_a_chain_gives_its_last_steps_output(open_engine: OpenEngine) -> None:
    links = chain().then(add("a", 1)).then(add("b", 10), id="c")
    engine = await open_engine(create_workflow(id="w").then(links).map(from_step("chain-1")))
    result = await (await launch(engine, "w", {"n": 0})).result()
    assert {path: step.output for path, step in result.steps.items()} == {
        "chain-1": {"n": 11},
        "chain-1/a": {"n": 1},
        "chain-1/c": {"n": 11},
        "map-1": {"n": 11},
    }


def test_a_chain_is_immutable() -> None:
    empty = chain("c")
    assert [len(one.links) for one in (empty, empty.then(add("a")), empty)] == [0, 1, 0]


async def test_a_nested_workflow_has_its_own_init_and_scope(open_engine: OpenEngine) -> None:
    async def initial(given: Any, ctx: StepContext) -> Any:
        return [ctx.init, ctx.path, ctx.result_of("a"), ctx.result_of("inner")]

    inner = create_workflow(id="inner").then(add("a", 10)).then(create_step(id="b", execute=initial))
    engine = await open_engine(create_workflow(id="w").then(add("a", 1)).then(inner))
    result = await (await launch(engine, "w", {"n": 0})).result()
    assert result.result == [{"n": 1}, "inner/b", {"n": 11}, None]


# -- catch


async def received(caught: dict[str, Any]) -> Any:
    """What a catch arm gets, in short."""
    return {"input": caught["input"], "type": caught["error"]["type"], "step": caught["error"]["step"]}


HANDLER = create_step(id="handler", execute=received)
BODY = fail("bad")
BLOCKS: dict[str, tuple[Any, Any, str]] = {
    "then": (lambda w: w.then(BODY, catch=HANDLER), 1, "bad"),
    "parallel": (lambda w: w.parallel([echo("ok"), BODY], catch=HANDLER), 1, "bad"),
    "branch": (lambda w: w.branch([("true", BODY)], catch=HANDLER), 1, "bad"),
    "do_while": (lambda w: w.do_while(BODY, "true", catch=HANDLER), 1, "bad[0]"),
    "do_until": (lambda w: w.do_until(BODY, "true", catch=HANDLER), 1, "bad[0]"),
    "foreach": (lambda w: w.foreach(BODY, catch=HANDLER), [1, 2], "bad[0]"),
    "a nested workflow": (lambda w: w.then(create_workflow(id="v").then(BODY), catch=HANDLER), 1, "v/bad"),
    "a chain": (lambda w: w.then(chain("c").then(BODY), catch=HANDLER), 1, "c/bad"),
    "a link of a chain": (lambda w: w.then(chain("c").then(BODY, catch=HANDLER)), 1, "c/bad"),
}


@pytest.mark.parametrize("block", BLOCKS)
async def test_a_catch_arm_gets_input_and_error_and_its_output_takes_the_blocks_place(
    open_engine: OpenEngine, block: str
) -> None:
    build, given, failed = BLOCKS[block]
    engine = await open_engine(build(create_workflow(id="w")).then(echo("after")))
    result = await (await launch(engine, "w", given)).result()
    assert result.result == {"input": given, "type": "ValueError", "step": failed}
    assert (result.status, result.steps[failed].status, result.steps["after"].status) == (
        "success",
        "failed",
        "success",
    )


async def test_a_catch_arm_runs_when_the_block_has_failed_for_good_and_once_for_it(open_engine: OpenEngine) -> None:
    caught: list[str] = []

    async def note(given: Any) -> str:
        caught.append(given["error"]["message"])
        return "saved"

    arms = [fail("a"), fail("b")]
    handler = create_step(id="handler", execute=note)
    engine = await open_engine(create_workflow(id="w").parallel(arms, catch=handler))
    assert ((await (await launch(engine, "w")).result()).result, caught) == ("saved", ["a failed"])


async def test_a_catch_arm_that_fails_fails_the_run(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="w").then(fail("a"), catch=fail("b")))
    result = await (await launch(engine, "w")).result()
    assert (result.status, result.error["message"]) == ("failed", "b failed")


async def test_a_catch_arm_does_not_run_without_a_failure(open_engine: OpenEngine) -> None:
    async def leave(given: Any, ctx: StepContext) -> None:
        ctx.bail("left")

    async def abort(given: Any, ctx: StepContext) -> None:
        ctx.abort("enough")

    flows = [
        create_workflow(id=step.id).then(step, catch=HANDLER)
        for step in (echo("fine"), create_step(id="bail", execute=leave), create_step(id="abort", execute=abort))
    ]
    engine = await open_engine(*flows)
    results = [await (await launch(engine, flow, 1)).result() for flow in flows]
    assert [(result.status, result.result) for result in results] == [
        ("success", 1),
        ("success", "left"),
        ("canceled", None),
    ]
    assert ["handler" in result.steps for result in results] == [False] * 3
