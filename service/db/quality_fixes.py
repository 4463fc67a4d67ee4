"""Fixes in Postgres: which issues are meant, contacts written by the one role that may, and what was there before."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from service.db.segments import PgSegments
from service.db.session import Row, Session
from service.db.statement import sql
from service.domain.customers.model import RECORD_FIELDS, Record
from service.domain.customers.ports import Stored
from service.domain.quality.fixing import Detail, Swap
from service.domain.quality.fixing_ports import Chosen, Fix, Issue, KeptFix

MENDER = "clientbase_mender"
_SEEN = sql(f"""
    SELECT customer_id, version, provenance, {", ".join(RECORD_FIELDS)} FROM customers
    WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])
""")
_ISSUE = """SELECT f.finding_id AS issue_id, f.customer_id, f.code, f.field, f.detail_id, f.proposal
    FROM quality_findings f JOIN customers c ON c.tenant_id = f.tenant_id AND c.customer_id = f.customer_id"""
_OPEN = "f.tenant_id = :tenant AND f.state = 'open' AND c.erased_at IS NULL"
_CARD = sql("""
    SELECT finding_id AS issue_id, customer_id, code, field, detail_id, cause, severity, confidence, proposal, state,
        found_at, due_on, decided_by, decided_at
    FROM quality_findings WHERE tenant_id = :tenant AND finding_id = :issue_id
""")
_NARROWED = {
    "issue_ids": "f.finding_id = ANY (:issue_ids::uuid[])",
    "codes": "f.code = ANY (:codes::text[])",
    "causes": "f.cause = ANY (:causes::text[])",
    "severities": "f.severity = ANY (:severities::text[])",
    "fields": "f.field = ANY (:fields::text[])",
    "source": "f.source = :source::text",
    "customer_id": "f.customer_id = :customer_id::uuid",
    "curator_id": "c.curator_id = :curator_id::uuid",
    "import_id": "f.import_id = :import_id::uuid",
}
_DETAIL = (
    "detail_id, kind, label, is_primary, value, normal, masked, lookup, verdict, source, author_id, verified_at,"
    " created_at"
)
_DETAILS = sql(f"""
    SELECT customer_id, {_DETAIL} FROM contact_details
    WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[]) ORDER BY customer_id, kind, detail_id
""")
_TYPES = {
    "customer_id": "uuid", "detail_id": "uuid", "kind": "text", "label": "text", "is_primary": "boolean",
    "value": "text", "normal": "text", "masked": "text", "lookup": "bytea", "verdict": "text", "source": "text",
    "author_id": "uuid", "verified_at": "timestamptz", "created_at": "timestamptz",
}  # fmt: skip
_ROWS = f"unnest({', '.join(f':{name}::{kind}[]' for name, kind in _TYPES.items())}) AS u ({', '.join(_TYPES)})"
_CHANGED = tuple(name for name in _TYPES if name not in ("customer_id", "detail_id", "kind", "label"))
_ADD = sql(f"INSERT INTO contact_details (tenant_id, {', '.join(_TYPES)}) SELECT :tenant, u.* FROM {_ROWS}")
_CHANGE = sql(f"""
    UPDATE contact_details d SET {", ".join(f"{name} = u.{name}" for name in _CHANGED)} FROM {_ROWS}
    WHERE d.tenant_id = :tenant AND d.customer_id = u.customer_id AND d.detail_id = u.detail_id
""")
_DROP = sql("""
    DELETE FROM contact_details d USING unnest(:customer_id::uuid[], :detail_id::uuid[]) AS u (customer_id, detail_id)
    WHERE d.tenant_id = :tenant AND d.customer_id = u.customer_id AND d.detail_id = u.detail_id
