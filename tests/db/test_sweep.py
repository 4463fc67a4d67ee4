"""What has had its time goes, in every tenant and bit by bit; what has not, stays, and so does what tells of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from service.db.statement import sql
from service.db.sweep import PgSweep, Swept
from service.domain.access import Principal
from service.domain.errors import Unavailable
from service.jobs.sweeping import keep_swept
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant, in_a_tenant

_LEFT = sql("""
    SELECT (SELECT count(*) FROM files WHERE tenant_id = :tenant) AS files,
        (SELECT count(*) FROM file_parts WHERE tenant_id = :tenant) AS parts,
        (SELECT count(*) FROM idempotency_keys WHERE tenant_id = :tenant) AS keys
""")
_ADD_KEYS = sql("""
    INSERT INTO idempotency_keys (tenant_id, staff_id, method, path, key, body_hash, status, answer, created_at)
    SELECT :tenant, :staff_id, 'POST', '/v1/orders', u.age, ''::bytea, 201, '{}'::jsonb, now() - u.age::interval
    FROM unnest(:ages::text[]) AS u (age)
""")
_AGE = sql("UPDATE files SET expires_at = now() - interval '2 hours' WHERE tenant_id = :tenant")


async def _content() -> AsyncIterator[bytes]:
    yield b"some rows"


async def _fill(tenant: Tenant, lives: tuple[timedelta | None, ...], ages: tuple[str, ...]) -> Principal:
    """Files that expire so long from now (or never), and keys of that age."""
    head = await tenant.staff()
    async with tenant.uow.begin(head) as tx:
        for life in lives:
            expires_at = None if life is None else datetime.now(UTC) + life
            await tx.files.write(_content(), name="a.csv", media_type="text/csv", expires_at=expires_at)
        await tx.session.execute(_ADD_KEYS, staff_id=head.staff_id, ages=list(ages))
        await tx.commit()
    return head


async def _left(tenant: Tenant, head: Principal) -> tuple[int, ...]:
    async with tenant.uow.begin(head) as tx:
        row = await tx.session.fetchrow(_LEFT)
    assert row is not None
    return tuple(row.values())


def test_only_what_is_old_goes_and_in_every_tenant(database: TestDatabase) -> None:
    async def scenario(here: Tenant) -> None:
        there = await a_tenant(here.pool, database.owner_url, database.service_url)
        lives = (timedelta(hours=-2), timedelta(minutes=-1), timedelta(hours=1), None)
        heads = [await _fill(tenant, lives, ("25 hours", "23 hours", "1 minute")) for tenant in (here, there)]
        await PgSweep(here.pool).sweep()
        for tenant, head in zip((here, there), heads, strict=True):
            assert await _left(tenant, head) == (3, 3, 2)

    in_a_tenant(database.owner_url, database.service_url, scenario)


_ADD_PROBES = sql("""
    INSERT INTO contact_probes (tenant_id, staff_id, hour, used)
    SELECT :tenant, :staff_id, date_trunc('hour', now()) - u.age::interval, 3 FROM unnest(:ages::text[]) AS u (age)
