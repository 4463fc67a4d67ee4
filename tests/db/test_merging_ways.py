"""No table that holds something of a customer is forgotten when records become one, nor when they are undone.

Read from the live catalogue: a table that is added later is found by its column `customer_id`, or by a reference to
`customers` under whatever name, and wants a line in service/db/merging_ways.py.
"""

import asyncio

import asyncpg

from service.db.merging_ways import IMAGED, MADE_ANEW, MOVED, STAYING, columns
from tests.postgres import TestDatabase

_WAYS = (set(MOVED), set(IMAGED), set(MADE_ANEW), set(STAYING))
_HOLDING = """
    SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id'
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    UNION SELECT k.conrelid::regclass::text FROM pg_constraint k
    WHERE k.contype = 'f' AND k.confrelid = 'public.customers'::regclass
"""
# Rows that would vanish with the record that they hang on, unless they are moved or kept before.
_CASCADING = """
    SELECT k.conrelid::regclass::text FROM pg_constraint k
    WHERE k.contype = 'f' AND k.confrelid = 'public.customers'::regclass AND k.confdeltype = 'c'
"""
_UNIQUE = """
    SELECT x.indrelid::regclass::text AS name, array_agg(a.attname::text) AS columns FROM pg_index x
    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey)
    WHERE x.indisunique AND x.indrelid::regclass::text = ANY ($1::text[]) GROUP BY x.indrelid, x.indexrelid
"""
# Not named by the column or a reference, and known all the same.
_UNNAMED = {"audit_entries", "duplicate_pairs"}


def _asked(database: TestDatabase, query: str, *values: object, planted: str = "") -> list[asyncpg.Record]:
    async def once() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(database.owner_url)
        transaction = connection.transaction()
        await transaction.start()
        try:
            if planted:
                await connection.execute(planted)
            found: list[asyncpg.Record] = await connection.fetch(query, *values)
            return found
        finally:
            await transaction.rollback()
            await connection.close()

    return asyncio.run(once())


def _holding(database: TestDatabase, planted: str = "") -> set[str]:
    return {row[0] for row in _asked(database, _HOLDING, planted=planted)}


def test_every_table_of_a_customer_goes_along_in_one_way(database: TestDatabase) -> None:
    named = [table for way in _WAYS for table in way]
    assert sorted(set(named)) == sorted(named), "a table goes along in one way"
    assert _holding(database) ^ (set(named) - _UNNAMED) == set(), "service/db/merging_ways.py names each of them"
    assert len(named) > 20


def test_a_table_that_is_added_later_is_found(database: TestDatabase) -> None:
    known = {table for way in _WAYS for table in way}
    for name, planted in {
        "points": "CREATE TABLE points (tenant_id int NOT NULL, customer_id uuid NOT NULL)",
        "gifts": "CREATE TABLE gifts (tenant_id int NOT NULL, giver uuid NOT NULL,"
        " FOREIGN KEY (tenant_id, giver) REFERENCES customers (tenant_id, customer_id))",
    }.items():
        assert _holding(database, planted) - known == {name}


def test_nothing_that_goes_with_its_record_is_among_what_stays(database: TestDatabase) -> None:
    assert {row[0] for row in _asked(database, _CASCADING)} & set(STAYING) == set()


def test_rows_that_only_change_their_owner_are_unique_without_him(database: TestDatabase) -> None:
    """Else the move could meet a row of the survivor's; such a table has to be made one of, and be imaged."""
    unique = _asked(database, _UNIQUE, list(MOVED))
    assert {row["name"] for row in unique} == set(MOVED)
    for row in unique:
        key = MOVED[row["name"]]
        assert "customer_id" not in row["columns"] or key in row["columns"], row


def test_an_image_holds_every_column_that_can_be_written(database: TestDatabase) -> None:
    for table in IMAGED:
        written = _asked(
            database,
            "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
            " AND NOT attisdropped AND attgenerated = ''",
            table,
        )
        assert {row[0] for row in written} == set(columns(table)), table
