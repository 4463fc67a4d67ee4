"""The databases of the benchmarks: the embedded server with production's settings, one database per purpose and size.

A filled database is kept for the next run. Its name holds a digest of what filled it and of the schema, so a change of
either makes a new one; the one before is dropped.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from service.db.embedded import EmbeddedServer, running
from service.db.embedded_cluster import OWNER, SERVICE, SUPERUSER
from service.db.migrate import migrate

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".clientbase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """How to log in: as owner, as the service, and as superuser, whom no policy binds."""

    owner_url: str
    service_url: str
    superuser_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    embedded: EmbeddedServer

    def database(self, name: str) -> Database:
        return Database(
            owner_url=self.embedded.url(user=OWNER, database=name),
            service_url=self.embedded.url(user=SERVICE, database=name),
            superuser_url=self.embedded.url(user=SUPERUSER, database=name),
        )

    def fresh(self, name: str) -> Database:
        """A migrated database without rows, in place of the one of that name."""
        postgres = self.embedded.url(user=SUPERUSER, database=SUPERUSER)
        run(postgres, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        run(self.embedded.url(user=OWNER, database=SUPERUSER), f'CREATE DATABASE "{name}" TEMPLATE template0')
        database = self.database(name)
        run(database.superuser_url, "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO " + OWNER)
        migrate(database.owner_url, SERVICE, None)
        return database

    def filled(self, purpose: str, recipe: str, fill: Callable[[Database], Awaitable[None]]) -> Database:
        """The database of a purpose, filled now unless the same recipe has filled it before."""
        digest = hashlib.sha256(recipe.encode() + _schema()).hexdigest()[:8]
        name = f"bench_{purpose}_{digest}"
        postgres = self.embedded.url(user=SUPERUSER, database=SUPERUSER)
        known = {str(row["datname"]) for row in run(postgres, "SELECT datname FROM pg_database")}
        if name in known:
            return self.database(name)
        for other in known:
            if other.startswith(f"bench_{purpose}_"):
                run(postgres, f'DROP DATABASE "{other}" WITH (FORCE)')
        draft = f"{name}_draft"
        asyncio.run(_awaited(fill(self.fresh(draft))))
        run(postgres, f'ALTER DATABASE "{draft}" RENAME TO "{name}"')
        return self.database(name)


@contextmanager
def served() -> Iterator[Server]:
    """The benchmarks' own server, with the settings of production."""
    with running(STATE / "bench-pg18") as embedded:
        yield Server(embedded=embedded)


def run(url: str, statement: str) -> list[asyncpg.Record]:
    """One statement on a connection of its own; several may stand in one text, then nothing comes back."""

    async def once() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            if ";" in statement:
                await connection.execute(statement)
                return []
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(once())


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _schema() -> bytes:
    return b"".join(path.read_bytes() for path in sorted((ROOT / "migrations").rglob("*.py")))
