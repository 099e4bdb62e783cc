"""pydantic-graph."""

from __future__ import annotations

import itertools
from typing import Any

from tests.benchmarks.peers import Peer, need
from tests.benchmarks.workloads import Library, Number


class Contender(Peer):
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
