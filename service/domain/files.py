"""Files in and out, stored in parts so that none is ever whole in memory."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


class Files(Protocol):
    async def write(
        self,
        source: AsyncIterator[bytes],
        *,
        name: str,
        media_type: str,
        expires_at: datetime | None = None,
        verdict: str | None = None,
    ) -> tuple[UUID, int, bytes]:
        """Store a stream; returns id, size in bytes and SHA-256. It exists once the transaction commits.

        The verdict is what a virus scanner says of a file that comes from outside; None for what the service made.
        """
        ...

    async def judged(self, file_id: UUID, verdict: str, *, keep: bool) -> None:
        """Note the verdict; a file that is not to be kept loses its contents."""
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
