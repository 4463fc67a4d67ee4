"""Findings, scores and their sums as people see them: of the records within the caller's reach."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from uuid import UUID

from service.db.session import Row, Session
from service.db.statement import Statement, sql

_COLUMNS = """f.finding_id AS issue_id, f.customer_id,
    c.display_name, c.curator_id, f.code, f.field, f.detail_id, f.cause,
    f.severity, f.confidence, f.proposal, f.source, f.import_id, f.author_id, f.found_at, f.state, f.decided_by,
    f.decided_at, f.due_on,
    (SELECT d.masked FROM contact_details d WHERE d.tenant_id = f.tenant_id AND d.customer_id = f.customer_id
        AND d.detail_id = f.detail_id) AS contact"""
_JOINED = """quality_findings f
    JOIN customers c ON c.tenant_id = f.tenant_id AND c.customer_id = f.customer_id AND c.erased_at IS NULL"""
_FILTERS: Mapping[str, str] = {
    "state": "f.state = :state",
    "code": "f.code = :code",
    "cause": "f.cause = :cause",
    "severity": "f.severity = :severity",
    "field": "f.field = :field",
    "source": "(f.source = :source OR f.source LIKE :source || ' %')",
    "import_id": "f.import_id = :import_id::uuid",
    "author_id": "f.author_id = :author_id::uuid",
    "customer_id": "f.customer_id = :customer_id::uuid",
    "curator_id": "c.curator_id = :curator_id::uuid",
    "team_id": "c.team_id = :team_id::uuid",
    "channel": (
        "c.channel_id = (SELECT h.channel_id FROM channels h WHERE h.tenant_id = :tenant AND h.code = :channel)"
    ),
    "confidence": "f.confidence >= :confidence",
    "fixable": "(f.proposal IS NOT NULL) = :fixable",
}
_BEHIND = "(f.customer_id, f.finding_id) < (:after_customer::uuid, :after_finding::uuid)"
_CUSTOMER = sql(f"""
    SELECT c.customer_id, c.version, q.score, q.fit_call, q.fit_mail, q.fit_invoice, q.fit_deliver, q.checked_at,
        q.checked_version, coalesce((SELECT json_agg(to_json(x) ORDER BY x.severity, x.code, x.field) FROM (
            SELECT {_COLUMNS} FROM quality_findings f WHERE f.tenant_id = c.tenant_id
                AND f.customer_id = c.customer_id AND f.state = 'open') x), '[]'::json)::text AS findings
    FROM customers c LEFT JOIN quality_scores q ON q.tenant_id = c.tenant_id AND q.customer_id = c.customer_id
    WHERE c.tenant_id = :tenant AND c.customer_id = :customer_id
""")
# How many score 0 to 9, 10 to 19 …, 90 to 100.
_TENTHS = ", ".join(f"count(*) FILTER (WHERE least(q.score / 10, 9) = {tenth})" for tenth in range(10))
_NUMBERS = sql(f"""
    SELECT count(*) AS records, count(q.score) AS checked, coalesce(sum(q.score), 0)::bigint AS score_sum,
        count(*) FILTER (WHERE q.fit_call) AS call, count(*) FILTER (WHERE q.fit_mail) AS mail,
        count(*) FILTER (WHERE q.fit_invoice) AS invoice, count(*) FILTER (WHERE q.fit_deliver) AS deliver,
        ARRAY[{_TENTHS}] AS distribution,
        min(q.checked_at) AS oldest_check
    FROM customers c LEFT JOIN quality_scores q ON q.tenant_id = c.tenant_id AND q.customer_id = c.customer_id
    WHERE c.tenant_id = :tenant AND c.erased_at IS NULL
