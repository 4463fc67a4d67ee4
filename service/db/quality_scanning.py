"""Records read with their contacts in clear to be examined, how far scans are, and the numbers of the day."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from service.db.quality_base_wide import STATEMENTS
from service.db.quality_keeping import PgQualityKeeping
from service.db.rules import compile_rule
from service.db.statement import sql
from service.domain.quality.base_wide import BASE_WIDE
from service.domain.quality.examining import FIELDS, Found
from service.domain.quality.ports import Cards, Here, Scan
from service.domain.rules.model import Asked

QUALITY = "clientbase_quality"
_ROW = f"""
    json_build_array(c.customer_id, c.version, c.kind, c.status, c.birth_date, c.birth_year_known, c.gender,
        json_build_array({", ".join(f"c.{name}" for name in FIELDS)}), c.provenance::json,
        extract(epoch FROM c.created_at), c.import_id,
        greatest((SELECT max(p.latest_on) FROM purchase_totals p
            WHERE p.tenant_id = :tenant AND p.customer_id = c.customer_id),
            (SELECT max(i.at)::date FROM interactions i
            WHERE i.tenant_id = :tenant AND i.customer_id = c.customer_id)),
        c.curator_id IS NOT NULL AND coalesce(s.state <> 'active', true),
        (SELECT json_agg(json_build_array(d.kind, d.value, d.detail_id, d.normal, d.masked, encode(d.lookup, 'hex'),
            extract(epoch FROM d.verified_at), extract(epoch FROM d.created_at), d.source, d.author_id)
            ORDER BY d.kind, d.detail_id)
         FROM contact_details d WHERE d.tenant_id = :tenant AND d.customer_id = c.customer_id))::text
"""
_STAFF = "LEFT JOIN staff s ON s.tenant_id = c.tenant_id AND s.staff_id = c.curator_id"
_HERE_AND_NOW = "c.tenant_id = :tenant AND c.erased_at IS NULL"
_NEXT = """(SELECT * FROM customers c WHERE {here} AND c.customer_id > :behind ORDER BY c.customer_id LIMIT :limit) c"""
_ALL = sql(f"""
    SELECT c.customer_id, {_ROW} AS card FROM {_NEXT.format(here=_HERE_AND_NOW)} {_STAFF} ORDER BY c.customer_id
""")
# The same of everybody in one go, for the benchmark.
ALL_ROWS = sql(f"SELECT {_ROW} AS card FROM customers c {_STAFF} WHERE {_HERE_AND_NOW} ORDER BY c.customer_id").text
_CHANGED_ONLY = f"""{_HERE_AND_NOW} AND NOT EXISTS (SELECT FROM quality_scores q WHERE q.tenant_id = :tenant
    AND q.customer_id = c.customer_id AND q.checked_version = c.version)"""
_BEHIND_IDS = sql(f"""
    SELECT c.customer_id FROM customers c WHERE {_CHANGED_ONLY} AND c.customer_id > :behind
    ORDER BY c.customer_id LIMIT :limit
""")
_SOME = sql(f"""
    SELECT c.customer_id, {_ROW} AS card FROM customers c {_STAFF}
    WHERE {_HERE_AND_NOW} AND c.customer_id = ANY (:ids::uuid[]) ORDER BY c.customer_id
""")
_TIDY = sql("""
    DELETE FROM quality_scores q WHERE q.tenant_id = :tenant AND q.customer_id > :first AND q.customer_id <= :last
        AND NOT EXISTS (SELECT FROM customers c WHERE c.tenant_id = :tenant AND c.customer_id = q.customer_id
            AND c.erased_at IS NULL)
""")
_HERE = sql("SELECT time_zone, currency FROM tenants WHERE tenant_id = :tenant")
_SCANNED_ON = sql("SELECT scanned_on FROM quality_places WHERE tenant_id = :tenant")
_ADD_SCAN = sql("""
    INSERT INTO quality_scans (tenant_id, scan_id, staff_id, job_id, scope)
    VALUES (:tenant, :scan_id, :staff_id, :job_id, :scope)
""")
_RUNNING = sql("""
    SELECT s.job_id FROM quality_scans s JOIN jobs j ON j.tenant_id = s.tenant_id AND j.job_id = s.job_id
    WHERE s.tenant_id = :tenant AND s.finished_at IS NULL AND j.state IN ('queued', 'running') LIMIT 1
""")
_SCAN = sql("""
    SELECT scan_id, job_id, scope, watermark, examined, found FROM quality_scans
    WHERE tenant_id = :tenant AND job_id = :job_id
