"""llama-index-workflows."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks.peers import Peer, need
from tests.benchmarks.workloads import Document


class Contender(Peer):
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