""")
# Each of the dimensions by itself, its commonest members.
_DIMENSIONS = {
    "cause": "f.cause",
    "severity": "f.severity",
    "code": "f.code",
    "field": "f.field",
    "source": "split_part(f.source, ' ', 1)",
    "import": "f.import_id::text",
    "employee": "f.author_id::text",
    "channel": "h.code",
    "curator": "c.curator_id::text",
}
_NAMES = list(_DIMENSIONS)
_SETS = ", ".join(f"({name}_key)" for name in _NAMES)
_KEYED = ", ".join(f"{key} AS {name}_key" for name, key in _DIMENSIONS.items())
_WHICH = " ".join(f"WHEN grouping({name}_key) = 0 THEN '{name}'" for name in _NAMES)
_BY = sql(f"""
    SELECT y.dimension, y.key, y.findings, (SELECT s.name FROM staff s WHERE s.tenant_id = :tenant
        AND y.dimension IN ('employee', 'curator') AND s.staff_id::text = y.key) AS name
    FROM (
        SELECT x.*, row_number() OVER (PARTITION BY dimension ORDER BY findings DESC, key) AS place FROM (
            SELECT CASE {_WHICH} END AS dimension, coalesce({", ".join(f"{name}_key" for name in _NAMES)}) AS key,
                count(*) AS findings
            FROM (SELECT {_KEYED} FROM {_JOINED}
                LEFT JOIN channels h ON h.tenant_id = c.tenant_id AND h.channel_id = c.channel_id
                WHERE f.tenant_id = :tenant AND f.state = 'open') z
            GROUP BY GROUPING SETS ({_SETS})
        ) x
    ) y WHERE y.place <= :most AND y.key IS NOT NULL ORDER BY y.dimension, y.place
""")
_TREND = sql("""
    SELECT h.day, sum(h.records)::bigint AS records, sum(h.score_sum)::bigint AS score_sum,
        sum(h.fit_call)::bigint AS call, sum(h.fit_mail)::bigint AS mail, sum(h.fit_invoice)::bigint AS invoice,
        sum(h.fit_deliver)::bigint AS deliver,
        (SELECT coalesce(jsonb_object_agg(x.cause, x.n), '{}') FROM (
            SELECT e.key AS cause, sum(e.value::bigint) AS n FROM quality_history k, jsonb_each_text(k.findings) e
            WHERE k.tenant_id = :tenant AND k.day = h.day GROUP BY 1) x) AS findings
    FROM quality_history h WHERE h.tenant_id = :tenant AND h.day BETWEEN :since::date AND :until::date
    GROUP BY h.day ORDER BY h.day
""")
_MOST_MEMBERS = 20


@lru_cache(maxsize=500)
def _page(names: frozenset[str], *, more: bool) -> Statement:
    where = ["f.tenant_id = :tenant", *(_FILTERS[name] for name in sorted(names)), *([_BEHIND] if more else [])]
    return sql(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE {' AND '.join(where)}"
        " ORDER BY f.customer_id DESC, f.finding_id DESC LIMIT :limit"
    )


@lru_cache(maxsize=500)
def _count(names: frozenset[str]) -> Statement:
    where = ["f.tenant_id = :tenant", *(_FILTERS[name] for name in sorted(names))]
    return sql(f"SELECT count(*) FROM {_JOINED} WHERE {' AND '.join(where)}")


class PgQuality:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def page(self, filters: Mapping[str, object], after: tuple[UUID, UUID] | None, limit: int) -> Sequence[Row]:
        behind = {} if after is None else {"after_customer": after[0], "after_finding": after[1]}
        statement = _page(frozenset(filters), more=after is not None)
        async with self._session.planned_anew():
            return await self._session.fetch(statement, limit=limit, **filters, **behind)

    async def count(self, filters: Mapping[str, object]) -> int:
        return int(await self._session.fetchval(_count(frozenset(filters)), **filters))

    async def of_customer(self, customer_id: UUID) -> Row | None:
        return await self._session.fetchrow(_CUSTOMER, customer_id=customer_id)

    async def summary(self) -> Row:
        """The numbers, and the findings by each dimension."""
        numbers = await self._session.fetchrow(_NUMBERS)
        assert numbers is not None
        by: dict[str, list[Row]] = {name: [] for name in _NAMES}
        for row in await self._session.fetch(_BY, most=_MOST_MEMBERS):
            by[row["dimension"]].append({name: row[name] for name in ("key", "name", "findings")})
        return {**dict(numbers), "by": by}

    async def trend(self, since: date, until: date) -> Sequence[Row]:
        return await self._session.fetch(_TREND, since=since, until=until)
