"""Duplicates as people see them: pairs and clusters of the records within reach, and the marks that part two."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.duplicate_matching import LINKAGE
from service.db.session import ROLE, Session
from service.db.statement import sql
from service.domain.access import Reach
from service.domain.linkage.model import DEFAULT

# Contacts are masked here as everywhere.
_RECORD = """
    json_build_object('customer_id', c.customer_id, 'kind', c.kind, 'display_name', c.display_name, 'status', c.status,
        'city', c.city, 'curator_id', c.curator_id, 'team_id', c.team_id, 'version', c.version,
        'created_at', c.created_at,
        'contacts', coalesce((SELECT json_agg(json_build_object('kind', d.kind, 'value', d.masked)
                                              ORDER BY d.kind, d.detail_id)
                     FROM contact_details d
                     WHERE d.tenant_id = c.tenant_id AND d.customer_id = c.customer_id), '[]'::json))
"""
_MARKED = """EXISTS (SELECT FROM never_merge n
    WHERE n.tenant_id = p.tenant_id AND n.first_id = p.first_id AND n.second_id = p.second_id)"""
_PAIR = f"""
    json_build_object('first_id', p.first_id, 'second_id', p.second_id, 'weight', round(p.weight::numeric, 2),
        'probability', round(p.probability::numeric, 4), 'waterfall', p.waterfall::json, 'never_merge', {_MARKED},
        'found_at', p.found_at)
"""
_CARD = f"""
    SELECT k.cluster_id,
        (SELECT json_agg({_RECORD} ORDER BY c.customer_id)::text
         FROM duplicate_members m JOIN customers c ON c.tenant_id = m.tenant_id AND c.customer_id = m.customer_id
         WHERE m.tenant_id = :tenant AND m.cluster_id = k.cluster_id) AS records,
        (SELECT coalesce(json_agg({_PAIR} ORDER BY p.weight DESC, p.first_id, p.second_id), '[]'::json)::text
         FROM duplicate_members a
         JOIN duplicate_pairs p ON p.tenant_id = a.tenant_id AND p.first_id = a.customer_id
         JOIN duplicate_members b ON b.tenant_id = p.tenant_id AND b.customer_id = p.second_id
         WHERE a.tenant_id = :tenant AND a.cluster_id = k.cluster_id AND b.cluster_id = k.cluster_id) AS pairs
    FROM ({{chosen}}) k ORDER BY k.cluster_id DESC
"""
_CHOSEN = """
    SELECT m.cluster_id FROM duplicate_members m
    JOIN customers c ON c.tenant_id = m.tenant_id AND c.customer_id = m.customer_id
    WHERE m.tenant_id = :tenant AND {which}
    GROUP BY m.cluster_id HAVING count(*) > 1
    ORDER BY m.cluster_id DESC LIMIT :limit
"""
_LATER = "(:after::uuid IS NULL OR m.cluster_id < :after::uuid) AND (:kind::text IS NULL OR c.kind = :kind::text)"
_PAGE = sql(_CARD.format(chosen=_CHOSEN.format(which=_LATER)))
_ONE = sql(_CARD.format(chosen=_CHOSEN.format(which="m.cluster_id = :cluster_id").replace(":limit", "1")))
_OF_CUSTOMER = sql(f"""
    SELECT (SELECT m.cluster_id FROM duplicate_members m
            WHERE m.tenant_id = c.tenant_id AND m.customer_id = c.customer_id
                AND EXISTS (SELECT FROM duplicate_members o WHERE o.tenant_id = m.tenant_id
                    AND o.cluster_id = m.cluster_id AND o.customer_id <> m.customer_id)) AS cluster_id,
        (SELECT coalesce(json_agg({_PAIR} ORDER BY p.weight DESC, p.first_id, p.second_id), '[]'::json)::text
         FROM duplicate_pairs p
         JOIN customers o ON o.tenant_id = p.tenant_id
            AND o.customer_id = CASE WHEN p.first_id = c.customer_id THEN p.second_id ELSE p.first_id END
         WHERE p.tenant_id = :tenant AND (p.first_id = c.customer_id OR p.second_id = c.customer_id)) AS pairs
    FROM customers c WHERE c.tenant_id = :tenant AND c.customer_id = :customer_id
