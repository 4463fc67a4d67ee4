"""What notes, contacts made and consents need from storage. Every method sees only what the principal reaches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.around.model import NewConsent, NewInteraction
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


class AroundTransaction(Transaction, Protocol):
    @property
    def around(self) -> Around: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...
