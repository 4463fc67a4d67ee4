"""One person taken out of every table, by the role that alone may, in the caller's transaction.

Rows that are only his go; of the record a shell stays, of a file its row without name and contents. Where free text or
a request of somebody else names him, that text is blanked. The audit trail holds no contents of records; where a reason
that staff have given there names him, its words and their salt go. Their hash stays, so the row's seal still holds.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.db.erasing_merged import DROP_IMAGES, FormerRecords
from service.db.privacy import IMPORTS_OF
from service.db.session import Session
from service.db.statement import Statement, sql
from service.domain.privacy.markers import Markers, Person, joined
from service.domain.privacy.ports import ImportFile

ERASER = "clientbase_eraser"
# What the shell of a record keeps, and what each other column becomes; a test holds the two complete. Columns that the
# database makes of others (places as rules compare them) empty with their sources, and nobody can write them.
KEPT = frozenset(
    {"tenant_id", "customer_id", "curator_id", "team_id", "channel_id", "created_at", "kind", "restricted_at"}
)
BLANKED: Mapping[str, str] = dict.fromkeys(
    (
        "birth_date", "import_id", "family_name", "given_name", "patronymic", "legal_name", "trade_name", "gender",
        "language", "country", "region", "city", "postal_code", "legal_form", "time_zone",
    ),
    "NULL",
) | {
    "version": "version + 1",
    "updated_at": "now()",
    "status": "'archived'",
    "status_at": "now()",
    "display_name": "'—'",
    "sort_name": "''",
    "tags": "'{}'",
    "preferences": "'{}'",
    "attributes": "'{}'",
    "provenance": "'[]'",
    "birth_year_known": "true",
    "erased_at": "now()",
}  # fmt: skip
_NAMES = ("display_name", "family_name", "given_name", "patronymic", "legal_name", "trade_name")
_PERSON = sql(f"SELECT {', '.join(_NAMES)} FROM customers WHERE tenant_id = :tenant AND customer_id = :customer_id")
_CONTACTS = sql("""
    SELECT kind, value, normal FROM contact_details WHERE tenant_id = :tenant AND customer_id = :customer_id
""")
_IDS = sql("""
    SELECT source, external_id FROM customer_external_ids WHERE tenant_id = :tenant AND customer_id = :customer_id
""")
_FILES = sql(f"""
    SELECT i.import_id, i.file_id, i.source, i.mapping ->> 'encoding' AS encoding,
           i.import_id::text IN ({IMPORTS_OF}) OR i.import_id::text = ANY (:former::text[]) AS linked
    FROM imports i JOIN files f ON f.tenant_id = i.tenant_id AND f.file_id = i.file_id
    WHERE i.tenant_id = :tenant AND octet_length(f.sha256) > 0 ORDER BY i.import_id
""")
_PART = sql("SELECT content FROM file_parts WHERE tenant_id = :tenant AND file_id = :file_id AND part_no = :part_no")


def _shown(text: str) -> str:
    return f"translate(lower({text}), 'ёЁ', 'еЕ')"


def _names_him(text: str) -> str:
    """Whether a text may tell of the person; what it is for certain is decided by `Markers`."""
    return (
        f"({_shown(text)} LIKE ANY (:patterns::text[])"
        f" OR regexp_replace({text}, '[ ()+.\u00a0\u202f-]', '', 'g') LIKE ANY (:digits::text[]))"
    )


_REJECTS = sql(f"""
    SELECT r.import_id, r.row_no, r.cells, r.reason, i.source
    FROM import_rejects r JOIN imports i ON i.tenant_id = r.tenant_id AND i.import_id = r.import_id
    WHERE r.tenant_id = :tenant
        AND (r.cells && :ids::text[] OR {_names_him("array_to_string(r.cells, ' ') || ' ' || r.reason")})
""")
_DROP_REJECTS = sql("""
    DELETE FROM import_rejects r USING unnest(:imports::uuid[], :rows::bigint[]) AS u (import_id, row_no)
    WHERE r.tenant_id = :tenant AND r.import_id = u.import_id AND r.row_no = u.row_no
