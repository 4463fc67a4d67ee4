"""Acquisition channels: the catalogue, what they cost, and what they brought within the caller's reach."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.channels import Cost, Line, Period

_COLUMNS = "SELECT channel_id, code, name, kind, created_at FROM channels WHERE tenant_id = :tenant"
_PAGE = sql(f"{_COLUMNS} AND code > :after ORDER BY code LIMIT :limit")
_CHANNEL = sql(f"{_COLUMNS} AND channel_id = :channel_id")
_ADD = sql("""
    INSERT INTO channels (tenant_id, channel_id, code, name, kind)
    VALUES (:tenant, :channel_id, :code, :name, :kind)
""")
_COST = """SELECT cost_id, channel_id, from_on, until_on, amount, currency, created_at FROM channel_costs
    WHERE tenant_id = :tenant AND channel_id = :channel_id"""
_ONE_COST = sql(f"{_COST} AND cost_id = :cost_id")
_COSTS = sql(f"{_COST} AND cost_id < :before ORDER BY cost_id DESC LIMIT :limit")
_AFTER_ALL = UUID(int=(1 << 128) - 1)
_ADD_COST = sql("""
    INSERT INTO channel_costs (tenant_id, channel_id, cost_id, from_on, until_on, amount, currency)
    VALUES (:tenant, :channel_id, :cost_id, :from_on, :until_on, :amount, :currency)
""")
_REMOVE_COST = sql("""
    DELETE FROM channel_costs WHERE tenant_id = :tenant AND channel_id = :channel_id AND cost_id = :cost_id
    RETURNING from_on, until_on, amount, currency
""")
# `channels.share`: what had been spent before the day behind the period, less what had been before its first.
_DAYS = "(k.until_on - k.from_on + 1)"
_SPENT = f"div(k.amount::numeric * least(greatest({{day}} - k.from_on, 0), {_DAYS}), {_DAYS})"
_SHARE = (
    f"(CASE WHEN :until_on::date IS NULL THEN k.amount ELSE {_SPENT.format(day=':until_on::date + 1')} END"
    f" - CASE WHEN :from_on::date IS NULL THEN 0 ELSE {_SPENT.format(day=':from_on::date')} END)"
)
_TOUCHED = "(:until_on::date IS NULL OR k.from_on <= :until_on) AND (:from_on::date IS NULL OR k.until_on >= :from_on)"
_REPORT = sql(f"""
    WITH bought AS (
        SELECT customer_id, min(first_on) AS first_on, sum(revenue) FILTER (WHERE currency = :currency) AS revenue
        FROM purchase_totals WHERE tenant_id = :tenant GROUP BY customer_id
    ), came AS (
        SELECT c.channel_id, c.status IN ('customer', 'lapsed') OR b.first_on IS NOT NULL AS won, b.revenue,
            least((c.created_at AT TIME ZONE :zone)::date, b.first_on) AS came_on
        FROM customers c LEFT JOIN bought b ON b.customer_id = c.customer_id WHERE c.tenant_id = :tenant
    ), brought AS MATERIALIZED (
        SELECT channel_id, count(*) FILTER (WHERE won) AS customers, count(*) FILTER (WHERE NOT won) AS prospects,
            sum(revenue) AS revenue
        FROM came WHERE (:from_on::date IS NULL OR came_on >= :from_on)
            AND (:until_on::date IS NULL OR came_on <= :until_on)
        GROUP BY channel_id
    ), spent AS MATERIALIZED (
        SELECT k.channel_id, sum({_SHARE}) AS cost FROM channel_costs k
        WHERE k.tenant_id = :tenant AND k.currency = :currency AND {_TOUCHED} GROUP BY k.channel_id
    )
    SELECT h.channel_id, h.code, h.name, h.kind, coalesce(b.customers, 0) AS customers,
        coalesce(b.prospects, 0) AS prospects, coalesce(b.revenue, 0)::bigint AS revenue,
        coalesce(s.cost, 0)::bigint AS cost
    FROM (SELECT channel_id, code, name, kind FROM channels WHERE tenant_id = :tenant
          UNION ALL SELECT NULL, NULL, NULL, NULL) h
    LEFT JOIN brought b ON b.channel_id IS NOT DISTINCT FROM h.channel_id
    LEFT JOIN spent s ON s.channel_id = h.channel_id
    ORDER BY h.code NULLS LAST
""")
_LEFT_OUT = sql(f"""
    SELECT count(*) FROM channel_costs k WHERE k.tenant_id = :tenant AND k.currency <> :currency AND {_TOUCHED}
""")


class PgChannels:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def channel(self, channel_id: UUID) -> Mapping[str, Any] | None:
        row = await self._session.fetchrow(_CHANNEL, channel_id=channel_id)
        return None if row is None else dict(row)

    async def page(self, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return [dict(row) for row in await self._session.fetch(_PAGE, after=after, limit=limit)]

    async def add(self, channel_id: UUID, *, code: str, name: str, kind: str) -> None:
        await self._session.execute(_ADD, channel_id=channel_id, code=code, name=name, kind=kind)

    async def cost(self, channel_id: UUID, cost_id: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_ONE_COST, channel_id=channel_id, cost_id=cost_id)

    async def costs(self, channel_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._session.fetch(_COSTS, channel_id=channel_id, before=before or _AFTER_ALL, limit=limit)

    async def add_cost(self, channel_id: UUID, cost_id: UUID, cost: Cost) -> None:
        await self._session.execute(
            _ADD_COST,
            channel_id=channel_id,
            cost_id=cost_id,
            from_on=cost.from_on,
            until_on=cost.until_on,
            amount=cost.amount,
            currency=cost.currency,
        )

    async def remove_cost(self, channel_id: UUID, cost_id: UUID) -> Cost | None:
        row = await self._session.fetchrow(_REMOVE_COST, channel_id=channel_id, cost_id=cost_id)
        return None if row is None else Cost(**dict(row))

    async def report(self, period: Period, currency: str, *, costs: bool) -> tuple[list[Line], int]:
        days = {"from_on": period.from_on, "until_on": period.until_on}
        zone = self._session.principal.time_zone
        rows = await self._session.fetch(_REPORT, currency=currency, zone=zone, **days)
        left_out = int(await self._session.fetchval(_LEFT_OUT, currency=currency, **days)) if costs else 0
        return [_line(row, costs=costs) for row in rows], left_out


def _line(row: Mapping[str, Any], *, costs: bool) -> Line:
    named = {name: row[name] for name in ("channel_id", "code", "name", "kind")}
    return Line(
        channel=None if row["channel_id"] is None else named,
        customers=row["customers"],
        prospects=row["prospects"],
        revenue=row["revenue"],
        cost=row["cost"] if costs else None,
    )
