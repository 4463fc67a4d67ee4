"""Tags of many records in one statement: the records, their history, where the tags come from, and the changes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from uuid import UUID

from service.db.customer_filters import FILTERS
from service.db.rules import EVERYBODY
from service.db.segments import PgSegments
from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.rules.model import Asked
from service.domain.tags import MOST_RECORDS, MOST_TAGS, Tagged, Tagging, TooManyRecords

_FRESH = """
    ARRAY(SELECT u.tag FROM unnest(c.tags) WITH ORDINALITY u (tag, n)
          WHERE NOT u.tag = ANY (:remove::text[]) ORDER BY u.n)
    || ARRAY(SELECT u.tag FROM unnest(:add::text[]) WITH ORDINALITY u (tag, n)
             WHERE NOT u.tag = ANY (c.tags) ORDER BY u.n)
"""
# `history.source_of` and `Provenance.set`: the tags leave the group that held them and form one of their own.
_SOURCE = "CASE WHEN :person::boolean AND c.curator_id = :staff_id::uuid THEN 'curator ' || :staff_id ELSE 'api' END"
_PROVENANCE = """
    coalesce((SELECT jsonb_agg(CASE WHEN x.g ? 'f' THEN jsonb_set(x.g, '{f}', (x.g -> 'f') - 'tags') ELSE x.g END
                               ORDER BY x.n)
              FROM jsonb_array_elements(c.provenance) WITH ORDINALITY x (g, n)
              WHERE x.g -> 'f' IS DISTINCT FROM '["tags"]'::jsonb), '[]'::jsonb)
    || jsonb_build_array(jsonb_build_object('s', n.source, 't', floor(extract(epoch FROM now()))::bigint,
                                            'f', jsonb_build_array('tags')))
"""


@lru_cache(maxsize=256)
def _applying(filters: frozenset[str], listed: bool, rule: str) -> Statement:
    where = ["c.tenant_id = :tenant", "c.restricted_at IS NULL", "c.erased_at IS NULL"]
    where += [FILTERS[name] for name in sorted(filters)]
    if listed:
        where.append("c.customer_id = ANY (:ids::uuid[])")
    if rule:
        where.append(rule)
    return sql(f"""
        WITH chosen AS MATERIALIZED (
            SELECT c.customer_id, c.tags AS old, {_FRESH} AS fresh, {_SOURCE} AS source
            FROM customers c WHERE {" AND ".join(where)}
            ORDER BY c.customer_id LIMIT {MOST_RECORDS + 1} FOR NO KEY UPDATE
        ), moved AS (
            UPDATE customers c SET tags = n.fresh, version = c.version + 1, updated_at = now(),
                provenance = {_PROVENANCE}
            FROM chosen n WHERE c.tenant_id = :tenant AND c.customer_id = n.customer_id AND n.fresh <> n.old
                AND cardinality(n.fresh) <= {MOST_TAGS}
            RETURNING c.customer_id, n.old, n.fresh, n.source
        ), told AS (
            INSERT INTO customer_events (tenant_id, customer_id, event_id, kind, staff_id, source, detail)
            SELECT :tenant, m.customer_id, gen_random_uuid(), 'updated', :staff_id::uuid, m.source,
                jsonb_build_object('fields', jsonb_build_object('tags', jsonb_build_array(m.old, m.fresh)))
            FROM moved m
        ), noted AS (
            INSERT INTO changes (tenant_id, customer_id, entity_id, entity, kind)
            SELECT :tenant, m.customer_id, m.customer_id, 'customer', 'updated' FROM moved m
        )
        SELECT (SELECT count(*) FROM chosen) AS matched, (SELECT count(*) FROM moved) AS changed,
            (SELECT count(*) FROM chosen WHERE fresh <> old AND cardinality(fresh) > {MOST_TAGS}) AS full,
            (SELECT coalesce(array_agg(customer_id), '{{}}') FROM moved) AS touched
    """)


class PgTags:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def apply(
        self,
        tagging: Tagging,
        *,
        customer_ids: Sequence[UUID] | None,
        filters: Mapping[str, object],
        rule: Asked | None = None,
    ) -> Tagged:
        principal = self._session.principal
        meant = await PgSegments(self._session).compiled(rule) if rule else EVERYBODY
        row = await self._session.fetchrow(
            _applying(frozenset(filters), customer_ids is not None, meant.where),
            add=list(tagging.add),
            remove=list(tagging.remove),
            person=principal.kind == "person",
            staff_id=principal.staff_id,
            ids=None if customer_ids is None else list(customer_ids),
            **filters,
            **meant.values,
        )
        assert row is not None
        if row["matched"] > MOST_RECORDS:
            raise TooManyRecords
        return Tagged(**dict(row))
