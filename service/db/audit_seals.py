"""The sealer: committed rows of the trail get their seals, tenant by tenant, in the order of their transactions.

Only what is below the oldest transaction that still runs is sealed, so whoever commits late comes later and is never
passed over; what lies below the last seal is never sealed again, so a row that somebody puts in there stays without.
One sealer works on a tenant at a time (an advisory lock), under a role that alone may write seals.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from service.db.audit import MONTH, ROW_HASH
from service.db.errors import translate
from service.db.session import without_principal
from service.domain.audit.anchors import Head
from service.domain.audit.chain import beginning, link

_ALL = 0
_AT_ONCE = 10_000
_COUNTED = 100_000
_HORIZON = "(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint"
_BEFORE_ALL = (0, UUID(int=0))
_LAST = """
    SELECT xid, audit_id FROM audit_seals WHERE tenant_id = {tenant} ORDER BY xid DESC, audit_id DESC LIMIT 1
"""
# Not by coalesce(): it counts as leaky, and under a row policy what is leaky is no bound of an index.
_BEHIND = """(a.xid, a.audit_id) > (CASE WHEN l.xid IS NULL THEN 0 ELSE l.xid END,
    CASE WHEN l.audit_id IS NULL THEN '00000000-0000-0000-0000-000000000000' ELSE l.audit_id END)"""
_WAITING = f"""
    SELECT t.tenant_id, w.rows, w.ready, w.lag
    FROM tenants t LEFT JOIN LATERAL ({_LAST.format(tenant="t.tenant_id")}) l ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, count(*) FILTER (WHERE x.xid < h.horizon) AS ready,
            extract(epoch FROM clock_timestamp() - min(x.at))::float8 AS lag
        FROM (SELECT {_HORIZON} AS horizon) h, LATERAL (
            SELECT a.xid, a.at FROM audit a WHERE a.tenant_id = t.tenant_id AND {_BEHIND}
            ORDER BY a.xid, a.audit_id LIMIT {_COUNTED}) x
    ) w WHERE w.rows > 0
"""
_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('seal ' || $1::int::text, 0))"
_ROWS = f"""
    SELECT a.audit_id, a.xid, {MONTH} AS month, {ROW_HASH} AS row_hash FROM audit a
    WHERE a.tenant_id = $1 AND (a.xid, a.audit_id) > ($2::bigint, $3::uuid) AND a.xid < {_HORIZON}
    ORDER BY a.xid, a.audit_id LIMIT {_AT_ONCE}
"""
_HEADS_OF = """
    SELECT h.month, h.seq, h.chain_hash FROM unnest($2::date[]) AS m (month) CROSS JOIN LATERAL (
        SELECT month, seq, chain_hash FROM audit_seals
        WHERE tenant_id = $1 AND month = m.month ORDER BY seq DESC LIMIT 1) h
"""
_SEAL = """
    INSERT INTO audit_seals (tenant_id, month, seq, audit_id, xid, row_hash, chain_hash)
    SELECT $1, * FROM unnest($2::date[], $3::bigint[], $4::uuid[], $5::bigint[], $6::bytea[], $7::bytea[])
"""
_HEADS = """
    SELECT t.tenant_id, h.month, h.seq, h.chain_hash FROM tenants t
    CROSS JOIN LATERAL (
        SELECT min(month) AS first, max(month) AS last FROM audit_seals s WHERE s.tenant_id = t.tenant_id) r
    CROSS JOIN LATERAL generate_series(r.first, r.last, interval '1 month') AS m (month)
    CROSS JOIN LATERAL (
        SELECT month, seq, chain_hash FROM audit_seals s
        WHERE s.tenant_id = t.tenant_id AND s.month = m.month::date ORDER BY seq DESC LIMIT 1) h
"""
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits for a seal: rows, how many of them could have one now, and the age of the oldest in seconds."""

    rows: int = 0
    ready: int = 0
    lag_s: float = 0.0
    tenants: Sequence[int] = ()


class PgSealer:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def seal(self) -> int:
        """Seal what can be sealed; how many rows. Raises Unavailable."""
        sealed = 0
        try:
            for tenant in (await self._backlog()).tenants:
                while batch := await self._batch(tenant):
                    sealed += batch
                    if batch < _AT_ONCE:
                        break
        except _TROUBLE as error:
            raise translate(error) from error
        return sealed

    async def backlog(self) -> Backlog:
        """What waits now. Raises Unavailable."""
        try:
            return await self._backlog()
        except _TROUBLE as error:
            raise translate(error) from error

    async def heads(self) -> Sequence[Head]:
        """The last seal of each tenant's months. Raises Unavailable."""
        try:
            async with self._as_sealer(_ALL) as connection:
                rows = await connection.fetch(_HEADS)
        except _TROUBLE as error:
            raise translate(error) from error
        return [Head(**dict(row)) for row in rows]

    async def tenants(self) -> Sequence[tuple[int, str]]:
        """Every tenant, by number and name. Raises Unavailable."""
        try:
            async with self._as_sealer(_ALL) as connection:
                rows = await connection.fetch("SELECT tenant_id, slug FROM tenants ORDER BY tenant_id")
        except _TROUBLE as error:
            raise translate(error) from error
        return [(row["tenant_id"], row["slug"]) for row in rows]

    async def _backlog(self) -> Backlog:
        async with self._as_sealer(_ALL) as connection:
            rows = await connection.fetch(_WAITING)
        return Backlog(
            rows=sum(row["rows"] for row in rows),
            ready=sum(row["ready"] for row in rows),
            lag_s=max((row["lag"] for row in rows), default=0.0),
            tenants=[row["tenant_id"] for row in rows if row["ready"]],
        )

    async def _batch(self, tenant: int) -> int:
        async with self._as_sealer(tenant) as connection:
            if not await connection.fetchval(_TURN, tenant):
                return 0
            last = await connection.fetchrow(_LAST.format(tenant="$1"), tenant)
            rows = await connection.fetch(_ROWS, tenant, *(last or _BEFORE_ALL))
            months = sorted({row["month"] for row in rows})
            heads = {row["month"]: row for row in await connection.fetch(_HEADS_OF, tenant, months)} if months else {}
            ends = {month: (heads[month]["seq"], heads[month]["chain_hash"]) for month in heads}
            await connection.execute(_SEAL, tenant, *_chained(tenant, rows, ends))
        return len(rows)

    def _as_sealer(self, tenant: int) -> AbstractAsyncContextManager[Any]:
        opening = (
            f"BEGIN; SET LOCAL ROLE clientbase_sealer; SET LOCAL app.tenant = '{int(tenant)}';"
            " SET LOCAL statement_timeout = '30s'"
        )
        return without_principal(self._pool, opening, ending="COMMIT", patience=10)


def _chained(tenant: int, rows: Sequence[Any], ends: dict[date, tuple[int, bytes]]) -> tuple[list[Any], ...]:
    """The columns of the new seals: each row goes to the end of its month's chain."""
    seals = []
    for row in rows:
        month = row["month"]
        seq, before = ends.get(month) or (0, beginning(tenant, month))
        ends[month] = (seq + 1, link(before, row["row_hash"]))
        seals.append((month, seq + 1, row["audit_id"], row["xid"], row["row_hash"], ends[month][1]))
    return tuple(list(column) for column in zip(*seals, strict=True)) if seals else ([], [], [], [], [], [])
