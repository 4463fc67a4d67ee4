"""What has had its time is taken away: expired files, idempotency keys older than a day, revocations of tokens that
can't be valid any more, and looks and probes that no budget counts any more.

Nobody asks for it, so it is done under a role of its own, which sees that a thing is old and nothing of what it holds.
It goes from tenant to tenant; each transaction takes a bounded batch of one tenant.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import asyncpg

from service.db.errors import translate
from service.db.session import without_principal

# The parts of a file go with it, and the file of an export may be large.
_FILES = 20
_KEYS = 5_000
# Who began to fetch a file in its last moment may read it to the end.
_EXPIRED = """
    SELECT file_id FROM files WHERE tenant_id = $1 AND expires_at < now() - interval '1 hour' LIMIT $2
"""
_LET_GO = "UPDATE exports SET file_id = NULL WHERE tenant_id = $1 AND file_id = ANY ($2::uuid[])"
_DROP_FILES = "DELETE FROM files WHERE tenant_id = $1 AND file_id = ANY ($2::uuid[])"
_DROP_KEYS = """
    DELETE FROM idempotency_keys WHERE tenant_id = $1 AND (staff_id, method, path, key) IN (
        SELECT staff_id, method, path, key FROM idempotency_keys
        WHERE tenant_id = $1 AND created_at < now() - interval '24 hours' LIMIT $2)
"""
_DROP_REVOCATIONS = """
    DELETE FROM token_revocations WHERE tenant_id = $1 AND revocation_id IN (
        SELECT revocation_id FROM token_revocations WHERE tenant_id = $1 AND until < now() LIMIT $2)
"""
_DROP_REVEALS = """
    DELETE FROM reveals WHERE tenant_id = $1 AND (staff_id, taken_at, customer_id) IN (
        SELECT staff_id, taken_at, customer_id FROM reveals
        WHERE tenant_id = $1 AND taken_at < now() - interval '31 days' LIMIT $2)
"""
_DROP_PROBES = """
    DELETE FROM contact_probes WHERE tenant_id = $1 AND (staff_id, hour) IN (
        SELECT staff_id, hour FROM contact_probes WHERE tenant_id = $1 AND hour < now() - interval '2 days' LIMIT $2)
"""
_DROPS = (_DROP_KEYS, _DROP_REVOCATIONS, _DROP_REVEALS, _DROP_PROBES)
# One worker sweeps a tenant at a time; another goes past.
_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('sweep ' || $1::int::text, 0))"
# The role sees the tenants behind the one where it stands.
_NEXT = "SELECT min(tenant_id) FROM tenants"
_BEFORE_ALL = 0
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How much was taken away."""

    files: int = 0
    keys: int = 0
    revocations: int = 0
    reveals: int = 0
    probes: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(
            files=self.files + other.files,
            keys=self.keys + other.keys,
            revocations=self.revocations + other.revocations,
            reveals=self.reveals + other.reveals,
            probes=self.probes + other.probes,
        )


class PgSweep:
    def __init__(self, pool: asyncpg.Pool, *, files: int = _FILES, keys: int = _KEYS) -> None:
        self._pool = pool
        self._files = files
        self._keys = keys

    async def sweep(self) -> Swept:
        """Once through all tenants. Raises Unavailable."""
        swept = Swept()
        try:
            tenant = await self._after(_BEFORE_ALL)
            while tenant is not None:
                batch = await self._batch(tenant)
                swept += batch
                rows = max(batch.keys, batch.revocations, batch.reveals, batch.probes)
                if batch.files < self._files and rows < self._keys:
                    tenant = await self._after(tenant)
        except _TROUBLE as error:
            raise translate(error) from error
        return swept

    def _at(self, tenant: int) -> AbstractAsyncContextManager[Any]:
        opening = (
            f"BEGIN; SET LOCAL ROLE clientbase_keeper; SET LOCAL app.tenant = '{int(tenant)}';"
            " SET LOCAL statement_timeout = '120s'"
        )
        return without_principal(self._pool, opening, ending="COMMIT", patience=10)

    async def _after(self, tenant: int) -> int | None:
        async with self._at(tenant) as connection:
            found: int | None = await connection.fetchval(_NEXT)
        return found

    async def _batch(self, tenant: int) -> Swept:
        async with self._at(tenant) as connection:
            if not await connection.fetchval(_TURN, tenant):
                return Swept()
            expired = [row["file_id"] for row in await connection.fetch(_EXPIRED, tenant, self._files)]
            if expired:
                await connection.execute(_LET_GO, tenant, expired)
                await connection.execute(_DROP_FILES, tenant, expired)
            keys, revocations, reveals, probes = [
                int((await connection.execute(drop, tenant, self._keys)).rpartition(" ")[2]) for drop in _DROPS
            ]
        return Swept(files=len(expired), keys=keys, revocations=revocations, reveals=reveals, probes=probes)
