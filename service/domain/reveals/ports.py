"""What showing contacts in clear needs from storage."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.leaks.ports import Watch
from service.domain.ports import Journal, Transaction
from service.domain.reveals.budget import Account, Looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What was taken: the records within reach, how many of them are new to the caller, and the looks before."""

    reached: Sequence[UUID]
    fresh: int
    looks: Looks
    at: datetime


class Reveals(Protocol):
    def turn(self) -> AbstractAsyncContextManager[None]:
        """The one role that sees contacts in clear, for the block; nobody takes from the same budgets meanwhile.

        The turn lasts until the transaction ends.
        """
        ...

    async def take(self, customer_ids: Sequence[UUID]) -> Taking:
        """Write down a look at each of the records within reach that was not seen in thirty days; only in a turn.

        Whether the budget has room for that is decided afterwards: a refusal rolls back.
        """
        ...

    async def free_at(self, account: Account, more: int) -> datetime | None:
        """When so many looks will have left the window; None when it never had room for as many."""
        ...

    async def clear(self, customer_ids: Sequence[UUID]) -> Sequence[Mapping[str, Any]]:
        """Contacts in clear of the records within reach; only in a turn."""
        ...

    async def looks(self) -> Looks:
        """What the caller has spent, without taking anything."""
        ...


class RevealsTransaction(Transaction, Protocol):
    @property
    def reveals(self) -> Reveals: ...

    @property
    def leaks(self) -> Watch: ...

    @property
    def journal(self) -> Journal: ...
