"""What must come of a tree, worked out by plain recursion: no engine code, no log, no queue, no time.

Things that run side by side are worked out one by one. That is right because their outcome may not depend on their
order; where a tree's would, :class:`OrderMatters` is raised, and another tree is grown. Questions are first left open:
what fails while others wait for an answer ends their waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.properties import trees
from tests.properties.trees import Act, Branch, Condition, Flow, Foreach, Loop, Map, Node, Parallel, Sleep, Then


class OrderMatters(Exception):
    """The outcome would depend on which of several things comes first."""


class Failed(Exception):
    def __init__(self, type: str, step: str) -> None:
        self.error = {"type": type, "step": step, "message": ""}


class Stuck(Exception):
    """A question is open, and nobody answers."""


class Bailed(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Aborted(Exception):
    pass


@dataclass
class World:
    """What has happened: by path the status, input, output and number of calls."""

    answers: bool = True
    state: dict[str, int] = field(default_factory=lambda: {"total": 0, "last": 0})
    known: bool = True
    """Whether the shared state can be told."""
    status: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    maybe: set[str] = field(default_factory=set)
    """Paths of which nobody can tell how far they come."""


@dataclass
class Expected:
    """The outcome of a run."""

    status: str
    result: Any
    error: Any
    world: World


def expect(flow: Flow, given: Any) -> Expected:
    """What a run comes to. Raises ``OrderMatters``."""
    world = World()
    oracle = Oracle(world)
    try:
        return Expected("success", oracle.flow(flow, "", given, None), None, world)
    except Failed as failed:
        return Expected("failed", None, failed.error, world)
    except Aborted:
        return Expected("canceled", None, None, world)


@dataclass
class Trial:
    """One of several things side by side, worked out in a world of its own."""

    world: World
    value: Any = None
    end: Exception | None = None


class Oracle:
    def __init__(self, world: World) -> None:
        self.world = world

    @contextmanager
    def cell(self, path: str, given: Any) -> Iterator[None]:
        """Note what becomes of a path."""
        world = self.world
        world.inputs[path] = given
        try:
            yield
        except Failed:
            world.status[path] = "failed"
            raise
        except Stuck:
            world.status[path] = "stuck"
            raise
        except (Bailed, Aborted):
            world.status[path] = "canceled"
            raise
        world.status[path] = "success"

    # -- one after another

    def flow(self, flow: Flow, path: str, given: Any, init: Any) -> Any:
        inside = f"{path}/" if path else ""
        value = given
        try:
            for node in flow.nodes:
                value = self.node(node, inside, value, init if flow.chain else given)
        except Bailed as bailed:
            if flow.chain:
                raise
            return bailed.value
        return value

    def arm(self, arm: Act | Flow, path: str, given: Any, init: Any) -> Any:
        try:
            with self.cell(path, given):
                made = self.act(arm, path, given) if isinstance(arm, Act) else self.flow(arm, path, given, init)
        except Bailed:
            if isinstance(arm, Act):
                self.world.status[path] = "bailed"
            raise
        self.world.outputs[path] = made
        return made

    def node(self, node: Node, inside: str, given: Any, init: Any) -> Any:
        try:
            return self.block(node, inside, given, init)
        except Failed as failed:
            catch = None if isinstance(node, (Map, Sleep)) else node.catch
            if catch is None:
                raise
            return self.arm(catch, inside + catch.id, {"input": given, "error": failed.error}, init)

    def block(self, node: Node, inside: str, given: Any, init: Any) -> Any:
        match node:
            case Then():
                return self.arm(node.arm, inside + node.arm.id, given, init)
            case Parallel():
                return self.parallel(node, inside, given, init)
            case Branch():
                return self.branch(node, inside, given, init)
            case Loop():
                return self.loop(node, inside + node.arm.id, given, init)
            case Foreach():
                return self.foreach(node, inside + node.arm.id, given, init)
            case Map():
                with self.cell(inside + node.id, given):
                    return self.map(node, inside, given, init)
            case Sleep():
                with self.cell(inside + node.id, given):
                    return given

    # -- steps and maps

    def act(self, act: Act, path: str, given: Any) -> Any:
        world = self.world
        if act.how == "picky":
            raise Failed("InvalidInput", path)
        if act.asks and not world.answers:
            world.calls[path] = 1
            self.set_state(act, path)
            raise Stuck
        passes = act.asks + 1
        match act.how:
            case "fail":
                world.calls[path] = act.asks + act.tries
                raise Failed("ValueError", path)
            case "flaky":
                world.calls[path] = max(passes, act.tries)
            case _:
                world.calls[path] = passes
        if act.how == "abort":
            raise Aborted
        self.set_state(act, path)
        made = trees.output(act, path, given)
        if act.how == "bail":
            raise Bailed(made)
        return made

    def set_state(self, act: Act, path: str) -> None:
        if act.sets == "total":
            self.world.state["total"] += trees.amount(path)
        elif act.sets:
            self.world.state["last"] = trees.amount(path)

    def map(self, node: Map, inside: str, given: Any, init: Any) -> Any:
        match node.how:
            case "list":
                return trees.items(node.id, node.size, given)
            case "same":
                return given
            case "step":
                return self.output_of(inside + node.of)
            case "dict":
                made = {"fixed": 1, "init": init, "here": trees.digest(node.id, given)}
                return made | {"step": self.output_of(inside + node.of)} if node.of else made
            case "template":
                if not self.world.known:
                    raise OrderMatters
                return f"{trees.WHO} has {self.world.state['total']}"
            case _:
                raise Failed("ConditionFailed", inside + node.id)

    def output_of(self, path: str) -> Any:
        if any(path == maybe or path.startswith((maybe + "/", maybe + "[")) for maybe in self.world.maybe):
            raise OrderMatters
        return self.world.outputs.get(path) if self.world.status.get(path) == "success" else None

    # -- blocks

    def parallel(self, node: Parallel, inside: str, given: Any, init: Any) -> Any:
        paths = [inside + arm.id for arm in node.arms]
        ways = [self.way(arm, path, given, init) for arm, path in zip(node.arms, paths, strict=True)]
        trials = self.side_by_side(ways, paths, node.concurrency, forgives=node.allow_failure)
        return {arm.id: trial.value for arm, trial in zip(node.arms, trials, strict=True)}

    def branch(self, node: Branch, inside: str, given: Any, init: Any) -> Any:
        holds = [self.holds(condition, given, inside + node.id) for condition, _ in node.cases]
        chosen = [arm for (_, arm), hold in zip(node.cases, holds, strict=True) if hold]
        chosen = chosen[:1] if node.first else chosen
        if not chosen and node.otherwise is not None:
            chosen = [node.otherwise]
        for arm in [arm for _, arm in node.cases] + ([node.otherwise] if node.otherwise else []):
            if arm not in chosen:
                self.world.status[inside + arm.id] = "skipped"
        paths = [inside + arm.id for arm in chosen]
        ways = [self.way(arm, path, given, init) for arm, path in zip(chosen, paths, strict=True)]
        trials = self.side_by_side(ways, paths, None, forgives=False)
        return {arm.id: trial.value for arm, trial in zip(chosen, trials, strict=True)}

    def holds(self, condition: Condition, given: Any, path: str) -> bool:
        match condition.kind:
            case "chance":
                return trees.by_chance(condition.id, given)
            case "big" if isinstance(given, dict) and isinstance(given.get("n"), int):
                return bool(given["n"] > 50)
            case "yes" | "no":
                return condition.kind == "yes"
            case _:
                raise Failed("ConditionFailed", path)

    def loop(self, node: Loop, path: str, given: Any, init: Any) -> Any:
        with self.cell(path, given):
            value = given
            for index in range(node.rounds):
                value = self.arm(node.arm, f"{path}[{index}]", value, init)
                if index + 1 < node.rounds and node.limit is not None and index + 1 >= node.limit:
                    raise Failed("LoopLimit", path)
        self.world.outputs[path] = value
        return value

    def foreach(self, node: Foreach, path: str, given: Any, init: Any) -> Any:
        with self.cell(path, given):
            if not isinstance(given, list):
                raise Failed("InvalidInput", path)
            paths = [f"{path}[{index}]" for index in range(len(given))]
            ways = [self.way(node.arm, at, item, init) for at, item in zip(paths, given, strict=True)]
            at_once = node.concurrency or max(1, len(given))
            trials = self.side_by_side(ways, paths, at_once, forgives=node.collect_errors)
            made = [trial.value for trial in trials]
            if node.collect_errors:
                made = [
                    {"error": trial.end.error} if isinstance(trial.end, Failed) else {"ok": trial.value}
                    for trial in trials
                ]
        self.world.outputs[path] = made
        return made

    # -- side by side

    def way(self, arm: Act | Flow, path: str, given: Any, init: Any) -> Callable[[Oracle], Any]:
        return lambda oracle: oracle.arm(arm, path, given, init)

    def side_by_side(
        self, ways: list[Callable[[Oracle], Any]], paths: list[str], at_once: int | None, *, forgives: bool
    ) -> list[Trial]:
        """All of them; raises what ends the block."""
        if at_once == 1 or len(ways) == 1:
            return self.one_by_one(ways, forgives=forgives)
        limited = at_once is not None and at_once < len(ways)
        trials = [self.attempt(way, answers=False) for way in ways]
        stuck = [index for index, trial in enumerate(trials) if isinstance(trial.end, Stuck)]
        full = at_once is not None and len(stuck) >= at_once
        begun = trials[: stuck[at_once - 1] + 1] if full and at_once else trials
        if self.is_over(begun, forgives=forgives):
            self.end(begun, paths, limited=limited, forgives=forgives)
        if stuck and not self.world.answers:
            self.keep(begun)
            raise Stuck
        for index in stuck:
            trials[index] = self.attempt(ways[index], answers=True)
        if self.is_over(trials, forgives=forgives):
            if limited or len(stuck) > 1:
                raise OrderMatters
            self.end(trials, paths, limited=False, forgives=forgives)
        self.keep(trials)
        return trials

    def one_by_one(self, ways: list[Callable[[Oracle], Any]], *, forgives: bool) -> list[Trial]:
        trials = []
        for way in ways:
            trial = Trial(self.world)
            try:
                trial.value = way(self)
            except Failed as failed:
                if not forgives:
                    raise
                trial.end = failed
            trials.append(trial)
        return trials

    def attempt(self, way: Callable[[Oracle], Any], *, answers: bool) -> Trial:
        world = self.world
        trial = Trial(World(answers, dict(world.state), outputs=dict(world.outputs), maybe=set(world.maybe)))
        trial.world.status = dict(world.status)
        try:
            trial.value = way(Oracle(trial.world))
        except Aborted as end:
            raise OrderMatters from end
        except (Failed, Stuck, Bailed) as end:
            trial.end = end
        return trial

    def is_over(self, trials: list[Trial], *, forgives: bool) -> bool:
        return any(isinstance(t.end, Bailed) or (isinstance(t.end, Failed) and not forgives) for t in trials)

    def end(self, trials: list[Trial], paths: list[str], *, limited: bool, forgives: bool) -> None:
        """Something ends the block before its time."""
        bails = [trial for trial in trials if isinstance(trial.end, Bailed)]
        fails = [trial for trial in trials if isinstance(trial.end, Failed) and not forgives]
        stuck = [trial for trial in trials if isinstance(trial.end, Stuck)]
        if len(bails) > 1 or (limited and bails and fails):
            raise OrderMatters
        first = trials.index((bails or fails)[0])
        for index, trial in enumerate(trials):
            if trial is not trials[first] and (bails or (limited and index > first)):
                self.world.maybe.add(paths[index])
                trial.world.known = trial.world.known and trial.world.state == self.world.state
        for trial in stuck:
            for path, status in trial.world.status.items():
                trial.world.status[path] = "canceled" if status == "stuck" else status
        self.keep(trials)
        raise trials[first].end  # type: ignore[misc]

    def keep(self, trials: list[Trial]) -> None:
        """What happened in each of them has happened here."""
        world = self.world
        base = world.state["total"]
        for trial in trials:
            made = trial.world
            world.state["total"] += made.state["total"] - base
            world.known = world.known and made.known
            world.status |= made.status
            world.inputs |= made.inputs
            world.outputs |= made.outputs
            world.calls |= made.calls
            world.maybe |= made.maybe
