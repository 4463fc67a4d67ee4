"""Purchase totals are computed afresh, from what is recorded, for every customer that a transaction touched.

First and last days can't be decremented, and status changes, merges and deletions move them too. Only what is dated
up to the tenant's today counts; `latest_on` is the last record up to today (any order or refund, `-infinity` if
there is none yet) and `pending_from` the first one of the future, so a reader can tell for which `as_of` the row
holds. Who has a counted order is no prospect any more. `refunds` and `refunded` are all refunds up to today, linked
or not; a row exists while anything is recorded.
"""

from collections.abc import Collection
from contextlib import nullcontext
from datetime import date
from uuid import UUID

from service.db.purchase_facts import COUNTED
from service.db.session import Session
from service.db.statement import sql

# Two transactions that touch one customer follow one another from here on: the second one, waiting, begins the next
# statement with what the first has committed. Rising ids, so that batches can't lock crosswise.
_LOCK = sql("""SELECT FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:customers::uuid[])
    ORDER BY customer_id FOR NO KEY UPDATE""")

_RECOMPUTE = sql(f"""
    WITH recorded AS (
        SELECT o.customer_id, o.currency, o.ordered_on AS on_day, false AS is_refund,
            CASE WHEN {COUNTED.format("o")} THEN 1 ELSE 0 END AS counted,
            CASE WHEN {COUNTED.format("o")} THEN o.total - o.refunded ELSE 0 END AS net, 0 AS back
        FROM orders o WHERE o.tenant_id = :tenant AND o.customer_id = ANY (:customers::uuid[])
        UNION ALL
        SELECT f.customer_id, f.currency, f.refunded_on, true, 0,
            CASE WHEN f.order_id IS NULL THEN -f.amount ELSE 0 END, f.amount
        FROM refunds f WHERE f.tenant_id = :tenant AND f.customer_id = ANY (:customers::uuid[])
    ), fresh AS MATERIALIZED (
        SELECT customer_id, currency,
            coalesce(sum(counted) FILTER (WHERE past), 0)::int AS orders,
            coalesce(sum(net) FILTER (WHERE past), 0)::bigint AS revenue,
            coalesce(sum(back) FILTER (WHERE past), 0)::bigint AS refunded,
            (count(*) FILTER (WHERE past AND is_refund))::int AS refunds,
            min(on_day) FILTER (WHERE past AND counted = 1) AS first_on,
            max(on_day) FILTER (WHERE past AND counted = 1) AS last_on,
            coalesce(max(on_day) FILTER (WHERE past), '-infinity') AS latest_on,
            min(on_day) FILTER (WHERE NOT past) AS pending_from
        FROM (SELECT *, on_day <= :today AS past FROM recorded) r GROUP BY customer_id, currency
    ), gone AS (
        DELETE FROM purchase_totals t WHERE t.tenant_id = :tenant AND t.customer_id = ANY (:customers::uuid[])
            AND (t.customer_id, t.currency) NOT IN (SELECT customer_id, currency FROM fresh)
    ), moved AS (
        UPDATE purchase_totals t SET orders = n.orders, revenue = n.revenue, refunded = n.refunded,
            refunds = n.refunds, first_on = n.first_on, last_on = n.last_on, latest_on = n.latest_on,
            pending_from = n.pending_from
        FROM fresh n WHERE t.tenant_id = :tenant AND t.customer_id = ANY (:customers::uuid[])
            AND t.customer_id = n.customer_id AND t.currency = n.currency
            AND (t.orders, t.revenue, t.refunded, t.refunds, t.first_on, t.last_on, t.latest_on, t.pending_from)
            IS DISTINCT FROM
            (n.orders, n.revenue, n.refunded, n.refunds, n.first_on, n.last_on, n.latest_on, n.pending_from)
    )
    INSERT INTO purchase_totals (tenant_id, customer_id, currency, orders, revenue, refunded, refunds, first_on,
        last_on, latest_on, pending_from)
    SELECT :tenant, customer_id, currency, orders, revenue, refunded, refunds, first_on, last_on, latest_on,
        pending_from
    FROM fresh WHERE (customer_id, currency) NOT IN (
        SELECT t.customer_id, t.currency FROM purchase_totals t
        WHERE t.tenant_id = :tenant AND t.customer_id = ANY (:customers::uuid[]))""")


# Who was made in this very transaction has no history yet: a purchase file makes its customers as such.
_BUYERS = sql("""
    WITH buyers AS (
        UPDATE customers c SET status = 'customer', status_at = now(), version = c.version + 1, updated_at = now()
        WHERE c.tenant_id = :tenant AND c.customer_id = ANY (:customers::uuid[]) AND c.status = 'prospect'
            AND EXISTS (SELECT FROM purchase_totals t
                WHERE t.tenant_id = :tenant AND t.customer_id = c.customer_id AND t.orders > 0)
        RETURNING c.customer_id, c.created_at < now() AS known
    ), told AS (
        INSERT INTO customer_events (tenant_id, customer_id, event_id, kind, staff_id, source, detail)
        SELECT :tenant, customer_id, gen_random_uuid(), 'status', :staff_id::uuid, :source,
            '{"old": "prospect", "new": "customer", "reason": "first_order"}'
        FROM buyers WHERE known
    )
    INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
    SELECT :tenant, customer_id, customer_id, 'customer', 'updated' FROM buyers WHERE known
""")


# A plan kept from when the tables were small would read them whole for every batch of a long import.
_BATCH = 100


class PgTotals:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def refresh(self, customer_ids: Collection[UUID], today: date, *, source: str = "api") -> None:
        """Bring the totals of these customers (all in reach) in line with what is recorded by now.

        To be called once in a transaction, after its last change, with all customers touched.
        """
        if not customer_ids:
            return
        touched = sorted(set(customer_ids))
        async with self._session.planned_anew() if len(touched) > _BATCH else nullcontext():
            await self._session.execute(_LOCK, customers=touched)
            await self._session.execute(_RECOMPUTE, customers=touched, today=today)
            await self._session.execute(
                _BUYERS, customers=touched, staff_id=self._session.principal.staff_id, source=source
            )
