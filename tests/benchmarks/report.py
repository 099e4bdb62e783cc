"""From measurements to a table: medians, ratios within a repetition, and the goals beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.race import Sample
from tests.benchmarks.workloads import COLD, HEATS, Workload

WORKLOADS = {workload.key: workload for heat in (*HEATS, (COLD,)) for workload in heat}
MEMORY_FLOOR, SQLITE_FLOOR, FULL_FLOOR = "floor", "floor-sqlite", "floor-full"
SLACK = 1.05
"""What is meant to cost nothing may cost this much, as a ratio: less cannot be told from noise."""


@dataclass(frozen=True)
class Row:
    """What one workload costs one contender, per step. ``None``: not measured."""

    workload: str
    contender: str
    wall: float | None = None
    fastest: float | None = None
    cpu: float | None = None
    """The median of the CPU time, over all threads of the process."""
    least_cpu: float | None = None
    to_memory: float | None = None
    """CPU time as a multiple of the memory floor's in the same repetition."""
    to_sqlite: float | None = None
    """The same for the SQLite floor; for a contender that syncs every commit, the floor that does so too."""
    written: float | None = None
    stored: float | None = None
    rss: float | None = None
    wrong: int = 0
    note: str = ""


@dataclass(frozen=True)
class Goal:
    """A limit on one number."""

    workload: str
    contender: str
    what: str
    """A number of the row, or one that compares two workloads."""
    limit: float
    against: str = ""
    """The other workload, where the number compares two."""


@dataclass(frozen=True)
class Verdict:
    """A goal and what came out."""

    goal: Goal
    value: float | None

    @property
    def met(self) -> bool:
        """Whether the goal is reached. What was not measured is not."""
        return self.value is not None and self.value <= self.goal.limit


def _pair(workload: str, contender: str, wall: float, floor: str, ratio: float) -> tuple[Goal, Goal]:
    return Goal(workload, contender, "wall", wall), Goal(workload, contender, floor, ratio)


GOALS: tuple[Goal, ...] = (
    *_pair("chain", "ours", 12, "to_memory", 11),
    *_pair("chain", "ours-sqlite", 40, "to_sqlite", 2.5),
    *_pair("chain", "ours-full", 250, "to_sqlite", 1.6),
    *_pair("parallel", "ours", 20, "to_memory", 4.7),
    *_pair("parallel", "ours-sqlite", 40, "to_sqlite", 2),
    *_pair("loop", "ours", 12, "to_memory", 12),
    *_pair("loop", "ours-sqlite", 40, "to_sqlite", 2.5),
    *_pair("foreach", "ours", 12, "to_memory", 11),
    *_pair("foreach", "ours-sqlite", 35, "to_sqlite", 2),
    *_pair("many", "ours", 15, "to_memory", 10),
    *_pair("many", "ours-sqlite", 40, "to_sqlite", 2.3),
    Goal("approval", "ours-sqlite", "wall", 800),
    Goal("payload", "ours", "wall", 2_000),
    Goal("payload", "ours-sqlite", "wall", 5_000),
    Goal("payload", "ours-sqlite", "stored", 1.1e6),  # written twice: to the write-ahead log, and from there
    Goal("payload", "ours-sqlite", "rss", 80),
    Goal("payload-frozen", "ours", "wall", 80),
    Goal("payload-frozen", "ours-sqlite", "wall", 5_000),
    Goal("payload-same", "ours-sqlite", "wall", 2_500),
    Goal("payload-same", "ours-sqlite", "stored", 60_000),  # the input once, 48 KB a step, and little else
    *(
        Goal(workload, contender, what, limit, against)
        for workload, against, limit in (
            ("chain-1000", "chain", 1.1),
            ("chain-10000", "chain", 1.25),
            ("parallel-1000", "parallel", 1.25),
            ("foreach-10000", "foreach", 1.25),
        )
        for contender, what in (("ours", "growth"), ("ours-sqlite", "growth"), ("ours-sqlite", "growth of bytes"))
    ),
    *(Goal("watched", contender, "us per event and reader", 1, "chain-1000") for contender in ("ours", "ours-sqlite")),
    *(Goal("stalled", contender, "growth", SLACK, "chain-1000") for contender in ("ours", "ours-sqlite")),
    *(Goal(COLD.key, contender, "to_memory", 1.6) for contender in ("ours", "ours-sqlite")),
    *(Goal(COLD.key, contender, "rss", 50) for contender in ("ours", "ours-sqlite")),
)


