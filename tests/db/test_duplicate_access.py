"""Who reads and writes what is known of duplicates: rows that name two records show only to who reaches both."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from service.db.session import open_pool, preamble
from service.domain.access import Principal
from service.domain.duplicates.grouping import ordered
from service.domain.duplicates.matching import system
from service.domain.ids import new_id
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant

_CLOSED = ("linkage_keys", "linkage_records", "linkage_models", "linkage_progress")


async def _as(connection: Any, principal: Principal, role: str | None = None) -> None:
    await connection.execute(preamble(principal).removeprefix("BEGIN; "))
    if role:
        await connection.execute(f"SET LOCAL ROLE {role}")


async def _customer(connection: Any, tenant: Tenant, curator: UUID) -> UUID:
    made: UUID = await connection.fetchval(
        "INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, curator_id)"
        " VALUES ($1, $2, 'person', 'A', 'a', $3) RETURNING customer_id",
        tenant.tenant_id,
        new_id(),
        curator,
    )
    return made


def test_a_pair_and_a_mark_show_to_who_reaches_both_records(database: TestDatabase) -> None:
    async def scenario(connection: Any, tenant: Tenant) -> None:
        anna, boris, head = await tenant.staff(reach="own"), await tenant.staff(reach="own"), await tenant.staff()
        await _as(connection, head)
        hers = [await _customer(connection, tenant, anna.staff_id) for _ in range(2)]
        his = await _customer(connection, tenant, boris.staff_id)
        pairs = [ordered(*hers), ordered(hers[0], his)]
        for pair in pairs:
            await connection.execute(
                "INSERT INTO never_merge VALUES ($1, $2, $3, $4)", tenant.tenant_id, *pair, head.staff_id
            )
        await _as(connection, system(tenant.tenant_id), "clientbase_linkage")
        for pair in pairs:
            await connection.execute(
                "INSERT INTO duplicate_pairs VALUES ($1, $2, $3, 20, 1, '[]')", tenant.tenant_id, *pair
            )
        for one in (*hers, his):
            await connection.execute("INSERT INTO duplicate_members VALUES ($1, $2, $3)", tenant.tenant_id, one, his)
        for principal, seen, members in ((head, 2, 3), (anna, 1, 2), (boris, 0, 1)):
            await _as(connection, principal)
            for table in ("duplicate_pairs", "never_merge"):
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == seen
            assert await connection.fetchval("SELECT count(*) FROM duplicate_members") == members
        await _as(connection, boris)
        assert await connection.execute("DELETE FROM never_merge") == "DELETE 0"
        await _refused(
            connection,
            f"INSERT INTO never_merge VALUES ({tenant.tenant_id}, '{min(hers)}', '{max(hers)}', '{boris.staff_id}')",
        )

    _run(database, scenario)


@pytest.mark.parametrize("reach", ["own", "team", "tenant"])
def test_what_the_match_works_with_is_closed_to_every_reach(database: TestDatabase, reach: str) -> None:
    async def scenario(connection: Any, tenant: Tenant) -> None:
        principal = await tenant.staff(reach=reach)
        await _as(connection, principal)
        for table in _CLOSED:
            await _refused(connection, f"SELECT FROM {table}")
        for table in ("duplicate_pairs", "duplicate_members"):
            await _refused(connection, f"DELETE FROM {table}")

    _run(database, scenario)


def test_the_role_that_compares_changes_no_record_and_sees_one_tenant(database: TestDatabase) -> None:
    async def scenario(connection: Any, tenant: Tenant) -> None:
        head = await tenant.staff()
        await _as(connection, head)
        await _customer(connection, tenant, head.staff_id)
        await _as(connection, system(tenant.tenant_id), "clientbase_linkage")
        assert await connection.fetchval("SELECT count(customer_id) FROM customers") == 1
        for change in (
            "UPDATE customers SET city = 'Тула'",
            "DELETE FROM contact_details",
            "SELECT attributes FROM customers",
            "SELECT FROM orders",
        ):
            await _refused(connection, change)
        await _as(connection, system(tenant.tenant_id + 1), "clientbase_linkage")
        assert await connection.fetchval("SELECT count(customer_id) FROM customers") == 0

    _run(database, scenario)


async def _refused(connection: Any, statement: str) -> None:
    savepoint = connection.transaction()
    await savepoint.start()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await savepoint.rollback()


def _run(database: TestDatabase, scenario: Any) -> None:
    async def run() -> None:
        pool = await open_pool(database.service_url, size=2)
        try:
            tenant = await a_tenant(pool, database.owner_url, database.service_url)
            async with pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    await scenario(connection, tenant)
                finally:
                    await transaction.rollback()
        finally:
            await asyncio.wait_for(pool.close(), 10)

    asyncio.run(run())
