"""Jobs in Postgres: our own row for people (progress, state, epoch), PgQueuer's row for the workers."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.settings import DBSettings
from pgqueuer.queries import Queries

from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.ids import new_id
from service.domain.jobs import Cancelled, Job, Superseded

# The queue lives in a schema of its own; see the migration.
QUEUE_SETTINGS = DBSettings(db_schema="jobs")
ENTRYPOINT = "clientbase"
# A job does no more than the token that asked for it could, whatever else the staff row allows.
_SCOPES = "scopes"
_ADD = sql("""
    INSERT INTO jobs (tenant_id, job_id, staff_id, kind, unit, request)
    VALUES (:tenant, :job_id, :staff_id, :kind, :unit, :request)
""")
_CARD = sql("""
    SELECT job_id, kind, state, done, total, unit, cancel_requested, error, created_at, started_at, finished_at
    FROM jobs WHERE tenant_id = :tenant AND job_id = :job_id
""")
_START = sql("""
    UPDATE jobs SET epoch = epoch + 1, state = 'running', started_at = coalesce(started_at, now())
    WHERE tenant_id = :tenant AND job_id = :job_id AND state IN ('queued', 'running')
    RETURNING kind, epoch, request
""")
_ADVANCE = sql("""
    UPDATE jobs SET done = :done, total = :total
    WHERE tenant_id = :tenant AND job_id = :job_id AND epoch = :epoch AND state = 'running'
    RETURNING cancel_requested
""")
_FINISH = sql("""
    UPDATE jobs SET state = :state, error = :error, finished_at = now(),
        done = CASE WHEN :state = 'done' THEN coalesce(total, done) ELSE done END
    WHERE tenant_id = :tenant AND job_id = :job_id AND epoch = :epoch AND state = 'running'
""")
# What has not begun ends at once, with what it was to do; what runs is asked to stop.
_CANCEL = sql("""
    WITH asked AS (
        UPDATE jobs SET cancel_requested = true,
            state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END,
            finished_at = CASE WHEN state = 'queued' THEN now() END
        WHERE tenant_id = :tenant AND job_id = :job_id AND state IN ('queued', 'running')
        RETURNING job_id, state
    ), unbegun AS (SELECT job_id FROM asked WHERE state = 'cancelled'),
    imported AS (
        UPDATE imports i SET state = 'cancelled', finished_at = now() FROM unbegun u
        WHERE i.tenant_id = :tenant AND i.job_id = u.job_id
    ), exported AS (
        UPDATE exports e SET state = 'cancelled', finished_at = now() FROM unbegun u
        WHERE e.tenant_id = :tenant AND e.job_id = u.job_id
    )
    SELECT count(*) FROM asked
""")
# A new epoch, so that a run that was thought dead finds itself superseded.
_REFUSE = sql("""
    WITH ended AS (
        UPDATE jobs SET state = 'failed', error = :error, epoch = epoch + 1, finished_at = now()
        WHERE tenant_id = :tenant AND job_id = :job_id AND state IN ('queued', 'running')
        RETURNING job_id
    ), imported AS (
        UPDATE imports i SET state = 'failed', error = :error, finished_at = now() FROM ended e
        WHERE i.tenant_id = :tenant AND i.job_id = e.job_id RETURNING i.import_id
    ), exported AS (
        UPDATE exports x SET state = 'failed', error = :error, finished_at = now() FROM ended e
        WHERE x.tenant_id = :tenant AND x.job_id = e.job_id RETURNING x.export_id
    )
    SELECT 'job' AS entity, job_id AS entity_id FROM ended
    UNION ALL SELECT 'import', import_id FROM imported UNION ALL SELECT 'export', export_id FROM exported
""")


# PgQueuer's own statement, in our transaction and under the caller's role: priority 0, at once, no headers.
_ENQUEUE = Statement(
    QueryQueueBuilder(QUEUE_SETTINGS).build_enqueue_query("raise"),
    ("priority", "entrypoint", "payload", "after", "dedupe", "headers"),
    {"priority": [0], "entrypoint": [ENTRYPOINT], "after": [timedelta()], "dedupe": [None], "headers": [None]},
)


def queries(connection: Any) -> Queries:
    """PgQueuer's own statements on one connection, in our schema."""
    return Queries(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(QUEUE_SETTINGS),
        qbq=QueryQueueBuilder(QUEUE_SETTINGS),
        qbs=QuerySchedulerBuilder(QUEUE_SETTINGS),
    )


class PgJobs:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def enqueue(
        self, kind: str, *, unit: str, request: Mapping[str, Any], behalf: tuple[UUID, Sequence[str]] | None = None
    ) -> UUID:
        """Queue work in this transaction; the payload names job, tenant and person, and nothing else.

        On another's `behalf` (his id, and the scopes that he asked with) it is his work; row policies let only who
        reaches the whole tenant write that.
        """
        job_id = new_id()
        principal = self._session.principal
        staff_id, scopes = behalf or (principal.staff_id, sorted(principal.scopes))
        await self._session.execute(
            _ADD,
            job_id=job_id,
            staff_id=staff_id,
            kind=kind,
            unit=unit,
            request=dict(request) | {_SCOPES: list(scopes)},
        )
        payload = orjson.dumps({"job": str(job_id), "tenant": principal.tenant, "staff": str(staff_id)})
        await self._session.fetch(_ENQUEUE, payload=[payload])
        return job_id

    async def card(self, job_id: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_CARD, job_id=job_id)

    async def start(self, job_id: UUID) -> Job | None:
        row = await self._session.fetchrow(_START, job_id=job_id)
        return None if row is None else Job(job_id=job_id, scopes=row["request"].pop(_SCOPES, ()), **dict(row))

    async def advance(self, job: Job, *, done: int, total: int | None) -> None:
        row = await self._session.fetchrow(_ADVANCE, job_id=job.job_id, epoch=job.epoch, done=done, total=total)
        if row is None:
            raise Superseded
        if row["cancel_requested"]:
            raise Cancelled

    async def finish(self, job: Job, state: str, error: Mapping[str, Any] | None = None) -> None:
        touched = await self._session.execute(_FINISH, job_id=job.job_id, epoch=job.epoch, state=state, error=error)
        if not touched:
            raise Superseded

    async def refuse(self, job_id: UUID, error: Mapping[str, Any]) -> Sequence[tuple[str, UUID]]:
        """Fail a job that must not run (any more), with the import or export that it was to do; names what it ended."""
        rows = await self._session.fetch(_REFUSE, job_id=job_id, error=error)
        return [(row["entity"], row["entity_id"]) for row in rows]

    async def cancel(self, job_id: UUID) -> bool:
        """Ask a job to stop; False when it has ended."""
        return bool(await self._session.fetchval(_CANCEL, job_id=job_id))


async def listen(url: str) -> asyncpg.Connection:
    """The worker's own direct connection: LISTEN wants one, and its role can touch the queue alone."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "clientbase-worker"})
    await connection.execute("SET ROLE clientbase_queue")
    return connection
