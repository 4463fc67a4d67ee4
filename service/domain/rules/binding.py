"""Checking a rule against the catalogue: fields, operators, the types of values, and the size of the whole.

The answer is the same rule with its values in their own types, so that both interpreters work on one thing; every fault
is told with the place, as a JSON pointer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from service.domain.access import Scope
from service.domain.errors import Rejected
from service.domain.money import from_micros, to_micros
from service.domain.rules.errors import BadRule, ContactsClosed, FieldClosed, RuleTooLarge
from service.domain.rules.fields import CLOSED, MEASURES, OPERATORS, OWN, TOP_OPERATORS, Catalogue, FieldSpec, Type
from service.domain.rules.model import (
    AllOf,
    Anniversary,
    AnyOf,
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
    Scalar,
    Share,
    TopCategory,
    Value,
)
from service.domain.rules.places import LEAST_KM, MOST_KM, point_of

DEEPEST = 8
MOST_CLAUSES = 200
MOST_VALUES = 1000
LONGEST = 200
_LONGEST_WINDOW = 36_525
_LISTS = frozenset({"in", "not_in", "has_any", "has_all"})


def within_limits(raw: object, pointer: str = "") -> None:
    """Refuse a rule that is too large before anything reads it; `raw` is JSON as it came."""
    clauses = 0
    waiting: list[tuple[object, int, str]] = [(raw, 1, pointer)]
    while waiting:
        node, level, place = waiting.pop()
        if not isinstance(node, Mapping):
            continue
        if level > DEEPEST:
            raise RuleTooLarge(f"Rules may be nested {DEEPEST} levels deep.", pointer=place)
        _short_lists(node, place)
        inner = node.get("of")
        if isinstance(inner, list):
            waiting += [(one, level + 1, f"{place}/of/{i}") for i, one in enumerate(inner)]
        if isinstance(node.get("rule"), Mapping):
            waiting.append((node["rule"], level + 1, f"{place}/rule"))
        clauses += node.get("kind") not in ("all", "any", "not")
        if clauses > MOST_CLAUSES or len(waiting) > 10 * MOST_CLAUSES:
            raise RuleTooLarge(f"A rule may have {MOST_CLAUSES} clauses.", pointer=place)


def _short_lists(node: Mapping[Any, Any], place: str) -> None:
    where = node.get("where")
    lists = [("value", node.get("value")), *((f"where/{k}", v) for k, v in _items(where))]
    for name, values in lists:
        if isinstance(values, list) and len(values) > MOST_VALUES:
            raise RuleTooLarge(f"A list may have {MOST_VALUES} values.", pointer=f"{place}/{name}")


def _items(where: object) -> Iterator[tuple[str, object]]:
    if isinstance(where, Mapping):
        yield from ((str(name), value) for name, value in where.items())


class _Wrong(Exception):
    def __init__(self, at: str, detail: str, kind: type[Rejected] = BadRule) -> None:
        super().__init__(detail)
        self.at, self.detail, self.kind = at, detail, kind


@dataclass(slots=True)
class _Faults:
    found: list[tuple[str, _Wrong]] = field(default_factory=list)


def bind(rule: Rule, catalogue: Catalogue, scopes: frozenset[Scope], today: date, pointer: str = "") -> Rule:
    """The rule with typed values; raises BadRule (or why else it is refused) with all its faults."""
    _measured(rule, 1, pointer)
    faults = _Faults()
    bound = _bind(rule, catalogue, scopes, today, pointer, faults)
    if faults.found:
        kind = faults.found[0][1].kind
        errors = [{"pointer": place, "detail": wrong.detail} for place, wrong in faults.found[:100]]
        raise kind(errors[0]["detail"], pointer=errors[0]["pointer"], errors=errors)
    return bound


def clauses_of(rule: Rule) -> Iterator[Clause]:
    """Its clauses, in order."""
    if isinstance(rule, AllOf | AnyOf):
        for inner in rule.of:
            yield from clauses_of(inner)
    elif isinstance(rule, Not):
        yield from clauses_of(rule.rule)
    else:
        yield rule


def told(rule: Rule) -> list[str]:
    """What the rule asks for, without the values: they may be of persons, and this is kept."""
    named = {one.field if isinstance(one, Field) else one.kind for one in clauses_of(rule)}
    return sorted(named)


def own_fields(rule: Rule) -> set[str]:
    """The names of the tenant's own fields that the rule asks for."""
    found = (one.field for one in clauses_of(rule) if isinstance(one, Field))
    return {name.removeprefix(OWN) for name in found if name.startswith(OWN)}


def _measured(rule: Rule, level: int, pointer: str) -> int:
    """How many clauses there are; refuses too many of them, and too deep a nesting."""
    if level > DEEPEST:
        raise RuleTooLarge(f"Rules may be nested {DEEPEST} levels deep.", pointer=pointer)
    if isinstance(rule, AllOf | AnyOf):
        clauses = sum(_measured(one, level + 1, f"{pointer}/of/{i}") for i, one in enumerate(rule.of))
    else:
        clauses = _measured(rule.rule, level + 1, f"{pointer}/rule") if isinstance(rule, Not) else 1
    if clauses > MOST_CLAUSES:
        raise RuleTooLarge(f"A rule may have {MOST_CLAUSES} clauses.", pointer=pointer)
    return clauses


