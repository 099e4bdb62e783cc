"""Other engines, each as its own documentation has it; only those that the interpreter can import take part.

What they promise differs: some check no value, and a store may be written after the step that follows has begun.
"""

from __future__ import annotations

import importlib
import itertools
import operator
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel

from tests.benchmarks.workloads import Document, Library, Number, Workload, given

PEERS = {
    "langgraph": "langgraph.graph",
    "langgraph-sqlite": "langgraph.checkpoint.sqlite.aio",
    "burr": "burr.core",
    "burr-sqlite": "burr.integrations.persisters.b_aiosqlite",
    "pydantic-graph": "pydantic_graph",
    "llama-index": "workflows",
}
"""The contenders and the module that each needs."""


def make(kind: str, *, stored: bool) -> Any:
    """The peer of a name."""
    return {"langgraph": LangGraph, "burr": Burr, "pydantic-graph": PydanticGraph, "llama-index": LlamaIndex}[kind](
        stored
    )


def need(module: str) -> Any:
    """A peer's module. Raises ``NotImplementedError`` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotImplementedError(f"absent: {error}") from None


class Peer:
    """What the peers share: a counter for the names of runs, and nothing to tidy."""

    def __init__(self, stored: bool) -> None:
        self.stored = stored
        self.names = map("run-{}".format, itertools.count())
        self.closing: Callable[[], Awaitable[Any]] | None = None

    async def open(self, workload: Workload, folder: Path) -> None:
        """Build the graph and open the store."""
        if workload.shape == "approval" and not self.stored:
            raise NotImplementedError("a run that waits needs a store")
        self.workload, self.input, self.folder = workload, given(workload), folder
        await self.prepare()

    async def prepare(self) -> None:
        """Build what :meth:`run` uses."""
        raise NotImplementedError

    async def tidy(self) -> None:
        """Keep what is kept."""

    async def close(self) -> None:
        """Close the store."""
        if self.closing is not None:
            await self.closing()


class Gathered(BaseModel):
    """LangGraph's state where branches add to one list."""

    n: int = 0
    items: list[int] = []
    made: Annotated[list[int], operator.add] = []


class LangGraph(Peer):
    """A state graph with a pydantic state; its SQLite saver as it comes."""

    async def prepare(self) -> None:
        graphs, self.types = need("langgraph.graph"), need("langgraph.types")
        saver = None
        if self.stored:
            manager = need("langgraph.checkpoint.sqlite.aio").AsyncSqliteSaver.from_conn_string(
                str(self.folder / "peer.db")
            )
            saver = await manager.__aenter__()
            self.closing = lambda: manager.__aexit__(None, None, None)
        self.start, self.end = graphs.START, graphs.END
        shape = self.workload.shape
        kind = Library if self.workload.documents else Gathered if shape in ("parallel", "foreach") else Number
        graph = graphs.StateGraph(kind)
        getattr(self, f"build_{shape}")(graph)
        self.graph = graph.compile(checkpointer=saver)

    def build_chain(self, graph: Any) -> None:
        names = [f"s{i}" for i in range(self.workload.steps)]
        graph.add_sequence([(name, _field_step(self.workload)) for name in names])
        graph.add_edge(self.start, names[0])
        graph.add_edge(names[-1], self.end)

    def build_loop(self, graph: Any) -> None:
        graph.add_node("s", _field_step(self.workload))
        graph.add_edge(self.start, "s")
        graph.add_conditional_edges("s", lambda state: "s" if state.n < self.workload.steps else self.end)

    def build_parallel(self, graph: Any) -> None:
        async def arm(state: Gathered) -> dict[str, Any]:
            return {"made": [state.n + 1]}

        self.add_total(graph)
        names = [f"s{i}" for i in range(self.workload.steps)]
        for name in names:
            graph.add_node(name, arm)
            graph.add_edge(self.start, name)
        graph.add_edge(names, "total")

    def build_foreach(self, graph: Any) -> None:
        async def item(data: Number) -> dict[str, Any]:
            return {"made": [data.n + 1]}

        self.add_total(graph)
        graph.add_node("item", item, input_schema=Number)
        send = self.types.Send
        graph.add_conditional_edges(
            self.start, lambda state: [send("item", Number(n=n)) for n in state.items], ["item"]
        )
        graph.add_edge("item", "total")

    def add_total(self, graph: Any) -> None:
        """The node that adds up what the others made."""

        async def total(state: Gathered) -> dict[str, Any]:
            return {"n": sum(state.made)}

        graph.add_node("total", total)
        graph.add_edge("total", self.end)

    def build_approval(self, graph: Any) -> None:
        async def ask(state: Number) -> dict[str, Any]:
            return {"n": state.n + int(self.types.interrupt({"question": "Go on?"}))}

        graph.add_node("ask", ask)
        graph.add_edge(self.start, "ask")
        graph.add_edge("ask", self.end)

    async def run(self) -> int:
        """One run."""
        config: dict[str, Any] = {"recursion_limit": 100_000, "configurable": {"thread_id": next(self.names)}}
        if self.workload.window:
            config["max_concurrency"] = self.workload.window
        data = {"items": [item["n"] for item in self.input]} if self.workload.shape == "foreach" else self.input
        made = await self.graph.ainvoke(data, config)
        if self.workload.shape == "approval":
            made = await self.graph.ainvoke(self.types.Command(resume=True), config)
        return int(made["n"])


