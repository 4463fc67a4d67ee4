"""What was found on records, kept.

Findings lock their records against deletion, for the few milliseconds to the commit and those alone that nobody writes
to at the moment; who is being written to is examined again anyway. Nothing is kept on a record that has changed since
it was read. Commits don't wait for the disk: what is lost with it is found again.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.ids import new_id
from service.domain.quality.base_wide import BASE_WIDE
from service.domain.quality.examining import Found, Judged

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
# The keys of findings lock their records: only such as nobody writes to, and as they were when they were examined.
_KEEP = sql(f"""
    WITH held AS MATERIALIZED (
        SELECT c.customer_id FROM customers c
        JOIN (SELECT DISTINCT * FROM unnest(:customers::uuid[], :versions::int[])) AS v (customer_id, version)
            ON c.customer_id = v.customer_id AND (v.version IS NULL OR c.version = v.version)
        WHERE c.tenant_id = :tenant AND c.erased_at IS NULL ORDER BY c.customer_id FOR KEY SHARE OF c SKIP LOCKED
    )
    INSERT INTO quality_findings AS f (tenant_id, finding_id, customer_id, code, field, detail_id, cause, severity,
        confidence, proposal, value_hash, source, import_id, author_id)
    SELECT :tenant, u.finding_id, u.customer_id, u.code, u.field, u.detail_id, u.cause, u.severity, u.confidence,
        u.proposal, u.value_hash, u.source, u.import_id, {_AUTHOR}
    FROM {_GIVEN} JOIN held h ON h.customer_id = u.customer_id ORDER BY u.customer_id, u.code, u.field, u.detail_id
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
_BASE_WIDE = list(BASE_WIDE)


class PgQualityKeeping:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def keep(self, ids: Sequence[UUID], judged: Sequence[Judged], found: Sequence[Found]) -> None:
        await self._session.command("SET LOCAL synchronous_commit = off")
        versions = {one.customer_id: one.version for one in judged}
        rows = await self._session.fetch(_UNCHANGED, ids=list(versions), versions=list(versions.values()))
        unchanged = [row["customer_id"] for row in rows]
        await self._session.execute(_SCORES, unchanged=unchanged, **_scores(judged))
        await self._session.execute(_GONE, unchanged=unchanged, base_wide=_BASE_WIDE, **_places(found))

    async def keep_found(self, found: Sequence[Found], versions: Mapping[str, int]) -> int:
        await self._session.command("SET LOCAL synchronous_commit = off")
        return await self._session.execute(
            _KEEP,
            finding_ids=[new_id() for _ in found],
            versions=[versions.get(one.customer_id) for one in found],
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

    async def base_wide_gone(self, code: str, found: Sequence[Found]) -> None:
        await self._session.execute(_NO_LONGER, code=code, **_places(found))


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
