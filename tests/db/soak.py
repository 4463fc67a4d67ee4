"""Many callers on a few connections, some cancelled, some wrong, some killed on the server; each looks around."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg

from service.db.session import Row, open_pool
from service.db.statement import sql
from service.db.unit_of_work import PgTransaction, PgUnitOfWork
from service.domain.access import Principal
from service.domain.customers.model import Record
from service.domain.customers.ports import Written
from service.domain.errors import NotFound, Unavailable
from service.domain.ids import new_id
from tests.postgres import TestDatabase
from tests.support import a_tenant

_CONNECTIONS, _TASKS = 8, 48
_PATIENCE_S = 30.0
_SEEN = sql("SELECT tenant_id, curator_id FROM customers")
_WHO = sql("""SELECT current_setting('app.tenant') AS tenant, current_setting('app.subject') AS subject,
    pg_backend_pid() AS pid""")
_WRONG = sql("SELECT 1 / 0")
_SLOW = sql("SELECT pg_sleep(0.01)")
_CUT_SHORT = (asyncpg.PostgresError, asyncpg.InterfaceError, NotFound, Unavailable, OSError, asyncio.CancelledError)


@dataclass(slots=True, kw_only=True)
class Soak:
    """What happened, and every row or setting that was not the caller's own."""

    pool: asyncpg.Pool
    people: list[Principal]
    killer: asyncpg.Connection
    dice: random.Random
    happened: Counter[str] = field(default_factory=Counter)
    foreign: list[str] = field(default_factory=list)

    async def run(self, transactions: int) -> None:
        left = iter(range(transactions))

        async def worker() -> None:
            for _ in left:
                await self._one()

        await asyncio.gather(*(worker() for _ in range(_TASKS)))

    async def _one(self) -> None:
        principal, fate = self.dice.choice(self.people), self._fate()
        self.happened[fate] += 1
        task = asyncio.ensure_future(self._work(principal, fate))
        if fate == "cancelled":
            await asyncio.sleep(self.dice.random() * 0.01)
            task.cancel()
        with suppress(*_CUT_SHORT):
            await task

    def _fate(self) -> str:
        drawn = self.dice.random()
        fates = ((0.05, "cancelled"), (0.10, "wrong"), (0.12, "killed"), (1.0, "good"))
        return next(fate for bound, fate in fates if drawn < bound)

    async def _work(self, principal: Principal, fate: str) -> None:
        async with PgUnitOfWork(self.pool, acquire_timeout=_PATIENCE_S).begin(principal) as tx:
            who = await tx.session.fetchrow(_WHO)
            assert who is not None
            if (who["tenant"], who["subject"]) != (str(principal.tenant_id), str(principal.staff_id)):
                self.foreign.append(f"{principal.subject} acts as {dict(who)}")
            if fate == "wrong":
                await tx.session.fetch(_WRONG)
            if fate == "killed":
                await self.killer.execute("SELECT pg_terminate_backend($1::int)", who["pid"])
            if fate == "cancelled":
                await tx.session.fetch(_SLOW)
            self._look(principal, await tx.session.fetch(_SEEN))
            if self.dice.random() < 0.02:
                await self._write(principal, tx)
            await tx.commit()

    async def _write(self, principal: Principal, tx: PgTransaction) -> None:
        """A record of the caller's own; that there is no place for it means that somebody else acts here."""
        record = Record(family_name="Иванова", curator_id=principal.staff_id)
        try:
            await tx.customers.insert([Written(customer_id=new_id(), record=record, contacts=[], external_ids=[])])
        except NotFound:
            self.foreign.append(f"{principal.subject} may not write a record of his own")
            raise

    def _look(self, principal: Principal, rows: list[Row]) -> None:
        self.happened["rows"] += len(rows)
        for row in rows:
            if (row["tenant_id"], row["curator_id"]) != (principal.tenant_id, principal.staff_id):
                self.foreign.append(f"{principal.subject} sees a row of {row['tenant_id']} {row['curator_id']}")


async def soaked(database: TestDatabase, transactions: int, seed: int) -> Soak:
    """Run it, then see that every connection is back, idle and without anybody's settings."""
    pool = await open_pool(database.service_url, size=_CONNECTIONS)
    killer = await asyncpg.connect(database.service_url)
    try:
        people: list[Principal] = []
        for _ in range(2):
            tenant = await a_tenant(pool, database.owner_url, database.service_url)
            people += [await tenant.staff(reach="own") for _ in range(4)]
        soak = Soak(pool=pool, people=people, killer=killer, dice=random.Random(seed))
        for principal in people:
            with suppress(NotFound):
                await soak._work(principal, "good")
        await soak.run(transactions)
        await _all_back(pool)
        await _none_left(killer, pool)
        return soak
    finally:
        await killer.close()
        pool.terminate()  # what somebody keeps would be waited for


async def _all_back(pool: asyncpg.Pool) -> None:
    """Every place of the pool can be taken at once, and what is taken is clean."""
    held = [await pool.acquire(timeout=5) for _ in range(_CONNECTIONS)]
    for connection in held:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("SELECT current_user = session_user")
        assert await connection.fetchval("SELECT coalesce(current_setting('app.tenant', true), '')") == ""
    for connection in held:
        await pool.release(connection)


async def _none_left(connection: asyncpg.Connection, pool: asyncpg.Pool) -> None:
    """The server has no more sessions of ours than the pool knows, and none inside a transaction."""
    rows = await connection.fetch("""SELECT state FROM pg_stat_activity WHERE datname = current_database()
        AND usename = current_user AND application_name = 'clientbase' AND pid <> pg_backend_pid()""")
    assert len(rows) <= pool.get_size(), (len(rows), pool.get_size())
    assert "idle in transaction" not in {row["state"] for row in rows}
