"""What keeping records true needs from storage. Every method sees only what the principal reaches."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.history import Event
from service.domain.customers.ports import CustomersTransaction


class History(Protocol):
    async def sources(self, customer_id: UUID) -> Mapping[str, Any] | None:
        """What is kept on where a record's values come from; contacts as JSON that storage has written."""
        ...

    async def verified(self, customer_id: UUID, provenance: Sequence[Mapping[str, Any]]) -> None:
        """Keep the provenance of a record whose values were found right; its version rises."""
        ...

    async def event(self, customer_id: UUID, event: Event, source: str) -> None: ...


class Contacts(Protocol):
    async def verify(self, customer_id: UUID, details: Sequence[UUID] | None) -> Sequence[Mapping[str, Any]]:
        """Date these contacts of the record, or all of them, as found right now; which ones there were, masked."""
        ...


class Tasks(Protocol):
    async def verified(self, customer_id: UUID, fields: Sequence[str], details: Sequence[UUID]) -> int:
        """What was found right is stale no longer: how many issues that has closed."""
        ...


class Links(Protocol):
    async def of(self, customer_id: UUID) -> Sequence[Mapping[str, Any]]:
        """Links of a record to and from records within reach."""
        ...

    async def add(self, customer_id: UUID, kind: str, other_id: UUID) -> bool:
        """False when there is such a link already."""
        ...

    async def remove(self, customer_id: UUID, kind: str, other_id: UUID) -> bool:
        """False when there was no such link."""
        ...


class KeepingTransaction(CustomersTransaction, Protocol):
    @property
    def history(self) -> History: ...

    @property
    def contacts(self) -> Contacts: ...

    @property
    def links(self) -> Links: ...

    @property
    def tasks(self) -> Tasks: ...