""")
_OF = "tenant_id = :tenant AND customer_id = :customer_id"
_GONE: Mapping[str, Statement] = {
    table: sql(f"DELETE FROM {table} WHERE {_OF}")
    for table in (
        "contact_details",
        "customer_external_ids",
        "search_tokens",
        "customer_events",
        "notes",
        "interactions",
        "consents",
        "access_requests",
        "quality_fixes",
        "quality_findings",
        "quality_scores",
    )
} | {
    "linkage_keys": sql("""
        WITH had AS (
            SELECT r.keys FROM linkage_records r WHERE r.tenant_id = :tenant AND r.customer_id = :customer_id
        )
        DELETE FROM linkage_keys k USING had
        WHERE k.tenant_id = :tenant AND k.customer_id = :customer_id AND k.key = ANY (had.keys)
    """),
    "linkage_records": sql(f"DELETE FROM linkage_records WHERE {_OF}"),
    "duplicate_members": sql(f"DELETE FROM duplicate_members WHERE {_OF}"),
    "duplicate_pairs": sql("""
        DELETE FROM duplicate_pairs
        WHERE tenant_id = :tenant AND (first_id = :customer_id OR second_id = :customer_id)
    """),
    "never_merge": sql("""
        DELETE FROM never_merge WHERE tenant_id = :tenant AND (first_id = :customer_id OR second_id = :customer_id)
    """),
    "customer_links": sql("""
        DELETE FROM customer_links
        WHERE tenant_id = :tenant AND (customer_id = :customer_id OR other_id = :customer_id)
    """),
    "merge_images": DROP_IMAGES,
    "customers": sql(f"UPDATE customers SET {', '.join(f'{name} = {to}' for name, to in BLANKED.items())} WHERE {_OF}"),
    "refunds": sql(f"UPDATE refunds SET reason = NULL WHERE {_OF} AND reason IS NOT NULL"),
}
_EMPTY_FILES = sql("""
    WITH parts AS (DELETE FROM file_parts WHERE tenant_id = :tenant AND file_id = ANY (:files::uuid[]))
    UPDATE files SET name = '—', size = 0, sha256 = ''::bytea
    WHERE tenant_id = :tenant AND file_id = ANY (:files::uuid[])
""")
# Of an export without a list of its records nobody can say whom it holds.
_EXPORT_FILES = sql("""
    WITH held AS (
        SELECT x.export_id, x.file_id FROM exports x
        WHERE x.tenant_id = :tenant AND x.file_id IS NOT NULL AND (
            EXISTS (SELECT FROM export_records r WHERE r.tenant_id = x.tenant_id AND r.export_id = x.export_id
                AND EXISTS (SELECT FROM unnest(:ids::uuid[]) AS k (id)
                    WHERE k.id BETWEEN r.first_id AND r.last_id AND k.id = ANY (r.customer_ids)))
            OR x.rows > 0 AND NOT EXISTS (SELECT FROM export_records r
                WHERE r.tenant_id = x.tenant_id AND r.export_id = x.export_id))
    ), freed AS (
        UPDATE exports x SET file_id = NULL FROM held WHERE x.tenant_id = :tenant AND x.export_id = held.export_id
    )
    SELECT file_id FROM held
""")
_DROP_FILES = sql("DELETE FROM files WHERE tenant_id = :tenant AND file_id = ANY (:files::uuid[])")
_ANSWERED = "answer::text || ' ' || key || ' ' || path"
_DROP_KEYS = sql(f"""
    DELETE FROM idempotency_keys WHERE tenant_id = :tenant
        AND (EXISTS (SELECT FROM unnest(:ids::uuid[]) AS k (id) WHERE strpos(answer::text || path, k.id::text) > 0)
            OR {_names_him(_ANSWERED)})
""")
# What was written on other records, asked for or told, as JSON or text: a line that names the person is blanked.
_TOLD: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "notes": ("note_id", ("text",)),
    "interactions": ("interaction_id", ("outcome", "text")),
    "jobs": ("job_id", ("request", "error")),
    "imports": ("import_id", ("mapping", "rejects", "error")),
    "exports": ("export_id", ("request", "error", "purpose")),
    "assignments": ("assignment_id", ("request", "outcome")),
}


def _telling(table: str, key: str, columns: Sequence[str]) -> Statement:
    text = " || ' ' || ".join(f"coalesce({column}::text, '')" for column in columns)
    return sql(f"SELECT {key}, {', '.join(columns)} FROM {table} WHERE tenant_id = :tenant AND {_names_him(text)}")


_ASK_TOLD = {table: _telling(table, key, columns) for table, (key, columns) in _TOLD.items()}
_ASK_REASONS = _telling("audit", "audit_id", ("reason",))
_BLANK_REASONS = sql("""
    UPDATE audit SET reason = NULL, reason_salt = NULL WHERE tenant_id = :tenant AND audit_id = ANY (:audit_ids::uuid[])
