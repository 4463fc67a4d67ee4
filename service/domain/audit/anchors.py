"""Anchors: what the heads of all chains were at a moment, signed, and kept where the database can't reach.

A head that has not moved since the anchor before is left out; the first anchor of a process names all. Sequence numbers
begin at 1 and have no gaps, so the number of a head is also the count of what it seals.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last seal of a tenant's month."""

    tenant_id: int
    month: date
    seq: int
    chain_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    at: datetime
    heads: Sequence[Head]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """What the anchors say of one tenant: month → place → chain; how many lines did not bear the signature."""

    places: Mapping[date, Mapping[int, bytes]]
    last_at: datetime | None
    lines: int
    forged: Sequence[int]


class Anchors(Protocol):
    """Outside the database."""

    def append(self, anchor: Anchor) -> None:
        """Sign and keep it, on the disk when this returns. Raises OSError."""
        ...

    def of(self, tenant_id: int) -> Anchored | None:
        """What is anchored of a tenant; None where there are no anchors at all."""
        ...


def statement(anchor: Anchor) -> bytes:
    """The bytes that are signed: the anchor as JSON, members in a fixed order."""
    heads = [[head.tenant_id, head.month.isoformat(), head.seq, head.chain_hash.hex()] for head in anchor.heads]
    told = {"at": anchor.at.isoformat(), "heads": heads}
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def told(signed: bytes) -> Anchor:
    """The anchor of such bytes. Raises ValueError."""
    try:
        kept = json.loads(signed)
        heads = [
            Head(tenant_id=int(tenant), month=date.fromisoformat(month), seq=int(seq), chain_hash=bytes.fromhex(chain))
            for tenant, month, seq, chain in kept["heads"]
        ]
        return Anchor(at=datetime.fromisoformat(kept["at"]), heads=heads)
    except (KeyError, TypeError) as error:
        raise ValueError("no anchor") from error


def moved(heads: Iterable[Head], before: Mapping[tuple[int, date], int]) -> list[Head]:
    """The heads that are elsewhere than they were."""
    return [head for head in heads if before.get((head.tenant_id, head.month)) != head.seq]