""")
_KEEP = sql("""
    INSERT INTO quality_fixes (tenant_id, fix_id, run_id, customer_id, finding_id, code, field, detail_id, confidence,
        automatic, changes, images, staff_id)
    SELECT :tenant, u.fix_id, :run_id, u.customer_id, u.finding_id, u.code, u.field, u.detail_id, u.confidence,
        :automatic::boolean, u.changes::jsonb, u.images::jsonb, :staff_id::uuid
    FROM unnest(:fix_ids::uuid[], :customer_ids::uuid[], :finding_ids::uuid[], :codes::text[], :fields::text[],
        :detail_ids::uuid[], :confidences::real[], :changes::text[], :images::text[])
        AS u (fix_id, customer_id, finding_id, code, field, detail_id, confidence, changes, images)
""")
_DECIDE = sql("""
    UPDATE quality_findings SET state = :state::text,
        decided_by = CASE WHEN :state::text IN ('dismissed', 'fixed') THEN :staff_id::uuid END,
        decided_at = CASE WHEN :state::text = 'open' THEN NULL ELSE now() END
    WHERE tenant_id = :tenant AND finding_id = ANY (:ids::uuid[])
        AND (state = 'open' OR :state::text NOT IN ('fixed', 'gone'))
""")
_KEPT = sql("""
    SELECT fix_id, customer_id, finding_id AS issue_id, undone_at IS NOT NULL AS undone, images FROM quality_fixes
    WHERE tenant_id = :tenant AND CASE WHEN :named::boolean THEN fix_id = ANY (:fix_ids::uuid[])
        ELSE run_id = :run_id::uuid AND undone_at IS NULL END
    ORDER BY fix_id DESC LIMIT :limit
""")
_UNDONE = sql("""
    UPDATE quality_fixes SET undone_at = now(), undone_by = :staff_id::uuid
    WHERE tenant_id = :tenant AND fix_id = ANY (:ids::uuid[])
""")
_FIX = """SELECT fix_id, run_id, customer_id, finding_id AS issue_id, code, field, detail_id, confidence, automatic,
    changes, staff_id, fixed_at, undone_at, undone_by FROM quality_fixes WHERE tenant_id = :tenant"""
_ONE_FIX = sql(f"{_FIX} AND fix_id = :fix_id")
_FIXES = sql(f"""{_FIX}
    AND (:customer_id::uuid IS NULL OR customer_id = :customer_id) AND (:run_id::uuid IS NULL OR run_id = :run_id)
    AND (:before::uuid IS NULL OR fix_id < :before) ORDER BY fix_id DESC LIMIT :limit
