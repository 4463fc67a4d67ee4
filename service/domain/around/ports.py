"""What notes, contacts made, consents and requests for access need from storage.

Every method sees only what the principal reaches, unless it says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.around.model import NewConsent, NewInteraction
from service.domain.customers.model import ExternalId
from service.domain.customers.ports import CustomersTransaction
from service.domain.idempotency import Idempotency
from service.domain.ports import Journal, Transaction

Card = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A record that can't be erased or removed until the transaction ends, and whether it was erased before."""

    customer_id: UUID
    erased: bool


class Around(Protocol):
    async def hold(self, customer_id: UUID) -> Held | None:
        """Keep the record from being erased meanwhile; None when it is out of reach."""
        ...

    async def reaches(self, customer_id: UUID) -> bool: ...

    async def add_note(self, customer_id: UUID, note_id: UUID, text: str) -> None: ...

    async def note(self, customer_id: UUID, note_id: UUID) -> Card | None: ...

    async def notes(self, customer_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Card]:
        """Notes, the newest first."""
        ...

    async def drop_note(self, customer_id: UUID, note_id: UUID) -> None: ...

    async def add_interaction(
        self, customer_id: UUID, interaction_id: UUID, new: NewInteraction, at: datetime
    ) -> None: ...

    async def interaction(self, customer_id: UUID, interaction_id: UUID) -> Card | None: ...

    async def interactions(
        self, customer_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[Card]:
        """Contacts made, the latest first; of one moment the one written last."""
        ...

    async def drop_interaction(self, customer_id: UUID, interaction_id: UUID) -> None: ...

    async def add_consent(self, customer_id: UUID, consent_id: UUID, new: NewConsent, at: datetime) -> None: ...

    async def consent(self, customer_id: UUID, consent_id: UUID) -> Card | None: ...

    async def consents(self, customer_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int) -> Sequence[Card]:
        """All that was given and withdrawn, the latest first."""
        ...

    async def standing_consents(self, customer_id: UUID) -> Sequence[Card]:
        """Of each purpose and channel what counts now."""
        ...


class AccessRequests(Protocol):
    """Requests that the principal has made himself or for records that he reaches; else said, nothing more."""

    async def by_external_id(self, external_id: ExternalId) -> UUID | None:
        """The record of the whole tenant that has this external id."""
        ...

    async def hold(self, customer_id: UUID) -> Held | None:
        """Like `Around.hold`, in the whole tenant."""
        ...

    async def open_one(self, customer_id: UUID) -> UUID | None:
        """The caller's own request for this record that nobody has answered yet."""
        ...

    async def add(self, request_id: UUID, customer_id: UUID, reason: str) -> None: ...

    async def card(self, request_id: UUID, *, lock: bool = False) -> Card | None:
        """The request; what it tells of a record out of reach is its id and whole name, to be masked."""
        ...

    async def page(self, *, own: bool | None, state: str | None, before: UUID | None, limit: int) -> Sequence[Card]:
        """Requests, the newest first: of the caller, of others, or both."""
        ...

    async def decide(self, request_id: UUID, state: str, answer: str | None) -> None: ...

    async def give(self, customer_id: UUID, staff_id: UUID) -> None:
        """Make somebody the curator, with one row of history; the team stays if he is in it, else becomes his."""
        ...


class AccessTransaction(CustomersTransaction, Protocol):
    @property
    def around(self) -> Around: ...

    @property
    def access_requests(self) -> AccessRequests: ...


class AroundTransaction(Transaction, Protocol):
    @property
    def around(self) -> Around: ...

    @property
    def access_requests(self) -> AccessRequests: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...
