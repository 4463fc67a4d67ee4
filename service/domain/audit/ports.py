"""What the audit trail needs from storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.audit.inspection import Link, Stretch
from service.domain.ports import Journal, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which rows of the trail; each member that is given narrows. The period holds its beginning and not its end."""

    staff_id: UUID | None = None
    record_id: UUID | None = None
    action: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Trail(Protocol):
    """The trail of the caller's tenant."""

    async def page(self, asked: Asked, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Rows, the newest first, from behind `before` on; a record is also found in what bulk work has touched."""
        ...

    async def months(self) -> Sequence[tuple[date, int]]:
        """The months that have a chain, and its last place."""
        ...

    async def chain_at(self, month: date, seq: int) -> bytes | None:
        """The chain at a place; None when there is no such seal."""
        ...

    async def links(self, month: date, *, after: int, limit: int) -> Sequence[Link]:
        """Seals in order, each with what is found of its row today."""
        ...

    async def stretch(
        self, month: date, *, after: int, before: bytes, limit: int, places: Sequence[int]
    ) -> Stretch | None:
        """The next seals as one, where the chain holds from `before` on and each row is as it was sealed; else None.

        With what the chain is at those of the `places` that it holds.
        """
        ...

    async def unsealed(self, month: date, *, limit: int) -> Sequence[UUID]:
        """Rows of a month that are older than the last seal and have none."""
        ...


class AuditTransaction(Transaction, Protocol):
    @property
    def audit(self) -> Trail: ...

    @property
    def journal(self) -> Journal: ...
