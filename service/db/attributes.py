"""The tenant's attribute definitions in Postgres."""

from collections.abc import Iterable
from dataclasses import asdict

from service.db.session import Row, Session
from service.db.statement import sql
from service.domain.customers.attributes import Definition, Definitions

_COLUMNS = "SELECT name, kind, label, choices, position FROM attribute_definitions WHERE tenant_id = :tenant"
_ALL = sql(f"{_COLUMNS} ORDER BY position, name")
_AMONG = sql(f"{_COLUMNS} AND name = ANY (:names::text[])")
_ADD = sql("""
    INSERT INTO attribute_definitions (tenant_id, name, kind, label, choices, position)
    VALUES (:tenant, :name, :kind, :label, :choices, :position) ON CONFLICT DO NOTHING
""")
_CHANGE = sql("""
    UPDATE attribute_definitions SET label = :label, choices = :choices, position = :position
    WHERE tenant_id = :tenant AND name = :name
""")
_REMOVE = sql("DELETE FROM attribute_definitions WHERE tenant_id = :tenant AND name = :name")


class PgAttributes:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def all(self) -> list[Definition]:
        """The tenant's definitions, in their order."""
        return [_definition(row) for row in await self._session.fetch(_ALL)]

    async def among(self, names: Iterable[str]) -> Definitions:
        """The definitions of these names, where there are any."""
        rows = await self._session.fetch(_AMONG, names=list(names))
        return {row["name"]: _definition(row) for row in rows}

    async def add(self, definition: Definition) -> bool:
        """False when there is one of this name already."""
        return await self._session.execute(_ADD, **asdict(definition)) > 0

    async def change(self, definition: Definition) -> None:
        await self._session.execute(_CHANGE, **asdict(definition))

    async def remove(self, name: str) -> bool:
        """False when there was none."""
        return await self._session.execute(_REMOVE, name=name) > 0


def _definition(row: Row) -> Definition:
    return Definition(**{**dict(row), "choices": tuple(row["choices"])})
