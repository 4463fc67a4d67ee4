"""Saved segments in Postgres; members and counts are those whose records the caller reaches, erased ones are nobody."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from service.db.session import Row, Session
from service.db.statement import sql
from service.domain.segments.model import NewSegment, Ruled, Uses

_HELD = sql("SELECT pg_advisory_xact_lock(hashtextextended('segment rules ' || :tenant::int, 0))")
_USES = sql("SELECT segment_id, uses FROM segments WHERE tenant_id = :tenant")
_ADD = sql(
    """
    INSERT INTO segments (tenant_id, segment_id, name, description, kind, rule, rule_text, uses, source_id, owner_id,
        state, computed_at)
    VALUES (:tenant, :segment_id, :name, :description, :kind, :rule::jsonb, :rule_text, :uses::uuid[], :source_id,
        :owner_id, CASE :kind WHEN 'live' THEN 'building' ELSE 'ready' END,
        CASE :kind WHEN 'live' THEN NULL ELSE now() END)
""".replace(":kind WHEN", ":kind::text WHEN")
)
_VERSION = sql("""
    SELECT kind, version FROM segments WHERE tenant_id = :tenant AND segment_id = :segment_id FOR NO KEY UPDATE
""")
_CHANGE = sql("""
    UPDATE segments SET name = coalesce(:name::text, name), description = coalesce(:description::text, description),
        version = version + 1, updated_at = now()
    WHERE tenant_id = :tenant AND segment_id = :segment_id
""")
# Whom the old rule meant stays until the new one is asked.
_RULE = sql("""
    UPDATE segments SET rule = :rule::jsonb, rule_text = :rule_text, uses = :uses::uuid[], state = 'building'
    WHERE tenant_id = :tenant AND segment_id = :segment_id
""")
_REMOVE = sql("DELETE FROM segments WHERE tenant_id = :tenant AND segment_id = :segment_id")
_EDIT = sql("""
    WITH gone AS (
        UPDATE segment_members m SET left_at = greatest(now(), m.entered_at + interval '1 microsecond')
        WHERE m.tenant_id = :tenant AND m.segment_id = :segment_id AND m.left_at IS NULL
            AND m.customer_id = ANY (:remove::uuid[])
        RETURNING m.customer_id
    ), come AS (
        INSERT INTO segment_members (tenant_id, segment_id, customer_id, entered_at)
        SELECT :tenant, :segment_id, c.customer_id, now() FROM customers c
        WHERE c.tenant_id = :tenant AND c.erased_at IS NULL AND c.customer_id = ANY (:add::uuid[])
            AND NOT c.customer_id = ANY (:remove::uuid[])
        ON CONFLICT (tenant_id, segment_id, customer_id) WHERE left_at IS NULL DO NOTHING
        RETURNING customer_id
    ), told AS (
        INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
        SELECT :tenant, x.customer_id, :segment_id, 'segment', x.kind
        FROM (SELECT customer_id, 'left' AS kind FROM gone UNION ALL SELECT customer_id, 'entered' FROM come) x
    ), dated AS (
        UPDATE segments SET computed_at = now() WHERE tenant_id = :tenant AND segment_id = :segment_id
    )
    SELECT (SELECT count(*) FROM come) AS come, (SELECT count(*) FROM gone) AS gone
""")
_KNOWN = sql("""
    SELECT customer_id::text AS id, customer_id FROM customers
    WHERE tenant_id = :tenant AND erased_at IS NULL AND customer_id = ANY (:ids::uuid[])
""")
_KNOWN_ELSEWHERE = sql("""
    SELECT external_id AS id, customer_id FROM customer_external_ids
    WHERE tenant_id = :tenant AND source = :source AND external_id = ANY (:ids::text[])
""")
_AT = "m.entered_at <= {0} AND (m.left_at IS NULL OR m.left_at > {0})"
_THEN = f"CASE WHEN :as_of::timestamptz IS NULL THEN m.left_at IS NULL ELSE {_AT.format(':as_of')} END"
_FREEZE = sql(f"""
    INSERT INTO segment_members (tenant_id, segment_id, customer_id, entered_at)
    SELECT :tenant, :segment_id, m.customer_id, now() FROM segment_members m JOIN customers c
        ON c.tenant_id = m.tenant_id AND c.customer_id = m.customer_id AND c.erased_at IS NULL
    WHERE m.tenant_id = :tenant AND m.segment_id = :source_id AND {_THEN}
