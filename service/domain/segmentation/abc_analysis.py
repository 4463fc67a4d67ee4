"""ABC by the share of the whole that an item's betters bring.

Items sorted by total, descending; with T = the sum of the positive totals an item is A while
100 · (sum before it) < 80 · T, B while < 95 · T, else C. Equal totals share the class of the first of them, so
"before" counts strictly greater totals only. Zero and negative totals are of the last class. Whole numbers only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from string import ascii_uppercase
from typing import TypeVar

from service.domain.errors import Rejected

Item = TypeVar("Item")
DEFAULT_BORDERS = (80, 95)
MOST_POINTS = 200


class AbcBordersInvalid(Rejected):
    code = "abc-borders-invalid"
    title = "Borders are two to nine rising whole percents between 1 and 99."


class MarginUnknown(Rejected):
    code = "margin-unknown"
    title = "What goods cost is not recorded, so margins are not known; ask by revenue or orders."


class AbcOver(StrEnum):
    """`channels` are those by which customers came, `sales_channels` those in which they order; curators are the
    present ones."""

    CUSTOMERS = "customers"
    PRODUCTS = "products"
    CATEGORIES = "categories"
    CHANNELS = "channels"
    SALES_CHANNELS = "sales_channels"
    CURATORS = "curators"


class AbcMeasure(StrEnum):
    REVENUE = "revenue"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbcClass:
    """`share` is its part of the sum of positive totals, `items_share` of all items; `least` is the smallest total."""

    name: str
    items: int
    total: int
    least: int | None
    items_share: Decimal | None
    share: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbcItem:
    """`item` is an id or a code, None for what bears none; `place` is shared by equal totals."""

    item: str | None
    name: str | None
    total: int
    place: int
    class_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoPoint:
    """The best `items` of them bring `total` of the sum of positive totals."""

    items: int
    total: int
    items_share: Decimal
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AbcReport:
    """`total` is the sum of the positive totals, `negative` that of the others; `bringers` is the share of items
    that brings the first border's share (x % of the customers bring 80 %)."""

    over: AbcOver
    by: AbcMeasure
    currency: str
    as_of: date
    window_days: int | None
    computed_at: datetime
    borders: tuple[int, ...]
    items: int
    total: int
    negative: int
    classes: tuple[AbcClass, ...]
    top: tuple[AbcItem, ...]
    curve: tuple[ParetoPoint, ...]
    bringers: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSum:
    index: int
    items: int
    total: int
    least: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbcFigures:
    """What storage sums up: `total` and the classes' totals are of positive items, `negative` of the others.

    `enough` is the smallest number of best items whose sum reaches the first border's share of T (0 if T is 0).
    """

    items: int
    total: int
    negative: int
    classes: tuple[ClassSum, ...]
    curve: tuple[tuple[int, int], ...]
    top: tuple[AbcItem, ...]
    enough: int


def measure_of(name: str) -> AbcMeasure:
    """The measure of this name, or a refusal of one that nobody can know."""
    if name == "margin":
        raise MarginUnknown
    return AbcMeasure(name)


def check_borders(borders: Sequence[int]) -> tuple[int, ...]:
    """The borders, or a refusal."""
    rising = all(low < high for low, high in pairwise(borders))
    if not 2 <= len(borders) <= 9 or not rising or borders[0] < 1 or borders[-1] > 99:
        raise AbcBordersInvalid
    return tuple(borders)


def class_name(index: int) -> str:
    """A, B, C …"""
    return ascii_uppercase[index]


def class_index(before: int, total: int, borders: Sequence[int]) -> int:
    """The number of borders that what stands before the item has reached."""
    return sum(100 * before >= border * total for border in borders)


def classify(totals: Mapping[Item, int], borders: Sequence[int] = DEFAULT_BORDERS) -> dict[Item, str]:
    """The class of every item."""
    whole = sum(total for total in totals.values() if total > 0)
    classes: dict[Item, str] = {}
    before = passed = 0
    last: int | None = None
    for item, total in sorted(totals.items(), key=lambda pair: -pair[1]):
        if total != last:
            before, last = passed, total
        passed += max(total, 0)
        index = class_index(before, whole, borders) if total > 0 else len(borders)
        classes[item] = class_name(index)
    return classes


def fewest_for(totals: Iterable[int], percent: int) -> int:
    """How many of the best items it takes to bring that percentage of the sum of positive totals."""
    positive = sorted((total for total in totals if total > 0), reverse=True)
    whole, passed = sum(positive), 0
    for count, total in enumerate(positive, start=1):
        passed += total
        if 100 * passed >= percent * whole:
            return count
    return 0


def report(
    figures: AbcFigures,
    *,
    over: AbcOver,
    by: AbcMeasure,
    borders: Sequence[int],
    currency: str,
    as_of: date,
    window_days: int | None,
    computed_at: datetime,
) -> AbcReport:
    """Shares of the sums; every class is there, empty ones too."""
    sums = {found.index: found for found in figures.classes}
    none = ClassSum(index=0, items=0, total=0, least=None)
    return AbcReport(
        over=over,
        by=by,
        currency=currency,
        as_of=as_of,
        window_days=window_days,
        computed_at=computed_at,
        borders=tuple(borders),
        items=figures.items,
        total=figures.total,
        negative=figures.negative,
        classes=tuple(_class(i, sums.get(i, none), figures) for i in range(len(borders) + 1)),
        top=figures.top,
        curve=tuple(_point(items, total, figures) for items, total in figures.curve),
        bringers=share_of(figures.enough, figures.items) if figures.enough else None,
    )


def _class(index: int, found: ClassSum, figures: AbcFigures) -> AbcClass:
    return AbcClass(
        name=class_name(index),
        items=found.items,
        total=found.total,
        least=found.least,
        items_share=share_of(found.items, figures.items) if figures.items else None,
        share=share_of(found.total, figures.total) if figures.total else None,
    )


def _point(items: int, total: int, figures: AbcFigures) -> ParetoPoint:
    return ParetoPoint(
        items=items, total=total, items_share=share_of(items, figures.items), share=share_of(total, figures.total)
    )


def share_of(part: int, whole: int) -> Decimal:
    """Six decimals, rounded once."""
    return Decimal(round(Fraction(part * 10**6, whole))).scaleb(-6)
