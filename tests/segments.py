"""Letting live segments settle in a test, and a night come."""

import asyncio
from datetime import UTC, date, datetime

from service.db.statement import sql
from service.db.unit_of_work import PgUnitOfWork
from service.domain.segments.refreshing import SegmentRefresher, system

_TOLD = sql("""
    SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint > coalesce(max(xid), 0) FROM changes
    WHERE tenant_id = :tenant
""")


class Noon:
    """A clock that stands at noon, wherever the tenant is."""

    def __init__(self, day: date) -> None:
        self.day = day

    def now(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 9, tzinfo=UTC)

    def today(self, time_zone: str) -> date:
        return self.day


async def settled(uow: PgUnitOfWork, refresher: SegmentRefresher, tenant_id: int) -> None:
    """Refresh until nothing moves any more; transactions of others on the same server hold the horizon back a while."""
    principal = system(tenant_id)
    for _ in range(1_200):
        async with uow.begin(principal) as tx:
            all_told = await tx.session.fetchval(_TOLD)
        if all_told and not (await refresher.refresh_tenant(tenant_id)).moved:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("the segments do not settle")
