"""What a new day does to a rule: whose answer may be another one although nothing of him was written.

Days that a rule counts from today move with it, and an order dated ahead begins to count on its day. So only they can
come or go whose own days lie where a border has passed between the day that was computed and today.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeGuard

from service.domain.rules.binding import clauses_of
from service.domain.rules.model import (
    Anniversary,
    Birthday,
    Clause,
    Field,
    Occasion,
    Orders,
    RelativeDay,
    Rule,
    Share,
    TopCategory,
    Value,
)

# Birthdays come round: behind such a gap everybody is asked.
_LONGEST = 90
MonthDay = tuple[int, int]
_LEAP = (2, 29)
_BESIDE_LEAP = frozenset({(2, 28), (3, 1)})


@dataclass(frozen=True, slots=True)
class Span:
    """Days from the first to the last."""

    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """Who is to be asked again: by days of fields, of birthdays and anniversaries, of purchases; or everybody."""

    fields: tuple[tuple[str, Span], ...] = ()
    birthdays: frozenset[MonthDay] = frozenset()
    anniversaries: tuple[tuple[Occasion, frozenset[MonthDay]], ...] = ()
    purchases: tuple[Span, ...] = ()
    everybody: bool = False


def turns(rule: Rule) -> bool:
    """Whether a new day can change whom the rule means."""
    return any(_turns(one) for one in clauses_of(rule))


def turned(rule: Rule, since: date, today: date) -> Turned:
    """Who may answer otherwise today than on the day `since`."""
    clauses = [one for one in clauses_of(rule) if _turns(one)]
    # Names of categories may be given anew without a word to the customers; once a day all are asked.
    if today - since > timedelta(days=_LONGEST) or today < since or any(_by_category(one) for one in clauses):
        return Turned(everybody=True)
    fields = (
        (one.field, span) for one in clauses if isinstance(one, Field) for span in _moved(one.value, since, today)
    )
    birthdays = (day for one in clauses if isinstance(one, Birthday) for day in _celebrated(one, since, today))
    anniversaries = {
        (one.of, frozenset(_celebrated(one, since, today))) for one in clauses if isinstance(one, Anniversary)
    }
    purchases = (span for one in clauses if _by_orders(one) for span in _purchases(one, since, today))
    return Turned(
        fields=tuple(fields),
        birthdays=frozenset(birthdays),
        anniversaries=tuple(anniversaries),
        purchases=tuple(set(purchases)),
    )


def _turns(clause: Clause) -> bool:
    return isinstance(clause, Birthday | Anniversary | Orders | Share | TopCategory) or (
        isinstance(clause, Field) and any(True for _ in _offsets(clause.value))
    )


def _by_orders(clause: Clause) -> TypeGuard[Orders | Anniversary]:
    return isinstance(clause, Orders) or (isinstance(clause, Anniversary) and clause.of == "first_order")


def _by_category(clause: Clause) -> bool:
    return isinstance(clause, Share | TopCategory) or (isinstance(clause, Orders) and bool(clause.where.categories))


def _offsets(value: Value) -> Iterator[int]:
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, RelativeDay):
            yield one.today


def _span(since: date, today: date, offset: int) -> Span:
    """The days over which a border has gone, with one on either side."""
    return Span(since + timedelta(days=offset - 1), today + timedelta(days=offset + 1))


def _moved(value: Value, since: date, today: date) -> Iterator[Span]:
    return (_span(since, today, offset) for offset in _offsets(value))


def _purchases(clause: Orders | Anniversary, since: date, today: date) -> Iterator[Span]:
    yield _span(since, today, 0)  # what was dated ahead
    if isinstance(clause, Anniversary):
        return
    yield from _moved(clause.value, since, today)
    if clause.where.last_days is not None:
        yield _span(since, today, -clause.where.last_days)


def _celebrated(clause: Birthday | Anniversary, since: date, today: date) -> Iterator[MonthDay]:
    for span in (_span(since, today, 0), _span(since, today, clause.within_days)):
        for number in range((span.last - span.first).days + 1):
            day = span.first + timedelta(days=number)
            yield day.month, day.day
            if (day.month, day.day) in _BESIDE_LEAP:
                yield _LEAP
