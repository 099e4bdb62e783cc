"""Random workflows as plain data: bounded in depth and size, with every kind of block.

A tree says everything about a workflow: ``building`` makes the real one of it, ``oracle`` works out what must come of
it. What a step gives depends on its path and its input alone.
"""

from __future__ import annotations

import dataclasses
import json
import random
import zlib
from dataclasses import dataclass
from typing import Any

WHO = "somebody"
"""What the request context says."""


@dataclass(frozen=True)
class Act:
    """A step.

    ``how``: ok, fail, flaky (fails until its attempt number ``tries``), picky (refuses its input), bail, abort.
    ``asks``: questions before that; ``suspends``: by a plain suspension instead. ``sets``: a key of the shared state.
    ``sync``: a plain function; ``turns``: how often an async one lets others run. ``pad``: characters it gives.
    """

    id: str
    how: str = "ok"
    asks: int = 0
    suspends: bool = False
    tries: int = 1
    sets: str = ""
    sync: bool = False
    pad: int = 0
    turns: int = 0


@dataclass(frozen=True)
class Condition:
    """``kind``: yes, no, chance (a function of the value), big (an expression over it), raises.

    ``turns``: how often it lets others run before it answers.
    """

    id: str
    kind: str
    turns: int = 0


@dataclass(frozen=True)
class Then:
    arm: Act | Flow
    catch: Act | Flow | None = None


@dataclass(frozen=True)
class Parallel:
    id: str
    arms: tuple[Act | Flow, ...]
    concurrency: int | None = None
    allow_failure: bool = False
    catch: Act | Flow | None = None


@dataclass(frozen=True)
class Branch:
    id: str
    cases: tuple[tuple[Condition, Act | Flow], ...]
    otherwise: Act | Flow | None = None
    first: bool = False
    catch: Act | Flow | None = None


@dataclass(frozen=True)
class Loop:
    """``rounds``: after so many the condition ends it; ``words``: the condition is an expression."""

    arm: Act | Flow
    rounds: int = 1
    until: bool = False
    words: bool = False
    turns: int = 0
    limit: int | None = None
    catch: Act | Flow | None = None


@dataclass(frozen=True)
class Foreach:
    """``concurrency`` 0: a function of the list, which lets all of them run at once."""

    arm: Act | Flow
    concurrency: int = 1
    collect_errors: bool = False
    catch: Act | Flow | None = None


@dataclass(frozen=True)
class Map:
    """``how``: list (of ``size`` items), same, raises, dict, step, template. ``of``: a step that came before."""

    id: str
    how: str
    size: int = 0
    of: str = ""
    turns: int = 0


@dataclass(frozen=True)
class Sleep:
    id: str
    seconds: float = 0.0


Node = Then | Parallel | Branch | Loop | Foreach | Map | Sleep


@dataclass(frozen=True)
class Flow:
    """A workflow, or a chain of steps."""

    id: str
    nodes: tuple[Node, ...]
    chain: bool = False


# -- what a step does, as a function of its path and its input


def plain(value: Any) -> Any:
    """A value without what differs from run to run: of an error only its type and step are left."""
    if isinstance(value, dict):
        if "type" in value and "message" in value:
            return {"type": value["type"], "step": value.get("step")}
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def digest(*parts: Any) -> int:
    """A number that follows from plain data, the same everywhere."""
    return zlib.crc32(json.dumps(plain(list(parts)), sort_keys=True).encode()) % 100


def output(act: Act, path: str, given: Any) -> dict[str, Any]:
    """What a step gives."""
    made: dict[str, Any] = {"n": digest(path, given)}
    return made | {"pad": "x" * act.pad} if act.pad else made


def answer(path: str, nth: int) -> int:
    """The answer that a step wants to its question number ``nth``."""
    return digest(path, "asks", nth)


def amount(path: str) -> int:
    """What a step adds to the shared total."""
    return 1 + digest(path, "sets")


def items(map_id: str, size: int, given: Any) -> list[Any]:
    """The list that a map makes."""
    return [{"n": digest(map_id, given, item)} for item in range(size)]


def by_chance(condition: str, given: Any) -> bool:
    """What a condition says that is a function."""
    return digest(condition, given) < 50


# -- growing them