""")
_PROBES = sql("SELECT count(*) FROM contact_probes WHERE tenant_id = :tenant")


def test_probes_go_after_two_days_and_those_of_today_stay(database: TestDatabase) -> None:
    async def scenario(here: Tenant) -> None:
        head = await here.staff()
        async with here.uow.begin(head) as tx:
            ages = ["0 hours", "47 hours", "50 hours", "9 days", "10 days", "11 days"]
            await tx.session.execute(_ADD_PROBES, staff_id=head.staff_id, ages=ages)
            await tx.commit()
        assert (await PgSweep(here.pool, keys=3).sweep()).probes == 4
        async with here.uow.begin(head) as tx:
            assert await tx.session.fetchval(_PROBES) == 2

    in_a_tenant(database.owner_url, database.service_url, scenario)


def test_batches_follow_one_another_until_nothing_is_left(database: TestDatabase) -> None:
    async def scenario(here: Tenant) -> None:
        sweep = PgSweep(here.pool, files=2, keys=3)
        await sweep.sweep()
        head = await _fill(here, (timedelta(days=-1),) * 5, tuple(f"{25 + n} hours" for n in range(10)))
        assert await sweep.sweep() == Swept(files=5, keys=10)
        assert await _left(here, head) == (0, 0, 0)
        assert await sweep.sweep() == Swept()

    in_a_tenant(database.owner_url, database.service_url, scenario)


def test_two_sweeps_at_once_take_everything_once(database: TestDatabase) -> None:
    async def scenario(here: Tenant) -> None:
        await PgSweep(here.pool).sweep()
        head = await _fill(here, (timedelta(days=-1),) * 6, ())
        swept = await asyncio.gather(*(PgSweep(here.pool, files=2).sweep() for _ in range(2)))
        assert sum(one.files for one in swept) == 6
        assert await _left(here, head) == (0, 0, 0)

    in_a_tenant(database.owner_url, database.service_url, scenario)


def test_an_export_outlives_its_file_and_says_that_it_has_expired(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        wanted = {"what": "customers", "purpose": "A letter to them", "columns": ["customer_id"]}
        export_id = (await head.post("/v1/exports", json=wanted)).json()["export_id"]
        await api.run_jobs()
        assert (await head.get(f"/v1/exports/{export_id}/file")).status_code == 200
        async with api.tenant.uow.begin(head.principal) as tx:
            await tx.session.execute(_AGE)
            await tx.commit()
        await api.container.sweep.sweep()
        assert (await _left(api.tenant, head.principal))[:2] == (0, 0)
        card = (await head.get(f"/v1/exports/{export_id}")).json()
        assert (card["state"], card["rows"]) == ("done", 0)
        refused = await head.get(f"/v1/exports/{export_id}/file")
        assert (refused.status_code, refused.json()["type"]) == (404, "/problems/export-expired")

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    "attempt",
    [
        "SELECT content FROM file_parts",
        "SELECT name FROM files",
        "SELECT answer FROM idempotency_keys",
        "SELECT slug FROM tenants",
        "SELECT 1 FROM customers",
        "SELECT used FROM contact_probes",
        "UPDATE exports SET state = 'done'",
    ],
)
def test_the_keeper_sees_nothing_of_what_is_kept(database: TestDatabase, attempt: str) -> None:
    async def scenario(here: Tenant) -> None:
        async with here.pool.acquire() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL ROLE clientbase_keeper; SET LOCAL app.tenant = '{here.tenant_id}'")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(attempt)

    in_a_tenant(database.owner_url, database.service_url, scenario)


def test_the_keeper_cannot_take_what_is_young_nor_see_another_tenant(database: TestDatabase) -> None:
    async def scenario(here: Tenant) -> None:
        head = await _fill(here, (timedelta(hours=1), None), ("1 hour",))
        there = await a_tenant(here.pool, database.owner_url, database.service_url)
        await _fill(there, (timedelta(hours=-1),), ("30 hours",))
        async with here.pool.acquire() as connection:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL ROLE clientbase_keeper; SET LOCAL app.tenant = '{here.tenant_id}'")
                assert await connection.execute("DELETE FROM files") == "DELETE 0"
                assert await connection.execute("DELETE FROM idempotency_keys") == "DELETE 0"
            async with connection.transaction():
                await connection.execute("SET LOCAL ROLE clientbase_keeper")
                for table in ("files", "exports", "idempotency_keys", "tenants"):
                    assert await connection.fetch(f"SELECT tenant_id FROM {table}") == []
        assert await _left(here, head) == (2, 2, 1)

    in_a_tenant(database.owner_url, database.service_url, scenario)


def test_the_worker_sweeps_again_after_a_failure_until_it_is_told_to_stop() -> None:
    async def run() -> int:
        shutdown = asyncio.Event()
        tried: list[int] = []

        async def sweep() -> Swept:
            tried.append(len(tried))
            if len(tried) == 1:
                raise Unavailable
            if len(tried) == 2:
                raise ValueError
            shutdown.set()
            return Swept()

        await asyncio.wait_for(keep_swept(sweep, shutdown, every_s=0.01), 5)
        return len(tried)

    assert asyncio.run(run()) == 3