def _field_step(workload: Workload) -> Any:
    async def add(state: Number) -> dict[str, Any]:
        return {"n": state.n + 1}

    async def pass_on(state: Library) -> dict[str, Any]:
        return {"n": state.n + workload.changing, "documents": state.documents}

    return pass_on if workload.documents else add


class Burr(Peer):
    """An application over a shared graph; its SQLite persister as it comes. It checks no values."""

    async def prepare(self) -> None:
        self.core = need("burr.core")
        self.saver = None
        if self.stored:
            persister = need("burr.integrations.persisters.b_aiosqlite").AsyncSQLitePersister
            self.saver = await persister.from_values(db_path=str(self.folder / "peer.db"))
            await self.saver.initialize()
            self.closing = self.saver.cleanup
        self.graph, self.first, self.last = getattr(self, f"build_{self.workload.shape}")()

    def action(self) -> Any:
        """A step that adds one."""
        names = ["n", "documents"] if self.workload.documents else ["n"]

        @self.core.action(reads=names, writes=names)
        async def add(state: Any) -> Any:
            changed = {name: state[name] for name in names}
            return state.update(**{**changed, "n": state["n"] + self.workload.changing})

        return add

    def build_chain(self) -> Any:
        names = [f"s{i}" for i in range(self.workload.steps)]
        graph = self.core.GraphBuilder().with_actions(**{name: self.action() for name in names})
        return graph.with_transitions(*itertools.pairwise(names)).build(), names[0], names[-1]

    def build_loop(self) -> Any:
        @self.core.action(reads=["n"], writes=["n"])
        async def done(state: Any) -> Any:
            return state

        graph = self.core.GraphBuilder().with_actions(s=self.action(), done=done)
        again = self.core.expr(f"n < {self.workload.steps}")
        return graph.with_transitions(("s", "s", again), ("s", "done")).build(), "s", "done"

    def build_parallel(self) -> Any:
        step = self.action()

        class Spread(need("burr.core.parallelism").MapStates):  # type: ignore[misc] # known at run time only
            reads = ["items"]  # noqa: RUF012
            writes = ["n"]  # noqa: RUF012

            def is_async(self) -> bool:
                return True

            def action(self, *_: Any) -> Any:
                return step

            async def states(self, state: Any, *_: Any) -> Any:
                for n in state["items"]:
                    yield state.update(n=n)

            async def reduce(self, state: Any, states: Any) -> Any:
                return state.update(n=sum([one["n"] async for one in states]))

        return self.core.GraphBuilder().with_actions(spread=Spread()).build(), "spread", "spread"

    build_foreach = build_parallel

    def build_approval(self) -> Any:
        @self.core.action(reads=["n"], writes=["n"])
        async def ask(state: Any) -> Any:
            return state

        @self.core.action(reads=["n"], writes=["n"])
        async def answer(state: Any, go_on: bool) -> Any:
            return state.update(n=state["n"] + go_on)

        graph = self.core.GraphBuilder().with_actions(ask=ask, answer=answer)
        return graph.with_transitions(("ask", "answer")).build(), "ask", "answer"

    async def run(self) -> int:
        """One run."""
        name = next(self.names)
        begin = self.application(name).with_state(**self.state()).with_entrypoint(self.first)
        if self.workload.shape == "approval":
            await (await begin.abuild()).arun(halt_before=[self.last])
            begin = self.application(name).initialize_from(
                self.saver, resume_at_next_action=True, default_state={"n": 0}, default_entrypoint=self.first
            )
            state = (await (await begin.abuild()).arun(halt_after=[self.last], inputs={"go_on": True}))[2]
        else:
            state = (await (await begin.abuild()).arun(halt_after=[self.last]))[2]
        return int(state["n"])

    def application(self, name: str) -> Any:
        """The builder of one run."""
        builder = self.core.ApplicationBuilder().with_graph(self.graph).with_identifiers(app_id=name)
        return builder.with_state_persister(self.saver) if self.saver is not None else builder

    def state(self) -> dict[str, Any]:
        """What a run begins with."""
        match self.workload.shape:
            case "foreach":
                return {"n": 0, "items": [item["n"] for item in self.input]}
            case "parallel":
                return {"n": 0, "items": [0] * self.workload.steps}
            case _:
                return dict(self.input)