class Grower:
    """Grows one workflow. ``left`` bounds how many steps it may still have."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self.rng = rng
        self.left = size
        self.count = 0

    def id(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def flow(self, depth: int, *, alone: bool, risky: bool = False, kind: str = "w") -> Flow:
        """A workflow. ``alone``: nothing runs beside it; ``risky``: its failure would be forgiven."""
        nodes: list[Node] = []
        for _ in range(self.rng.choice((1, 1, 2, 2, 3) if depth else (3, 4, 5, 6))):
            nodes += self.nodes(depth, nodes, alone=alone, risky=risky)
        return Flow(self.id(kind), tuple(nodes))

    def chain(self, depth: int, *, alone: bool, risky: bool) -> Flow:
        links = [self.then(depth, alone=alone, risky=risky) for _ in range(self.rng.choice((1, 2, 3)))]
        return Flow(self.id("c"), tuple(links), chain=True)

    def arm(self, depth: int, *, alone: bool, risky: bool = False) -> Act | Flow:
        self.left -= 1
        if depth < 3 and self.left > 0 and self.chance(30):
            if self.chance(40):
                return self.chain(depth + 1, alone=alone, risky=risky)
            return self.flow(depth + 1, alone=alone, risky=risky)
        return self.act(alone=alone, risky=risky)

    def act(self, *, alone: bool, risky: bool) -> Act:
        self.left -= 1
        how, tries = "ok", 1
        if self.chance(25 if risky else 4):
            how, tries = "fail", self.rng.choice((1, 1, 2))
        elif self.chance(8 if risky else 2):
            how = "picky"
        elif self.chance(12):
            how, tries = "flaky", self.rng.choice((2, 3))
        elif self.chance(3):
            how = "bail"
        elif alone and self.chance(1):
            how = "abort"
        asks = self.rng.choice((1, 1, 2)) if self.chance(14) else 0
        sets = self.rng.choice(("total", "total", "last") if alone else ("total",)) if self.chance(30) else ""
        suspends = asks == 1 and self.chance(40)
        pad = 3000 if self.chance(10) else 0
        return Act(self.id("s"), how, asks, suspends, tries, sets, self.chance(8), pad, self.turns())

    def turns(self) -> int:
        return self.rng.choice((0, 0, 0, 1, 2, 5))

    def catch(self, depth: int, *, alone: bool) -> Act | Flow | None:
        return self.arm(max(depth, 2), alone=alone) if self.chance(20) else None

    def then(self, depth: int, *, alone: bool, risky: bool) -> Then:
        return Then(self.arm(depth, alone=alone, risky=risky), self.catch(depth, alone=alone))

    def nodes(self, depth: int, before: list[Node], *, alone: bool, risky: bool) -> list[Node]:
        """The next node; before a foreach mostly a map that makes a list."""
        kinds = ["then"] * 5 + ["map", "map", "sleep"]
        if depth < 3 and self.left > 0:
            kinds += ["parallel", "branch", "loop", "foreach"] * 2
        match self.rng.choice(kinds):
            case "parallel":
                return [self.parallel(depth, alone=alone)]
            case "branch":
                return [self.branch(depth, alone=alone, risky=risky)]
            case "loop":
                return [self.loop(depth, alone=alone, risky=risky)]
            case "foreach":
                lists = [Map(self.id("m"), "list", size=self.rng.randrange(5))] if self.chance(93) else []
                return [*lists, self.foreach(depth, alone=alone)]
            case "map":
                return [self.map(before, alone=alone)]
            case "sleep":
                return [Sleep(self.id("z"), self.rng.choice((0.0, 0.002)) if alone else 0.0)]
            case _:
                return [self.then(depth, alone=alone, risky=risky)]

    def parallel(self, depth: int, *, alone: bool) -> Parallel:
        forgives = self.chance(40)
        arms = tuple(self.arm(depth + 1, alone=False, risky=forgives) for _ in range(self.rng.choice((1, 2, 2, 3))))
        at_once = self.rng.choice((None, None, None, 1, 2))
        return Parallel(self.id("p"), arms, at_once, forgives, self.catch(depth, alone=alone))

    def branch(self, depth: int, *, alone: bool, risky: bool) -> Branch:
        first = self.chance(40)
        inner = alone and first
        cases = tuple(
            (self.condition(), self.arm(depth + 1, alone=inner, risky=risky)) for _ in range(self.rng.choice((1, 2, 3)))
        )
        otherwise = self.arm(depth + 1, alone=inner) if self.chance(50) else None
        return Branch(self.id("b"), cases, otherwise, first, self.catch(depth, alone=alone))

    def condition(self) -> Condition:
        kinds = ("yes", "no", "chance", "chance", "chance", "big", "big", "raises" if self.chance(10) else "yes")
        return Condition(self.id("if"), self.rng.choice(kinds), self.turns())

    def loop(self, depth: int, *, alone: bool, risky: bool) -> Loop:
        rounds = self.rng.choice((1, 2, 3))
        limit = self.rng.choice((None, None, rounds, 1))
        arm = self.arm(depth + 1, alone=alone, risky=risky)
        return Loop(arm, rounds, self.chance(50), self.chance(50), self.turns(), limit, self.catch(depth, alone=alone))

    def foreach(self, depth: int, *, alone: bool) -> Foreach:
        collects = self.chance(50)
        at_once = self.rng.choice((1, 1, 2, 3, 0))
        arm = self.arm(depth + 1, alone=False, risky=collects)  # a fork may run one item after all others
        return Foreach(arm, at_once, collects, self.catch(depth, alone=alone))

    def map(self, before: list[Node], *, alone: bool) -> Map:
        named = [name for node in before for name in names(node)]
        kinds = ["same", "dict", "dict", "template"] if alone else ["same", "dict"]
        if named:
            kinds += ["step", "step"]
        if self.chance(3):
            kinds = ["raises"]
        how = self.rng.choice(kinds)
        of = self.rng.choice(named) if named and how in ("dict", "step") else ""
        return Map(self.id("m"), how, of=of, turns=self.turns())


def names(node: Node) -> list[str]:
    """The ids in a node that later maps of the same workflow can name."""
    match node:
        case Then() | Loop() | Foreach():
            return [node.arm.id]
        case Parallel():
            return [arm.id for arm in node.arms]
        case Branch():
            return [arm.id for _, arm in node.cases]
        case _:
            return []


def grow(rng: random.Random, *, size: int = 20) -> Flow:
    """A random workflow. ``rng`` may be any source of chance, also hypothesis' own."""
    return Grower(rng, size).flow(0, alone=True)


def text(part: Any, depth: int = 0) -> str:
    """A tree as it would be written, without what is as usual; one line a node."""
    if isinstance(part, tuple):
        inner = [text(one, depth + 1) for one in part]
        return "(" + ",".join(f"\n{'  ' * (depth + 1)}{one}" for one in inner) + ")"
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return repr(part)
    given = [(one.name, getattr(part, one.name)) for one in dataclasses.fields(part)]
    usual = {one.name: one.default for one in dataclasses.fields(part)}
    shown = ", ".join(f"{name}={text(value, depth)}" for name, value in given if value != usual[name])
    return f"{type(part).__name__}({shown})"
