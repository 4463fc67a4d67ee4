"""What is usual, told so that a few wild days don't change it: the median and the median distance from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

# Makes the median distance comparable with a standard deviation.
_AS_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Usual:
    middle: float = 0.0
    spread: float = 0.0

    def limit(self, *, k: float, share: float, least: float, days: int = 1, rush: float = 1.0) -> float:
        """The most that so many days may add up to: `k` spreads, and at least a share and a number above the usual."""
        expected = self.middle * days * rush
        return expected + max(k * self.spread * sqrt(days) * rush, share * expected, least)


def usual(values: Sequence[float]) -> Usual:
    if not values:
        return Usual()
    middle = median(values)
    return Usual(middle, _AS_SIGMA * median([abs(value - middle) for value in values]))


def rush(now: Sequence[float], normally: Sequence[float]) -> float:
    """How much more than usual everybody does today; never less than one, and not more than three."""
    if len(now) < 5 or not normally:
        return 1.0
    before = median(normally)
    return min(max(median(now) / before, 1.0), 3.0) if before > 0 else 1.0
