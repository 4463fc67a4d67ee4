"""Import runs and their rejected rows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.ingestion.faults import Reject
from service.domain.ingestion.ports import ImportRun, NewImport

_SAME = sql("""
    SELECT import_id FROM imports WHERE tenant_id = :tenant AND content_hash = :content_hash::bytea
      AND (kind = :kind::text AND state IN ('queued', 'running', 'done') OR state = 'quarantined')
      AND import_id IS DISTINCT FROM :but::uuid LIMIT 1
""")
_COLUMNS = ("import_id", "job_id", "file_id", "kind", "preset", "source", "mapping", "content_hash", "state")
_ADD = sql(f"""
    INSERT INTO imports (tenant_id, staff_id, {", ".join(_COLUMNS)})
    VALUES (:tenant, :staff_id, {", ".join(":" + name for name in _COLUMNS)})
""")
_RUN = """
    SELECT i.import_id, i.job_id, i.file_id, i.kind, i.source, i.mapping, i.content_hash, i.state, i.watermark,
           i.rejects AS report, i.counts, i.created_at, f.size, f.verdict
    FROM imports i JOIN files f ON f.tenant_id = i.tenant_id AND f.file_id = i.file_id
    WHERE i.tenant_id = :tenant
"""
_FIND = sql(_RUN + " AND i.import_id = :import_id")
_BY_JOB = sql(_RUN + " AND i.job_id = :job_id")
_CARD = """
    SELECT i.import_id, i.job_id, i.kind, i.preset, i.source, i.state, i.rows_read, i.rows_applied, i.rows_rejected,
           i.counts, i.rejects AS report, i.error, i.created_at, i.finished_at,
           f.name AS file_name, f.size AS file_bytes, octet_length(f.sha256) = 0 AS file_erased,
           j.done, j.total, j.started_at
    FROM imports i
    JOIN files f ON f.tenant_id = i.tenant_id AND f.file_id = i.file_id
    JOIN jobs j ON j.tenant_id = i.tenant_id AND j.job_id = i.job_id
    WHERE i.tenant_id = :tenant
"""
_CARD_BY_ID = sql(_CARD + " AND i.import_id = :import_id")
_PAGE = sql(_CARD + " AND i.import_id < :before::uuid ORDER BY i.import_id DESC LIMIT :limit")
_NOTE = sql("""
    UPDATE imports SET watermark = :watermark, rejects = :report, counts = :counts, state = 'running',
        rows_read = :rows_read, rows_applied = :rows_applied, rows_rejected = :rows_rejected
    WHERE tenant_id = :tenant AND import_id = :import_id
""")
_RELEASE = sql("""
    UPDATE imports SET state = 'queued', kind = :kind, preset = :preset, mapping = :mapping
    WHERE tenant_id = :tenant AND import_id = :import_id AND state = 'quarantined'
""")
_FINISH = sql("""
    UPDATE imports SET state = :state, error = :error, finished_at = now()
    WHERE tenant_id = :tenant AND import_id = :import_id
""")
_ADD_REJECTS = sql("""
    INSERT INTO import_rejects (tenant_id, import_id, row_no, line, field, code, reason, cells)
    SELECT :tenant, :import_id, u.row_no, u.line, u.field, u.code, u.reason, string_to_array(u.cells, :mark)
    FROM unnest(:rows::bigint[], :lines::bigint[], :fields::text[], :codes::text[], :reasons::text[], :cells::text[])
         AS u (row_no, line, field, code, reason, cells)
    ON CONFLICT DO NOTHING
""")
_REJECTS = sql("""
    SELECT row_no, line, field, code, reason, cells FROM import_rejects
    WHERE tenant_id = :tenant AND import_id = :import_id AND row_no > :after ORDER BY row_no LIMIT :limit
""")
# Between the cells of a row on its way in; no text may hold it (see the reader's bad-character rule).
_MARK = "\x1f"


class PgImports:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def same_content(self, kind: str | None, content_hash: bytes, but: UUID | None = None) -> UUID | None:
        found: UUID | None = await self._session.fetchval(_SAME, kind=kind, content_hash=content_hash, but=but)
        return found

    async def add(self, new: NewImport) -> None:
        values = {name: getattr(new, name) for name in _COLUMNS}
        await self._session.execute(_ADD, staff_id=self._session.principal.staff_id, **values)

    async def release(self, import_id: UUID, *, kind: str, preset: str | None, mapping: Mapping[str, Any]) -> None:
        await self._session.execute(_RELEASE, import_id=import_id, kind=kind, preset=preset, mapping=dict(mapping))

    async def find(self, import_id: UUID) -> ImportRun | None:
        row = await self._session.fetchrow(_FIND, import_id=import_id)
        return None if row is None else _run(row)

    async def by_job(self, job_id: UUID) -> ImportRun | None:
        row = await self._session.fetchrow(_BY_JOB, job_id=job_id)
        return None if row is None else _run(row)

    async def card(self, import_id: UUID) -> Mapping[str, Any] | None:
        """What people see of an import; None when it is out of reach."""
        return await self._session.fetchrow(_CARD_BY_ID, import_id=import_id)

    async def page(self, before: UUID, limit: int) -> list[Mapping[str, Any]]:
        """Imports, newest first, from the one before `before` on."""
        return await self._session.fetch(_PAGE, before=before, limit=limit)

    async def note(
        self, import_id: UUID, *, watermark: int, report: Mapping[str, Any], counts: Mapping[str, int]
    ) -> None:
        await self._session.execute(
            _NOTE,
            import_id=import_id,
            watermark=watermark,
            report=dict(report),
            counts=dict(counts),
            rows_read=report["read"],
            rows_applied=report["accepted"],
            rows_rejected=report["rejected"],
        )

    async def keep_rejects(self, import_id: UUID, rejects: Sequence[Reject]) -> None:
        if not rejects:
            return
        await self._session.execute(
            _ADD_REJECTS,
            import_id=import_id,
            mark=_MARK,
            rows=[one.row for one in rejects],
            lines=[one.line for one in rejects],
            fields=["; ".join(v.field or "" for v in one.violations) for one in rejects],
            codes=["; ".join(v.code for v in one.violations) for one in rejects],
            reasons=[" ".join(v.detail for v in one.violations) for one in rejects],
            cells=[_kept(one.cells) for one in rejects],
        )

    async def rejects(self, import_id: UUID, *, after: int, limit: int) -> list[Mapping[str, Any]]:
        """Rejected rows in the order of the file, from the one after row `after` on."""
        return await self._session.fetch(_REJECTS, import_id=import_id, after=after, limit=limit)

    async def finish(self, import_id: UUID, state: str, error: Mapping[str, Any] | None = None) -> None:
        await self._session.execute(_FINISH, import_id=import_id, state=state, error=error)


def _run(row: Any) -> ImportRun:
    values = dict(row)
    values["report"] = values["report"] or {}
    return ImportRun(**values)


def _kept(cells: Sequence[str]) -> str:
    """Cells as they can be stored; NUL and half characters are why such a row was rejected."""
    joined = _MARK.join(cells)
    if joined.isascii() and "\x00" not in joined and joined.count(_MARK) == len(cells) - 1:
        return joined
    joined = _MARK.join(cell.replace(_MARK, " ") for cell in cells)
    return joined.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
