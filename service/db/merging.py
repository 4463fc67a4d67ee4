"""Merges in Postgres: read within the caller's reach, carried out by the role that may move what hangs on records.

Whether the caller may is decided before, on records that are locked; that role reads contacts in clear, to bring them
back as they were, and hands none of them out.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db import merging_sql as does
from service.db.session import Row, Session
from service.db.statement import Statement, sql
from service.domain.customers.model import RECORD_FIELDS, Record
from service.domain.merging.contacts import Held, Pooled
from service.domain.merging.model import Candidate
from service.domain.merging.ports import Images, Merge

MERGER = "clientbase_merge"
_AFTER_ALL = UUID(int=(1 << 128) - 1)
_RECORD = ", ".join(f"c.{name}" for name in RECORD_FIELDS)
_CANDIDATE = f"""SELECT c.customer_id, c.version, c.provenance, c.import_id, c.created_at, c.updated_at,
    c.restricted_at IS NOT NULL AS restricted, c.erased_at IS NOT NULL AS erased, {_RECORD}"""
_READ = f"""{_CANDIDATE}, coalesce((SELECT sum(t.orders) FROM purchase_totals t
        WHERE t.tenant_id = c.tenant_id AND t.customer_id = c.customer_id), 0)::int AS orders
    FROM customers c WHERE c.tenant_id = :tenant AND c.customer_id = ANY (:ids::uuid[]) ORDER BY c.customer_id"""
_CANDIDATES = sql(_READ)
_LOCKED = sql(f"{_READ} FOR UPDATE OF c")
_BEFORE = sql(f"{_CANDIDATE}, 0 AS orders FROM {does.imaged('customers')} c ORDER BY c.customer_id")
_AFTER = sql(f"{_CANDIDATE}, 0 AS orders FROM {does.imaged('customers', 'after')} c")
_CONTACTS = sql("""
    SELECT detail_id, customer_id, kind, lookup, masked, is_primary, verified_at, created_at FROM contact_details
    WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])
""")
_MARKED = sql("""
    SELECT EXISTS (SELECT FROM never_merge WHERE tenant_id = :tenant AND first_id = ANY (:ids::uuid[])
        AND second_id = ANY (:ids::uuid[]))
""")
# What people know of a record; the rest goes along untold.
_TOLD = (
    "access_requests", "consents", "contact_details", "customer_external_ids", "customer_links", "interactions",
    "notes", "orders", "refunds", "segment_members",
)  # fmt: skip
_HANGING = sql(" UNION ALL ".join(
    f"SELECT '{table}' AS what, count(*) FROM {table} WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])"
    for table in _TOLD
))  # fmt: skip
_CARD = """SELECT m.merge_id, m.customer_id, m.survivor_id, m.merged_ids, m.state, m.request, m.outcome, m.created_at,
    m.staff_id, s.name AS made_by, m.undone_at
    FROM merges m JOIN staff s ON s.tenant_id = m.tenant_id AND s.staff_id = m.staff_id WHERE m.tenant_id = :tenant"""
_ONE = sql(f"{_CARD} AND m.merge_id = :merge_id")
_PAGE = sql(f"""{_CARD} AND m.merge_id < :before::uuid
    AND (:customer_id::uuid IS NULL OR m.customer_id = :customer_id::uuid) ORDER BY m.merge_id DESC LIMIT :limit""")
_LATER = sql("""
    SELECT l.merge_id FROM merges l JOIN merges m ON m.tenant_id = :tenant AND m.merge_id = :merge_id
    WHERE l.tenant_id = :tenant AND l.customer_id = :customer_id AND l.state = 'done' AND l.created_at > m.created_at
    ORDER BY l.created_at DESC LIMIT 1
""")
_LED_TO = sql("SELECT customer_id FROM customer_redirects WHERE tenant_id = :tenant AND old_id = :old_id")
_TOKENS = sql("""
    INSERT INTO search_tokens (tenant_id, token, customer_id)
    SELECT :tenant, u.token, u.customer_id FROM unnest(:tokens::text[], :ids::uuid[]) AS u (token, customer_id)
