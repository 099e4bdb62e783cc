"""A run goes on with changed code if all it has recorded still fits; else it is blocked, and nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from engine import (
    Blocked,
    DefinitionChanged,
    Engine,
    Run,
    RunRow,
    StepContext,
    Workflow,
    WorkflowMissing,
    chain,
    create_step,
    create_workflow,
    from_step,
    value,
)
from engine.verify import verify
from tests.fixtures import add, lines, statuses
from tests.rules.flows import effect
from tests.rules.process import Life

Made = Workflow[Any, Any]


class Count(BaseModel):
    """What flows."""

    n: int


class Wider(BaseModel):
    """It takes every Count."""

    n: float
    note: str = "none"


class Other(BaseModel):
    """It takes no Count."""

    text: str


async def _ask(data: Any, ctx: StepContext) -> Any:
    n = data["n"] if isinstance(data, dict) else data.n
    return {"n": n + await ctx.ask({"have": n}, int)}


async def _rescue(data: Any) -> Any:
    return {"n": len(data["input"])}


def ask(**options: Any) -> Any:
    """The step that a run waits at."""
    return create_step(id="ask", execute=_ask, **options)


def flow() -> Made:
    """An empty workflow of the one id."""
    return create_workflow(id="w")


def before() -> Made:
    """The workflow as it was when the run began: it waits at ``ask``."""
    return flow().then(add("a")).then(add("b", input_schema=None)).then(ask()).then(add("z"))


FITTING: dict[str, tuple[Callable[[], Made], Any]] = {
    "a step inserted after": (
        lambda: flow().then(add("a")).then(add("b")).then(ask()).then(add("new", 100)).then(add("z")),
        {"n": 108},
    ),
    "a step added at the end": (lambda: before().then(add("end", 100)), {"n": 108}),
    "a later step removed": (lambda: flow().then(add("a")).then(add("b")).then(ask()), {"n": 7}),
    "a later step renamed": (
        lambda: flow().then(add("a")).then(add("b")).then(ask()).then(add("zz", 10)),
        {"n": 17},
    ),
    "a later step of another kind": (
        lambda: flow().then(add("a")).then(add("b")).then(ask()).map(value("mapped"), id="z"),
        "mapped",
    ),
    "a schema that takes what is stored": (
        lambda: flow().then(add("a", output_schema=Wider)).then(add("b")).then(ask(input_schema=Wider)).then(add("z")),
        {"n": 8},
    ),
}

BLOCKING: dict[str, tuple[Callable[[], Made], str]] = {
    "a step inserted before": (
        lambda: flow().then(add("new")).then(add("a")).then(add("b")).then(ask()).then(add("z")),
        "'a' has moved (from position 0 to 1)",
    ),
    "a step removed": (
        lambda: flow().then(add("a")).then(ask()).then(add("z")),
        "'b' was removed or renamed",
    ),
    "a step renamed": (
        lambda: flow().then(add("a")).then(add("bee")).then(ask()).then(add("z")),
        "'b' was removed or renamed (to 'bee'?)",
    ),
    "steps reordered": (
        lambda: flow().then(add("b")).then(add("a")).then(ask()).then(add("z")),
        "'a' has moved (from position 0 to 1); 'b' has moved (from position 1 to 0)",
    ),
    "a kind changed": (
        lambda: flow().then(create_workflow(id="a").then(add("inner"))).then(add("b")).then(ask()).then(add("z")),
        "'a' was a step and is a workflow",
    ),
    "a step that became a map": (
        lambda: flow().then(add("a")).map(value({"n": 0}), id="b").then(ask()).then(add("z")),
        "'b' was a step and is a map",
    ),
    "an output schema that does not take what is stored": (
        lambda: flow().then(add("a")).then(add("b", output_schema=Other)).then(ask()).then(add("z")),
        "the output schema of 'b' no longer takes the stored output",
    ),
    "an input schema of the open step": (
        lambda: flow().then(add("a")).then(add("b")).then(ask(input_schema=Other)).then(add("z")),
        "the input schema of 'ask' no longer takes the stored input",
    ),
    "the workflow's input schema": (
        lambda: create_workflow(id="w", input_schema=Other).then(add("a")).then(add("b")).then(ask()).then(add("z")),
        "the workflow's input schema no longer takes the stored input",
    ),
    "the workflow's state schema": (
        lambda: create_workflow(id="w", state_schema=Other).then(add("a")).then(add("b")).then(ask()).then(add("z")),
        "the workflow's state schema no longer takes the stored state",
    ),
}


async def _wait_at_ask(url: str, made: Made, input: Any = None) -> None:
    """A run that waits at its question, in a store that no engine has open."""
    async with Engine([made], store=url) as engine:
        run = await engine.create_run("w", run_id="r")
        result = await run.start({"n": 0} if input is None else input)
        assert result.status == "suspended"


async def _row(engine: Engine) -> RunRow:
    return (await engine.list_runs()).items[0]


async def _expect_blocked(engine: Engine, kind: type[Blocked], message: str, path: str = "ask") -> Run:
    """The run can't be answered, and stays as it was."""
    run = await engine.get_run("r")
    with pytest.raises(kind) as caught:
        await run.resume(5)
    assert message in str(caught.value)
    row = await _row(engine)
    assert (row.status, row.blocked) == ("suspended", kind.__name__)
    [question] = (await engine.suspensions("r")).items
    assert (question.path, question.payload) == (path, {"have": 2})
    return run


