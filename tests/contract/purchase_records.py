"""Small worlds of purchases: drawn by hypothesis, stored for real, and summed up in plain Python."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from service.db.session import Session, open_pool
from service.db.statement import sql
from service.db.totals import PgTotals
from service.domain.access import Principal
from service.domain.segmentation.basis import Basis
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant

T = TypeVar("T")

TODAY = date(2026, 3, 15)
ZONE = ZoneInfo("Europe/Moscow")
STATUSES = ("new", "paid", "completed", "cancelled", "returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    customer: int
    day: date
    hour: int
    total: int
    refunded: int
    status: str
    currency: str

    @property
    def counts(self) -> bool:
        return self.status in ("paid", "completed") and not (self.refunded > 0 and self.refunded >= self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    customer: int
    day: date
    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    customers: int
    orders: tuple[Order, ...]
    returns: tuple[Return, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the definitions say of one customer."""

    customer: int
    last_on: date | None
    orders: int
    revenue: int


_DAYS = st.one_of(st.integers(-3, 3), st.integers(-40, 5), st.sampled_from([-365, -364, -200, -30, -29]))
_AMOUNTS = st.sampled_from([0, 1, 5_000_000, 5_000_001, 10_000_000, 12_340_000])


def worlds(most_customers: int = 14) -> st.SearchStrategy[World]:
    customer = st.integers(0, most_customers - 1)
    day = _DAYS.map(lambda offset: TODAY + timedelta(days=offset))
    currency = st.sampled_from(["RUB", "RUB", "RUB", "EUR", "USD"])
    order = st.builds(
        Order,
        customer=customer,
        day=day,
        hour=st.sampled_from([0, 1, 12, 23]),
        total=_AMOUNTS,
        refunded=st.sampled_from([0, 0, 0, 1, 5_000_000]),
        status=st.sampled_from((*STATUSES, "completed", "paid", "completed", "completed")),
        currency=currency,
    )
    back = st.builds(
        Return, customer=customer, day=day, amount=st.sampled_from([1, 5_000_000, 40_000_000]), currency=currency
    )
    return st.builds(
        World,
        customers=st.just(most_customers + 1),
        # Lists are short unless asked to be long.
        orders=st.one_of(st.lists(order, max_size=8), st.lists(order, min_size=20, max_size=60)).map(tuple),
        returns=st.lists(back, max_size=4).map(tuple),
    )


def bases() -> st.SearchStrategy[Basis]:
    return st.builds(
        Basis,
        currency=st.sampled_from(["RUB", "RUB", "RUB", "EUR"]),
        as_of=st.sampled_from([0, 0, 0, 2, -1, -29, -200, -500]).map(lambda offset: TODAY + timedelta(days=offset)),
        window_days=st.sampled_from([None, None, None, 1, 30, 365]),
    )


def summed(world: World, basis: Basis) -> list[Facts]:
    """Every customer with a counted order or an unlinked return on the basis."""
    found = []
    for customer in range(world.customers):
        orders = [
            o
            for o in world.orders
            if o.customer == customer and o.counts and o.currency == basis.currency and basis.covers(o.day)
        ]
        back = [
            r for r in world.returns if r.customer == customer and r.currency == basis.currency and basis.covers(r.day)
        ]
        if orders or back:
            revenue = sum(o.total - o.refunded for o in orders) - sum(r.amount for r in back)
            last_on = max((o.day for o in orders), default=None)
            found.append(Facts(customer=customer, last_on=last_on, orders=len(orders), revenue=revenue))
    return found


_FORGET = [sql(f"DELETE FROM {table} WHERE tenant_id = :tenant") for table in ("orders", "refunds", "customers")]
_CUSTOMERS = sql("""INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, status)
    SELECT :tenant, id, 'person', 'Customer', 'customer', 'prospect' FROM unnest(:ids::uuid[]) id""")
_ORDERS = sql("""INSERT INTO orders (tenant_id, order_id, customer_id, total, refunded, ordered_at, ordered_on,
        currency, status, sales_channel)
    SELECT :tenant, * FROM unnest(:ids::uuid[], :customers::uuid[], :totals::bigint[], :refunded::bigint[],
        :moments::timestamptz[], :days::date[], :currencies::text[], :statuses::text[], :channels::text[])""")
_RETURNS = sql("""INSERT INTO refunds (tenant_id, refund_id, customer_id, amount, refunded_at, refunded_on, currency)
    SELECT :tenant, gen_random_uuid(), c, a, d::timestamptz, d, k
    FROM unnest(:customers::uuid[], :amounts::bigint[], :days::date[], :currencies::text[]) x (c, a, d, k)""")


def channel_of(order: Order) -> str | None:
    return (None, "shop", "web")[order.customer % 3]


async def store(session: Session, world: World) -> list[UUID]:
    """Replace what the tenant has by this world, totals included; returns the ids in order of the customers."""
    for forget in _FORGET:
        await session.execute(forget)
    ids = sorted(uuid4() for _ in range(world.customers))
    await session.execute(_CUSTOMERS, ids=ids)
    await session.execute(
        _ORDERS,
        ids=[uuid4() for _ in world.orders],
        customers=[ids[o.customer] for o in world.orders],
        totals=[o.total for o in world.orders],
        refunded=[o.refunded for o in world.orders],
        moments=[_moment(o.day, o.hour) for o in world.orders],
        days=[o.day for o in world.orders],
        currencies=[o.currency for o in world.orders],
        statuses=[o.status for o in world.orders],
        channels=[channel_of(o) for o in world.orders],
    )
    await session.execute(
        _RETURNS,
        customers=[ids[r.customer] for r in world.returns],
        amounts=[r.amount for r in world.returns],
        days=[r.day for r in world.returns],
        currencies=[r.currency for r in world.returns],
    )
    await PgTotals(session).refresh(ids, TODAY)
    return ids


def _moment(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ZONE)


@dataclass(frozen=True, slots=True)
class Stage:
    """A tenant that every example of a property fills anew."""

    tenant: Tenant
    principal: Principal
    runner: asyncio.Runner

    def run(self, action: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(action)

    async def play(self, world: World) -> list[UUID]:
        async with self.tenant.uow.begin(self.principal) as tx:
            ids = await store(tx.session, world)
            await tx.commit()
        return ids


@contextmanager
def a_stage(database: TestDatabase) -> Iterator[Stage]:
    with asyncio.Runner() as runner:
        pool = runner.run(open_pool(database.service_url, size=2))
        tenant = runner.run(a_tenant(pool, database.owner_url, database.service_url))
        try:
            yield Stage(tenant, runner.run(tenant.staff()), runner)
        finally:
            runner.run(pool.close())


class FixedClock:
    def now(self) -> datetime:
        return datetime.combine(TODAY, time(9), ZONE)

    def today(self, time_zone: str) -> date:
        return TODAY
