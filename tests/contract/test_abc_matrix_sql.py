"""One meaning of XYZ and of the matrices, two interpreters: over each dimension, in SQL as in plain Python."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.statement import sql
from service.db.totals import PgTotals
from service.domain.segmentation.abc_analysis import AbcMeasure, AbcOver, classify
from service.domain.segmentation.abc_service import AbcAsked, AbcService
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.matrices import NO_ORDERS, AbcMatrix, MatrixOverCustomersOnly, MatrixWith
from service.domain.segmentation.rfm import RfmScheme
from service.domain.segmentation.service import SegmentationService
from service.domain.segmentation.xyz_analysis import LETTERS, Period, XyzScheme, number_of, whole_periods, xyz
from tests.contract.purchase_records import TODAY, FixedClock, Order, Stage, World, a_stage, bases, channel_of, worlds
from tests.postgres import TestDatabase

_PROPERTY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_BORDERS = st.sampled_from([(80, 95), (50, 80), (20, 40, 60, 80)])
_SCHEMES = st.builds(
    XyzScheme, period=st.sampled_from(Period), borders=st.sampled_from([(10, 25), (50, 120), (100, 300)])
)
_EPOCH = date(2000, 1, 3)
Move = tuple[str | None, date, bool, int]


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:
        yield stage


@dataclass(frozen=True, slots=True)
class Played:
    """A stored world whose customers have curators and channels, and whose orders and returns have lines."""

    world: World
    customers: list[UUID]
    products: list[UUID]
    categories: list[UUID | None]
    channels: list[UUID | None]
    curators: list[UUID | None]


_AROUND = [
    sql("""INSERT INTO categories (tenant_id, category_id, name)
        SELECT :tenant, id, id::text FROM unnest(:categories::uuid[]) id WHERE id IS NOT NULL
        ON CONFLICT DO NOTHING"""),
    sql("""INSERT INTO products (tenant_id, product_id, sku, name, category_id)
        SELECT :tenant, id, id::text, 'Product', category FROM unnest(:products::uuid[], :categories::uuid[])
            x (id, category)"""),
    sql("""INSERT INTO channels (tenant_id, channel_id, code, name, kind)
        SELECT :tenant, id, id::text, 'Channel', 'calls' FROM unnest(:channels::uuid[]) id WHERE id IS NOT NULL
        ON CONFLICT DO NOTHING"""),
    sql("""UPDATE customers c SET channel_id = x.channel, curator_id = x.curator
        FROM unnest(:customers::uuid[], :channels::uuid[], :curators::uuid[]) x (id, channel, curator)
        WHERE c.tenant_id = :tenant AND c.customer_id = x.id"""),
]
_LINE = "INSERT INTO {0}_lines (tenant_id, {0}_id, line_no, product_id, quantity, unit_price, amount)"
_LINES = [
    sql(f"""{_LINE.format("order")}
        SELECT o.tenant_id, o.order_id, n, (:products::uuid[])[1 + CASE n WHEN 1 THEN (o.ordered_on - :epoch::date) % 4
                ELSE o.total % 3 END], 1, a, a
        FROM orders o, LATERAL (VALUES (1, o.total / 3), (2, o.total - o.total / 3)) x (n, a)
        WHERE o.tenant_id = :tenant"""),
    # Paid back much later: what counts is the day of the order.
    sql("""INSERT INTO refunds (tenant_id, refund_id, customer_id, order_id, amount, refunded_at, refunded_on, currency)
        SELECT o.tenant_id, gen_random_uuid(), customer_id, order_id, refunded, o.ordered_at + interval '70 days',
            o.ordered_on + 70, currency
        FROM orders o WHERE o.tenant_id = :tenant AND o.refunded > 0"""),
    sql(f"""{_LINE.format("refund")}
        SELECT f.tenant_id, f.refund_id, 1,
            (:products::uuid[])[1 + (coalesce(o.ordered_on, f.refunded_on) - :epoch::date) % 4], 1, f.amount, f.amount
        FROM refunds f LEFT JOIN orders o USING (tenant_id, order_id) WHERE f.tenant_id = :tenant"""),
]


async def play(stage: Stage, world: World, curator: UUID) -> Played:
    customers = await stage.play(world)
    some = [uuid4() for _ in range(6)]
    categories = [some[0], some[0], some[1], None]
    channels = [(some[2], some[3], None)[i % 3] for i in range(len(customers))]
    curators = [(curator, None)[i % 2] for i in range(len(customers))]
    products = [uuid4() for _ in range(4)]
    async with stage.tenant.uow.begin(stage.principal) as tx:
        values = {
            "customers": customers, "products": products, "categories": categories, "channels": channels,
            "curators": curators, "epoch": _EPOCH,
        }  # fmt: skip
        for statement in _AROUND:
            await tx.session.execute(statement, **values)
        for statement in _LINES:
            await tx.session.execute(statement, **values)
        await PgTotals(tx.session).refresh(customers, TODAY)
        await tx.commit()
    return Played(world, customers, products, categories, channels, curators)


def moves(played: Played, over: AbcOver, by: AbcMeasure, basis: Basis) -> list[Move]:
    found: list[Move] = []
    of_money = by is AbcMeasure.REVENUE
    for order in played.world.orders:
        if not (order.counts and order.currency == basis.currency and basis.covers(order.day)):
            continue
        if over in (AbcOver.PRODUCTS, AbcOver.CATEGORIES):
            first, second = (item_of(played, over, n) for n in ((order.day - _EPOCH).days % 4, order.total % 3))
            if of_money:
                third = order.total // 3
                found += [(first, order.day, True, third), (second, order.day, True, order.total - third)]
            else:
                found += [(item, order.day, True, 1) for item in dict.fromkeys((first, second))]
            if order.refunded:
                found.append((first, order.day, False, -order.refunded if of_money else 0))
        else:
            item = channel_of(order) if over is AbcOver.SALES_CHANNELS else whose(played, over, order.customer)
            found.append((item, order.day, True, order.total - order.refunded if of_money else 1))
    for back in played.world.returns:
        if back.currency == basis.currency and basis.covers(back.day):
            if over in (AbcOver.PRODUCTS, AbcOver.CATEGORIES):
                item = item_of(played, over, (back.day - _EPOCH).days % 4)
            else:
                item = None if over is AbcOver.SALES_CHANNELS else whose(played, over, back.customer)
            found.append((item, back.day, False, -back.amount if of_money else 0))
    return found


def item_of(played: Played, over: AbcOver, product: int) -> str | None:
    found = played.products[product] if over is AbcOver.PRODUCTS else played.categories[product]
    return None if found is None else str(found)


def whose(played: Played, over: AbcOver, customer: int) -> str | None:
    of: dict[AbcOver, Sequence[UUID | None]] = {
        AbcOver.CUSTOMERS: played.customers, AbcOver.CHANNELS: played.channels, AbcOver.CURATORS: played.curators
    }  # fmt: skip
    found = of[over][customer]
    return None if found is None else str(found)


def letters(found: list[Move], basis: Basis, scheme: XyzScheme) -> dict[str | None, str]:
    periods = whole_periods(basis, scheme.period)
    told = {}
    for item in {move[0] for move in found}:
        sales: Counter[int] = Counter()
        for _, day, _, amount in (move for move in found if move[0] == item):
            sales[number_of(day, scheme.period)] += amount
        sold = [number_of(day, scheme.period) for one, day, sold, _ in found if one == item and sold]
        told[item] = xyz(sales, min(sold, default=None), periods, scheme.borders)
    return told


def totals(found: list[Move]) -> dict[str | None, int]:
    sums: dict[str | None, int] = {}
    for item, _, _, amount in found:
        sums[item] = sums.get(item, 0) + amount
    return sums


def asked(over: AbcOver, by: AbcMeasure, basis: Basis, borders: tuple[int, ...]) -> AbcAsked:
    return AbcAsked(
        over=over, by=by, borders=borders, currency=basis.currency, as_of=basis.as_of, window_days=basis.window_days
    )


@pytest.fixture(scope="module")
def curator(stage: Stage) -> UUID:
    return stage.run(stage.tenant.staff(reach="own")).staff_id


@_PROPERTY
@given(
    world=worlds(),
    basis=bases(),
    over=st.sampled_from(AbcOver),
    by=st.sampled_from(AbcMeasure),
    borders=_BORDERS,
    scheme=_SCHEMES,
)
def test_items_and_their_matrix_are_those_of_python(
    stage: Stage,
    curator: UUID,
    world: World,
    basis: Basis,
    over: AbcOver,
    by: AbcMeasure,
    borders: tuple[int, ...],
    scheme: XyzScheme,
) -> None:
    played = stage.run(play(stage, world, curator))
    found = moves(played, over, by, basis)
    sums, classes, told = totals(found), classify(totals(found), borders), letters(found, basis, scheme)
    service, question = AbcService(stage.tenant.uow, FixedClock()), asked(over, by, basis, borders)

    listed = stage.run(service.items(stage.principal, question, xyz=scheme, limit=1000))
    assert [(one.item, one.total, one.class_name, one.letter) for one in listed] == [
        (item, total, classes[item], told[item])
        for item, total in sorted(sums.items(), key=lambda pair: (-pair[1], pair[0] is not None, pair[0] or ""))
    ]
    matrix = stage.run(service.matrix(stage.principal, question, MatrixWith.XYZ, scheme))
    assert_sums(matrix, {(classes[item], told[item], item): total for item, total in sums.items()}, LETTERS)


@_PROPERTY
@given(world=worlds(), basis=bases(), by=st.sampled_from(AbcMeasure), borders=_BORDERS)
def test_customers_are_crossed_with_their_groups(
    stage: Stage, world: World, basis: Basis, by: AbcMeasure, borders: tuple[int, ...]
) -> None:
    customers = stage.run(stage.play(world))
    played = Played(world, customers, [], [], [], [])
    sums = totals(moves(played, AbcOver.CUSTOMERS, by, basis))
    classes = classify(sums, borders)
    scheme = RfmScheme(currency=basis.currency, as_of=basis.as_of, window_days=basis.window_days)
    clock = FixedClock()
    scored = stage.run(SegmentationService(stage.tenant.uow, clock).rfm_customers(stage.principal, scheme, limit=1000))
    groups = {str(one.customer_id): one.group for one in scored}
    matrix = stage.run(
        AbcService(stage.tenant.uow, clock).matrix(
            stage.principal, asked(AbcOver.CUSTOMERS, by, basis, borders), MatrixWith.RFM
        )
    )
    expected = {(classes[item], groups.get(str(item), NO_ORDERS), item): total for item, total in sums.items()}
    assert_sums(matrix, expected, (*scheme.groups.names, NO_ORDERS))


def assert_sums(matrix: AbcMatrix, expected: dict[tuple[str, str, str | None], int], columns: tuple[str, ...]) -> None:
    assert matrix.columns == columns
    assert [(cell.row, cell.column) for cell in matrix.cells] == [(r, c) for r in matrix.rows for c in columns]
    for cell in matrix.cells:
        inside = [total for (row, column, _), total in expected.items() if (row, column) == (cell.row, cell.column)]
        assert (cell.items, cell.total) == (len(inside), sum(total for total in inside if total > 0))


@_PROPERTY
@given(world=worlds(), limit=st.integers(1, 5))
def test_pages_follow_one_another(stage: Stage, world: World, limit: int) -> None:
    stage.run(stage.play(world))
    service, question = AbcService(stage.tenant.uow, FixedClock()), AbcAsked(as_of=TODAY)
    whole = stage.run(service.items(stage.principal, question, limit=1000))
    pages: list[tuple[str | None, int]] = []
    after = None
    while page := stage.run(service.items(stage.principal, question, limit=limit, after=after)):
        pages += [(one.item, one.total) for one in page]
        after = page[-1].total, page[-1].item
    assert pages == [(one.item, one.total) for one in whole]
    chosen = stage.run(service.items(stage.principal, question, class_name="A", letter="too_short", limit=1000))
    assert chosen == [one for one in whole if (one.class_name, one.letter) == ("A", "too_short")]


def test_groups_are_of_customers_only(stage: Stage) -> None:
    service = AbcService(stage.tenant.uow, FixedClock())
    with pytest.raises(MatrixOverCustomersOnly):
        stage.run(service.matrix(stage.principal, AbcAsked(over=AbcOver.PRODUCTS), MatrixWith.RFM))


def test_a_curator_crosses_his_own_customers_only(stage: Stage) -> None:
    """Positive and negative control: the same question of the head and of a manager."""

    async def ask() -> tuple[AbcMatrix, AbcMatrix]:
        manager = await stage.tenant.staff(reach="own")
        days = [TODAY - timedelta(days=back) for back in (10, 35, 65, 95)]
        orders = tuple(
            Order(customer=i, day=day, hour=9, total=total, refunded=0, status="paid", currency="RUB")
            for i, total in enumerate((10, 1))
            for day in days
        )
        customers = await stage.play(World(customers=2, orders=orders, returns=()))
        async with stage.tenant.uow.begin(stage.principal) as tx:
            await tx.session.execute(
                sql("UPDATE customers SET curator_id = :me WHERE tenant_id = :tenant AND customer_id = :customer"),
                me=manager.staff_id,
                customer=customers[1],
            )
            await tx.commit()
        service = AbcService(stage.tenant.uow, FixedClock())
        own = await service.matrix(manager, AbcAsked(as_of=TODAY), MatrixWith.XYZ)
        return await service.matrix(stage.principal, AbcAsked(as_of=TODAY), MatrixWith.XYZ), own

    everybody, own = stage.run(ask())
    assert (everybody.items, everybody.total) == (2, 44)
    assert (own.items, own.total) == (1, 4)
    assert [(cell.row, cell.column) for cell in own.cells if cell.items] == [("A", "X")]
