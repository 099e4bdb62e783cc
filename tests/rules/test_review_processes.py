"""Several owners of one run, one after another: nothing that was asked for is lost, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, StepContext, StoreError, create_step, create_workflow
from engine.stores.sqlite import SqliteStore
from engine.verify import verify
from tests.fixtures import OpenEngine, add, launch, lines
from tests.rules.process import Life

SOON = 5.0


async def test_a_cancel_survives_the_death_of_its_owner_whatever_else_was_written_since(life: Life) -> None:
    life.place.hold("stubborn")
    owner = await life.spawn()
    await owner.run("stubborn", 1)
    await life.place.seen("stubborn")
    canceling = owner.send("cancel", "r", reason="enough")
    await owner.send("send_event", None, run_id="r", name="note", data=1)
    async with life.engine(recover=False) as engine:
        written = await lines(await engine.get_run("r"))
    assert written[-2:] == ["run.cancel_requested", "event.received"]
    await owner.kill()
    with pytest.raises(ConnectionError):
        await canceling
    result = await life.finish()
    assert (result.status, result.steps["stubborn"].status) == ("canceled", "canceled")
    assert life.place.effects() == ["stubborn 1"]


class SilentStore(SqliteStore):
    """A store whose first reply to another process is never written."""

    silent = True

    async def reply(self, request_id: int, body: Mapping[str, Any]) -> None:
        """As if the owner had died before."""
        if self.silent:
            self.silent = False
            raise StoreError("the disk is gone")
        await super().reply(request_id, body)


async def test_a_call_whose_reply_got_lost_is_not_acted_on_again(tmp_path: Path) -> None:
    workflow = create_workflow(id="w").wait_for_event("go").wait_for_event("go").then(add("a")).commit()
    path = tmp_path / "runs.db"
    async with Engine([workflow], store=SilentStore(path)) as owner, Engine([workflow], store=f"sqlite:///{path}") as b:
        run = await owner.create_run("w")
        await run.start_soon(None)
        async with asyncio.timeout(SOON):
            await b.send_event(run.run_id, "go", {"n": 1})
        received = [event async for event in run.events(follow=False) if event.type == "event.received"]
        assert [event.path for event in received] == ["wait_for_event-1"]
        await b.send_event(run.run_id, "go", {"n": 2})  # another call is another one
        assert (await run.wait(SOON)).result == {"n": 3}
    assert verify(path) == []


async def test_a_call_whose_owner_died_before_its_reply_is_answered_by_the_next_owner_and_done_once(
    tmp_path: Path,
) -> None:
    class DeafStore(SilentStore):
        """It never replies."""

        async def reply(self, *_: Any) -> None:
            """Never."""
            raise StoreError("the disk is gone")

    workflow = create_workflow(id="w").wait_for_event("go").wait_for_event("go").commit()
    path = tmp_path / "runs.db"
    old = Engine([workflow], store=DeafStore(path))
    async with Engine([workflow], store=f"sqlite:///{path}") as new:
        await old.open()
        run = await old.create_run("w", run_id="r")
        await run.start_soon(None)
        calling = asyncio.create_task(new.send_event("r", "go", 1))
        async for event in run.events():
            if event.type == "event.received":
                break
        await old.close()
        await asyncio.wait_for(calling, SOON)
        received = [event async for event in (await new.get_run("r")).events(follow=False)]
        assert [event.path for event in received if event.type == "event.received"] == ["wait_for_event-1"]
        assert await (await new.get_run("r")).status() == "waiting"


async def test_who_follows_a_run_at_its_old_owner_sees_it_go_on_after_a_takeover(tmp_path: Path) -> None:
    async def ask(data: int, ctx: StepContext) -> int:
        return await ctx.ask("?", int)

    workflow = create_workflow(id="w").then(create_step(id="ask", execute=ask)).commit()
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with Engine([workflow], store=store) as old, Engine([workflow], store=store) as new:
        run = await launch(old, "w", 1)

        async def follow() -> list[str]:
            return [event.type async for event in run.events()]

        following = asyncio.create_task(follow())
        await new.take_over(run.run_id)
        assert (await (await new.get_run(run.run_id)).resume(5)).status == "success"
        assert (await asyncio.wait_for(following, SOON))[-2:] == ["step.succeeded", "run.succeeded"]
        assert old.live(run.run_id) is None
        assert (await run.result()).result == 5


async def test_what_stopped_a_run_is_what_everybody_is_told(tmp_path: Path) -> None:
    """A disk that takes no more is no takeover."""

    class FullStore(SqliteStore):
        """It takes nothing from some moment on."""

        full = False

        async def append(self, *args: Any, **options: Any) -> None:
            """Write, while there is room."""
            if self.full:
                raise StoreError("no space is left")
            await super().append(*args, **options)

    entered, go = asyncio.Event(), asyncio.Event()

    async def hold(data: int) -> int:
        entered.set()
        await go.wait()
        return data

    workflow = create_workflow(id="w").then(create_step(id="hold", execute=hold)).commit()
    store = FullStore(tmp_path / "runs.db")
    async with Engine([workflow], store=store) as engine:
        run = await engine.create_run("w")
        waiting = asyncio.create_task(run.start(1))
        await entered.wait()
        store.full = True
        go.set()
        for told in (waiting, run.wait(SOON)):
            with pytest.raises(StoreError, match="no space is left"):
                await told
        why = engine.lost(run.run_id)  # and nothing of the run is kept by it
        assert isinstance(why, StoreError)
        assert (str(why), why.__traceback__, why.__context__) == ("no space is left", None, None)
        store.full = False
        assert (await run.result()).status == "running"


async def test_pruning_by_status_removes_those_and_no_others(open_engine: OpenEngine) -> None:
    engine = await open_engine(
        create_workflow(id="good").then(add("a")).commit(),
        create_workflow(id="bad").then(create_step(id="b", execute=_fail)).commit(),
    )
    for n in range(130):
        await launch(engine, "good" if n % 2 else "bad", {"n": n})
    assert await engine.prune(older_than=timedelta(0), status="failed") == 65
    assert await engine.counts() == {"success": 65}
    assert await engine.prune(older_than=timedelta(0), status="failed") == 0
    assert await engine.prune(older_than=timedelta(hours=1)) == 0
    assert await engine.prune(older_than=timedelta(0)) == 65


async def _fail() -> None:
    raise ValueError("no")
