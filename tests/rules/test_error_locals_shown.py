"""``Engine(locals_in_errors=True)``: how variables are shown, whatever they are, and that no secret is among them."""

from __future__ import annotations

from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType, SimpleNamespace
from typing import Any, NoReturn

from pydantic import BaseModel, Field, SecretBytes, SecretStr

from engine import create_workflow, register_secret, step
from tests.fixtures import OpenEngine, launch, lines
from tests.rules.variables import frames, shown

HIDDEN = "[redacted]"


# -- how values are shown


class Colour(StrEnum):
    RED = "red"


class Model(BaseModel):
    n: int
    tags: list[str] = []
    quiet: str = Field(default="quiet", repr=False)


class Masks(BaseModel):
    pin: int = 4711

    def __repr_args__(self) -> Any:
        return [("pin", "?")]


@dataclass
class Order:
    n: int
    quiet: str = field(default="quiet", repr=False)


@dataclass(slots=True)
class Slotted:
    n: int


class Later(Order):
    pass


class Named(dict[str, int]):
    def __repr__(self) -> str:
        return f"<{len(self)} named>"


Point = namedtuple("Point", "x y")


async def test_values_are_shown_as_python_shows_them(open_engine: OpenEngine) -> None:
    values: dict[str, Any] = {
        "a": (None, True, 1, 1.5, "it's", b"\x00z"),
        "b": {"k": [1, (2,), ()], (1, 2): {3}},
        "c": [Colour.RED, Point(1, y="y"), Model(n=1, tags=["t"])],
        "d": (Order(1), Slotted(2), Later(3), Masks(), Named(x=1)),
        "e": (Counter("aab"), OrderedDict(k=1), UserDict({"k": 1}), UserList([1]), deque([1])),
        "f": (frozenset({1}), MappingProxyType({"k": 1}), {"k": 1}.keys(), SimpleNamespace(n=1)),
        "g": (ValueError("no", 1), defaultdict(list, k=[1])),
    }
    assert await shown(open_engine, **values) == {
        "a": "(None, True, 1, 1.5, \"it's\", b'\\x00z')",
        "b": "{'k': [1, (2,), ()], (1, 2): set({3})}",
        "c": "[<Colour.RED: 'red'>, Point(x=1, y='y'), Model(n=1, tags=['t'])]",
        "d": "(Order(n=1), Slotted(n=2), Later(n=3), Masks(pin='?'), <1 named>)",
        "e": "(Counter({'a': 2, 'b': 1}), OrderedDict({'k': 1}), UserDict({'k': 1}), UserList([1]), deque([1]))",
        "f": "(frozenset({1}), mappingproxy({'k': 1}), dict_keys(['k']), SimpleNamespace(n=1))",
        "g": "(ValueError('no', 1), defaultdict({'k': [1]}))",
    }


