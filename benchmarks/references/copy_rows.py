"""COPY of rows that are ready: binary, in one transaction of a superuser, into the same tables with all their indexes,
checks and foreign keys. Nothing is parsed or validated, and Python only hands buffers over.
"""

import time
from collections.abc import AsyncIterator, Sequence

import asyncpg

# Parents first. What the rows hang on is there before the clock starts.
PARENTS = ("tenants", "staff", "jobs", "files", "imports")
TABLES = (
    "customers",
    "customer_external_ids",
    "search_tokens",
    "categories",
    "products",
    "orders",
    "order_lines",
    "refunds",
    "refund_lines",
    "purchase_totals",
    "changes",
    "import_rejects",
)
Dump = dict[str, list[bytes]]


async def dumped(connection: asyncpg.Connection, tables: Sequence[str]) -> Dump:
    """All rows of these tables as the server writes them."""
    found: Dump = {}
    for table in tables:
        pieces: list[bytes] = []

        async def take(piece: bytes, pieces: list[bytes] = pieces) -> None:
            pieces.append(piece)

        await connection.copy_from_table(table, output=take, format="binary")
        found[table] = pieces
    return found


async def copied(connection: asyncpg.Connection, dump: Dump) -> float:
    """Copy the dump in, one transaction; returns the seconds."""
    started = time.perf_counter()
    async with connection.transaction():
        for table, pieces in dump.items():
            await connection.copy_to_table(table, source=_given(pieces), format="binary")
    return time.perf_counter() - started


async def _given(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
