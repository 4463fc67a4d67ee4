"""The figures of orders that rules ask for, as sets of (customer_id, figures) `a` to be joined with the records `c`."""

from dataclasses import dataclass
from typing import Any, Protocol

from service.db.purchase_facts import COUNTED, RIGHT, STALE_CUSTOMERS
from service.db.rule_fields import FEW
from service.domain.rules.matching import folded, micros, period, the_day
from service.domain.rules.model import Asked, Orders, Purchases, Share, TopCategory

_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OF_ORDERS = {
    "count": "count(p.day)",
    "sum": "coalesce(sum(p.net), 0)",
    "avg": "coalesce(sum(p.net), 0)",
    "max": "max(p.net) FILTER (WHERE p.day IS NOT NULL)",
    "first": "min(p.day)",
    "last": "max(p.day)",
}
_OF_TOTALS = {"count": "t.orders", "sum": "t.revenue", "avg": "t.revenue", "first": "t.first_on", "last": "t.last_on"}
# Names are folded once for each category, not for each line: hence the fence.
_CATEGORIES = "SELECT g.category_id, folded(g.name) AS name FROM categories g WHERE g.tenant_id = :tenant OFFSET 0"
_IS_TOP = "a.spent = a.most AND a.most > 0"
_WITH_RETURNS = ("sum", "avg")


class Binds(Protocol):
    def bind(self, value: object) -> str: ...


