"""RFM: customers scored 1…n by the day of the last counted order, the number of them and the money they brought.

Each letter is a whole number of which more is better: recency is the ordinal of the last day, money is in micros
(`average` = revenue divided by orders, rounded down to whole micros). Score = 1 + the number of cuts strictly worse
than the value, so equal values always share a score. Where cuts come from the data (`quantile`, `equal_width`) the
best value scores n; a letter with one distinct value is undistinguished: R = n, F = M = 1. `thresholds` are absolute
and keep their word. `ntile` splits ties by customer id; it exists to reproduce tables made that way.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from service.domain.errors import Rejected
from service.domain.segmentation.rfm_groups import DEFAULT_GROUPS, GroupMap

LETTERS = ("recency", "frequency", "monetary")
_MOST_BINS = 10
_LONGEST = 100_000
_LARGEST = 2**62


class RfmSchemeInvalid(Rejected):
    code = "rfm-scheme-invalid"
    title = "The RFM scheme contradicts itself."


class Method(StrEnum):
    QUANTILE = "quantile"
    THRESHOLDS = "thresholds"
    EQUAL_WIDTH = "equal_width"
    NTILE = "ntile"


class Monetary(StrEnum):
    SUM = "sum"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Absolute cuts, n − 1 of each letter: a customer who only reaches a cut stays below it.

    With `recency_days` (30, 60, 90, 180) R = 5 means fewer than 30 days ago; with `frequency` (1, 2, 4, 9) F = 2
    means two orders; `monetary` is in micros.
    """

    recency_days: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmScheme:
    """How a base is scored; without `currency` the tenant's, without `as_of` today."""

    bins: int = 5
    method: Method = Method.QUANTILE
    monetary: Monetary = Monetary.SUM
    window_days: int | None = None
    currency: str | None = None
    as_of: date | None = None
    thresholds: Thresholds | None = None
    trimmed_share: Fraction = Fraction(0)
    groups: GroupMap = DEFAULT_GROUPS

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= _MOST_BINS:
            raise RfmSchemeInvalid("Scores run from 1 to a number between 2 and 10.", pointer="/bins")
        if self.groups.bins != self.bins:
            detail = f"The map of groups is for {self.groups.bins} scores, the scheme has {self.bins}."
            raise RfmSchemeInvalid(detail, pointer="/groups")
        if not 0 <= self.trimmed_share < Fraction(1, 2) or self.trimmed_share.denominator > 10_000:
            detail = "The trimmed share is at least 0, below 0.5, and has at most four decimals."
            raise RfmSchemeInvalid(detail, pointer="/trimmed")
        if (self.method is Method.THRESHOLDS) != (self.thresholds is not None):
            detail = "Thresholds are given with the method `thresholds`, and only then."
            raise RfmSchemeInvalid(detail, pointer="/thresholds")
        if self.thresholds is not None:
            _check(self.thresholds, self.bins)


