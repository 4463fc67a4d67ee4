"""RFM by hand over the kept totals, as superuser: no policy, room for the sorts, no compiling, plans for these values."""

from datetime import date

import asyncpg

from benchmarks.references.rfm_answer import BINS, Answer, answer, score

_FRACTIONS = [k / BINS for k in range(1, BINS)]
_CUTS = ", ".join(
    f"percentile_disc(ARRAY{_FRACTIONS}) WITHIN GROUP (ORDER BY {x}) AS {x}_cuts"
    for x in ("last_on", "orders", "revenue")
)
_REPORT = f"""
    WITH facts AS MATERIALIZED (
        SELECT last_on, orders, revenue FROM purchase_totals
        WHERE tenant_id = 1 AND currency = $1 AND latest_on <= $2 AND orders > 0
    ), cuts AS MATERIALIZED (SELECT {_CUTS} FROM facts)
    SELECT {score("last_on", "last_on_cuts")} AS r, {score("orders", "orders_cuts")} AS f, count(*), sum(revenue),
           sum(orders), sum($2 - last_on), last_on_cuts, orders_cuts, revenue_cuts
    FROM facts, cuts GROUP BY r, f, last_on_cuts, orders_cuts, revenue_cuts"""


async def ready(connection: asyncpg.Connection) -> None:
    """Room for the sorts, on this connection."""
    await connection.execute("SET work_mem = '256MB'; SET jit = off; SET plan_cache_mode = force_custom_plan")


async def answered(connection: asyncpg.Connection, currency: str, as_of: date) -> Answer:
    rows = [tuple(row) for row in await connection.fetch(_REPORT, currency, as_of)]
    return answer((row[:6] for row in rows), *rows[0][6:])
