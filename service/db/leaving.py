"""How files leave: who agrees to an export, and by which link it is fetched."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from service.db.exports import CARD, stored
from service.db.jobs import PgJobs
from service.db.session import Session
from service.db.statement import sql
from service.domain.exports.agreement import APPROVAL_HOURS
from service.domain.exports.ports import StoredExport

_AFTER_ALL = UUID(int=(1 << 128) - 1)
_BY_ID = sql(f"{CARD} AND e.export_id = :export_id")
_WAITING = sql(f"""
    SELECT * FROM ({CARD} AND e.export_id < :before AND e.state = 'awaiting_approval' AND e.staff_id <> :me::uuid
        AND e.asked_at >= now() - interval '{APPROVAL_HOURS} hours'
        AND NOT EXISTS (SELECT FROM export_approvals mine WHERE mine.tenant_id = e.tenant_id
            AND mine.export_id = e.export_id AND mine.round = e.round AND mine.staff_id = :me::uuid)
    ORDER BY e.export_id DESC LIMIT :limit) w
""")
_HOLD = sql("SELECT 1 FROM exports WHERE tenant_id = :tenant AND export_id = :export_id FOR UPDATE")
_FRESH = sql(f"""
    SELECT a.staff_id FROM export_approvals a
    JOIN exports e ON e.tenant_id = a.tenant_id AND e.export_id = a.export_id AND e.round = a.round
    WHERE a.tenant_id = :tenant AND a.export_id = :export_id AND a.staff_id <> e.staff_id
        AND a.created_at > now() - interval '{APPROVAL_HOURS} hours'
""")
_AGREE = sql("""
    INSERT INTO export_approvals (tenant_id, export_id, round, staff_id, rows)
    VALUES (:tenant, :export_id, :round, :staff_id, :rows)
""")
_RELEASE = sql("""
    UPDATE exports SET state = 'queued', job_id = :job_id WHERE tenant_id = :tenant AND export_id = :export_id
""")
_REJECT = sql("""
    UPDATE exports SET state = 'rejected', error = :error, finished_at = now()
    WHERE tenant_id = :tenant AND export_id = :export_id
""")
_ASK_AGAIN = sql("""
    UPDATE exports SET state = 'awaiting_approval', round = round + 1, asked_rows = :rows, needs = :needs,
        asked_at = now(), job_id = NULL, rows = NULL, error = NULL
    WHERE tenant_id = :tenant AND export_id = :export_id
""")
_LINK = sql("""
    INSERT INTO export_links (tenant_id, token_hash, export_id, staff_id, expires_at)
    VALUES (:tenant, :token_hash, :export_id, :staff_id, :expires_at)
""")
_USE_LINK = sql("""
    UPDATE export_links SET used_at = now()
    WHERE tenant_id = :tenant AND token_hash = :token_hash AND export_id = :export_id AND staff_id = :staff_id
        AND used_at IS NULL AND expires_at > now()
""")
_COUNT = sql("""
    UPDATE exports SET fetches = fetches + 1
    WHERE tenant_id = :tenant AND export_id = :export_id AND (fetches = 0 OR NOT :first::boolean)
""")
_EXPIRE = sql("UPDATE files SET expires_at = now() WHERE tenant_id = :tenant AND file_id = :file_id")
_LET_GO = sql("""
    WITH held AS (SELECT file_id FROM exports WHERE tenant_id = :tenant AND export_id = :export_id),
    freed AS (UPDATE exports SET file_id = NULL WHERE tenant_id = :tenant AND export_id = :export_id)
    SELECT file_id FROM held
""")
_DROP = sql("DELETE FROM files WHERE tenant_id = :tenant AND file_id = :file_id")


class PgApprovals:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def waiting(self, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        me = self._session.principal.staff_id
        return await self._session.fetch(_WAITING, before=before or _AFTER_ALL, limit=limit, me=me)

    async def find(self, export_id: UUID) -> StoredExport | None:
        # Two statements: what is read is what stands there once it is held.
        await self._session.execute(_HOLD, export_id=export_id)
        row = await self._session.fetchrow(_BY_ID, export_id=export_id)
        return None if row is None else stored(row)

    async def fresh(self, export_id: UUID) -> Sequence[UUID]:
        return [row["staff_id"] for row in await self._session.fetch(_FRESH, export_id=export_id)]

    async def agree(self, export: StoredExport) -> None:
        await self._session.execute(
            _AGREE,
            export_id=export.export_id,
            round=export.round,
            staff_id=self._session.principal.staff_id,
            rows=export.asked_rows,
        )

    async def release(self, export: StoredExport) -> UUID:
        job_id = await PgJobs(self._session).enqueue(
            "export",
            unit="rows",
            request={"export_id": str(export.export_id)},
            behalf=(export.staff_id, export.scopes),
        )
        await self._session.execute(_RELEASE, export_id=export.export_id, job_id=job_id)
        return job_id

    async def reject(self, export_id: UUID, error: Mapping[str, Any]) -> None:
        await self._session.execute(_REJECT, export_id=export_id, error=error)

    async def ask_again(self, export_id: UUID, *, rows: int, needs: int) -> None:
        await self._session.execute(_ASK_AGAIN, export_id=export_id, rows=rows, needs=needs)


class PgFetches:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def add_link(self, export_id: UUID, token_hash: bytes, expires_at: datetime) -> None:
        await self._session.execute(
            _LINK,
            export_id=export_id,
            token_hash=token_hash,
            expires_at=expires_at,
            staff_id=self._session.principal.staff_id,
        )

    async def use_link(self, export_id: UUID, token_hash: bytes) -> bool:
        staff_id = self._session.principal.staff_id
        used = await self._session.execute(_USE_LINK, export_id=export_id, token_hash=token_hash, staff_id=staff_id)
        return used == 1

    async def count(self, export_id: UUID, *, first: bool) -> bool:
        return await self._session.execute(_COUNT, export_id=export_id, first=first) == 1

    async def expire(self, file_id: UUID) -> None:
        await self._session.execute(_EXPIRE, file_id=file_id)

    async def let_go(self, export_id: UUID) -> None:
        file_id = await self._session.fetchval(_LET_GO, export_id=export_id)
        if file_id is not None:
            await self._session.execute(_DROP, file_id=file_id)
