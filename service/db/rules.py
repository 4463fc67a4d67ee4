"""Rules in SQL: the same meaning as `service/domain/rules/matching.py`, compiled to conditions on records `c`.

A contract test holds the two equal. Figures of orders are sets that are joined by the record, never a query for each;
where a rule asks for all time in the tenant's currency they come from the totals that are kept, and only what those
can't answer today is summed from the orders. A condition that is null counts as one that does not hold, and `not` goes
down to the clauses, so that the planner sees joins and anti-joins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from service.db.rule_costs import cheap_first, split
from service.db.rule_fields import AMONG_ROWS, FEW, FEW_ROWS, ROWS, column, shown
from service.db.rule_purchases import PurchaseSql
from service.domain.rules.fields import MEMBER, OWN, FieldSpec, is_text
from service.domain.rules.matching import centre, folded, start_of, the_day
from service.domain.rules.model import (
    AllOf,
    Anniversary,
    AnyOf,
    Asked,
    Birthday,
    Clause,
    Consent,
    Field,
    Near,
    Not,
    Orders,
    Rule,
    Share,
    TopCategory,
    Value,
)
from service.domain.rules.places import names_near

_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_TYPES = {
    "text": "text", "code": "text", "id": "uuid", "number": "numeric", "date": "date", "boolean": "boolean",
}  # fmt: skip
_IN_YEAR = "({0} + make_interval(years => ({1} - extract(year FROM {0}))::int))"
# The consents that count for a channel, the last word of each record.
_WORDS = """(SELECT DISTINCT ON (k.customer_id) k.customer_id, k.given FROM consents k
    WHERE k.tenant_id = :tenant AND k.purpose = :{0} AND k.channel = ANY (:{1}::text[]) {2}
    ORDER BY k.customer_id, k.at DESC, k.consent_id DESC) w WHERE w.customer_id = c.customer_id"""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition on records `c`, and what it binds besides the tenant; `few` is a CTE that it reads, if any."""

    where: str
    values: Mapping[str, Any]
    few: str = ""


# An erased record is nobody any more.
BASE = "c.tenant_id = :tenant AND c.erased_at IS NULL"
# No rule: no condition.
EVERYBODY = Compiled("", {})


@dataclass(slots=True)
class Binder:
    """The parameters of one statement; `prefix` keeps several rules apart."""

    prefix: str = "r"
    values: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: object) -> str:
        name = f"{self.prefix}{len(self.values)}"
        self.values[name] = value
        return name


def compile_rule(
    asked: Asked, *, stale: bool = True, narrow: bool = False, among: bool = False, prefix: str = "r"
) -> Compiled:
    """The condition of a rule.

    `stale` says that some kept totals can't answer today, `narrow` that purchases are found from the records in reach,
    `among` that only the records of the parameter `:among` are asked for, which the caller binds and compares too.
    """
    binder = Binder(prefix)
    compiler = _Compiler(asked, binder, PurchaseSql(asked, binder, stale=stale, narrow=narrow, among=among), among)
    return Compiled(compiler.rule(asked.rule, True), binder.values)


def compile_among_few(asked: Asked, *, stale: bool, narrow: bool) -> Compiled | None:
    """The same of a conjunction, in which what is dear is asked only of the few whom its cheap clauses let through;
    None where there are no such two."""
    cheap, dear = split(asked)
    if not cheap or not dear:
        return None
    binder = Binder("r")
    first = _Compiler(asked, binder, PurchaseSql(asked, binder, stale=stale, narrow=narrow))
    then = replace(first, purchases=replace(first.purchases, few=True), few=True)
    let_through = " AND ".join(first.rule(one, True) for one in cheap)
    few = f"few AS MATERIALIZED (SELECT c.customer_id FROM customers c WHERE {BASE} AND {let_through})"
    where = " AND ".join([f"c.customer_id {FEW}", *(then.rule(one, True) for one in dear)])
    return Compiled(where, binder.values, few)


def compile_values(
    asked: Asked, clauses: Sequence[Clause], *, stale: bool, narrow: bool
) -> tuple[list[tuple[str, str]], Mapping[str, Any]]:
    """Of each clause the condition, and the value that it looks at, as jsonb."""
    binder = Binder("r")
    compiler = _Compiler(asked, binder, PurchaseSql(asked, binder, stale=stale, narrow=narrow))
    return [(compiler.clause(one, True), compiler.seen(one)) for one in clauses], binder.values


