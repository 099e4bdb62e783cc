"""LangGraph."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from pydantic import BaseModel

from tests.benchmarks.peers import Peer, need
from tests.benchmarks.workloads import Library, Number, Workload


class Gathered(BaseModel):
    """LangGraph's state where branches add to one list."""

    n: int = 0
    items: list[int] = []
    made: Annotated[list[int], operator.add] = []


class Contender(Peer):
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
