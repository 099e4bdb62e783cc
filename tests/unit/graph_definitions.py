"""Definitions to draw, as plain JSON: what a store keeps when the code is gone."""

from __future__ import annotations

import random
from typing import Any

Part = dict[str, Any]


def step(id: str, **fields: Any) -> Part:
    """A step."""
    return {"id": id, "kind": "step", **fields}


def nested(id: str, *children: Part, kind: str = "workflow") -> Part:
    """A workflow or a chain inside another."""
    return {"id": id, "kind": kind, "children": list(children)}


def block(kind: str, id: str, *children: Part, **fields: Any) -> Part:
    """Anything with children."""
    return {"id": id, "kind": kind, "children": list(children), **fields}


def loop(id: str, body: Part, condition: str = "ok", kind: str = "do_until", **fields: Any) -> Part:
    """A loop around ``body``."""
    return {"id": id, "name": f"{kind}-1", "kind": kind, "condition": condition, "children": [body], **fields}


def foreach(id: str, body: Part, **fields: Any) -> Part:
    """``body`` for each item."""
    return {"id": id, "name": "foreach-1", "kind": "foreach", "concurrency": 1, "children": [body], **fields}


def definition(*children: Part, id: str = "flow", description: str = "") -> Part:
    """A whole definition."""
    return {"id": id, "description": description, "schemas": {}, "root": nested(id, *children)}


DEPLOY = definition(
    step("gather"),
    block("parallel", "parallel-1", step("draw"), step("estimate"), step("scan")),
    block(
        "branch",
        "branch-1",
        step("approve", resume="x"),
        step("skip"),
        mode="first",
        conditions=["usd > 500"],
        otherwise="skip",
    ),
    loop("chain-1", nested("chain-1", step("write"), step("validate"), kind="chain"), max_iterations=5),
    foreach("region", step("region"), concurrency=4),
    id="deploy",
    description="From a goal to a rollout",
)

REVIEW = nested("review", step("open"), foreach("approve", step("approve", resume="x")), step("close"))
ROUNDS = nested(
    "rounds",
    loop("inner", step("inner"), "i < 10", "do_while"),
    block("parallel", "parallel-1", step("x"), block("parallel", "deep", step("y"), step("z"))),
    loop("last", step("last")),
)
LINKS = nested(
    "chain-1",
    block("parallel", "parallel-1", step("p"), step("q")),
    step("a_step_with_a_really_long_identifier"),
    kind="chain",
)
SORTING = block("branch", "branch-1", step("store"), step("bad"), mode="first", conditions=["ok"], otherwise="bad")
EVERYTHING = definition(
    step("fetch", catch=step("fall_back"), description="gets it"),
    {"id": "map-1", "kind": "map", "source": "to_report"},
    {"id": "sleep-1", "kind": "sleep", "for": 172800},
    block(
        "parallel",
        "checks",
        step("lint"),
        REVIEW,
        LINKS,
        concurrency=2,
        allow_failure=True,
    ),
    block(
        "branch",
        "route",
        loop("item", step("item"), "n < 3", "do_while"),
        nested("vip", step("call"), {"id": "wait-1", "kind": "wait_for_event", "event": "payment"}),
        mode="all",
        conditions=["total > 1000 and state.region in ['eu', 'us'] and not state.closed", "is_new"],
        catch=step("alert"),
    ),
    loop("rounds", ROUNDS, "state.done", catch=nested("undo", step("undo_all"), step("tell"))),
    foreach("batch", nested("batch", step("load"), SORTING), concurrency=8, collect_errors=True),
    {"id": "sleep-2", "kind": "sleep", "until": 1767225600},
    id="everything",
)


def chain(length: int) -> Part:
    """Steps one after another."""
    return definition(*(step(f"step_{n}") for n in range(length)))


def wide(arms: int) -> Part:
    """A parallel with so many arms."""
    return definition(step("a"), block("parallel", "parallel-1", *(step(f"arm_{n}") for n in range(arms))), step("b"))


def forked(arms: int, **fields: Any) -> Part:
    """A branch with so many arms, each with a condition, but for the last."""
    conditions = [f"region == 'eu-{n}' and size > {n}" for n in range(arms - 1)]
    fields = {"mode": "first", "conditions": conditions, "otherwise": f"arm_{arms - 1}", **fields}
    return definition(
        step("a"), block("branch", "route", *(step(f"arm_{n}") for n in range(arms)), **fields), step("b")
    )


