"""Real workflows of trees, whose steps note each call; runs of them, answered until they rest; failures made small."""

from __future__ import annotations

import asyncio
import operator
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel

from engine import (
    DefinitionError,
    Engine,
    RetryPolicy,
    Run,
    RunResult,
    StepContext,
    Workflow,
    chain,
    create_step,
    create_workflow,
    from_init,
    from_step,
    reduce,
    template,
    value,
)
from tests.properties import shrinking, trees
from tests.properties.oracle import Expected, OrderMatters, expect
from tests.properties.trees import Act, Branch, Condition, Flow, Foreach, Loop, Map, Node, Parallel, Sleep, Then

INPUT = {"n": 7}
PATIENCE = 10.0
"""Seconds that everything about one tree may take; it takes milliseconds."""
EXTRA = int(os.environ.get("PROPERTY_SEEDS", "0"))
"""How many seeds each property is tried with, instead of the few of a normal run."""


def seeds(usual: int) -> range:
    return range(EXTRA or usual)


class Shared(BaseModel):
    total: Annotated[int, reduce(operator.add)] = 0
    last: int = 0


class Book:
    """Every call of a step: run, path, attempt, and the input it got."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int, Any]] = []

    def note(self, ctx: StepContext, given: Any) -> None:
        self.calls.append((ctx.run_id, ctx.path, ctx.attempt, trees.plain(given)))

    def of(self, run_id: str) -> list[tuple[str, int, Any]]:
        return [call[1:] for call in self.calls if call[0] == run_id]

    def counts(self, run_id: str) -> Counter[str]:
        return Counter(path for path, _, _ in self.of(run_id))


# -- building


def build(flow: Flow, book: Book) -> Workflow[Any, Any]:
    """The workflow that a tree says. Raises ``DefinitionError`` for one that was made too small to make sense."""
    return _flow(flow, book, state_schema=Shared).commit()


def _flow(flow: Flow, book: Book, **options: Any) -> Workflow[Any, Any]:
    made: Workflow[Any, Any] = create_workflow(id=flow.id, **options)
    for node in flow.nodes:
        made = _node(made, node, book)
    return made


def _arm(arm: Act | Flow, book: Book) -> Any:
    if isinstance(arm, Act):
        return _step(arm, book)
    if not arm.chain:
        return _flow(arm, book)
    made = chain(arm.id)
    for node in arm.nodes:
        assert isinstance(node, Then)
        made = made.then(_arm(node.arm, book), catch=node.catch and _arm(node.catch, book))
    return made


def _node(flow: Workflow[Any, Any], node: Node, book: Book) -> Workflow[Any, Any]:
    if isinstance(node, Map):
        return flow.map(_source(node), id=node.id)
    if isinstance(node, Sleep):
        return flow.sleep(node.seconds, id=node.id)
    catch = node.catch and _arm(node.catch, book)
    match node:
        case Then():
            return flow.then(_arm(node.arm, book), catch=catch)
        case Parallel(arms=arms, concurrency=at_once):
            made = [_arm(arm, book) for arm in arms]
            return flow.parallel(made, concurrency=at_once, allow_failure=node.allow_failure, id=node.id, catch=catch)
        case Branch():
            cases = [(_condition(condition), _arm(arm, book)) for condition, arm in node.cases]
            otherwise = node.otherwise and _arm(node.otherwise, book)
            mode = "first" if node.first else "all"
            return flow.branch(cases, otherwise=otherwise, mode=mode, id=node.id, catch=catch)
        case Loop():
            again = flow.do_until if node.until else flow.do_while
            return again(_arm(node.arm, book), _goes_on(node), max_iterations=node.limit, catch=catch)
        case Foreach():
            at_once = node.concurrency or (lambda listed: max(1, len(listed)))
            collects = node.collect_errors
            return flow.foreach(_arm(node.arm, book), concurrency=at_once, collect_errors=collects, catch=catch)


def _condition(condition: Condition) -> Any:
    match condition.kind:
        case "big":
            return "value.n > 50"
        case "chance":
            return _slowly(condition.turns, lambda given: trees.by_chance(condition.id, given))
        case "raises":
            return _slowly(condition.turns, lambda given: given["no such key"])
        case kind:
            return _slowly(condition.turns, lambda _: kind == "yes")


async def _turns(turns: int) -> None:
    """Let others run, so often."""
    for _ in range(turns):
        await asyncio.sleep(0)


def _slowly(turns: int, fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same function, letting others run before."""

    async def made(given: Any) -> Any:
        await _turns(turns)
        return fn(given)

    return made if turns else fn


def _goes_on(node: Loop) -> Any:
    if node.words:
        return f"iteration {'>=' if node.until else '<'} {node.rounds}"

    async def goes_on(given: Any, ctx: StepContext) -> bool:
        await _turns(node.turns)
        return (ctx.iteration < node.rounds) is not node.until

    return goes_on


def _source(node: Map) -> Any:
    match node.how:
        case "list":
            return _slowly(node.turns, lambda given: trees.items(node.id, node.size, given))
        case "same":
            return _slowly(node.turns, lambda given: given)
        case "step":
            return from_step(node.of)
        case "dict":
            made = {"fixed": value(1), "init": from_init(), "here": lambda given: trees.digest(node.id, given)}
            return made | {"step": from_step(node.of)} if node.of else made
        case "template":
            return template("${context.who} has ${state.total}")
        case _:
            return _slowly(node.turns, lambda given: given["no such key"])


class Hiccup(Exception):
    """A failure that does not come again."""


def _end(act: Act, given: Any, ctx: StepContext) -> Any:
    if act.how == "fail":
        raise ValueError(f"{ctx.path} fails")
    if act.how == "flaky" and ctx.attempt < act.tries:
        raise Hiccup
    if act.how == "abort":
        ctx.abort("enough")
    made = trees.output(act, ctx.path, given)
    if act.how == "bail":
        ctx.bail(made)
    return made


