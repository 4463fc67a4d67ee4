"""ABC in one statement: items, their totals, classes and the curve; only sums and the first items travel.

Items are counted in some hundreds of buckets of totals; a bucket into which a border falls is taken apart total by
total. Equal totals are one step, so a tie can't be cut; sums are numeric, hence exact. (1 M customers: a third of the
time of a window over all of them.) Order lines tell products apart: what an order's header says beyond its lines
belongs to no product, nor does a refund without lines.
"""

from functools import cache
from typing import Any

from service.db.purchase_facts import COUNTED, Source, days, facts, within
from service.db.statement import Statement, sql
from service.domain.segmentation.abc_analysis import (
    MOST_POINTS,
    AbcFigures,
    AbcItem,
    AbcMeasure,
    AbcOver,
    ClassSum,
    class_name,
)

NAMES = {
    AbcOver.CUSTOMERS: "SELECT n.display_name FROM customers n WHERE n.tenant_id = :tenant AND n.customer_id = i.item",
    AbcOver.PRODUCTS: "SELECT n.name FROM products n WHERE n.tenant_id = :tenant AND n.product_id = i.item",
    AbcOver.CATEGORIES: "SELECT n.name FROM categories n WHERE n.tenant_id = :tenant AND n.category_id = i.item",
    AbcOver.CHANNELS: "SELECT n.name FROM channels n WHERE n.tenant_id = :tenant AND n.channel_id = i.item",
    AbcOver.CURATORS: "SELECT n.name FROM staff n WHERE n.tenant_id = :tenant AND n.staff_id = i.item",
    AbcOver.SALES_CHANNELS: "i.item",
}


@cache
def statement(over: AbcOver, by: AbcMeasure, source: Source, borders: int) -> Statement:
    """The whole analysis; parameters `border0` … `limit` and those of the facts."""

    def reached(sold_before: str) -> str:
        return " + ".join(f"(100 * ({sold_before}) >= :border{i}::int * whole.total)::int" for i in range(borders))

    # Numbers of orders are few: each is a bucket of its own.
    bucket = "width_bucket(total, bound)" if by is AbcMeasure.REVENUE else "total"
    sampled = "total > 1 AND hashint8(total) & 1023 = 0" if by is AbcMeasure.REVENUE else "false"
    return sql(f"""
        WITH items AS MATERIALIZED ({_items(over, by, source)}),
        -- Bounds of buckets: values picked by their hash, the same in every run; 1 parts off the worthless.
        bounds AS MATERIALIZED (
            SELECT 1::bigint || coalesce(array_agg(DISTINCT total ORDER BY total), '{{}}') AS bound
            FROM items WHERE {sampled}
        ), buckets AS MATERIALIZED (
            SELECT {bucket} AS bucket, min(total) AS low, max(total) AS high, count(*) AS n,
                sum(greatest(total, 0)) AS amount, sum(least(total, 0)) AS negative
            FROM items, bounds GROUP BY 1
        ), whole AS MATERIALIZED (
            SELECT coalesce(sum(n), 0)::bigint AS items, coalesce(sum(amount), 0) AS total,
                coalesce(sum(negative), 0) AS negative FROM buckets
        ), ranked AS MATERIALIZED (
            SELECT low, high, n, amount, sum(amount) OVER better - amount AS before,
                (sum(n) OVER better)::bigint - n AS passed
            FROM buckets WINDOW better AS (ORDER BY bucket DESC ROWS UNBOUNDED PRECEDING)
        ), judged AS MATERIALIZED (
            SELECT ranked.*, CASE WHEN high > 0 THEN {reached("before")} ELSE {borders} END AS class,
                low < high AND high > 0 AND {reached("before")} <> {reached("before + amount")} AS cut
            FROM ranked, whole
        ),
        parts AS (
            SELECT k.before AS start, k.passed AS ahead, i.total, count(*) AS n, sum(i.total) AS amount
            FROM judged k JOIN items i ON i.total BETWEEN k.low AND k.high WHERE k.cut GROUP BY 1, 2, 3
        ), steps AS MATERIALIZED (
            SELECT high AS value, low, n, amount, before, passed, class FROM judged WHERE NOT cut
            UNION ALL
            SELECT p.total, p.total, n, amount, before, passed, {reached("before")} FROM (
                SELECT total, n, amount, start + sum(amount) OVER better - amount AS before,
                    ahead + (sum(n) OVER better)::bigint - n AS passed
                FROM parts WINDOW better AS (PARTITION BY start ORDER BY total DESC ROWS UNBOUNDED PRECEDING)
            ) p, whole
        ), classes AS (
            SELECT class, sum(n)::bigint AS n, sum(amount) AS amount, min(low) AS least FROM steps GROUP BY class
        ),
        points AS (
            SELECT max(passed + n) AS upto, max(before + amount) AS amount FROM steps, whole
            WHERE whole.total > 0 GROUP BY ((passed + n) * {MOST_POINTS} - 1) / whole.items
        ), enough AS (
            SELECT passed + div(
                :border0::int * whole.total - 100 * before + 100 * value::numeric - 1, 100 * value::numeric) AS n
            FROM steps, whole WHERE value > 0 AND 100 * before < :border0::int * whole.total
                AND 100 * (before + amount) >= :border0::int * whole.total
        ), first AS (
            SELECT item, total, rank() OVER (ORDER BY total DESC) AS place, coalesce(sum(greatest(total, 0)) OVER (
                ORDER BY total DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
            FROM (SELECT item, total FROM items ORDER BY total DESC, item LIMIT :limit) best
        )
        SELECT whole.items, whole.total, whole.negative,
            coalesce((SELECT n FROM enough), 0)::bigint AS enough,
            ARRAY(SELECT ROW(class, n, amount, least) FROM classes) AS classes,
            ARRAY(SELECT ROW(upto, amount) FROM points ORDER BY upto) AS curve,
            ARRAY(SELECT ROW(i.item::text, ({NAMES[over]}), i.total, i.place,
                    CASE WHEN i.total > 0 THEN {reached("before")} ELSE {borders} END)
                FROM first i ORDER BY i.total DESC, i.item) AS top
        FROM whole""")


