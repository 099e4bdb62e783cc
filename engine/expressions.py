"""The little language of conditions (``n > 5 and state.open``), and templates (``Hello ${init.name}``).

The grammar is closed: nothing is looked up but data, nothing is called but the functions named here, and no result can
grow beyond bounds. An expression is parsed once into closures.

::

    or         := and ("or" and)*
    and        := not ("and" not)*
    not        := "not" not | comparison
    comparison := sum (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in") sum)*
    sum        := term (("+" | "-") term)*
    term       := unary (("*" | "/" | "%") unary)*
    unary      := "-" unary | primary
    primary    := number | text | true | false | null | list | "(" or ")" | function "(" ... ")" | path
    path       := name ("." name | "[" number "]" | "[" text "]")*
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, NoReturn

from engine.errors import ExpressionError, MissingPath
from engine.operations import COMPARISONS, FUNCTIONS, PRODUCTS, SUMS, negate, unwrap
from engine.paths import Lookup, Step, read_path, resolve
from engine.templates import ROOTS, Template, parse_template

__all__ = ["ROOTS", "Expression", "ExpressionError", "MissingPath", "Template", "parse", "parse_template", "read_path"]

MAX_LENGTH = 2000
MAX_NESTING = 50

Evaluator = Callable[[Lookup], object]

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<name>[^\W\d]\w*)
    | (?P<sign>==|!=|<=|>=|<|>|\+|-|\*\*|\*|//|/|%|\(|\)|\[|\]|,|\.)""",
    re.VERBOSE,
)
_CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "lambda", *_CONSTANTS})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_HINTS = {
    "=": "to compare, write ==",
    "&": "write 'and'",
    "|": "write 'or'",
    "!": "write 'not', or != to compare",
    "{": "objects can't be written here",
    "'": "the text is not closed",
    '"': "the text is not closed",
    "**": "there are no powers",
    "//": "there is no whole division; use round(a / b)",
    "is": "to compare with null, write == null",
    "if": "there is no if; a condition is one expression",
    "lambda": "there are no functions of one's own here; give a Python function as the condition",
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. ``names`` are the paths it reads, up to the first index; not those inside ``exists()``."""

    text: str
    names: frozenset[tuple[str, ...]] = field(compare=False)
    evaluator: Evaluator = field(compare=False, repr=False)

    def evaluate(self, lookup: Lookup) -> object:
        """The value, where ``lookup(name)`` gives what a name stands for and raises ``LookupError`` for an unknown one.

        Raises :class:`MissingPath` for a path that leads nowhere, :class:`ExpressionError` for an operation that the
        types don't have. What lies below a step that has no output is ``None``.
        """
        return self.evaluator(lookup)


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """Parse an expression. Raises :class:`ExpressionError` with the position and what to write instead."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    parser = _Parser(text)
    evaluator = parser.whole()
    return Expression(text, frozenset(parser.names), evaluator)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def _fail(text: str, at: int, message: str) -> NoReturn:
    shown = text if len(text) <= 80 else text[:77] + "..."
    raise ExpressionError(f"{shown!r}, column {at + 1}: {message}", position=at)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            hint = _HINTS.get(text[at])
            _fail(text, at, f"{text[at]!r} can't be read here{f'; {hint}' if hint else ''}")
        if match.lastgroup != "space":
            found.append(_Token(str(match.lastgroup), match[0], at))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.index = 0
        self.nesting = 0
        self.names: set[tuple[str, ...]] = set()

    # -- reading tokens

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def next(self) -> _Token:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def take(self, *texts: str) -> str | None:
        """Go past the next token if it is one of these."""
        token = self.token
        if token.kind in ("sign", "name") and token.text in texts:
            self.index += 1
            return token.text
        return None

    def expect(self, text: str) -> None:
        if self.take(text) is None:
            self.fail(f"{text!r} is missing")

    def fail(self, message: str, token: _Token | None = None) -> NoReturn:
        token = token or self.token
        got = "" if token.kind == "end" else f", not {token.text!r}"
        hint = _HINTS.get(token.text)
        _fail(self.text, token.at, f"{message}{got}{f'; {hint}' if hint else ''}")

    def deeper(self, inner: Callable[[], Evaluator]) -> Evaluator:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            _fail(self.text, self.token.at, f"nested more than {MAX_NESTING} deep")
        made = inner()
        self.nesting -= 1
        return made

    # -- the grammar

    def whole(self) -> Evaluator:
        if self.token.kind == "end":
            _fail(self.text, 0, "the expression is empty")
        made = self.alternative()
        if self.token.kind != "end":
            self.fail("an operator or the end is expected here")
        return made

    def alternative(self) -> Evaluator:
        parts = [self.conjunction()]
        while self.take("or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else _any_of(parts)

    def conjunction(self) -> Evaluator:
        parts = [self.negation()]
        while self.take("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else _all_of(parts)

    def negation(self) -> Evaluator:
        if not self.take("not"):
            return self.comparison()
        inner = self.deeper(self.negation)
        return lambda lookup: not inner(lookup)

    def comparison(self) -> Evaluator:
        first = self.sum()
        rest: list[tuple[str, Evaluator]] = []
        while (sign := self.comparator()) is not None:
            rest.append((sign, self.sum()))
        return _compare(first, rest) if rest else first

    def comparator(self) -> str | None:
        sign = self.take("==", "!=", "<", "<=", ">", ">=", "in")
        if sign is None and self.token.text == "not" and self.tokens[self.index + 1].text == "in":
            self.index += 2
            return "not in"
        return sign

    def sum(self) -> Evaluator:
        return self.chain(self.term, SUMS)

    def term(self) -> Evaluator:
        return self.chain(self.unary, PRODUCTS)

    def chain(self, part: Callable[[], Evaluator], known: dict[str, Callable[[object, object], object]]) -> Evaluator:
        first = part()
        rest: list[tuple[Callable[[object, object], object], Evaluator]] = []
        while (sign := self.take(*known)) is not None:
            rest.append((known[sign], part()))
        return _fold(first, rest) if rest else first

    def unary(self) -> Evaluator:
        if not self.take("-"):
            return self.primary()
        inner = self.deeper(self.unary)
        return lambda lookup: negate(inner(lookup))

    def primary(self) -> Evaluator:
        token = self.next()
        match token.kind:
            case "number":
                return _constant(self.number(token))
            case "text":
                return _constant(self.unescaped(token))
            case "name" if token.text in _CONSTANTS:
                return _constant(_CONSTANTS[token.text])
            case "name" if token.text not in _WORDS:
                return self.call(token) if self.take("(") else self.path(token)
            case "sign" if token.text == "(":
                inner = self.deeper(self.alternative)
                self.expect(")")
                return inner
            case "sign" if token.text == "[":
                return _list_of(self.arguments("]"))
            case _:
                return self.fail("a value is needed", token)

    def number(self, token: _Token) -> int | float:
        value = int(token.text) if token.text.isdecimal() else float(token.text)
        if isinstance(value, float) and math.isinf(value):
            self.fail("the number is too large", token)
        return value

    def unescaped(self, token: _Token) -> str:
        def character(match: re.Match[str]) -> str:
            if match[1] not in _ESCAPES:
                _fail(self.text, token.at + match.start(), f"the escape {match[0]!r} is not known; for \\ write \\\\")
            return _ESCAPES[match[1]]

        return re.sub(r"\\(.)", character, token.text)[1:-1]

    def arguments(self, close: str) -> list[Evaluator]:
        parts: list[Evaluator] = []
        while not self.take(close):
            if parts:
                self.expect(",")
                if self.take(close):
                    break
            parts.append(self.deeper(self.alternative))
        return parts

    def call(self, name: _Token) -> Evaluator:
        if name.text == "exists":
            return self.exists()
        if name.text not in FUNCTIONS:
            known = ", ".join(sorted([*FUNCTIONS, "exists"]))
            _fail(self.text, name.at, f"there is no function {name.text!r}; there are {known}")
        function, least, most = FUNCTIONS[name.text]
        parts = self.arguments(")")
        if not least <= len(parts) <= most:
            wanted = str(least) if least == most else f"{least} or more"
            _fail(self.text, name.at, f"{name.text}() takes {wanted} value{'s' if wanted != '1' else ''}")
        return lambda lookup: function(*[part(lookup) for part in parts])

    def exists(self) -> Evaluator:
        token, known = self.next(), set(self.names)
        if token.kind != "name" or token.text in _WORDS:
            self.fail("exists() takes a path", token)
        inner = self.path(token)
        self.names = known
        self.expect(")")

        def exists(lookup: Lookup) -> bool:
            try:
                return inner(lookup) is not None
            except MissingPath:
                return False

        return exists

    def path(self, name: _Token) -> Evaluator:
        steps: list[Step] = []
        while True:
            if self.take("."):
                steps.append(self.field())
            elif self.token.text == "[":
                self.index += 1
                steps.append(self.key())
                self.expect("]")
            else:
                break
        leading = next((n for n, step in enumerate(steps) if isinstance(step, int)), len(steps))
        self.names.add((name.text, *(str(step) for step in steps[:leading])))
        return _path(name.text, tuple(steps))

    def field(self) -> str:
        token = self.next()
        if token.kind != "name":
            self.fail("the name of a field is needed after the dot", token)
        if token.text.startswith("_"):
            _fail(self.text, token.at, f"{token.text!r} is private: names that start with _ can't be read")
        if self.token.text == "(":
            _fail(self.text, token.at, f"{token.text!r} can't be called: only data is read here")
        return token.text

    def key(self) -> Step:
        sign = self.take("-")
        token = self.next()
        if token.kind == "number" and token.text.isdecimal():
            return -int(token.text) if sign else int(token.text)
        if token.kind == "text" and not sign:
            return self.unescaped(token)
        return self.fail("an index or a quoted key is needed in [ ]", token)


# -- evaluators


def _constant(value: object) -> Evaluator:
    return lambda _: value


def _list_of(parts: list[Evaluator]) -> Evaluator:
    return lambda lookup: [part(lookup) for part in parts]


def _any_of(parts: list[Evaluator]) -> Evaluator:
    def any_of(lookup: Lookup) -> object:
        value: object = None
        for part in parts:
            if value := part(lookup):
                return value
        return value

    return any_of


def _all_of(parts: list[Evaluator]) -> Evaluator:
    def all_of(lookup: Lookup) -> object:
        value: object = None
        for part in parts:
            if not (value := part(lookup)):
                return value
        return value

    return all_of


def _compare(first: Evaluator, rest: list[tuple[str, Evaluator]]) -> Evaluator:
    operations = [(COMPARISONS[sign], part) for sign, part in rest]

    def compare(lookup: Lookup) -> bool:
        left = first(lookup)
        for operation, part in operations:
            right = part(lookup)
            if not operation(left, right):
                return False
            left = right
        return True

    return compare


def _fold(first: Evaluator, rest: list[tuple[Callable[[object, object], object], Evaluator]]) -> Evaluator:
    def fold(lookup: Lookup) -> object:
        value = first(lookup)
        for operation, part in rest:
            value = operation(value, part(lookup))
        return value

    return fold


def _path(name: str, steps: tuple[Step, ...]) -> Evaluator:
    def path(lookup: Lookup) -> object:
        return unwrap(resolve(lookup, name, steps))

    return path
