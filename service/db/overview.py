"""The base at a glance, in one statement and so of one moment, within the caller's reach.

Purchases come from the kept totals; those of customers for whom a date of the future has come due since are summed
from orders and returns, so that nothing waits for the next write.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import orjson

from service.db.purchase_facts import COUNTED, RIGHT, Source, within
from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.access import Reach

# Sums leave the database as text: JSON numbers end at 64 bits.


@cache
def _statement(narrow: bool) -> Statement:
    source = Source(windowed=False, afresh=False, stale=False, narrow=narrow)
    return sql(f"""
        WITH due AS MATERIALIZED (
            SELECT t.customer_id, t.currency FROM purchase_totals t
            WHERE t.tenant_id = :tenant AND (t.latest_on > :as_of OR t.pending_from <= :as_of)
        ), figures AS (
            SELECT t.currency, t.orders, t.revenue, t.refunds, t.refunded, t.first_on, t.last_on
            FROM {within(source, "t")} WHERE t.tenant_id = :tenant AND {RIGHT}
            UNION ALL
            SELECT due.currency, 1, x.net, 0, 0, x.ordered_on, x.ordered_on FROM due CROSS JOIN LATERAL (
                SELECT o.total - o.refunded AS net, o.ordered_on FROM {within(source, "o")}
                WHERE o.tenant_id = :tenant AND {COUNTED.format("o")} AND o.ordered_on <= :as_of
                    AND o.customer_id = due.customer_id AND o.currency = due.currency OFFSET 0) x
            UNION ALL
            SELECT due.currency, 0, x.net, 1, x.amount, NULL, NULL FROM due CROSS JOIN LATERAL (
                SELECT CASE WHEN f.order_id IS NULL THEN -f.amount ELSE 0 END AS net, f.amount
                FROM {within(source, "f")} WHERE f.tenant_id = :tenant AND f.refunded_on <= :as_of
                    AND f.customer_id = due.customer_id AND f.currency = due.currency OFFSET 0) x
        ), purchases AS (
            SELECT currency, sum(orders) AS orders, sum(revenue)::text AS revenue, sum(refunds) AS refunds,
                sum(refunded)::text AS refunded, min(first_on) AS first_on, max(last_on) AS last_on
            FROM figures GROUP BY currency HAVING sum(orders) > 0 OR sum(refunds) > 0
        ), returns AS (
            SELECT f.currency, count(*) AS returns, sum(f.amount)::text AS returned FROM {within(source, "f")}
            WHERE f.tenant_id = :tenant AND f.order_id IS NULL AND f.refunded_on <= :as_of GROUP BY f.currency
        )
        SELECT
            (SELECT coalesce(json_agg(x), '[]') FROM (SELECT c.status, c.kind, count(*) AS customers
                FROM customers c WHERE c.tenant_id = :tenant GROUP BY c.status, c.kind ORDER BY 1, 2) x) AS customers,
            (SELECT coalesce(json_agg(x ORDER BY currency), '[]') FROM (SELECT p.*, r.returns, r.returned
                FROM purchases p LEFT JOIN returns r USING (currency)) x) AS purchases,
            (SELECT count(*) FROM imports i WHERE i.tenant_id = :tenant AND i.state IN ('queued', 'running'))
                AS imports_in_progress
    """)


class PgOverview:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def read(self, as_of: date) -> Mapping[str, Any]:
        """Customers by status and kind, purchases up to that day by currency (sums as text of micros), imports."""
        narrow = self._session.principal.reach is not Reach.TENANT
        row = await self._session.fetchrow(_statement(narrow), as_of=as_of)
        assert row is not None
        return {
            "customers": orjson.loads(row["customers"]),
            "purchases": orjson.loads(row["purchases"]),
            "imports_in_progress": row["imports_in_progress"],
        }
