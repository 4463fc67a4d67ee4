"""RFM by every method as the definitions put it, in plain Python: no code of the service.

Values are numbers of which more is better: days with a minus, orders, money in millionths. Who has the best of several
values has the best score where cuts come from the data; a letter with one value only tells nobody apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any
from uuid import UUID

BEST = 5
LETTERS = ("r", "f", "m")
# What is asked for besides the method: the query, and what it means here.
ASKED: tuple[dict[str, str], ...] = (
    {"method": "quantile"},
    {"method": "quantile", "monetary": "average"},
    {"method": "equal_width"},
    {"method": "equal_width", "trimmed": "0.05"},
    {"method": "equal_width", "trimmed": "0.1", "monetary": "average"},
    {"method": "ntile"},
    {
        "method": "thresholds",
        "recency_days": "20,60,120,400",
        "frequency": "1,2,4,9",
        "monetary_cuts": "25,75.5,300,900",
    },
    {"method": "quantile", "window": "90d"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """Of one customer, on the days that are asked for: money in millionths."""

    days: int
    orders: int
    money: int


def scores(base: Mapping[str, Bought], asked: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """The letters of every customer (by our id, which breaks the ties of tiles)."""
    average = asked.get("monetary") == "average"
    columns: list[dict[str, int]] = [
        {one: -bought.days for one, bought in base.items()},
        {one: bought.orders for one, bought in base.items()},
        {one: bought.money // bought.orders if average else bought.money for one, bought in base.items()},
    ]
    found = [_letter(letter, column, asked) for letter, column in zip(LETTERS, columns, strict=True)]
    return {one: tuple(letter[one] for letter in found) for one in base}


def _letter(letter: str, column: dict[str, int], asked: Mapping[str, str]) -> dict[str, int]:
    match asked["method"]:
        case "ntile":
            return _tiles(column)
        case "thresholds":
            cuts = _thresholds(letter, asked)
            return {one: 1 + sum(value > cut for cut in cuts) for one, value in column.items()}
    ordered = sorted(column.values())
    cuts = _fifths(ordered) if asked["method"] == "quantile" else _even(ordered, Fraction(asked.get("trimmed", "0")))
    if ordered[0] == ordered[-1]:
        return dict.fromkeys(column, BEST if letter == "r" else 1)
    return {
        one: BEST if value == ordered[-1] else 1 + sum(cut < value for cut in cuts) for one, value in column.items()
    }


def _at(ordered: list[int], share: Fraction) -> int:
    """The first value at or beyond the share."""
    return next(value for place, value in enumerate(ordered, 1) if Fraction(place, len(ordered)) >= share)


def _fifths(ordered: list[int]) -> list[int]:
    return [_at(ordered, Fraction(k, BEST)) for k in range(1, BEST)]


def _even(ordered: list[int], trimmed: Fraction) -> list[int]:
    """Four whole numbers that part the way between the ends evenly."""
    low, high = _at(ordered, trimmed), _at(ordered, 1 - trimmed)
    return [low + floor(Fraction((high - low) * k, BEST)) for k in range(1, BEST)]


def _tiles(column: dict[str, int]) -> dict[str, int]:
    """Five tiles of equal size, the first ones longer by one where it does not come out even; ties by our id."""
    order = sorted(column, key=lambda one: (column[one], UUID(one).int))
    sizes = [len(order) // BEST + (tile < len(order) % BEST) for tile in range(BEST)]
    tiles = [tile for tile, size in enumerate(sizes, 1) for _ in range(size)]
    return dict(zip(order, tiles, strict=True))


def _thresholds(letter: str, asked: Mapping[str, str]) -> list[int]:
    texts = asked[{"r": "recency_days", "f": "frequency", "m": "monetary_cuts"}[letter]].split(",")
    if letter == "m":
        return [int(Fraction(text) * 1_000_000) for text in texts]
    # Fewer days are better: who is at the threshold has not reached it.
    return [-int(text) for text in texts] if letter == "r" else [int(text) for text in texts]


def shown(pages: Any) -> tuple[dict[str, tuple[int, ...]], dict[str, Bought]]:
    """What the service answers for each customer: scores, and the values behind them."""
    found = {one["customer_id"]: one for one in pages}
    return (
        {one: tuple(row[letter] for letter in LETTERS) for one, row in found.items()},
        {
            one: Bought(days=row["recency_days"], orders=row["orders"], money=int(Fraction(row["revenue"]) * 1_000_000))
            for one, row in found.items()
        },
    )
