"""The files of whoever writes workflows: which they are, what stands in them, and how an editor opens them."""

from __future__ import annotations

import os
import sysconfig
import textwrap
import tokenize
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from urllib.parse import quote

import engine
from engine import redacted

_AT = {
    "vscode": "vscode://file{file}:{line}",
    "cursor": "cursor://file{file}:{line}",
    "zed": "zed://file{file}:{line}",
    "pycharm": "pycharm://open?file={file}&line={line}",
}

REACH = 3
"""Lines that are shown before and after one that failed."""

LARGEST = 4_000_000
"""Bytes of a file that is still looked into."""

_ENGINE = str(Path(engine.__file__).parent)
_STUDIO = str(Path(__file__).parent)
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
_EXAMPLES = str(Path(_STUDIO, "examples")) + os.sep
"""They are read and learnt from as a user's own files, wherever they are installed."""
_NOT_THE_USERS = (
    *(f"{form}{os.sep}" for place in (_ENGINE, _STUDIO, *_LIBRARIES) for form in (Path(place), Path(place).resolve())),
    "<frozen",
    "<string>",
)


def is_users(file: str) -> bool:
    """Whether a file is the user's, not one of a library."""
    is_library = file.startswith(_NOT_THE_USERS) or "site-packages" in file or "/lib/python" in file
    return file.startswith(_EXAMPLES) or not is_library


def opener(editor: str) -> Callable[[str, int], str]:
    """What gives the address under which an editor opens a line of a file; empty if there is nothing to open."""
    return partial(_address, _AT.get(editor, ""))


def _address(form: str, file: str, line: int) -> str:
    # A name may be anything: the scheme is ours, all else of the address is quoted.
    if not form or _size(file) is None:
        return ""
    path = Path(file).as_posix()
    return form.format(file=quote(os.fsencode(path if path.startswith("/") else f"/{path}")), line=int(line))


def _size(file: str) -> int | None:
    """How large a file of the user is; ``None`` if it is none. Nothing but a file of this machine is looked at."""
    if file.startswith(("//", "\\\\")) or not is_users(file) or not Path(file).is_absolute():
        return None
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return None
    return found.st_size if S_ISREG(found.st_mode) else None


def lines_around(file: str, line: int, text: str) -> tuple[tuple[int, str], ...]:
    """The lines around one that failed, by number; nothing if the file does not say ``text`` there any more.

    A traceback is only a text, so it opens no file but code, and none that it does not know already.
    """
    size = _size(file) if file.endswith(".py") and text else None
    if size is None or size > LARGEST:
        return ()
    first = max(1, line - REACH)
    try:
        with tokenize.open(file) as source:
            found = [one.rstrip("\n") for one in islice(source, first - 1, line + REACH)]
    except (OSError, SyntaxError, UnicodeError):
        return ()
    at = line - first
    if not 0 <= at < len(found) or found[at].strip() != text:
        return ()
    while len(found) - 1 > at and not found[-1].strip():
        found.pop()
    shown = [one if number == at else str(redacted(one)) for number, one in enumerate(found)]
    return tuple(enumerate(textwrap.dedent("\n".join(shown)).split("\n"), first))
