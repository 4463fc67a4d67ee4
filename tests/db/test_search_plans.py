"""A search reads indexes only: whatever is asked, by a manager or over the whole tenant, no table is scanned."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg
import orjson
import pytest

from service.db.customer_search import PgCustomerSearch
from service.db.portfolio_sizes import FEW, PortfolioSizes
from service.db.session import Row, Session, open_pool
from service.db.statement import Statement
from service.db.unit_of_work import PgTransaction
from service.domain.access import Principal
from service.domain.customers.search import Place, sought
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant

_CUSTOMERS = 30_000
_CURATORS = 30
# Two names in five are one of five, the others are one of thousands; all have a word that begins with "ива".
_FILL = f"""
    CREATE TEMP TABLE sought_people AS
    SELECT i, gen_random_uuid() AS customer_id, ($2::uuid[])[1 + i % {_CURATORS}] AS curator_id,
        CASE WHEN i % 5 < 2 THEN (ARRAY['мария', 'анна', 'пётр', 'олег', 'юлия'])[1 + i / 7 % 5]
             ELSE 'ф' || substr(md5(i::text), 1, 4) END AS name,
        'ива' || substr(md5('x' || i % 900), 1, 3) AS family
    FROM generate_series(1, {_CUSTOMERS}) i WHERE $1::int > 0;