""")
_POLICY = sql("SELECT policies, time_zone FROM tenants WHERE tenant_id = :tenant")


class PgMending:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def issues(
        self, chosen: Chosen, *, fixable: bool, least: float, after: UUID | None, limit: int
    ) -> Sequence[Issue]:
        named = {name: value for name in _NARROWED if (value := getattr(chosen, name)) or name == "issue_ids"}
        if chosen.issue_ids is None:
            named.pop("issue_ids")
        where = [_OPEN, *(_NARROWED[name] for name in named)]
        if fixable:
            where.append("f.proposal IS NOT NULL AND (f.proposal ->> 'confidence')::real >= :least::real")
        if chosen.issue_ids is None:
            where.append("c.restricted_at IS NULL")
        if after is not None:
            where.append("f.finding_id > :after::uuid")
        values: dict[str, object] = {**named, "least": least, "after": after, "limit": limit}
        if chosen.rule is not None:
            compiled = await PgSegments(self._session).compiled(chosen.rule)
            where.append(f"({compiled.where})")
            values |= compiled.values
        statement = sql(f"{_ISSUE} WHERE {' AND '.join(where)} ORDER BY f.finding_id LIMIT :limit")
        return [Issue(**dict(row)) for row in await self._session.fetch(statement, **values)]

    async def issue(self, issue_id: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_CARD, issue_id=issue_id)

    async def seen(self, customer_ids: Sequence[UUID]) -> Mapping[UUID, Stored]:
        rows = await self._session.fetch(_SEEN, ids=list(customer_ids))
        return {row["customer_id"]: _stored(row) for row in rows}

    async def details(self, customer_ids: Sequence[UUID]) -> Mapping[UUID, tuple[Detail, ...]]:
        async with self._session.as_role(MENDER):
            rows = await self._session.fetch(_DETAILS, ids=list(customer_ids))
        found: dict[UUID, tuple[Detail, ...]] = {}
        for row in rows:
            values = dict(row) | {"lookup": bytes(row["lookup"])}
            customer_id = values.pop("customer_id")
            found[customer_id] = (*found.get(customer_id, ()), Detail(**values))
        return found

    async def swap(self, swaps: Mapping[UUID, Sequence[Swap]]) -> None:
        all_of_them = [(customer_id, swap) for customer_id, his in swaps.items() for swap in his]
        gone = [(one, swap.before) for one, swap in all_of_them if swap.before and not swap.after]
        changed = [(one, swap.after) for one, swap in all_of_them if swap.before and swap.after]
        come = [(one, swap.after) for one, swap in all_of_them if swap.after and not swap.before]
        async with self._session.as_role(MENDER):
            for statement, rows in ((_DROP, gone), (_CHANGE, changed), (_ADD, come)):
                if rows:
                    await self._session.execute(statement, **_columns(rows))

    async def keep(self, run_id: UUID, fixes: Sequence[Fix], *, automatic: bool) -> None:
        async with self._session.as_role(MENDER):
            await self._session.execute(
                _KEEP,
                run_id=run_id,
                automatic=automatic,
                staff_id=self._session.principal.staff_id,
                fix_ids=[one.fix_id for one in fixes],
                customer_ids=[one.issue.customer_id for one in fixes],
                finding_ids=[one.issue.issue_id for one in fixes],
                codes=[one.issue.code for one in fixes],
                fields=[one.issue.field for one in fixes],
                detail_ids=[one.issue.detail_id for one in fixes],
                confidences=[one.confidence for one in fixes],
                changes=[_json(one.changes) for one in fixes],
                images=[_json(one.images) for one in fixes],
            )

    async def decide(self, issue_ids: Sequence[UUID], state: str) -> int:
        if not issue_ids:
            return 0
        return await self._session.execute(
            _DECIDE, ids=list(issue_ids), state=state, staff_id=self._session.principal.staff_id
        )

    async def kept(self, fix_ids: Sequence[UUID] | None, run_id: UUID | None, limit: int) -> Sequence[KeptFix]:
        async with self._session.as_role(MENDER):
            rows = await self._session.fetch(
                _KEPT, named=fix_ids is not None, fix_ids=list(fix_ids or ()), run_id=run_id, limit=limit
            )
        return [KeptFix(**dict(row)) for row in rows]

    async def undone(self, fix_ids: Sequence[UUID]) -> None:
        if not fix_ids:
            return
        async with self._session.as_role(MENDER):
            await self._session.execute(_UNDONE, ids=list(fix_ids), staff_id=self._session.principal.staff_id)

    async def fixes(
        self, *, customer_id: UUID | None, run_id: UUID | None, before: UUID | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        return await self._session.fetch(_FIXES, customer_id=customer_id, run_id=run_id, before=before, limit=limit)

    async def fix(self, fix_id: UUID) -> Mapping[str, Any] | None:
        return await self._session.fetchrow(_ONE_FIX, fix_id=fix_id)

    async def policy(self) -> tuple[Mapping[str, Any], str]:
        row = await self._session.fetchrow(_POLICY)
        assert row is not None
        return row["policies"], row["time_zone"]


def _stored(row: Row) -> Stored:
    return Stored(
        customer_id=row["customer_id"],
        version=row["version"],
        record=Record(**{name: row[name] for name in RECORD_FIELDS}),
        provenance=row["provenance"],
    )


def _json(value: object) -> str:
    # As text: the driver would take a list within a list for one more dimension.
    return orjson.dumps(value).decode()


def _columns(rows: Sequence[tuple[UUID, Detail | None]]) -> dict[str, object]:
    held = [(customer_id, detail) for customer_id, detail in rows if detail is not None]
    own = {name: [getattr(detail, name) for _, detail in held] for name in _TYPES if name != "customer_id"}
    return {"customer_id": [customer_id for customer_id, _ in held], **own}
