"""What befell a record, from all sources, as one stream: the newest first, equal moments by kind and id.

The position of an item is its moment, kind and id, none of which ever changes: what is added between two pages neither
repeats nor hides an item that was there. Purchases are shown to those who may read orders; imports and exports as the
caller sees them (his own, or all of the tenant).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.domain.access import Principal, Scope

# What `customer_events` tells of.
EVENTS = ("created", "updated", "status", "verified", "restricted", "unrestricted", "linked", "unlinked")
MERGES = ("merged", "unmerged", "erased")
PURCHASES = ("order", "refund")
KINDS = (*PURCHASES, "curator", "import", "export", "note", "interaction", "consent", *EVENTS, *MERGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The place of an item in the stream."""

    at: datetime
    kind: str
    item_id: UUID


class Timeline(Protocol):
    async def page(
        self,
        customer_id: UUID,
        kinds: Sequence[str] | None,
        *,
        after: Position | None,
        limit: int,
        without: Sequence[str],
    ) -> Sequence[Mapping[str, Any]] | None:
        """Items behind a position, the newest first; None when the record is not within reach.

        `kinds` of None means all, and `without` takes some away.
        """
        ...


def hidden(principal: Principal, asked: Sequence[str] | None) -> tuple[str, ...]:
    """The kinds that the caller may not see; who asks for one of them by name is refused."""
    if principal.may(Scope.ORDERS_READ):
        return ()
    if any(kind in PURCHASES for kind in asked or ()):
        principal.require(Scope.ORDERS_READ)
    return PURCHASES
