"""The audit trail as it is read and verified.

The hash of a row is computed where the row is, by the same form as `service.domain.audit.chain.canonical`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.audit.inspection import Link, Stretch
from service.domain.audit.ports import Asked

_FIRST = UUID(int=0)


def _told(text: str) -> str:
    return f"octet_length({text}), ':', {text}"


def _may(text: str, length: str | None = None) -> str:
    return f"CASE WHEN {text} IS NULL THEN '-' ELSE concat({length or f'octet_length({text})'}, ':', {text}) END"


# Texts of a known length say it outright.
ROW_HASH = f"""sha256(convert_to(concat('22:clientbase audit row 1',
    {_told("a.tenant_id::text")}, '36:', a.audit_id,
    {_told("(extract(epoch FROM a.at) * 1000000)::bigint::text")}, '36:', a.staff_id,
    {_told("a.action")}, {_told("a.entity")}, {_may("a.entity_id::text", "36")}, {_told("a.records::text")},
    {_told("a.outcome")}, {_may("encode(a.reason_hash, 'hex')", "64")}, {_told("a.detail::text")},
    {_told("a.xid::text")}), 'UTF8'))"""
MONTH = "date_trunc('month', a.at AT TIME ZONE 'UTC')::date"
_SEALED = """LEFT JOIN audit_seals s ON s.tenant_id = a.tenant_id AND s.xid = a.xid AND s.audit_id = a.audit_id"""
_SHOWN = """a.audit_id, a.at, a.staff_id, a.action, a.entity, a.entity_id, a.records, a.outcome, a.reason, a.detail,
    s.month AS sealed_month, s.seq AS sealed_seq"""
# Each question by the index that answers it; what is not asked is no condition.
_NARROWED = """
    AND (:action::text IS NULL OR a.action = :action) AND (:outcome::text IS NULL OR a.outcome = :outcome)
    AND (:since::timestamptz IS NULL OR a.at >= :since) AND (:until::timestamptz IS NULL OR a.at < :until)
    AND (:staff_id::uuid IS NULL OR a.staff_id = :staff_id) AND (:before::uuid IS NULL OR a.audit_id < :before)
    AND (:floor::uuid IS NULL OR a.audit_id >= :floor) AND (:ceiling::uuid IS NULL OR a.audit_id < :ceiling)
"""
_PAGE = sql(f"""
    SELECT {_SHOWN} FROM audit a {_SEALED} WHERE a.tenant_id = :tenant {_NARROWED}
    ORDER BY a.audit_id DESC LIMIT :limit
""")
_PAGE_OF_RECORD = sql(f"""
    WITH bulk AS MATERIALIZED (
        SELECT e.audit_id FROM audit_entries e WHERE e.tenant_id = :tenant
            AND e.first_id <= :record_id AND e.last_id >= :record_id AND :record_id = ANY (e.ids)
    ), taken AS MATERIALIZED (
        SELECT r.export_id FROM export_records r WHERE r.tenant_id = :tenant
            AND r.first_id <= :record_id AND r.last_id >= :record_id AND :record_id = ANY (r.customer_ids)
    )
    SELECT {_SHOWN} FROM (
        SELECT a.* FROM audit a WHERE a.tenant_id = :tenant AND a.entity_id = :record_id
        UNION SELECT a.* FROM audit a JOIN bulk USING (audit_id) WHERE a.tenant_id = :tenant
        UNION SELECT a.* FROM audit a JOIN taken ON a.entity_id = taken.export_id WHERE a.tenant_id = :tenant
    ) a {_SEALED} WHERE true {_NARROWED}
    ORDER BY a.audit_id DESC LIMIT :limit
""")
# One step of the index for each month, not one for each seal.
_MONTHS = sql("""
    SELECT m.month::date AS month, h.seq
    FROM (SELECT min(month) AS first, max(month) AS last FROM audit_seals WHERE tenant_id = :tenant) r
    CROSS JOIN LATERAL generate_series(r.first, r.last, interval '1 month') AS m (month)
    CROSS JOIN LATERAL (
        SELECT seq FROM audit_seals WHERE tenant_id = :tenant AND month = m.month::date ORDER BY seq DESC LIMIT 1
    ) h
""")
_CHAIN_AT = sql("SELECT chain_hash FROM audit_seals WHERE tenant_id = :tenant AND month = :month AND seq = :seq")
# Reasons may go where an erasure says so, in a row of the trail that lists them.
_ERASED = """EXISTS (SELECT FROM audit_entries e JOIN audit x ON x.tenant_id = e.tenant_id AND x.audit_id = e.audit_id
    WHERE e.tenant_id = :tenant AND x.action = 'audit.erase_reasons' AND e.first_id <= a.audit_id
        AND e.last_id >= a.audit_id AND a.audit_id = ANY (e.ids))"""
_LEDGER = """(SELECT encode(sha256(string_agg(uuid_send(i.id), ''::bytea ORDER BY i.id)), 'hex')
    FROM audit_entries e, unnest(e.ids) AS i (id) WHERE e.tenant_id = :tenant AND e.audit_id = a.audit_id)"""
# Seals in their order, each beside what is found of its row. By its key, one at a time: a join of sets would scan the
# whole trail for each stretch, and sort.
_LINKED = f"""
    SELECT s.seq, s.audit_id, s.row_hash, s.chain_hash, CASE WHEN a.audit_id IS NOT NULL THEN {ROW_HASH} END AS found,
        CASE WHEN a.reason_hash IS NULL OR a.reason IS NOT NULL
                AND coalesce(sha256(a.reason_salt || convert_to(a.reason, 'UTF8')) = a.reason_hash, false) THEN 'kept'
            WHEN a.reason IS NOT NULL THEN 'changed'
            WHEN {_ERASED} THEN 'erased' ELSE 'removed' END AS reason,
        CASE WHEN a.detail ? 'ledger' THEN coalesce({_LEDGER} = a.detail ->> 'ledger', false) ELSE true END AS ledger
    FROM (
        SELECT seq, audit_id, row_hash, chain_hash FROM audit_seals
        WHERE tenant_id = :tenant AND month = :month AND seq > :after ORDER BY seq LIMIT :limit
    ) s LEFT JOIN LATERAL (
        SELECT * FROM audit o WHERE o.tenant_id = :tenant AND o.audit_id = s.audit_id LIMIT 1
    ) a ON true
