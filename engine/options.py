"""Options that a call does not have: what was meant instead."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

_MEANT = {
    "retries": "retry=RetryPolicy(attempts={value!r})",
    "max_retries": "retry=RetryPolicy(attempts={value!r})",
    "attempts": "retry=RetryPolicy(attempts={value!r})",
    "name": "id",
    "schema": "input_schema",
    "input": "input_schema",
    "output": "output_schema",
    "state": "state_schema",
    "timeout_seconds": "timeout",
}
"""What people write who know other engines -> what it is called here."""


def check_options(call: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Raises ``TypeError`` for the first option that ``call`` does not have, with the one that was probably meant."""
    for name in given:
        if name not in known:
            raise TypeError(f"{call} has no {name!r}; {_hint(name, given[name], known)}")


def _hint(name: str, value: Any, known: Collection[str]) -> str:
    meant = _MEANT.get(name, "")
    if meant and meant.partition("=")[0] in known:
        return f"did you mean {meant.format(value=value)}?"
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(known))}"
