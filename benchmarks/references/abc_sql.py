"""ABC by hand over the kept totals, as superuser: no policy, room for the sort, no compiling, plans for these values.

One sort of the positive totals, with a running sum in whole numbers: the least totals of A and B are read off it (equal
totals are of the class of the first, so the least total decides), then classes and the curve.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import asyncpg

from benchmarks.references import rfm_sql

ready = rfm_sql.ready

_REPORT = """
    WITH totals AS MATERIALIZED (
        SELECT customer_id, revenue FROM purchase_totals
        WHERE tenant_id = 1 AND currency = $1 AND latest_on <= $2 AND (orders > 0 OR revenue <> 0)
    ), steps AS MATERIALIZED (
        SELECT revenue, row_number() OVER falling AS place, (sum(revenue) OVER falling)::bigint AS upto
        FROM totals WHERE revenue > 0 WINDOW falling AS (ORDER BY revenue DESC ROWS UNBOUNDED PRECEDING)
    ), whole AS MATERIALIZED (
        SELECT (SELECT count(*) FROM totals) AS items, max(upto) AS total FROM steps
    ), floors AS MATERIALIZED (
        SELECT min(revenue) FILTER (WHERE 5 * (upto - revenue) < 4 * total) AS a,
            min(revenue) FILTER (WHERE 20 * (upto - revenue) < 19 * total) AS b
        FROM steps, whole
    ), classes AS (
        SELECT (revenue < a)::int + (revenue < b)::int AS class, count(*) AS n, sum(revenue) AS amount
        FROM steps, floors GROUP BY 1
    ), points AS (
        SELECT max(place) AS place, max(upto) AS upto FROM steps, whole GROUP BY (place * 200 - 1) / items
    )
    SELECT items, total, ARRAY(SELECT ROW(class, n, amount) FROM classes ORDER BY class) AS classes,
        ARRAY(SELECT ROW(place, upto) FROM points ORDER BY place) AS curve,
        ARRAY(SELECT ROW(t.customer_id, c.display_name, t.revenue)
            FROM (SELECT * FROM totals ORDER BY revenue DESC, customer_id LIMIT 20) t
            JOIN customers c ON c.tenant_id = 1 AND c.customer_id = t.customer_id
            ORDER BY t.revenue DESC, t.customer_id) AS top
    FROM whole"""


@dataclass(frozen=True, slots=True)
class Answer:
    """`classes` are (items, total) of the positive ones; `top` are ids with names and totals."""

    items: int
    total: int
    classes: tuple[tuple[int, int], ...]
    points: int
    top: tuple[tuple[str, str, int], ...]


async def answered(connection: asyncpg.Connection, currency: str, as_of: date) -> Answer:
    row = await connection.fetchrow(_REPORT, currency, as_of)
    assert row is not None
    return Answer(
        items=row["items"],
        total=int(row["total"]),
        classes=tuple((int(n), int(Decimal(amount))) for _, n, amount in row["classes"]),
        points=len(row["curve"]),
        top=tuple((str(customer_id), name, revenue) for customer_id, name, revenue in row["top"]),
    )