class PydanticGraph(Peer):
    """A graph of typed steps. It keeps nothing and checks no values when it runs."""

    async def prepare(self) -> None:
        self.module = need("pydantic_graph")
        workload = self.workload
        kind: Any = Library if workload.documents else Number
        self.data: Any = [Number(**item) for item in self.input] if workload.shape == "foreach" else kind(**self.input)
        graph = self.module.GraphBuilder(name=workload.key, input_type=type(self.data), output_type=int)
        getattr(self, f"build_{workload.shape}")(graph)
        self.graph = graph.build()

    def step(self, graph: Any, name: str, *, bare: bool = False) -> Any:
        """A step that adds one; ``bare``: it gives the number itself."""
        workload = self.workload

        async def add(ctx: Any) -> Any:
            made = Number(n=ctx.inputs.n + 1)
            return made.n if bare else made

        async def pass_on(ctx: Any) -> Any:
            if not workload.changing:
                return ctx.inputs
            return Library.model_construct(n=ctx.inputs.n + 1, documents=ctx.inputs.documents)

        return graph.step(pass_on if workload.documents else add, node_id=name)

    def value(self, graph: Any) -> Any:
        """The step that gives the number of the last one."""

        async def value(ctx: Any) -> int:
            return int(ctx.inputs.n)

        return graph.step(value, node_id="value")

    def build_chain(self, graph: Any) -> None:
        steps = [self.step(graph, f"s{i}") for i in range(self.workload.steps)]
        nodes = [graph.start_node, *steps, self.value(graph), graph.end_node]
        graph.add(*(graph.edge_from(one).to(other) for one, other in itertools.pairwise(nodes)))

    def build_loop(self, graph: Any) -> None:
        step, value, steps = self.step(graph, "s"), self.value(graph), self.workload.steps
        again = graph.match(Number, matches=lambda made: made.n < steps).to(step)
        graph.add(
            graph.edge_from(graph.start_node).to(step),
            graph.edge_from(step).to(graph.decision().branch(again).branch(graph.match(Number).to(value))),
            graph.edge_from(value).to(graph.end_node),
        )

    def build_parallel(self, graph: Any) -> None:
        total = graph.join(self.module.reduce_sum, initial=0)
        arms = [self.step(graph, f"s{i}", bare=True) for i in range(self.workload.steps)]
        graph.add(
            graph.edge_from(graph.start_node).to(*arms),
            graph.edge_from(*arms).to(total),
            graph.edge_from(total).to(graph.end_node),
        )

    def build_foreach(self, graph: Any) -> None:
        total = graph.join(self.module.reduce_sum, initial=0)
        step = self.step(graph, "s", bare=True)
        graph.add(
            graph.edge_from(graph.start_node).map().to(step),
            graph.edge_from(step).to(total),
            graph.edge_from(total).to(graph.end_node),
        )

    async def run(self) -> int:
        """One run."""
        return int(await self.graph.run(inputs=self.data))


