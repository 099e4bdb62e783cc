"""The words in a picture: facts under an id, titles of frames, and how any text is made fit to be shown."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Part = Mapping[str, Any]
"""One node of a definition, as plain JSON."""

LONGEST_ID = 26
LONGEST_CONDITION = 28
LONGEST_DETAIL = 600
LONGEST_PLACE = 4096

LAMBDA = "<lambda>"
"""What Python calls a function without a name; to a reader it says nothing."""
_READS = re.compile(r"From(?P<kind>Step|Init|State|Context)\((?P<what>.*)\)", re.DOTALL)
_FIELD = re.compile(r"(\w+)=(\([^()]*\)|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
LEAVES = frozenset({"step", "map", "sleep", "wait_for_event"})
# What XML can't hold, what a terminal or an editor would obey, and what turns the direction of the text after it.
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_GIVEN = re.compile(r"(?:step|map|sleep|wait|wait_for_event|parallel|branch|do_until|do_while|loop|foreach|chain)-\d+")


def clean(text: object, most: int = LONGEST_DETAIL) -> str:
    """``text`` as one line of at most ``most`` columns that any XML parser takes: no controls, no lone surrogates."""
    raw = str(text)
    raw = raw[: most + 1] if len(raw) > most else raw
    return shorten(_SURROGATE.sub("\ufffd", _UNFIT.sub(" ", raw)), most)


def shorten(text: str, most: int) -> str:
    """At most ``most`` columns of ``text``, with an ellipsis if some is left out."""
    if columns(text) <= most:
        return text
    kept, used = [], 1
    for character in text:
        used += _width(character)
        if used > most:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def columns(text: str) -> int:
    """How many columns of a monospaced font ``text`` takes: wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def is_given(name: str) -> bool:
    """Whether the compiler made this id up (``map-1``), so that it says nothing to a reader."""
    return bool(_GIVEN.fullmatch(name))


def duration(seconds: float) -> str:
    """Seconds for people: ``2 days``, ``1 h 30 min``, ``0.5 s``."""
    if seconds < 60 or seconds != int(seconds):
        return f"{seconds:g} s"
    whole = int(seconds)
    units = ((86400, "day"), (3600, "h"), (60, "min"), (1, "s"))
    said = []
    for size, unit in units:
        count, whole = divmod(whole, size)
        if count:
            said.append(f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}")
    return " ".join(said[:2])


def _moment(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"


def count_steps(part: Part) -> int:
    """How many steps, maps, sleeps and waits are inside, catch arms included."""
    found, todo = 0, [part]
    while todo:
        one = todo.pop()
        found += one.get("kind") in LEAVES
        todo += one.get("children") or ()
        if one.get("catch"):
            todo.append(one["catch"])
    return found


def arm(part: Part) -> str:
    """What the arms of a block are called: steps if that is all they are."""
    return "step" if all(one.get("kind") in LEAVES for one in part.get("children") or ()) else "arm"


def plural(count: int, word: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def facts(part: Part) -> str:
    """The line under the id of a box."""
    match part.get("kind"):
        case "step":
            return joined("step", *_rules(part))
        case "map":
            return _source(part.get("source"))
        case "sleep":
            return _sleep(part)
        case "wait_for_event":
            return f"waits for {part.get('event') or 'an event'}"
        case "foreach":
            return joined("for each", at_once(part), "collects errors" if part.get("collect_errors") else "")
        case "do_until" | "do_while":
            return joined(repeat(part), plural(count_steps(part), "step"))
        case "parallel":
            return joined("parallel", at_once(part), plural(len(part.get("children") or ()), "arm"))
        case "branch":
            arms, mode = plural(len(part.get("children") or ()), "arm"), str(part.get("mode") or "")
            return joined("branch", f"{arms}, {_OF_ARMS[mode]}" if mode in _OF_ARMS else arms)
        case kind:
            return joined(str(kind or "step"), plural(count_steps(part), "step"))


def _rules(part: Part) -> tuple[str, ...]:
    attempts, timeout = part.get("attempts") or 1, part.get("timeout")
    return (
        "can ask" if part.get("resume") else "",
        f"{attempts} attempts" if attempts > 1 else "",
        f"max {duration(timeout)}" if timeout else "",
    )


def _source(source: object) -> str:
    """What a map reads or makes: ``from a or b``, ``makes name, price``, ``map · function_name``."""
    if isinstance(source, Mapping):
        return f"makes {', '.join(map(str, source))}" if source else "map"
    name = str(source or "")
    if found := _READS.fullmatch(name):
        return f"from {_read(found['kind'], found['what'])}"
    if name == LAMBDA:
        return joined("map", "computed")
    return joined("map", name if name.isidentifier() else "")


def _read(kind: str, what: str) -> str:
    """What ``FromStep(ids=('a', 'b'), path='x', many=True)`` reads, as a condition would name it."""
    try:
        fields: dict[str, Any] = {name: ast.literal_eval(text) for name, text in _FIELD.findall(what)}
    except (ValueError, SyntaxError):
        return "elsewhere"
    if kind == "Step":
        path = fields.get("path")
        ids = [f"{id}.{path}" if path else str(id) for id in fields.get("ids") or ()]
        return " or ".join(filter(None, [", ".join(ids[:-1]), *ids[-1:]])) or "elsewhere"
    path = fields.get("path") or fields.get("key")
    if kind == "Init" and not path:
        return "the run's input"
    return f"{kind.lower()}.{path}" if path else f"the {kind.lower()}"


def _computed(given: object) -> str:
    return "computed" if given == LAMBDA else str(given or "")


def _sleep(part: Part) -> str:
    given, until = part.get("for"), part.get("until")
    if until is not None:
        return f"sleep · until {_moment(until)}" if isinstance(until, (int, float)) else f"sleep · {_computed(until)}"
    return joined("sleep", duration(given) if isinstance(given, (int, float)) else _computed(given))


def at_once(part: Part) -> str:
    """How many of a block run at once, if that is limited or said by a function."""
    given = part.get("concurrency")
    if given is None:
        return ""
    if not isinstance(given, int):
        return "computed number at once" if given == LAMBDA else f"{given}() at once"
    return "one by one" if given == 1 else f"{given} at once"


def repeat(part: Part) -> str:
    """The text at a loop's way back."""
    return f"{'while' if part.get('kind') == 'do_while' else 'until'} {condition(part.get('condition'))}"


def condition(given: object) -> str:
    """A condition's text; a function without a name is only called one."""
    return "function" if given == LAMBDA else str(given or "?")


_MODES = {"all": "every arm that holds", "first": "first arm that holds"}
_OF_ARMS = {"all": "all that hold", "first": "first that holds"}


def mode(part: Part) -> str:
    """Which arms of a branch run."""
    given = str(part.get("mode") or "")
    return _MODES.get(given, given)


def joined(*said: object) -> str:
    """The parts that say something, between middle dots."""
    return " · ".join(str(one) for one in said if one)


_HEADINGS = {"do_until": "do until", "do_while": "do while", "foreach": "for each"}


def heading(kind: str) -> str:
    """The title of a frame."""
    return _HEADINGS.get(kind, kind)


def note(part: Part) -> str:
    """The rules of a frame, at the right of its title."""
    failures = "failures allowed" if part.get("allow_failure") else ""
    most = part.get("max_iterations")
    collects = "collects errors" if part.get("collect_errors") else ""
    return joined(at_once(part), failures, collects, f"at most {most}" if most else "")
