"""Advice moves the customer for real: under the same cuts, for as many days as it says, and not a day longer."""

from datetime import date, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from service.domain.segmentation import rfm
from service.domain.segmentation.rfm import Cuts, Distribution, Method, Monetary, RfmScheme, Spread, Thresholds
from service.domain.segmentation.rfm_groups import Box, GroupMap
from service.domain.segmentation.rfm_next import Standing, after, outlook, scores

AS_OF = date(2026, 3, 15)
_BY_MONEY = GroupMap(
    bins=3,
    boxes=(
        Box(group="best", r=(2, 3), f=(2, 3), m=(3, 3)),
        Box(group="good", r=(2, 3), f=(2, 3), m=(1, 2)),
        Box(group="thrifty", r=(2, 3), f=(1, 1), m=(1, 2)),
        Box(group="spender", r=(2, 3), f=(1, 1), m=(3, 3)),
        Box(group="gone", r=(1, 1), f=(1, 3), m=(1, 3)),
    ),
)
_FIXED = Thresholds(recency_days=(7, 30, 90, 200), frequency=(1, 2, 3, 5), monetary=(-1, 0, 5_000_000, 10_000_000))
standings = st.builds(
    lambda days, orders, revenue: Standing(last_on=AS_OF - timedelta(days=days), orders=orders, revenue=revenue),
    st.integers(0, 400),
    st.integers(1, 12),
    st.integers(-5_000_000, 60_000_000),
)
schemes = st.sampled_from(
    [
        RfmScheme(),
        RfmScheme(method=Method.EQUAL_WIDTH, trimmed_share=Fraction(1, 10)),
        RfmScheme(method=Method.THRESHOLDS, thresholds=_FIXED),
        RfmScheme(bins=3, groups=_BY_MONEY),
        RfmScheme(bins=3, groups=_BY_MONEY, monetary=Monetary.AVERAGE),
    ]
)


def cuts_of(base: list[Standing], scheme: RfmScheme) -> Cuts:
    columns = [
        [one.last_on.toordinal() for one in base if one.last_on],
        [one.orders for one in base],
        [rfm.monetary_value(scheme.monetary, one.revenue, one.orders) for one in base],
    ]
    wanted = rfm.wanted_fractions(scheme)
    recency, frequency, monetary = (
        Spread(
            worst=min(column),
            best=max(column),
            quantiles=tuple(rfm.percentile_disc(sorted(column), share) for share in wanted),
        )
        for column in columns
    )
    spread = Distribution(population=len(base), recency=recency, frequency=frequency, monetary=monetary)
    return rfm.cuts(spread, scheme, AS_OF)


def group_of(standing: Standing, scheme: RfmScheme, cuts: Cuts) -> str:
    found = scores(standing, scheme, cuts)
    assert found
    return scheme.groups.group_of(*found)


@given(base=st.lists(standings, min_size=1, max_size=25), scheme=schemes, customer=standings, new=st.booleans())
def test_following_the_advice_moves_the_customer(
    base: list[Standing], scheme: RfmScheme, customer: Standing, new: bool
) -> None:
    cuts = cuts_of([*base, customer], scheme)
    customer = Standing(last_on=None, orders=0, revenue=0) if new else customer
    found = outlook(customer, scheme, cuts, AS_OF)
    assert found.group == (None if new else group_of(customer, scheme, cuts))
    for step in found.steps:
        moved = after(customer, step.orders, step.money, AS_OF)
        assert group_of(moved, scheme, cuts) == step.group != found.group
        for days in range(min(step.days, 500) + 1) if step.days is not None else (0, 1, 500):
            assert (
                group_of(after(customer, step.orders, step.money, AS_OF - timedelta(days=days)), scheme, cuts)
                == step.group
            )
        if step.days is not None:
            late = after(customer, step.orders, step.money, AS_OF - timedelta(days=step.days + 1))
            assert group_of(late, scheme, cuts) != step.group


@given(base=st.lists(standings, min_size=1, max_size=25), scheme=schemes, customer=standings)
def test_no_cheaper_way_leads_there(base: list[Standing], scheme: RfmScheme, customer: Standing) -> None:
    cuts = cuts_of([*base, customer], scheme)
    found = outlook(customer, scheme, cuts, AS_OF)
    reached = {step.group: step for step in found.steps}
    for orders in range(1, 15):
        for money in (0, 10_000, 5_000_000, 30_000_000, 200_000_000):
            group = group_of(after(customer, orders, money, AS_OF), scheme, cuts)
            if group != found.group:
                assert (reached[group].orders, reached[group].money) <= (orders, money)


@given(base=st.lists(standings, min_size=1, max_size=25), scheme=schemes, customer=standings)
def test_who_does_nothing_slips_on_the_day_that_was_told(
    base: list[Standing], scheme: RfmScheme, customer: Standing
) -> None:
    cuts = cuts_of([*base, customer], scheme)
    found = outlook(customer, scheme, cuts, AS_OF)
    assert customer.last_on

    def later(days: int) -> str:
        # Under the same cuts a day that passes is a day that the last order lies farther back.
        assert customer.last_on
        aged = Standing(
            last_on=customer.last_on - timedelta(days=days), orders=customer.orders, revenue=customer.revenue
        )
        return group_of(aged, scheme, cuts)

    if found.stays_days is None:
        assert later(1_000) == found.group
    else:
        assert later(found.stays_days) == found.group
        assert later(found.stays_days + 1) == found.slips_to != found.group