def _bind(
    rule: Rule, catalogue: Catalogue, scopes: frozenset[Scope], today: date, pointer: str, faults: _Faults
) -> Rule:
    if isinstance(rule, AllOf | AnyOf):
        if not rule.of:
            faults.found.append((f"{pointer}/of", _Wrong("", "At least one rule is needed.")))
        inner = (_bind(one, catalogue, scopes, today, f"{pointer}/of/{i}", faults) for i, one in enumerate(rule.of))
        bound = tuple(inner)
        return bound[0] if len(bound) == 1 else replace(rule, of=bound)
    if isinstance(rule, Not):
        return replace(rule, rule=_bind(rule.rule, catalogue, scopes, today, f"{pointer}/rule", faults))
    try:
        return _clause(rule, catalogue, scopes, today)
    except _Wrong as wrong:
        faults.found.append((pointer + wrong.at, wrong))
        return rule


def _clause(clause: Clause, catalogue: Catalogue, scopes: frozenset[Scope], today: date) -> Clause:
    reader = _Reader(today)
    match clause:
        case Field():
            spec = _spec(clause.field, catalogue)
            _allowed(spec.scope, scopes, "/field")
            return replace(clause, value=reader.value(spec.type, spec.operators, clause.op, clause.value, spec.choices))
        case Orders() | Share() | TopCategory():
            _allowed(Scope.ORDERS_READ, scopes, "")
            return _of_purchases(clause, reader)
        case Anniversary() if clause.of == "first_order":
            _allowed(Scope.ORDERS_READ, scopes, "")
        case _:
            _allowed(Scope.CUSTOMERS_READ, scopes, "")
    return _of_record(clause)


def _of_record(clause: Birthday | Anniversary | Near | Consent) -> Clause:
    match clause:
        case Birthday() | Anniversary():
            _between(clause.within_days, 0, 366, "/within_days")
        case Near():
            return _near(clause)
        case Consent():
            _text(clause.purpose, "/purpose")
            if clause.channel:
                _text(clause.channel, "/channel")
    return clause


def _of_purchases(clause: Orders | Share | TopCategory, reader: "_Reader") -> Clause:
    where = reader.purchases(clause.where)
    match clause:
        case Orders():
            of, operators = MEASURES[clause.measure]
            value = reader.value(of, operators, clause.op, clause.value)
            return replace(clause, value=value, where=where)
        case Share():
            _text(clause.category, "/category", folded=True)
            _no_lines(clause.where)
            value = reader.value("share", OPERATORS["share"], clause.op, clause.value)
            return replace(clause, value=value, where=where)
        case TopCategory():
            _no_lines(clause.where)
            return replace(clause, value=reader.value("text", TOP_OPERATORS, clause.op, clause.value), where=where)


def _near(clause: Near) -> Near:
    _between(clause.within_km, LEAST_KM, MOST_KM, "/within_km")
    if (clause.latitude is None) != (clause.longitude is None) or (clause.city is None) == (clause.latitude is None):
        raise _Wrong("", "Either a city or both a latitude and a longitude are needed.")
    if clause.city is None:
        latitude = _degrees(clause.latitude, 90, "/latitude")
        return replace(clause, latitude=latitude, longitude=_degrees(clause.longitude, 180, "/longitude"))
    if point_of(_text(clause.city, "/city", folded=True)) is None:
        raise _Wrong("/city", "Where this city lies is not known; give its latitude and longitude.")
    return clause


def _degrees(given: object, most: int, at: str) -> Decimal:
    number = _number(given, at)
    if abs(number) > most:
        raise _Wrong(at, f"Degrees from -{most} to {most} are needed.")
    return number


def _spec(name: str, catalogue: Catalogue) -> FieldSpec:
    if spec := catalogue.get(name):
        return spec
    if name in CLOSED or name.split(".")[0] in CLOSED:
        raise _Wrong("/field", ContactsClosed.title, ContactsClosed)
    detail = f"There is no field {name[:80]!r}; GET /v1/segments/fields names them all."
    raise _Wrong("/field", detail.encode(errors="replace").decode())


def _allowed(scope: Scope, scopes: frozenset[Scope], at: str) -> None:
    if scope not in scopes:
        raise _Wrong(at, f"The scope {scope} is needed to ask for this.", FieldClosed)


def _no_lines(where: Purchases) -> None:
    if where.products or where.categories:
        raise _Wrong("/where", "Shares and top categories are of all lines; leave products and categories out.")


def _between(number: int, least: int, most: int, at: str) -> None:
    if not least <= number <= most:
        raise _Wrong(at, f"A whole number from {least} to {most} is needed.")


def _text(value: object, at: str, *, folded: bool = False) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST:
        raise _Wrong(at, f"A text of 1 to {LONGEST} characters is needed.")
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise _Wrong(at, "A NUL or half of a surrogate pair can't be compared.")
    if folded and not value.strip():
        raise _Wrong(at, "A text needs more than blanks; ask whether the value is missing instead.")
    return value