"""
_ROWS = (
    """INSERT INTO customers (tenant_id, customer_id, curator_id, kind, display_name, sort_name, family_name, city)
    SELECT $1, customer_id, curator_id, 'person', family || ' ' || name, family || ' ' || name, family,
        'Город ' || i % 50 FROM sought_people""",
    """INSERT INTO search_tokens (tenant_id, token, customer_id) SELECT $1, token, customer_id
    FROM sought_people CROSS JOIN LATERAL unnest(ARRAY[name, family, 'l' || name]) token""",
    """INSERT INTO customer_external_ids (tenant_id, source, external_id, customer_id)
    SELECT $1, 'shop', 'C-' || i, customer_id FROM sought_people""",
    """INSERT INTO contact_details (tenant_id, customer_id, detail_id, kind, value, normal, masked, lookup, verdict,
        source) SELECT $1, customer_id, gen_random_uuid(), 'phone', i::text, i::text, '•', sha256(i::text::bytea),
        'valid', 'test' FROM sought_people""",
    """INSERT INTO orders (tenant_id, order_id, customer_id, total, ordered_at, ordered_on, currency, status, source,
        external_id) SELECT $1, gen_random_uuid(), customer_id, 1, now(), current_date, 'RUB', 'paid', 'till', 'O-' || i
        FROM sought_people""",
)
_TABLES = "customers, search_tokens, customer_external_ids, contact_details, orders"


class _Watched(Session):
    """A session that keeps the plan of everything that it fetches."""

    def __init__(self, connection: Any, principal: Principal) -> None:
        super().__init__(connection, principal)
        self.plans: list[Mapping[str, Any]] = []

    async def fetch(self, statement: Statement, **values: object) -> list[Row]:
        await self._watch(statement, values)
        return await super().fetch(statement, **values)

    async def fetchval(self, statement: Statement, **values: object) -> Any:
        await self._watch(statement, values)
        return await super().fetchval(statement, **values)

    async def _watch(self, statement: Statement, values: Mapping[str, object]) -> None:
        explained = Statement(f"EXPLAIN (FORMAT JSON) {statement.text}", statement.names)
        self.plans.append(orjson.loads((await super().fetch(explained, **values))[0][0])[0]["Plan"])  # type: ignore[index]


def _scans(plan: Mapping[str, Any]) -> list[str]:
    own = [f"{plan['Node Type']} on {plan['Relation Name']}"] if "Relation Name" in plan else []
    return own + [scan for inner in plan.get("Plans", ()) for scan in _scans(inner)]


async def _filled(database: TestDatabase, tenant: Tenant) -> tuple[Principal, Principal]:
    head = await tenant.staff()
    managers = [await tenant.staff(reach="own") for _ in range(_CURATORS)]
    connection = await asyncpg.connect(database.superuser_url)
    try:
        filling = _FILL.replace("$1", str(tenant.tenant_id))
        ids = ", ".join(f"'{manager.staff_id}'" for manager in managers)
        await connection.execute(filling.replace("($2::uuid[])", f"(ARRAY[{ids}]::uuid[])"))
        await connection.execute("SET session_replication_role = replica")
        for statement in _ROWS:
            await connection.execute(statement, tenant.tenant_id)
        await connection.execute(f"VACUUM (ANALYZE) {_TABLES}")
    finally:
        await connection.close()
    return head, managers[1]


async def _emptied(database: TestDatabase, tenant: Tenant) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        for table in _TABLES.split(", "):
            await connection.execute(f"DELETE FROM {table} WHERE tenant_id = $1", tenant.tenant_id)
        await connection.execute(f"VACUUM (ANALYZE) {_TABLES}")
    finally:
        await connection.close()


def _by_words(q: str, **filters: object) -> Callable[[PgCustomerSearch], Awaitable[object]]:
    async def ask(search: PgCustomerSearch) -> object:
        found = await search.found(filters, sought(q), after=None, limit=21)
        return await search.cards([place.customer_id for place in found.places], None)

    return ask


async def _by_phone(search: PgCustomerSearch) -> object:
    return await search.with_contact(b"x" * 32, {}, ())


_ASKED: Sequence[tuple[str, Callable[[PgCustomerSearch], Awaitable[object]]]] = (
    ("common", _by_words("мария")),
    ("rare", _by_words("фabcd")),
    ("beginning of all", _by_words("ива")),
    ("rare beginning", _by_words("фab")),
    ("two words", _by_words("мария ива")),
    ("rare and common", _by_words("фabcd ива")),
    ("key", _by_words("C-17")),
    ("order", _by_words("O-17")),
    ("with a filter", _by_words("мария", city="Город 7")),
    ("phone", _by_phone),
)


@pytest.mark.parametrize(("reach", "few"), [("own", 0), ("own", FEW), ("tenant", FEW)])
def test_no_search_scans_a_table(database: TestDatabase, reach: str, few: int) -> None:
    async def run() -> None:
        pool = await open_pool(database.service_url, size=2)
        try:
            tenant = await a_tenant(pool, database.owner_url, database.service_url)
            head, manager = await _filled(database, tenant)
            try:
                for name, ask in _ASKED:
                    async with tenant.uow.begin(manager if reach == "own" else head) as tx:
                        watched = _Watched(tx.session.connection, tx.session.principal)
                        await ask(PgCustomerSearch(watched, PortfolioSizes(few)))
                    scans = [scan for plan in watched.plans for scan in _scans(plan)]
                    assert scans, name
                    assert not [scan for scan in scans if scan.startswith("Seq Scan")], (name, watched.plans)
            finally:
                await _emptied(database, tenant)
        finally:
            await asyncio.wait_for(pool.close(), 10)

    asyncio.run(run())


def test_a_search_among_few_finds_what_one_among_many_finds_page_by_page(database: TestDatabase) -> None:
    async def pages(tx: PgTransaction, few: int, q: str, filters: Mapping[str, object]) -> list[Place]:
        search, places, after = PgCustomerSearch(tx.session, PortfolioSizes(few)), list[Place](), None
        for _ in range(4):
            found = await search.found(filters, sought(q), after=after, limit=7)
            places += found.places
            after = found.places[-1] if found.places else after
        return places

    async def run() -> None:
        pool = await open_pool(database.service_url, size=2)
        try:
            tenant = await a_tenant(pool, database.owner_url, database.service_url)
            _, manager = await _filled(database, tenant)
            try:
                for q in ("мария", "фab", "ива", "мария ива", "ма ивab", "ф ива", "никого", "мария никого"):
                    for filters in ({}, {"city": "Город 1"}):
                        async with tenant.uow.begin(manager) as tx:
                            many = await pages(tx, 0, q, filters)
                        async with tenant.uow.begin(manager) as tx:
                            assert await pages(tx, FEW, q, filters) == many, (q, filters)
                        assert many or q not in ("мария", "ива", "мария ива"), q
            finally:
                await _emptied(database, tenant)
        finally:
            await asyncio.wait_for(pool.close(), 10)

    asyncio.run(run())
