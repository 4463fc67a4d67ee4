"""Snapshots of RFM: who scored what on a day, kept as it was known then.

Each night (from two o'clock on in the tenant's zone) one is made of the scheme that rules ask for and of every saved
one. All of the last 35 days are kept, then the first of each month for 25 months; the newest of a scheme always.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from service.domain.errors import Conflict, NotFound
from service.domain.segmentation.rfm_report import CutsUsed

NIGHT_ENDS_AT = 2
KEPT_DAILY = 35
KEPT_MONTHLY = 25 * 31
MOST_SNAPSHOTS = 2_000


class NoSnapshot(NotFound):
    code = "rfm-snapshot-not-found"
    title = "There is no such RFM snapshot; one is made each night, and on request."


class SnapshotUnderWay(Conflict):
    code = "rfm-snapshot-under-way"
    title = "Another RFM snapshot is being made; try again in a moment."


class TooManySnapshots(Conflict):
    code = "too-many-rfm-snapshots"
    title = "There are too many RFM snapshots; the nights will take old ones away."


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Numbered within the tenant; `customers` counts the whole tenant's."""

    snapshot_id: int
    scheme_id: UUID | None
    as_of: date
    computed_at: datetime
    currency: str
    bins: int
    customers: int
    cuts: CutsUsed
    groups: tuple[str, ...]
    in_rules: bool
    scheduled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Customers who were in one group and are in another; None: not in the population."""

    before: str | None
    after: str | None
    customers: int
    revenue_before: int
    revenue_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    before: Snapshot
    after: Snapshot
    moves: tuple[Moved, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two schemes over the same customers; `agreement` is the share of those in either who are in both, in a group of
    the same name."""

    as_of: date
    customers: int
    agreed: int
    agreement: Decimal | None
    moves: tuple[Moved, ...]


def comparison(as_of: date, moves: Iterable[Moved]) -> Comparison:
    """How far two schemes agree."""
    found = tuple(moves)
    customers = sum(one.customers for one in found)
    agreed = sum(one.customers for one in found if one.before == one.after)
    share = Decimal(round(Fraction(agreed * 10**6, customers))).scaleb(-6) if customers else None
    return Comparison(as_of=as_of, customers=customers, agreed=agreed, agreement=share, moves=found)


def outlived(snapshots: Iterable[Snapshot], today: date) -> list[int]:
    """Those that have had their time."""
    newest: dict[UUID | None, Snapshot] = {}
    monthly: dict[tuple[UUID | None, int, int], Snapshot] = {}
    found = sorted(snapshots, key=lambda one: (one.as_of, one.snapshot_id))
    for one in found:
        newest[one.scheme_id] = one
        monthly.setdefault((one.scheme_id, one.as_of.year, one.as_of.month), one)
    daily, last = today - timedelta(days=KEPT_DAILY), today - timedelta(days=KEPT_MONTHLY)
    kept = {one.snapshot_id for one in (*newest.values(), *(m for m in monthly.values() if m.as_of >= last))}
    return [
        one.snapshot_id
        for one in found
        if one.computed_at.date() < daily and one.as_of < daily and one.snapshot_id not in kept
    ]