@dataclass(slots=True)
class PurchaseSql:
    """FROM … WHERE of the record `c`, and whether a row must be there or must not."""

    asked: Asked
    binder: Binds
    stale: bool
    narrow: bool
    among: bool = False
    few: bool = False

    def orders(self, clause: Orders) -> tuple[str, bool]:
        if clause.op in ("missing", "present"):
            return self._joined(self._figures("count", clause.where), "a.n > 0"), clause.op == "present"
        figures = self._figures(clause.measure, clause.where)
        match clause.measure:
            case "count":
                return self._or_nothing(figures, "a.n", clause.op, clause.value, "::bigint")
            case "sum":
                return self._or_nothing(figures, "a.figure", clause.op, micros(clause.value), "::bigint")
            case "avg":
                times = self._compared("a.figure", clause.op, micros(clause.value), "::numeric * a.n")
                return self._joined(figures, f"a.n > 0 AND {times}"), True
            case "max":
                return self._joined(
                    figures, self._compared("a.figure", clause.op, micros(clause.value), "::bigint")
                ), True
        value = clause.value
        days = tuple(the_day(one, self.asked.today) for one in value) if isinstance(value, tuple) else None
        day: Any = days if days is not None else the_day(value, self.asked.today)
        return self._joined(figures, self._compared("a.figure", clause.op, day, "::date")), True

    def first(self) -> str:
        """The first order of all, as `a.figure`; null without one."""
        return self._figures("first", Purchases())

    def share(self, clause: Share) -> tuple[str, bool]:
        figures = self._shares(clause)
        if clause.op in ("missing", "present"):
            return self._joined(figures, "a.whole > 0"), clause.op == "present"
        compared = self._compared("a.part", clause.op, clause.value, "::numeric * a.whole")
        return self._joined(figures, f"a.whole > 0 AND {compared}"), True

    def seen(self, clause: Orders | Share | TopCategory) -> str:
        """The figures of one record that a clause looks at."""
        match clause:
            case Orders():
                return f"{self._figures(clause.measure, clause.where)} WHERE a.customer_id = c.customer_id"
            case Share():
                return f"{self._shares(clause)} WHERE a.customer_id = c.customer_id"
        return self._joined(self._tops(clause), _IS_TOP)

    def _shares(self, clause: Share) -> str:
        name = self.binder.bind(folded(clause.category))
        return f"""(SELECT x.customer_id, sum(l.amount) AS whole,
                coalesce(sum(l.amount) FILTER (WHERE g.name = :{name}), 0) AS part
            FROM {self._lines(clause.where)} GROUP BY x.customer_id) a"""

    def top(self, clause: TopCategory) -> tuple[str, bool]:
        figures = self._tops(clause)
        if clause.op in ("missing", "present"):
            return self._joined(figures, _IS_TOP), clause.op == "present"
        wanted = clause.value if isinstance(clause.value, tuple) else (clause.value,)
        name = self.binder.bind(list(folded(wanted)))
        return self._joined(figures, f"{_IS_TOP} AND a.name = ANY (:{name}::text[])"), True

    def _tops(self, clause: TopCategory) -> str:
        return f"""(SELECT s.customer_id, s.name, s.spent, max(s.spent) OVER (PARTITION BY s.customer_id) AS most
            FROM (SELECT x.customer_id, g.name, sum(l.amount) AS spent
                FROM {self._lines(clause.where)} AND g.name IS NOT NULL GROUP BY 1, 2) s) a"""

    def _or_nothing(self, figures: str, read: str, op: str, value: Any, cast: str) -> tuple[str, bool]:
        """Who has no row has nothing, and nothing is 0: where 0 will do, those are sought of whom it is not true."""
        if not _holds_for_zero(op, value):
            return self._joined(figures, self._compared(read, op, value, cast)), True
        return self._joined(figures, f"NOT ({self._compared(read, op, value, cast)})"), False

    def _joined(self, figures: str, condition: str) -> str:
        return f"{figures} WHERE a.customer_id = c.customer_id AND {condition}"

    def _compared(self, read: str, op: str, value: Any, cast: str) -> str:
        if op == "between":
            low, high = (self.binder.bind(one) for one in value)
            return f"{read} >= :{low}{cast} AND {read} <= :{high}{cast}"
        return f"{read} {_SIGNS[op]} :{self.binder.bind(value)}{cast}"

    def _figures(self, measure: str, where: Purchases) -> str:
        """(customer_id, n, figure), from the totals where they can tell."""
        if not where.all_time or measure == "max" or where.currency not in (None, self.asked.currency):
            return f"({self._summed(measure, where, '')}) a"
        currency = self.binder.bind(self.asked.currency)
        kept = f"""SELECT t.customer_id, t.orders AS n, {_OF_TOTALS[measure]} AS figure FROM {self._from("t")}
            WHERE t.tenant_id = :tenant AND t.currency = :{currency}"""
        if not self.stale:
            return f"({kept}) a"
        today = f":{self.binder.bind(self.asked.today)}::date"
        again = STALE_CUSTOMERS.replace(":as_of", today) + f" AND t.currency = :{currency}"
        return f"""({kept} AND {RIGHT.replace(":as_of", today)} UNION ALL
            {self._summed(measure, where, again)}) a"""

    def _summed(self, measure: str, where: Purchases, only: str) -> str:
        """The same from orders, and from returns where the figure is a sum that they belong to."""
        some = f"AND x.customer_id IN ({only})" if only else f"AND x.customer_id {FEW}" if self.few else ""
        rows = f"""SELECT x.customer_id, x.ordered_on AS day, x.total - x.refunded AS net FROM {self._from("x")}
            WHERE {self._chosen(where)} {some}"""
        if measure in _WITH_RETURNS and where.any_order:
            first, last, currency = self._days(where)
            begins = f"AND f.refunded_on >= {first}" if first else ""
            backs = some.replace("x.", "f.", 1)
            rows += f""" UNION ALL SELECT f.customer_id, NULL, -f.amount FROM {self._from("f")}
                WHERE f.tenant_id = :tenant AND f.order_id IS NULL AND f.currency = {currency}
                    AND f.refunded_on <= {last} {begins} {backs}"""
        return f"""SELECT p.customer_id, count(p.day) AS n, {_OF_ORDERS[measure]} AS figure
            FROM ({rows}) p GROUP BY p.customer_id"""

    def _chosen(self, where: Purchases) -> str:
        """The conditions on an order `x`."""
        first, last, currency = self._days(where)
        found = ["x.tenant_id = :tenant", f"x.currency = {currency}", COUNTED.format("x"), f"x.ordered_on <= {last}"]
        if first:
            found.append(f"x.ordered_on >= {first}")
        for read, values in (("x.sales_channel", where.channels), ("x.source", where.sources)):
            if values:
                found.append(f"{read} = ANY (:{self.binder.bind(list(values))}::text[])")
        if where.products or where.categories:
            found.append(self._has_line(where))
        net = "x.total - x.refunded"
        for sign, amount in ((">=", where.amount_min), ("<=", where.amount_max)):
            if amount is not None:
                found.append(f"{net} {sign} :{self.binder.bind(micros(amount))}::bigint")
        return " AND ".join(found)

    def _has_line(self, where: Purchases) -> str:
        found = ["l.tenant_id = x.tenant_id", "l.order_id = x.order_id"]
        if where.products:
            found.append(f"q.sku = ANY (:{self.binder.bind(list(where.products))}::text[])")
        if where.categories:
            name = self.binder.bind(list(folded(where.categories)))
            found.append(
                "q.category_id IN (SELECT g.category_id FROM categories g WHERE g.tenant_id = :tenant"
                f" AND folded(g.name) = ANY (:{name}::text[]))"
            )
        return f"""EXISTS (SELECT FROM order_lines l
            JOIN products q ON q.tenant_id = l.tenant_id AND q.product_id = l.product_id
            WHERE {" AND ".join(found)})"""

    def _lines(self, where: Purchases) -> str:
        return f"""{self._from("x")} JOIN order_lines l ON l.tenant_id = x.tenant_id AND l.order_id = x.order_id
            JOIN products q ON q.tenant_id = l.tenant_id AND q.product_id = l.product_id
            LEFT JOIN ({_CATEGORIES}) g ON g.category_id = q.category_id
            WHERE {self._chosen(where)} {f"AND x.customer_id {FEW}" if self.few else ""}"""

    def _days(self, where: Purchases) -> tuple[str | None, str, str]:
        first, last = period(where, self.asked.today)
        begins = None if first is None else f":{self.binder.bind(first)}::date"
        currency = self.binder.bind(where.currency or self.asked.currency)
        return begins, f":{self.binder.bind(last)}::date", f":{currency}"

    def _from(self, alias: str) -> str:
        table = {"x": "orders", "f": "refunds", "t": "purchase_totals"}[alias]
        if self.among:
            some = "(SELECT u.customer_id FROM unnest(:among::uuid[]) u (customer_id)) k"
            return f"{some} JOIN {table} {alias} ON {alias}.tenant_id = :tenant AND {alias}.customer_id = k.customer_id"
        if not self.narrow:
            return f"{table} {alias}"
        return (
            f"customers k JOIN {table} {alias} ON {alias}.tenant_id = k.tenant_id"
            f" AND {alias}.customer_id = k.customer_id"
        )


def _holds_for_zero(op: str, value: Any) -> bool:
    if op == "between":
        return bool(value[0] <= 0 <= value[1])
    nothing: dict[str, bool] = {
        "eq": value == 0, "ne": value != 0, "lt": value > 0, "le": value >= 0, "gt": value < 0, "ge": value <= 0,
    }  # fmt: skip
    return nothing[op]