class LlamaIndex(Peer):
    """Steps routed by the class of the event they take. It keeps nothing by itself; events are checked when made."""

    async def prepare(self) -> None:
        self.module, self.events = need("workflows"), need("workflows.events")
        shape = self.workload.shape
        if shape in ("parallel", "foreach"):
            self.begin, methods = self.spread()
        else:
            self.begin, methods = self.loop() if shape == "loop" else self.chain()
        self.flow = type("Flow", (self.module.Workflow,), methods)(timeout=None)

    def kind(self, name: str, base: Any, **fields: Any) -> Any:
        """An event class."""
        return type(name, (base,), {"__annotations__": fields, "__module__": __name__})

    def method(self, function: Callable[..., Any], name: str, takes: Any, gives: Any, **options: Any) -> Any:
        """A step: it is found by what its annotations say."""
        function.__name__, function.__qualname__ = (
            name,
            f"Flow.{name}",
        )  # a plain function would be another kind of step
        function.__annotations__ = {"ev": takes, "return": gives}
        if "ctx" in function.__code__.co_varnames:
            function.__annotations__["ctx"] = self.module.Context
        return self.module.step(**options)(function) if options else self.module.step(function)

    def chain(self) -> tuple[Any, dict[str, Any]]:
        """One event class and one method for each step."""
        workload, events = self.workload, self.events
        fields = {"n": int, "documents": list[Document]} if workload.documents else {"n": int}
        kinds = [self.kind("Begin", events.StartEvent, **fields)]
        kinds += [self.kind(f"Made{i}", events.Event, **fields) for i in range(1, workload.steps)]
        methods = {}
        for i, (takes, gives) in enumerate(itertools.pairwise([*kinds, events.StopEvent])):
            methods[f"s{i}"] = self.method(self.link(gives), f"s{i}", takes, gives)
        return kinds[0], methods

    def link(self, gives: Any) -> Callable[..., Awaitable[Any]]:
        """The function of one step of a chain."""
        workload, stop = self.workload, self.events.StopEvent

        async def add(self: Any, ev: Any) -> Any:
            n = ev.n + workload.changing
            if gives is stop:
                return gives(result=n)
            return gives(n=n, documents=ev.documents) if workload.documents else gives(n=n)

        return add

    def loop(self) -> tuple[Any, dict[str, Any]]:
        """One method that takes what it gave."""
        steps, stop = self.workload.steps, self.events.StopEvent
        begin, made = self.kind("Begin", self.events.StartEvent, n=int), self.kind("Made", self.events.Event, n=int)

        async def first(self: Any, ev: Any) -> Any:
            return made(n=ev.n)

        async def again(self: Any, ev: Any) -> Any:
            return made(n=ev.n + 1) if ev.n + 1 < steps else stop(result=ev.n + 1)

        return begin, {
            "first": self.method(first, "first", begin, made),
            "again": self.method(again, "again", made, made | stop),
        }

    def spread(self) -> tuple[Any, dict[str, Any]]:
        """One event for each item, collected in the end."""
        count, events = self.workload.steps, self.events
        begin = self.kind("Begin", events.StartEvent, items=list[int])
        item, made = self.kind("Item", events.Event, n=int), self.kind("Made", events.Event, n=int)

        async def split(self: Any, ctx: Any, ev: Any) -> Any:
            for n in ev.items:
                ctx.send_event(item(n=n))

        async def each(self: Any, ev: Any) -> Any:
            return made(n=ev.n + 1)

        async def total(self: Any, ctx: Any, ev: Any) -> Any:
            found = ctx.collect_events(ev, [made] * count)
            return None if found is None else events.StopEvent(result=sum(one.n for one in found))

        workers = self.workload.window or count
        return begin, {
            "split": self.method(split, "split", begin, item | None),
            "each": self.method(each, "each", item, made, num_workers=workers),
            "total": self.method(total, "total", made, events.StopEvent | None),
        }

    async def run(self) -> int:
        """One run."""
        match self.workload.shape:
            case "foreach":
                data: dict[str, Any] = {"items": [item["n"] for item in self.input]}
            case "parallel":
                data = {"items": [0] * self.workload.steps}
            case _:
                data = self.input
        return int(await self.flow.run(start_event=self.begin(**data)))
