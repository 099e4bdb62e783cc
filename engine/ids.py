"""Names: the ids of steps and workflows, and the paths that address one execution of a step.

A path is ``id[index]/id/...``, e.g. ``review/approve[2]``. Nested workflows, chains, loops and foreach open a segment.
"""

from __future__ import annotations

import re
import secrets
import time
from functools import lru_cache

ID_RULE = "take 1 to 128 printable characters without '/', '[' and ']', and no '$' at the start"
_ID = re.compile(r"(?!\$)[^\x00-\x1f\x7f/\[\]\ud800-\udfff]{1,128}")
_INDEX = re.compile(r"\[(\d+)\]")


def is_valid_id(value: object) -> bool:
    """Whether ``value`` can name a step, workflow or run: as ``ID_RULE`` says."""
    return isinstance(value, str) and bool(_ID.fullmatch(value)) and value.isprintable() and value == value.strip()


@lru_cache(maxsize=4096)
def template(path: str) -> str:
    """The place in the definition that a path stands for: every index becomes ``[]``."""
    return _INDEX.sub("[]", path) if "[" in path else path


def parent(path: str) -> str:
    """The path of the scope that ``path`` is in; empty at the top."""
    return path.rpartition("/")[0]


def index_of(path: str) -> int | None:
    """The index at the end of a path, e.g. 2 for ``review/approve[2]``."""
    if not path.endswith("]"):
        return None
    return int(path[path.rindex("[") + 1 : -1])


def new_run_id() -> str:
    """A run id: UUID version 7 (RFC 9562), so that ids sort by the time of creation."""
    millis = time.time_ns() // 1_000_000
    raw = bytearray(millis.to_bytes(6, "big") + secrets.token_bytes(10))
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_token() -> str:
    """An unguessable name for a suspension: 128 random bits."""
    return secrets.token_urlsafe(16)
