"""Anniversaries come round a year after the day itself, in the tenant's days."""

from datetime import UTC, date, datetime

import pytest

from service.domain.access import Scope
from service.domain.rules.binding import bind
from service.domain.rules.errors import BadRule, FieldClosed
from service.domain.rules.fields import Catalogue
from service.domain.rules.matching import Facts, Order, matches
from service.domain.rules.model import Anniversary, Asked
from service.domain.rules.parsing import parse

_NOBODYS = Catalogue({})


def _meant(text: str, today: date, facts: Facts) -> bool:
    rule = bind(parse(text).rule, _NOBODYS, frozenset(Scope), today)
    return matches(Asked(rule=rule, catalogue=_NOBODYS, today=today, time_zone="Europe/Moscow", currency="RUB"), facts)


def _bought(*days: date) -> Facts:
    return Facts(orders=tuple(Order(day=day, net=1, currency="RUB") for day in days))


@pytest.mark.parametrize(
    ("bought", "today", "meant"),
    [
        (date(2026, 3, 1), date(2027, 3, 1), True),
        (date(2026, 3, 1), date(2027, 2, 26), True),
        (date(2026, 3, 1), date(2027, 2, 25), False),
        (date(2026, 3, 1), date(2027, 3, 2), False),
        (date(2027, 3, 1), date(2027, 3, 1), False),  # the day itself
        (date(2026, 12, 30), date(2026, 12, 29), False),  # an order of tomorrow
        (date(2025, 1, 1), date(2026, 12, 30), True),  # over New Year
        (date(2024, 2, 29), date(2027, 2, 28), True),
        (date(2024, 2, 29), date(2028, 2, 29), True),
        (date(2024, 2, 29), date(2028, 2, 25), False),
    ],
)
def test_the_first_order_comes_round(bought: date, today: date, meant: bool) -> None:
    assert _meant("anniversary of first_order within 3 days", today, _bought(bought, date(2027, 2, 27))) is meant


def test_a_moment_is_of_the_tenants_day() -> None:
    late = Facts(values={"created_at": datetime(2026, 3, 1, 22, tzinfo=UTC), "status": "lapsed"})
    assert _meant("anniversary of created within 0 days", date(2027, 3, 2), late)
    assert not _meant("anniversary of created within 0 days", date(2027, 3, 1), late)


def test_only_a_customer_has_become_one() -> None:
    since = {"status_at": datetime(2026, 3, 1, 12, tzinfo=UTC)}
    asked = ("anniversary of customer within 0 days", date(2027, 3, 1))
    assert _meant(*asked, Facts(values=since | {"status": "customer"}))
    assert not _meant(*asked, Facts(values=since | {"status": "lapsed"}))


def test_orders_need_their_scope() -> None:
    narrow = frozenset({Scope.CUSTOMERS_READ})
    bind(Anniversary(of="created", within_days=1), _NOBODYS, narrow, date(2027, 3, 1))
    with pytest.raises(FieldClosed):
        bind(Anniversary(of="first_order", within_days=1), _NOBODYS, narrow, date(2027, 3, 1))
    with pytest.raises(BadRule) as refused:
        bind(Anniversary(of="created", within_days=400), _NOBODYS, narrow, date(2027, 3, 1))
    assert refused.value.extra["pointer"] == "/within_days"
