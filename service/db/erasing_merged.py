"""What is kept of the records that were merged into one which is erased: they told of the same person.

Their names, contacts and ids stand in the images that an undo would need; without these there is none any more. Files
and keys may name them by the ids that they had.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import Statement, sql

_NAMES = ("display_name", "family_name", "given_name", "patronymic", "legal_name", "trade_name")


def _images(table: str) -> str:
    return f"""merges m JOIN merge_images i ON i.tenant_id = m.tenant_id AND i.merge_id = m.merge_id
        CROSS JOIN LATERAL jsonb_populate_recordset(NULL::{table}, i.rows) r
        WHERE m.tenant_id = :tenant AND m.customer_id = :customer_id AND i.table_name = '{table}'"""


_FORMER_NAMES = sql(f"SELECT DISTINCT {', '.join(f'r.{name}' for name in _NAMES)} FROM {_images('customers')}")
_FORMER_CONTACTS = sql(f"SELECT DISTINCT r.kind, r.value, r.normal FROM {_images('contact_details')}")
_FORMER_NUMBERS = sql(f"SELECT DISTINCT r.source, r.external_id FROM {_images('customer_external_ids')}")
_FORMER_IMPORTS = sql(f"""
    SELECT r.import_id::text AS import_id FROM {_images("customers")} AND r.import_id IS NOT NULL
    UNION SELECT substr(g ->> 's', 8) FROM (SELECT r.provenance FROM {_images("customers")}) p,
        jsonb_array_elements(p.provenance) g WHERE g ->> 's' LIKE 'import %'
    UNION SELECT substr(r.source, 8) FROM {_images("contact_details")} AND r.source LIKE 'import %'
""")
_OLD_IDS = sql("SELECT old_id FROM customer_redirects WHERE tenant_id = :tenant AND customer_id = :customer_id")
DROP_IMAGES = sql("""
    DELETE FROM merge_images i USING merges m WHERE i.tenant_id = :tenant AND m.tenant_id = :tenant
        AND m.merge_id = i.merge_id AND m.customer_id = :customer_id
""")


class FormerRecords:
    """As the eraser sees them; inside of its role alone."""

    def __init__(self, session: Session, customer_id: UUID) -> None:
        self._session = session
        self._customer_id = customer_id

    async def names(self) -> list[dict[str, str]]:
        return [{name: text for name, text in row.items() if text} for row in await self._read(_FORMER_NAMES)]

    async def contacts(self) -> list[tuple[str, str, str]]:
        return [(row["kind"], row["value"], row["normal"]) for row in await self._read(_FORMER_CONTACTS)]

    async def external_ids(self) -> list[tuple[str, str]]:
        return [(row["source"], row["external_id"]) for row in await self._read(_FORMER_NUMBERS)]

    async def imports(self) -> list[str]:
        return [row["import_id"] for row in await self._read(_FORMER_IMPORTS)]

    async def ids(self) -> list[UUID]:
        """The id of the record, and those that lead to it."""
        return [self._customer_id, *(row["old_id"] for row in await self._read(_OLD_IDS))]

    async def _read(self, statement: Statement) -> Sequence[Any]:
        return await self._session.fetch(statement, customer_id=self._customer_id)