@dataclass(frozen=True, slots=True)
class _Reader:
    today: date

    def value(
        self, of: Type, operators: tuple[str, ...], op: str, given: Value, choices: tuple[str, ...] = ()
    ) -> Value:
        if op not in operators:
            raise _Wrong("/op", f"A {of} takes the operators {', '.join(operators)}.")
        if op in ("missing", "present"):
            if given is not None:
                raise _Wrong("/value", f"The operator {op} takes no value.")
            return None
        if op not in _LISTS and op != "between":
            return self._scalar(of, given, "/value", choices)
        if not isinstance(given, tuple) or not given:
            raise _Wrong("/value", "A list of values is needed.")
        if op == "between" and len(given) != 2:
            raise _Wrong("/value", "Two values are needed: from and to.")
        return tuple(self._scalar(of, one, f"/value/{i}", choices) for i, one in enumerate(given))

    def _scalar(self, of: Type, given: Value, at: str, choices: tuple[str, ...]) -> Scalar:
        read = _READERS[of]
        value = read(given, at)
        if isinstance(value, RelativeDay):
            self._day(value, at)
        if choices and of in ("code", "list") and value not in choices:
            raise _Wrong(at, f"One of {', '.join(choices)} is needed.")
        return value

    def _day(self, day: RelativeDay, at: str) -> None:
        _between(day.today, -_LONGEST_WINDOW, _LONGEST_WINDOW, at)

    def purchases(self, where: Purchases) -> Purchases:
        at = "/where"
        if where.last_days is not None:
            _between(where.last_days, 1, _LONGEST_WINDOW, f"{at}/last_days")
            if where.from_on or where.until_on:
                raise _Wrong(f"{at}/last_days", "A period is either the last days or between two days.")
        for name in ("from_on", "until_on"):
            if getattr(where, name) is not None:
                _date(getattr(where, name), f"{at}/{name}")
        for name in ("products", "categories", "channels", "sources"):
            for i, one in enumerate(getattr(where, name)):
                _text(one, f"{at}/{name}/{i}", folded=True)
        if where.currency is not None and not (len(where.currency) == 3 and where.currency.isascii()):
            raise _Wrong(f"{at}/currency", "A currency is three letters.")
        least, most = (
            None if one is None else _money(one, f"{at}/{name}")
            for name, one in (("amount_min", where.amount_min), ("amount_max", where.amount_max))
        )
        return replace(where, amount_min=least, amount_max=most)


def _date(given: object, at: str) -> date:
    if isinstance(given, str) and len(given) == 10:
        try:
            given = date.fromisoformat(given)
        except ValueError:
            given = None
    if not isinstance(given, date) or not 1600 <= given.year <= 2999:
        raise _Wrong(at, 'A day such as "2026-03-01" is needed, or {"today": -90}.')
    return given


def _day(given: object, at: str) -> date | RelativeDay:
    return given if isinstance(given, RelativeDay) else _date(given, at)


def _number(given: object, at: str) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise _Wrong(at, "A number is needed.")
    try:
        number = Decimal(given)
    except InvalidOperation:
        raise _Wrong(at, "A number is needed.") from None
    if not number.is_finite() or len(number.as_tuple().digits) > 30 or abs(number.adjusted()) > 30:
        raise _Wrong(at, "A number of at most 30 digits is needed.")
    return _plain(number)


def _plain(number: Decimal) -> Decimal:
    """Without an exponent and without zeros at the end: one number, one form."""
    normal = number.normalize()
    return Decimal(f"{normal:f}") if normal else Decimal(0)


def _money(given: object, at: str) -> Decimal:
    try:
        return _plain(from_micros(to_micros(_number(given, at))))
    except Rejected as refused:
        raise _Wrong(at, refused.detail) from None


def _count(given: object, at: str) -> int:
    number = _number(given, at)
    if number != int(number) or not 0 <= number <= 10**9:
        raise _Wrong(at, "A whole number is needed.")
    return int(number)


def _share(given: object, at: str) -> Decimal:
    number = _number(given, at)
    if not 0 <= number <= 1:
        raise _Wrong(at, "A share from 0 to 1 is needed.")
    return number


def _boolean(given: object, at: str) -> bool:
    if not isinstance(given, bool):
        raise _Wrong(at, "true or false is needed.")
    return given


def _id(given: object, at: str) -> str:
    try:
        return str(UUID(given)) if isinstance(given, str) else str(UUID(""))
    except ValueError:
        raise _Wrong(at, "An id (UUID) is needed.") from None


def _plain_text(given: object, at: str) -> str:
    return _text(given, at)


def _folded_text(given: object, at: str) -> str:
    return _text(given, at, folded=True)


_READERS: Mapping[Type, Callable[[object, str], Scalar]] = {
    "text": _folded_text,
    "code": _plain_text,
    "list": _plain_text,
    "id": _id,
    "ids": _id,
    "number": _number,
    "date": _day,
    "moment": _day,
    "boolean": _boolean,
    "count": _count,
    "money": _money,
    "share": _share,
}
