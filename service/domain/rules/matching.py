"""The meaning of a rule in Python, of one customer whose facts are at hand. SQL says the same of all (db/rules.py)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from service.domain.customers.names import fold
from service.domain.money import to_micros
from service.domain.rules.fields import is_text
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
    Purchases,
    RelativeDay,
    Rule,
    Share,
    TopCategory,
    Value,
)
from service.domain.rules.places import Point, names_near, point_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    product: str
    category: str | None
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A counted order: `net` is what is left after refunds, in micros."""

    day: date
    net: int
    currency: str
    channel: str | None = None
    source: str = ""
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A return that belongs to no order."""

    day: date
    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A consent given or withdrawn."""

    purpose: str
    channel: str
    given: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a customer: values by field (None or not there: missing), the birthday, purchases, consents.

    Lists are frozensets, moments aware; own attributes stand as `attributes.<name>`, days among them as dates.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    birthday: date | None = None
    orders: tuple[Order, ...] = ()
    returns: tuple[Return, ...] = ()
    words: tuple[Word, ...] = ()


def matches(asked: Asked, facts: Facts) -> bool:
    """Whether the customer of these facts is meant."""
    return _holds(asked.rule, asked, facts)


def _holds(rule: Rule, asked: Asked, facts: Facts) -> bool:
    match rule:
        case AllOf():
            return all(_holds(one, asked, facts) for one in rule.of)
        case AnyOf():
            return any(_holds(one, asked, facts) for one in rule.of)
        case Not():
            return not _holds(rule.rule, asked, facts)
    return _clause(rule, asked, facts)


def _clause(clause: Clause, asked: Asked, facts: Facts) -> bool:
    match clause:
        case Field():
            return _field(clause, asked, facts.values.get(clause.field))
        case Orders():
            return _orders(clause, asked, facts)
        case Share():
            return _share(clause, asked, facts)
        case TopCategory():
            return _top(clause, asked, facts)
        case Birthday():
            return _birthday(clause, asked.today, facts.birthday)
        case Anniversary():
            return _anniversary(clause, asked, facts)
        case Near():
            city = facts.values.get("city")
            return city is not None and fold(city) in names_near(centre(clause), clause.within_km)
        case Consent():
            return _consent(clause, facts)


def _anniversary(clause: Anniversary, asked: Asked, facts: Facts) -> bool:
    day = occasion(clause, asked, facts)
    if day is None:
        return False
    following = next_birthday(day, max(asked.today, date(day.year + 1, 1, 1)))
    return following <= asked.today + timedelta(days=clause.within_days)


def occasion(clause: Anniversary, asked: Asked, facts: Facts) -> date | None:
    """The day that is celebrated."""
    if clause.of == "first_order":
        return min((one.day for one in _chosen(Purchases(), asked, facts)), default=None)
    if clause.of == "customer" and facts.values.get("status") != "customer":
        return None
    moment = facts.values.get("created_at" if clause.of == "created" else "status_at")
    return None if moment is None else moment.astimezone(ZoneInfo(asked.time_zone)).date()


def centre(clause: Near) -> Point:
    """The point of a checked clause."""
    if clause.city is None:
        assert clause.latitude is not None
        assert clause.longitude is not None
        return Point(float(clause.latitude), float(clause.longitude))
    point = point_of(clause.city)
    assert point is not None
    return point


def _birthday(clause: Birthday, today: date, born: date | None) -> bool:
    return born is not None and next_birthday(born, today) <= today + timedelta(days=clause.within_days)


def next_birthday(born: date, today: date) -> date:
    """The first birthday from today on; 29 February falls on the 28th where there is no 29th."""
    this_year = _in_year(born, today.year)
    return this_year if this_year >= today else _in_year(born, today.year + 1)


def _in_year(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def the_day(value: object, today: date) -> date:
    """The day that a bound value stands for."""
    if isinstance(value, RelativeDay):
        return today + timedelta(days=value.today)
    assert isinstance(value, date)
    return value


def start_of(day: date, time_zone: str) -> datetime:
    """When a day begins in a zone."""
    return datetime.combine(day, time(), ZoneInfo(time_zone))


def _field(rule: Field, asked: Asked, found: Any) -> bool:
    value = rule.value
    if isinstance(found, str):
        if is_text(rule.field):
            found, value = fold(found), folded(value)
        found = found or None
    if rule.op in ("missing", "present"):
        return (found is None or found == frozenset()) == (rule.op == "missing")
    if found is None:
        return False
    if isinstance(found, frozenset):
        wanted = frozenset(value) if isinstance(value, tuple) else frozenset()
        return bool(found & wanted) if rule.op == "has_any" else wanted <= found
    if isinstance(found, datetime):
        return _moment(rule.op, found, value, asked)
    if isinstance(found, date):
        return _compare(rule.op, found, _each(value, lambda one: the_day(one, asked.today)))
    return _compare(rule.op, found, value)


def folded(value: Any) -> Any:
    """Texts as they are compared."""
    return _each(value, lambda one: fold(one) if isinstance(one, str) else one)


def _each(value: Any, read: Callable[[Any], Any]) -> Any:
    return tuple(read(one) for one in value) if isinstance(value, tuple) else read(value)


def _moment(op: str, found: datetime, value: Value, asked: Asked) -> bool:
    """A moment is of the day in which it lies in the tenant's zone."""
    low, high = value if isinstance(value, tuple) else (value, value)
    first, last = the_day(low, asked.today), the_day(high, asked.today)
    begins = start_of(first, asked.time_zone)
    ends = start_of(last + timedelta(days=1), asked.time_zone)
    if op in ("eq", "ne", "between"):
        return (begins <= found < ends) == (op != "ne")
    return {"lt": found < begins, "le": found < ends, "gt": found >= ends, "ge": found >= begins}[op]


_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda found, value: found == value,
    "ne": lambda found, value: found != value,
    "lt": lambda found, value: found < value,
    "le": lambda found, value: found <= value,
    "gt": lambda found, value: found > value,
    "ge": lambda found, value: found >= value,
    "between": lambda found, value: value[0] <= found <= value[1],
    "in": lambda found, value: found in value,
    "not_in": lambda found, value: found not in value,
    "contains": lambda found, value: value in found,
    "starts_with": lambda found, value: found.startswith(value),
}


