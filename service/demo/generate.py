"""A customer base that looks like a real one, the same for the same seed, as files in the service's own format.

There is one file of customers for each team that looks after them, and one of order lines. The truth comes back with
them: how many of what there are, which faults were planted where, and which rows an import has to refuse and why. The
period ends on the day before `as_of`.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from service.demo.catalogue import Product, catalogue
from service.demo.customers import COLUMNS, TEAMS, customers
from service.demo.faults import PlantedFault
from service.demo.purchases import Basket, Buyer, Calendar, Purchase, buyer, purchases

LINE_COLUMNS = (
    "order_id", "customer_id", "ordered_at", "sku", "product", "category", "quantity", "unit_price", "status",
    "sales_channel",
)  # fmt: skip
RETURN_PREFIX = "R-"
CUSTOMER_FILES = {team: f"customers-{number}.csv" for number, team in enumerate(TEAMS, start=1)}
ORDERS_FILE = "order-lines.csv"
_RETURNS, _ANONYMOUS, _MISDATED = 0.01, 0.004, 0.0003


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How large, from which seed, and until when."""

    customers: int = 20_000
    orders: int = 200_000
    seed: int = 1
    as_of: date
    days: int = 3 * 365


@dataclass(slots=True, kw_only=True)
class Truth:
    """What the two files hold; `rejected` counts order lines by the reason that an import has to give."""

    customers: int = 0
    prospects: int = 0
    orders: int = 0
    lines: int = 0
    returns: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    faults: list[PlantedFault] = field(default_factory=list)


def generate(recipe: Recipe, folder: Path) -> Truth:
    """Write the files into the folder."""
    rng = Random(recipe.seed)  # noqa: S311 - a demo has to be repeatable, not secret
    truth = Truth()
    buyers = _write_customers(rng, recipe, truth, folder)
    with _table(folder / ORDERS_FILE, LINE_COLUMNS) as lines:
        lines.writerows(_lines(rng, recipe, truth, buyers))
    return truth


def _write_customers(rng: Random, recipe: Recipe, truth: Truth, folder: Path) -> list[Buyer]:
    buyers = []
    with ExitStack() as opened:
        tables = {team: opened.enter_context(_table(folder / CUSTOMER_FILES[team], COLUMNS)) for team in TEAMS}
        for one in customers(rng, count=recipe.customers, seed=recipe.seed, as_of=recipe.as_of):
            tables[one.team].writerow(one.row.values())
            truth.customers += 1
            if one.fault is not None:
                truth.faults.append(one.fault)
            buys = buyer(rng, one.row["external_id"], organisation=one.organisation, days=recipe.days)
            if buys is not None:
                buyers.append(buys)
    return buyers


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        yield writer


def _lines(rng: Random, recipe: Recipe, truth: Truth, buyers: list[Buyer]) -> Iterator[tuple[object, ...]]:
    calendar = Calendar(recipe.as_of - timedelta(days=recipe.days), recipe.days)
    clerk = _Clerk(rng, recipe, truth, calendar)
    orders = purchases(rng, buyers, calendar, recipe.orders) if buyers else []
    truth.prospects = recipe.customers - len({order.buyer.external_id for order in orders})
    for order in orders:
        yield from clerk.order(order)
        chance = rng.random()
        if chance < _RETURNS:
            yield from clerk.give_back(order)
        elif chance < _RETURNS + _ANONYMOUS:
            yield from clerk.refused(order, "missing-customer")
        elif chance < _RETURNS + _ANONYMOUS + _MISDATED:
            yield from clerk.refused(order, "date-out-of-range")


class _Clerk:
    """Writes documents down and keeps count of them."""

    def __init__(self, rng: Random, recipe: Recipe, truth: Truth, calendar: Calendar) -> None:
        quarters = recipe.days // 91 + 1
        self._rng, self._truth, self._days = rng, truth, recipe.days
        self._basket = Basket(rng, catalogue(rng, quarters=quarters))
        self._dates = [day.isoformat() for day in calendar.dates]
        self._number = 0

    def order(self, order: Purchase) -> Iterator[tuple[object, ...]]:
        """An order of a known customer."""
        self._truth.orders += 1
        status = next(self._basket.statuses)
        if order.day >= self._days - 5 and status == "completed" and self._rng.random() < 0.5:
            status = "new" if order.day >= self._days - 2 else "paid"
        buyer = order.buyer
        return self._document("", buyer.external_id, self._dates[order.day], order, status, 1)

    def give_back(self, order: Purchase) -> Iterator[tuple[object, ...]]:
        """Goods that came back some days later without a word on which order they are of."""
        self._truth.returns += 1
        day = self._dates[min(order.day + self._rng.randrange(1, 21), self._days - 1)]
        return self._document(RETURN_PREFIX, order.buyer.external_id, day, order, "completed", -1)

    def refused(self, order: Purchase, code: str) -> Iterator[tuple[object, ...]]:
        """Rows that no import may take: a till sale to nobody, or a year of five digits."""
        day = self._dates[order.day]
        customer_id = "" if code == "missing-customer" else order.buyer.external_id
        day = day.replace("-", "1-", 1) if code == "date-out-of-range" else day
        for line in self._document("", customer_id, day, order, "completed", 1):
            self._truth.rejected[code] += 1
            yield line

    def _document(
        self, prefix: str, customer_id: str, day: str, order: Purchase, status: str, sign: int
    ) -> Iterator[tuple[object, ...]]:
        self._number += 1
        number = f"{prefix}{self._number:07d}"
        at = f"{day} {order.minute // 60:02d}:{order.minute % 60:02d}:00"
        quarter, basket, organisation = order.day // 91, self._basket, order.buyer.organisation
        channel = next(basket.channels)
        for _ in range(next(basket.sizes)):
            product: Product = next(basket.products)
            self._truth.lines += 1
            yield (
                number, customer_id, at, product.sku, product.name, product.category,
                sign * basket.quantity(organisation), product.prices[quarter], status, channel,
            )  # fmt: skip
