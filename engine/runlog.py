"""The logger of a step: to the run's log, and to Python's logging."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from engine.redaction import learn, redacted_text

if TYPE_CHECKING:
    from engine.cells import Cell
    from engine.host import Host

_logger = logging.getLogger("engine.run")
MOST_LOOKED_AT = 64 * 1024
"""Bytes of a step's input in which secrets are looked for when it logs."""

MAX_LINE = 10_000
"""Characters of a log line that are kept in the run's log."""


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """``ctx.logger``: what is logged becomes a ``log`` event of the step, too. Usable from worker threads."""

    def __init__(self, executor: Host, cell: Cell) -> None:
        super().__init__(_logger, {"run_id": executor.run_id, "path": cell.path})
        self._executor = executor
        self._cell = cell

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        text = str(msg)
        if args:
            try:
                text = text % (args[0] if len(args) == 1 and isinstance(args[0], dict) else args)
            except (TypeError, ValueError, KeyError):
                text = f"{text} {args!r}"
        self._learn()
        shown = redacted_text(text)
        if shown == text:
            super().log(level, msg, *args, **kwargs)
        else:  # the run's log keeps what was said; what others read does not
            super().log(level, "%s", shown, **kwargs)
        executor, path = self._executor, self._cell.path
        name = logging.getLevelName(level).lower()
        if executor.home.is_home:  # at once, so that it stands before the outcome of the step that says it
            executor.note(path, name, text[:MAX_LINE])
        else:
            executor.home.on_loop(lambda: executor.note(path, name, text[:MAX_LINE]))

    def _learn(self) -> None:
        """Know the secrets that the step was given before it says one."""
        given = self._cell.input
        if len(given.raw) <= MOST_LOOKED_AT:
            learn(given.plain())

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs
