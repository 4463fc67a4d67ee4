"""How a row is measured: both sides once to warm up, then in turn, round by round; what counts is the pairs' ratio.

The order of the sides changes from round to round, so that what one leaves behind (a checkpoint, warm caches, another
program's burst) falls on both. A ratio above 1 means that the service is better, whatever the unit.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.databases import Server

# One measurement: requests a second, or seconds.
Side = Callable[[], float]
Unit = Literal["req/s", "s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    ours: Side
    reference: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: `opened(server, scale)` sets both sides up and takes them down."""

    name: str
    goal: float
    unit: Unit
    opened: Callable[[Server, float], AbstractContextManager[Sides]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Medians of the sides, the median of the pairs' ratios, and the least and greatest of these."""

    name: str
    ours: float
    reference: float
    ratio: float
    goal: float
    unit: Unit
    rounds: int
    spread: tuple[float, float]

    @property
    def reached(self) -> bool:
        return self.ratio >= self.goal

    def stored(self) -> dict[str, Any]:
        return asdict(self)


def timed(work: Callable[[], object]) -> Side:
    """The seconds that the work takes."""

    def once() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return once


def measured(row: Row, sides: Sides, rounds: int, told: Callable[[str], None]) -> Result:
    """Warm both sides up, then measure them in turn; `told` hears of every step."""
    for name, side in (("reference", sides.reference), ("ours", sides.ours)):
        told(f"warming up: {name}")
        side()
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        found: dict[str, float] = {}
        for name in ("ours", "reference") if number % 2 else ("reference", "ours"):
            told(f"round {number + 1}: {name}")
            found[name] = sides.ours() if name == "ours" else sides.reference()
        pairs.append((found["ours"], found["reference"]))
    return _result(row, pairs)


def _result(row: Row, pairs: list[tuple[float, float]]) -> Result:
    ratios = [ours / reference if row.unit == "req/s" else reference / ours for ours, reference in pairs]
    return Result(
        name=row.name,
        ours=round(statistics.median(ours for ours, _ in pairs), 6),
        reference=round(statistics.median(reference for _, reference in pairs), 6),
        ratio=round(statistics.median(ratios), 3),
        goal=row.goal,
        unit=row.unit,
        rounds=len(pairs),
        spread=(round(min(ratios), 3), round(max(ratios), 3)),
    )


def machine() -> str:
    """The processor, its cores and the memory, as one line."""
    model = next(_values("/proc/cpuinfo", "model name"), "unknown processor")
    cores = sum(1 for _ in _values("/proc/cpuinfo", "processor"))
    memory = int(next(_values("/proc/meminfo", "MemTotal"), "0 kB").split()[0]) / 2**20
    return f"{model}, {cores} cores, {memory:.0f} GiB"


def _values(path: str, name: str) -> Any:
    file = Path(path)
    lines = file.read_text().splitlines() if file.exists() else []
    return (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name)
