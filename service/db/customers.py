"""Customer records in Postgres: cards, and writes in sets."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.contacts import PgContacts
from service.db.errors import translate
from service.db.glance import Question
from service.db.history import PgHistory
from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.customers.errors import CustomerErased
from service.domain.customers.model import RECORD_FIELDS, ExternalId, Record, as_mapping
from service.domain.customers.ports import Stored, Written

_FIELDS = RECORD_FIELDS
_AS_TEXT = {"curator_id", "team_id", "channel_id"}
_SHOWN_AS = {
    "attributes": "c.attributes::json",
    "birth_date": (
        "to_char(c.birth_date, CASE WHEN c.birth_year_known THEN 'YYYY-MM-DD' ELSE '--MM-DD' END) AS birth_date"
    ),
}
_SHOWN = ", ".join(
    f"c.{name}::text" if name in _AS_TEXT else _SHOWN_AS.get(name, f"c.{name}")
    for name in _FIELDS
    if name != "birth_year_known"
)
# Ids and nested values are built by the database as text and passed through untouched: nothing is parsed twice.
CARD_SQL = f"""
SELECT c.customer_id::text, c.display_name, {_SHOWN},
       coalesce((SELECT json_agg(json_build_object('source', e.source, 'external_id', e.external_id)
                                 ORDER BY e.source, e.external_id)
                 FROM customer_external_ids e
                 WHERE e.tenant_id = c.tenant_id AND e.customer_id = c.customer_id), '[]'::json) AS external_ids,
       coalesce((SELECT json_agg(json_build_object('detail_id', d.detail_id, 'kind', d.kind, 'value', d.masked,
                                                   'label', d.label, 'is_primary', d.is_primary, 'verdict', d.verdict,
                                                   'source', d.source, 'author_id', d.author_id,
                                                   'verified_at', d.verified_at)
                                 ORDER BY d.kind, d.detail_id)
                 FROM contact_details d
                 WHERE d.tenant_id = c.tenant_id AND d.customer_id = c.customer_id), '[]'::json) AS contacts,
       to_json(coalesce(c.status_at, c.created_at)) AS status_at, to_json(c.restricted_at) AS restricted_at,
       c.version, to_json(c.created_at) AS created_at, to_json(c.updated_at) AS updated_at
FROM customers c
"""
_BY_ID = sql(CARD_SQL + "WHERE c.tenant_id = :tenant AND c.customer_id = :customer_id")
CARD = Question(
    "customer_card",
    Statement(f"SELECT ARRAY[x.version::text, row_to_json(x)::text] FROM ({_BY_ID.text}) x", _BY_ID.names),
)
_LOCK = sql(f"""
    SELECT customer_id, version, provenance, erased_at, {", ".join(_FIELDS)} FROM customers
    WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[]) ORDER BY customer_id FOR UPDATE
""")
_OWNERS = sql("""
    SELECT e.source, e.external_id, e.customer_id
    FROM customer_external_ids e
    JOIN unnest(:sources::text[], :external_ids::text[]) AS u (source, external_id)
      ON e.source = u.source AND e.external_id = u.external_id
    WHERE e.tenant_id = :tenant
""")
_WRITTEN = ("display_name", "sort_name", "provenance", *_FIELDS)
_INSERT = sql(
    f"INSERT INTO customers (tenant_id, customer_id, import_id, {', '.join(_WRITTEN)}) "
    f"VALUES (:tenant, :customer_id, :import_id, {', '.join(':' + name for name in _WRITTEN)})"
)
_UPDATE = sql(
    f"UPDATE customers SET {', '.join(f'{name} = :{name}' for name in _WRITTEN)}, "
    "status_at = CASE WHEN status <> :status THEN now() ELSE status_at END, "
    "version = version + 1, updated_at = now() WHERE tenant_id = :tenant AND customer_id = :customer_id"
)
_GIVEN_IDS = "unnest(:sources::text[], :external_ids::text[], :ids::uuid[]) AS u (source, external_id, customer_id)"
# A row out of reach can't be seen and would abort an upsert: it is left alone, and what was not stored is asked for.
_ADD_IDS = sql(f"""
    INSERT INTO customer_external_ids (tenant_id, source, external_id, customer_id)
    SELECT :tenant, u.source, u.external_id, u.customer_id FROM {_GIVEN_IDS} ORDER BY u.source, u.external_id
    ON CONFLICT DO NOTHING RETURNING source, external_id, customer_id
""")
_TAKEN = sql(f"""
    SELECT DISTINCT u.customer_id FROM {_GIVEN_IDS}
    WHERE NOT EXISTS (SELECT FROM customer_external_ids e WHERE e.tenant_id = :tenant AND e.source = u.source
                      AND e.external_id = u.external_id AND e.customer_id = u.customer_id)
""")
_DROP_IDS = sql(f"""
    DELETE FROM customer_external_ids e USING {_GIVEN_IDS} WHERE e.tenant_id = :tenant AND e.source = u.source
        AND e.external_id = u.external_id AND e.customer_id = u.customer_id