def _check(thresholds: Thresholds, bins: int) -> None:
    letters = (thresholds.recency_days, thresholds.frequency, thresholds.monetary)
    for name, values in zip(("recency_days", "frequency", "monetary"), letters, strict=True):
        if len(set(values)) != bins - 1 or len(values) != bins - 1:
            detail = f"The letter {name} needs {bins - 1} different thresholds."
            raise RfmSchemeInvalid(detail, pointer=f"/thresholds/{name}")
        if max(map(abs, values)) > _LARGEST:
            raise RfmSchemeInvalid(f"A threshold of {name} is too large.", pointer=f"/thresholds/{name}")
    if not all(0 <= days <= _LONGEST for days in thresholds.recency_days):
        raise RfmSchemeInvalid("Thresholds of recency are days from 0 to 100000.", pointer="/thresholds/recency_days")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The wanted quantiles of one letter, and its extremes (exact, or any value beyond the same quantiles)."""

    worst: int
    best: int
    quantiles: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How the values of the population lie; without a population there are no spreads."""

    population: int = 0
    recency: Spread | None = None
    frequency: Spread | None = None
    monetary: Spread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterCuts:
    """The cuts from worse to better, and the least value of each score from 2 to n."""

    cuts: tuple[int, ...]
    floors: tuple[int, ...]
    undistinguished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    recency: LetterCuts
    frequency: LetterCuts
    monetary: LetterCuts

    @property
    def undistinguished(self) -> tuple[str, ...]:
        """The letters that can't tell customers apart."""
        return tuple(
            name
            for name, letter in zip(LETTERS, (self.recency, self.frequency, self.monetary), strict=True)
            if letter.undistinguished
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Scores by tiles of equal size instead of cuts: ordered by value, ties by customer id."""

    bins: int


def monetary_value(kind: Monetary, revenue: int, orders: int) -> int:
    """The money of one customer: the sum, or revenue / orders rounded down to whole micros."""
    return revenue if kind is Monetary.SUM else revenue // orders


def percentile_disc(ordered: Sequence[int], fraction: Fraction) -> int:
    """The value at place ⌈fraction · N⌉ (the first place for 0): PostgreSQL's `percentile_disc`, without floats."""
    place = max(1, -(-fraction.numerator * len(ordered) // fraction.denominator))
    return ordered[place - 1]


def wanted_fractions(scheme: RfmScheme) -> tuple[Fraction, ...]:
    """The quantiles from which the method makes its cuts."""
    match scheme.method:
        case Method.QUANTILE:
            return tuple(Fraction(k, scheme.bins) for k in range(1, scheme.bins))
        case Method.EQUAL_WIDTH:
            return scheme.trimmed_share, 1 - scheme.trimmed_share
    return ()


def cuts(distribution: Distribution, scheme: RfmScheme, as_of: date) -> Cuts:
    """The cuts of the scheme over this population; an empty one has none."""
    if scheme.thresholds is not None:
        return _absolute(scheme.thresholds, as_of)
    spreads = distribution.recency, distribution.frequency, distribution.monetary
    none = LetterCuts(cuts=(), floors=())
    recency, frequency, monetary = (
        _relative(spread, scheme, only=scheme.bins if name == "recency" else 1) if spread else none
        for name, spread in zip(LETTERS, spreads, strict=True)
    )
    return Cuts(recency=recency, frequency=frequency, monetary=monetary)


def _absolute(thresholds: Thresholds, as_of: date) -> Cuts:
    days = (max(as_of.toordinal() - days, 1) for days in thresholds.recency_days)
    letters = (sorted(values) for values in (days, thresholds.frequency, thresholds.monetary))
    recency, frequency, monetary = (
        LetterCuts(cuts=tuple(values), floors=tuple(value + 1 for value in values)) for values in letters
    )
    return Cuts(recency=recency, frequency=frequency, monetary=monetary)


def _relative(spread: Spread, scheme: RfmScheme, *, only: int) -> LetterCuts:
    """Cuts of one letter from its spread; `only` is the score where there is one distinct value."""
    found = spread.quantiles if scheme.method is Method.QUANTILE else _equal_width(spread.quantiles, scheme.bins)
    if spread.worst == spread.best:
        floor = spread.best if only > 1 else spread.best + 1
        return LetterCuts(cuts=found, floors=(floor,) * len(found), undistinguished=True)
    # A cut that equals the best value would keep the best from its n: no value lies above it.
    return LetterCuts(cuts=found, floors=tuple(min(cut + 1, spread.best) for cut in found))


def _equal_width(ends: tuple[int, ...], bins: int) -> tuple[int, ...]:
    low, high = ends
    return tuple(low + (high - low) * k // bins for k in range(1, bins))


def score(value: int, letter: LetterCuts) -> int:
    """1 + the number of cuts strictly worse than the value; the best value of several scores n."""
    return 1 + bisect_right(letter.floors, value)


def ntile(place: int, population: int, bins: int) -> int:
    """The tile of a 0-based place: the first `population mod bins` tiles are one longer."""
    size, longer = divmod(population, bins)
    if place < longer * (size + 1):
        return place // (size + 1) + 1
    return longer + (place - longer * (size + 1)) // size + 1
