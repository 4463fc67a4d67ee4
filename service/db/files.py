"""Files in the database, in parts: what one process takes in, a worker on another machine can read.

They are written and read as streams; no file is ever whole in memory.
"""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.ids import new_id

PART = 1 << 20
_ADD = sql("""
    INSERT INTO files (tenant_id, file_id, staff_id, name, media_type, size, sha256, expires_at, verdict, scanned_at)
    VALUES (:tenant, :file_id, :staff_id, :name, :media_type, 0, ''::bytea, :expires_at, :verdict,
            CASE WHEN :verdict = 'clean' THEN now() END)
""")
_ADD_PART = sql("""
    INSERT INTO file_parts (tenant_id, file_id, part_no, content) VALUES (:tenant, :file_id, :part_no, :content)
""")
_SEAL = sql("UPDATE files SET size = :size, sha256 = :sha256 WHERE tenant_id = :tenant AND file_id = :file_id")
_FIND = sql("""
    SELECT file_id, name, media_type, size, sha256, created_at FROM files
    WHERE tenant_id = :tenant AND file_id = :file_id AND coalesce(expires_at, 'infinity') > now()
""")
_PART = sql("SELECT content FROM file_parts WHERE tenant_id = :tenant AND file_id = :file_id AND part_no = :part_no")
_JUDGED = sql("""
    WITH parts AS (
        DELETE FROM file_parts WHERE tenant_id = :tenant AND file_id = :file_id AND NOT :keep
    )
    UPDATE files SET verdict = :verdict, scanned_at = now(), sha256 = CASE WHEN :keep THEN sha256 ELSE ''::bytea END
    WHERE tenant_id = :tenant AND file_id = :file_id
""")
_DROP = sql("DELETE FROM files WHERE tenant_id = :tenant AND file_id = :file_id")


class PgFiles:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def write(
        self,
        source: AsyncIterator[bytes],
        *,
        name: str,
        media_type: str,
        expires_at: datetime | None = None,
        verdict: str | None = None,
    ) -> tuple[UUID, int, bytes]:
        """Store a stream; returns id, size in bytes and SHA-256. It exists once the transaction commits."""
        file_id = new_id()
        staff_id = self._session.principal.staff_id
        await self._session.execute(
            _ADD,
            file_id=file_id,
            staff_id=staff_id,
            name=name,
            media_type=media_type,
            expires_at=expires_at,
            verdict=verdict,
        )
        digest = hashlib.sha256()
        size = number = 0
        buffer = bytearray()
        async for piece in source:
            digest.update(piece)
            size += len(piece)
            buffer += piece
            if len(buffer) >= PART:
                await self._part(file_id, number, buffer)
                number += 1
                buffer = bytearray()
        if buffer or not number:
            await self._part(file_id, number, buffer)
        await self._session.execute(_SEAL, file_id=file_id, size=size, sha256=digest.digest())
        return file_id, size, digest.digest()

    async def _part(self, file_id: UUID, number: int, content: bytearray) -> None:
        await self._session.execute(_ADD_PART, file_id=file_id, part_no=number, content=bytes(content))

    async def find(self, file_id: UUID) -> Any | None:
        """Name, type, size and hash; None when it is out of reach or has expired."""
        return await self._session.fetchrow(_FIND, file_id=file_id)

    async def part(self, file_id: UUID, number: int) -> bytes | None:
        """The part of that number, from 0 on; None after the last."""
        content = await self._session.fetchval(_PART, file_id=file_id, part_no=number)
        return None if content is None else bytes(content)

    async def judged(self, file_id: UUID, verdict: str, *, keep: bool) -> None:
        await self._session.execute(_JUDGED, file_id=file_id, verdict=verdict, keep=keep)

    async def drop(self, file_id: UUID) -> None:
        await self._session.execute(_DROP, file_id=file_id)
