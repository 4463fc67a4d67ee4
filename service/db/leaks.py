"""The watch over the base: canaries touched in clear, signals, and what somebody has done.

All of it under the role that alone sees canaries and signals, within the caller's transaction. A touch is told by one
statement that runs for every look in clear, so that neither the answer nor its time says whether there was anything.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.ids import new_id
from service.domain.leaks.model import sentence
from service.domain.leaks.ports import SignalFilter
from service.domain.leaks.thresholds import USUAL

WATCH = "clientbase_watch"
# The canaries of earlier signals are read only where there is one now.
_TOUCHED = """
    WITH touched AS MATERIALIZED (
        SELECT k.customer_id FROM canaries k WHERE k.tenant_id = :tenant AND k.customer_id IN ({ids})
    ), counted AS (SELECT count(*) AS seen, array_agg(customer_id) AS ids FROM touched)
    INSERT INTO leak_signals (tenant_id, signal_id, staff_id, kind, severity, about, parts, evidence)
    SELECT :tenant, :signal_id::uuid, :staff_id::uuid, 'canary',
        CASE WHEN seen + before >= CASE WHEN :leaving::bool THEN 1 ELSE (
            SELECT coalesce((w.policies #>> '{{signals,canaries}}')::int, :usual::int) FROM tenants w
            WHERE w.tenant_id = :tenant) END THEN 'alert' ELSE 'notice' END, :signal_id::uuid::text,
        jsonb_build_object('seen', seen, 'recently', seen + before, 'by', :by::text),
        jsonb_build_object('canaries', to_jsonb(ids[1:100])) || :evidence::jsonb
    FROM (
        SELECT c.seen, c.ids, (
            SELECT count(DISTINCT one) FROM leak_signals s, jsonb_array_elements_text(s.evidence -> 'canaries') one
            WHERE s.tenant_id = :tenant AND s.staff_id = :staff_id AND s.kind = 'canary'
                AND s.at > now() - interval '30 days' AND NOT one::uuid = ANY (c.ids)
        ) AS before
        FROM counted c WHERE c.seen > 0
    ) t
"""
_SEEN = sql(_TOUCHED.format(ids="SELECT unnest(:ids::uuid[])"))
_EXPORTED = sql(
    _TOUCHED.format(
        ids="SELECT unnest(r.customer_ids) FROM export_records r "
        "WHERE r.tenant_id = :tenant AND r.export_id = :export_id"
    )
)
_SIGNAL = """
    SELECT g.signal_id, g.at, g.staff_id, s.name AS staff_name, g.kind, g.severity, g.parts, g.evidence, g.state,
           g.acknowledged_by, g.acknowledged_at, g.note, g.delivered_at
    FROM leak_signals g JOIN staff s ON s.tenant_id = g.tenant_id AND s.staff_id = g.staff_id
    WHERE g.tenant_id = :tenant
"""
_PAGE = sql(f"""
    {_SIGNAL} AND g.signal_id < :before AND (:staff_id::uuid IS NULL OR g.staff_id = :staff_id)
        AND (:kind::text IS NULL OR g.kind = :kind) AND (:severity::text IS NULL OR g.severity = :severity)
        AND (:state::text IS NULL OR g.state = :state) AND (:since::timestamptz IS NULL OR g.at >= :since)
    ORDER BY g.signal_id DESC LIMIT :limit
""")
_CARD = sql(f"{_SIGNAL} AND g.signal_id = :signal_id")
_ACKNOWLEDGE = sql("""
    UPDATE leak_signals SET state = 'acknowledged', acknowledged_by = :by, acknowledged_at = now(), note = :note
    WHERE tenant_id = :tenant AND signal_id = :signal_id AND state = 'open'
""")
_LAST = UUID(int=(1 << 128) - 1)
_DAYS = sql("""
    SELECT to_char(a.hour AT TIME ZONE t.time_zone, 'YYYY-MM-DD') AS day, sum(a.cards)::bigint AS cards,
        sum(a.reveals)::bigint AS reveals, sum(a.searches)::bigint AS searches, sum(a.pages)::bigint AS pages,
        sum(a.exported)::bigint AS exported, sum(a.reassigned)::bigint AS reassigned, max(a.covered) AS covered
    FROM staff_activity a JOIN tenants t ON t.tenant_id = a.tenant_id
    WHERE a.tenant_id = :tenant AND a.staff_id = :staff_id AND a.hour >= :since GROUP BY 1 ORDER BY 1
""")
_WHO = sql("""
    SELECT s.staff_id, s.name, s.state,
        (SELECT count(*) FROM customers c WHERE c.tenant_id = s.tenant_id AND c.curator_id = s.staff_id) AS base,
        (SELECT count(DISTINCT r.customer_id) FROM reveals r
         WHERE r.tenant_id = s.tenant_id AND r.staff_id = s.staff_id AND r.taken_at >= :since) AS revealed
    FROM staff s WHERE s.tenant_id = :tenant AND s.staff_id = :staff_id
""")
_EXPORTS = sql("""
    SELECT export_id, rows, finished_at FROM exports
    WHERE tenant_id = :tenant AND staff_id = :staff_id AND finished_at >= :since ORDER BY finished_at DESC LIMIT 100
""")


class PgLeaks:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def touched(self, customer_ids: Sequence[UUID], *, by: str) -> None:
        async with self._session.as_role(WATCH):
            await self._session.execute(_SEEN, ids=list(customer_ids), evidence={}, **self._touch(by))

    async def export_touched(self, export_id: UUID) -> None:
        evidence = {"export_id": str(export_id)}
        async with self._session.as_role(WATCH):
            await self._session.execute(_EXPORTED, export_id=export_id, evidence=evidence, **self._touch("export"))

    async def signals(self, wanted: SignalFilter, *, before: UUID | None, limit: int) -> list[dict[str, Any]]:
        async with self._session.as_role(WATCH):
            rows = await self._session.fetch(
                _PAGE,
                before=before or _LAST,
                limit=limit,
                staff_id=wanted.staff_id,
                kind=wanted.kind,
                severity=wanted.severity,
                state=wanted.state,
                since=wanted.since,
            )
        return [told(row) for row in rows]

    async def acknowledge(self, signal_id: UUID, note: str) -> dict[str, Any] | None:
        async with self._session.as_role(WATCH):
            await self._session.execute(
                _ACKNOWLEDGE, signal_id=signal_id, note=note, by=self._session.principal.staff_id
            )
            row = await self._session.fetchrow(_CARD, signal_id=signal_id)
        return None if row is None else told(row)

    async def look_back(self, staff_id: UUID, since: datetime) -> dict[str, Any] | None:
        async with self._session.as_role(WATCH):
            who = await self._session.fetchrow(_WHO, staff_id=staff_id, since=since)
            if who is None:
                return None
            days = await self._session.fetch(_DAYS, staff_id=staff_id, since=since)
            exports = await self._session.fetch(_EXPORTS, staff_id=staff_id, since=since)
        signals = await self.signals(SignalFilter(staff_id=staff_id, since=since), before=None, limit=100)
        return {
            **dict(who),
            "days": [dict(row) for row in days],
            "exports": [dict(row) for row in exports],
            "signals": signals,
        }

    def _touch(self, by: str) -> dict[str, object]:
        principal = self._session.principal
        return {
            "signal_id": new_id(),
            "staff_id": principal.staff_id,
            "leaving": principal.leaving,
            "usual": USUAL.canaries,
            "by": by,
        }


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A signal with the sentence that its parts make."""
    shown = dict(row)
    return shown | {"sentence": sentence(shown["kind"], shown["parts"])}
