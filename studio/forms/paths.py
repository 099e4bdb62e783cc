"""Where a field is: the dotted path of a part of a value, and the name its control has in the browser's form.

A segment is a field's name, or the number of a row: ``orders.0.city``. Segments that no data has begin with ``@``:
``prices.@1`` is the second row of a dict (its key is still being typed), ``pay.@0`` the first alternative of a union.
Characters that mean something here are written ``~hex~`` within a name.
"""

from __future__ import annotations

import ast
import re

ROOT = "$"

_ESCAPED = re.compile(r"~([0-9a-f]+)~")
_STEP = re.compile(r"""\.(?P<name>[^.\[]+) | \[(?P<key>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\]]*)\]""", re.VERBOSE)


def escape(name: str) -> str:
    """A field's name as one segment of a path."""
    return "".join(one if one.isalnum() or one in "_-" else f"~{ord(one):x}~" for one in name) or "~~"


def unescape(segment: str) -> str:
    """The name that :func:`escape` made this segment of."""
    return "" if segment == "~~" else _ESCAPED.sub(lambda found: chr(int(found[1], 16)), segment)


def join(path: str, segment: str | int) -> str:
    """The path of a part, by its segment."""
    return f"{path}.{segment}" if path else str(segment)


def control(path: str) -> str:
    """The name of the control at this path: none of a page's own controls is called so."""
    return join(ROOT, path) if path else ROOT


def dotted(json_path: str) -> str:
    """The dotted path of a JSON path as the engine writes it: ``$.a[0]['b c']`` is ``a.0.b~20~c``."""
    path = ""
    for found in _STEP.finditer(json_path.removeprefix(ROOT)):
        path = join(path, escape(found["name"] if found["name"] is not None else _key(found["key"])))
    return path


def _key(text: str) -> str:
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):  # a long key is cut short in the path
        return text
