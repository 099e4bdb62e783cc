"""How a step leaves early: control flow that is no failure."""

from __future__ import annotations

from typing import Any

from engine.schema import Schema


class _NotGiven:
    def __repr__(self) -> str:
        return "<none>"


NOT_GIVEN: Any = _NotGiven()
"""A default that was not given; ``None`` is one that was."""


class Signal(BaseException):
    """Control flow out of a step. Not an ``Exception``, so that a step's own ``except Exception`` lets it pass."""


class SuspendSignal(Signal):
    """The step stops here and asks."""

    def __init__(
        self,
        payload: Any,
        *,
        label: str | None,
        title: str | None,
        expires_in: float | None,
        default: Any,
        ordinal: int | None = None,
        schema: Schema | None = None,
    ) -> None:
        super().__init__("the step has been suspended")
        self.payload = payload
        self.label = label
        self.title = title
        self.expires_in = expires_in
        self.default = default
        self.ordinal = ordinal
        self.schema = schema


class BailSignal(Signal):
    """The step ends its workflow with a result."""

    def __init__(self, value: Any) -> None:
        super().__init__("the step has ended its workflow")
        self.value = value


class AbortSignal(Signal):
    """The step cancels its run."""

    def __init__(self, reason: str | None) -> None:
        super().__init__("the step has cancelled its run")
        self.reason = reason