"""
_LINKS = sql(f"{_LINKED} ORDER BY s.seq")
# What the inspection asks of each link, asked of all of them where they are.
_STRETCH = sql(f"""
    SELECT count(*) AS links, max(seq) AS last,
        (array_agg(chain_hash) FILTER (WHERE seq_behind IS NULL))[1] AS chain_hash,
        coalesce(bool_and(seq = seq_before + 1 AND chain_hash = sha256(chain_before || row_hash)
            AND found IS NOT DISTINCT FROM row_hash AND reason IN ('kept', 'erased') AND ledger), false) AS sound,
        coalesce(array_agg(seq) FILTER (WHERE seq = ANY (:places::bigint[])), '{{}}') AS places,
        coalesce(array_agg(chain_hash) FILTER (WHERE seq = ANY (:places::bigint[])), '{{}}') AS anchored
    FROM (
        SELECT l.*, lag(seq, 1, :after::bigint) OVER by_place AS seq_before, lead(seq) OVER by_place AS seq_behind,
            lag(chain_hash, 1, :before::bytea) OVER by_place AS chain_before
        FROM ({_LINKED}) l WINDOW by_place AS (ORDER BY seq)
    ) l
""")
_LAST = sql("""
    SELECT xid, audit_id FROM audit_seals WHERE tenant_id = :tenant ORDER BY xid DESC, audit_id DESC LIMIT 1
""")
_UNSEALED = sql("""
    SELECT a.audit_id FROM audit a
    WHERE a.tenant_id = :tenant AND (a.xid, a.audit_id) <= (:last_xid::bigint, :last_id::uuid)
        AND a.at >= (:month::date)::timestamp AT TIME ZONE 'UTC'
        AND a.at < (:month::date + interval '1 month') AT TIME ZONE 'UTC'
        AND NOT EXISTS (SELECT FROM audit_seals s
            WHERE s.tenant_id = :tenant AND s.xid = a.xid AND s.audit_id = a.audit_id)
    ORDER BY a.audit_id LIMIT :limit
""")


class PgTrail:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def page(self, asked: Asked, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        given = {name: getattr(asked, name) for name in ("staff_id", "action", "outcome", "since", "until")}
        # Ids begin with their milliseconds: a period is a range of the key, give or take what a transaction lasts.
        given["floor"] = _id_at(asked.since, -1) if asked.since else None
        given["ceiling"] = _id_at(asked.until, 3_600) if asked.until else None
        async with self._session.planned_anew():
            if asked.record_id is None:
                return await self._session.fetch(_PAGE, before=before, limit=limit, **given)
            return await self._session.fetch(
                _PAGE_OF_RECORD, record_id=asked.record_id, before=before, limit=limit, **given
            )

    async def months(self) -> Sequence[tuple[date, int]]:
        return [(row["month"], row["seq"]) for row in await self._session.fetch(_MONTHS)]

    async def chain_at(self, month: date, seq: int) -> bytes | None:
        found: bytes | None = await self._session.fetchval(_CHAIN_AT, month=month, seq=seq)
        return found

    async def links(self, month: date, *, after: int, limit: int) -> Sequence[Link]:
        rows = await self._session.fetch(_LINKS, month=month, after=after, limit=limit)
        return [_link(*row.values()) for row in rows]

    async def stretch(
        self, month: date, *, after: int, before: bytes, limit: int, places: Sequence[int]
    ) -> Stretch | None:
        async with self._session.planned_anew():
            row = await self._session.fetchrow(
                _STRETCH, month=month, after=after, before=before, limit=limit, places=list(places)
            )
        if row is None or not row["sound"]:
            return None
        anchored = dict(zip(row["places"], row["anchored"], strict=True))
        return Stretch(links=row["links"], last=row["last"], chain_hash=row["chain_hash"], anchored=anchored)

    async def unsealed(self, month: date, *, limit: int) -> Sequence[UUID]:
        last = await self._session.fetchrow(_LAST)
        if last is None:
            return []
        async with self._session.planned_anew():
            rows = await self._session.fetch(
                _UNSEALED, month=month, limit=limit, last_xid=last["xid"], last_id=last["audit_id"]
            )
        return [row["audit_id"] for row in rows]


def _link(
    seq: int, audit_id: UUID, row_hash: bytes, chain_hash: bytes, found: bytes | None, reason: Any, ledger: bool
) -> Link:
    return Link(
        seq=seq,
        audit_id=audit_id,
        row_hash=row_hash,
        chain_hash=chain_hash,
        found=found,
        reason=reason,
        ledger=ledger,
    )


def _id_at(moment: Any, seconds: int) -> UUID:
    """The least id of that moment, moved by some seconds; of a time before ids there is none less than the first."""
    milliseconds = int((moment.timestamp() + seconds) * 1000)
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80) if milliseconds > 0 else _FIRST
