"""Public methods may be awaited from any event loop; user code stays on the loop that opened the engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from engine import Engine, EngineError, Event, RunInfo, StepContext, create_step, create_workflow
from tests.fixtures import OpenEngine, add, launch

T = TypeVar("T")


async def elsewhere(work: Callable[[], Awaitable[T]]) -> T:
    """Await something on a loop of its own in another thread."""

    async def there() -> T:
        return await work()

    return await asyncio.to_thread(lambda: asyncio.run(there()))


async def approve(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask("Sure?")


async def test_a_run_is_made_started_and_looked_at_from_another_loop(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))

    async def use() -> Any:
        run = await engine.create_run("flow")
        result = await run.start({"n": 1})
        found = await engine.get_run(run.run_id)
        rows = (await engine.list_runs()).items
        events = [event.type async for event in found.events()]
        return [result.result, (await found.result()).status, (await found.wait()).status, len(rows), events[-1]]

    assert await elsewhere(use) == [{"n": 2}, "success", "success", 1, "run.succeeded"]


async def test_user_code_stays_on_the_loop_that_opened_the_engine(open_engine: OpenEngine) -> None:
    where: dict[str, tuple[Any, int]] = {}
    finished = asyncio.Event()

    def note(name: str) -> None:
        where[name] = (asyncio.get_running_loop(), threading.get_ident())

    async def work(data: Any) -> Any:
        note("step")
        return data

    def condition(data: Any) -> bool:
        note("condition")
        return True

    def mapped(data: Any) -> Any:
        note("map")
        return data["work"]

    async def start(info: RunInfo) -> None:
        note("on_start")

    def finish(info: RunInfo) -> None:
        note("on_finish")
        finished.set()

    flow = (
        create_workflow(id="flow", on_start=start, on_finish=finish)
        .branch([(condition, create_step(id="work", execute=work))])
        .map(mapped)
    )
    engine = await open_engine(flow)

    async def use() -> Any:
        return (await (await engine.create_run("flow")).start(1)).result

    assert await elsewhere(use) == 1
    await finished.wait()
    home = (asyncio.get_running_loop(), threading.get_ident())
    assert where == dict.fromkeys(["step", "condition", "map", "on_start", "on_finish"], home)


async def test_answers_cancels_and_events_come_from_any_loop(open_engine: OpenEngine) -> None:
    engine = await open_engine(
        create_workflow(id="ask").then(create_step(id="a", execute=approve)),
        create_workflow(id="wait").wait_for_event("go"),
    )
    asked, stopped = await launch(engine, "ask"), await launch(engine, "ask")
    waiting = await engine.create_run("wait")
    await waiting.start_soon()

    async def use() -> Any:
        found = (await engine.suspensions(asked.run_id)).items
        answered = await asked.resume("yes", suspension=found[0])
        canceled = await stopped.cancel()
        await engine.send_event(waiting.run_id, "go", 5)
        return [answered.result, canceled, (await waiting.wait()).result]

    assert await elsewhere(use) == ["yes", True, 5]


async def test_the_debugger_forks_and_reruns_from_any_loop(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")).then(add("b")))

    async def use() -> Any:
        run = await engine.create_run("flow")
        await run.start({"n": 0}, paused=True)
        await run.set_breakpoints(["b"])
        await run.proceed()
        paused = (await run.wait()).status
        await run.step()
        ended = (await run.wait()).result
        forked = await (await run.fork("b", input={"n": 10})).wait()
        again = await run.rerun()
        return [paused, ended, forked.result, (await again.wait()).result]

    assert await elsewhere(use) == ["paused", {"n": 2}, {"n": 11}, {"n": 2}]


async def test_a_stream_and_a_watch_on_another_loop(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="flow").then(add("a")))

    async def use() -> Any:
        run = await engine.create_run("flow")
        seen: list[str] = []
        threads: set[int] = set()
        done = asyncio.Event()

        def callback(event: Event) -> None:
            seen.append(event.type)
            threads.add(threading.get_ident())
            if event.type == "run.succeeded":
                done.set()

        run.watch(callback)
        stream = run.stream({"n": 1})
        streamed = [event.type async for event in stream]
        await done.wait()
        return [streamed[1:] == seen, seen[-1], threads == {threading.get_ident()}, (await stream.result()).result]

    assert await elsewhere(use) == [True, "run.succeeded", True, {"n": 2}]


async def test_following_live_from_another_loop_sees_each_event_once(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="ask").then(create_step(id="a", execute=approve)))
    run = await launch(engine, "ask")
    joined = threading.Event()

    async def follow() -> list[int]:
        seen = []
        async for event in run.events():
            seen.append(event.seq)
            if event.type == "run.suspended":
                joined.set()
        return seen

    following = asyncio.create_task(elsewhere(follow))
    await asyncio.to_thread(joined.wait)
    await run.resume("yes")
    whole = [event.seq async for event in run.events(follow=False)]
    assert await following == whole


async def test_many_threads_start_and_answer_runs_at_once(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="ask").then(create_step(id="a", execute=approve)))

    async def use() -> Any:
        runs = [await engine.create_run("ask") for _ in range(5)]
        await asyncio.gather(*(run.start() for run in runs))
        return [result.result for result in await asyncio.gather(*(run.resume(n) for n, run in enumerate(runs)))]

    assert await asyncio.gather(*(elsewhere(use) for _ in range(4))) == [list(range(5))] * 4


async def test_of_answers_from_many_loops_one_wins(open_engine: OpenEngine) -> None:
    engine = await open_engine(create_workflow(id="ask").then(create_step(id="a", execute=approve)))
    run = await launch(engine, "ask")

    async def use() -> str:
        try:
            return (await run.resume("yes")).status
        except EngineError as error:
            return type(error).__name__

    made = await asyncio.gather(*(elsewhere(use) for _ in range(4)))
    assert sorted(made) == [*["AlreadyResumed"] * 3, "success"]


async def test_a_sync_step_may_use_the_engine_from_its_thread(open_engine: OpenEngine) -> None:
    def nested(data: Any, ctx: StepContext) -> Any:
        async def use() -> Any:
            run = await ctx.engine.create_run("inner")
            return (await run.start(data)).result

        return asyncio.run(use())

    engine: Engine = await open_engine(
        create_workflow(id="inner").then(add("a")),
        create_workflow(id="outer").then(create_step(id="nested", execute=nested)),
    )
    assert (await (await launch(engine, "outer", {"n": 1})).result()).result == {"n": 2}
