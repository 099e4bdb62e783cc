"""What the operators and functions of expressions do: data in, data out, bounded; errors name the types."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, cast

from engine.errors import ExpressionError
from engine.paths import kind_name

_MAX_BITS = 20_000
_MAX_TEXT = 1_000_000
_MAX_PLACES = 30
_ENDLESS = 1_000
_NUMBERS = (int, float, Decimal)
_COLLECTIONS = (list, tuple, set, frozenset, Mapping)

Operation = Callable[[object, object], object]


def unwrap(value: object) -> object:
    """The value of an enum member; everything else as it is."""
    return value.value if isinstance(value, Enum) else value


def _kinds(left: object, right: object) -> str:
    return f"{kind_name(left)} and {kind_name(right)}"


def _ordered(sign: str, compare: Callable[[Any, Any], bool]) -> Operation:
    def ordered(left: object, right: object) -> bool:
        try:
            return bool(compare(left, right))
        except (TypeError, ArithmeticError):
            raise ExpressionError(f"{_kinds(left, right)} can't be compared with {sign}") from None

    return ordered


def _equal(left: object, right: object) -> bool:
    return bool(left == right)


def _contains(left: object, right: object) -> bool:
    if isinstance(right, str) and not isinstance(left, str):
        raise ExpressionError(f"{kind_name(left)} can't be in a str")
    if not isinstance(right, (str, *_COLLECTIONS)):
        raise ExpressionError(f"'in' needs a list, an object or a str on its right, not {kind_name(right)}")
    if isinstance(right, str):
        return cast(str, left) in right
    return any(unwrap(item) == left for item in right)


COMPARISONS: dict[str, Operation] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered("<", operator.lt),
    "<=": _ordered("<=", operator.le),
    ">": _ordered(">", operator.gt),
    ">=": _ordered(">=", operator.ge),
    "in": _contains,
    "not in": lambda left, right: not _contains(left, right),
}


def _arithmetic(sign: str, compute: Callable[[Any, Any], Any]) -> Operation:
    def arithmetic(left: object, right: object) -> object:
        if not isinstance(left, _NUMBERS) or not isinstance(right, _NUMBERS):
            raise ExpressionError(f"{sign!r} needs two numbers, not {_kinds(left, right)}")
        try:
            return _bounded(compute(left, right))
        except ZeroDivisionError:
            raise ExpressionError(f"division by zero ({sign})") from None
        except (TypeError, ArithmeticError):
            raise ExpressionError(f"{_kinds(left, right)} can't be combined with {sign!r}") from None

    return arithmetic


def _bounded(value: object) -> object:
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ExpressionError("the number is too large")
    return value


_add_numbers = _arithmetic("+", operator.add)


def _add(left: object, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > _MAX_TEXT:
            raise ExpressionError(f"the text is longer than {_MAX_TEXT:,} characters")
        return left + right
    return _add_numbers(left, right)


SUMS: dict[str, Operation] = {"+": _add, "-": _arithmetic("-", operator.sub)}
PRODUCTS: dict[str, Operation] = {
    "*": _arithmetic("*", operator.mul),
    "/": _arithmetic("/", operator.truediv),
    "%": _arithmetic("%", operator.mod),
}


def negate(value: object) -> object:
    """Unary minus. Raises :class:`ExpressionError`."""
    if not isinstance(value, _NUMBERS):
        raise ExpressionError(f"'-' needs a number, not {kind_name(value)}")
    return -value


# -- functions


def _len(value: object) -> int:
    if not isinstance(value, (str, *_COLLECTIONS)):
        raise ExpressionError(f"len() needs a list, an object or a str, not {kind_name(value)}")
    return len(value)


def _text(name: str, change: Callable[[str], str]) -> Callable[..., object]:
    def text(value: object) -> str:
        if not isinstance(value, str):
            raise ExpressionError(f"{name}() needs a str, not {kind_name(value)}")
        return change(value)

    return text


def _abs(value: object) -> object:
    if not isinstance(value, _NUMBERS):
        raise ExpressionError(f"abs() needs a number, not {kind_name(value)}")
    return abs(value)


def _round(value: object, places: object = None) -> object:
    if not isinstance(value, _NUMBERS):
        raise ExpressionError(f"round() needs a number, not {kind_name(value)}")
    if places is not None and (not isinstance(places, int) or abs(places) > _MAX_PLACES):
        raise ExpressionError(f"round() takes a whole number of places, at most {_MAX_PLACES}")
    try:
        # A Decimal with a huge exponent would become an int of as many digits.
        if places is None and isinstance(value, Decimal):
            return value.to_integral_value()
        return round(value, places)
    except (ArithmeticError, ValueError):
        raise ExpressionError(f"{value!r} can't be rounded") from None


def _extreme(name: str, choose: Callable[..., object]) -> Callable[..., object]:
    def extreme(*values: object) -> object:
        items: Any = values
        if len(values) == 1:
            if not isinstance(values[0], (list, tuple, set, frozenset)):
                raise ExpressionError(f"{name}() needs a list or several values, not {kind_name(values[0])}")
            items = [unwrap(item) for item in values[0]]
        if not items:
            raise ExpressionError(f"{name}() of an empty list")
        try:
            return choose(items)
        except (TypeError, ArithmeticError):
            kinds = ", ".join(sorted({kind_name(item) for item in items}))
            raise ExpressionError(f"{name}() can't compare {kinds}") from None

    return extreme


# name -> function, least and most number of arguments
FUNCTIONS: dict[str, tuple[Callable[..., object], int, int]] = {
    "len": (_len, 1, 1),
    "lower": (_text("lower", str.lower), 1, 1),
    "upper": (_text("upper", str.upper), 1, 1),
    "abs": (_abs, 1, 1),
    "min": (_extreme("min", min), 1, _ENDLESS),
    "max": (_extreme("max", max), 1, _ENDLESS),
    "round": (_round, 1, 2),
}