def _compare(op: str, found: Any, value: Any) -> bool:
    return _COMPARED[op](found, value)


def _period(where: Purchases, asked: Asked) -> Callable[[date], bool]:
    first, last = period(where, asked.today)
    return lambda day: day <= last and (first is None or day >= first)


def period(where: Purchases, today: date) -> tuple[date | None, date]:
    """The first and the last day of purchases; nothing of the future counts."""
    if where.last_days is not None:
        return today - timedelta(days=where.last_days - 1), today
    return where.from_on, min(where.until_on or today, today)


def _chosen(where: Purchases, asked: Asked, facts: Facts) -> list[Order]:
    covered = _period(where, asked)
    currency = where.currency or asked.currency
    return [one for one in facts.orders if one.currency == currency and covered(one.day) and _is_one(one, where)]


def _is_one(order: Order, where: Purchases) -> bool:
    categories = {fold(name) for name in where.categories}
    if (where.products or categories) and not any(
        (not where.products or line.product in where.products)
        and (not categories or (line.category is not None and fold(line.category) in categories))
        for line in order.lines
    ):
        return False
    if where.channels and order.channel not in where.channels:
        return False
    if where.sources and order.source not in where.sources:
        return False
    least, most = where.amount_min, where.amount_max
    return (least is None or order.net >= to_micros(least)) and (most is None or order.net <= to_micros(most))


def _orders(rule: Orders, asked: Asked, facts: Facts) -> bool:
    chosen = _chosen(rule.where, asked, facts)
    if rule.op in ("missing", "present"):
        return bool(chosen) == (rule.op == "present")
    total = sum(one.net for one in chosen)
    if rule.where.any_order:
        covered, currency = _period(rule.where, asked), rule.where.currency or asked.currency
        total -= sum(one.amount for one in facts.returns if one.currency == currency and covered(one.day))
    if rule.measure == "count":
        return _compare(rule.op, len(chosen), rule.value)
    if rule.measure == "sum":
        return _compare(rule.op, total, micros(rule.value))
    if not chosen:
        return False
    if rule.measure == "avg":  # never a rounded quotient
        return _compare(rule.op, total, _each(micros(rule.value), lambda one: one * len(chosen)))
    if rule.measure == "max":
        return _compare(rule.op, max(one.net for one in chosen), micros(rule.value))
    edge = min if rule.measure == "first" else max
    return _compare(rule.op, edge(one.day for one in chosen), _each(rule.value, lambda one: the_day(one, asked.today)))


def micros(value: Any) -> Any:
    """Money as it is kept."""
    return _each(value, to_micros)


def _spent(where: Purchases, asked: Asked, facts: Facts) -> dict[str | None, int]:
    """What was spent on each category, by folded name."""
    spent: dict[str | None, int] = {}
    for order in _chosen(where, asked, facts):
        for line in order.lines:
            name = None if line.category is None else fold(line.category)
            spent[name] = spent.get(name, 0) + line.amount
    return spent


def _share(rule: Share, asked: Asked, facts: Facts) -> bool:
    spent = _spent(rule.where, asked, facts)
    whole = sum(spent.values())
    if rule.op in ("missing", "present"):
        return (whole > 0) == (rule.op == "present")
    if whole <= 0:
        return False
    part = Decimal(spent.get(fold(rule.category), 0))
    return _compare(rule.op, part, _each(rule.value, lambda one: one * whole))


def _top(rule: TopCategory, asked: Asked, facts: Facts) -> bool:
    spent = {name: amount for name, amount in _spent(rule.where, asked, facts).items() if name is not None}
    most = max(spent.values(), default=0)
    tops = {name for name, amount in spent.items() if amount == most and most > 0}
    if rule.op in ("missing", "present"):
        return bool(tops) == (rule.op == "present")
    wanted = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    return bool(tops & set(folded(wanted)))


def _consent(rule: Consent, facts: Facts) -> bool:
    words = [one for one in facts.words if one.purpose == rule.purpose and one.channel in ("", rule.channel)]
    if not words:
        return rule.state == "never"
    last = max(words, key=lambda one: one.at)
    return rule.state == ("given" if last.given else "withdrawn")
