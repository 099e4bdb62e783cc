"""Hides what nobody should read from what is shown: pages, frames, logs, exports, tracebacks.

The log of a run keeps what steps get; whatever shows it goes through here. A value is hidden if its field is called
like a secret (``password``, ``api_key``, ``Authorization``), and from then on wherever it stands; if it was registered;
or if it stands in an environment variable that is called like a secret. Types made for secrets (``SecretStr``) are
never stored in the first place.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

HIDDEN = "[redacted]"
"""What stands in the place of a secret."""

SHORTEST = 6
"""Characters from which on a text is worth knowing as a secret: a shorter one stands in too many innocent texts."""

LONGEST = 20_000
"""Characters of a secret that is looked for elsewhere."""

MOST_LEARNED = 256
"""Secrets that were seen in fields and are looked for elsewhere; the oldest are forgotten."""

MOST_SEEN = 20_000
"""Parts of a value that are looked through for secrets before it is shown."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ALONE = frozenset(
    {"password", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "authorization", "credential"}
    | {"credentials", "cookie", "cookies", "jwt", "apikey", "privatekey", "accesskey", "accesstoken", "authtoken"}
)
_KEYS = frozenset({"api", "access", "private", "secret", "signing", "encryption", "auth", "master", "ssh"})
_PLACES = frozenset({"next", "page", "continuation", "max", "min", "pad", "eos", "bos", "unk", "prompt", "sync"})
"""What a ``token`` is that is no secret: a place in a list, a word of a language model."""

# Every repetition has a limit, so that no text takes long.
_NAMED = re.compile(
    r"(?<![\w-])(?=[\w-]{0,50}(?:pass|pwd|secret|token|key|auth|cookie|credential|jwt))"
    r"(?P<name>[\w-]{2,60})\\?[\"']?\s{0,3}"
    r"(?P<is>[:=]\s{0,3}\\?[\"'](?P<quoted>[^\"'\\\n]{1,2000})"
    r"|=(?P<plain>[^\s,;&\"'<>(){}\[\]]{1,2000})"
    r"|:\s{0,3}(?:(?:bearer|basic)\s{1,3})?(?P<word>(?=[^\s\d]{0,200}\d)[^\s,;&\"'<>(){}\[\]]{6,2000}))",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer\s{1,3})(?=[^\s\d]{0,200}\d)[\w.~+/=-]{8,2000}", re.IGNORECASE)
_ADDRESS = re.compile(r"(://[^\s/@:]{0,200}:)[^\s/@]{1,200}(?=@)")


_NEAR = 2_500
"""Characters that a name which says secret, and what stands beside it, have at most."""

_SHELLS = frozenset({"PWD", "OLDPWD"})
"""Where a shell stands: no password, whatever it is called."""


class _Known:
    """Texts that are secrets wherever they stand."""

    def __init__(self) -> None:
        self._lasting: set[str] | None = None
        self._learned: dict[str, None] = {}
        self._lock = threading.Lock()
        self._sorted: tuple[str, ...] = ()
        self._registered: tuple[str, ...] = ()

    def register(self, text: str) -> None:
        with self._lock:
            self._lasting_texts().add(text)
            self._sort()

    def learn(self, texts: Iterable[str]) -> None:
        known = self._learned
        new = [text for text in texts if SHORTEST <= len(text) <= LONGEST and text != HIDDEN and text not in known]
        if not new:
            return
        with self._lock:
            known.update(dict.fromkeys(new))
            for text in list(islice(known, max(0, len(known) - MOST_LEARNED))):
                del known[text]
            self._sort()

    def hide(self, text: str, *, is_name: bool = False) -> str:
        """``is_name``: of a field. One that is called like what somebody took for a password is none."""
        if self._lasting is None:
            with self._lock:
                self._sort()
        for secret in self._registered if is_name else self._sorted:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def _sort(self) -> None:
        lasting = self._lasting_texts()
        self._registered = tuple(sorted(lasting, key=len, reverse=True))
        self._sorted = tuple(sorted({*lasting, *self._learned}, key=len, reverse=True))

    def _lasting_texts(self) -> set[str]:
        if self._lasting is None:
            found = (value for name, value in os.environ.items() if is_sensitive(name) and name not in _SHELLS)
            self._lasting = {value for value in found if len(value) >= SHORTEST}
        return self._lasting


_known = _Known()


def register_secret(value: str) -> None:
    """Hide ``value`` wherever data is shown from now on, in this process: in pages, logs, exports and tracebacks.

    Raises ``ValueError`` if it is shorter than six characters, since it would then be found in innocent texts.
    """
    if len(value) < SHORTEST:
        raise ValueError(f"a secret that can be hidden is a text of at least {SHORTEST} characters")
    _known.register(value)


