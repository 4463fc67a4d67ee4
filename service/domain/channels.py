"""Channels by what they cost and brought: whom a channel won in a period, and for how much.

A record came on the day of its first counted order, or on the day it was entered if that was earlier. It is won when it
has a counted order, or counts as a customer (present or lapsed) by its status; otherwise it is a prospect. Revenue and
value are what those who came in the period have brought since. A cost is spread evenly over its days, both ends
included; the parts of adjoining periods add up to the whole, to the micro. Costs are the whole tenant's, so they are
set against records only where the whole tenant is in reach.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Protocol
from uuid import UUID

from service.domain.errors import NotFound, Rejected

_CENT = 10_000
_WON = ("customer", "lapsed")


class NoChannel(NotFound):
    code = "channel-not-found"
    title = "There is no such acquisition channel."


class NoChannelCost(NotFound):
    code = "channel-cost-not-found"
    title = "The channel has no such cost."


class EndsBeforeItBegins(Rejected):
    code = "period-reversed"
    title = "A period ends on or after the day it begins."


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days from one to another, both included; an end of None is open."""

    from_on: date | None = None
    until_on: date | None = None

    def __post_init__(self) -> None:
        if self.from_on and self.until_on and self.until_on < self.from_on:
            raise EndsBeforeItBegins

    def __contains__(self, day: date) -> bool:
        return (self.from_on is None or self.from_on <= day) and (self.until_on is None or day <= self.until_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a channel cost over some days, in micros."""

    from_on: date
    until_on: date
    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one channel (or none) brought; `cost` is None where costs are not set against the records."""

    channel: Mapping[str, Any] | None
    customers: int
    prospects: int
    revenue: int
    cost: int | None

    @property
    def conversion(self) -> str | None:
        """Customers / all who came, four decimals; None of nobody."""
        came = self.customers + self.prospects
        return str((Decimal(self.customers) / came).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)) if came else None

    @property
    def acquisition_cost(self) -> int | None:
        """Cost / customers won; None when nobody was."""
        return None if self.cost is None else _per(self.cost, self.customers)

    @property
    def value(self) -> int | None:
        """Net revenue / customers won; None when nobody was."""
        return _per(self.revenue, self.customers)


def won(status: str, first_on: date | None) -> bool:
    """Whether a record is a customer rather than a prospect."""
    return first_on is not None or status in _WON


def came_on(entered_on: date, first_on: date | None) -> date:
    """The day on which a record came into the base."""
    return entered_on if first_on is None else min(entered_on, first_on)


def share(cost: Cost, period: Period) -> int:
    """The part of a cost that falls into a period, in micros."""
    days = (cost.until_on - cost.from_on).days + 1

    def until(day: date) -> int:
        passed = min(max((day - cost.from_on).days, 0), days)
        return cost.amount * passed // days

    upper = cost.amount if period.until_on is None else until(period.until_on + timedelta(days=1))
    return upper - (0 if period.from_on is None else until(period.from_on))


def total(lines: Iterable[Line]) -> Line:
    """All channels together."""
    every = list(lines)
    known = [line.cost for line in every if line.cost is not None]
    return Line(
        channel=None,
        customers=sum(line.customers for line in every),
        prospects=sum(line.prospects for line in every),
        revenue=sum(line.revenue for line in every),
        cost=sum(known) if known else None,
    )


def _per(micros: int, customers: int) -> int | None:
    if not customers:
        return None
    return int((Decimal(micros) / customers / _CENT).to_integral_value(ROUND_HALF_EVEN)) * _CENT


class Channels(Protocol):
    """Lists go on after the key of the last row; what is not there is None."""

    async def channel(self, channel_id: UUID) -> Mapping[str, Any] | None: ...

    async def page(self, after: str, limit: int) -> Sequence[Mapping[str, Any]]: ...

    async def add(self, channel_id: UUID, *, code: str, name: str, kind: str) -> None: ...

    async def cost(self, channel_id: UUID, cost_id: UUID) -> Mapping[str, Any] | None: ...

    async def costs(self, channel_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Costs of a channel, those written last first."""
        ...

    async def add_cost(self, channel_id: UUID, cost_id: UUID, cost: Cost) -> None: ...

    async def remove_cost(self, channel_id: UUID, cost_id: UUID) -> Cost | None:
        """The cost that was taken away."""
        ...

    async def report(self, period: Period, currency: str, *, costs: bool) -> tuple[list[Line], int]:
        """A line for each channel by code, those who came without one last; and the costs left out for their currency.

        `costs` says whether they are set against the records at all.
        """
        ...
