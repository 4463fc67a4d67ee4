"""What the Online Retail file holds by the definitions, in plain Python from the file alone: no code of the service."""

import csv
import gzip
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

GROUPS = {
    "hibernating": {(1, 1), (1, 2), (2, 1), (2, 2)},
    "at_risk": {(1, 3), (1, 4), (2, 3), (2, 4)},
    "cant_lose": {(1, 5), (2, 5)},
    "about_to_sleep": {(3, 1), (3, 2)},
    "need_attention": {(3, 3)},
    "loyal": {(3, 4), (3, 5), (4, 4), (4, 5)},
    "promising": {(4, 1)},
    "new": {(5, 1)},
    "potential_loyalist": {(4, 2), (4, 3), (5, 2), (5, 3)},
    "champions": {(5, 4), (5, 5)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """Lines of one number: who, the earliest time, and the sum (of a return: what went back, below zero)."""

    customer: str
    at: datetime
    amount: Decimal
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    lines: int
    without_customer: int
    doubles: int
    customers: set[str]
    invoices: dict[str, Invoice]

    @property
    def orders(self) -> dict[str, Invoice]:
        return {number: one for number, one in self.invoices.items() if not number.startswith("C")}

    @property
    def returns(self) -> dict[str, Invoice]:
        return {number: one for number, one in self.invoices.items() if number.startswith("C")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    days: int
    orders: int
    money: Decimal
    r: int
    f: int
    m: int
    group: str


def read(path: Path) -> File:
    """The file, line by line."""
    lines = doubles = without = 0
    seen: set[tuple[str, ...]] = set()
    found: dict[str, list[tuple[str, datetime, Decimal]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            lines += 1
            if not row["CustomerID"]:
                without += 1
                continue
            doubles += tuple(row.values()) in seen
            seen.add(tuple(row.values()))
            amount = Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
            customer = row["CustomerID"].removesuffix(".0")
            found[row["InvoiceNo"]].append((customer, datetime.fromisoformat(row["InvoiceDate"]), amount))
    invoices = {number: _invoice(rows) for number, rows in found.items()}
    return File(
        lines=lines,
        without_customer=without,
        doubles=doubles,
        customers={one.customer for one in invoices.values()},
        invoices=invoices,
    )


def _invoice(rows: list[tuple[str, datetime, Decimal]]) -> Invoice:
    (customer,) = {customer for customer, _, _ in rows}
    times = {at for _, at, _ in rows}
    return Invoice(customer=customer, at=min(times), amount=sum((a for _, _, a in rows), Decimal(0)), times=len(times))


def net(file: File) -> dict[str, Decimal]:
    """Money by customer, returns netted (they stand below zero in the file)."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one in file.invoices.values():
        sums[one.customer] += one.amount
    return dict(sums)


def rfm(file: File, as_of: date) -> tuple[dict[str, Scored], dict[str, list[Decimal]]]:
    """Every customer who has ordered, with scores in fifths; and the cuts, from worse to better."""
    count = Counter(one.customer for one in file.orders.values())
    last: dict[str, date] = {}
    for one in file.orders.values():
        last[one.customer] = max(last.get(one.customer, date.min), one.at.date())
    money = net(file)
    letters = {
        "r": {c: Decimal(-(as_of - last[c]).days) for c in count},  # turned over: more is better
        "f": {c: Decimal(count[c]) for c in count},
        "m": {c: money[c] for c in count},
    }
    cuts = {letter: _cuts(list(values.values())) for letter, values in letters.items()}
    scores = {
        letter: {c: _score(v, values, cuts[letter]) for c, v in values.items()} for letter, values in letters.items()
    }
    scored = {}
    for c in count:
        r, f, m = (scores[letter][c] for letter in "rfm")
        (group,) = [name for name, cells in GROUPS.items() if (r, f) in cells]
        scored[c] = Scored(days=(as_of - last[c]).days, orders=count[c], money=money[c], r=r, f=f, m=m, group=group)
    return scored, cuts


def _cuts(values: list[Decimal]) -> list[Decimal]:
    """The fifths by percentile_disc: the first value at or beyond the share."""
    ordered = sorted(values)
    found = []
    for k in range(1, 5):
        share = Fraction(k, 5)
        found.append(next(v for place, v in enumerate(ordered, 1) if Fraction(place, len(ordered)) >= share))
    return found


def _score(value: Decimal, letter: dict[str, Decimal], cuts: list[Decimal]) -> int:
    if value == max(letter.values()) != min(letter.values()):
        return 5
    return 1 + sum(cut < value for cut in cuts)


def abc(totals: dict[str, Decimal]) -> dict[str, str]:
    """The class of each item: A while what stands before it is below 80 % of the positive sum, B below 95 %."""
    whole = sum((total for total in totals.values() if total > 0), Decimal(0))
    classes: dict[str, str] = {}
    before, shown = Decimal(0), ("", Decimal(0))
    for item, total in sorted(totals.items(), key=lambda pair: -pair[1]):
        if total <= 0:
            classes[item] = "C"
        elif classes and total == shown[1]:
            classes[item] = shown[0]
        else:
            classes[item] = "A" if 100 * before < 80 * whole else "B" if 100 * before < 95 * whole else "C"
        shown = (classes[item], total)
        before += total
    return classes