class Hostile:  # noqa: PLW1641 - it has one that raises
    """Raises at whatever is asked of it."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise SystemExit(name)

    __repr__ = __str__ = __hash__ = __bool__ = __len__ = __iter__ = __getattribute__  # type: ignore[assignment]
    __eq__ = __getattribute__  # type: ignore[assignment]


class Changes:
    """Changes what it is asked about."""

    def __init__(self) -> None:
        self.parts = {"n": 1}

    def __repr__(self) -> str:
        self.__dict__.clear()
        return "changed" * 100_000


class Lone:
    def __repr__(self) -> str:
        return "\ud800"


class Wrong:
    def __repr__(self) -> str:
        return 7  # type: ignore[return-value]


async def test_no_value_can_break_anything(open_engine: OpenEngine) -> None:
    circle: list[Any] = [1]
    circle.append({"circle": circle})
    found = await shown(
        open_engine,
        hostile=Hostile(),
        within=[1, Hostile()],
        changes=Changes(),
        lone=Lone(),
        wrong=Wrong(),
        circle=circle,
    )
    cannot = "(can't be shown)"
    assert found == {
        "hostile": cannot,
        "within": cannot,
        "changes": f"{('changed' * 30)[:199]}…",
        "lone": "?",
        "wrong": cannot,
        "circle": "[1, {'circle': [1, {'circle': [1, {…}]}]}]",
    }


async def test_what_an_exception_does_breaks_nothing(open_engine: OpenEngine) -> None:
    class Refuses(Exception):
        def __getattribute__(self, name: str) -> Any:
            if name in {"__cause__", "__traceback__"}:
                raise SystemExit(name)
            return super().__getattribute__(name)

    @step
    def work() -> None:
        raise Refuses("no")

    run = await launch(await open_engine(create_workflow(id="w").then(work), locals_in_errors=True), "w")
    assert (await lines(run))[-2:] == ["step.failed work", "run.failed"]


# -- secrets


async def test_secrets_are_hidden_by_name_at_any_depth(open_engine: OpenEngine) -> None:
    found = await shown(
        open_engine,
        password="by-name-51c2",
        api_key=None,
        secret=True,
        token=Hostile(),
        deep=[{"session": {"access_token": "by-name-9d01"}}, Order(1)],
        model=SimpleNamespace(client_secret="by-name-77aa", n=1),
        headers=[("Authorization", "Bearer by-name-0c3d"), ("accept", "json")],
        text="password='by-name-c0de' postgres://ada:by-name-e77e@db",
    )
    assert found == {
        "password": HIDDEN,
        "api_key": "None",
        "secret": "True",
        "token": HIDDEN,
        "deep": "[{'session': {'access_token': [redacted]}}, Order(n=1)]",
        "model": "SimpleNamespace(client_secret=[redacted], n=1)",
        "headers": "[('Authorization', [redacted]), ('accept', 'json')]",
        "text": f"\"password='{HIDDEN}' postgres://ada:{HIDDEN}@db\"",
    }


async def test_a_secret_that_one_variable_names_is_hidden_in_the_others(open_engine: OpenEngine) -> None:
    register_secret("registered-in-locals-9c1")

    class Client:
        def __init__(self, key: str) -> None:
            self.api_key = key

        def __repr__(self) -> str:
            return f"<Client {self.api_key}>"

    found = await shown(
        open_engine,
        first="uses named-in-locals-4af",
        client=Client("named-in-locals-4af"),
        raw=b"named-in-locals-4af",
        cut="x" * 190 + "named-in-locals-4af" * 3,
        typed=[SecretStr("typed-in-locals-2b7"), SecretBytes(b"bytes-in-locals-8d2")],
        taken="typed-in-locals-2b7 and bytes-in-locals-8d2",
        known="registered-in-locals-9c1",
    )
    assert found == {
        "first": f"'uses {HIDDEN}'",
        "client": f"<Client {HIDDEN}>",
        "raw": f"b'{HIDDEN}'",
        "cut": f"'{'x' * 190}{HIDDEN[:8]}…",
        "typed": "[SecretStr('**********'), SecretBytes(b'**********')]",
        "taken": f"'{HIDDEN} and {HIDDEN}'",
        "known": f"'{HIDDEN}'",
    }


class Endless(SecretStr):
    def get_secret_value(self) -> Any:
        return self


async def test_a_secret_within_itself_ends(open_engine: OpenEngine) -> None:
    assert await shown(open_engine, endless=Endless("endless-in-locals")) == {"endless": "Endless('**********')"}


class Login(BaseModel):
    user: str
    pin: SecretStr


async def test_a_secret_of_the_run_is_hidden_although_no_variable_says_that_it_is_one(open_engine: OpenEngine) -> None:
    pins = ["held-by-the-run-1", "held-by-the-run-2"]

    @step
    def count(data: list[Login]) -> int:
        return len(data)

    def spend(value: Any) -> None:
        value = f"with {pins[0]} and {pins[1]}"
        raise ValueError(len(value))

    workflow = create_workflow(id="w", input_schema=list[Login]).then(count).map(spend)
    found = await frames(open_engine, workflow, [{"user": "ada", "pin": pin} for pin in pins])
    hidden = {"value": f"'with {HIDDEN} and {HIDDEN}'", "pins": f"['{HIDDEN}', '{HIDDEN}']"}
    assert found == [("spend", hidden)]
