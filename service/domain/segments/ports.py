"""What segments need of the database."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.attributes import Attributes
from service.domain.idempotency import Idempotency
from service.domain.ports import Journal, Transaction
from service.domain.rules.model import Asked
from service.domain.segments.model import Due, Live, NewSegment, Ruled, Uses
from service.domain.segments.turning import Turned

Card = Mapping[str, Any]


class SavedSegments(Protocol):
    """Segments of the tenant; members and counts are those of the caller's reach."""

    async def uses(self) -> Uses:
        """What every segment is built on; until the end of the transaction nobody else changes it."""
        ...

    async def add(self, segment_id: UUID, segment: NewSegment) -> None:
        """Raises NameTaken."""
        ...

    async def freeze(self, segment_id: UUID, name: str, source_id: UUID, as_of: datetime | None) -> int:
        """A snapshot of the members in reach, now or at that moment; how many they are."""
        ...

    async def version(self, segment_id: UUID) -> tuple[str, int] | None:
        """Its kind and version, held for the rest of the transaction; None when there is none."""
        ...

    async def change(self, segment_id: UUID, changes: Mapping[str, str], ruled: Ruled | None) -> None: ...

    async def remove(self, segment_id: UUID) -> None: ...

    async def edit(self, segment_id: UUID, add: Sequence[UUID], remove: Sequence[UUID]) -> tuple[int, int]:
        """How many came and went; who is not within reach is not there."""
        ...

    async def known(self, ids: Sequence[str], source: str | None) -> Mapping[str, UUID]:
        """Those of the ids, ours or of another system, whose customers are within reach."""
        ...

    async def card(self, segment_id: UUID) -> Card | None: ...

    async def page(self, after: str, limit: int) -> Sequence[Card]: ...

    async def members(
        self, segment_id: UUID, *, as_of: datetime | None, after: UUID | None, limit: int
    ) -> Sequence[Card]: ...

    async def history(self, segment_id: UUID, since: date, until: date, time_zone: str) -> Sequence[Card]: ...

    async def overlap(self, segment_ids: Sequence[UUID]) -> Mapping[str, Any]: ...

    async def entered_at(self, segment_id: UUID, customer_id: UUID) -> datetime | None: ...


class Round(Protocol):
    """What one refresh of a tenant begins with."""

    @property
    def horizon(self) -> int: ...

    @property
    def time_zone(self) -> str: ...

    @property
    def currency(self) -> str: ...

    @property
    def segments(self) -> Sequence[Live]: ...

    @property
    def snapshots(self) -> Mapping[str, int]:
        """The latest of RFM and of ABC that rules ask for; 0: there is none."""
        ...

    @property
    def aged(self) -> bool:
        """Whether it is some time since the place was written down; behind it there is more to look through."""
        ...


class SegmentRefreshing(Protocol):
    """The refresh of one tenant, in one snapshot of the whole base."""

    async def begin(self) -> Round | None:
        """None when another worker is at it."""
        ...

    async def changed(self, place: tuple[int, int], limit: int) -> Sequence[UUID]:
        """Customers changed behind the place and below the horizon, at most so many."""
        ...

    async def turned(self, asked: Asked, turned: Turned, limit: int) -> Sequence[UUID]: ...

    async def judged_anew(self, family: str, before: int, after: int, limit: int) -> Sequence[UUID] | None:
        """Whose scores or classes are others in a newer snapshot, at most so many; None: that is not known any more."""
        ...

    async def scored_since(self, moment: datetime, limit: int) -> Sequence[UUID]:
        """Whose records were examined since about that moment, at most so many."""
        ...

    async def evaluate(self, due: Sequence[Due], among: Sequence[UUID] | None) -> int:
        """Write who came to each and who went, of those or of all, and say how many; none of them is built on another
        of them."""
        ...

    async def computed(self, segment_ids: Sequence[UUID], turning: Sequence[UUID], horizon: int, today: date) -> None:
        """They are up to the horizon, for that day; those that turn are due again on the next."""
        ...

    async def broken(self, segment_id: UUID) -> None: ...


class SegmentsTransaction(Transaction, Protocol):
    @property
    def saved_segments(self) -> SavedSegments: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...


class RefreshTransaction(Transaction, Protocol):
    @property
    def attributes(self) -> Attributes: ...

    @property
    def segment_refreshing(self) -> SegmentRefreshing: ...
