"""What the records of customers need from storage. Every method sees only what the principal reaches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers.attributes import Attributes
from service.domain.customers.history import Event, Moved
from service.domain.customers.model import Contact, ExternalId, Record
from service.domain.customers.search import Found, Place, Sought
from service.domain.errors import DomainError
from service.domain.idempotency import Idempotency
from service.domain.ports import Journal, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A record as it is now, locked for the rest of the transaction."""

    customer_id: UUID
    version: int
    record: Record
    provenance: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One record to be inserted (version 1) or replaced; contacts or ids of None are left as they are.

    Contacts that were there already keep who entered them and when they were last found right.
    """

    customer_id: UUID
    record: Record
    contacts: Sequence[Contact] | None = None
    external_ids: Sequence[ExternalId] = ()
    source: str = "api"
    provenance: Sequence[Mapping[str, Any]] = ()
    events: Sequence[Event] = ()
    moved: Moved | None = None
    import_id: UUID | None = None


# What a record is refused for before it is written; None lets it through.
Refuse = Callable[[Written], DomainError | None]


class WriteJudge(Protocol):
    async def refusing(self, principal: Principal, way: Literal["write", "import"]) -> Refuse | None:
        """How the tenant looks at records before they are written; None where it takes them all."""
        ...


class Customers(Protocol):
    async def lock(self, customer_ids: Sequence[UUID]) -> dict[UUID, Stored]:
        """The records that the caller reaches, locked in id order; missing and foreign ones are absent.

        Raises CustomerErased.
        """
        ...

    async def owners_of(self, ids: Sequence[ExternalId]) -> dict[ExternalId, UUID]:
        """The reachable records behind external ids."""
        ...

    async def insert(self, written: Sequence[Written]) -> set[UUID]:
        """New records with contacts, ids, search tokens and history; says which were left out.

        A record is left out when another one, in reach or not, has one of its external ids.
        """
        ...

    async def replace(self, written: Sequence[Written]) -> set[UUID]:
        """The new state of locked records, their version rises by one; leaves out like `insert`."""
        ...

    async def delete(self, customer_id: UUID) -> None:
        """Raises CustomerHasOrders when there are purchases."""
        ...

    async def card(self, customer_id: UUID) -> Mapping[str, Any] | None:
        """The record with masked contacts; None when it is not within reach."""
        ...


class CustomerSearch(Protocol):
    async def page(
        self,
        filters: Mapping[str, object],
        words: Sequence[str],
        *,
        sort: str,
        after: Mapping[str, object] | None,
        limit: int,
        fields: tuple[str, ...] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """One page of cards in a stable order; each word is the beginning of a word of the name."""
        ...

    async def count(self, filters: Mapping[str, object], what: Sought, *, estimate: bool = False) -> int:
        """How many records there are within reach; an estimate is what the planner expects."""
        ...

    async def found(self, filters: Mapping[str, object], what: Sought, *, after: Place | None, limit: int) -> Found:
        """Records by relevance: by key, with every word whole, with words that begin so."""
        ...

    async def cards(self, ids: Sequence[str], fields: tuple[str, ...] | None) -> Sequence[Mapping[str, Any]]:
        """The cards of these records, in this order."""
        ...

    async def with_contact(
        self,
        lookup: bytes,
        filters: Mapping[str, object],
        words: Sequence[str],
        fields: tuple[str, ...] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """The cards of the records within reach that have a contact of this keyed hash, newest first."""
        ...

    async def hold(self, lookups: Sequence[bytes]) -> None:
        """Let nobody else who asks for it give a record one of these contacts until this transaction ends."""
        ...

    async def existing(self, lookups: Sequence[bytes]) -> Sequence[Mapping[str, Any]]:
        """Records anywhere in the tenant that have one of these keyed hashes: the one look beyond the reach."""
        ...

    async def policies(self) -> Mapping[str, Any]:
        """What the tenant has decided for itself."""
        ...

    async def probes_used(self) -> int:
        """The caller's exact look-ups within this hour."""
        ...

    async def use_probe(self, limit: int) -> bool:
        """Count one exact look-up; False when the hour's limit is reached."""
        ...


class CustomersTransaction(Transaction, Protocol):
    @property
    def customers(self) -> Customers: ...

    @property
    def attributes(self) -> Attributes: ...

    @property
    def search(self) -> CustomerSearch: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...