""")
_SIZE = sql(f"SELECT count(*) FROM customers c WHERE {_HERE_AND_NOW}")
_SIZE_CHANGED = sql(f"SELECT count(*) FROM customers c WHERE {_CHANGED_ONLY}")
_NOTE = sql("""
    UPDATE quality_scans SET watermark = :watermark, examined = :examined, found = :found
    WHERE tenant_id = :tenant AND scan_id = :scan_id
""")
_FINISH = sql("UPDATE quality_scans SET finished_at = now() WHERE tenant_id = :tenant AND scan_id = :scan_id")
# The lock ends with the transaction. Behind an import that is still coming in nobody runs.
_TURN = sql("""
    SELECT pg_try_advisory_xact_lock(hashtextextended('quality ' || :tenant::int::text, 0)) AND NOT EXISTS (
        SELECT FROM imports i WHERE i.tenant_id = :tenant AND i.state = 'running')
""")
_CHANGED = sql("""
    SELECT h.horizon, c.customer_id, c.xid, c.change_id
    FROM (SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint AS horizon) h
    LEFT JOIN quality_places p ON p.tenant_id = :tenant
    LEFT JOIN LATERAL (
        SELECT x.customer_id, x.xid, x.change_id FROM changes x
        WHERE x.tenant_id = :tenant AND (x.xid, x.change_id) > (coalesce(p.xid, 0), coalesce(p.change_id, 0))
            AND x.xid < h.horizon AND x.customer_id IS NOT NULL AND x.entity IN ('customer', 'contact', 'merge')
        ORDER BY x.xid, x.change_id LIMIT :limit
    ) c ON true
    ORDER BY c.xid, c.change_id
""")
_PLACE = sql("""
    INSERT INTO quality_places (tenant_id, xid, change_id) VALUES (:tenant, :xid, :change_id)
    ON CONFLICT (tenant_id) DO UPDATE SET xid = excluded.xid, change_id = excluded.change_id
""")
_ASKED_FOR = sql("""
    INSERT INTO quality_places AS p (tenant_id, xid, change_id, scanned_on) VALUES (:tenant, 0, 0, :today::date)
    ON CONFLICT (tenant_id) DO UPDATE SET scanned_on = excluded.scanned_on
    WHERE p.scanned_on IS DISTINCT FROM excluded.scanned_on
""")
_FORGET_DAY = sql("DELETE FROM quality_history WHERE tenant_id = :tenant AND day = :day::date")
_MEASURE = sql("""
    INSERT INTO quality_history (tenant_id, day, part, curator_id, team_id, records, score_sum, fit_call, fit_mail,
        fit_invoice, fit_deliver, findings)
    SELECT :tenant, :day::date, row_number() OVER (), r.curator_id, r.team_id, r.records, r.score_sum, r.call, r.mail,
        r.invoice, r.deliver, coalesce(k.findings, '{}')
    FROM (
        SELECT c.curator_id, c.team_id, count(*)::int AS records, coalesce(sum(q.score), 0)::bigint AS score_sum,
            count(*) FILTER (WHERE q.fit_call)::int AS call, count(*) FILTER (WHERE q.fit_mail)::int AS mail,
            count(*) FILTER (WHERE q.fit_invoice)::int AS invoice, count(*) FILTER (WHERE q.fit_deliver)::int AS deliver
        FROM quality_scores q JOIN customers c ON c.tenant_id = q.tenant_id AND c.customer_id = q.customer_id
        WHERE q.tenant_id = :tenant AND c.erased_at IS NULL GROUP BY 1, 2
    ) r LEFT JOIN (
        SELECT x.curator_id, x.team_id, jsonb_object_agg(x.cause, x.n) AS findings FROM (
            SELECT c.curator_id, c.team_id, f.cause, count(*) AS n
            FROM quality_findings f JOIN customers c ON c.tenant_id = f.tenant_id AND c.customer_id = f.customer_id
            WHERE f.tenant_id = :tenant AND f.state = 'open' GROUP BY 1, 2, 3) x GROUP BY 1, 2
    ) k ON k.curator_id IS NOT DISTINCT FROM r.curator_id AND k.team_id IS NOT DISTINCT FROM r.team_id