""")
_LIKES = sql("""
    SELECT c.customer_id, c.kind, (SELECT json_build_object('team_id', t.team_id, 'name', t.name)::jsonb FROM teams t
            WHERE t.tenant_id = c.tenant_id AND t.team_id = c.team_id) AS team
    FROM duplicate_pairs p
    JOIN customers c ON c.tenant_id = p.tenant_id AND c.erased_at IS NULL
        AND c.customer_id = CASE WHEN p.first_id = :customer_id THEN p.second_id ELSE p.first_id END
    WHERE p.tenant_id = :tenant AND (p.first_id = :customer_id OR p.second_id = :customer_id)
        AND p.probability >= :least
    ORDER BY p.weight DESC, c.customer_id LIMIT 20
""")
_WITHIN = sql("SELECT customer_id FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])")
_UNDER_WAY = sql("""
    SELECT job_id FROM jobs WHERE tenant_id = :tenant AND kind = :kind AND state IN ('queued', 'running') LIMIT 1
""")
_STATE = sql("SELECT matched_at, scanned_at FROM linkage_progress WHERE tenant_id = :tenant")
_MARK = sql("""
    INSERT INTO never_merge (tenant_id, first_id, second_id, staff_id)
    SELECT :tenant, :first_id::uuid, :second_id::uuid, :staff_id::uuid
    WHERE 2 = (SELECT count(*) FROM customers c WHERE c.tenant_id = :tenant
        AND c.customer_id IN (:first_id::uuid, :second_id::uuid) AND c.erased_at IS NULL)
    ON CONFLICT DO NOTHING RETURNING first_id
""")
_THE_MARK = sql("""
    SELECT n.first_id, n.second_id, n.staff_id, n.created_at FROM never_merge n
    WHERE n.tenant_id = :tenant AND n.first_id = :first_id AND n.second_id = :second_id
""")
_UNMARK = sql("DELETE FROM never_merge WHERE tenant_id = :tenant AND first_id = :first_id AND second_id = :second_id")
_MARKS = sql("""
    SELECT n.first_id, n.second_id, n.staff_id, n.created_at FROM never_merge n
    WHERE n.tenant_id = :tenant AND (n.first_id, n.second_id) > (:first_id::uuid, :second_id::uuid)
    ORDER BY n.first_id, n.second_id LIMIT :limit
""")
_LEAST = UUID(int=0)


class PgDuplicates:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def page(self, *, after: UUID | None, limit: int, kind: str | None) -> Sequence[Mapping[str, Any]]:
        return await self._session.fetch(_PAGE, after=after, limit=limit, kind=kind)

    async def cluster(self, cluster_id: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_ONE, cluster_id=cluster_id)

    async def of_customer(self, customer_id: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_OF_CUSTOMER, customer_id=customer_id)

    async def elsewhere(self, customer_id: UUID) -> Sequence[Mapping[str, Any]]:
        async with self._session.as_role(ROLE[Reach.TENANT]):
            likes = await self._session.fetch(_LIKES, customer_id=customer_id, least=DEFAULT.threshold)
        seen = await self._session.fetch(_WITHIN, ids=[row["customer_id"] for row in likes])
        within = {row["customer_id"] for row in seen}
        return [row for row in likes if row["customer_id"] not in within]

    async def under_way(self, kind: str) -> UUID | None:
        found: UUID | None = await self._session.fetchval(_UNDER_WAY, kind=kind)
        return found

    async def state(self) -> Mapping[str, Any]:
        async with self._session.as_role(LINKAGE):
            row = await self._session.fetchrow(_STATE)
        return row or {"matched_at": None, "scanned_at": None}

    async def mark(self, first: UUID, second: UUID) -> bool | None:
        if await self.the_mark(first, second) is not None:
            return False
        added = await self._session.fetchval(
            _MARK, first_id=first, second_id=second, staff_id=self._session.principal.staff_id
        )
        return True if added else None

    async def the_mark(self, first: UUID, second: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_THE_MARK, first_id=first, second_id=second)

    async def unmark(self, first: UUID, second: UUID) -> bool:
        return bool(await self._session.execute(_UNMARK, first_id=first, second_id=second))

    async def marks(self, after: tuple[UUID, UUID] | None, limit: int) -> Sequence[Mapping[str, Any]]:
        first, second = after or (_LEAST, _LEAST)
        return await self._session.fetch(_MARKS, first_id=first, second_id=second, limit=limit)
