"""Scores: ties, the best, the only one, and the methods beside quantiles."""

from collections import Counter
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.segmentation import rfm
from service.domain.segmentation.rfm import (
    Distribution,
    LetterCuts,
    Method,
    Monetary,
    RfmScheme,
    RfmSchemeInvalid,
    Spread,
    Thresholds,
    percentile_disc,
    score,
)
from service.domain.segmentation.rfm_groups import Box, GroupMap

AS_OF = date(2026, 3, 15)


def one_group(bins: int) -> GroupMap:
    return GroupMap(bins=bins, boxes=(Box(group="all", r=(1, bins), f=(1, bins)),))


def spread(values: list[int], fractions: tuple[Fraction, ...]) -> Spread:
    ordered = sorted(values)
    quantiles = tuple(percentile_disc(ordered, fraction) for fraction in fractions)
    return Spread(worst=ordered[0], best=ordered[-1], quantiles=quantiles)


def cut(values: list[int], scheme: RfmScheme) -> rfm.Cuts:
    letter = spread(values, rfm.wanted_fractions(scheme))
    distribution = Distribution(population=len(values), recency=letter, frequency=letter, monetary=letter)
    return rfm.cuts(distribution, scheme, AS_OF)


def test_the_example_of_the_definitions_holds() -> None:
    orders = [1] * 60 + [2] * 25 + [3] * 10 + [4] * 5
    letter = cut(orders, RfmScheme()).frequency
    assert {value: score(value, letter) for value in (1, 2, 3, 4)} == {1: 1, 2: 4, 3: 5, 4: 5}


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60), st.integers(2, 10))
def test_score_is_one_more_than_the_cuts_strictly_worse(values: list[int], bins: int) -> None:
    scheme = RfmScheme(bins=bins, groups=one_group(bins))
    letter = cut(values, scheme).frequency
    for value in values:
        by_definition = 1 + sum(border < value for border in letter.cuts)
        if len(set(values)) == 1:
            by_definition = 1
        elif value == max(values):
            by_definition = bins
        assert score(value, letter) == by_definition


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=40))
def test_better_values_never_score_less(values: list[int]) -> None:
    letter = cut(values, RfmScheme()).monetary
    scores = [score(value, letter) for value in sorted(values)]
    assert scores == sorted(scores)
    assert all(1 <= found <= 5 for found in scores)


def test_ties_share_a_score() -> None:
    letter = cut([3, 3, 3, 3, 8], RfmScheme()).monetary
    assert [score(3, letter), score(8, letter)] == [1, 5]


def test_the_best_scores_n_even_when_most_are_best() -> None:
    letter = cut([1, *[7] * 99], RfmScheme()).frequency
    assert [score(1, letter), score(7, letter)] == [1, 5]


def test_one_distinct_value_is_undistinguished() -> None:
    found = cut([4, 4, 4], RfmScheme())
    scores = [score(4, letter) for letter in (found.recency, found.frequency, found.monetary)]
    assert scores == [5, 1, 1]
    assert found.undistinguished == ("recency", "frequency", "monetary")


def test_an_empty_population_has_no_cuts() -> None:
    found = rfm.cuts(Distribution(), RfmScheme(), AS_OF)
    assert found.frequency == LetterCuts(cuts=(), floors=())
    assert found.undistinguished == ()


@pytest.mark.parametrize(("size", "place"), [(1, 1), (4, 1), (5, 1), (6, 2), (10, 2), (11, 3)])
def test_percentile_disc_takes_the_rounded_up_place(size: int, place: int) -> None:
    assert percentile_disc(range(1, size + 1), Fraction(1, 5)) == place


def test_percentile_disc_of_nothing_is_the_first_place() -> None:
    assert percentile_disc([7, 8], Fraction(0)) == 7


def test_equal_width_cuts_the_trimmed_range_evenly() -> None:
    scheme = RfmScheme(method=Method.EQUAL_WIDTH, trimmed_share=Fraction(1, 100))
    letter = cut([*range(1, 101), 10_000], scheme).monetary
    assert letter.cuts == (2 + 98 // 5, 2 + 98 * 2 // 5, 2 + 98 * 3 // 5, 2 + 98 * 4 // 5)
    assert score(10_000, letter) == 5


def test_thresholds_keep_their_word() -> None:
    thresholds = Thresholds(recency_days=(30, 60, 90, 180), frequency=(1, 2, 4, 9), monetary=(0, 10, 20, 30))
    scheme = RfmScheme(method=Method.THRESHOLDS, thresholds=thresholds)
    found = rfm.cuts(Distribution(), scheme, AS_OF)
    days = {gone: score(AS_OF.toordinal() - gone, found.recency) for gone in (0, 29, 30, 60, 179, 180, 900)}
    assert days == {0: 5, 29: 5, 30: 4, 60: 3, 179: 2, 180: 1, 900: 1}
    assert [score(orders, found.frequency) for orders in (1, 2, 3, 5, 9, 10)] == [1, 2, 3, 4, 4, 5]
    assert found.undistinguished == ()


@given(st.integers(0, 40), st.integers(2, 10))
def test_tiles_are_even_and_the_first_are_longer(population: int, bins: int) -> None:
    sizes = Counter(rfm.ntile(place, population, bins) for place in range(population))
    expected = [population // bins + (tile < population % bins) for tile in range(bins)]
    assert [sizes[tile + 1] for tile in range(bins)] == expected


@pytest.mark.parametrize(("revenue", "orders", "average"), [(10, 3, 3), (-10, 3, -4), (9, 3, 3)])
def test_averages_are_rounded_down_to_whole_micros(revenue: int, orders: int, average: int) -> None:
    assert rfm.monetary_value(Monetary.AVERAGE, revenue, orders) == average
    assert rfm.monetary_value(Monetary.SUM, revenue, orders) == revenue


_GOOD = Thresholds(recency_days=(1, 2, 3, 4), frequency=(1, 2, 3, 4), monetary=(1, 2, 3, 4))


@pytest.mark.parametrize(
    "wrong",
    [
        {"bins": 1},
        {"bins": 11},
        {"bins": 4},
        {"trimmed_share": Fraction(1, 2)},
        {"trimmed_share": Fraction(1, 99_999)},
        {"method": Method.THRESHOLDS},
        {"thresholds": _GOOD},
        {
            "method": Method.THRESHOLDS,
            "thresholds": Thresholds(recency_days=(1, 2, 3, 4), frequency=(1, 2, 3), monetary=(1, 2, 3, 4)),
        },
        {
            "method": Method.THRESHOLDS,
            "thresholds": Thresholds(recency_days=(1, 2, 3, 4), frequency=(1, 2, 2, 4), monetary=(1, 2, 3, 4)),
        },
        {
            "method": Method.THRESHOLDS,
            "thresholds": Thresholds(recency_days=(1, 2, 3, 4), frequency=(1, 2, 3, 2**63), monetary=(1, 2, 3, 4)),
        },
        {
            "method": Method.THRESHOLDS,
            "thresholds": Thresholds(recency_days=(-1, 2, 3, 4), frequency=(1, 2, 3, 4), monetary=(1, 2, 3, 4)),
        },
    ],
)
def test_schemes_that_contradict_themselves_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RfmSchemeInvalid):
        RfmScheme(**wrong)  # type: ignore[arg-type]


def test_only_methods_that_read_the_base_want_quantiles() -> None:
    assert rfm.wanted_fractions(RfmScheme(bins=2, groups=one_group(2))) == (Fraction(1, 2),)
    assert rfm.wanted_fractions(RfmScheme(method=Method.NTILE)) == ()
