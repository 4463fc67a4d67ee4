"""All raw orders of a base as Parquet, written once: an order's customer, currency, status, money and day."""

import asyncio
from pathlib import Path

import asyncpg
import duckdb

from benchmarks.databases import STATE, Database

_FOLDER = STATE / "bench-orders"
_COLUMNS = {
    "customer_id": "UUID",
    "currency": "VARCHAR",
    "status": "VARCHAR",
    "total": "BIGINT",
    "refunded": "BIGINT",
    "ordered_on": "DATE",
}


def orders_file(database: Database) -> Path:
    """The file of this base, in the order of its table; the files of bases before it are dropped."""
    path = _FOLDER / f"{database.superuser_url.rpartition('/')[2]}.parquet"
    if path.exists():
        return path
    _FOLDER.mkdir(exist_ok=True)
    for other in _FOLDER.iterdir():
        other.unlink()
    rows, draft = path.with_suffix(".csv"), path.with_suffix(".draft")
    asyncio.run(_copied(database, rows))
    read = f"FROM read_csv('{rows}', header = false, columns = {_COLUMNS})"
    # Of five ways to compress it, both engines read this one the quickest, by little.
    duckdb.execute(f"COPY ({read}) TO '{draft}' (FORMAT parquet, COMPRESSION lz4)")
    rows.unlink()
    return draft.rename(path)


async def _copied(database: Database, path: Path) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.copy_from_query(f"SELECT {', '.join(_COLUMNS)} FROM orders", output=path, format="csv")
    finally:
        await connection.close()
