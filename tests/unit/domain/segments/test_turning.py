"""Whom a new day can change: everybody whose answer differs is among those who are asked again."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.domain.access import Scope
from service.domain.rules.binding import bind
from service.domain.rules.fields import Catalogue
from service.domain.rules.matching import Facts, Order, matches
from service.domain.rules.model import Asked, Rule
from service.domain.rules.parsing import parse
from service.domain.segments.turning import Turned, turned, turns

_TODAY = date(2027, 2, 27)
_RULES = (
    "birth_date >= today - 9000 days",
    "birth_date between today - 9001 days and today - 8999 days",
    "birthday within 0 days",
    "birthday within 7 days",
    "orders.count(last 7 days) >= 1",
    "orders.last < today - 3 days",
    "orders.sum >= 10",
    "anniversary of first_order within 3 days",
    "anniversary of created within 0 days",
    "anniversary of customer within 30 days",
)


def _rule(text: str) -> Rule:
    return bind(parse(text).rule, Catalogue({}), frozenset(Scope), _TODAY)


def _asked_again(day: Turned, facts: Facts) -> bool:
    born, bought = facts.values["birth_date"], [one.day for one in facts.orders]
    return (
        day.everybody
        or any(span.first <= born <= span.last for _, span in day.fields)
        or (born.month, born.day) in day.birthdays
        or any(_celebrates(of, days, facts) for of, days in day.anniversaries)
        or any(span.first <= one <= span.last for span in day.purchases for one in bought)
    )


def _celebrates(of: str, days: frozenset[tuple[int, int]], facts: Facts) -> bool:
    first = min((one.day for one in facts.orders), default=None)
    day = first if of == "first_order" else facts.values["created_at"].date()
    return day is not None and (day.month, day.day) in days


@given(
    text=st.sampled_from(_RULES),
    begins=st.integers(0, 800),
    gap=st.integers(0, 100),
    born=st.one_of(
        st.dates(date(1999, 1, 1), date(2004, 12, 31)), st.sampled_from([date(2000, 2, 29), date(2000, 3, 1)])
    ),
    bought=st.lists(st.integers(-20, 120), max_size=3),
)
def test_who_answers_otherwise_is_asked_again(text: str, begins: int, gap: int, born: date, bought: list[int]) -> None:
    since = _TODAY + timedelta(days=begins)
    today = since + timedelta(days=gap)
    orders = tuple(Order(day=since + timedelta(days=one), net=10_000_000, currency="RUB") for one in bought)
    begun = datetime.combine(born, time(12), UTC)
    values = {"birth_date": born, "created_at": begun, "status_at": begun, "status": "customer"}
    facts = Facts(values=values, birthday=born, orders=orders)
    rule = _rule(text)
    before, after = (
        matches(Asked(rule=rule, catalogue=Catalogue({}), today=day, time_zone="UTC", currency="RUB"), facts)
        for day in (since, today)
    )
    assert before == after or _asked_again(turned(rule, since, today), facts)


def test_a_rule_without_relative_days_never_turns() -> None:
    assert not turns(_rule('city = "Казань" and birth_date < 1990-01-01'))
    assert turned(_rule('city = "Казань"'), _TODAY, _TODAY + timedelta(days=1)) == Turned()


def test_categories_and_long_gaps_ask_everybody() -> None:
    tomorrow = _TODAY + timedelta(days=1)
    assert turned(_rule('top_category = "Чай"'), _TODAY, tomorrow).everybody
    assert turned(_rule("birthday within 7 days"), _TODAY, _TODAY + timedelta(days=91)).everybody
    assert not turned(_rule("birthday within 7 days"), _TODAY, tomorrow).everybody
