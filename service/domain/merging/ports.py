"""What merging needs from storage: within the reach of the principal where records are read, by a role of its own where
what hangs on them moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.ports import Customers
from service.domain.idempotency import Idempotency
from service.domain.leaks.ports import Watch
from service.domain.merging.contacts import Held, Pooled
from service.domain.merging.model import Candidate
from service.domain.orders.ports import Totals
from service.domain.ports import Journal, Transaction

Card = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """One merge: `others` go into the survivor."""

    merge_id: UUID
    survivor_id: UUID
    others: Sequence[UUID]

    @property
    def all_ids(self) -> list[UUID]:
        return [self.survivor_id, *self.others]


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The records of a merge as they were before it, and the survivor right after it."""

    before: Sequence[Candidate]
    after: Candidate


class Merging(Protocol):
    async def candidates(self, customer_ids: Sequence[UUID], *, lock: bool) -> list[Candidate]:
        """The records within reach, in the order of their ids, which is the order in which they are locked."""
        ...

    async def marked(self, customer_ids: Sequence[UUID]) -> bool:
        """Whether two of these records are marked as never to be merged."""
        ...

    async def contacts(self, customer_ids: Sequence[UUID]) -> list[Held]: ...

    async def hanging(self, customer_ids: Sequence[UUID]) -> Mapping[str, int]:
        """How many rows hang on these records, by table; only tables that have some."""
        ...

    async def apply(self, merge: Merge, contacts: Sequence[Pooled], request: Mapping[str, Any]) -> None:
        """Keep what is there, and move what hangs on the others to the survivor; the others are gone then."""
        ...

    async def keep_result(self, merge: Merge, outcome: Mapping[str, Any]) -> None:
        """Keep what has become of the survivor, to tell it from what is written later."""
        ...

    async def card(self, merge_id: UUID) -> Card | None:
        """A merge whose records are within reach."""
        ...

    async def page(self, *, customer_id: UUID | None, before: UUID | None, limit: int) -> Sequence[Card]:
        """Merges within reach, the newest first."""
        ...

    async def later(self, merge_id: UUID, customer_id: UUID) -> UUID | None:
        """The last merge after that one that concerns this record and is not undone."""
        ...

    async def images(self, merge: Merge) -> Images | None:
        """None when they are gone: the person was erased."""
        ...

    async def bring_back(self, merge: Merge, others: Sequence[Candidate]) -> Mapping[str, Any]:
        """The other records again, with what hung on them; says what could not be as it was."""
        ...

    async def finish_undo(self, merge: Merge, report: Mapping[str, Any], *, status_back: bool) -> None:
        """Once the survivor is rewritten: since when it has its status is as it was; the images go."""
        ...

    async def led_to(self, old_id: UUID) -> UUID | None:
        """The record within reach that an id leads to which is no record's any more."""
        ...


class MergingTransaction(Transaction, Protocol):
    @property
    def merging(self) -> Merging: ...

    @property
    def customers(self) -> Customers: ...

    @property
    def totals(self) -> Totals: ...

    @property
    def leaks(self) -> Watch: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...
