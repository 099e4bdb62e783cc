"""A JSON value as a tree of short lines, for ``macros/json.html``: folded where it is long, cut where it is endless."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

Kind = Literal["text", "number", "word", "list", "object"]

MOST_LINES = 1_500
MOST_CHILDREN = 200
LONG_TEXT = 300
MOST_TEXT = 20_000
ONE_LINE = 64
OPEN_LINES = 40
DEEPEST = 40


@dataclass(frozen=True, slots=True)
class JsonView:
    """A value to show.

    ``text`` is the whole of a scalar, or of a container short enough for one line (then ``parts`` are its words).
    ``note`` says how long it is and what is left out.
    """

    kind: Kind
    key: str | None = None
    text: str = ""
    note: str = ""
    children: tuple[JsonView, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()
    is_long: bool = False
    is_open: bool = True
    cut: str = ""


@dataclass(slots=True)
class _Budget:
    """How many lines may still be shown."""

    lines: int = MOST_LINES


def json_view(value: Any) -> JsonView:
    """``value``, anything that JSON can hold, as a tree; other values are shown as their text."""
    return _view(value, None, 0, _Budget())


def _view(value: Any, key: str | None, depth: int, budget: _Budget) -> JsonView:
    budget.lines -= 1
    if isinstance(value, Mapping | list | tuple):
        return _container(value, key, depth, budget)
    kind, text = _scalar(value)
    if kind != "text" or len(text) <= LONG_TEXT:
        return JsonView(kind, key, text)
    cut = f"{len(text) - MOST_TEXT:,} more characters" if len(text) > MOST_TEXT else ""
    return JsonView(kind, key, text[:MOST_TEXT], f"{len(value):,} characters", is_long=True, is_open=False, cut=cut)


def _container(value: Mapping[Any, Any] | Sequence[Any], key: str | None, depth: int, budget: _Budget) -> JsonView:
    kind: Kind = "object" if isinstance(value, Mapping) else "list"
    parts = tuple(_one_line(value))
    if parts:
        return JsonView(kind, key, "".join(text for _, text in parts), parts=parts)
    word = ("key", "keys") if kind == "object" else ("item", "items")
    note = f"{len(value):,} {word[len(value) != 1]}"
    if depth >= DEEPEST:
        return JsonView(kind, key, note=note, is_open=False, cut="too deep to show here")
    before = budget.lines
    children = []
    for name, child in islice(_items(value), MOST_CHILDREN):
        if budget.lines <= 0:
            break
        children.append(_view(child, name, depth + 1, budget))
    left = len(value) - len(children)
    return JsonView(
        kind,
        key,
        note=note,
        children=tuple(children),
        is_open=depth == 0 or before - budget.lines <= OPEN_LINES // depth,
        cut=f"{left:,} more" if left else "",
    )


def _items(value: Mapping[Any, Any] | Sequence[Any]) -> Iterator[tuple[str | None, Any]]:
    if isinstance(value, Mapping):
        yield from ((_quoted(str(name)), child) for name, child in value.items())
    else:
        yield from ((None, child) for child in value)


def _one_line(value: Mapping[Any, Any] | Sequence[Any]) -> Iterator[tuple[str, str]]:
    """The words of a short list or object of scalars, each with its class; nothing if it is not short."""
    scalars = list(islice(_items(value), 9))
    if len(scalars) > 8 or any(isinstance(child, Mapping | list | tuple) and child for _, child in scalars):
        return
    opens, closes = ("{", "}") if isinstance(value, Mapping) else ("[", "]")
    words: list[tuple[str, str]] = [("", opens)]
    for number, (name, child) in enumerate(scalars):
        words.append(("", ", " if number else ""))
        if name is not None:
            words += [("key", name), ("", ": ")]
        empty = isinstance(child, Mapping | list | tuple)
        words.append(("", "{}" if isinstance(child, Mapping) else "[]") if empty else _scalar(child))
    words.append(("", closes))
    if sum(len(text) for _, text in words) <= ONE_LINE:
        yield from (word for word in words if word[1])


def _scalar(value: Any) -> tuple[Kind, str]:
    if value is None or isinstance(value, bool):
        return "word", {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return "number", _number(value)
    return "text", _quoted(value if isinstance(value, str) else str(value))


def _number(value: float) -> str:
    try:
        return repr(value)
    except ValueError:  # more digits than Python writes out
        return f"{'-' * (value < 0)}0x{abs(int(value)):x}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
