"""What the log says of an error: with the variables of the user's code, if the engine was told to keep them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.cells import Cell, Site
from engine.error_locals import user_frames
from engine.failures import describe
from engine.values import Value

if TYPE_CHECKING:
    from engine.host import Host
    from engine.state import RunState


def error_record(run: Host, error: BaseException, at: Cell | Site) -> dict[str, Any]:
    """An error of a step, or of a function that belongs to one, as plain JSON. Never raises."""
    made = describe(error, step=at.path)
    if run.home.locals_in_errors:
        secrets = (secret for value in _holed(run.state) for secret in value.secrets())
        function = getattr(at.node, "fn", None)
        frames = user_frames(error, function=function, secrets=secrets if run.holds_secrets else ())
        if frames:
            made["frames"] = frames
    return made


def _holed(state: RunState) -> Iterator[Value]:
    """The values of a run that have secrets which the store has not."""
    for cell in (state.frame, *state.cells.values()):
        answer = () if cell.resumed is None else cell.resumed[:1]
        for value in (cell.input, cell.output, *answer, *(cell.answers or {}).values()):
            if value is not None and value.holes:
                yield value