""")
# Behind the time of the oldest change that is not in yet; one that is being built has no time at all.
_LAG = """
    CASE WHEN s.kind <> 'live' THEN 0 WHEN s.computed_at IS NULL THEN NULL ELSE coalesce(
        (SELECT extract(epoch FROM clock_timestamp() - d.at)::float8 FROM changes d
         WHERE d.tenant_id = :tenant AND (d.xid, d.change_id) > (s.xid, s.change_id)
            AND d.entity NOT IN ('segment', 'note', 'interaction') AND d.customer_id IS NOT NULL
         ORDER BY d.xid, d.change_id LIMIT 1), 0) END
"""
_COLUMNS = f"""s.segment_id, s.name, s.description, s.kind, s.rule, s.rule_text AS text, s.uses, s.source_id,
    s.owner_id, s.version, s.state, s.created_at, s.updated_at, s.computed_at, {_LAG} AS lag_seconds"""
_COUNT = """(SELECT count(*) FROM segment_members m
    JOIN customers c ON c.tenant_id = m.tenant_id AND c.customer_id = m.customer_id AND c.erased_at IS NULL
    WHERE m.tenant_id = :tenant AND m.segment_id = s.segment_id AND m.left_at IS NULL)"""
_CARD = sql(f"""
    SELECT {_COLUMNS}, {_COUNT} AS members FROM segments s WHERE s.tenant_id = :tenant AND s.segment_id = :segment_id
""")
_PAGE = sql(f"""
    SELECT {_COLUMNS} FROM segments s WHERE s.tenant_id = :tenant AND s.name > :after ORDER BY s.name LIMIT :limit
""")
_MEMBERS = """
    SELECT m.customer_id, m.entered_at, m.left_at FROM segment_members m
    JOIN customers c ON c.tenant_id = m.tenant_id AND c.customer_id = m.customer_id AND c.erased_at IS NULL
    WHERE m.tenant_id = :tenant AND m.segment_id = :segment_id AND {at}
        AND (:after::uuid IS NULL OR m.customer_id < :after::uuid)
    ORDER BY m.customer_id DESC LIMIT :limit
"""
_PRESENT = sql(_MEMBERS.format(at="m.left_at IS NULL"))
_PAST = sql(_MEMBERS.format(at=_AT.format(":as_of::timestamptz")))
# Sizes are those at the end of a day: all that came before, without those who had left.
_HISTORY = sql("""
    WITH moves AS MATERIALIZED (
        SELECT (m.entered_at AT TIME ZONE :time_zone)::date AS day, count(*) AS entered, 0 AS gone
        FROM segment_members m WHERE m.tenant_id = :tenant AND m.segment_id = :segment_id GROUP BY 1
        UNION ALL
        SELECT (m.left_at AT TIME ZONE :time_zone)::date, 0, count(*)
        FROM segment_members m WHERE m.tenant_id = :tenant AND m.segment_id = :segment_id AND m.left_at IS NOT NULL
        GROUP BY 1
    )
    SELECT d.day::date AS day,
        coalesce(sum(v.entered) FILTER (WHERE v.day = d.day), 0)::bigint AS entered,
        coalesce(sum(v.gone) FILTER (WHERE v.day = d.day), 0)::bigint AS "left",
        coalesce(sum(v.entered - v.gone), 0)::bigint AS members
    FROM generate_series(:since::date, :until::date, interval '1 day') d (day) LEFT JOIN moves v ON v.day <= d.day
    GROUP BY d.day ORDER BY d.day
""")
_OVERLAP = sql("""
    WITH present AS MATERIALIZED (
        SELECT m.customer_id, m.segment_id FROM segment_members m
        JOIN customers c ON c.tenant_id = m.tenant_id AND c.customer_id = m.customer_id AND c.erased_at IS NULL
        WHERE m.tenant_id = :tenant AND m.left_at IS NULL AND m.segment_id = ANY (:ids::uuid[])
    ), held AS MATERIALIZED (
        SELECT x.segment_ids, count(*) AS customers
        FROM (SELECT array_agg(segment_id ORDER BY segment_id) AS segment_ids FROM present GROUP BY customer_id) x
        GROUP BY 1
    )
    SELECT segment_ids, customers FROM held
""")
_SEGMENTS = sql(f"""
    SELECT s.segment_id, s.computed_at, {_LAG} AS lag_seconds FROM segments s
    WHERE s.tenant_id = :tenant AND s.segment_id = ANY (:ids::uuid[])
