"""Burr."""

from __future__ import annotations

import itertools
from typing import Any

from tests.benchmarks.peers import Peer, need


class Contender(Peer):
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
