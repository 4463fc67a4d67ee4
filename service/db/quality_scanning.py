"""Records read with their contacts in clear to be examined, and what was found on them kept.

Findings lock their records against deletion, for the few milliseconds to the commit and those alone that nobody writes
to at the moment; who is being written to is examined again anyway. Nothing is kept on a record that has changed since
it was read. Commits don't wait for the disk: what is lost with it is found again.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from service.db.quality_base_wide import STATEMENTS
from service.db.rules import compile_rule
from service.db.session import Session
from service.db.statement import sql
from service.domain.ids import new_id
from service.domain.quality.base_wide import BASE_WIDE
from service.domain.quality.examining import FIELDS, Found, Judged
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
_SCORES = sql("""
    INSERT INTO quality_scores AS q (tenant_id, customer_id, checked_version, score, fit_call, fit_mail, fit_invoice,
        fit_deliver)
    SELECT :tenant, u.* FROM unnest(:ids::uuid[], :versions::int[], :scores::smallint[], :call::boolean[],
        :mail::boolean[], :invoice::boolean[], :deliver::boolean[])
        AS u (customer_id, version, score, fit_call, fit_mail, fit_invoice, fit_deliver)
    WHERE u.customer_id = ANY (:unchanged::uuid[])
    ON CONFLICT (tenant_id, customer_id) DO UPDATE SET checked_at = now(), checked_version = excluded.checked_version,
        score = excluded.score, fit_call = excluded.fit_call, fit_mail = excluded.fit_mail,
        fit_invoice = excluded.fit_invoice, fit_deliver = excluded.fit_deliver
""")
_UNCHANGED = sql("""
    SELECT c.customer_id FROM customers c
    JOIN unnest(:ids::uuid[], :versions::int[]) AS u (customer_id, version) USING (customer_id)
    WHERE c.tenant_id = :tenant AND c.version = u.version AND c.erased_at IS NULL
""")
# Before the keys of findings ask for the same locks, and would wait for them.
_HOLD = sql("""
    SELECT customer_id FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])
    ORDER BY customer_id FOR KEY SHARE SKIP LOCKED
""")
_GIVEN = """unnest(:finding_ids::uuid[], :customers::uuid[], :codes::text[], :fields::text[], :details::uuid[],
    :causes::text[], :severities::text[], :confidences::real[], :proposals::jsonb[], :hashes::bytea[],
    :sources::text[], :imports::uuid[], :authors::uuid[])
    AS u (finding_id, customer_id, code, field, detail_id, cause, severity, confidence, proposal, value_hash, source,
          import_id, author_id)"""
# Who set a value that says nothing of it: whoever last wrote that field, made the record, or imported it.
_AUTHOR = """coalesce(u.author_id,
    (SELECT e.staff_id FROM customer_events e WHERE e.tenant_id = :tenant AND e.customer_id = u.customer_id
        AND (e.kind = 'created' OR e.detail -> 'fields' ? u.field) ORDER BY e.at DESC, e.event_id DESC LIMIT 1),
    (SELECT i.staff_id FROM imports i WHERE i.tenant_id = :tenant AND i.import_id = u.import_id))"""
_SAME_PLACE = """f.customer_id = u.customer_id AND f.code = u.code AND f.field = u.field
    AND f.detail_id IS NOT DISTINCT FROM u.detail_id"""
# What somebody has dismissed stays so while the value is the same. Nothing is written where nothing is new.
_KEEP = sql(f"""
    INSERT INTO quality_findings AS f (tenant_id, finding_id, customer_id, code, field, detail_id, cause, severity,
        confidence, proposal, value_hash, source, import_id, author_id)
    SELECT :tenant, u.finding_id, u.customer_id, u.code, u.field, u.detail_id, u.cause, u.severity, u.confidence,
        u.proposal, u.value_hash, u.source, u.import_id, {_AUTHOR}
    FROM {_GIVEN} ORDER BY u.customer_id, u.code, u.field, u.detail_id
    ON CONFLICT ON CONSTRAINT uq_quality_findings_place DO UPDATE SET
        cause = excluded.cause, severity = excluded.severity, confidence = excluded.confidence,
        proposal = excluded.proposal, value_hash = excluded.value_hash, source = excluded.source,
        import_id = excluded.import_id, author_id = excluded.author_id, state = 'open', decided_by = NULL,
        decided_at = NULL, found_at = CASE WHEN f.state = 'open' THEN f.found_at ELSE now() END
    WHERE NOT (f.state = 'dismissed' AND f.value_hash = excluded.value_hash)
        AND (f.state <> 'open' OR f.value_hash <> excluded.value_hash OR f.severity <> excluded.severity
            OR f.confidence <> excluded.confidence OR f.proposal IS DISTINCT FROM excluded.proposal)