""")
_DROP_TOKENS = sql("DELETE FROM search_tokens WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])")
_ADD_TOKENS = sql("""
    INSERT INTO search_tokens (tenant_id, token, customer_id)
    SELECT :tenant, u.token, u.customer_id FROM unnest(:tokens::text[], :ids::uuid[]) AS u (token, customer_id)
""")
_DELETE = sql("DELETE FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])")
# From here on rows are written as a mass, for which plans are made anew.
_MANY = 500


class PgCustomers:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def card(self, customer_id: UUID) -> Mapping[str, Any] | None:
        """The record with masked contacts; None when it is not within reach."""
        return await self._session.fetchrow(_BY_ID, customer_id=customer_id)

    async def lock(self, customer_ids: Sequence[UUID]) -> dict[UUID, Stored]:
        if not customer_ids:
            return {}
        rows = await self._session.fetch(_LOCK, ids=list(customer_ids))
        if any(row["erased_at"] for row in rows):
            raise CustomerErased
        return {
            row["customer_id"]: Stored(
                customer_id=row["customer_id"],
                version=row["version"],
                record=Record(**{name: row[name] for name in _FIELDS}),
                provenance=row["provenance"],
            )
            for row in rows
        }

    async def owners_of(self, ids: Sequence[ExternalId]) -> dict[ExternalId, UUID]:
        if not ids:
            return {}
        rows = await self._session.fetch(
            _OWNERS, sources=[one.source for one in ids], external_ids=[one.external_id for one in ids]
        )
        return {_external(row): row["customer_id"] for row in rows}

    async def insert(self, written: Sequence[Written]) -> set[UUID]:
        await self._write(_INSERT, written)
        if len(written) >= _MANY:
            await self._session.forget_plans()
        taken = await self._claim_ids(written)
        if taken:
            await self._session.execute(_DELETE, ids=list(taken))
        await self._surroundings(_without(written, taken), fresh=True)
        return taken

    async def replace(self, written: Sequence[Written]) -> set[UUID]:
        if len(written) >= _MANY:
            await self._session.forget_plans()
        taken = await self._claim_ids(written)
        kept = _without(written, taken)
        await self._write(_UPDATE, kept)
        await self._surroundings(kept, fresh=False)
        return taken

    async def delete(self, customer_id: UUID) -> None:
        await self._session.execute(_DELETE, ids=[customer_id])

    async def _write(self, statement: Statement, written: Sequence[Written]) -> None:
        tenant = {"tenant": self._session.principal.tenant_id}
        rows = [statement.arguments(tenant | _columns(one)) for one in written]
        try:
            await self._session.connection.executemany(statement.text, rows)
        except Exception as error:
            raise translate(error) from error

    async def _surroundings(self, written: Sequence[Written], *, fresh: bool) -> None:
        if not fresh:
            await self._session.execute(_DROP_TOKENS, ids=[one.customer_id for one in written])
        await self._add_tokens(written)
        changed = await PgContacts(self._session).write(written, fresh=fresh)
        await PgHistory(self._session).tell(written, changed)

    async def _add_tokens(self, written: Sequence[Written]) -> None:
        pairs = [(token, one.customer_id) for one in written for token in one.record.tokens]
        if pairs:
            await self._session.execute(_ADD_TOKENS, tokens=[p[0] for p in pairs], ids=[p[1] for p in pairs])

    async def _claim_ids(self, written: Sequence[Written]) -> set[UUID]:
        """Give the records their external ids; whose are not all to be had gets none of the new ones, and is named."""
        named = [(external, one.customer_id) for one in written for external in one.external_ids]
        if not named:
            return set()
        won = await self._session.fetch(_ADD_IDS, **_ids(named))
        if len(won) == len(named):
            return set()
        taken = {row["customer_id"] for row in await self._session.fetch(_TAKEN, **_ids(named))}
        in_vain = [(_external(row), row["customer_id"]) for row in won if row["customer_id"] in taken]
        if in_vain:
            await self._session.execute(_DROP_IDS, **_ids(in_vain))
        return taken


def _without(written: Sequence[Written], taken: set[UUID]) -> Sequence[Written]:
    return [one for one in written if one.customer_id not in taken] if taken else written


def _external(row: Mapping[str, Any]) -> ExternalId:
    return ExternalId(source=row["source"], external_id=row["external_id"])


def _ids(named: Sequence[tuple[ExternalId, UUID]]) -> dict[str, object]:
    return {
        "sources": [external.source for external, _ in named],
        "external_ids": [external.external_id for external, _ in named],
        "ids": [customer_id for _, customer_id in named],
    }


def _columns(one: Written) -> dict[str, object]:
    record = one.record
    return as_mapping(record) | {
        "customer_id": one.customer_id,
        "import_id": one.import_id,
        "provenance": one.provenance,
        "display_name": record.shown,
        "sort_name": record.sort_name,
    }
