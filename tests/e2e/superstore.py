"""A second computation of ABC and XYZ over the Superstore file, in plain Python; it shares nothing with the service."""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

DIMENSIONS = ("customers", "products", "categories")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    order: str
    day: date
    customer: str
    product: str
    category: str
    amount: Decimal

    def item(self, over: str) -> str:
        return {"customers": self.customer, "products": self.product, "categories": self.category}[over]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    total: Decimal
    class_name: str
    letter: str
    periods: int


def read(path: Path) -> list[Line]:
    """The lines of the file but those whose customer is another than that of the order's first line."""
    lines = _lines(path)
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(line.order, line.customer)
    return [line for line in lines if first[line.order] == line.customer]


def _lines(path: Path) -> list[Line]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            Line(
                order=row["Order ID"],
                day=_day(row["Order Date"]),
                customer=row["Customer ID"],
                product=row["Product ID"],
                category=row["Category"],
                amount=Decimal(row["Sales"]),
            )
            for row in csv.DictReader(file)
        ]


def _day(text: str) -> date:
    day, month, year = map(int, text.split("/"))
    return date(2000 + year, month, day)


def judged(lines: Iterable[Line], over: str, by: str, as_of: date, days: int | None, period: str) -> dict[str, Judged]:
    """Every item with its class and letter."""
    sales = _by_day(lines, over, by, as_of, days)
    totals = {item: sum(of_day.values(), Decimal(0)) for item, of_day in sales.items()}
    classes = _abc(totals)
    found = {}
    for item, of_day in sales.items():
        series = _series(of_day, as_of, days, period)
        found[item] = Judged(total=totals[item], class_name=classes[item], letter=_letter(series), periods=len(series))
    return found


def matrix(found: Mapping[str, Judged]) -> dict[tuple[str, str], tuple[int, Decimal]]:
    cells: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for one in found.values():
        items, total = cells.get((one.class_name, one.letter), (0, Decimal(0)))
        cells[one.class_name, one.letter] = items + 1, total + one.total
    return cells


def _by_day(lines: Iterable[Line], over: str, by: str, as_of: date, days: int | None) -> dict[str, dict[date, Decimal]]:
    sales: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    seen = set()
    for line in lines:
        if line.day > as_of or (days is not None and line.day <= as_of - timedelta(days=days)):
            continue
        if by == "revenue":
            sales[line.item(over)][line.day] += line.amount
        elif (line.item(over), line.order) not in seen:
            seen.add((line.item(over), line.order))
            sales[line.item(over)][line.day] += 1
    return sales


def _abc(totals: Mapping[str, Decimal]) -> dict[str, str]:
    whole = sum(totals.values(), Decimal(0))
    falling = sorted(totals.values(), reverse=True)
    before: dict[Decimal, Decimal] = {}
    passed = Decimal(0)
    for total in falling:
        before.setdefault(total, passed)
        passed += total
    return {
        item: "A" if 100 * before[total] < 80 * whole else "B" if 100 * before[total] < 95 * whole else "C"
        for item, total in totals.items()
    }


def _series(of_day: Mapping[date, Decimal], as_of: date, days: int | None, period: str) -> list[Decimal]:
    """Sales by whole past periods, walked one after another from the first sale."""
    first = _begin(min(of_day), period)
    if days is not None and first <= as_of - timedelta(days=days):
        first = _next(first, period)
    series = []
    while _next(first, period) <= as_of:
        following = _next(first, period)
        series.append(sum((sold for day, sold in of_day.items() if first <= day < following), Decimal(0)))
        first = following
    return series


def _begin(day: date, period: str) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else date(day.year, 1 + (day.month - 1) // 3 * 3, 1)


def _next(begin: date, period: str) -> date:
    if period == "week":
        return begin + timedelta(days=7)
    months = begin.month + (1 if period == "month" else 3)
    return date(begin.year + (months > 12), months - 12 if months > 12 else months, 1)


def _letter(series: list[Decimal]) -> str:
    if len(series) < 3:
        return "too_short"
    values = [Fraction(one) for one in series]
    mean = sum(values) / len(values)
    if mean <= 0:
        return "Z"
    variance = sum((one - mean) ** 2 for one in values) / len(values)
    exact = variance / mean**2
    # The root of the squared coefficient, where floats can tell; the fraction itself at the borders.
    rough = math.sqrt(exact)
    if min(abs(rough - 0.10), abs(rough - 0.25)) > 1e-9:
        return "X" if rough < 0.10 else "Y" if rough < 0.25 else "Z"
    return "X" if exact < Fraction(1, 100) else "Y" if exact < Fraction(1, 16) else "Z"
