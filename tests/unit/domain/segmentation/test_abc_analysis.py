"""Classes at their borders, ties, worthless items."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.segmentation import abc_analysis
from service.domain.segmentation.abc_analysis import (
    AbcBordersInvalid,
    AbcFigures,
    AbcMeasure,
    AbcOver,
    AbcReport,
    ClassSum,
    MarginUnknown,
    check_borders,
    classify,
    fewest_for,
    measure_of,
)


def classes(*totals: int, borders: tuple[int, ...] = (80, 95)) -> str:
    return "".join(classify(dict(enumerate(totals)), borders).values())


def test_what_reaches_a_border_exactly_closes_the_class() -> None:
    assert classes(80, 15, 5) == "ABC"


def test_the_item_that_crosses_a_border_still_belongs_to_the_class() -> None:
    assert classes(79, 16, 5) == "AAC"


def test_equal_totals_share_the_class_of_the_first() -> None:
    assert classes(70, 10, 10, 10) == "AAAA"
    assert classes(81, 5, 5, 5, 4) == "ABBBC"


def test_zero_and_negative_totals_are_of_the_last_class() -> None:
    assert classes(100, 0, -5) == "ACC"
    assert classes(0, -5) == "CC"
    assert classes() == ""


def test_other_borders_make_other_classes() -> None:
    assert classes(25, 25, 25, 24, 1, borders=(20, 40, 60, 80)) == "AAADE"


@given(st.lists(st.integers(-5, 50), max_size=30))
def test_better_items_are_never_classed_below(totals: list[int]) -> None:
    found = classify(dict(enumerate(totals)))
    by_total = [found[place] for place in sorted(found, key=lambda place: -totals[place])]
    assert by_total == sorted(by_total)


def test_fewest_for_is_the_smallest_number_that_suffices() -> None:
    assert fewest_for([5, 80, 15, -3], 80) == 1
    assert fewest_for([5, 79, 16], 80) == 2
    assert fewest_for([1] * 10, 80) == 8
    assert fewest_for([0, -1], 80) == 0


@pytest.mark.parametrize("borders", [(80,), (95, 80), (80, 80), (0, 80), (80, 100), tuple(range(10, 20))])
def test_borders_that_do_not_rise_within_bounds_are_refused(borders: tuple[int, ...]) -> None:
    with pytest.raises(AbcBordersInvalid):
        check_borders(borders)


def a_report(figures: AbcFigures) -> AbcReport:
    return abc_analysis.report(
        figures,
        over=AbcOver.CUSTOMERS,
        by=AbcMeasure.REVENUE,
        borders=(80, 95),
        currency="RUB",
        as_of=date(2026, 3, 15),
        window_days=None,
        computed_at=datetime(2026, 3, 15, tzinfo=UTC),
    )


def test_report_says_how_few_bring_most() -> None:
    report = a_report(
        AbcFigures(
            items=3,
            total=100,
            negative=-1,
            classes=(ClassSum(index=0, items=1, total=80, least=80), ClassSum(index=2, items=2, total=20, least=-1)),
            curve=((1, 80), (3, 100)),
            top=(),
            enough=1,
        )
    )
    assert report.bringers == Decimal("0.333333")
    assert [(found.name, found.items, found.share) for found in report.classes] == [
        ("A", 1, Decimal("0.800000")),
        ("B", 0, Decimal("0.000000")),
        ("C", 2, Decimal("0.200000")),
    ]
    assert [(point.items_share, point.share) for point in report.curve] == [
        (Decimal("0.333333"), Decimal("0.800000")),
        (Decimal("1.000000"), Decimal("1.000000")),
    ]


def test_report_of_nothing_has_no_shares() -> None:
    report = a_report(AbcFigures(items=0, total=0, negative=0, classes=(), curve=(), top=(), enough=0))
    assert report.bringers is None
    assert [(found.name, found.items_share, found.share) for found in report.classes] == [
        (name, None, None) for name in "ABC"
    ]


def test_borders_that_rise_are_kept() -> None:
    assert check_borders([50, 80]) == (50, 80)


def test_margin_is_refused_in_words() -> None:
    with pytest.raises(MarginUnknown):
        measure_of("margin")
    assert measure_of("orders") is AbcMeasure.ORDERS
