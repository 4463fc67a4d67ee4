"""Who buys what and when: few customers buy a lot, most a little; years, months, weekdays and hours have a pull.

A customer has a first and a last day, so that some are new, some come steadily and many have gone.
"""

from bisect import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from math import exp, log
from random import Random
from typing import TypeVar

from service.demo.catalogue import Catalogue

T = TypeVar("T")

_MONTHS = (0.78, 0.88, 1.02, 0.95, 0.96, 0.90, 0.84, 0.98, 1.03, 1.04, 1.24, 1.46)
_WEEKDAYS = (0.96, 0.94, 0.95, 1.00, 1.14, 1.16, 0.85)
_HOURS = (1, 1, 0, 0, 0, 0, 1, 3, 6, 9, 11, 12, 12, 11, 10, 10, 10, 11, 12, 13, 13, 11, 7, 3)
# Days on which much more is bought than around them: month, day, factor.
_PEAKS = {(2, 22): 1.7, (3, 7): 1.8, (9, 1): 1.3, (11, 27): 2.4, (11, 28): 2.2, (12, 30): 1.6, (1, 1): 0.2}
_GROWTH_A_YEAR = 1.18
_STATUSES = (("completed", 930), ("paid", 8), ("cancelled", 40), ("returned", 22))
_SALES_CHANNELS = (("online", 52), ("store", 31), ("marketplace", 13), ("phone", 4))
_LINES = ((1, 62), (2, 24), (3, 9), (4, 3), (5, 2))
_PROSPECTS = 0.11


@dataclass(frozen=True, slots=True)
class Buyer:
    """A customer with how much they are drawn to buy, and between which days."""

    external_id: str
    weight: float
    first: int
    last: int
    organisation: bool


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order's head; whoever writes it draws its lines."""

    day: int
    minute: int
    buyer: Buyer


class Calendar:
    """Days of the period with their running weights."""

    def __init__(self, first: date, days: int) -> None:
        self.dates = [first + timedelta(days=number) for number in range(days)]
        pulls = [_pull(day, number) for number, day in enumerate(self.dates)]
        self._upto = [0.0, *accumulate(pulls)]

    def draw(self, rng: Random, first: int, last: int) -> int:
        """A day between the two, both included."""
        low, high = self._upto[first], self._upto[last + 1]
        return min(max(bisect(self._upto, low + rng.random() * (high - low)) - 1, first), last)


def _pull(day: date, number: int) -> float:
    trend = exp(log(_GROWTH_A_YEAR) * number / 365)
    return trend * _MONTHS[day.month - 1] * _WEEKDAYS[day.weekday()] * _PEAKS.get((day.month, day.day), 1.0)


def buyer(rng: Random, external_id: str, *, organisation: bool, days: int) -> Buyer | None:
    """How this customer buys; some never do (yet)."""
    if rng.random() < _PROSPECTS:
        return None
    first = 0 if rng.random() < 0.35 else rng.randrange(days)
    # Half of those who come stay with a shop for less than a year and a half.
    stay = rng.expovariate(1 / (1_100 if organisation else 620))
    last = min(days - 1, first + int(stay))
    eagerness = exp(1.25 * min(rng.gauss(0, 1), 2.8)) * (1.6 if organisation else 1.0)
    return Buyer(external_id, eagerness * (last - first + 30) / days, first, last, organisation)


def purchases(rng: Random, buyers: list[Buyer], calendar: Calendar, count: int) -> list[Purchase]:
    """Exactly `count` orders by time; as long as there are enough, every buyer has one."""
    weights = list(accumulate(one.weight for one in buyers))
    chosen = rng.sample(buyers, min(count, len(buyers)))
    chosen += rng.choices(buyers, cum_weights=weights, k=count - len(chosen))
    hours = rng.choices(range(24), weights=_HOURS, k=count)
    made = [
        Purchase(calendar.draw(rng, one.first, one.last), hour * 60 + int(rng.random() * 60), one)
        for one, hour in zip(chosen, hours, strict=True)
    ]
    made.sort(key=lambda order: order.day * 1440 + order.minute)
    return made


class Basket:
    """Draws lines, statuses and channels in blocks, because one at a time is three times as slow."""

    def __init__(self, rng: Random, catalogue: Catalogue) -> None:
        self._rng = rng
        self.products = self._blocks(catalogue.products, catalogue.weights)
        self.sizes = self._blocks([size for size, _ in _LINES], _running(_LINES))
        self.statuses = self._blocks([name for name, _ in _STATUSES], _running(_STATUSES))
        self.channels = self._blocks([name for name, _ in _SALES_CHANNELS], _running(_SALES_CHANNELS))
        self._few = self._blocks((1, 2, 3, 4), (78.0, 93.0, 98.0, 100.0))

    def quantity(self, organisation: bool) -> int:
        """One or two for a person, up to some dozens for an organisation."""
        return 1 + int(self._rng.expovariate(0.25)) if organisation else next(self._few)

    def _blocks(self, values: Iterable[T], weights: Iterable[float]) -> Iterator[T]:
        pool, running = tuple(values), tuple(weights)
        while True:
            yield from self._rng.choices(pool, cum_weights=running, k=4096)


def _running(pairs: Iterable[tuple[object, int]]) -> list[float]:
    return list(accumulate(float(weight) for _, weight in pairs))
