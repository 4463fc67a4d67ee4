"""What the watch over the base needs from storage. Canaries and signals are seen by a role of its own alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.idempotency import Idempotency
from service.domain.leaks.model import Day, Person, Signal
from service.domain.leaks.planting import Portfolio, Seed, Seedling
from service.domain.leaks.thresholds import Thresholds
from service.domain.ports import Journal, Transaction

Card = Mapping[str, Any]
# Of a kind of contact and its normal form, the keyed hash by which it is found.
Lookup = Callable[[str, str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFilter:
    staff_id: UUID | None = None
    kind: str | None = None
    severity: str | None = None
    state: str | None = None
    since: datetime | None = None


class Watch(Protocol):
    async def touched(self, customer_ids: Sequence[UUID], *, by: str) -> None:
        """Tell of the canaries among records that the caller sees in clear; costs the same whether there are any."""
        ...

    async def export_touched(self, export_id: UUID) -> None:
        """The same for the records that have left with an export."""
        ...

    async def signals(self, wanted: SignalFilter, *, before: UUID | None, limit: int) -> Sequence[Card]:
        """The newest first."""
        ...

    async def acknowledge(self, signal_id: UUID, note: str) -> Card | None:
        """The signal as it is then; None where there is none. Once acknowledged, it stays with its first note."""
        ...

    async def look_back(self, staff_id: UUID, since: datetime) -> Card | None:
        """What somebody has done since then, day by day, with exports and signals; None for who is not on the staff."""
        ...


class Canaries(Protocol):
    async def portfolios(self, curator_id: UUID | None) -> Sequence[Portfolio]:
        """The portfolio of a curator, or all that have one; with the canaries that are there already."""
        ...

    async def seeds(self, portfolio: Portfolio, limit: int) -> Sequence[Seed]:
        """Records of the portfolio to make canaries of, drawn at random, those without purchases first."""
        ...

    async def plant(self, portfolio: Portfolio, seedlings: Sequence[Seedling], lookup: Lookup) -> Sequence[UUID]:
        """Write them beside the records they were made of; those that found room, for an external id may be taken."""
        ...

    async def page(self, after: UUID | None, limit: int) -> Sequence[Card]: ...

    async def ids(self) -> Sequence[UUID]:
        """All of the tenant, for what must leave without them."""
        ...

    async def count(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The people of one tenant, each with his day so far, and what the tenant takes for a signal."""

    today: date
    limits: Thresholds
    people: Sequence[tuple[Person, Day]]


class LeaksTransaction(Transaction, Protocol):
    @property
    def leaks(self) -> Watch: ...

    @property
    def canaries(self) -> Canaries: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...


class Observatory(Protocol):
    """All tenants one after another, without a principal: for the worker."""

    async def tenants(self) -> Sequence[int]: ...

    async def gather(self, tenant_id: int) -> Gathered | None:
        """What everybody has done up to now; None where another worker is at it. Raises Unavailable."""
        ...

    async def raise_signals(self, tenant_id: int, today: date, found: Sequence[tuple[UUID, Signal]]) -> Sequence[str]:
        """Keep those that are not kept yet; the kinds of the new ones."""
        ...
