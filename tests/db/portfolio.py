"""A portfolio of any size, made by SQL in a few passes, and what handing it over costs and shows meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from service.db.session import preamble
from service.domain.access import Principal
from tests.api.support import Api, Client

_CUSTOMERS = """
    INSERT INTO customers (tenant_id, customer_id, curator_id, team_id, kind, status, display_name, sort_name,
        family_name, city, tags, provenance)
    SELECT $1, gen_random_uuid(), $2, $3, 'person', 'customer', 'Фамилия' || i || ' Мария', 'фамилия' || i || ' мария',
        'Фамилия' || i, 'Казань', ARRAY['vip', 'опт'], '[{"s": "api", "t": "2026-03-01T10:00:00Z"}]'
    FROM generate_series(1, $4) i
"""
_ORDERS = """
    INSERT INTO orders (tenant_id, order_id, customer_id, total, ordered_at, ordered_on, currency, status)
    SELECT c.tenant_id, gen_random_uuid(), c.customer_id, (1 + i) * 1000000, now() - make_interval(days => 20 * i),
        current_date - 20 * i, 'RUB', 'completed'
    FROM customers c, generate_series(1, $2) i WHERE c.tenant_id = $1
"""
_TOTALS = """
    INSERT INTO purchase_totals (tenant_id, customer_id, currency, orders, revenue, refunded, refunds, first_on,
        last_on, latest_on)
    SELECT tenant_id, customer_id, currency, count(*), sum(total), 0, 0, min(ordered_on), max(ordered_on),
        max(ordered_on)
    FROM orders WHERE tenant_id = $1 GROUP BY tenant_id, customer_id, currency
"""
_TABLES = ("customers", "orders", "purchase_totals", "ownerships", "changes")
_BARE = "UPDATE customers SET curator_id = $1 WHERE tenant_id = $2 AND curator_id = $3"
_COUNT = "SELECT count(*) FROM customers WHERE tenant_id = $1 AND curator_id = $2"


@dataclass(slots=True, kw_only=True)
class Portfolio:
    """So many records that two members of one team hand to and fro, and the connection of the superuser."""

    api: Api
    head: Client
    anna: Principal
    boris: Principal
    records: int
    superuser: asyncpg.Connection
    seen: set[tuple[int, int]] = field(default_factory=set)

    async def vacuum(self) -> None:
        """Let no measurement pay for what the one before has left behind."""
        for table in _TABLES:
            await self.superuser.execute(f"VACUUM ANALYZE {table}")
        await self.superuser.execute("CHECKPOINT")

    async def bare_update(self, giver: Principal, receiver: Principal) -> float:
        """Seconds that the update of these rows takes by itself, in a transaction of the service's own role."""
        async with self.api.container.pool.acquire() as connection:
            started = time.perf_counter()
            await connection.execute(preamble(self.head.principal, timeout_ms=600_000))
            done = await connection.execute(_BARE, receiver.staff_id, self.api.tenant.tenant_id, giver.staff_id)
            await connection.execute("COMMIT")
            assert done == f"UPDATE {self.records}"
            return time.perf_counter() - started

    async def hand_over(self, giver: Principal, receiver: Principal, **options: object) -> tuple[str, float]:
        """The id of a hand-over of everything, and the seconds that it took over HTTP."""
        body = {"select": {"curator_id": str(giver.staff_id)}, "to": {"curator_id": str(receiver.staff_id)}, **options}
        started = time.perf_counter()
        answer = await self.head.post("/v1/assignments", json={**body, "dry_run": False})
        seconds = time.perf_counter() - started
        assert answer.status_code == 201, answer.text
        assert answer.json()["records"] == self.records
        return str(answer.json()["assignment_id"]), seconds

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Meanwhile a reader counts the records of both, again and again, in statements and transactions of its own."""
        over = asyncio.Event()

        async def look() -> None:
            while not over.is_set():
                self.seen.add(await self.counts())
                await asyncio.sleep(0.002)

        reader = asyncio.create_task(look())
        try:
            yield
        finally:
            over.set()
            await reader

    async def counts(self) -> tuple[int, int]:
        """How many records Anna and Boris have, as one statement sees it."""
        async with self.api.container.pool.acquire() as connection:
            await connection.execute(preamble(self.head.principal))
            row = await connection.fetchrow(
                f"SELECT ({_COUNT}), ({_COUNT.replace('$2', '$3')})",
                self.api.tenant.tenant_id,
                self.anna.staff_id,
                self.boris.staff_id,
            )
            await connection.execute("ROLLBACK")
        assert row is not None
        return int(row[0]), int(row[1])


@asynccontextmanager
async def a_portfolio(api: Api, *, records: int, orders_each: int) -> AsyncIterator[Portfolio]:
    assert api.database.superuser_url is not None, "rows are made as superuser"
    head = await api.client()
    anna, boris = [await api.tenant.staff(reach="own", teams=("Волга",)) for _ in range(2)]
    connection = await asyncpg.connect(api.database.superuser_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        tenant = api.tenant.tenant_id
        await connection.execute(_CUSTOMERS, tenant, anna.staff_id, anna.teams[0], records)
        await connection.execute(_ORDERS, tenant, orders_each)
        await connection.execute(_TOTALS, tenant)
        portfolio = Portfolio(api=api, head=head, anna=anna, boris=boris, records=records, superuser=connection)
        await portfolio.vacuum()
        yield portfolio
    finally:
        await connection.close()