""")
_FIRST = UUID(int=0)


class PgQualityScanning(PgQualityKeeping):
    async def here(self) -> Here:
        row = await self._session.fetchrow(_HERE)
        assert row is not None
        return Here(**dict(row))

    async def scanned_on(self) -> date | None:
        day: date | None = await self._session.fetchval(_SCANNED_ON)
        return day

    async def add_scan(self, scan_id: UUID, job_id: UUID, scope: str) -> None:
        await self._session.execute(
            _ADD_SCAN, scan_id=scan_id, staff_id=self._session.principal.staff_id, job_id=job_id, scope=scope
        )

    async def running(self) -> UUID | None:
        found: UUID | None = await self._session.fetchval(_RUNNING)
        return found

    async def scan_of(self, job_id: UUID) -> Scan | None:
        row = await self._session.fetchrow(_SCAN, job_id=job_id)
        return None if row is None else Scan(**dict(row))

    async def size(self, scope: str) -> int:
        return int(await self._session.fetchval(_SIZE if scope == "all" else _SIZE_CHANGED))

    async def after(self, scope: str, watermark: UUID | None, limit: int) -> Cards:
        behind = watermark or _FIRST
        if scope == "changed":
            rows = await self._session.fetch(_BEHIND_IDS, behind=behind, limit=limit)
            return await self.cards([row["customer_id"] for row in rows])
        async with self._session.as_role(QUALITY):
            rows = await self._session.fetch(_ALL, behind=behind, limit=limit)
        return Cards(ids=[row["customer_id"] for row in rows], rows=[row["card"] for row in rows])

    async def cards(self, ids: Sequence[UUID]) -> Cards:
        async with self._session.as_role(QUALITY):
            rows = await self._session.fetch(_SOME, ids=list(ids))
        return Cards(ids=[row["customer_id"] for row in rows], rows=[row["card"] for row in rows])

    async def own_found(self, asked: Asked, ids: Sequence[UUID]) -> Sequence[UUID]:
        rule = compile_rule(asked, among=True)
        statement = sql(f"""SELECT c.customer_id FROM customers c
            WHERE {_HERE_AND_NOW} AND c.customer_id = ANY (:among::uuid[]) AND {rule.where}""")
        return [row["customer_id"] for row in await self._session.fetch(statement, among=list(ids), **rule.values)]

    async def base_wide(self, code: str, values: Mapping[str, object]) -> Sequence[Found]:
        check = BASE_WIDE[code].check
        await self._session.command("SET LOCAL work_mem = '256MB'; SET LOCAL jit = off")
        rows = await self._session.fetch(STATEMENTS[code], **values)
        return [
            Found(
                str(row["customer_id"]),
                code,
                row["field"],
                str(row["detail_id"]) if row["detail_id"] else None,
                check.cause.value,
                check.severity.value,
                row["confidence"],
                row["proposal"],
                bytes(row["value"]),
                row["source"] or (f"import {row['import_id']}" if row["import_id"] else "api"),
                row["import_id"] and str(row["import_id"]),
                row["author_id"] and str(row["author_id"]),
            )
            for row in rows
        ]

    async def note(self, scan: Scan) -> None:
        await self._session.execute(
            _NOTE, scan_id=scan.scan_id, watermark=scan.watermark, examined=scan.examined, found=scan.found
        )

    async def finish(self, scan: Scan, today: date) -> None:
        await self._session.execute(_FINISH, scan_id=scan.scan_id)
        await self.measure(today)

    async def tidy(self, first: UUID | None, last: UUID | None) -> None:
        await self._session.execute(_TIDY, first=first or _FIRST, last=last)

    async def take_turn(self) -> bool:
        await self._session.command("SET LOCAL idle_in_transaction_session_timeout = 0")
        return bool(await self._session.fetchval(_TURN))

    async def changed(self, limit: int) -> tuple[Sequence[UUID], tuple[int, int], bool]:
        rows = await self._session.fetch(_CHANGED, limit=limit)
        told = [row for row in rows if row["xid"] is not None]
        ids = list(dict.fromkeys(row["customer_id"] for row in told))
        if len(told) == limit:
            return ids, (told[-1]["xid"], told[-1]["change_id"]), True
        return ids, (rows[0]["horizon"] - 1, 2**62), False

    async def followed(self, place: tuple[int, int]) -> None:
        await self._session.execute(_PLACE, xid=place[0], change_id=place[1])

    async def asked_for(self, today: date) -> bool:
        return bool(await self._session.execute(_ASKED_FOR, today=today))

    async def measure(self, today: date) -> None:
        await self._session.execute(_FORGET_DAY, day=today)
        await self._session.execute(_MEASURE, day=today)