@pytest.fixture
def url(sqlite_url: str) -> Any:
    """An empty store; it is sound at the end."""
    yield sqlite_url
    assert verify(sqlite_url.removeprefix("sqlite:///")) == []


@pytest.mark.parametrize("change", FITTING)
async def test_a_run_goes_on_with_code_that_fits(url: str, change: str) -> None:
    await _wait_at_ask(url, before())
    changed, expected = FITTING[change]
    async with Engine([changed()], store=url) as engine:
        run = await engine.get_run("r")
        result = await run.resume(5)
        events = [event async for event in run.events(follow=False) if event.type == "run.definition_changed"]
    got = result.result if not isinstance(result.result, dict) else {"n": result.result["n"]}
    assert (result.status, got) == ("success", expected)
    assert len(events) == 1


@pytest.mark.parametrize("change", BLOCKING)
async def test_code_that_does_not_fit_blocks_and_says_why(url: str, change: str) -> None:
    """Nothing runs, no answer is spent, the status stays; with fitting code the run goes on."""
    await _wait_at_ask(url, before())
    changed, why = BLOCKING[change]
    async with Engine([changed()], store=url) as engine:
        run = await _expect_blocked(engine, DefinitionChanged, why)
        before_retry = await lines(run)
        await _expect_blocked(engine, DefinitionChanged, why)
        assert await lines(run) == before_retry
        assert before_retry[-1] == "run.blocked"
    async with Engine([before()], store=url) as engine:
        run = await engine.get_run("r")
        assert (await _row(engine)).blocked is None
        assert (await run.resume(5)).result == {"n": 8}


async def test_a_missing_workflow_blocks(url: str) -> None:
    await _wait_at_ask(url, before())
    async with Engine([], store=url) as engine:
        await _expect_blocked(engine, WorkflowMissing, "is of workflow 'w', which is not registered")
        engine.register([before()])
        run = await engine.get_run("r")
        assert (await run.resume(5)).result == {"n": 8}
        assert (await _row(engine)).blocked is None


# -- what is not a change


async def test_new_code_and_new_words_are_no_new_version(url: str) -> None:
    await _wait_at_ask(url, before())
    changed = create_workflow(id="w", description="said better").then(add("a", 50)).then(add("b", description="better"))
    async with Engine([changed.then(ask()).then(add("z", 1000))], store=url) as engine:
        run = await engine.get_run("r")
        assert (await run.resume(5)).result == {"n": 1007}
        assert "run.definition_changed" not in await lines(run)


async def test_the_version_covers_ids_kinds_order_schemas_and_conditions() -> None:
    def looped(condition: str) -> Made:
        return flow().do_while(add("a"), condition)

    made: list[Made] = [
        flow().then(add("a")),
        flow().then(add("b")),
        flow().map(value(1), id="a"),
        flow().then(add("a")).then(add("b")),
        flow().then(add("b")).then(add("a")),
        flow().then(add("a", input_schema=Count)),
        flow().then(add("a", output_schema=Count)),
        looped("n < 1"),
        looped("n < 2"),
        flow().do_until(add("a"), "n < 1"),
    ]
    versions = [workflow.plan.version for workflow in made]
    assert len(set(versions)) == len(versions)
    assert flow().then(add("a")).plan.version == versions[0]


async def test_a_condition_that_was_asked_is_not_asked_again_when_it_changes(url: str) -> None:
    def branching(condition: str) -> Made:
        return flow().branch([(condition, ask()), ("n > 99", add("other"))]).map(from_step("ask"))

    async with Engine([branching("n >= 0")], store=url) as engine:
        run = await engine.create_run("w", run_id="r")
        await run.start({"n": 2})
    async with Engine([branching("n < 0")], store=url) as engine:
        run = await engine.get_run("r")
        result = await run.resume(1)
        assert (result.result, statuses(result.steps, {"ask", "other"})) == (
            {"n": 3},
            {"ask": "success", "other": "skipped"},
        )
        [change] = [event.data async for event in run.events(follow=False) if event.type == "run.definition_changed"]
        assert change["changes"] == ["conditions or options changed"]


