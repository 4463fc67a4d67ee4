"""The contacts of records that become one: all of them, each once.

A contact is the same where kind and normal form are. Of the same ones the survivor's stays, else the one that was found
right last. The survivor keeps its primaries; of a kind that it has none of, the first to come is the primary.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A contact of one of the records, masked."""

    detail_id: UUID
    customer_id: UUID
    kind: str
    lookup: bytes
    masked: str
    is_primary: bool
    verified_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """What becomes of a contact: it stays or moves (with that mark), or is the same as another."""

    contact: Held
    is_primary: bool
    same_as: UUID | None = None


def pooled(survivor_id: UUID, held: Iterable[Held]) -> list[Pooled]:
    """What becomes of each contact, the survivor's first."""
    kept: dict[tuple[str, bytes], UUID] = {}
    led: set[str] = set()
    found: list[Pooled] = []
    for one in _ranked(survivor_id, held):
        key = (one.kind, one.lookup)
        if key in kept:
            found.append(Pooled(contact=one, is_primary=False, same_as=kept[key]))
            continue
        kept[key] = one.detail_id
        primary = one.is_primary if one.customer_id == survivor_id else one.kind not in led
        led.add(one.kind)
        found.append(Pooled(contact=one, is_primary=primary))
    return found


def _ranked(survivor_id: UUID, held: Iterable[Held]) -> Sequence[Held]:
    def rank(one: Held) -> tuple[object, ...]:
        verified = -(one.verified_at or _NEVER).timestamp()
        return (one.customer_id != survivor_id, not one.is_primary, verified, one.created_at, one.detail_id.int)

    return sorted(held, key=rank)
