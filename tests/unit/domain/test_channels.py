"""A cost is spread over its days to the micro, and a report's ratios say nothing of nobody."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.channels import Cost, EndsBeforeItBegins, Line, Period, came_on, share, total, won

_FIRST = date(2026, 1, 1)
_days = st.integers(-50, 80).map(lambda offset: _FIRST + timedelta(days=offset))


@st.composite
def _costs(draw: st.DrawFn) -> Cost:
    from_on = draw(_days)
    until_on = from_on + timedelta(days=draw(st.integers(0, 60)))
    return Cost(from_on=from_on, until_on=until_on, amount=draw(st.integers(1, 10**16)), currency="RUB")


def a_line(*, customers: int = 0, prospects: int = 0, revenue: int = 0, cost: int | None = 0) -> Line:
    return Line(channel=None, customers=customers, prospects=prospects, revenue=revenue, cost=cost)


def test_a_month_of_a_quarter_bears_its_days() -> None:
    cost = Cost(from_on=date(2026, 1, 1), until_on=date(2026, 3, 31), amount=90_000_000, currency="RUB")
    february = Period(from_on=date(2026, 2, 1), until_on=date(2026, 2, 28))
    assert share(cost, february) == 28_000_000
    assert share(cost, Period()) == 90_000_000
    assert share(cost, Period(from_on=date(2026, 4, 1))) == 0
    assert share(cost, Period(until_on=date(2025, 12, 31))) == 0


@given(cost=_costs(), cuts=st.lists(_days, max_size=5))
def test_the_parts_of_adjoining_periods_add_up_to_the_whole(cost: Cost, cuts: list[date]) -> None:
    starts: list[date | None] = [None, *sorted(set(cuts))]
    ends = [*(day - timedelta(days=1) for day in starts if day), None]
    parts = [share(cost, Period(from_on=a, until_on=b)) for a, b in zip(starts, ends, strict=True)]
    assert sum(parts) == cost.amount
    assert all(part >= 0 for part in parts)


@given(cost=_costs(), day=_days)
def test_a_day_outside_bears_nothing_and_one_inside_its_part(cost: Cost, day: date) -> None:
    inside = cost.from_on <= day <= cost.until_on
    days = (cost.until_on - cost.from_on).days + 1
    assert abs(share(cost, Period(from_on=day, until_on=day)) - inside * cost.amount / days) <= max(
        1, cost.amount / 2**40
    )


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(EndsBeforeItBegins):
        Period(from_on=date(2026, 2, 1), until_on=date(2026, 1, 31))


def test_a_record_is_won_by_an_order_or_by_its_status() -> None:
    assert won("prospect", date(2026, 1, 1))
    assert won("archived", date(2026, 1, 1))
    assert won("customer", None)
    assert won("lapsed", None)
    assert not won("prospect", None)
    assert not won("archived", None)


def test_a_record_came_with_its_first_order_if_that_was_earlier() -> None:
    assert came_on(date(2026, 3, 1), None) == date(2026, 3, 1)
    assert came_on(date(2026, 3, 1), date(2020, 1, 1)) == date(2020, 1, 1)
    assert came_on(date(2026, 3, 1), date(2026, 4, 1)) == date(2026, 3, 1)


def test_ratios_are_rounded_to_what_people_read() -> None:
    line = a_line(customers=3, prospects=4, revenue=10_000_000, cost=20_000_000)
    assert (line.conversion, line.value, line.acquisition_cost) == ("0.4286", 3_330_000, 6_670_000)


def test_nobody_has_no_ratio_and_an_unknown_cost_stays_unknown() -> None:
    nobody = a_line(cost=5)
    assert (nobody.conversion, nobody.value, nobody.acquisition_cost) == (None, None, None)
    assert a_line(customers=1, cost=None).acquisition_cost is None
    assert total([a_line(cost=None)]).cost is None
    assert total([a_line(cost=5, customers=1), a_line(cost=2, prospects=2)]) == a_line(customers=1, prospects=2, cost=7)
