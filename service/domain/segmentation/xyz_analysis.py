"""XYZ by the steadiness of an item's sales from period to period.

Whole past periods are looked at, from that of the item's first sale (a counted order; a return is none) to the last
that ended before `as_of`'s; periods without sales count as zero. Coefficient of variation = population standard
deviation / mean: X < 10 %, Y < 25 %, Z the rest and whatever has a mean of zero or less; with fewer than three periods
an item is `too_short`. A window hides what lies before it: only its whole periods are looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

from service.domain.errors import Rejected
from service.domain.segmentation.basis import Basis

LETTERS = ("X", "Y", "Z", "too_short")
FEWEST_PERIODS = 3
_HIGHEST = 10_000


class XyzBordersInvalid(Rejected):
    code = "xyz-borders-invalid"
    title = "Borders of XYZ are two rising whole percents between 1 and 10000."


class Period(StrEnum):
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class XyzScheme:
    period: Period = Period.MONTH
    borders: tuple[int, ...] = (10, 25)

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in pairwise(self.borders))
        if len(self.borders) != 2 or not rising or self.borders[0] < 1 or self.borders[-1] > _HIGHEST:
            raise XyzBordersInvalid


def number_of(day: date, period: Period) -> int:
    """Periods are numbered without gaps; weeks begin on Mondays."""
    match period:
        case Period.WEEK:
            return (day.toordinal() - 1) // 7
        case Period.MONTH:
            return day.year * 12 + day.month - 1
        case Period.QUARTER:
            return (day.year * 12 + day.month - 1) // 3
    return day.year


def whole_periods(basis: Basis, period: Period) -> tuple[int, int]:
    """The numbers of the first and the last whole past period; there is none when the first is greater."""
    last = number_of(basis.as_of, period) - 1
    if basis.from_on is None or basis.from_on == date.min:
        return 0, last
    return number_of(date.fromordinal(basis.from_on.toordinal() - 1), period) + 1, last


def letter_of(periods: int, total: int, squares: int, borders: Sequence[int]) -> str:
    """The letter, from the number of periods, the sum of their sales and the sum of the squares."""
    if periods < FEWEST_PERIODS:
        return "too_short"
    if total <= 0:
        return "Z"
    # Squared and multiplied out, so that no root and no quotient is rounded: (σ/μ)² = (n·Σx² - S²) / S².
    spread = periods * squares - total * total
    return LETTERS[min(sum(spread * 10_000 >= border * border * total * total for border in borders), 2)]


def xyz(
    sales: Mapping[int, int], first_sale: int | None, periods: tuple[int, int], borders: Sequence[int] = (10, 25)
) -> str:
    """The letter of an item, from its sales by number of period and the period of its first sale."""
    if first_sale is None:
        return "too_short"
    series = [sales.get(number, 0) for number in range(max(first_sale, periods[0]), periods[1] + 1)]
    return letter_of(len(series), sum(series), sum(sold * sold for sold in series), borders)
