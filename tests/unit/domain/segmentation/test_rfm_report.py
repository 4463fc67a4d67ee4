"""The report's arithmetic: shares, means, the grid, who stands beside."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from service.domain.segmentation import rfm_report
from service.domain.segmentation.basis import Basis, WindowInvalid
from service.domain.segmentation.rfm import Cuts, LetterCuts, Method, RfmScheme, Tiles
from service.domain.segmentation.rfm_groups import Box, GroupMap
from service.domain.segmentation.rfm_report import Cell, RfmReport, Surroundings

BASIS = Basis(currency="RUB", as_of=date(2026, 3, 15))
NONE = LetterCuts(cuts=(), floors=())


def a_cell(r: int, f: int, *, m: int | None = None, customers: int = 1, revenue: int = 0, days: int = 0) -> Cell:
    return Cell(
        r=r, f=f, m=m, customers=customers, revenue=revenue, orders=2 * customers, recency_days=days, monetary=revenue
    )


def a_report(cells: list[Cell], scheme: RfmScheme | None = None, scores: Cuts | Tiles | None = None) -> RfmReport:
    return rfm_report.report(
        cells,
        scheme=scheme or RfmScheme(),
        basis=BASIS,
        scores=scores or Cuts(recency=NONE, frequency=NONE, monetary=NONE),
        surroundings=Surroundings(customers=10, recorded=5, orders_in_other_currencies=3, orders_after_as_of=2),
        computed_at=datetime(2026, 3, 15, tzinfo=UTC),
    )


def test_shares_and_means_are_of_the_group() -> None:
    report = a_report([a_cell(5, 5, customers=2, revenue=5, days=1), a_cell(1, 1, revenue=1, days=100)])
    [champions] = [group for group in report.groups if group.group == "champions"]
    assert (champions.customers, champions.share) == (2, Decimal("0.666667"))
    assert (champions.revenue, champions.revenue_share) == (5, Decimal("0.833333"))
    assert (champions.mean_recency_days, champions.mean_frequency) == (Decimal("0.50"), Decimal("2.00"))
    assert champions.mean_monetary == 2  # 2.5 micros, half to even


def test_empty_groups_are_named_and_have_no_means() -> None:
    report = a_report([a_cell(5, 5)])
    [at_risk] = [group for group in report.groups if group.group == "at_risk"]
    assert (at_risk.customers, at_risk.share, at_risk.mean_monetary) == (0, Decimal("0.000000"), None)
    assert len(report.groups) == 10


def test_shares_of_no_revenue_are_unknown() -> None:
    assert all(group.revenue_share is None for group in a_report([a_cell(5, 5, revenue=-4)]).groups)


def test_the_grid_has_every_cell() -> None:
    report = a_report([a_cell(5, 4, customers=3, revenue=7)])
    assert len(report.grid) == 25
    [filled] = [cell for cell in report.grid if cell.customers]
    assert (filled.r, filled.f, filled.group, filled.revenue) == (5, 4, "champions", 7)


def test_no_orders_and_prospects_stand_beside_the_population() -> None:
    report = a_report([a_cell(5, 4, customers=3)])
    assert (report.population, report.no_orders, report.prospects) == (3, 2, 5)
    assert (report.excluded_orders.other_currencies, report.excluded_orders.after_as_of) == (3, 2)


def test_cuts_of_recency_are_told_in_days() -> None:
    as_of = BASIS.as_of.toordinal()
    recency = LetterCuts(cuts=(as_of - 90, as_of - 30), floors=(), undistinguished=True)
    report = a_report([], scores=Cuts(recency=recency, frequency=NONE, monetary=NONE))
    assert report.cuts.recency_days == (90, 30)
    assert report.undistinguished == ("recency",)


def test_tiles_have_no_cuts() -> None:
    report = a_report([a_cell(1, 1)], RfmScheme(method=Method.NTILE), Tiles(bins=5))
    assert (report.cuts.frequency, report.undistinguished) == ((), ())


def test_a_map_over_three_letters_leaves_the_grid_unnamed() -> None:
    groups = GroupMap(
        bins=2,
        boxes=(Box(group="rich", r=(1, 2), f=(1, 2), m=(2, 2)), Box(group="rest", r=(1, 2), f=(1, 2), m=(1, 1))),
    )
    report = a_report([a_cell(1, 1, m=1), a_cell(1, 1, m=2)], RfmScheme(bins=2, groups=groups))
    assert [(group.group, group.customers) for group in report.groups] == [("rich", 1), ("rest", 1)]
    assert [(cell.group, cell.customers) for cell in report.grid] == [(None, 2), (None, 0), (None, 0), (None, 0)]


def test_a_window_ends_with_as_of() -> None:
    week = Basis(currency="RUB", as_of=date(2026, 3, 15), window_days=7)
    assert week.from_on == date(2026, 3, 9)
    assert [week.covers(date(2026, 3, day)) for day in (8, 9, 15, 16)] == [False, True, True, False]
    assert BASIS.covers(date(1, 1, 1))
    assert BASIS.from_on is None


@pytest.mark.parametrize("days", [0, -1, 40_000])
def test_windows_without_days_or_beyond_a_century_are_refused(days: int) -> None:
    with pytest.raises(WindowInvalid):
        Basis(currency="RUB", as_of=date(2026, 3, 15), window_days=days)
