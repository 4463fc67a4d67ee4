"""A file is handed to the one who asked for it: once as it is, and by a link for each further time.

A link works once, for ten minutes, with the bearer token of the person who drew it: by itself, in a log or a history,
it opens nothing. What is kept of it is a hash. Each link and each fetch is a line of the audit, written before a byte
goes. A tenant may have files deleted once they were fetched; else they have their hours.
"""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from service.domain.access import Principal, Scope
from service.domain.exports.agreement import LINK_LIFE, ExportPolicy
from service.domain.exports.errors import (
    ExportExpired,
    ExportFetched,
    ExportNotReady,
    ExportOfAnother,
    LinkSpent,
    NoExport,
)
from service.domain.exports.policy import check_fetch
from service.domain.exports.ports import ExportsTransaction, StoredExport
from service.domain.ports import Clock, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    export_id: UUID
    file_id: UUID
    name: str
    media_type: str
    size: int
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What is shown of a link, once."""

    token: str
    expires_at: datetime


class DeliveryService:
    def __init__(self, uow: UnitOfWork[ExportsTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def link(self, principal: Principal, export_id: UUID) -> Link:
        """A link to the file, for the caller alone."""
        link = Link(token=secrets.token_urlsafe(32), expires_at=self._clock.now() + LINK_LIFE)
        async with self._uow.begin(principal) as tx:
            stored, _ = await _ready(tx, principal, export_id)
            await tx.export_fetches.add_link(export_id, _hash(link.token), link.expires_at)
            await tx.journal.audit("exports.link", "export", export_id, records=0, clear=stored.clear)
            await tx.commit()
        return link

    async def open_file(self, principal: Principal, export_id: UUID, token: str | None = None) -> Download:
        """The file of a finished export; without a link the first time only."""
        async with self._uow.begin(principal) as tx:
            stored, file = await _ready(tx, principal, export_id)
            if token is not None and not await tx.export_fetches.use_link(export_id, _hash(token)):
                raise LinkSpent
            if not await tx.export_fetches.count(export_id, first=token is None):
                raise ExportFetched
            last = ExportPolicy.of(await tx.policies.read()).delete_after_fetch
            if last:
                await tx.export_fetches.expire(file["file_id"])
            await tx.journal.audit(
                "exports.download",
                "export",
                export_id,
                records=stored.rows or 0,
                clear=stored.clear,
                fetch=stored.fetches + 1,
                by="link" if token is not None else "first fetch",
            )
            await tx.commit()
        kept = {name: file[name] for name in ("file_id", "name", "media_type", "size")}
        return Download(export_id=export_id, last=last, **kept)

    async def parts(self, principal: Principal, file: Download) -> AsyncIterator[bytes]:
        """The bytes, part by part; a slow reader holds no connection."""
        number = 0
        while True:
            async with self._uow.begin(principal) as tx:
                part = await tx.files.part(file.file_id, number)
            if part is None:
                break
            yield part
            number += 1
        if file.last:
            # Of a fetch that breaks off, the hourly sweep takes the rest: the file has expired by then.
            async with self._uow.begin(principal) as tx:
                await tx.export_fetches.let_go(file.export_id)
                await tx.commit()


async def _ready(tx: ExportsTransaction, principal: Principal, export_id: UUID) -> tuple[StoredExport, Any]:
    principal.require(Scope.EXPORTS_CREATE)
    stored = await tx.exports.find(export_id)
    if stored is None:
        raise NoExport
    if stored.staff_id != principal.staff_id:
        raise ExportOfAnother
    if stored.state != "done":
        raise ExportNotReady(state=stored.state)
    check_fetch(principal, stored.scopes, clear=stored.clear)
    # Some time after a file has expired it is swept away, and its export names none any more.
    file = None if stored.file_id is None else await tx.files.find(stored.file_id)
    if file is None:
        raise ExportExpired
    return stored, file


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
