"""The engine's refusals, beside the fields they are about."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine import DataError, DataFault
from studio.forms.nodes import Constant, Dict, Group, List, Node, Object, Text, Union, child
from studio.forms.paths import dotted, join, unescape
from studio.forms.typed import Typed, at, chosen, count

_GOT = re.compile(r" \(got .*\)$", re.DOTALL)
_COUNTED = re.compile(r"^.*?\d+ problems?: ", re.DOTALL)
_WORDS = {"Field required": "needed"}


def errors_from(error: BaseException) -> dict[str, str]:
    """The engine's objections to a value, by dotted path; the empty path is the value as a whole."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, DataFault):
        cause = cause.__cause__
    if cause is not None and cause.problems:
        found: dict[str, str] = {}
        for path, message in cause.problems:
            found.setdefault(dotted(path), _plain(message))
        return found
    path = dotted(error.path) if isinstance(error, DataError) else ""
    return {path: _plain(_COUNTED.sub("", str(error)) if path else str(error))}


def _plain(message: str) -> str:
    """Without the value: the field shows it."""
    short = _GOT.sub("", message)
    return _WORDS.get(short, short)


def placed(errors: Mapping[str, str], root: Node, typed: Typed) -> dict[str, str]:
    """The errors by the paths of the fields that are shown: each at its own, or at the nearest around it.

    A union's alternatives are all objected to if none fits: what concerns the one that is chosen counts.
    """
    found: dict[str, list[str]] = {}
    doubtful: dict[str, list[str]] = {}
    for path, message in errors.items():
        place, left, sure = _nearest(root, typed, path.split(".") if path else [])
        text = f"{unescape(left[0])}: {message}" if left and not left[0].startswith("@") else message
        into = found if sure else doubtful
        into.setdefault(place, []).append(text)
    for place, messages in doubtful.items():
        if not any(other == place or other.startswith(f"{place}.") or not place for other in found):
            found[place] = messages
    return {place: "; ".join(dict.fromkeys(messages)) for place, messages in found.items()}


def _nearest(root: Node, typed: Typed, segments: list[str]) -> tuple[str, list[str], bool]:
    """Where an error is shown, the segments that lead further, and whether it concerns what is chosen."""
    node, path = root, ""
    while segments and at(typed, path, "@json") is None:
        if isinstance(node, Union) and not segments[0].startswith("@"):
            place = chosen(node, typed, path)
            if place is None:
                break
            alternative = node.alternatives[place]
            if not _names(alternative.names, segments[0]) and child(alternative.node, segments[0]) is None:
                return path, [], False
            if _names(alternative.names, segments[0]):
                segments = segments[1:]
            node, path = alternative.node, join(path, f"@{place}")
            continue
        step = _step(node, typed, path, segments)
        if step is None:
            break
        node, path, segments = step
    # What the schema does not name is in a control of its own.
    more = isinstance(node, Object) and bool(segments) and at(typed, path, "@more") is not None
    shown = path.rpartition(".")[0] if isinstance(node, Constant) and "." in path else path
    return (join(path, "@more") if more else shown), (segments if isinstance(node, Group | Union) else []), True


def _names(names: frozenset[str], segment: str) -> bool:
    said = unescape(segment)
    return said in names or said.partition("[")[0] in names or said.partition("-")[2] in names


def _step(node: Node, typed: Typed, path: str, segments: list[str]) -> tuple[Node, str, list[str]] | None:
    """One segment down: the field, its path, what is left."""
    first, rest = segments[0], segments[1:]
    if isinstance(node, Dict):
        return _row(node, typed, path, segments)
    if isinstance(node, List) and not (first.isdecimal() and int(first) < count(typed, path)):
        return None
    found = child(node, first)
    return (found, join(path, first), rest) if found is not None else None


def _row(node: Dict, typed: Typed, path: str, segments: list[str]) -> tuple[Node, str, list[str]] | None:
    first, rest = segments[0], segments[1:]
    if first.startswith("@"):
        if rest[:1] == ["key"]:
            return Text(node.about), join(path, f"{first}.key"), []
        return node.value, join(path, f"{first}.value"), rest[1:]
    for index in range(count(typed, path)):
        row = join(path, f"@{index}")
        if (at(typed, row, "key") or "") == unescape(first):
            if rest and unescape(rest[0]) == "[key]":
                return Text(node.about), join(row, "key"), []
            return node.value, join(row, "value"), rest
    return None
