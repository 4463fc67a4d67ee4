"""What tracing a leaked file needs of the database: which exports a tenant has, by the operator's login."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from service.db.session import quote

_EXPORTS = """
    SELECT e.export_id, e.mark, e.staff_id, s.name AS staff_name, e.purpose, e.rows, e.finished_at
    FROM exports e JOIN staff s ON s.tenant_id = e.tenant_id AND s.staff_id = e.staff_id
    WHERE e.tenant_id = $1 AND e.mark IS NOT NULL ORDER BY e.export_id
"""


class NoTenant(LookupError):
    """There is no tenant of this slug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedExport:
    """An export whose file carries a mark; `check` tells by which key."""

    export_id: UUID
    check: bytes
    staff_id: UUID
    staff_name: str
    purpose: str
    rows: int
    finished_at: datetime


async def marked_exports(owner_url: str, slug: str) -> tuple[int, Sequence[MarkedExport]]:
    """The tenant's number and all its marked exports, those included whose files are long gone. Raises NoTenant."""
    connection = await asyncpg.connect(owner_url)
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE clientbase_operator; SET LOCAL app.slug = {quote(slug)}")
            tenant_id = await connection.fetchval("SELECT tenant_id FROM tenants WHERE slug = $1", slug)
            if tenant_id is None:
                raise NoTenant(slug)
            await connection.execute(f"SET LOCAL app.tenant = '{int(tenant_id)}'")
            rows = await connection.fetch(_EXPORTS, tenant_id)
    finally:
        await connection.close()
    return int(tenant_id), [
        MarkedExport(**{("check" if name == "mark" else name): value for name, value in row.items()}) for row in rows
    ]