def tower(depth: int) -> Part:
    """Workflows in workflows."""
    inner = step("deepest")
    for level in range(depth):
        inner = nested(f"level_{level}", step("before"), inner)
    return definition(inner)


ALL = {
    "deploy": DEPLOY,
    "everything": EVERYTHING,
    "chain": chain(30),
    "wide": wide(24),
    "tower": tower(10),
    "empty": definition(),
}
NASTY = [
    *(
        "<lambda>",
        "</text><script>alert(1)</script>",
        "<TABLE HREF='javascript:alert(1)'>",
        "<!-- -->",
        "<?xml?>",
        "]]>",
    ),
    *(r"\N", r"\G\L\l\r\n", "\\", '\\\\"', "\"'`", "&amp;", "&#60;b&#62;", "%s{}${x}", "\x00", "a\x01b", "\x7f\x85"),
    *("\u202egnp.exe", "\u2066x\u2069", "\ud800", "x\udfffy", "\u2028", "\ufeff", "\uffff", "\ufdd0", "\U0001d54f"),
    *("z" * 200_000, "🦊🦊🦊", "日本語の名前", "e\u0301" * 50, "عربي", "עברית"),
    *(
        "end",
        "subgraph",
        "1. one",
        "- two",
        "#35;",
        "a|b",
        "x-->y",
        "[x]",
        "{y}",
        "(z)",
        ";",
        "digraph{}",
        "//c",
        "/*c*/",
    ),
    *(
        "\n\n",
        "\t",
        "\r\n",
        " ",
        "a/b",
        "a[]",
        'style="x"',
        "onload=alert(1)",
        "url(#x)",
        "data:text/html,x",
        "@import 'x'",
    ),
    *("file:///etc/passwd", "javascript:alert(1)"),
    *(f"{a}{b}{c}" for a in "<\"'\\&`" for b in ("a", "\x02", "é", "]]>") for c in (">", '"', "'", "\\", ";", "")),
]


class Garden:
    """Definitions grown at random from a seed: every kind in every other."""

    def __init__(self, seed: int) -> None:
        self.random, self.count = random.Random(seed), 0

    def definition(self) -> Part:
        """A whole definition."""
        depth = self.random.randint(1, 2)
        return definition(*(self.part(depth) for _ in range(self.random.randint(1, 5))))

    def id(self) -> str:
        """A new id, short or long."""
        self.count += 1
        return f"s{self.count}" + "x" * self.random.randint(0, 24)

    def part(self, depth: int) -> Part:
        """Anything that can stand in a sequence, with or without a catch arm."""
        makers = [self.sequence, self.parallel, self.branch, self.loop, self.foreach]
        made = self.random.choice(makers)(depth) if depth and self.random.random() < 0.8 else self.step()
        return made | {"catch": self.part(depth - 1 if depth else 0)} if self.random.random() < 0.2 else made

    def step(self) -> Part:
        """A step."""
        return step(self.id())

    def sequence(self, depth: int) -> Part:
        """A workflow or a chain."""
        kind = self.random.choice(["workflow", "chain"])
        return nested(self.id(), *(self.part(depth - 1) for _ in range(self.random.randint(1, 3))), kind=kind)

    def arm(self, depth: int) -> Part:
        """A step, a workflow or a chain."""
        return self.sequence(depth) if self.random.random() < 0.5 else self.step()

    def parallel(self, depth: int) -> Part:
        """A parallel."""
        return block("parallel", self.id(), *(self.arm(depth) for _ in range(self.random.randint(1, 4))), concurrency=2)

    def branch(self, depth: int) -> Part:
        """A branch, with or without an arm for no match."""
        arms = [self.arm(depth) for _ in range(self.random.randint(2, 4))]
        otherwise = {"otherwise": arms[-1]["id"]} if self.random.random() < 0.5 else {}
        conditions = ["c" * self.random.randint(1, 40) for _ in arms[len(otherwise) :]]
        return block("branch", self.id(), *arms, mode="all", conditions=conditions, **otherwise)

    def loop(self, depth: int) -> Part:
        """A loop."""
        body = self.arm(depth)
        return loop(body["id"], body, "z" * self.random.randint(1, 30), max_iterations=self.random.choice([None, 7]))

    def foreach(self, depth: int) -> Part:
        """A foreach."""
        body = self.arm(depth)
        return foreach(body["id"], body, collect_errors=self.random.random() < 0.5)
