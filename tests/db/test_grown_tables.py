"""A connection that knows the tables as tiny takes in thousands of rows without reading them over and over."""

import asyncio

import asyncpg

from tests.api.support import api
from tests.postgres import TestDatabase

_READ = "SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname IN ('customers', 'contact_details')"
_ITEMS = 1_500


async def _rows_read(url: str | None) -> int:
    connection = await asyncpg.connect(url)
    try:
        # What other connections have counted is written down a second after they come to rest.
        await asyncio.sleep(1.5)
        return int(await connection.fetchval(_READ) or 0)
    finally:
        await connection.close()


async def _tidied(url: str | None) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM (ANALYZE) customers, contact_details, customer_external_ids, search_tokens")
    finally:
        await connection.close()


def _item(name: str) -> dict[str, object]:
    return {
        "kind": "person",
        "family_name": name,
        "contacts": [{"kind": "email", "value": f"{name}@example.com"}],
        "external_ids": [{"source": "shop", "external_id": name}],
    }


def test_a_batch_after_single_records_reads_no_table_for_each_row(database: TestDatabase) -> None:
    async def run() -> None:
        async with api(database) as world:
            head = await world.client(reach="tenant")
            assert (await head.post("/v1/customers", json=_item("first"))).status_code == 201
            await _tidied(database.superuser_url)
            for number in range(9):
                assert (await head.post("/v1/customers", json=_item(f"single{number}"))).status_code == 201
            before = await _rows_read(database.superuser_url)
            items = [_item(f"mass{number}") for number in range(_ITEMS)]
            answer = await head.post("/v1/customers/batch", json={"items": items})
            assert answer.status_code == 200, answer.text
            assert await _rows_read(database.superuser_url) - before < 20 * _ITEMS

    asyncio.run(run())
