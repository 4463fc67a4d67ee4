"""RFM by DuckDB over the raw orders in Parquet: one statement, as many threads as there are cores."""

from datetime import date
from pathlib import Path

import duckdb

from benchmarks.references.rfm_answer import BINS, COUNTED, Answer, answer, score

_FRACTIONS = [k / BINS for k in range(1, BINS)]


def _statement(orders: Path) -> str:
    quantiles = ", ".join(f"quantile_disc({x}, {_FRACTIONS}) AS {x}_cuts" for x in ("last_on", "orders", "revenue"))
    return f"""
    WITH facts AS MATERIALIZED (
        SELECT customer_id, max(ordered_on) AS last_on, count(*)::int AS orders,
               sum(total - refunded)::bigint AS revenue
        FROM '{orders}'
        WHERE currency = $currency AND {COUNTED} AND ordered_on <= $as_of
        GROUP BY customer_id
    ), cuts AS MATERIALIZED (SELECT {quantiles} FROM facts)
    SELECT {score("last_on", "last_on_cuts")} AS r, {score("orders", "orders_cuts")} AS f, count(*), sum(revenue),
           sum(orders), sum($as_of::date - last_on), any_value(last_on_cuts), any_value(orders_cuts),
           any_value(revenue_cuts)
    FROM facts, cuts GROUP BY r, f"""


def answered(connection: duckdb.DuckDBPyConnection, orders: Path, currency: str, as_of: date) -> Answer:
    rows = connection.execute(_statement(orders), {"currency": currency, "as_of": as_of}).fetchall()
    return answer((row[:6] for row in rows), *rows[0][6:])
