"""Readiness fails closed, and a login that could see rows by itself is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest

from service.db.operations import PgOperations, UnsafeLogin
from service.db.revision import required_revision
from service.db.session import open_pool
from service.domain.errors import Unavailable
from tests.postgres import TestDatabase

T = TypeVar("T")


def _with_operations(url: str, scenario: Callable[[PgOperations, asyncpg.Pool], Awaitable[T]], **options: str) -> T:
    async def run() -> T:
        pool = await open_pool(url, size=2)
        try:
            return await scenario(PgOperations(pool, **options), pool)
        finally:
            pool.terminate()

    return asyncio.run(run())


async def _as_owner(database: TestDatabase, statement: str) -> None:
    connection = await asyncpg.connect(database.owner_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def test_the_service_login_is_harmless(database: TestDatabase) -> None:
    _with_operations(database.service_url, lambda operations, _: operations.check_login())


def test_the_owner_is_refused(database: TestDatabase) -> None:
    with pytest.raises(UnsafeLogin) as refused:
        _with_operations(database.owner_url, lambda operations, _: operations.check_login())
    assert "owns objects" in refused.value.reasons
    assert "has rights on tables without entering a role" in refused.value.reasons


def test_a_superuser_is_refused(database: TestDatabase) -> None:
    if database.superuser_url is None:
        pytest.skip("the server in use has no superuser's login to try")
    with pytest.raises(UnsafeLogin) as refused:
        _with_operations(database.superuser_url, lambda operations, _: operations.check_login())
    assert "is a superuser" in refused.value.reasons


@pytest.mark.parametrize(
    ("give", "take", "reason"),
    [
        ("GRANT SELECT ON customers TO {login}", "REVOKE SELECT ON customers FROM {login}", "has rights on tables"),
        (
            "GRANT SELECT (customer_id) ON customers TO {login}",
            "REVOKE SELECT (customer_id) ON customers FROM {login}",
            "has rights on tables",
        ),
        ("GRANT SELECT ON orders TO PUBLIC", "REVOKE SELECT ON orders FROM PUBLIC", "has rights on tables"),
    ],
)
def test_a_login_with_a_grant_is_refused(database: TestDatabase, give: str, take: str, reason: str) -> None:
    login = urlsplit(database.service_url).username

    async def scenario(operations: PgOperations, _: asyncpg.Pool) -> None:
        await _as_owner(database, give.format(login=login))
        try:
            with pytest.raises(UnsafeLogin, match=reason):
                await operations.check_login()
        finally:
            await _as_owner(database, take.format(login=login))

    _with_operations(database.service_url, scenario)


def test_a_migrated_database_is_ready(database: TestDatabase) -> None:
    ready = _with_operations(database.service_url, lambda operations, _: operations.readiness())
    assert ready.ready
    assert ready.schema == required_revision()


def test_a_newer_schema_is_ready_and_an_older_one_is_not(database: TestDatabase) -> None:
    earlier = _with_operations(database.service_url, lambda ops, _: ops.readiness(), required="2020_01_01_0000")
    assert earlier.ready
    later = _with_operations(database.service_url, lambda ops, _: ops.readiness(), required="2999_01_01_0000")
    assert not later.ready
    assert "clientbase migrate" in later.failures[0]


def test_a_database_without_the_schema_is_not_ready(database: TestDatabase) -> None:
    empty = database.owner_url.replace(f"/{database.name}", "/postgres")
    state = _with_operations(empty, lambda operations, _: operations.readiness())
    assert not state.ready


def test_a_pool_that_gives_no_connection_is_not_ready_within_two_seconds(database: TestDatabase) -> None:
    async def scenario(operations: PgOperations, pool: asyncpg.Pool) -> None:
        held = [await pool.acquire(), await pool.acquire()]
        async with asyncio.timeout(2):
            state = await operations.readiness()
        assert not state.ready
        assert operations.pool_numbers() == {"open": 2, "idle": 0, "busy": 2, "most": 2}
        for connection in held:
            await pool.release(connection)

    _with_operations(database.service_url, scenario)


def test_a_closed_pool_is_not_ready_and_has_no_queue(database: TestDatabase) -> None:
    async def scenario(operations: PgOperations, pool: asyncpg.Pool) -> None:
        await pool.close()
        assert not (await operations.readiness()).ready
        with pytest.raises(Unavailable):
            await operations.queue_states()
        with pytest.raises(Unavailable):
            await operations.check_login()

    _with_operations(database.service_url, scenario)


def test_every_state_of_the_queue_is_named(database: TestDatabase) -> None:
    states = _with_operations(database.service_url, lambda operations, _: operations.queue_states())
    assert {"queued", "picked"} <= set(states)
