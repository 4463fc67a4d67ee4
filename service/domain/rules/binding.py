"""Checking a rule against the catalogue: fields, operators, the types of values, and the size of the whole.

The answer is the same rule with its values in their own types, so that both interpreters work on one thing; every fault
is told with the place, as a JSON pointer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from service.domain.access import Scope
from service.domain.rules.errors import ContactsClosed, FieldClosed, RuleTooLarge
from service.domain.rules.fields import CLOSED, MEASURES, OPERATORS, OWN, TOP_OPERATORS, Catalogue, FieldSpec
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
    Rule,
    Share,
    TopCategory,
)
from service.domain.rules.places import LEAST_KM, MOST_KM, point_of
from service.domain.rules.values import Reader, Wrong, between, number_of, text_of

DEEPEST = 8
MOST_CLAUSES = 200
MOST_VALUES = 1000


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


@dataclass(slots=True)
class _Faults:
    found: list[tuple[str, Wrong]] = field(default_factory=list)


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
            faults.found.append((f"{pointer}/of", Wrong("", "At least one rule is needed.")))
        inner = (_bind(one, catalogue, scopes, today, f"{pointer}/of/{i}", faults) for i, one in enumerate(rule.of))
        bound = tuple(inner)
        return bound[0] if len(bound) == 1 else replace(rule, of=bound)
    if isinstance(rule, Not):
        return replace(rule, rule=_bind(rule.rule, catalogue, scopes, today, f"{pointer}/rule", faults))
    try:
        return _clause(rule, catalogue, scopes, today)
    except Wrong as wrong:
        faults.found.append((pointer + wrong.at, wrong))
        return rule


def _clause(clause: Clause, catalogue: Catalogue, scopes: frozenset[Scope], today: date) -> Clause:
    reader = Reader(today)
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
            between(clause.within_days, 0, 366, "/within_days")
        case Near():
            return _near(clause)
        case Consent():
            text_of(clause.purpose, "/purpose")
            if clause.channel:
                text_of(clause.channel, "/channel")
    return clause


def _of_purchases(clause: Orders | Share | TopCategory, reader: Reader) -> Clause:
    where = reader.purchases(clause.where)
    match clause:
        case Orders():
            of, operators = MEASURES[clause.measure]
            value = reader.value(of, operators, clause.op, clause.value)
            return replace(clause, value=value, where=where)
        case Share():
            text_of(clause.category, "/category", folded=True)
            _no_lines(clause.where)
            value = reader.value("share", OPERATORS["share"], clause.op, clause.value)
            return replace(clause, value=value, where=where)
        case TopCategory():
            _no_lines(clause.where)
            return replace(clause, value=reader.value("text", TOP_OPERATORS, clause.op, clause.value), where=where)


def _near(clause: Near) -> Near:
    between(clause.within_km, LEAST_KM, MOST_KM, "/within_km")
    if (clause.latitude is None) != (clause.longitude is None) or (clause.city is None) == (clause.latitude is None):
        raise Wrong("", "Either a city or both a latitude and a longitude are needed.")
    if clause.city is None:
        latitude = _degrees(clause.latitude, 90, "/latitude")
        return replace(clause, latitude=latitude, longitude=_degrees(clause.longitude, 180, "/longitude"))
    if point_of(text_of(clause.city, "/city", folded=True)) is None:
        raise Wrong("/city", "Where this city lies is not known; give its latitude and longitude.")
    return clause


def _degrees(given: object, most: int, at: str) -> Decimal:
    number = number_of(given, at)
    if abs(number) > most:
        raise Wrong(at, f"Degrees from -{most} to {most} are needed.")
    return number


def _spec(name: str, catalogue: Catalogue) -> FieldSpec:
    if spec := catalogue.get(name):
        return spec
    if name in CLOSED or name.split(".")[0] in CLOSED:
        raise Wrong("/field", ContactsClosed.title, ContactsClosed)
    detail = f"There is no field {name[:80]!r}; GET /v1/segments/fields names them all."
    raise Wrong("/field", detail.encode(errors="replace").decode())


def _allowed(scope: Scope, scopes: frozenset[Scope], at: str) -> None:
    if scope not in scopes:
        raise Wrong(at, f"The scope {scope} is needed to ask for this.", FieldClosed)


def _no_lines(where: Purchases) -> None:
    if where.products or where.categories:
        raise Wrong("/where", "Shares and top categories are of all lines; leave products and categories out.")