def _begin(act: Act, given: Any, ctx: StepContext, book: Book) -> None:
    book.note(ctx, given)
    if act.sets:
        ctx.set_state(**{act.sets: trees.amount(ctx.path)})


def _step(act: Act, book: Book) -> Any:
    async def execute(given: Any, ctx: StepContext) -> Any:
        _begin(act, given, ctx, book)
        await _turns(act.turns)
        if act.suspends and ctx.resume_data is None:
            await ctx.suspend({"nth": 0})
        for nth in range(0 if act.suspends else act.asks):
            answer = await ctx.ask({"nth": nth}, int)
            assert answer == trees.answer(ctx.path, nth)
        return _end(act, given, ctx)

    def plainly(given: Any, ctx: StepContext) -> Any:
        _begin(act, given, ctx, book)
        if act.suspends and ctx.resume_data is None:
            ctx.sync.suspend({"nth": 0})
        for nth in range(0 if act.suspends else act.asks):
            answer = ctx.sync.ask({"nth": nth}, int)
            assert answer == trees.answer(ctx.path, nth)
        return _end(act, given, ctx)

    schema = UUID if act.how == "picky" else None
    policy = RetryPolicy(attempts=act.tries) if act.tries > 1 else None
    return create_step(id=act.id, execute=plainly if act.sync else execute, input_schema=schema, retry=policy)


# -- running


def tree_of(seed: int, *, size: int = 20) -> tuple[Flow, Expected]:
    """The tree of a seed, and what must come of it."""
    for attempt in range(1000):
        tree = trees.grow(random.Random(f"{seed}/{attempt}"), size=size)
        try:
            build(tree, Book())
            return tree, expect(tree, INPUT)
        except OrderMatters:
            continue
        except DefinitionError as error:
            if not re.search(
                "gets (list.)?output", str(error)
            ):  # one that can't be taken, which is found before a run finds it
                raise
    raise AssertionError("no tree has an outcome that is fixed")


async def start(engine: Engine, flow: Flow, run_id: str = "r") -> Run:
    """A run that has been started, and rests."""
    run = await engine.create_run(flow.id, run_id=run_id)
    await run.start(INPUT, request_context={"who": trees.WHO})
    return run


async def answer_all(engine: Engine, run_id: str, rng: random.Random, *, at_most: int = 1000) -> RunResult:
    """Answer open questions in a random order until the run has ended, or ``at_most`` were answered."""
    run = await engine.get_run(run_id)
    result = await run.wait(5)
    while result.status == "suspended" and at_most > 0:
        asked = rng.choice((await engine.suspensions(run_id)).items)
        result = await run.resume(trees.answer(asked.path, asked.payload["nth"]), suspension=asked)
        at_most -= 1
    return result


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """A folder that is there only meanwhile."""
    made = folder / "fresh"
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made)


# -- comparing


def differences(result: RunResult, expected: Expected) -> list[str]:
    """Where a result is not what it must be."""
    world = expected.world
    found = _compared("status", result.status, expected.status)
    found += _compared("result", trees.plain(result.result), trees.plain(expected.result))
    found += _compared("error", trees.plain(result.error), trees.plain(expected.error))
    if world.known:
        found += _compared("state", result.state, world.state)
    have = {path: record.status for path, record in result.steps.items() if is_certain(path, expected)}
    want = {path: status for path, status in world.status.items() if is_certain(path, expected)}
    found += _compared("steps", sorted(have.items()), sorted(want.items()))
    for path, record in result.steps.items():
        if path in want and want[path] != "skipped":
            found += _compared(f"input of {path}", trees.plain(record.input), trees.plain(world.inputs[path]))
        if path in want and want[path] == "success" and path in world.outputs:
            found += _compared(f"output of {path}", trees.plain(record.output), trees.plain(world.outputs[path]))
    return found


def is_certain(path: str, expected: Expected) -> bool:
    """Whether it can be told how far a path comes."""
    return not any(path == one or path.startswith((one + "/", one + "[")) for one in expected.world.maybe)


def _compared(what: str, have: Any, want: Any) -> list[str]:
    return [] if have == want else [f"{what}: {have!r}, not {want!r}"]


# -- failing


Check = Callable[[Flow, Expected], Awaitable[list[str]]]
"""Tries a tree; what is wrong with what came of it."""


async def hold(seed: int, check: Check, *, size: int = 20) -> None:
    """Try the tree of a seed; on a failure, look for a smaller tree that fails too, and show it."""
    tree, expected = tree_of(seed, size=size)
    wrong = await _tried(tree, expected, check)
    if wrong:
        tree, wrong = await _shrunk(tree, wrong, check)
        told = "\n".join(f"  - {line}" for line in wrong[:12])
        raise AssertionError(f"seed {seed}, {len(wrong)} wrong:\n{told}\nof the workflow\n{trees.text(tree)}")


async def _tried(tree: Flow, expected: Expected, check: Check) -> list[str]:
    try:
        async with asyncio.timeout(PATIENCE):
            return await check(tree, expected)
    except TimeoutError:
        return [f"it has not come to rest within {PATIENCE} s"]


async def _shrunk(tree: Flow, wrong: list[str], check: Check) -> tuple[Flow, list[str]]:
    tries = 0
    while tries < 400:
        for smaller in shrinking.smaller(tree):
            tries += 1
            try:
                found = await _tried(smaller, expect(smaller, INPUT), check)
            except (OrderMatters, DefinitionError):
                continue
            if found:
                tree, wrong = smaller, found
                break
        else:
            break
    return tree, wrong
