"""The tables in code and the tables that the migrations make are the same."""

import asyncio
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service.db.migrate import sqlalchemy_url
from service.db.tables import metadata
from tests.postgres import TestDatabase

_COLLATED = """
SELECT c.relname, a.attname, coalesce(l.collname, '') AS collation
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND a.atttypid = 'text'::regtype
"""


def _compare(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def _collations(connection: Connection) -> dict[tuple[str, str], str]:
    rows = connection.exec_driver_sql(_COLLATED)
    return {(table, column): collation for table, column, collation in rows if table in metadata.tables}


async def _ask(database: TestDatabase, question: Any) -> Any:
    engine = create_async_engine(sqlalchemy_url(database.owner_url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(question)
    finally:
        await engine.dispose()


def test_the_migrated_schema_is_that_of_the_metadata(database: TestDatabase) -> None:
    assert asyncio.run(_ask(database, _compare)) == []


def test_text_that_indexes_compare_is_collated_alike(database: TestDatabase) -> None:
    """Autogenerate does not look at collations."""
    found = asyncio.run(_ask(database, _collations))
    wanted = {
        (table.name, column.name): getattr(column.type, "collation", None) or "default"
        for table in metadata.sorted_tables
        for column in table.columns
        if (table.name, column.name) in found
    }
    assert found == wanted
