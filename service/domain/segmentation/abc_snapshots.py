"""Snapshots of ABC and XYZ: of which class and letter each customer was on a day. Rules ask for the latest one.

Each night one is made as the latest was, and of a tenant without any by the usual borders: by revenue, 80 and 95 %,
month by month. The newest few are kept, so that live segments can see who has moved.
"""

from dataclasses import dataclass
from datetime import date, datetime

from service.domain.errors import Conflict, NotFound
from service.domain.segmentation.abc_analysis import AbcMeasure
from service.domain.segmentation.xyz_analysis import XyzScheme

KEPT = 5


class AbcSnapshotUnderWay(Conflict):
    code = "abc-snapshot-under-way"
    title = "Another ABC snapshot is being made; try again in a moment."


class NoAbcSnapshot(NotFound):
    code = "abc-snapshot-not-found"
    title = "There is no such ABC snapshot any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class AbcSnapshot:
    """Numbered within the tenant; `customers` counts the whole tenant's."""

    snapshot_id: int
    as_of: date
    computed_at: datetime
    by: AbcMeasure
    borders: tuple[int, ...]
    currency: str
    window_days: int | None
    xyz: XyzScheme
    customers: int
    scheduled: bool
