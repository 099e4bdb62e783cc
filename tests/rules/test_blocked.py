"""A run that the code which is loaded does not fit: it stays as it is, can be looked at, cancelled and forked."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from engine import DefinitionChanged, Engine, UnknownStep, chain, create_step, create_workflow, from_step
from tests.fixtures import add, fail, lines, statuses
from tests.rules.changes import Count, Other, ask, before, flow, only_row, row_of, says, url, wait_at_ask
from tests.rules.flows import effect
from tests.rules.process import Life

__all__ = ["url"]


async def _rescue(data: Any) -> Any:
    return {"n": len(data["input"])}


async def test_a_run_that_a_crash_cut_is_blocked_too_and_nothing_of_it_runs(life: Life) -> None:
    await life.die_in("b", "sequence", {"n": 0})
    changed = create_workflow(id="sequence").then(effect(life.place, "new")).then(effect(life.place, "b"))
    async with Engine([changed], store=life.url) as engine:
        row = await only_row(engine)
        assert (row.status, row.blocked) == ("running", "DefinitionChanged")
        run = await engine.get_run("r")
        with pytest.raises(DefinitionChanged):
            await run.pause()
    assert life.place.effects() == ["a 1", "b 1"]
    assert (await life.finish()).result == {"n": 3}


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "changed"])
async def test_a_blocked_run_can_be_cancelled(url: str, missing: bool) -> None:
    await wait_at_ask(url, before())
    async with Engine([] if missing else [flow().then(ask())], store=url) as engine:
        run = await engine.get_run("r")
        assert await run.cancel("no use") is True
        row = await only_row(engine)
        assert (row.status, (await engine.suspensions()).items) == ("canceled", [])
        assert (await lines(run))[-3:] == ["run.cancel_requested", "step.canceled ask", "run.canceled"]
        assert await run.cancel() is False
        await engine.delete_run("r")


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "changed"])
async def test_a_blocked_run_can_still_be_looked_at(url: str, missing: bool) -> None:
    """By the definition that it has recorded."""
    await wait_at_ask(url, before())
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
        .then(fail("bad"), catch=create_step(id="rescue", execute=_rescue))
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
    await wait_at_ask(url, before())
    async with Engine([flow().then(ask())], store=url) as engine:
        with caplog.at_level(logging.WARNING, "engine"):
            caplog.clear()
            assert await engine.recover() == []
            assert await engine.recover() == []
        assert caplog.records == []
        engine.register([before()])
        assert await engine.recover() == ["r"]
        assert (await only_row(engine)).blocked is None


# -- the other way out: a fork


async def test_a_blocked_run_can_be_forked_where_what_is_kept_fits(url: str) -> None:
    """From the start nothing is kept; at a step whose schema has changed, what came before it is."""
    await wait_at_ask(url, before())
    renamed = flow().then(add("a")).then(add("bee", 10)).then(ask()).then(add("z"))
    async with Engine([renamed], store=url) as engine:
        run = await engine.get_run("r")
        fork = await run.fork("a")
        assert (await fork.wait(5)).suspended == [["ask"]]
        assert (await fork.resume(5)).result == {"n": 17}
        assert (await row_of(engine, "r")).status == "suspended"
    other = flow().then(add("a")).then(says("b")).then(ask(input_schema=Other)).then(add("z"))
    async with Engine([other], store=url) as engine:
        fork = await (await engine.get_run("r")).fork("b")
        result = await fork.wait(5)
        assert (result.status, statuses(result.steps, {"a", "b"})) == ("failed", {"a": "success", "b": "success"})
        assert result.steps["b"].output == {"text": "from 1"}


@pytest.mark.parametrize(
    ("at", "error", "why"),
    [
        ("ask", DefinitionChanged, "'b' was removed or renamed (to 'bee'?)"),
        ("b", UnknownStep, "'b' is not in workflow 'w' as it is loaded"),
    ],
)
async def test_a_fork_that_keeps_what_does_not_fit_is_refused(
    url: str, at: str, error: type[Exception], why: str
) -> None:
    await wait_at_ask(url, before())
    changed = flow().then(add("a")).then(add("bee")).then(ask()).then(add("z"))
    async with Engine([changed], store=url) as engine:
        with pytest.raises(error) as caught:
            await (await engine.get_run("r")).fork(at)
        assert why in str(caught.value)
        assert len((await engine.list_runs()).items) == 1
