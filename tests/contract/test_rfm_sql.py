"""One meaning of RFM, two interpreters: what the SQL says of a stored base is what plain Python says of its records."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.purchase_facts import Source
from service.db.purchase_profile import exact_fractions, scan_statement, scan_values, scanned_profile
from service.db.purchases import PgPurchases
from service.db.statement import sql
from service.domain.segmentation import rfm, rfm_report
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.rfm import (
    Cuts,
    Distribution,
    Method,
    Monetary,
    RfmScheme,
    Spread,
    Thresholds,
    Tiles,
    percentile_disc,
    score,
)
from service.domain.segmentation.rfm_groups import Box, GroupMap
from service.domain.segmentation.rfm_report import Cell, RfmReport, Surroundings
from service.domain.segmentation.service import SegmentationService, UnknownGroup
from tests.contract.purchase_records import (
    TODAY,
    Facts,
    FixedClock,
    Order,
    Return,
    Stage,
    World,
    a_stage,
    bases,
    summed,
    worlds,
)
from tests.postgres import TestDatabase

_PROPERTY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_THREE = GroupMap(
    bins=3,
    boxes=(
        Box(group="best", r=(1, 3), f=(1, 3), m=(3, 3)),
        Box(group="fresh", r=(3, 3), f=(1, 3), m=(1, 2)),
        Box(group="rest", r=(1, 2), f=(1, 3), m=(1, 2)),
    ),
)
_THRESHOLDS = Thresholds(recency_days=(7, 30, 90, 200), frequency=(1, 2, 3, 5), monetary=(-1, 0, 5_000_000, 10_000_000))


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:
        yield stage


def schemes() -> st.SearchStrategy[RfmScheme]:
    five = st.builds(
        RfmScheme,
        method=st.sampled_from([Method.QUANTILE, Method.QUANTILE, Method.EQUAL_WIDTH, Method.NTILE]),
        monetary=st.sampled_from(Monetary),
        trimmed_share=st.sampled_from([Fraction(0), Fraction(1, 100), Fraction(1, 4)]),
    )
    three = st.builds(
        RfmScheme,
        bins=st.just(3),
        groups=st.just(_THREE),
        method=st.sampled_from([Method.QUANTILE, Method.NTILE]),
        monetary=st.sampled_from(Monetary),
    )
    absolute = st.builds(RfmScheme, method=st.just(Method.THRESHOLDS), thresholds=st.just(_THRESHOLDS))
    return st.one_of(five, five, three, absolute)


def on(scheme: RfmScheme, basis: Basis) -> RfmScheme:
    return replace(scheme, currency=basis.currency, as_of=basis.as_of, window_days=basis.window_days)


def values(found: list[Facts], scheme: RfmScheme) -> list[tuple[int, int, int]]:
    return [
        (one.last_on.toordinal(), one.orders, rfm.monetary_value(scheme.monetary, one.revenue, one.orders))
        for one in found
        if one.last_on
    ]


def pure_scores(found: list[Facts], scheme: RfmScheme, basis: Basis) -> tuple[Cuts | Tiles, list[tuple[int, int, int]]]:
    """The definitions, read aloud: who scores what."""
    letters = [list(column) for column in zip(*values(found, scheme), strict=True)]
    if scheme.method is Method.NTILE:
        return Tiles(bins=scheme.bins), _rows([_tiles(column, scheme.bins) for column in letters])
    fractions = rfm.wanted_fractions(scheme)
    spreads = [
        Spread(
            worst=min(column),
            best=max(column),
            quantiles=tuple(percentile_disc(sorted(column), fraction) for fraction in fractions),
        )
        for column in letters
    ]
    recency, frequency, monetary = spreads or (None, None, None)
    cuts = rfm.cuts(
        Distribution(population=len(found), recency=recency, frequency=frequency, monetary=monetary),
        scheme,
        basis.as_of,
    )
    by_letter = (cuts.recency, cuts.frequency, cuts.monetary)
    scored = [[score(value, cut) for value in column] for column, cut in zip(letters, by_letter, strict=False)]
    return cuts, _rows(scored)


def _tiles(column: list[int], bins: int) -> list[int]:
    # Customers are numbered in the order of their ids.
    order = sorted(range(len(column)), key=lambda place: (column[place], place))
    return [rfm.ntile(order.index(place), len(column), bins) for place in range(len(column))]


def _rows(columns: list[list[int]]) -> list[tuple[int, int, int]]:
    return list(zip(*columns, strict=True)) if columns else []


def pure_report(world: World, scheme: RfmScheme, basis: Basis) -> RfmReport:
    found = [one for one in summed(world, basis) if one.orders]
    scores, rows = pure_scores(found, scheme, basis)
    cells = [
        Cell(
            r=r,
            f=f,
            m=m if scheme.groups.by_monetary else None,
            customers=1,
            revenue=one.revenue,
            orders=one.orders,
            recency_days=(basis.as_of - one.last_on).days if one.last_on else 0,
            monetary=rfm.monetary_value(scheme.monetary, one.revenue, one.orders),
        )
        for one, (r, f, m) in zip(found, rows, strict=True)
    ]
    return rfm_report.report(
        cells,
        scheme=scheme,
        basis=basis,
        scores=scores,
        surroundings=pure_surroundings(world, basis),
        computed_at=FixedClock().now(),
    )


def pure_surroundings(world: World, basis: Basis) -> Surroundings:
    recorded = {o.customer for o in world.orders if o.day <= basis.as_of}
    recorded |= {r.customer for r in world.returns if r.day <= basis.as_of}
    counted = [o for o in world.orders if o.counts]
    return Surroundings(
        customers=world.customers,
        recorded=len(recorded),
        orders_in_other_currencies=sum(o.currency != basis.currency and basis.covers(o.day) for o in counted),
        orders_after_as_of=sum(o.day > basis.as_of for o in counted),
    )


@_PROPERTY
@given(world=worlds(), basis=bases(), scheme=schemes())
def test_report_in_sql_is_the_report_in_python(stage: Stage, world: World, basis: Basis, scheme: RfmScheme) -> None:
    async def play() -> RfmReport:
        await stage.play(world)
        service = SegmentationService(stage.tenant.uow, FixedClock())
        return await service.rfm_report(stage.principal, on(scheme, basis))

    assert stage.run(play()) == pure_report(world, on(scheme, basis), basis)


@_PROPERTY
@given(world=worlds(), basis=bases(), scheme=schemes())
def test_large_bases_are_scored_as_small_ones(stage: Stage, world: World, basis: Basis, scheme: RfmScheme) -> None:
    fractions = rfm.wanted_fractions(scheme) or rfm.wanted_fractions(RfmScheme())

    async def play() -> tuple[tuple[Distribution, Counter[Cell]], tuple[Distribution, Counter[Cell]]]:
        await stage.play(world)
        found = []
        async with stage.tenant.uow.begin(stage.principal, snapshot=True) as tx:
            # A table that was never analysed says -1 rows; both sides read the same snapshot.
            for sampled_from in (-2, 10**9):
                purchases = PgPurchases(tx.session, sampled_from=sampled_from, sample_rows=10**9, fewest=1)
                distribution = await purchases.distribution(basis, scheme.monetary, fractions)
                quantile = RfmScheme(bins=len(fractions) + 1, groups=_one_group(len(fractions) + 1))
                cuts = rfm.cuts(distribution, quantile, basis.as_of)
                cells = await purchases.cells(basis, scheme.monetary, cuts, by_monetary=False)
                found.append((distribution, Counter(cells)))
        return found[0], found[1]

    quick, exact = stage.run(play())
    assert quick[1] == exact[1]
    assert _quantiles(quick[0]) == _quantiles(exact[0])


def _one_group(bins: int) -> GroupMap:
    return GroupMap(bins=bins, boxes=(Box(group="all", r=(1, bins), f=(1, bins)),))


def _quantiles(distribution: Distribution) -> list[object]:
    spreads = (distribution.recency, distribution.frequency, distribution.monetary)
    return [distribution.population, *((spread and spread.quantiles) for spread in spreads)]


@_PROPERTY
@given(world=worlds(), basis=bases(), scheme=schemes(), r=st.sampled_from([None, None, 3]), limit=st.integers(1, 4))
def test_pages_of_customers_bear_their_scores(
    stage: Stage, world: World, basis: Basis, scheme: RfmScheme, r: int | None, limit: int
) -> None:
    async def play() -> tuple[list[UUID], dict[UUID, tuple[int, int, int]]]:
        ids = await stage.play(world)
        service = SegmentationService(stage.tenant.uow, FixedClock())
        seen: dict[UUID, tuple[int, int, int]] = {}
        cursor = None
        while page := await service.rfm_customers(stage.principal, on(scheme, basis), r=r, limit=limit, cursor=cursor):
            assert len(page) <= limit
            seen |= {one.customer_id: (one.r, one.f, one.m) for one in page}
            cursor = page[-1].customer_id
        return ids, seen

    ids, seen = stage.run(play())
    found = [one for one in summed(world, basis) if one.orders]
    _, rows = pure_scores(found, scheme, basis)
    expected = {ids[one.customer]: scores for one, scores in zip(found, rows, strict=True)}
    assert seen == {customer: scores for customer, scores in expected.items() if r in (None, scores[0])}


@pytest.mark.parametrize("window_days", [None, 30])
def test_even_widths_cut_between_the_quantiles(stage: Stage, window_days: int | None) -> None:
    orders = tuple(_order(customer, customer) for customer in range(20))
    world = World(customers=20, orders=orders, returns=())
    basis = Basis(currency="RUB", as_of=TODAY, window_days=window_days)
    scheme = on(RfmScheme(method=Method.EQUAL_WIDTH), basis)

    async def play() -> RfmReport:
        await stage.play(world)
        return await SegmentationService(stage.tenant.uow, FixedClock()).rfm_report(stage.principal, scheme)

    report = stage.run(play())
    assert report == pure_report(world, scheme, basis)
    assert [sum(cell.customers for cell in report.grid if cell.r == r) for r in range(1, 6)] == [4, 4, 4, 4, 4]


def test_pages_of_an_unknown_group_are_refused(stage: Stage) -> None:
    service = SegmentationService(stage.tenant.uow, FixedClock())
    with pytest.raises(UnknownGroup):
        stage.run(service.rfm_customers(stage.principal, RfmScheme(), group="vip"))


def test_a_quantile_outside_its_bracket_is_noticed(stage: Stage) -> None:
    """A sample may mislead; then the scan says so, and the exact way is gone."""
    orders = tuple(replace(_order(i, i), total=i + 1) for i in range(40))
    halves = [Fraction(1, 2)]
    right = ((TODAY.toordinal() - 20, TODAY.toordinal() - 20),), ((1, 1),), ((20, 20),)
    wrong_money = right[0], right[1], ((25, 30),)
    too_little = right[0], right[1], ((1, 5),)
    wrong_days = ((TODAY.toordinal() - 3, TODAY.toordinal()),), right[1], right[2]

    async def play() -> list[bool]:
        await stage.play(World(customers=40, orders=orders, returns=()))
        source = Source(windowed=False, afresh=False, stale=False, narrow=False)
        found = []
        async with stage.tenant.uow.begin(stage.principal) as tx:
            for brackets in (right, wrong_money, too_little, wrong_days):
                rows = await tx.session.fetch(
                    scan_statement(source, Monetary.SUM, (1, 1, 1)),
                    currency="RUB",
                    as_of=TODAY,
                    **scan_values(brackets),
                )
                found.append(scanned_profile([tuple(row.values()) for row in rows], brackets, halves) is not None)
        return found

    assert stage.run(play()) == [True, False, False, False]


def test_postgres_reads_quantiles_as_integers_do(stage: Stage) -> None:
    async def play() -> list[tuple[int, list[int]]]:
        async with stage.tenant.uow.begin(stage.principal) as tx:
            fractions = [Fraction(k, n) for n in range(2, 11) for k in range(1, n)]
            rows = await tx.session.fetch(
                sql("""SELECT size, percentile_disc(:parts::float8[]) WITHIN GROUP (ORDER BY v) AS found
                    FROM unnest(:sizes::int[]) size, generate_series(1, size) v GROUP BY size"""),
                parts=exact_fractions(fractions),
                sizes=[*range(1, 400), 1_000, 4_999, 5_000, 9_999, 10_000],
            )
            return [(row["size"], row["found"]) for row in rows]

    for size, found in stage.run(play()):
        assert found == [-(-k * size // n) for n in range(2, 11) for k in range(1, n)]


def test_own_reach_scores_the_own_portfolio_only(stage: Stage) -> None:
    orders = tuple(_order(customer, days) for customer in range(6) for days in range(customer + 1))

    async def play() -> tuple[RfmReport, RfmReport]:
        ids = await stage.play(World(customers=8, orders=orders, returns=()))
        manager = await stage.tenant.staff(reach="own")
        async with stage.tenant.uow.begin(stage.principal) as tx:
            await tx.session.execute(
                sql("UPDATE customers SET curator_id = :me WHERE tenant_id = :tenant AND customer_id = ANY (:ids)"),
                me=manager.staff_id,
                ids=[ids[1], ids[2], ids[7]],
            )
            await tx.commit()
        service = SegmentationService(stage.tenant.uow, FixedClock())
        return (
            await service.rfm_report(manager, RfmScheme()),
            await service.rfm_report(manager, RfmScheme(window_days=2)),
        )

    everything, window = stage.run(play())
    assert (everything.population, everything.no_orders, everything.prospects) == (2, 0, 1)
    assert everything.revenue == 5 * 7_000_000
    assert (window.population, window.revenue) == (2, 4 * 7_000_000)


def _order(customer: int, days: int) -> Order:
    return Order(
        customer=customer,
        day=TODAY - timedelta(days=days),
        hour=12,
        total=7_000_000,
        refunded=0,
        status="paid",
        currency="RUB",
    )


def test_returns_only_are_no_orders_not_prospects(stage: Stage) -> None:
    back = Return(customer=0, day=TODAY, amount=1, currency="RUB")

    async def play() -> RfmReport:
        await stage.play(World(customers=3, orders=(_order(1, 0),), returns=(back,)))
        return await SegmentationService(stage.tenant.uow, FixedClock()).rfm_report(stage.principal, RfmScheme())

    report = stage.run(play())
    assert (report.population, report.no_orders, report.prospects) == (1, 1, 1)
    assert report.undistinguished == ("recency", "frequency", "monetary")
