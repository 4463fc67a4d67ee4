"""Which clauses of a rule are cheap to ask of everybody, and which are dear."""

from collections.abc import Iterable

from service.db.rule_fields import ROWS
from service.domain.rules.binding import clauses_of
from service.domain.rules.model import (
    AllOf,
    Anniversary,
    Asked,
    Birthday,
    Clause,
    Field,
    Near,
    Orders,
    Rule,
    Share,
    TopCategory,
)


def split(asked: Asked) -> tuple[list[Rule], list[Rule]]:
    """The members of a conjunction that the record or a kept total answers, and the others, if one of them is dear."""
    if not isinstance(asked.rule, AllOf):
        return [], []
    cheap: list[Rule] = []
    others: list[Rule] = []
    for one in asked.rule.of:
        (cheap if all(_is_cheap(clause, asked) for clause in clauses_of(one)) else others).append(one)
    return cheap, others if any(_is_dear(clause, asked) for one in others for clause in clauses_of(one)) else []


def cheap_first(rules: Iterable[Rule], asked: Asked) -> list[Rule]:
    """The same rules; those that the record or a kept total answers come before the others."""
    return sorted(rules, key=lambda one: not all(_is_cheap(clause, asked) for clause in clauses_of(one)))


def _is_cheap(clause: Clause, asked: Asked) -> bool:
    match clause:
        case Field():
            return clause.field not in ROWS
        case Orders():
            return clause.measure != "max" and clause.where.all_time and clause.where.currency in (None, asked.currency)
        case Anniversary():
            return clause.of != "first_order"
    return isinstance(clause, Birthday | Near)


def _is_dear(clause: Clause, asked: Asked) -> bool:
    if isinstance(clause, Orders):
        return not _is_cheap(clause, asked)
    return isinstance(clause, Share | TopCategory) or (isinstance(clause, Field) and clause.field == "depth")