""")
_GONE = sql(f"""
    UPDATE quality_findings f SET state = 'gone', decided_at = now()
    WHERE f.tenant_id = :tenant AND f.customer_id = ANY (:unchanged::uuid[]) AND f.state = 'open'
        AND f.code <> ALL (:base_wide::text[])
        AND NOT EXISTS (SELECT FROM unnest(:customers::uuid[], :codes::text[], :fields::text[], :details::uuid[])
            AS u (customer_id, code, field, detail_id) WHERE {_SAME_PLACE})
""")
_NO_LONGER = sql(f"""
    UPDATE quality_findings f SET state = 'gone', decided_at = now()
    WHERE f.tenant_id = :tenant AND f.code = :code AND f.state = 'open'
        AND NOT EXISTS (SELECT FROM unnest(:customers::uuid[], :codes::text[], :fields::text[], :details::uuid[])
            AS u (customer_id, code, field, detail_id) WHERE {_SAME_PLACE})
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
_BASE_WIDE = list(BASE_WIDE)


class PgQualityScanning:
    def __init__(self, session: Session) -> None:
        self._session = session

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

    async def keep(self, ids: Sequence[UUID], judged: Sequence[Judged], found: Sequence[Found]) -> int:
        await self._session.command("SET LOCAL synchronous_commit = off")
        versions = {one.customer_id: one.version for one in judged}
        rows = await self._session.fetch(_UNCHANGED, ids=list(versions), versions=list(versions.values()))
        unchanged = [row["customer_id"] for row in rows]
        named = {str(one) for one in unchanged}
        found = [one for one in found if one.customer_id in named]
        await self._session.execute(_SCORES, unchanged=unchanged, **_scores(judged))
        await self._session.execute(_GONE, unchanged=unchanged, base_wide=_BASE_WIDE, **_places(found))
        return await self._add(found)

    async def keep_base_wide(self, found: Sequence[Found]) -> int:
        await self._session.command("SET LOCAL synchronous_commit = off")
        return await self._add(found)

    async def _add(self, found: Sequence[Found]) -> int:
        rows = await self._session.fetch(_HOLD, ids=list({one.customer_id for one in found})) if found else ()
        held = {str(row["customer_id"]) for row in rows}
        found = [one for one in found if one.customer_id in held]
        if not found:
            return 0
        return await self._session.execute(
            _KEEP,
            finding_ids=[new_id() for _ in found],
            causes=[one.cause for one in found],
            severities=[one.severity for one in found],
            confidences=[one.confidence for one in found],
            proposals=[one.proposal for one in found],
            hashes=[one.value_hash for one in found],
            sources=[one.source for one in found],
            imports=[one.import_id for one in found],
            authors=[one.author_id for one in found],
            **_places(found),
        )

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

    async def base_wide_gone(self, code: str, found: Sequence[Found]) -> None:
        await self._session.execute(_NO_LONGER, code=code, **_places(found))

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

    async def changed(self, limit: int) -> tuple[Sequence[UUID], tuple[int, int]]:
        rows = await self._session.fetch(_CHANGED, limit=limit)
        told = [row for row in rows if row["xid"] is not None]
        ids = list(dict.fromkeys(row["customer_id"] for row in told))
        if len(told) == limit:
            return ids, (told[-1]["xid"], told[-1]["change_id"])
        return ids, (rows[0]["horizon"] - 1, 2**62)

    async def followed(self, place: tuple[int, int]) -> None:
        await self._session.execute(_PLACE, xid=place[0], change_id=place[1])

    async def asked_for(self, today: date) -> bool:
        return bool(await self._session.execute(_ASKED_FOR, today=today))

    async def measure(self, today: date) -> None:
        await self._session.execute(_FORGET_DAY, day=today)
        await self._session.execute(_MEASURE, day=today)


def _scores(judged: Sequence[Judged]) -> dict[str, object]:
    return {
        "ids": [one.customer_id for one in judged],
        "versions": [one.version for one in judged],
        "scores": [one.score.points for one in judged],
        "call": [one.score.call for one in judged],
        "mail": [one.score.mail for one in judged],
        "invoice": [one.score.invoice for one in judged],
        "deliver": [one.score.deliver for one in judged],
    }


def _places(found: Sequence[Found]) -> dict[str, object]:
    return {
        "customers": [one.customer_id for one in found],
        "codes": [one.code for one in found],
        "fields": [one.field for one in found],
        "details": [one.detail_id for one in found],
    }