def figures(row: Any) -> AbcFigures:
    """The answer of the statement as the domain's value."""
    return AbcFigures(
        items=row["items"],
        total=int(row["total"]),
        negative=int(row["negative"]),
        classes=tuple(
            ClassSum(index=index, items=n, total=int(total), least=least) for index, n, total, least in row["classes"]
        ),
        curve=tuple((upto, int(total)) for upto, total in row["curve"]),
        top=tuple(
            AbcItem(item=item, name=name, total=total, place=place, class_name=class_name(index))
            for item, name, total, place, index in row["top"]
        ),
        enough=row["enough"],
    )


def _items(over: AbcOver, by: AbcMeasure, source: Source) -> str:
    """SELECT item, total: one row for each item that has a counted order or a return."""
    match over:
        case AbcOver.CUSTOMERS:
            return f"SELECT customer_id AS item, {by.value}::bigint AS total FROM ({_customers(source)}) x {_COLUMNS}"
        case AbcOver.CHANNELS | AbcOver.CURATORS:
            column = "channel_id" if over is AbcOver.CHANNELS else "curator_id"
            return f"""SELECT k.{column} AS item, sum(x.{by.value})::bigint AS total
                FROM ({_customers(source)}) x {_COLUMNS}
                JOIN customers k ON k.tenant_id = :tenant AND k.customer_id = x.customer_id GROUP BY 1"""
        case AbcOver.SALES_CHANNELS:
            return _sales_channels(by, source)
    return _products(over, by, source)


_COLUMNS = "(customer_id, last_on, orders, revenue)"


def _customers(source: Source) -> str:
    return facts(source, returns_only=True)


def orders_of(source: Source, joined: str = "") -> str:
    """FROM … WHERE of the counted orders `o`, with what is joined to them."""
    return f"""{within(source, "o")} {joined} WHERE o.tenant_id = :tenant AND o.currency = :currency
        AND {COUNTED.format("o")} AND {days(source, "o.ordered_on")}"""


def returns_of(source: Source, joined: str = "") -> str:
    """FROM … WHERE of the returns `f` that belong to no order."""
    return f"""{within(source, "f")} {joined} WHERE f.tenant_id = :tenant AND f.currency = :currency
        AND f.order_id IS NULL AND {days(source, "f.refunded_on")}"""


def moved(source: Source) -> str:
    """SELECT product_id, order_id, day, amount of every line; what was brought back bears no order."""
    lines = "SELECT l.product_id, {0} AS order_id, {1} AS day, {2} AS amount FROM {3}"
    sold = "JOIN order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.order_id"
    back = """JOIN refunds b ON b.tenant_id = o.tenant_id AND b.order_id = o.order_id
        JOIN refund_lines l ON l.tenant_id = b.tenant_id AND l.refund_id = b.refund_id"""
    loose = "JOIN refund_lines l ON l.tenant_id = f.tenant_id AND l.refund_id = f.refund_id"
    return " UNION ALL ".join(
        [
            lines.format("o.order_id", "o.ordered_on", "l.amount", orders_of(source, sold)),
            lines.format("NULL", "o.ordered_on", "-l.amount", orders_of(source, back)),
            lines.format("NULL", "f.refunded_on", "-l.amount", returns_of(source, loose)),
        ]
    )


def _sales_channels(by: AbcMeasure, source: Source) -> str:
    # An unlinked return has no sales channel.
    measure = "sum(total - refunded)" if by is AbcMeasure.REVENUE else "count(*)"
    back = "-sum(amount)" if by is AbcMeasure.REVENUE else "0"
    return f"""SELECT item, sum(total)::bigint AS total FROM (
        SELECT o.sales_channel COLLATE "C" AS item, {measure} AS total FROM {orders_of(source)} GROUP BY 1
        UNION ALL SELECT NULL, {back} FROM {returns_of(source)} HAVING count(*) > 0
        ) x GROUP BY item"""


def _products(over: AbcOver, by: AbcMeasure, source: Source) -> str:
    item, of = "x.product_id", ""
    if over is AbcOver.CATEGORIES:
        item, of = "d.category_id", "JOIN products d ON d.tenant_id = :tenant AND d.product_id = x.product_id"
    if by is AbcMeasure.REVENUE:
        return f"SELECT {item} AS item, sum(x.amount)::bigint AS total FROM ({moved(source)}) x {of} GROUP BY 1"
    # An order with two lines of one item counts once.
    return f"""SELECT item, count(order_id) AS total FROM (
        SELECT DISTINCT {item} AS item, x.order_id FROM ({moved(source)}) x {of}) y GROUP BY item"""
