"""What is left to do for whom, and by when: open issues of a curator's records by the day they are due."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.quality.fixing_ports import TaskAsk

# A day that somebody has set counts, else so many days from the one on which it was found.
_DUE = """coalesce(f.due_on, (f.found_at AT TIME ZONE :time_zone::text)::date
    + (:days::jsonb ->> f.severity)::int)"""
_OPEN = """quality_findings f JOIN customers c ON c.tenant_id = f.tenant_id AND c.customer_id = f.customer_id
    WHERE f.tenant_id = :tenant AND f.state = 'open' AND c.erased_at IS NULL AND c.restricted_at IS NULL"""
_TASKS = sql(f"""
    SELECT t.* FROM (
        SELECT f.finding_id AS issue_id, f.customer_id, c.display_name, c.curator_id, f.code, f.field, f.detail_id,
            f.cause, f.severity, f.confidence, f.proposal, f.found_at, {_DUE} AS due_on
        FROM {_OPEN} AND c.curator_id = ANY (:curators::uuid[])
    ) t
    WHERE (:by::date IS NULL OR t.due_on <= :by)
        AND (:after_on::date IS NULL OR (t.due_on, t.issue_id) > (:after_on, :after_id::uuid))
    ORDER BY t.due_on, t.issue_id LIMIT :limit
""")
_WORKLOAD = sql(f"""
    SELECT t.curator_id, count(*) AS open, count(*) FILTER (WHERE t.due_on < :today::date) AS overdue,
        count(DISTINCT t.customer_id) AS customers, min(t.due_on) AS next_due_on
    FROM (SELECT c.curator_id, f.customer_id, {_DUE} AS due_on FROM {_OPEN} AND c.curator_id IS NOT NULL
        AND (:after::uuid IS NULL OR c.curator_id > :after)) t
    GROUP BY t.curator_id ORDER BY t.curator_id LIMIT :limit
""")
_SCHEDULE = sql("""
    UPDATE quality_findings SET due_on = :due_on::date
    WHERE tenant_id = :tenant AND finding_id = :issue_id AND state = 'open'
""")
_VERIFIED = sql("""
    UPDATE quality_findings SET state = 'gone', decided_at = now()
    WHERE tenant_id = :tenant AND customer_id = :customer_id AND state = 'open' AND cause = 'stale'
        AND (detail_id = ANY (:details::uuid[]) OR detail_id IS NULL AND field = ANY (:fields::text[]))
""")


class PgTasks:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def tasks(self, ask: TaskAsk, days: Mapping[str, int], time_zone: str) -> Sequence[Mapping[str, Any]]:
        after_on, after_id = ask.after or (None, None)
        return await self._session.fetch(
            _TASKS,
            curators=list(ask.curators),
            by=ask.by,
            after_on=after_on,
            after_id=after_id,
            days=dict(days),
            time_zone=time_zone,
            limit=ask.limit,
        )

    async def workload(
        self, days: Mapping[str, int], time_zone: str, today: date, after: UUID | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        return await self._session.fetch(
            _WORKLOAD, days=dict(days), time_zone=time_zone, today=today, after=after, limit=limit
        )

    async def schedule(self, issue_id: UUID, due_on: date | None) -> bool:
        return bool(await self._session.execute(_SCHEDULE, issue_id=issue_id, due_on=due_on))

    async def verified(self, customer_id: UUID, fields: Sequence[str], details: Sequence[UUID]) -> int:
        return await self._session.execute(
            _VERIFIED, customer_id=customer_id, fields=list(fields), details=list(details)
        )
