"""The customers of the R package `rfm` and the scores that it published for them, in plain Python."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import product
from math import ceil

from tests.shared_data import shared_data

# The day from which the published recencies are counted.
AS_OF = date(2007, 1, 1)
# The published table of segments: the first row that fits is the segment, and what fits none is among the others.
_SEGMENTS = (
    ("Champions", (5, 5), (5, 5), (5, 5)),
    ("Potential Loyalist", (3, 5), (3, 5), (2, 5)),
    ("Loyal Customers", (2, 4), (2, 4), (2, 4)),
    ("Promising", (3, 4), (1, 3), (3, 5)),
    ("New Customers", (4, 5), (1, 3), (1, 5)),
    ("Can't Lose Them", (1, 2), (3, 4), (4, 5)),
    ("At Risk", (1, 2), (2, 5), (4, 5)),
    ("Need Attention", (1, 3), (3, 5), (3, 5)),
    ("About To Sleep", (2, 3), (1, 3), (1, 4)),
    ("Lost", (1, 1), (1, 5), (1, 5)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """As published: totals, scores and segment."""

    number: str
    last_on: date
    orders: int
    recency_days: int
    revenue: int
    scores: tuple[int, int, int]
    segment: str


def customers() -> list[Customer]:
    """All 39 999, totals from the one file and scores from the other."""
    published = {row["customer"]: row for row in _rows("E_expected/rfm_pkg_published_customers.csv.gz")}
    return [
        Customer(
            number=row["customer_id"],
            last_on=date.fromisoformat(row["most_recent_visit"]),
            orders=int(row["number_of_orders"]),
            recency_days=int(row["recency_days"]),
            revenue=int(row["revenue"]),
            scores=(
                told(row, "recency", published),
                told(row, "frequency", published),
                told(row, "monetary", published),
            ),
            segment=published[row["customer_id"]]["segment"],
        )
        for row in _rows("A_transactions/rfm_pkg_customers_39999.csv.gz")
    ]


def told(row: dict[str, str], letter: str, published: dict[str, dict[str, str]]) -> int:
    return int(published[row["customer_id"]][f"{letter}_score"])


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(shared_data(name), "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def fifths(values: list[int]) -> list[Fraction]:
    """The quantiles of R's type 7: between the values to the left and right of (n − 1) · p."""
    ordered = sorted(values)
    found = []
    for k in range(1, 5):
        place = Fraction(k * (len(ordered) - 1), 5)
        low = ordered[place.numerator // place.denominator]
        high = ordered[ceil(place)]
        found.append(low + (place - place.numerator // place.denominator) * (high - low))
    return found


def thresholds(base: list[Customer]) -> dict[str, list[object]]:
    """Our absolute cuts that mean what the package's mean: there a value is in class k + 1 from quantile + 1 on."""
    cuts: dict[str, list[object]] = {
        "recency_days": [ceil(one) + 1 for one in fifths([one.recency_days for one in base])],
        "frequency": [ceil(one) for one in fifths([one.orders for one in base])],
    }
    return {**cuts, "monetary": [str(ceil(one)) for one in fifths([one.revenue for one in base])]}


def groups() -> list[dict[str, object]]:
    """The table as a map of ours: each of the 125 cells in the first row that fits."""
    return [
        {"group": _segment(*cell), **dict(zip("rfm", [[one, one] for one in cell], strict=True))} for cell in _CELLS
    ]


_CELLS = list(product(range(1, 6), repeat=3))


def _segment(r: int, f: int, m: int) -> str:
    for name, *ranges in _SEGMENTS:
        if all(low <= score <= high for score, (low, high) in zip((r, f, m), ranges, strict=True)):
            return name
    return "Others"
