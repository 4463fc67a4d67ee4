"""Steadiness over whole past periods: borders, gaps, the first sale, and what is too short."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.segmentation.basis import Basis
from service.domain.segmentation.xyz_analysis import (
    Period,
    XyzBordersInvalid,
    XyzScheme,
    number_of,
    whole_periods,
    xyz,
)

_DAYS = st.dates(date(1, 1, 1), date(9999, 12, 30))


def letter(*sales: int, first_sale: int = 0, borders: tuple[int, int] = (10, 25)) -> str:
    return xyz(dict(enumerate(sales)), first_sale, (0, len(sales) - 1), borders)


@pytest.mark.parametrize(
    ("sales", "expected"),
    [
        ([10, 10, 10], "X"),
        ([90, 110, 100], "X"),  # σ/μ = 8.16 %
        ([9, 11], "too_short"),
        ([80, 120, 100], "Y"),  # 16.3 %
        ([3, 0, 0, 0], "Z"),
        ([5, -5, 0], "Z"),
        ([-5, -5, -5], "Z"),
        ([0, 0, 0], "Z"),
        ([], "too_short"),
    ],
)
def test_steadiness_is_told_by_the_coefficient_of_variation(sales: list[int], expected: str) -> None:
    assert letter(*sales) == expected


def test_a_border_belongs_to_the_less_steady_class() -> None:
    assert letter(9, 11, 9, 11) == "Y"  # exactly 10 %
    assert letter(3, 5, 3, 5) == "Z"  # exactly 25 %


def test_what_lies_before_the_first_sale_does_not_count() -> None:
    assert letter(-7, 0, 5, 5, 5, first_sale=2) == "X"
    assert letter(0, 0, 5, 5, first_sale=2) == "too_short"
    assert xyz({0: -5}, None, (0, 9)) == "too_short"


def test_periods_without_sales_count_as_zero() -> None:
    assert xyz({3: 9, 6: 9}, 3, (0, 6)) == "Z"


def test_the_current_period_does_not_count() -> None:
    assert xyz({1: 5, 2: 5, 3: 5, 4: 900}, 1, (0, 3)) == "X"


def test_borders_can_be_set_and_must_rise() -> None:
    assert letter(80, 120, 100, borders=(20, 50)) == "X"
    assert XyzScheme(borders=(20, 50)).borders == (20, 50)
    for wrong in ((25, 10), (10, 10), (0, 25), (10,), (10, 20, 30), (10, 10_001)):
        with pytest.raises(XyzBordersInvalid):
            XyzScheme(borders=wrong)


@given(day=_DAYS, period=st.sampled_from(Period))
def test_periods_follow_one_another_without_gaps(day: date, period: Period) -> None:
    assert number_of(day + timedelta(days=1), period) - number_of(day, period) in (0, 1)


def test_periods_begin_where_the_calendar_says() -> None:
    begins = {
        Period.WEEK: date(2026, 3, 16),
        Period.MONTH: date(2026, 3, 1),
        Period.QUARTER: date(2026, 4, 1),
        Period.YEAR: date(2026, 1, 1),
    }
    for period, day in begins.items():
        assert number_of(day, period) == number_of(day - timedelta(days=1), period) + 1


@given(as_of=_DAYS, days=st.integers(1, 800), period=st.sampled_from(Period))
def test_whole_periods_lie_within_the_window_and_end_before_today(as_of: date, days: int, period: Period) -> None:
    basis = Basis(currency="RUB", as_of=as_of, window_days=min(days, as_of.toordinal()))
    first, last = whole_periods(basis, period)
    assert last == number_of(as_of, period) - 1
    assert basis.from_on is not None
    before = basis.from_on.toordinal() - 1
    assert before == 0 or number_of(date.fromordinal(before), period) == first - 1
