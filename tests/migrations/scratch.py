"""An empty database for one test, on the server of the suite."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.postgres import TestDatabase


@contextmanager
def scratch(database: TestDatabase) -> Iterator[str]:
    """The owner's address of a database of nobody else, dropped afterwards."""
    name = f"clientbase_test_scratch_{secrets.token_hex(5)}"
    run(database.owner_url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield urlunsplit(urlsplit(database.owner_url)._replace(path=f"/{name}"))
    finally:
        # Without FORCE: that may not end an autovacuum worker, while a plain DROP asks one to leave and waits for it.
        run(database.owner_url, f"DROP DATABASE {name}")


def run(url: str, statement: str) -> list[asyncpg.Record]:
    async def once() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(once())
