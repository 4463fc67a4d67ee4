"""Restriction, access reports and the acts of erasures in Postgres.

A section of the report is read page by page in the order of a text, its place; what it holds is built as JSON by the
database and passed through untouched.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.session import REVEAL, Session
from service.db.statement import sql
from service.domain.ids import new_id
from service.domain.privacy.ports import Locked

Row = Mapping[str, Any]
_OF = "tenant_id = :tenant AND customer_id = :customer_id"
_KNOWN = "ARRAY['tenant_id', 'customer_id']"
_AFTER_ALL = UUID(int=(1 << 128) - 1)
_LOCK = sql(f"SELECT version, restricted_at, erased_at FROM customers WHERE {_OF} FOR UPDATE")
_RESTRICT = sql(f"""
    UPDATE customers SET restricted_at = CASE WHEN :restricted::boolean THEN now() END, version = version + 1,
        updated_at = now() WHERE {_OF}
""")
_EVENT = sql("""
    INSERT INTO customer_events (tenant_id, customer_id, event_id, kind, staff_id, source, detail)
    VALUES (:tenant, :customer_id, :event_id, :kind, :staff_id, 'api', :detail)
""")
_POLICIES = sql("SELECT policies FROM tenants WHERE tenant_id = :tenant")
_AT_WORK = "state IN ('queued', 'running')"
# Jobs know it of imports and exports alike.
_BULK_WORK = sql(f"""
    SELECT EXISTS (SELECT FROM jobs j WHERE j.tenant_id = :tenant AND j.{_AT_WORK} AND j.kind IN ('import', 'export'))
""")
_LOG = sql("""
    SELECT audit_id::text, at, action, staff_id::text FROM audit
    WHERE tenant_id = :tenant AND entity = 'customer' AND entity_id = :customer_id ORDER BY audit_id DESC LIMIT :limit
""")
_KEEP_ACT = sql("""
    INSERT INTO erasures (tenant_id, erasure_id, customer_id, staff_id, reason, act)
    VALUES (:tenant, :erasure_id, :customer_id, :staff_id, :reason, :act)
""")
_ACT = "SELECT erasure_id, customer_id, staff_id, at, reason, act FROM erasures WHERE tenant_id = :tenant"
_ACT_BY_ID = sql(f"{_ACT} AND erasure_id = :erasure_id")
_ACTS = sql(f"""{_ACT} AND erasure_id < :before::uuid
    AND (:customer_id::uuid IS NULL OR customer_id = :customer_id::uuid) ORDER BY erasure_id DESC LIMIT :limit""")


def _money(column: str) -> str:
    return (
        f"(CASE WHEN {column} % 10000 <> 0 THEN trim_scale({column} * 0.000001)"
        f" ELSE round({column} * 0.000001, 2) END)::text"
    )


def _lines(table: str, key: str, owner: str) -> str:
    return f"""(SELECT coalesce(json_agg(json_build_object('sku', p.sku, 'name', p.name, 'quantity', l.quantity::text,
        'unit_price', {_money("l.unit_price")}, 'amount', {_money("l.amount")}) ORDER BY l.line_no), '[]'::json)
        FROM {table} l JOIN products p ON p.tenant_id = l.tenant_id AND p.product_id = l.product_id
        WHERE l.tenant_id = {owner}.tenant_id AND l.{key} = {owner}.{key}) AS lines"""


# Which imports brought or changed a record, as far as the base itself knows.
IMPORTS_OF = """
    SELECT c.import_id::text AS id FROM customers c
    WHERE c.tenant_id = :tenant AND c.customer_id = :customer_id AND c.import_id IS NOT NULL
    UNION SELECT o.import_id::text FROM orders o
    WHERE o.tenant_id = :tenant AND o.customer_id = :customer_id AND o.import_id IS NOT NULL
    UNION SELECT r.import_id::text FROM refunds r
    WHERE r.tenant_id = :tenant AND r.customer_id = :customer_id AND r.import_id IS NOT NULL
    UNION SELECT substr(d.source, 8) FROM contact_details d
    WHERE d.tenant_id = :tenant AND d.customer_id = :customer_id AND d.source LIKE 'import %'
    UNION SELECT substr(e.source, 8) FROM customer_events e
    WHERE e.tenant_id = :tenant AND e.customer_id = :customer_id AND e.source LIKE 'import %'
    UNION SELECT substr(g ->> 's', 8) FROM customers c, jsonb_array_elements(c.provenance) AS g
    WHERE c.tenant_id = :tenant AND c.customer_id = :customer_id AND g ->> 's' LIKE 'import %'