""")
_BEFORE_LEAVING = (
    *does.KEYS.values(), *does.IMAGES, *does.MOVE.values(), does.MOVE_IDS, does.MOVE_CONTACTS, does.KEEP_MOVED,
    does.DROP_CANARIES, does.DROP_LINKS, does.DROP_MARKS, does.LINK, does.MARK, does.DROP_MEMBERS, does.JOIN_SEGMENTS,
    does.RESTRICT, does.DROP, does.LEAD,
)  # fmt: skip
_LINKS_BACK = (does.UNLINK, does.UNMARK, does.RESTORE_LINKS, does.RESTORE_MARKS)
_REST_BACK = (does.RESTORE_CANARIES, does.RESTORE_OWNERSHIPS, does.RESTORE_FINDINGS)


class PgMerging:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def candidates(self, customer_ids: Sequence[UUID], *, lock: bool) -> list[Candidate]:
        rows = await self._session.fetch(_LOCKED if lock else _CANDIDATES, ids=list(customer_ids))
        return [_candidate(row) for row in rows]

    async def marked(self, customer_ids: Sequence[UUID]) -> bool:
        return bool(await self._session.fetchval(_MARKED, ids=list(customer_ids)))

    async def contacts(self, customer_ids: Sequence[UUID]) -> list[Held]:
        rows = await self._session.fetch(_CONTACTS, ids=list(customer_ids))
        return [Held(**dict(row) | {"lookup": bytes(row["lookup"])}) for row in rows]

    async def hanging(self, customer_ids: Sequence[UUID]) -> dict[str, int]:
        rows = await self._session.fetch(_HANGING, ids=list(customer_ids))
        return {row["what"]: row["count"] for row in rows if row["count"]}

    async def apply(self, merge: Merge, contacts: Sequence[Pooled], request: Mapping[str, Any]) -> None:
        moving = [one for one in contacts if one.same_as is None and one.contact.customer_id != merge.survivor_id]
        values = _values(merge) | {
            "details": [one.contact.detail_id for one in moving],
            "primaries": [one.is_primary for one in moving],
        }
        async with self._session.as_role(MERGER):
            await self._run(does.ADD, **values, staff_id=self._session.principal.staff_id, request=request)
            for statement in _BEFORE_LEAVING:
                await self._run(statement, **values)

    async def keep_result(self, merge: Merge, outcome: Mapping[str, Any]) -> None:
        async with self._session.as_role(MERGER):
            await self._run(does.KEEP_RESULT, **_values(merge))
            await self._run(does.OUTCOME, merge_id=merge.merge_id, outcome=outcome)

    async def card(self, merge_id: UUID) -> Row | None:
        return await self._session.fetchrow(_ONE, merge_id=merge_id)

    async def page(self, *, customer_id: UUID | None, before: UUID | None, limit: int) -> list[Row]:
        return await self._session.fetch(_PAGE, customer_id=customer_id, before=before or _AFTER_ALL, limit=limit)

    async def later(self, merge_id: UUID, customer_id: UUID) -> UUID | None:
        found: UUID | None = await self._session.fetchval(_LATER, merge_id=merge_id, customer_id=customer_id)
        return found

    async def images(self, merge: Merge) -> Images | None:
        async with self._session.as_role(MERGER):
            before = await self._session.fetch(_BEFORE, merge_id=merge.merge_id)
            after = await self._session.fetchrow(_AFTER, merge_id=merge.merge_id)
        return None if after is None else Images(before=[_candidate(row) for row in before], after=_candidate(after))

    async def bring_back(self, merge: Merge, others: Sequence[Candidate]) -> Mapping[str, Any]:
        values = _values(merge)
        async with self._session.as_role(MERGER):
            await self._run(does.BRING_BACK, **values)
            await self._run(does.UNLEAD, **values)
            gone = {table: await self._session.fetchval(one, **values) for table, one in does.GIVE_BACK.items()}
            await self._run(does.FOLLOW_ORDERS, **values)
            report: dict[str, Any] = {
                "external_ids": await self._external_ids_back(values),
                "contacts": await self._contacts_back(values),
                "gone": {table: count for table, count in gone.items() if count},
            }
            for statement in _LINKS_BACK:
                await self._run(statement, **values)
            if lost := await self._session.fetchval(does.LOST_LINKS, **values):
                report["gone"]["customer_links"] = lost
            await self._memberships_back(values)
            for statement in _REST_BACK:
                await self._run(statement, **values)
            stayed = await self._session.fetch(does.STAYED, **values)
        await self._name_again(others)
        return report | {"stayed": {row["what"]: row["count"] for row in stayed if row["count"]}}

    async def finish_undo(self, merge: Merge, report: Mapping[str, Any], *, status_back: bool) -> None:
        told = {name: report[name] for name in ("gone", "stayed")}
        told |= {"fields": [one["field"] for one in report["fields"]]}
        told |= {name: len(report[name]) for name in ("contacts", "external_ids")}
        async with self._session.as_role(MERGER):
            await self._run(does.RESTORE_STATE, **_values(merge), status_back=status_back)
            await self._run(does.UNTELL, **_values(merge))
            await self._run(does.FORGET, merge_id=merge.merge_id)
            staff_id = self._session.principal.staff_id
            await self._run(does.UNDONE, merge_id=merge.merge_id, staff_id=staff_id, report=told)

    async def led_to(self, old_id: UUID) -> UUID | None:
        found: UUID | None = await self._session.fetchval(_LED_TO, old_id=old_id)
        return found

    async def _external_ids_back(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        await self._run(does.IDS_BACK, **values)
        await self._run(does.RESTORE_IDS, **values)
        return _plain(await self._session.fetch(does.LOST_IDS, **values))

    async def _contacts_back(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        missed = await self._session.fetch(does.MISSED_CONTACTS, **values)
        for statement in (does.CONTACTS_BACK, does.RESTORE_CONTACTS, does.LEAD_CONTACTS):
            await self._run(statement, **values)
        return _plain(missed)

    async def _memberships_back(self, values: Mapping[str, Any]) -> None:
        ended = await self._session.fetch(does.ENDED, **values)
        await self._run(does.LEAVE, **values)
        await self._run(
            does.RESTORE_MEMBERS,
            **values,
            ended=[row["segment_id"] for row in ended],
            ended_at=[row["left_at"] for row in ended],
        )

    async def _name_again(self, others: Sequence[Candidate]) -> None:
        """The words by which the records are found, which nothing keeps."""
        pairs = [(token, one.customer_id) for one in others for token in one.record.tokens]
        await self._run(_TOKENS, tokens=[token for token, _ in pairs], ids=[key for _, key in pairs])

    async def _run(self, statement: Statement, **values: Any) -> None:
        await self._session.execute(statement, **values)


def _values(merge: Merge) -> dict[str, Any]:
    return {
        "merge_id": merge.merge_id,
        "survivor_id": merge.survivor_id,
        "others": list(merge.others),
        "ids": merge.all_ids,
    }


def _candidate(row: Row) -> Candidate:
    return Candidate(
        record=Record(**{name: row[name] for name in RECORD_FIELDS}),
        **{
            name: row[name]
            for name in (
                "customer_id", "version", "provenance", "import_id", "created_at", "updated_at", "restricted",
                "erased", "orders",
            )
        },
    )  # fmt: skip


def _plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [{name: str(value) for name, value in row.items()} for row in rows]