@dataclass(slots=True)
class _Compiler:
    asked: Asked
    binder: Binder
    purchases: PurchaseSql
    among: bool = False
    few: bool = False

    def rule(self, rule: Rule, holds: bool) -> str:
        """The condition that the rule holds, or that it does not."""
        match rule:
            case Not():
                return self.rule(rule.rule, not holds)
            case AllOf() | AnyOf():
                joined = " AND " if isinstance(rule, AllOf) == holds else " OR "
                return "(" + joined.join(self.rule(one, holds) for one in cheap_first(rule.of, self.asked)) + ")"
        return self.clause(rule, holds)

    def clause(self, clause: Clause, holds: bool) -> str:
        match clause:
            case Field():
                return self._field(clause, holds)
            case Orders():
                return _exists(*self.purchases.orders(clause), holds)
            case Share():
                return _exists(*self.purchases.share(clause), holds)
            case TopCategory():
                return _exists(*self.purchases.top(clause), holds)
            case Birthday():
                return _plain(self._next("c.birth_date", clause.within_days), holds)
            case Anniversary():
                return self._anniversary(clause, holds)
            case Near():
                names = self.binder.bind(list(names_near(centre(clause), clause.within_km)))
                return _plain(f"c.city_folded = ANY (:{names}::text[])", holds)
            case Consent():
                return self._consent(clause, holds)

    def seen(self, clause: Clause) -> str:
        """The value that a clause looks at."""
        match clause:
            case Field() if clause.field in ROWS:
                source, value = ROWS[clause.field]
                return f"(SELECT jsonb_agg(DISTINCT {value}) FROM {source})"
            case Field():
                own = self.binder.bind(clause.field.removeprefix(OWN)) if clause.field.startswith(OWN) else ""
                return f"to_jsonb({shown(clause.field, own)})"
            case Birthday():
                return "to_jsonb(c.birth_date)"
            case Anniversary() if clause.of == "first_order":
                return f"(SELECT to_jsonb(a.figure) FROM {self.purchases.first()} WHERE a.customer_id = c.customer_id)"
            case Anniversary():
                return f"to_jsonb({self._occasion(clause)})"
            case Near():
                return "to_jsonb(c.city)"
            case Consent():
                purpose, channels = self.binder.bind(clause.purpose), self.binder.bind(sorted({"", clause.channel}))
                return f"(SELECT to_jsonb(w.given) FROM {self._words(purpose, channels)})"
        return f"(SELECT jsonb_agg(to_jsonb(a) - 'customer_id') FROM {self.purchases.seen(clause)})"

    def _field(self, clause: Field, holds: bool) -> str:
        if clause.field in ROWS:
            return self._rows(clause, holds)
        spec = self.asked.catalogue.get(clause.field)
        assert spec is not None
        own = self.binder.bind(clause.field.removeprefix(OWN)) if clause.field.startswith(OWN) else ""
        if spec.type == "list":
            return _plain(self._list(clause, column(spec, own)), holds)
        return _plain(self._compared(clause, spec, column(spec, own)), holds)

    def _rows(self, clause: Field, holds: bool) -> str:
        source, value = (AMONG_ROWS if self.among else FEW_ROWS if self.few else ROWS)[clause.field]
        of = "uuid" if clause.field == MEMBER else "text"
        if clause.op in ("missing", "present"):
            return _exists(source, clause.op == "present", holds)
        spec = self.asked.catalogue.get(clause.field)
        if spec is not None and spec.type == "number":
            return _exists(f"{source} AND {self._compared(clause, spec, value)}", True, holds)
        wanted = clause.value if isinstance(clause.value, tuple) else (clause.value,)
        name = self.binder.bind(sorted(set(map(str, wanted))))
        if clause.op == "has_all":
            counted = f"(SELECT count(DISTINCT {value}) FROM {source} AND {value} = ANY (:{name}::{of}[]))"
            return _plain(f"{counted} = cardinality(:{name}::{of}[])", holds)
        among = f"<> ALL (:{name}::{of}[])" if clause.op in ("ne", "not_in") else f"= ANY (:{name}::{of}[])"
        return _exists(f"{source} AND {value} {among}", True, holds)

    def _list(self, clause: Field, read: str) -> str:
        if clause.op in ("missing", "present"):
            return f"{read} {'=' if clause.op == 'missing' else '<>'} '{{}}'"
        assert isinstance(clause.value, tuple)
        sign = "&&" if clause.op == "has_any" else "@>"
        return f"{read} {sign} :{self.binder.bind(list(clause.value))}::text[]"

    def _compared(self, clause: Field, spec: FieldSpec, read: str) -> str:
        if clause.op in ("missing", "present"):
            return f"{read} IS {'NULL' if clause.op == 'missing' else 'NOT NULL'}"
        if spec.type == "moment":
            return self._moment(clause, read)
        value = self._read(clause.value, spec)
        of = _TYPES[spec.type]
        if clause.op in ("in", "not_in"):
            sign = "= ANY" if clause.op == "in" else "<> ALL"
            return f"{read} {sign} (:{self.binder.bind(list(value))}::{of}[])"
        if clause.op == "between":
            low, high = (self.binder.bind(one) for one in value)
            return f"{read} BETWEEN :{low}::{of} AND :{high}::{of}"
        name = self.binder.bind(value)
        if clause.op == "contains":
            return f"strpos({read}, :{name}::text) > 0"
        if clause.op == "starts_with":
            return f"starts_with({read}, :{name}::text)"
        return f"{read} {_SIGNS[clause.op]} :{name}::{of}"

    def _read(self, value: Value, spec: FieldSpec) -> Any:
        if spec.type == "date":
            days = value if isinstance(value, tuple) else (value,)
            read = tuple(the_day(one, self.asked.today) for one in days)
            return read if isinstance(value, tuple) else read[0]
        return folded(value) if is_text(spec.name) else value

    def _moment(self, clause: Field, read: str) -> str:
        value = clause.value
        low, high = value if isinstance(value, tuple) else (value, value)
        first, last = the_day(low, self.asked.today), the_day(high, self.asked.today)
        begins = f":{self.binder.bind(start_of(first, self.asked.time_zone))}::timestamptz"
        ends = f":{self.binder.bind(start_of(last + timedelta(days=1), self.asked.time_zone))}::timestamptz"
        within = f"{read} >= {begins} AND {read} < {ends}"
        return {
            "eq": f"({within})",
            "between": f"({within})",
            "ne": f"({read} < {begins} OR {read} >= {ends})",
            "lt": f"{read} < {begins}",
            "le": f"{read} < {ends}",
            "gt": f"{read} >= {ends}",
            "ge": f"{read} >= {begins}",
        }[clause.op]

    def _anniversary(self, clause: Anniversary, holds: bool) -> str:
        """Not in the year of the day itself, so the first that can be is in the year behind."""
        if clause.of == "first_order":
            coming = self._next("a.figure", clause.within_days, again=True)
            return _exists(f"{self.purchases.first()} WHERE a.customer_id = c.customer_id AND {coming}", True, holds)
        return _plain(self._next(self._occasion(clause), clause.within_days, again=True), holds)

    def _occasion(self, clause: Anniversary) -> str:
        zone = f":{self.binder.bind(self.asked.time_zone)}::text"
        if clause.of == "created":
            return f"(c.created_at AT TIME ZONE {zone})::date"
        return f"(CASE c.status WHEN 'customer' THEN c.status_at END AT TIME ZONE {zone})::date"

    def _next(self, day: str, within_days: int, *, again: bool = False) -> str:
        """The next time that the day comes round lies within so many days; `again`: the day itself is none."""
        today = f":{self.binder.bind(self.asked.today)}::date"
        last = f":{self.binder.bind(self.asked.today + timedelta(days=within_days))}::date"
        year, this_year = f"extract(year FROM {day})", f"extract(year FROM {today})"
        this = _IN_YEAR.format(day, this_year)
        following = _IN_YEAR.format(day, (f"greatest({this_year}, {year})" if again else this_year) + " + 1")
        past = f"{year} < {this_year} AND " if again else ""
        return f"CASE WHEN {past}{this} >= {today} THEN {this} <= {last} ELSE {following} <= {last} END"

    def _consent(self, clause: Consent, holds: bool) -> str:
        purpose = self.binder.bind(clause.purpose)
        channels = self.binder.bind(sorted({"", clause.channel}))
        words = self._words(purpose, channels)
        if clause.state == "never":
            return _exists(words, False, holds)
        return _exists(f"{words} AND {'w.given' if clause.state == 'given' else 'NOT w.given'}", True, holds)

    def _words(self, purpose: str, channels: str) -> str:
        return _WORDS.format(purpose, channels, "AND k.customer_id = ANY (:among::uuid[])" if self.among else "")


def _plain(condition: str, holds: bool) -> str:
    return condition if holds else f"({condition}) IS NOT TRUE"


def _exists(source: str, there: bool, holds: bool) -> str:
    return f"{'' if there == holds else 'NOT '}EXISTS (SELECT FROM {source})"
