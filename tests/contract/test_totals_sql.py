"""Kept totals are what the records come to, whatever happened to them and in whatever order."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.statement import sql
from service.db.totals import PgTotals
from service.domain.segmentation.basis import Basis
from tests.contract.purchase_records import TODAY, Order, Return, Stage, World, a_stage, summed, worlds
from tests.postgres import TestDatabase

_PROPERTY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_TOTALS = sql("SELECT * FROM purchase_totals WHERE tenant_id = :tenant ORDER BY customer_id, currency")


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:
        yield stage


def pure_totals(world: World, ids: list[UUID], today: date) -> list[dict[str, Any]]:
    rows = []
    for currency in ("EUR", "RUB", "USD"):
        by_customer = {one.customer: one for one in summed(world, Basis(currency=currency, as_of=today))}
        for customer in range(world.customers):
            days = _days(world, customer, currency)
            if not days:
                continue
            found = by_customer.get(customer)
            back = [r for r in world.returns if (r.customer, r.currency) == (customer, currency) and r.day <= today]
            rows.append(
                {
                    "customer_id": ids[customer],
                    "currency": currency,
                    "orders": found.orders if found else 0,
                    "revenue": found.revenue if found else 0,
                    "refunds": len(back),
                    "refunded": sum(r.amount for r in back),
                    "first_on": min(_counted(world, customer, currency, today), default=None),
                    "last_on": found.last_on if found else None,
                    "latest_on": max((day for day in days if day <= today), default=date.min),
                    "pending_from": min((day for day in days if day > today), default=None),
                }
            )
    return sorted(rows, key=lambda row: (row["customer_id"], row["currency"]))


def _days(world: World, customer: int, currency: str) -> list[date]:
    records: list[Order | Return] = [*world.orders, *world.returns]
    return [one.day for one in records if (one.customer, one.currency) == (customer, currency)]


def _counted(world: World, customer: int, currency: str, today: date) -> list[date]:
    return [
        o.day for o in world.orders if o.counts and (o.customer, o.currency) == (customer, currency) and o.day <= today
    ]


async def kept(stage: Stage) -> list[dict[str, Any]]:
    async with stage.tenant.uow.begin(stage.principal) as tx:
        rows = await tx.session.fetch(_TOTALS)
    return [{name: value for name, value in row.items() if name != "tenant_id"} for row in rows]


@_PROPERTY
@given(world=worlds())
def test_totals_are_what_the_records_come_to(stage: Stage, world: World) -> None:
    async def play() -> tuple[list[UUID], list[dict[str, Any]]]:
        return await stage.play(world), await kept(stage)

    ids, rows = stage.run(play())
    assert rows == pure_totals(world, ids, TODAY)


@_PROPERTY
@given(world=worlds(), cancelled=st.sets(st.integers(0, 59)), gone=st.booleans(), later=st.integers(-30, 10))
def test_totals_follow_when_records_change(
    stage: Stage, world: World, cancelled: set[int], gone: bool, later: int
) -> None:
    today = TODAY + timedelta(days=later)
    orders = tuple(replace(o, status="cancelled") if i in cancelled else o for i, o in enumerate(world.orders))
    after = replace(world, orders=orders, returns=() if gone else world.returns)

    async def play() -> tuple[list[UUID], list[dict[str, Any]]]:
        ids = await stage.play(world)
        async with stage.tenant.uow.begin(stage.principal) as tx:
            await tx.session.execute(
                sql("""UPDATE orders SET status = 'cancelled' WHERE tenant_id = :tenant AND (customer_id, ordered_on,
                    total, refunded, currency, status) IN (SELECT * FROM unnest(:customers::uuid[], :days::date[],
                    :totals::bigint[], :refunded::bigint[], :currencies::text[], :statuses::text[]))"""),
                **_columns(world, ids, cancelled),
            )
            if gone:
                await tx.session.execute(sql("DELETE FROM refunds WHERE tenant_id = :tenant"))
            await PgTotals(tx.session).refresh(ids, today)
            await tx.commit()
        return ids, await kept(stage)

    same = {_key(o) for i, o in enumerate(world.orders) if i in cancelled}
    orders = tuple(replace(o, status="cancelled") if _key(o) in same else o for o in world.orders)
    after = replace(after, orders=orders)
    ids, rows = stage.run(play())
    assert rows == pure_totals(after, ids, today)


def _key(order: Order) -> Order:
    return replace(order, hour=0)


def _columns(world: World, ids: list[UUID], chosen: set[int]) -> dict[str, object]:
    orders = [o for i, o in enumerate(world.orders) if i in chosen]
    return {
        "customers": [ids[o.customer] for o in orders],
        "days": [o.day for o in orders],
        "totals": [o.total for o in orders],
        "refunded": [o.refunded for o in orders],
        "currencies": [o.currency for o in orders],
        "statuses": [o.status for o in orders],
    }


_PAID = Order(customer=0, day=TODAY, hour=12, total=7_000_000, refunded=0, status="paid", currency="RUB")


def test_buyers_are_no_prospects_any_more(stage: Stage) -> None:
    async def play() -> list[tuple[str, int]]:
        await stage.play(World(customers=2, orders=(_PAID,), returns=()))
        async with stage.tenant.uow.begin(stage.principal) as tx:
            rows = await tx.session.fetch(
                sql("SELECT status, version FROM customers WHERE tenant_id = :tenant ORDER BY customer_id")
            )
        return [(row["status"], row["version"]) for row in rows]

    assert stage.run(play()) == [("customer", 2), ("prospect", 1)]


def test_nobody_touched_means_nothing_done(stage: Stage) -> None:
    async def play() -> list[dict[str, Any]]:
        await stage.play(World(customers=1, orders=(_PAID,), returns=()))
        before = await kept(stage)
        async with stage.tenant.uow.begin(stage.principal) as tx:
            await PgTotals(tx.session).refresh([], TODAY + timedelta(days=1))
            await tx.commit()
        return before if before == await kept(stage) else []

    assert [row["orders"] for row in stage.run(play())] == [1]


def test_a_large_batch_is_recomputed_at_once(stage: Stage) -> None:
    orders = tuple(replace(_PAID, customer=customer) for customer in range(150))

    async def play() -> list[int]:
        await stage.play(World(customers=150, orders=orders, returns=()))
        return [row["orders"] for row in await kept(stage)]

    assert stage.run(play()) == [1] * 150


def test_a_manager_recomputes_within_his_reach(stage: Stage) -> None:
    async def play() -> list[int]:
        manager = await stage.tenant.staff(reach="own")
        ids = await stage.play(World(customers=2, orders=(_PAID, replace(_PAID, customer=1)), returns=()))
        async with stage.tenant.uow.begin(stage.principal) as tx:
            await tx.session.execute(
                sql("UPDATE customers SET curator_id = :me WHERE tenant_id = :tenant AND customer_id = :mine"),
                me=manager.staff_id,
                mine=ids[0],
            )
            await tx.commit()
        async with stage.tenant.uow.begin(manager) as tx:
            await tx.session.execute(sql("UPDATE orders SET total = 9 WHERE tenant_id = :tenant"))
            await PgTotals(tx.session).refresh([ids[0]], TODAY)
            await tx.commit()
        return [row["revenue"] for row in await kept(stage)]

    assert stage.run(play()) == [9, 7_000_000]


def test_totals_of_two_writers_miss_no_order(stage: Stage) -> None:
    """The second writer waits for the first, then counts the first one's order too."""
    add = sql("""INSERT INTO orders (tenant_id, order_id, customer_id, total, ordered_at, ordered_on, currency, status)
        VALUES (:tenant, gen_random_uuid(), :customer, 1, now(), :day, 'RUB', 'paid')""")

    async def play() -> list[dict[str, Any]]:
        [customer] = await stage.play(World(customers=1, orders=(), returns=()))
        first_is_in = asyncio.Event()

        async def first() -> None:
            async with stage.tenant.uow.begin(stage.principal) as tx:
                await tx.session.execute(add, customer=customer, day=TODAY)
                await PgTotals(tx.session).refresh([customer], TODAY)
                first_is_in.set()
                await asyncio.sleep(0.1)
                await tx.commit()

        async def second() -> None:
            async with stage.tenant.uow.begin(stage.principal) as tx:
                await tx.session.execute(add, customer=customer, day=TODAY)
                await first_is_in.wait()
                await PgTotals(tx.session).refresh([customer], TODAY)
                await tx.commit()

        await asyncio.gather(first(), second())
        return await kept(stage)

    [row] = stage.run(play())
    assert (row["orders"], row["revenue"]) == (2, 2)
