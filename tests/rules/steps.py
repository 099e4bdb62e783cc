"""Steps that several tests of the rules use."""

from __future__ import annotations

from collections import Counter
from typing import Any

from engine import Step, StepContext, create_step


class Counted:
    """Steps that count how often they run, by path."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def add(self, id: str, amount: int = 1, **options: Any) -> Step[Any, Any]:
        async def execute(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
            self.calls[ctx.path] += 1
            return {"n": data["n"] + amount}

        return create_step(id=id, execute=execute, **options)

    def ask(self, id: str) -> Step[Any, Any]:
        async def execute(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
            self.calls[ctx.path] += 1
            return {"n": data["n"] + await ctx.ask(f"{ctx.path}?", int)}

        return create_step(id=id, execute=execute)

    def taken(self) -> dict[str, int]:
        """The calls since the last look."""
        seen, self.calls = dict(self.calls), Counter()
        return seen
