"""RFM by hand over the kept totals, as superuser: no policy, room for the sort, no compiling, plans for these values.

The quickest of a dozen: days and counts have few values, so one aggregate by both gives their cuts and the cells, and
only money is sorted. Slower, from nearly as fast to three times: money by a histogram in the same scan, by brackets
from a sample, by row numbers; one materialised scan for all; three percentile_disc in one pass, then a join.
"""

from datetime import date

import asyncpg

from benchmarks.references.rfm_answer import BINS, Answer, answer, score

_FACTS = "purchase_totals WHERE tenant_id = 1 AND currency = $1 AND latest_on <= $2 AND orders > 0"
_FRACTIONS = [k / BINS for k in range(1, BINS)]


def _cuts(letter: str) -> str:
    """The quantiles of a letter of few values, off its running count."""
    places = ", ".join(f"min(v) FILTER (WHERE upto * {BINS} >= total * {k})" for k in range(1, BINS))
    return f"""(SELECT ARRAY[{places}] FROM (
        SELECT {letter} AS v, sum(sum(n)) OVER (ORDER BY {letter}) AS upto, sum(sum(n)) OVER () AS total
        FROM grid GROUP BY {letter}) h)"""


_REPORT = f"""
    WITH grid AS MATERIALIZED (
        SELECT last_on, orders, count(*) AS n, sum(revenue) AS revenue FROM {_FACTS} GROUP BY last_on, orders
    ), cuts AS MATERIALIZED (
        SELECT {_cuts("last_on")} AS r, {_cuts("orders")} AS f,
               (SELECT percentile_disc(ARRAY{_FRACTIONS}) WITHIN GROUP (ORDER BY revenue) FROM {_FACTS}) AS m
    )
    SELECT {score("last_on", "r")}, {score("orders", "f")}, sum(n), sum(revenue), sum(orders * n),
           sum(($2 - last_on) * n), r, f, m
    FROM grid, cuts GROUP BY 1, 2, r, f, m"""


async def ready(connection: asyncpg.Connection) -> None:
    """Room, and the prices at which the aggregate is shared with a helper but a million rows are not handed over."""
    await connection.execute(
        "SET work_mem = '256MB'; SET jit = off; SET plan_cache_mode = force_custom_plan;"
        "SET max_parallel_workers_per_gather = 1; SET parallel_setup_cost = 10; SET parallel_tuple_cost = 0.02"
    )


async def answered(connection: asyncpg.Connection, currency: str, as_of: date) -> Answer:
    rows = [tuple(row) for row in await connection.fetch(_REPORT, currency, as_of)]
    return answer((row[:6] for row in rows), *rows[0][6:])
