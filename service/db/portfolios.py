"""Portfolios read for a briefing, and the best customers by curator: few statements, whatever the number of records."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

from service.db.purchases import PgPurchases
from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.assignments.portfolio import HORIZON_DAYS, Portfolio
from service.domain.segmentation.abc_analysis import DEFAULT_BORDERS
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.rfm import Cuts

_STAFF = sql("SELECT FROM staff WHERE tenant_id = :tenant AND staff_id = :staff_id")
_OF_STAFF = "FROM customers c WHERE c.tenant_id = :tenant AND c.curator_id = :staff_id AND c.erased_at IS NULL"
_OF_ASSIGNMENT = """FROM ownerships o JOIN customers c ON c.tenant_id = o.tenant_id AND c.customer_id = o.customer_id
    WHERE o.tenant_id = :tenant AND o.assignment_id = :assignment_id AND o.ownership_id = :assignment_id
        AND c.erased_at IS NULL"""
_EXISTS = sql("""SELECT FROM ownerships o WHERE o.tenant_id = :tenant AND o.assignment_id = :assignment_id LIMIT 1""")
_MADE = sql("SELECT FROM assignments a WHERE a.tenant_id = :tenant AND a.assignment_id = :assignment_id")
_REACHED = " + ".join(f"(100 * before >= {border} * whole)::int" for border in DEFAULT_BORDERS)
# A, B and C by what the better ones bring; equal revenues are never parted (abc_analysis says the same in Python).
CLASSED = f"""ranked AS (
        SELECT customer_id, orders, revenue, last_on, sum(greatest(revenue, 0)) OVER () AS whole,
            coalesce(sum(greatest(revenue, 0)) OVER (ORDER BY revenue DESC
                GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
        FROM money
    ), classed AS MATERIALIZED (
        SELECT customer_id, orders, revenue, last_on,
            CASE WHEN revenue > 0 THEN {_REACHED} ELSE {len(DEFAULT_BORDERS)} END AS class
        FROM ranked
    )"""
_THIS_YEAR = """(p.birth_date + make_interval(
    years => (extract(year FROM :as_of::date) - extract(year FROM p.birth_date))::int))::date"""
# An interval of years from 29 February ends on the 28th where there is no 29th.
_NEXT_YEAR = _THIS_YEAR.replace("extract(year FROM :as_of::date)", "extract(year FROM :as_of::date) + 1")
_BIRTHDAYS = f"""birthdays AS MATERIALIZED (
        SELECT * FROM (
            SELECT p.customer_id, p.display_name, p.birth_date, p.birth_year_known,
                CASE WHEN {_THIS_YEAR} >= :as_of::date THEN {_THIS_YEAR} ELSE {_NEXT_YEAR} END AS day
            FROM portfolio p WHERE p.birth_date IS NOT NULL) b
        WHERE day <= :as_of::date + {HORIZON_DAYS}
    )"""
_EXPECTED = """expected AS MATERIALIZED (
        SELECT p.customer_id, p.display_name, t.last_on, t.orders, t.revenue,
            t.last_on + greatest(1, (t.last_on - t.first_on) / (t.orders - 1)) AS day
        FROM portfolio p JOIN purchase_totals t ON t.tenant_id = :tenant AND t.customer_id = p.customer_id
        WHERE t.currency = :currency AND t.orders > 1 AND t.first_on < t.last_on
    )"""


class PgPortfolios:
    def __init__(self, session: Session, purchases: PgPurchases) -> None:
        self._session = session
        self._purchases = purchases

    async def exists(self, portfolio: Portfolio) -> bool:
        if portfolio.assignment_id is None:
            return await self._session.fetchrow(_STAFF, staff_id=portfolio.staff_id) is not None
        wanted = {"assignment_id": portfolio.assignment_id}
        if await self._session.fetchrow(_EXISTS, **wanted) is not None:
            return True
        return await self._session.fetchrow(_MADE, **wanted) is not None

    async def briefing(self, portfolio: Portfolio, basis: Basis, *, top: int) -> Mapping[str, Any]:
        facts, days = await self._purchases.summed(basis)
        row = await self._session.fetchrow(_briefing(_whose(portfolio), facts), **_ids(portfolio), **days, top=top)
        assert row is not None
        return dict(row)

    async def groups(self, portfolio: Portfolio, basis: Basis, cuts: Cuts) -> list[Mapping[str, Any]]:
        facts, days = await self._purchases.summed(basis)
        rows = await self._session.fetch(_groups(_whose(portfolio), facts), **_ids(portfolio), **days, **_floors(cuts))
        return [dict(row) for row in rows]

    async def at_risk(
        self, portfolio: Portfolio, basis: Basis, cuts: Cuts, wanted: Sequence[tuple[int, int]], limit: int
    ) -> list[Mapping[str, Any]]:
        facts, days = await self._purchases.summed(basis)
        cells = [r * 100 + f for r, f in wanted]
        rows = await self._session.fetch(
            _at_risk(_whose(portfolio), facts), **_ids(portfolio), **days, **_floors(cuts), wanted=cells, limit=limit
        )
        return [dict(row) for row in rows]

    async def concentration(self, basis: Basis) -> list[Mapping[str, Any]]:
        facts, days = await self._purchases.summed(basis)
        return [dict(row) for row in await self._session.fetch(_concentration(facts), **days)]


def _whose(portfolio: Portfolio) -> str:
    if portfolio.assignment_id is None:
        return _OF_STAFF
    return _OF_ASSIGNMENT + (" AND o.curator_id = :staff_id" if portfolio.staff_id else "")


def _ids(portfolio: Portfolio) -> dict[str, object]:
    return {"staff_id": portfolio.staff_id, "assignment_id": portfolio.assignment_id}


def _floors(cuts: Cuts) -> dict[str, object]:
    return {
        "r": [date.fromordinal(floor) for floor in cuts.recency.floors],
        "f": list(cuts.frequency.floors),
    }


@cache
def _briefing(whose: str, facts: str) -> Statement:
    return sql(f"""
    WITH portfolio AS MATERIALIZED (
        SELECT c.customer_id, c.display_name, c.status, c.birth_date, c.birth_year_known {whose}
    ), money AS MATERIALIZED (
        SELECT x.customer_id, x.last_on, x.orders, x.revenue
        FROM portfolio p JOIN ({facts}) x (customer_id, last_on, orders, revenue) ON x.customer_id = p.customer_id
    ), {CLASSED}, {_BIRTHDAYS}, {_EXPECTED}
    SELECT (SELECT count(*) FROM portfolio) AS customers,
        (SELECT coalesce(sum(orders), 0)::bigint FROM money) AS orders,
        (SELECT coalesce(sum(revenue), 0)::bigint FROM money) AS revenue,
        ARRAY(SELECT ROW(status, count(*)) FROM portfolio GROUP BY status ORDER BY status) AS statuses,
        ARRAY(SELECT ROW(class, count(*), sum(revenue)::bigint) FROM classed GROUP BY class ORDER BY class) AS classes,
        ARRAY(SELECT ROW(k.customer_id, p.display_name, k.class, k.orders, k.revenue, k.last_on)
            FROM (SELECT * FROM classed ORDER BY revenue DESC, customer_id LIMIT :top) k
            JOIN portfolio p USING (customer_id)
            ORDER BY k.revenue DESC, k.customer_id) AS top,
        (SELECT count(*) FROM birthdays) AS birthdays,
        ARRAY(SELECT ROW(customer_id, display_name, day, CASE WHEN birth_year_known
                THEN (extract(year FROM day) - extract(year FROM birth_date))::int END)
            FROM birthdays ORDER BY day, customer_id LIMIT :top) AS next_birthdays,
        (SELECT count(*) FROM expected WHERE day < :as_of::date) AS overdue,
        (SELECT count(*) FROM expected WHERE day BETWEEN :as_of::date AND :as_of::date + {HORIZON_DAYS}) AS expected,
        ARRAY(SELECT ROW(customer_id, display_name, day, last_on, orders, revenue) FROM expected
            WHERE day BETWEEN :as_of::date AND :as_of::date + {HORIZON_DAYS}
            ORDER BY day, customer_id LIMIT :top) AS next_orders""")


def _scored(whose: str, facts: str) -> str:
    return f"""SELECT p.customer_id, p.display_name, x.last_on, x.orders, x.revenue,
            1 + width_bucket(x.last_on, :r::date[]) AS r, 1 + width_bucket(x.orders::bigint, :f::bigint[]) AS f
        FROM (SELECT c.customer_id, c.display_name {whose}) p
        JOIN ({facts}) x (customer_id, last_on, orders, revenue) ON x.customer_id = p.customer_id WHERE x.orders > 0"""


@cache
def _groups(whose: str, facts: str) -> Statement:
    return sql(f"""SELECT r, f, count(*) AS customers, sum(revenue)::bigint AS revenue
        FROM ({_scored(whose, facts)}) s GROUP BY r, f""")


@cache
def _at_risk(whose: str, facts: str) -> Statement:
    return sql(f"""SELECT customer_id, display_name, last_on, orders, revenue, r, f FROM ({_scored(whose, facts)}) s
        WHERE r * 100 + f = ANY (:wanted::int[]) ORDER BY revenue DESC, customer_id LIMIT :limit""")


@cache
def _concentration(facts: str) -> Statement:
    return sql(f"""
    WITH money AS MATERIALIZED (SELECT * FROM ({facts}) x (customer_id, last_on, orders, revenue)), {CLASSED}
    SELECT c.curator_id, s.name, count(*) AS customers, sum(k.revenue)::bigint AS revenue,
        count(*) FILTER (WHERE k.class = 0) AS a_customers,
        coalesce(sum(k.revenue) FILTER (WHERE k.class = 0), 0)::bigint AS a_revenue
    FROM classed k JOIN customers c ON c.tenant_id = :tenant AND c.customer_id = k.customer_id
    LEFT JOIN staff s ON s.tenant_id = :tenant AND s.staff_id = c.curator_id
    GROUP BY 1, 2 ORDER BY a_revenue DESC, revenue DESC, c.curator_id""")
