"""What restriction, access reports and erasure need from storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.files import Files
from service.domain.idempotency import Idempotency
from service.domain.leaks.ports import Watch
from service.domain.ports import Journal, Transaction
from service.domain.privacy.markers import Markers, Person
from service.domain.reveals.ports import Reveals

Card = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A record that nobody else changes until the transaction ends."""

    version: int
    restricted_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFile:
    """The file of an import that has ended; `linked` when the base itself says that it brought the person."""

    import_id: UUID
    file_id: UUID
    source: str
    encoding: str | None
    linked: bool


class Privacy(Protocol):
    """Within the reach of the principal."""

    async def lock(self, customer_id: UUID) -> Locked | None:
        """The record to oneself; None when it is out of reach."""
        ...

    async def restrict(self, customer_id: UUID, *, restricted: bool) -> None:
        """Set or lift the restriction, with its event."""
        ...

    async def policies(self) -> Mapping[str, Any]: ...

    async def section(self, name: str, customer_id: UUID, *, after: str, limit: int) -> Sequence[tuple[str, str]]:
        """Rows of a section of the access report, each as (place, JSON), from behind the place `after` on."""
        ...

    async def bulk_work(self) -> bool:
        """Whether an import or export of the tenant is not over."""
        ...

    async def log(self, customer_id: UUID, limit: int) -> Sequence[Card]:
        """The audit trail of a record: what, when, by whom; not why."""
        ...

    async def keep_act(self, erasure_id: UUID, customer_id: UUID, reason: str, act: Mapping[str, Any]) -> None:
        """The act of an erasure, and the event by which the empty record tells of it."""
        ...

    async def act(self, erasure_id: UUID) -> Card | None: ...

    async def acts(self, *, customer_id: UUID | None, before: UUID | None, limit: int) -> Sequence[Card]:
        """Acts, the newest first."""
        ...


class Erasing(Protocol):
    """By the one role that may; only for the whole tenant."""

    async def reasons(self, markers: Markers) -> Sequence[UUID]:
        """Take the reasons out of the audit trail that name the person; of which rows."""
        ...

    async def person(self, customer_id: UUID) -> Person: ...

    async def import_files(self, customer_id: UUID) -> Sequence[ImportFile]: ...

    async def part(self, file_id: UUID, number: int) -> bytes | None: ...

    async def rejects(self, markers: Markers) -> Sequence[tuple[UUID, int]]:
        """Rejected rows of all imports that tell of the person, as (import, row)."""
        ...

    async def erase(
        self,
        customer_id: UUID,
        markers: Markers,
        *,
        files: Sequence[UUID],
        rejects: Sequence[tuple[UUID, int]],
    ) -> dict[str, int]:
        """Take the person out of every table; returns how many rows of which went or were blanked."""
        ...


class PrivacyTransaction(Transaction, Protocol):
    @property
    def privacy(self) -> Privacy: ...

    @property
    def erasing(self) -> Erasing: ...

    @property
    def files(self) -> Files: ...

    @property
    def reveals(self) -> Reveals: ...

    @property
    def leaks(self) -> Watch: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureOrder:
    """Who is to be erased, why, and since when he waits for it."""

    customer_id: UUID
    confirm: UUID
    reason: str
    asked_on: date | None = None