async def test_the_difference_is_told(url: str) -> None:
    await _wait_at_ask(url, before())
    changed = flow().then(add("a", output_schema=Count)).then(add("b")).then(ask()).then(add("new"))
    async with Engine([changed], store=url) as engine:
        run = await engine.get_run("r")
        await run.resume(5)
        [change] = [event.data async for event in run.events(follow=False) if event.type == "run.definition_changed"]
    assert change["changes"] == ["'z' was removed", "'new' was added", "the schemas of 'a' changed"]


async def test_a_place_inside_nested_blocks_counts_too(url: str) -> None:
    def nested(last: str) -> Made:
        inner = create_workflow(id="inner").foreach(chain("item").then(add("first")).then(add(last)).then(ask()))
        return flow().then(inner)

    async with Engine([nested("second")], store=url) as engine:
        await (await engine.create_run("w", run_id="r")).start([{"n": 0}])
    async with Engine([nested("zweite")], store=url) as engine:
        why = "'inner/item[]/second' was removed or renamed (to 'inner/item[]/zweite'?)"
        await _expect_blocked(engine, DefinitionChanged, why, path="inner/item[0]/ask")


# -- a blocked run


async def test_a_run_that_a_crash_cut_is_blocked_too_and_nothing_of_it_runs(life: Life) -> None:
    await life.die_in("b", "sequence", {"n": 0})
    changed = create_workflow(id="sequence").then(effect(life.place, "new")).then(effect(life.place, "b"))
    async with Engine([changed], store=life.url) as engine:
        row = await _row(engine)
        assert (row.status, row.blocked) == ("running", "DefinitionChanged")
        run = await engine.get_run("r")
        with pytest.raises(DefinitionChanged):
            await run.pause()
    assert life.place.effects() == ["a 1", "b 1"]
    assert (await life.finish()).result == {"n": 3}


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "changed"])
async def test_a_blocked_run_can_be_cancelled(url: str, missing: bool) -> None:
    await _wait_at_ask(url, before())
    async with Engine([] if missing else [flow().then(ask())], store=url) as engine:
        run = await engine.get_run("r")
        assert await run.cancel("no use") is True
        row = await _row(engine)
        assert (row.status, (await engine.suspensions()).items) == ("canceled", [])
        assert (await lines(run))[-3:] == ["run.cancel_requested", "step.canceled ask", "run.canceled"]
        assert await run.cancel() is False
        await engine.delete_run("r")


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "changed"])
async def test_a_blocked_run_can_still_be_looked_at(url: str, missing: bool) -> None:
    """By the definition that it has recorded."""
    await _wait_at_ask(url, before())
    async with Engine([] if missing else [flow().then(add("new")).then(ask())], store=url) as engine:
        result = await (await engine.get_run("r")).result()
    assert (result.status, result.input, result.suspended) == ("suspended", {"n": 0}, [["ask"]])
    assert statuses(result.steps) == {"a": "success", "b": "success", "ask": "suspended"}
    assert (result.steps["b"].output, result.steps["ask"].suspend_payload) == ({"n": 2}, {"have": 2})


async def test_every_kind_of_block_can_be_looked_at_when_its_code_is_gone(url: str) -> None:
    inner = create_workflow(id="inner", input_schema=Count).then(add("x")).sleep(0.001).then(add("y"))
    made = (
        create_workflow(id="w", input_schema=Count)
        .parallel([add("p"), inner])
        .map(from_step("p"))
        .branch([("n > 0", add("yes")), ("n < 0", add("no"))], otherwise=add("zero"))
        .map(from_step("yes"))
        .do_until(chain("round").then(add("s")).then(add("t")), "n > 5")
        .map(lambda data: [data, data])
        .foreach(add("item"), collect_errors=True)
        .then(create_step(id="bad", execute=_ask), catch=create_step(id="rescue", execute=_rescue))
        .then(ask())
    )
    async with Engine([made], store=url) as engine:
        run = await engine.create_run("w", run_id="r")
        with_code = (await run.start({"n": 0})).to_dict()
    async with Engine([], store=url) as engine:
        without = (await (await engine.get_run("r")).result()).to_dict()
    assert without == with_code


async def test_a_blocked_run_is_looked_at_again_only_when_the_code_changes(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await _wait_at_ask(url, before())
    async with Engine([flow().then(ask())], store=url) as engine:
        with caplog.at_level(logging.WARNING, "engine"):
            caplog.clear()
            assert await engine.recover() == []
            assert await engine.recover() == []
        assert caplog.records == []
        engine.register([before()])
        assert await engine.recover() == ["r"]
        assert (await _row(engine)).blocked is None