class Results:
    """Measurements, by workload and contender."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.stored: dict[tuple[str, str], float] = {}
        self.notes: dict[tuple[str, str], str] = {}
        self.samples: dict[tuple[str, str], list[Sample]] = defaultdict(list)
        for sample in samples:
            key = sample["workload"], sample["contender"]
            if "stored" in sample:
                self.stored[key] = sample["stored"]
            elif "cpu_us" in sample:
                self.samples[key].append(sample)
            else:
                self.samples.setdefault(key, [])
                self.notes[key] = sample.get("absent") or f"failed: {sample['error']}"

    def rows(self) -> list[Row]:
        """The table's lines: workloads in their order, contenders as they were asked."""
        order = list(WORKLOADS)
        return [self.row(*key) for key in sorted(self.samples, key=lambda key: order.index(key[0]))]

    def row(self, workload: str, contender: str) -> Row:
        """One line."""
        samples = self.samples[workload, contender]
        if not samples:
            return Row(workload, contender, note=self.notes[workload, contender])
        sqlite = FULL_FLOOR if contender.endswith("-full") else SQLITE_FLOOR
        return Row(
            workload,
            contender,
            wall=median(sample["wall_us"] for sample in samples),
            fastest=min(sample["wall_us"] for sample in samples),
            cpu=median(sample["cpu_us"] for sample in samples),
            least_cpu=min(sample["cpu_us"] for sample in samples),
            to_memory=self.ratio(samples, (workload, MEMORY_FLOOR)),
            to_sqlite=self.ratio(samples, (workload, sqlite)),
            written=median(sample["written"] for sample in samples) if "written" in samples[0] else None,
            stored=self.stored.get((workload, contender)),
            rss=max(sample["rss_mb"] for sample in samples),
            wrong=sum(sample["wrong"] for sample in samples),
            note=self.notes.get((workload, contender), ""),
        )

    def ratio(self, samples: list[Sample], other: tuple[str, str], what: str = "cpu_us") -> float | None:
        """How many times more than another's, as the median over the repetitions."""
        return self.compare(samples, other, lambda mine, its: mine[what] / its[what] if its[what] else None)

    def compare(
        self, samples: list[Sample], other: tuple[str, str], function: Callable[[Sample, Sample], float | None]
    ) -> float | None:
        """The median of a function of two measurements of the same repetition."""
        others = {sample["repetition"]: sample for sample in self.samples.get(other, ())}
        found = [function(sample, others[sample["repetition"]]) for sample in samples if sample["repetition"] in others]
        numbers = [number for number in found if number is not None]
        return median(numbers) if numbers else None

    def verdicts(self) -> list[Verdict]:
        """What became of each goal whose workload was run."""
        return [Verdict(goal, self.value(goal)) for goal in GOALS if (goal.workload, goal.contender) in self.samples]

    def value(self, goal: Goal) -> float | None:
        """The number that a goal limits."""
        key = goal.workload, goal.contender
        samples, other = self.samples[key], (goal.against, goal.contender)
        match goal.what:
            case "growth":
                return self.ratio(samples, other)
            case "growth of bytes":
                return self.ratio(samples, other, "written")
            case "us per event and reader":
                readers = WORKLOADS[goal.workload].viewers
                return self.compare(samples, other, lambda watched, alone: _per_event(watched, alone, readers))
            case _:
                number: float | None = getattr(self.row(*key), goal.what)
                return number


def _per_event(watched: Sample, alone: Sample, readers: int) -> float | None:
    runs = watched["steps"] / WORKLOADS[watched["workload"]].steps
    more = (watched["cpu_us"] - alone["cpu_us"]) * watched["steps"]
    return more / (runs * watched["events"] * readers) if watched["events"] else None


# -- as text

COLUMNS = ("contender", "us/step", "min", "CPU", "min CPU", "x memory", "x sqlite", "B written", "B stored", "RSS MB")
MARKS = {True: "✓", False: "✗"}
UNITS = {"wall": "us/step", "to_memory": "x memory", "to_sqlite": "x sqlite", "stored": "B stored", "rss": "MB"}


def table(results: Results) -> str:
    """Everything, for people."""
    rows, verdicts = results.rows(), results.verdicts()
    parts = [
        _block(workload, [row for row in rows if row.workload == key], verdicts) for key, workload in WORKLOADS.items()
    ]
    missed = sum(not verdict.met for verdict in verdicts)
    parts.append(f"{len(verdicts) - missed} of {len(verdicts)} goals met")
    return "\n\n".join(part for part in parts if part)


def _block(workload: Workload, rows: list[Row], verdicts: list[Verdict]) -> str:
    if not rows:
        return ""
    lines = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    text = [f"{workload.key}: {workload.title}"]
    for line, tail in zip(lines, ["", *(_tail(row, verdicts) for row in rows)], strict=True):
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        text.append("  ".join([f"  {line[0].ljust(widths[0])}", *cells, tail]).rstrip())
    return "\n".join(text)


def _tail(row: Row, verdicts: list[Verdict]) -> str:
    goals = [_goal(verdict) for verdict in verdicts if _key(verdict.goal) == _key(row)]
    wrong = [f"{row.wrong} WRONG ANSWERS"] if row.wrong else []
    return "   ".join([*filter(None, [row.note]), *wrong, *goals])


def _key(of: Row | Goal) -> tuple[str, str]:
    return of.workload, of.contender


def _cells(row: Row) -> tuple[str, ...]:
    times = (row.wall, row.fastest, row.cpu, row.least_cpu)
    return row.contender, *map(short, (*times, row.to_memory, row.to_sqlite, row.written, row.stored, row.rss))


def _goal(verdict: Verdict) -> str:
    goal = verdict.goal
    unit = UNITS.get(goal.what, goal.what)
    against = f" over {goal.against}" if goal.what.startswith("growth") else ""
    shown = f" ({short(verdict.value)})" if goal.what not in UNITS else ""
    return f"{MARKS[verdict.met]} {unit}{against} ≤ {short(goal.limit)}{shown}"


def short(number: float | None) -> str:
    """A number in three digits or so."""
    if number is None:
        return "-"
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"
