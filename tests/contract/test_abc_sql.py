"""One meaning of ABC, two interpreters: classes, sums, the curve and who suffices, in SQL as in plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.db.session import Session
from service.db.statement import sql
from service.db.totals import PgTotals
from service.domain.segmentation.abc_analysis import (
    AbcMeasure,
    AbcOver,
    AbcReport,
    check_borders,
    class_name,
    classify,
    fewest_for,
)
from service.domain.segmentation.abc_service import AbcAsked, AbcService
from service.domain.segmentation.basis import Basis
from tests.contract.purchase_records import (
    TODAY,
    FixedClock,
    Order,
    Stage,
    World,
    a_stage,
    bases,
    channel_of,
    summed,
    worlds,
)
from tests.postgres import TestDatabase

_PROPERTY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_BORDERS = st.sampled_from([(80, 95), (50, 80), (20, 40, 60, 80), (1, 99)])


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:
        yield stage


def analyse(
    stage: Stage, over: AbcOver, by: AbcMeasure, basis: Basis, borders: tuple[int, ...], limit: int = 50
) -> AbcReport:
    return stage.run(
        AbcService(stage.tenant.uow, FixedClock()).report(stage.principal, asked(over, by, basis, borders), limit=limit)
    )


def asked(over: AbcOver, by: AbcMeasure, basis: Basis, borders: tuple[int, ...] = (80, 95)) -> AbcAsked:
    return AbcAsked(
        over=over, by=by, borders=borders, currency=basis.currency, as_of=basis.as_of, window_days=basis.window_days
    )


def assert_is_the_analysis_of(report: AbcReport, totals: dict[str | None, int], limit: int = 50) -> None:
    borders = check_borders(report.borders)
    classes = classify(totals, borders)
    positive = sum(total for total in totals.values() if total > 0)
    assert (report.items, report.total) == (len(totals), positive)
    assert report.negative == sum(total for total in totals.values() if total < 0)
    for i, found in enumerate(report.classes):
        members = [totals[item] for item, name in classes.items() if name == class_name(i)]
        assert (found.name, found.items) == (class_name(i), len(members))
        assert found.total == sum(total for total in members if total > 0)
        assert found.least == min(members, default=None)
    assert_curve(report, sorted(totals.values(), reverse=True))
    fewest = fewest_for(totals.values(), borders[0])
    assert (report.bringers is None) == (fewest == 0)
    assert report.bringers is None or round(report.bringers * len(totals)) == fewest
    order = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0] is None, pair[0] or ""))[:limit]
    assert [(one.item, one.total, one.class_name, one.place) for one in report.top] == [
        (item, total, classes[item], 1 + sum(other > total for other in totals.values())) for item, total in order
    ]


def assert_curve(report: AbcReport, falling: list[int]) -> None:
    upto = {n: sum(total for total in falling[:n] if total > 0) for n in range(1, len(falling) + 1)}
    assert len(report.curve) <= 200
    assert all(upto[point.items] == point.total for point in report.curve)
    assert [point.items for point in report.curve] == sorted({point.items for point in report.curve})
    if report.total:
        assert (report.curve[-1].items, report.curve[-1].total) == (report.items, report.total)
    else:
        assert report.curve == ()


@_PROPERTY
@given(world=worlds(), basis=bases(), by=st.sampled_from(AbcMeasure), borders=_BORDERS, limit=st.integers(1, 12))
def test_customers_are_classed_as_python_classes_them(
    stage: Stage, world: World, basis: Basis, by: AbcMeasure, borders: tuple[int, ...], limit: int
) -> None:
    ids = stage.run(stage.play(world))
    report = analyse(stage, AbcOver.CUSTOMERS, by, basis, borders, limit)
    totals: dict[str | None, int] = {
        str(ids[one.customer]): one.orders if by is AbcMeasure.ORDERS else one.revenue
        for one in summed(world, basis)
        if one.orders or one.revenue
    }
    assert_is_the_analysis_of(report, totals, limit)


@_PROPERTY
@given(world=worlds(), basis=bases(), by=st.sampled_from(AbcMeasure))
def test_sales_channels_sum_the_orders_made_in_them(stage: Stage, world: World, basis: Basis, by: AbcMeasure) -> None:
    stage.run(stage.play(world))
    totals: dict[str | None, int] = {}
    for order in world.orders:
        if order.counts and order.currency == basis.currency and basis.covers(order.day):
            brought = 1 if by is AbcMeasure.ORDERS else order.total - order.refunded
            totals[channel_of(order)] = totals.get(channel_of(order), 0) + brought
    for back in world.returns:
        if back.currency == basis.currency and basis.covers(back.day):
            totals[None] = totals.get(None, 0) - (back.amount if by is AbcMeasure.REVENUE else 0)
    assert_is_the_analysis_of(analyse(stage, AbcOver.SALES_CHANNELS, by, basis, (80, 95)), totals)


_LARGE = st.lists(st.integers(1, 50_000) | st.just(777), min_size=300, max_size=900)


@settings(_PROPERTY, max_examples=8)
@given(amounts=_LARGE)
@example(amounts=[*range(1, 40_000, 17)])
@example(amounts=[7] * 400)
def test_buckets_of_many_customers_change_nothing(stage: Stage, amounts: list[int]) -> None:
    orders = tuple(
        Order(customer=i, day=TODAY, hour=9, total=amount, refunded=0, status="paid", currency="RUB")
        for i, amount in enumerate(amounts)
    )
    ids = stage.run(stage.play(World(customers=len(amounts), orders=orders, returns=())))
    report = analyse(stage, AbcOver.CUSTOMERS, AbcMeasure.REVENUE, Basis(currency="RUB", as_of=TODAY), (80, 95))
    assert_is_the_analysis_of(report, {str(ids[i]): amount for i, amount in enumerate(amounts)})


@dataclass(frozen=True, slots=True)
class Line:
    order: int
    product: int
    amount: int


_CATALOGUE = [
    sql("""INSERT INTO categories (tenant_id, category_id, name)
        SELECT :tenant, id, id::text FROM unnest(:categories::uuid[]) id"""),
    sql("""INSERT INTO products (tenant_id, product_id, sku, name, category_id)
        SELECT :tenant, id, id::text, 'Product', category
        FROM unnest(:products::uuid[], :of::uuid[]) x (id, category)"""),
]
_SELL = sql("""INSERT INTO order_lines (tenant_id, order_id, line_no, product_id, quantity, unit_price, amount)
    SELECT :tenant, o, row_number() OVER (), p, 1, a, a
    FROM unnest(:orders::uuid[], :sold::uuid[], :amounts::bigint[]) x (o, p, a)""")
_TAKE_BACK = [
    sql("""INSERT INTO refunds (tenant_id, refund_id, customer_id, order_id, amount, refunded_at, refunded_on, currency)
        SELECT :tenant, :refund, customer_id, CASE WHEN :linked::bool THEN order_id END, :amount, now(), ordered_on,
            currency FROM orders WHERE tenant_id = :tenant AND order_id = :order"""),
    sql("""INSERT INTO refund_lines (tenant_id, refund_id, line_no, product_id, quantity, unit_price, amount)
        VALUES (:tenant, :refund, 1, :product, 1, :amount, :amount)"""),
]
_ORDER_IDS = sql("SELECT order_id, status FROM orders WHERE tenant_id = :tenant ORDER BY ordered_on, status, order_id")


@_PROPERTY
@given(
    lines=st.lists(st.builds(Line, st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 5, 5, 100])), max_size=12),
    back=st.none() | st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 3), st.sampled_from([1, 5, 300])),
    over=st.sampled_from([AbcOver.PRODUCTS, AbcOver.CATEGORIES]),
    by=st.sampled_from(AbcMeasure),
)
def test_products_and_categories_are_told_apart_by_lines(
    stage: Stage, lines: list[Line], back: tuple[bool, int, int, int] | None, over: AbcOver, by: AbcMeasure
) -> None:
    """Orders 0 to 2 count, order 3 is cancelled; products 0 and 1 share a category, product 3 has none."""
    categories, products = [uuid4() for _ in range(2)], [uuid4() for _ in range(4)]
    of = [categories[0], categories[0], categories[1], None]
    statuses = ("completed", "completed", "completed", "cancelled")
    orders = tuple(
        Order(customer=0, day=TODAY, hour=9, total=1_000, refunded=0, status=status, currency="RUB")
        for status in statuses
    )

    async def fill(session: Session, ids: list[UUID]) -> None:
        await session.execute(_CATALOGUE[0], categories=categories)
        await session.execute(_CATALOGUE[1], products=products, of=of)
        known = [row["order_id"] for row in await session.fetch(_ORDER_IDS)]
        # The cancelled one sorts first.
        known = [*known[1:], known[0]]
        await session.execute(
            _SELL,
            orders=[known[line.order] for line in lines],
            sold=[products[line.product] for line in lines],
            amounts=[line.amount for line in lines],
        )
        if back:
            linked, order, product, amount = back
            refund = uuid4()
            await session.execute(_TAKE_BACK[0], refund=refund, linked=linked, amount=amount, order=known[order])
            await session.execute(_TAKE_BACK[1], refund=refund, product=products[product], amount=amount)
        await PgTotals(session).refresh(ids, TODAY)

    async def play() -> None:
        ids = await stage.play(World(customers=1, orders=orders, returns=()))
        async with stage.tenant.uow.begin(stage.principal) as tx:
            await fill(tx.session, ids)
            await tx.commit()

    stage.run(play())
    items: dict[str | None, int] = {}
    seen: set[tuple[str | None, int]] = set()
    names = [str(one) if one else None for one in (products if over is AbcOver.PRODUCTS else of)]
    for line in lines:
        if line.order < 3:
            brought = line.amount if by is AbcMeasure.REVENUE else int((names[line.product], line.order) not in seen)
            items[names[line.product]] = items.get(names[line.product], 0) + brought
            seen.add((names[line.product], line.order))
    if back:
        name = names[back[2]]
        items[name] = items.get(name, 0) - (back[3] if by is AbcMeasure.REVENUE else 0)
    report = analyse(stage, over, by, Basis(currency="RUB", as_of=TODAY), (80, 95))
    assert_is_the_analysis_of(report, items)


def test_curators_and_channels_sum_their_customers(stage: Stage) -> None:
    orders = tuple(
        Order(customer=i % 3, day=TODAY, hour=9, total=10, refunded=0, status="paid", currency="RUB") for i in range(7)
    )

    async def play() -> UUID:
        ids = await stage.play(World(customers=3, orders=orders, returns=()))
        manager = await stage.tenant.staff(reach="own")
        async with stage.tenant.uow.begin(stage.principal) as tx:
            await tx.session.execute(
                sql("UPDATE customers SET curator_id = :me WHERE tenant_id = :tenant AND customer_id = ANY (:ids)"),
                me=manager.staff_id,
                ids=ids[:2],
            )
            await tx.commit()
        return manager.staff_id

    curator = stage.run(play())
    basis = Basis(currency="RUB", as_of=TODAY)
    by_curator = analyse(stage, AbcOver.CURATORS, AbcMeasure.REVENUE, basis, (80, 95))
    assert_is_the_analysis_of(by_curator, {str(curator): 50, None: 20})
    by_channel = analyse(stage, AbcOver.CHANNELS, AbcMeasure.ORDERS, basis, (80, 95))
    assert_is_the_analysis_of(by_channel, {None: 7})
