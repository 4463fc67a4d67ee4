"""What one customer's counted purchases come to, as SQL: the one place that says which orders count.

Kept totals answer for all time as long as nothing recorded lies after `as_of` and nothing of the future has come
due; customers of whom that is not true, and every window, are summed from orders and returns.
"""

from dataclasses import dataclass
from functools import lru_cache

from service.domain.segmentation.rfm import Monetary

COUNTED = "{0}.status IN ('paid', 'completed') AND NOT ({0}.refunded > 0 AND {0}.refunded >= {0}.total)"

# A total is right at :as_of unless something of it is dated later, or something left out has come due.
RIGHT = "t.latest_on <= :as_of AND (t.pending_from IS NULL OR t.pending_from > :as_of)"
STALE_CUSTOMERS = """SELECT t.customer_id FROM purchase_totals t
    WHERE t.tenant_id = :tenant AND (t.latest_on > :as_of OR t.pending_from <= :as_of)"""

_LATER = "t.tenant_id = :tenant AND t.currency {0} :currency AND t.latest_on > :as_of"
_DUE = "t.tenant_id = :tenant AND t.pending_from <= :as_of"
# How many totals can't be used, counted by one range of an index each, and how many rows all tenants keep.
_COUNTS = [f"(SELECT count(*) FROM purchase_totals t WHERE {r})" for r in (*map(_LATER.format, "=<>"), _DUE)]
STATE = f"""SELECT {" + ".join(_COUNTS)} AS stale,
    (SELECT reltuples::bigint FROM pg_class WHERE oid = 'purchase_totals'::regclass) AS kept"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the sums come from: orders in a window, all orders, or totals (some of them stale).

    `narrow` starts from the customers in reach instead of the whole tenant; `among` is a condition on records `c`.
    """

    windowed: bool
    afresh: bool
    stale: bool
    narrow: bool
    among: str = ""


@lru_cache(maxsize=256)
def facts(source: Source, *, returns_only: bool = False, sample: str = "") -> str:
    """SELECT customer_id, last_on, orders, revenue; with `returns_only` also of those who only brought back."""
    found = _of_everybody(source, returns_only, sample)
    if not source.among:
        return found
    return f"""SELECT s.customer_id, s.last_on, s.orders, s.revenue
        FROM ({found}) s (customer_id, last_on, orders, revenue) WHERE s.customer_id IN ({members(source)})"""


def members(source: Source) -> str:
    """The ids of those whom the condition means; an erased record is nobody any more."""
    return (
        f"SELECT c.customer_id FROM customers c WHERE c.tenant_id = :tenant AND c.erased_at IS NULL AND {source.among}"
    )


def _of_everybody(source: Source, returns_only: bool, sample: str) -> str:
    if source.windowed or source.afresh:
        return _from_orders(source, "", returns_only)
    kept = _from_totals(source, returns_only, sample)
    if not source.stale:
        return kept
    again = f"AND {{0}}.customer_id IN ({STALE_CUSTOMERS} AND t.currency = :currency)"
    return f"{kept} UNION ALL {_from_orders(source, again, returns_only)}"


def value_of(monetary: Monetary) -> str:
    """The monetary letter; the whole quotient is rounded down, also below zero."""
    if monetary is Monetary.SUM:
        return "revenue"
    return "(revenue / orders - CASE WHEN revenue % orders < 0 THEN 1 ELSE 0 END)"


def within(source: Source, alias: str) -> str:
    """FROM a table that has a customer, narrowed to the customers in reach by a join that starts there."""
    table = {"o": "orders", "f": "refunds", "t": "purchase_totals"}[alias]
    if not source.narrow:
        return f"{table} {alias}"
    return (
        f"customers c JOIN {table} {alias} ON {alias}.tenant_id = c.tenant_id AND {alias}.customer_id = c.customer_id"
    )


def days(source: Source, column: str) -> str:
    """The days of the basis."""
    return f"{column} <= :as_of" + (f" AND {column} >= :from_on" if source.windowed else "")


def _from_totals(source: Source, returns_only: bool, sample: str) -> str:
    some = "(t.orders > 0 OR t.revenue <> 0)" if returns_only else "t.orders > 0"
    return f"""SELECT t.customer_id, t.last_on, t.orders, t.revenue FROM {within(source, "t")} {sample}
        WHERE t.tenant_id = :tenant AND t.currency = :currency AND {RIGHT} AND {some}"""


def _from_orders(source: Source, only: str, returns_only: bool) -> str:
    some = "" if returns_only else "HAVING count(p.ordered_on) > 0"
    return f"""SELECT p.customer_id, max(p.ordered_on), count(p.ordered_on)::int, sum(p.net)::bigint FROM (
        SELECT o.customer_id, o.ordered_on, o.total - o.refunded AS net FROM {within(source, "o")}
        WHERE o.tenant_id = :tenant AND o.currency = :currency AND {COUNTED.format("o")}
            AND {days(source, "o.ordered_on")} {only.format("o")}
        UNION ALL
        SELECT f.customer_id, NULL, -f.amount FROM {within(source, "f")}
        WHERE f.tenant_id = :tenant AND f.currency = :currency AND f.order_id IS NULL
            AND {days(source, "f.refunded_on")} {only.format("f")}
        ) p GROUP BY p.customer_id {some}"""
