"""What hand-overs need from storage.

What moves records runs as the role of the whole tenant, within the bounds that the domain has decided; what reads a
portfolio sees what the caller reaches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from service.domain.assignments.model import Bounds, Person, Receiver, Selection, Spread
from service.domain.assignments.portfolio import Portfolio
from service.domain.idempotency import Idempotency
from service.domain.ports import Journal, Transaction
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.ports import Purchases
from service.domain.segmentation.rfm import Cuts
from service.domain.staff import Staff

Card = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one receiver gets: records that move to him, those he had already, and their revenue in micros."""

    receiver: int
    moved: int
    unchanged: int
    revenue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What an undo gave back, and what it left where it has gone since (at most 1 000 of the ids)."""

    returned: int
    kept: int
    kept_ids: Sequence[UUID]


class Assignments(Protocol):
    async def person(self, staff_id: UUID) -> Person | None: ...

    async def members(self, team_id: UUID) -> Sequence[Person] | None:
        """The persons in a team; None when there is no such team."""
        ...

    async def deal(
        self,
        selection: Selection,
        bounds: Bounds,
        receivers: Sequence[Receiver],
        spread: Spread,
        *,
        currency: str,
        assignment_id: UUID | None,
    ) -> Sequence[Share]:
        """Deal the selection out and say who gets what; without an assignment nothing is written."""
        ...

    async def add(self, assignment_id: UUID, request: Card, outcome: Card, records: int) -> None: ...

    async def card(self, assignment_id: UUID, *, lock: bool = False) -> Card | None: ...

    async def page(self, before: UUID | None, limit: int) -> Sequence[Card]: ...

    async def give_back(self, assignment_id: UUID, undo_id: UUID, bounds: Bounds) -> Returned: ...

    async def mark_undone(self, assignment_id: UUID, outcome: Card) -> None: ...

    async def pool(self, after: UUID | None, limit: int) -> Sequence[Card]: ...

    async def pool_size(self) -> int: ...

    async def moves(self, customer_id: UUID) -> tuple[Card, Sequence[Card]] | None:
        """The record's present state and its moves, oldest first; None when it is not within reach."""
        ...

    async def deputies(self, bounds: Bounds, after: Sequence[Any] | None, limit: int) -> Sequence[Card]: ...

    async def add_deputy(self, owner_id: UUID, deputy_id: UUID, from_on: date, until_on: date | None) -> bool:
        """False when there is one from that day on already."""
        ...

    async def deputy(self, owner_id: UUID, deputy_id: UUID, from_on: date) -> Card | None: ...

    async def end_deputy(self, owner_id: UUID, deputy_id: UUID, from_on: date, today: date) -> None:
        """One who has begun ends with yesterday, one who has not, or today only, is struck off."""
        ...


class Portfolios(Protocol):
    async def exists(self, portfolio: Portfolio) -> bool:
        """Whether there is such a member of the staff, or a record of such a hand-over within reach."""
        ...

    async def briefing(self, portfolio: Portfolio, basis: Basis, *, top: int) -> Card:
        """Sizes, classes, first customers, birthdays and expected orders, in one statement."""
        ...

    async def groups(self, portfolio: Portfolio, basis: Basis, cuts: Cuts) -> Sequence[Card]:
        """How many customers of the portfolio have which scores of R and F, and their revenue."""
        ...

    async def at_risk(
        self,
        portfolio: Portfolio,
        basis: Basis,
        cuts: Cuts,
        wanted: Sequence[tuple[int, int]],
        limit: int,
    ) -> Sequence[Card]:
        """Those of the portfolio whose scores are wanted, by falling revenue."""
        ...

    async def concentration(self, basis: Basis) -> Sequence[Card]:
        """Per curator: customers and revenue, those of class A apart."""
        ...


class AssignmentsTransaction(Transaction, Protocol):
    @property
    def assignments(self) -> Assignments: ...

    @property
    def portfolios(self) -> Portfolios: ...

    @property
    def purchases(self) -> Purchases: ...

    @property
    def staff(self) -> Staff: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...
