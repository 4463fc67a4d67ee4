"""What every capability needs from outside: a unit of work, the time, and a queue for long work.

A transaction is had only by naming its principal, so no query can forget tenant or reach. Each capability
declares in its own `ports.py` what it expects to find on the transaction.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from service.domain.access import Principal

Tx_co = TypeVar("Tx_co", covariant=True)


class Transaction(Protocol):
    """One open transaction. Leaving its block without `commit()` rolls everything back."""

    async def commit(self) -> None: ...


class UnitOfWork(Protocol[Tx_co]):
    def begin(
        self, principal: Principal, *, snapshot: bool = False, timeout_ms: int = 5_000
    ) -> AbstractAsyncContextManager[Tx_co]:
        """A transaction within the principal's reach; `snapshot` makes all its reads agree (REPEATABLE READ)."""
        ...


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    def today(self, time_zone: str) -> date:
        """The present day in that zone."""
        ...


class Journal(Protocol):
    """The audit trail and the stream of changes, both written in the transaction that they tell of."""

    async def audit(
        self,
        action: str,
        entity: str,
        entity_id: UUID | None = None,
        *,
        records: int = 1,
        reason: str | None = None,
        touched: Sequence[UUID] = (),
        **detail: object,
    ) -> None:
        """One row; `touched` lists what a bulk write speaks of. Raises AuditUnwritable, and then nothing may go out."""
        ...

    async def changed(self, entity: str, kind: str, entity_id: UUID, customer_id: UUID | None) -> None: ...

    async def changed_many(
        self, entity: str, kind: str, entity_ids: Sequence[UUID], customer_ids: Sequence[UUID]
    ) -> None:
        """One row for each pair of entity and customer."""
        ...
