"""How the studio's log is written: one line a record, secrets hidden, and nothing in it that steers a terminal."""

from __future__ import annotations

import logging

from engine import redacted


class LogLines(logging.Formatter):
    """Formats a record as its message; the lines of a traceback follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text for the log."""
        return printable(redacted(super().format(record).removeprefix("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message on one line."""
        return "\\n".join(record.getMessage().splitlines())

    def formatException(self, ei: object) -> str:
        """A traceback, told from the records around it by its indent."""
        lines = super().formatException(ei).splitlines()  # type: ignore[arg-type]
        return "\n".join(f"  {line}" for line in lines)


def printable(text: str) -> str:
    """``text`` with every letter that could steer a terminal written out; line feeds stay."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)
