"""Files in and out, stored in parts so that none is ever whole in memory."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


class Files(Protocol):
    async def write(
        self, source: AsyncIterator[bytes], *, name: str, media_type: str, expires_at: datetime | None = None
    ) -> tuple[UUID, int, bytes]:
        """Store a stream; returns id, size in bytes and SHA-256. It exists once the transaction commits."""
        ...

    async def find(self, file_id: UUID) -> Any | None:
        """Name, type, size and hash; None when it is out of reach or has expired."""
        ...

    async def part(self, file_id: UUID, number: int) -> bytes | None:
        """The part of that number, from 0 on; None after the last."""
        ...

    async def drop(self, file_id: UUID) -> None:
        """Remove it with all its parts."""
        ...
