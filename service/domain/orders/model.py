"""Purchases: orders with lines, and refunds.

An order counts when its status is `completed` or `paid` and it is not refunded in full (refunded > 0 and ≥ total).
A refund linked to an order lowers the order's own worth; an unlinked return lowers the customer's total at its own
date. Neither is ever an order. Where a header total and the sum of lines differ, the header wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from service.domain.money import bounded, line_amount, to_micros
from service.domain.orders.errors import TotalMissing

Status = Literal["new", "paid", "completed", "cancelled", "returned"]
COUNTED: frozenset[str] = frozenset({"paid", "completed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as given; the amount is price × quantity unless it is stated."""

    sku: str
    quantity: Decimal
    unit_price: Decimal
    product: str | None = None
    amount: Decimal | None = None

    @property
    def micros(self) -> int:
        if self.amount is not None:
            return to_micros(self.amount)
        return bounded(line_amount(to_micros(self.unit_price), self.quantity))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """An order as given. The buyer is named by id, or by what another system calls him."""

    ordered_at: datetime
    customer_id: UUID | None = None
    customer_external_id: str | None = None
    customer_source: str = ""
    external_id: str | None = None
    source: str = ""
    status: Status = "completed"
    currency: str | None = None
    sales_channel: str | None = None
    total: Decimal | None = None
    lines: Sequence[Line] = ()

    @property
    def micros(self) -> int:
        """The total in micros: the header's where it is stated, else the sum of the lines."""
        if self.total is not None:
            return to_micros(self.total)
        if not self.lines:
            raise TotalMissing
        return bounded(sum(line.micros for line in self.lines))


def counts(status: str, total: int, refunded: int) -> bool:
    """Whether an order counts as a purchase."""
    return status in COUNTED and not (refunded > 0 and refunded >= total)


def day_of(moment: datetime, time_zone: str) -> date:
    """The tenant's day of a moment; a moment without a zone is the tenant's."""
    return in_zone(moment, time_zone).astimezone(ZoneInfo(time_zone)).date()


def in_zone(moment: datetime, time_zone: str) -> datetime:
    """The moment in UTC; without a zone of its own it is read as the tenant's."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time_zone))
    return aware.astimezone(UTC)