"""
# Each row has a place, by which the pages follow one another, and what is told.
_SECTIONS = {
    "record": f"""SELECT '-' AS place, (to_jsonb(c) - ARRAY['tenant_id', 'sort_name', 'birth_date', 'birth_year_known']
        || jsonb_build_object('birth_date', to_char(c.birth_date,
            CASE WHEN c.birth_year_known THEN 'YYYY-MM-DD' ELSE '--MM-DD' END))) AS told
        FROM customers c WHERE c.{_OF}""",
    "external_ids": f"""SELECT source || ' ' || external_id AS place, json_build_object('source', source,
        'external_id', external_id) AS told FROM customer_external_ids WHERE {_OF}""",
    "contacts": f"""SELECT detail_id::text AS place, to_jsonb(d) - ARRAY['tenant_id', 'customer_id', 'lookup', 'masked']
        AS told FROM contact_details d WHERE {_OF}""",
    "links": """SELECT kind || ' ' || customer_id || other_id AS place, json_build_object('kind', kind, 'from',
        customer_id, 'to', other_id, 'created_at', created_at) AS told FROM customer_links
        WHERE tenant_id = :tenant AND (customer_id = :customer_id OR other_id = :customer_id)""",
    "orders": f"""SELECT o.order_id::text AS place, (SELECT row_to_json(x) FROM (SELECT o.order_id, o.source,
        o.external_id, o.status, o.currency, {_money("o.total")} AS total, {_money("o.refunded")} AS refunded,
        o.ordered_at, o.sales_channel, o.import_id, {_lines("order_lines", "order_id", "o")}) x) AS told
        FROM orders o WHERE o.{_OF}""",
    "refunds": f"""SELECT r.refund_id::text AS place, (SELECT row_to_json(x) FROM (SELECT r.refund_id, r.order_id,
        r.source, r.external_id, r.currency, {_money("r.amount")} AS amount, r.refunded_at, r.reason, r.import_id,
        {_lines("refund_lines", "refund_id", "r")}) x) AS told FROM refunds r WHERE r.{_OF}""",
    "imports": f"""SELECT i.import_id::text AS place, json_build_object('import_id', i.import_id, 'kind', i.kind,
        'source', i.source, 'file_name', f.name, 'created_at', i.created_at) AS told
        FROM imports i JOIN files f ON f.tenant_id = i.tenant_id AND f.file_id = i.file_id
        WHERE i.tenant_id = :tenant AND i.import_id::text IN ({IMPORTS_OF})""",
    "exports": """SELECT x.export_id::text AS place, json_build_object('export_id', x.export_id, 'at', x.finished_at,
        'staff_id', x.staff_id, 'columns', x.columns, 'purpose', x.purpose) AS told FROM exports x
        WHERE x.tenant_id = :tenant AND EXISTS (SELECT FROM export_records r WHERE r.tenant_id = x.tenant_id
            AND r.export_id = x.export_id AND :customer_id BETWEEN r.first_id AND r.last_id
            AND :customer_id = ANY (r.customer_ids))""",
    "accesses": """SELECT audit_id::text AS place, json_build_object('at', at, 'action', action, 'staff_id', staff_id)
        AS told FROM audit WHERE tenant_id = :tenant AND entity = 'customer' AND entity_id = :customer_id""",
} | {
    name: f"SELECT {key}::text AS place, to_jsonb(t) - {_KNOWN} AS told FROM {table} t WHERE {_OF}"
    for name, table, key in (
        ("consents", "consents", "consent_id"),
        ("notes", "notes", "note_id"),
        ("interactions", "interactions", "interaction_id"),
        ("events", "customer_events", "event_id"),
        ("ownerships", "ownerships", "ownership_id"),
    )
}
_PAGES = {
    name: sql(f"""
        SELECT place, told::text AS told FROM ({source}) s WHERE place COLLATE "C" > :after
        ORDER BY place COLLATE "C" LIMIT :limit
    """)
    for name, source in _SECTIONS.items()
}


class PgPrivacy:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def lock(self, customer_id: UUID) -> Locked | None:
        row = await self._session.fetchrow(_LOCK, customer_id=customer_id)
        return None if row is None else Locked(**dict(row))

    async def restrict(self, customer_id: UUID, *, restricted: bool) -> None:
        await self._session.execute(_RESTRICT, customer_id=customer_id, restricted=restricted)
        await self._tell(customer_id, "restricted" if restricted else "unrestricted", {})

    async def policies(self) -> Mapping[str, Any]:
        return dict(await self._session.fetchval(_POLICIES) or {})

    async def section(self, name: str, customer_id: UUID, *, after: str, limit: int) -> Sequence[tuple[str, str]]:
        page = _PAGES[name]
        values = {"customer_id": customer_id, "after": after, "limit": limit}
        if name == "contacts":
            async with self._session.as_role(REVEAL):
                rows = await self._session.fetch(page, **values)
        else:
            rows = await self._session.fetch(page, **values)
        return [(row["place"], row["told"]) for row in rows]

    async def bulk_work(self) -> bool:
        return bool(await self._session.fetchval(_BULK_WORK))

    async def log(self, customer_id: UUID, limit: int) -> Sequence[Row]:
        return await self._session.fetch(_LOG, customer_id=customer_id, limit=limit)

    async def keep_act(self, erasure_id: UUID, customer_id: UUID, reason: str, act: Mapping[str, Any]) -> None:
        await self._session.execute(
            _KEEP_ACT,
            erasure_id=erasure_id,
            customer_id=customer_id,
            staff_id=self._session.principal.staff_id,
            reason=reason,
            act=dict(act),
        )
        await self._tell(customer_id, "erased", {"erasure_id": str(erasure_id)})

    async def act(self, erasure_id: UUID) -> Row | None:
        return await self._session.fetchrow(_ACT_BY_ID, erasure_id=erasure_id)

    async def acts(self, *, customer_id: UUID | None, before: UUID | None, limit: int) -> Sequence[Row]:
        return await self._session.fetch(_ACTS, customer_id=customer_id, before=before or _AFTER_ALL, limit=limit)

    async def _tell(self, customer_id: UUID, kind: str, detail: Mapping[str, Any]) -> None:
        await self._session.execute(
            _EVENT,
            customer_id=customer_id,
            event_id=new_id(),
            kind=kind,
            staff_id=self._session.principal.staff_id,
            detail=dict(detail),
        )
