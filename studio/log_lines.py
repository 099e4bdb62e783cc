"""How the studio's log is written: one line a record, secrets hidden, and nothing in it that steers a terminal."""

from __future__ import annotations

import logging
import re

from engine import redacted

# What JSON may hold as it is, and a terminal obeys or some readers take for the end of a line.
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


class LogLines(logging.Formatter):
    """Formats a record as its message; the lines of a traceback follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text for the log."""
        return printable(redacted(super().format(record).removeprefix("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message on one line."""
        return one_line(record.getMessage())

    def formatException(self, ei: object) -> str:
        """A traceback, told from the records around it by its indent."""
        lines = super().formatException(ei).splitlines()  # type: ignore[arg-type]
        return "\n".join(f"  {line}" for line in lines)


def one_line(text: str) -> str:
    """A text from anywhere as one line for a terminal, without secrets."""
    return printable("\\n".join(redacted(text).splitlines()))


def printable(text: str) -> str:
    """``text`` with every letter that could steer a terminal written out; line feeds stay."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def escaped_json(text: str) -> str:
    """JSON text that is safe on a terminal, and of which each line is one for every reader."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
