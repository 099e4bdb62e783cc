"""A small part of Markdown, read into plain pieces: whatever is not understood stays the text that it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

MOST = 20_000
"""Characters of a text that are looked at."""

_INLINE = re.compile(r"\*\*(?P<b>[^*\n]+)\*\*|`(?P<code>[^`\n]+)`|(?<![\w_])_(?P<i>[^_\n]+)_(?!\w)")
_LIST = re.compile(r"\s{0,3}(?:(?P<ul>[-*+])|(?P<ol>\d{1,9}[.)]))\s+(?P<text>.*)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(?P<text>.*?)(?:\s+#+)?\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """Letters of one kind: bold, leaning, code, or none of them."""

    kind: Literal["", "b", "i", "code"]
    text: str


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading, a list or code; ``lines`` are its lines or items."""

    kind: Literal["p", "h", "ul", "ol", "pre"]
    lines: tuple[Line, ...]


def pieces(text: str) -> Line:
    """One line."""
    found: list[Piece] = []
    end = 0
    for match in _INLINE.finditer(text):
        if match.start() > end:
            found.append(Piece("", text[end : match.start()]))
        kind: Literal["b", "i", "code"] = "b" if match["b"] else "i" if match["i"] else "code"
        found.append(Piece(kind, match[kind]))
        end = match.end()
    if end < len(text):
        found.append(Piece("", text[end:]))
    return tuple(found)


def blocks(text: str) -> tuple[Block, ...]:
    """A whole text. Of one that is too long only the beginning is read; the rest is left out, and it says so."""
    left = len(text) - MOST
    shown = text[:MOST] + (f"\n\n… {left:,} more characters" if left > 0 else "")
    found: list[Block] = []
    for number, part in enumerate(re.split(r"^\s{0,3}```[^\n]*$", shown, flags=re.MULTILINE)):
        if number % 2:
            lines = part.strip("\n").split("\n")
            found.append(Block("pre", tuple((Piece("", line),) for line in lines)))
        else:
            found += _plain(part)
    return tuple(found)


def _plain(text: str) -> list[Block]:
    found: list[Block] = []
    for kind, run in groupby(text.split("\n"), key=_kind):
        lines = list(run)
        if kind == "p":
            found.append(Block("p", tuple(pieces(line.strip()) for line in lines)))
        elif kind == "h":
            found += [Block("h", (pieces(match["text"]),)) for line in lines if (match := _HEADING.fullmatch(line))]
        elif kind in ("ul", "ol"):
            items = tuple(pieces(match["text"]) for line in lines if (match := _LIST.fullmatch(line)))
            found.append(Block("ul" if kind == "ul" else "ol", items))
    return found


def _kind(line: str) -> str:
    if not line.strip():
        return ""
    if _HEADING.fullmatch(line):
        return "h"
    item = _LIST.fullmatch(line)
    return "p" if item is None else "ul" if item["ul"] else "ol"