""")
_BLANK_TOLD = {
    table: sql(
        f"UPDATE {table} SET {', '.join(f'{c} = :{c}' for c in columns)} WHERE tenant_id = :tenant AND {key} = :{key}"
    )
    for table, (key, columns) in _TOLD.items()
}


class PgErasing:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def person(self, customer_id: UUID) -> Person:
        async with self._session.as_role(ERASER):
            names = await self._session.fetchrow(_PERSON, customer_id=customer_id)
            contacts = await self._session.fetch(_CONTACTS, customer_id=customer_id)
            ids = await self._session.fetch(_IDS, customer_id=customer_id)
            former = FormerRecords(self._session, customer_id)
            return Person(
                names={name: text for name, text in (names or {}).items() if text},
                former_names=await former.names(),
                contacts=[(row["kind"], row["value"], row["normal"]) for row in contacts] + await former.contacts(),
                external_ids=[(row["source"], row["external_id"]) for row in ids] + await former.external_ids(),
            )

    async def import_files(self, customer_id: UUID) -> Sequence[ImportFile]:
        async with self._session.as_role(ERASER):
            former = await FormerRecords(self._session, customer_id).imports()
            rows = await self._session.fetch(_FILES, customer_id=customer_id, former=former)
        return [ImportFile(**dict(row)) for row in rows]

    async def part(self, file_id: UUID, number: int) -> bytes | None:
        async with self._session.as_role(ERASER):
            content = await self._session.fetchval(_PART, file_id=file_id, part_no=number)
        return None if content is None else bytes(content)

    async def rejects(self, markers: Markers) -> Sequence[tuple[UUID, int]]:
        ids = [external_id for _, external_id in markers.ids]
        async with self._session.as_role(ERASER):
            rows = await self._session.fetch(_REJECTS, ids=ids, **_looked_for(markers))
        return [
            (row["import_id"], row["row_no"])
            for row in rows
            if markers.tell_of(joined([*row["cells"], row["reason"]]), row["source"])
        ]

    async def erase(
        self,
        customer_id: UUID,
        markers: Markers,
        *,
        files: Sequence[UUID],
        rejects: Sequence[tuple[UUID, int]],
    ) -> dict[str, int]:
        counts: dict[str, int] = {}
        async with self._session.as_role(ERASER):
            counts["import_files"] = await self._session.execute(_EMPTY_FILES, files=list(files))
            counts["import_rejects"] = await self._session.execute(
                _DROP_REJECTS, imports=[one for one, _ in rejects], rows=[row for _, row in rejects]
            )
            known_as = await FormerRecords(self._session, customer_id).ids()
            exported = await self._session.fetch(_EXPORT_FILES, ids=known_as)
            counts["export_files"] = await self._session.execute(
                _DROP_FILES, files=[row["file_id"] for row in exported]
            )
            for table, statement in _GONE.items():
                counts[table] = await self._session.execute(statement, customer_id=customer_id)
            counts["idempotency_keys"] = await self._session.execute(_DROP_KEYS, ids=known_as, **_looked_for(markers))
            for table in _TOLD:
                counts[table] = counts.get(table, 0) + await self._blank(table, markers)
        return counts

    async def reasons(self, markers: Markers) -> Sequence[UUID]:
        async with self._session.as_role(ERASER):
            rows = await self._session.fetch(_ASK_REASONS, **_looked_for(markers))
            named = [row["audit_id"] for row in rows if markers.without(row["reason"]) != row["reason"]]
            if named:
                await self._session.execute(_BLANK_REASONS, audit_ids=named)
        return named

    async def _blank(self, table: str, markers: Markers) -> int:
        key, columns = _TOLD[table]
        blanked = 0
        for row in await self._session.fetch(_ASK_TOLD[table], **_looked_for(markers)):
            told: dict[str, Any] = {column: markers.without(row[column]) for column in columns}
            if any(told[column] != row[column] for column in columns):
                blanked += await self._session.execute(_BLANK_TOLD[table], **{key: row[key]}, **told)
        return blanked


def _looked_for(markers: Markers) -> dict[str, object]:
    return {"patterns": markers.patterns(), "digits": markers.digit_patterns()}
