"""Links between records; one is seen from either end, where both ends are within reach."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql

# The row policies of `customers` leave out what is out of reach.
_OF = sql("""
    SELECT l.kind, x.direction, x.other_id, o.display_name AS other_name, o.kind AS other_kind, l.created_at, l.staff_id
    FROM customer_links l
    CROSS JOIN LATERAL (SELECT 'to' AS direction, l.other_id WHERE l.customer_id = :customer_id
                        UNION ALL SELECT 'from', l.customer_id WHERE l.other_id = :customer_id) x
    JOIN customers o ON o.tenant_id = l.tenant_id AND o.customer_id = x.other_id
    WHERE l.tenant_id = :tenant AND (l.customer_id = :customer_id OR l.other_id = :customer_id)
    ORDER BY l.kind, x.direction DESC, o.sort_name, x.other_id LIMIT 1000
""")
_ADD = sql("""
    INSERT INTO customer_links (tenant_id, customer_id, kind, other_id, staff_id)
    VALUES (:tenant, :customer_id, :kind, :other_id, :staff_id) ON CONFLICT DO NOTHING
""")
_REMOVE = sql("""
    DELETE FROM customer_links
    WHERE tenant_id = :tenant AND customer_id = :customer_id AND kind = :kind AND other_id = :other_id
""")


class PgLinks:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def of(self, customer_id: UUID) -> list[Mapping[str, Any]]:
        """Links of a record to and from records within reach."""
        return await self._session.fetch(_OF, customer_id=customer_id)

    async def add(self, customer_id: UUID, kind: str, other_id: UUID) -> bool:
        """False when there is such a link already."""
        staff_id = self._session.principal.staff_id
        added = await self._session.execute(
            _ADD, customer_id=customer_id, kind=kind, other_id=other_id, staff_id=staff_id
        )
        return added > 0

    async def remove(self, customer_id: UUID, kind: str, other_id: UUID) -> bool:
        """False when there was no such link."""
        return await self._session.execute(_REMOVE, customer_id=customer_id, kind=kind, other_id=other_id) > 0
