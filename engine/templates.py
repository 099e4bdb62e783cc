"""Templates: text with placeholders such as ``${steps.fetch.city}``; ``$${`` stands for ``${`` itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from pydantic_core import from_json, to_json

from engine.errors import ExpressionError
from engine.paths import Lookup, Step, resolve, split_path

ROOTS = frozenset({"init", "steps", "state", "context", "value", "iteration"})
_MAX_LENGTH = 1_000_000

_Placeholder = tuple[str, tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. ``names`` are the paths it reads, up to the first index."""

    text: str
    names: frozenset[tuple[str, ...]] = field(compare=False)
    parts: tuple[str | _Placeholder, ...] = field(compare=False, repr=False)

    def render(self, lookup: Lookup) -> str:
        """The text with its placeholders filled: text as it is, ``None`` as nothing, objects as compact JSON.

        ``lookup(name)`` gives what a root stands for. Raises :class:`MissingPath` for a path that leads nowhere.
        """
        return "".join(part if isinstance(part, str) else _show(resolve(lookup, *part)) for part in self.parts)


@lru_cache(maxsize=1024)
def parse_template(text: str) -> Template:
    """Parse a template. Raises :class:`ExpressionError` with the position for a placeholder that can't be read."""
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"the template has {len(text):,} characters; at most {_MAX_LENGTH:,} are read")
    parts: list[str | _Placeholder] = []
    at = 0
    while (start := text.find("${", at)) >= 0:
        if start > at and text[start - 1] == "$":
            parts.append(text[at : start - 1] + "${")
            at = start + 2
            continue
        end = text.find("}", start)
        if end < 0:
            raise ExpressionError(
                f"the placeholder {text[start : start + 30]!r} is not closed: add a }}", position=start
            )
        parts += [text[at:start], _placeholder(text[start + 2 : end], start)]
        at = end + 1
    parts.append(text[at:])
    names = frozenset(_name(part) for part in parts if not isinstance(part, str))
    return Template(text, names, tuple(part for part in parts if part != ""))


def _placeholder(inner: str, at: int) -> _Placeholder:
    path = inner.strip()
    if not path:
        raise ExpressionError("a placeholder is empty: write ${init.field}, or $${ for the characters", position=at)
    try:
        root, *steps = split_path(path)
    except (ExpressionError, ValueError) as error:
        raise ExpressionError(f"the placeholder ${{{inner}}} can't be read: {error}", position=at) from None
    if root not in ROOTS:
        known = ", ".join(sorted(ROOTS))
        raise ExpressionError(
            f"the placeholder ${{{inner}}} starts with {root!r}; it can start with {known}", position=at
        )
    return str(root), tuple(steps)


def _name(part: _Placeholder) -> tuple[str, ...]:
    root, steps = part
    leading = next((n for n, step in enumerate(steps) if isinstance(step, int)), len(steps))
    return (root, *(str(step) for step in steps[:leading]))


def _show(value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        data = to_json(value, bytes_mode="base64", fallback=str)
    except ValueError:  # text with lone surrogates, or a value that contains itself
        return str(value)
    shown = from_json(data) if data.startswith(b'"') else data.decode()
    return str(shown)