""")
_ENTERED = sql("""
    SELECT entered_at FROM segment_members
    WHERE tenant_id = :tenant AND segment_id = :segment_id AND customer_id = :customer_id AND left_at IS NULL
""")


class PgSavedSegments:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def uses(self) -> Uses:
        await self._session.fetchval(_HELD)
        return {row["segment_id"]: frozenset(row["uses"]) for row in await self._session.fetch(_USES)}

    async def add(self, segment_id: UUID, segment: NewSegment) -> None:
        ruled = segment.ruled
        await self._insert(
            segment_id,
            name=segment.name,
            description=segment.description,
            kind="live" if ruled else "static",
            rule=ruled.rule if ruled else None,
            rule_text=ruled.text if ruled else None,
            uses=sorted(ruled.uses) if ruled else [],
        )

    async def freeze(self, segment_id: UUID, name: str, source_id: UUID, as_of: datetime | None) -> int:
        await self._insert(segment_id, name=name, kind="snapshot", source_id=source_id)
        return await self._session.execute(_FREEZE, segment_id=segment_id, source_id=source_id, as_of=as_of)

    async def _insert(self, segment_id: UUID, **columns: object) -> None:
        unset: dict[str, object] = {
            "description": "", "rule": None, "rule_text": None, "uses": [], "source_id": None,
            "owner_id": self._session.principal.staff_id,
        }  # fmt: skip
        await self._session.execute(_ADD, segment_id=segment_id, **unset | columns)

    async def version(self, segment_id: UUID) -> tuple[str, int] | None:
        row = await self._session.fetchrow(_VERSION, segment_id=segment_id)
        return None if row is None else (row["kind"], row["version"])

    async def change(self, segment_id: UUID, changes: Mapping[str, str], ruled: Ruled | None) -> None:
        unset: dict[str, str | None] = {"name": None, "description": None}
        await self._session.execute(_CHANGE, segment_id=segment_id, **{**unset, **changes})
        if ruled:
            await self._session.execute(
                _RULE, segment_id=segment_id, rule=ruled.rule, rule_text=ruled.text, uses=sorted(ruled.uses)
            )

    async def remove(self, segment_id: UUID) -> None:
        await self._session.execute(_REMOVE, segment_id=segment_id)

    async def edit(self, segment_id: UUID, add: Sequence[UUID], remove: Sequence[UUID]) -> tuple[int, int]:
        row = await self._session.fetchrow(_EDIT, segment_id=segment_id, add=list(add), remove=list(remove))
        assert row is not None
        return row["come"], row["gone"]

    async def known(self, ids: Sequence[str], source: str | None) -> Mapping[str, UUID]:
        statement = _KNOWN if source is None else _KNOWN_ELSEWHERE
        rows = await self._session.fetch(statement, ids=list(ids), **({} if source is None else {"source": source}))
        return {row["id"]: row["customer_id"] for row in rows}

    async def card(self, segment_id: UUID) -> Row | None:
        return await self._session.fetchrow(_CARD, segment_id=segment_id)

    async def page(self, after: str, limit: int) -> list[Row]:
        return await self._session.fetch(_PAGE, after=after, limit=limit)

    async def members(self, segment_id: UUID, *, as_of: datetime | None, after: UUID | None, limit: int) -> list[Row]:
        statement = _PRESENT if as_of is None else _PAST
        return await self._session.fetch(statement, segment_id=segment_id, as_of=as_of, after=after, limit=limit)

    async def history(self, segment_id: UUID, since: date, until: date, time_zone: str) -> list[Row]:
        return await self._session.fetch(_HISTORY, segment_id=segment_id, since=since, until=until, time_zone=time_zone)

    async def overlap(self, segment_ids: Sequence[UUID]) -> Mapping[str, Any]:
        """How many are in just these of the segments, for each combination that there is; and how fresh each is."""
        known = await self._session.fetch(_SEGMENTS, ids=list(segment_ids))
        held = await self._session.fetch(_OVERLAP, ids=list(segment_ids))
        return {
            "known": {row["segment_id"]: row for row in known},
            "held": [(frozenset(row["segment_ids"]), row["customers"]) for row in held],
        }

    async def entered_at(self, segment_id: UUID, customer_id: UUID) -> datetime | None:
        found: datetime | None = await self._session.fetchval(_ENTERED, segment_id=segment_id, customer_id=customer_id)
        return found