def is_sensitive(name: str) -> bool:
    """Whether a field of this name holds a secret: ``api_key``, ``X-Auth-Token``, ``clientSecret``."""
    return _says_secret(name[:200])


@lru_cache(4096)
def _says_secret(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "token":
        return before not in _PLACES
    if last in ("key", "keys"):
        return before in _KEYS
    return not _ALONE.isdisjoint((last, before + last))


def redacted(data: Any) -> Any:
    """A copy of plain JSON data with the secrets hidden: by the names of fields, and known values in every text."""
    learn(data)
    return _redacted(data)


def _redacted(data: Any) -> Any:
    match data:
        case str():
            return redacted_text(data)
        case Mapping():
            return {_name(name): HIDDEN if _hides(name, value) else _redacted(value) for name, value in data.items()}
        case list() | tuple():
            return [_redacted(item) for item in data]
        case _:
            return data


def _name(name: object) -> object:
    return _known.hide(name, is_name=True) if isinstance(name, str) else name


def without_secrets(data: Any) -> Any:
    """Plain JSON data for a form to begin with: what would be hidden is left out, so that it is asked for."""
    match data:
        case Mapping():
            return {name: without_secrets(value) for name, value in data.items() if not _is_secret(name, value)}
        case list() | tuple():
            return [without_secrets(item) for item in data]
        case str() if redacted_text(data) != data:
            return None
        case _:
            return data


def redacted_text(text: str) -> str:
    """A text with the secrets hidden: known values, and what stands beside a name that says secret."""
    text = _known.hide(text)
    if ":" in text or "=" in text:
        text = _ADDRESS.sub(rf"\1{HIDDEN}", _NAMED.sub(_hide_named, text))
    return _BEARER.sub(rf"\1{HIDDEN}", text)


def redacted_start(text: str, most: int) -> str:
    """The first characters of a text with the secrets hidden; also one that the cut would go through."""
    return redacted_text(_known.hide(text[: most + LONGEST])[: most + _NEAR])[:most]


def redacted_traceback(trace: str) -> str:
    """A traceback with the secrets hidden. Its lines of source stay as they are: they say where a secret comes from."""
    shown, is_frame = [], False
    for line in trace.split("\n"):
        is_source = is_frame and line.startswith("    ")
        shown.append(_known.hide(line) if is_source else redacted_text(line))
        is_frame = line.startswith('  File "')
    return "\n".join(shown)


def redacted_error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An error of a run or a step, as it may be shown."""
    if error is None:
        return None
    shown: dict[str, Any] = redacted({name: part for name, part in error.items() if name != "traceback"})
    if "traceback" in error:
        shown["traceback"] = redacted_traceback(str(error["traceback"]))
    return shown


def _hides(name: object, value: Any) -> bool:
    # A flag or nothing says no more than that there is a secret.
    return value not in (None, "", [], {}) and not isinstance(value, bool) and is_sensitive(str(name))


def _is_secret(name: object, value: Any) -> bool:
    return _hides(name, value) or (isinstance(value, str) and redacted_text(value) != value)


def _hide_named(found: re.Match[str]) -> str:
    if not is_sensitive(found["name"]):
        return found[0]
    group = next(name for name in ("quoted", "plain", "word") if found[name] is not None)
    begin, end = found.start(group) - found.start(), found.end(group) - found.start()
    return f"{found[0][:begin]}{HIDDEN}{found[0][end:]}"


def learn(data: Any) -> None:
    """Look through data for secrets, so that they are hidden in other texts too: in an error that repeats one."""
    _known.learn(_secrets(data))


def _secrets(data: Any) -> Iterator[str]:
    waiting, left = [data], MOST_SEEN
    while waiting and left > 0:
        left -= 1
        found = waiting.pop()
        if isinstance(found, Mapping):
            for name, part in found.items():
                if _hides(name, part):
                    yield from _said(islice(_texts(part), MOST_SEEN))
                elif isinstance(part, Mapping | list | tuple):
                    waiting.append(part)
        elif isinstance(found, list | tuple):
            waiting += [part for part in found[:left] if isinstance(part, Mapping | list | tuple)]


def _said(texts: Iterable[str]) -> Iterator[str]:
    """The texts, and what follows a word that only says how it is used."""
    for text in texts:
        yield text
        kind, _, rest = text.partition(" ")
        if kind.lower() in ("bearer", "basic"):
            yield rest.strip()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)
