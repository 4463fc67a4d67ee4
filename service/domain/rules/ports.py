"""What rules need of the database."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from service.domain.customers.attributes import Attributes
from service.domain.ports import Transaction
from service.domain.rules.model import Asked, Clause


class Segments(Protocol):
    """Rules asked of the records in reach; erased ones are nobody any more."""

    async def preview(self, asked: Asked, sample: int) -> Mapping[str, Any]:
        """How many are meant and of how many, their revenue in the rule's currency, and the newest ids."""
        ...

    async def costs(self, asked: Asked, clauses: Sequence[Clause]) -> Sequence[float]:
        """What the planner expects each clause to cost, alone."""
        ...

    async def judged(
        self, asked: Asked, clauses: Sequence[Clause], customer_id: UUID
    ) -> Sequence[tuple[bool, Any]] | None:
        """Of one record, whether each clause holds and the value it looked at; None when it is not within reach."""
        ...

    async def page(
        self, asked: Asked, filters: Mapping[str, object], *, after: UUID | None, limit: int
    ) -> Sequence[str]:
        """The ids of those meant that the filters let through too, newest first."""
        ...

    async def count(self, asked: Asked, filters: Mapping[str, object]) -> int: ...

    async def values(self) -> Mapping[str, Sequence[str]]:
        """The commonest values of fields among the newest records in reach."""
        ...


class RulesTransaction(Transaction, Protocol):
    @property
    def attributes(self) -> Attributes: ...

    @property
    def segments(self) -> Segments: ...
