"""ABC crossed with XYZ or with RFM scores, in one statement each; only the sums of cells, or one page, travel.

The classes come in as the least total within each border (`floor0` …), which the analysis found in the same snapshot.
XYZ sums what each item sold by period; a period is a whole number, so those without sales are counted, not made.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from service.db.abc_sql import NAMES, moved, orders_of, returns_of
from service.db.purchase_facts import Source, facts
from service.db.statement import Statement, sql
from service.domain.segmentation.abc_analysis import AbcMeasure, AbcOver, class_name
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.matrices import Floors, ListedItem, Wanted
from service.domain.segmentation.xyz_analysis import FEWEST_PERIODS, Period, XyzScheme, whole_periods

# No total is as great: stands for a border that no item is within.
_NONE_IS = 2**63 - 1
# The same numbers as in `xyz_analysis.number_of`.
_MONTH = "(extract(year FROM {0})::int * 12 + extract(month FROM {0})::int - 1)"
_NUMBERS = {
    Period.WEEK: "(({0} - date '0001-01-01') / 7)",
    Period.MONTH: _MONTH,
    Period.QUARTER: f"({_MONTH} / 3)",
    Period.YEAR: "extract(year FROM {0})::int",
}


@cache
def by_xyz(over: AbcOver, by: AbcMeasure, source: Source, borders: int, period: Period) -> Statement:
    """(index, column, items, total); parameters `floor0` …, those of the scheme and those of the facts."""
    return sql(f"""{_steadiness(over, by, source, period)}
        SELECT {_index(borders)} AS index, letter AS column, count(*) AS items, sum(greatest(total, 0)) AS total
        FROM judged GROUP BY 1, 2""")


@cache
def page(over: AbcOver, by: AbcMeasure, source: Source, borders: int, period: Period) -> Statement:
    """Items of the wanted classes and letters, the best first, equal totals by item."""
    key = "coalesce('=' || i.item::text, '') COLLATE \"C\""
    return sql(f"""{_steadiness(over, by, source, period)}
        SELECT i.item::text AS item, ({NAMES[over]}) AS name, i.total, i.index, i.letter, i.periods
        FROM (SELECT *, {_index(borders)} AS index FROM judged) i
        WHERE i.index = ANY (:indexes::int[]) AND i.letter = ANY (:letters::text[])
            AND (:after::text IS NULL OR i.total < :after_total::bigint
                OR (i.total = :after_total::bigint AND {key} > :after::text))
        ORDER BY i.total DESC, {key} LIMIT :limit""")


@cache
def judged_customers(by: AbcMeasure, source: Source, borders: int, period: Period) -> str:
    """SELECT customer_id, class_no, letter: one row for each customer that has a counted order or a return."""
    return f"""{_steadiness(AbcOver.CUSTOMERS, by, source, period)}
        SELECT item AS customer_id, {_index(borders)} AS class_no, letter FROM judged"""


@cache
def by_scores(by: AbcMeasure, source: Source, borders: int) -> Statement:
    """(index, r, f, items, total) of customers; r and f are null of those without a counted order."""
    return sql(f"""
        SELECT {_index(borders)} AS index, CASE WHEN orders > 0 THEN 1 + width_bucket(last_on, :r::date[]) END AS r,
            CASE WHEN orders > 0 THEN 1 + width_bucket(orders::bigint, :f::bigint[]) END AS f,
            count(*) AS items, sum(greatest(total, 0)) AS total
        FROM (SELECT last_on, orders, {by.value}::bigint AS total
            FROM ({facts(source, returns_only=True)}) x (customer_id, last_on, orders, revenue)) judged
        GROUP BY 1, 2, 3""")


def wanted_values(wanted: Wanted) -> dict[str, object]:
    total, item = wanted.after or (0, None)
    return {
        "indexes": list(wanted.indexes),
        "letters": list(wanted.letters),
        "limit": wanted.limit,
        "after": None if wanted.after is None else "" if item is None else f"={item}",
        "after_total": total,
    }


def listed(row: Mapping[str, Any]) -> ListedItem:
    return ListedItem(
        item=row["item"],
        name=row["name"],
        total=row["total"],
        class_name=class_name(row["index"]),
        letter=row["letter"],
        periods=row["periods"],
    )


def floor_values(floors: Floors) -> dict[str, object]:
    return {f"floor{i}": _NONE_IS if floor is None else floor for i, floor in enumerate(floors)}


def scheme_values(basis: Basis, scheme: XyzScheme) -> dict[str, object]:
    """Borders are squared, as the coefficient is."""
    first, last = whole_periods(basis, scheme.period)
    x, y = (border * border for border in scheme.borders)
    return {"first": first, "last": last, "x": x, "y": y}


def _index(borders: int) -> str:
    below = " + ".join(f"(total < :floor{i}::bigint)::int" for i in range(borders))
    return f"({below})"


def _steadiness(over: AbcOver, by: AbcMeasure, source: Source, period: Period) -> str:
    """WITH … judged (item, total, periods, letter)."""
    seen = "period BETWEEN greatest(begun, :first::int) AND :last::int"
    spread = "(periods * squares - whole * whole) * 10000"
    return f"""
        WITH sales AS (
            SELECT item, {_NUMBERS[period].format("day")} AS period, sum(amount)::bigint AS amount,
                bool_or(sold) AS sold
            FROM ({_moves(over, by, source)}) m GROUP BY 1, 2
        ), series AS (
            SELECT *, min(period) FILTER (WHERE sold) OVER (PARTITION BY item) AS begun FROM sales
        ), items AS (
            SELECT item, sum(amount)::bigint AS total,
                CASE WHEN begun IS NULL THEN 0 ELSE greatest(:last::int + 1 - greatest(begun, :first::int), 0) END
                    AS periods,
                coalesce(sum(amount) FILTER (WHERE {seen}), 0) AS whole,
                coalesce(sum(amount::numeric * amount) FILTER (WHERE {seen}), 0) AS squares
            FROM series GROUP BY item, begun
        ), judged AS (
            SELECT item, total, periods, CASE WHEN periods < {FEWEST_PERIODS} THEN 'too_short' WHEN whole <= 0 THEN 'Z'
                WHEN {spread} < :x::bigint * whole * whole THEN 'X'
                WHEN {spread} < :y::bigint * whole * whole THEN 'Y' ELSE 'Z' END AS letter
            FROM items
        )"""


def _moves(over: AbcOver, by: AbcMeasure, source: Source) -> str:
    """SELECT item, day, sold, amount: each order, line or return by its day."""
    if over in (AbcOver.PRODUCTS, AbcOver.CATEGORIES):
        return _lines(over, by, source)
    ordered, back = ("o.total - o.refunded", "-f.amount") if by is AbcMeasure.REVENUE else ("1", "0")
    column, whose = {
        AbcOver.CUSTOMERS: ("{0}.customer_id", ""),
        AbcOver.SALES_CHANNELS: ('o.sales_channel COLLATE "C"', ""),
        AbcOver.CHANNELS: ("k.channel_id", _WHOSE),
        AbcOver.CURATORS: ("k.curator_id", _WHOSE),
    }[over]
    returned = "NULL" if over is AbcOver.SALES_CHANNELS else column.format("f")
    return f"""SELECT {column.format("o")} AS item, o.ordered_on AS day, true AS sold, {ordered} AS amount
        FROM {orders_of(source, whose.format("o"))}
        UNION ALL SELECT {returned}, f.refunded_on, false, {back} FROM {returns_of(source, whose.format("f"))}"""


_WHOSE = "JOIN customers k ON k.tenant_id = {0}.tenant_id AND k.customer_id = {0}.customer_id"


def _lines(over: AbcOver, by: AbcMeasure, source: Source) -> str:
    item, of = "x.product_id", ""
    if over is AbcOver.CATEGORIES:
        item, of = "d.category_id", "JOIN products d ON d.tenant_id = :tenant AND d.product_id = x.product_id"
    if by is AbcMeasure.REVENUE:
        return f"SELECT {item} AS item, x.day, x.order_id IS NOT NULL AS sold, x.amount FROM ({moved(source)}) x {of}"
    # An order with two lines of one item counts once.
    return f"""SELECT item, day, order_id IS NOT NULL AS sold, (order_id IS NOT NULL)::int AS amount FROM (
        SELECT DISTINCT {item} AS item, x.day, x.order_id FROM ({moved(source)}) x {of}) y"""
