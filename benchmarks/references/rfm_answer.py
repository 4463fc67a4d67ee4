"""What a reference to `rfm.report` has to say: the cuts of three letters, and the sums of every cell of R × F."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

BINS = 5
# Order by order, what counts; money brought back without an order is not in this base.
COUNTED = "status IN ('paid', 'completed') AND NOT (refunded > 0 AND refunded >= total)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSums:
    r: int
    f: int
    customers: int
    revenue: int
    orders: int
    recency_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The cuts from worse to better: days, numbers of orders, money."""

    last_on: tuple[date, ...]
    orders: tuple[int, ...]
    revenue: tuple[int, ...]
    cells: tuple[CellSums, ...]


def answer(rows: Iterable[tuple[int, ...]], last_on: list[date], orders: list[int], revenue: list[int]) -> Answer:
    """Of rows (r, f, customers, revenue, orders, recency_days), whatever whole numbers the engine speaks."""
    cells = (
        CellSums(r=int(r), f=int(f), customers=int(n), revenue=int(money), orders=int(many), recency_days=int(days))
        for r, f, n, money, many, days in rows
    )
    return Answer(last_on=tuple(last_on), orders=tuple(orders), revenue=tuple(revenue), cells=tuple(cells))


def score(value: str, cuts: str) -> str:
    """1 + the number of cuts below the value, as SQL; comparisons cost less than width_bucket."""
    return "1 + " + " + ".join(f"({value} > {cuts}[{k}])::int" for k in range(1, BINS))
