"""What a tenant has decided for itself; what it has not decided is not stored."""

from collections.abc import Mapping
from typing import Any

from service.db.session import Session
from service.db.statement import sql

_READ = sql("SELECT policies FROM tenants WHERE tenant_id = :tenant")
# Members are set one by one, those of `privacy` too, and a null takes one back.
_WRITE = sql("""
    UPDATE tenants SET policies = jsonb_strip_nulls(policies || (:changes::jsonb - 'privacy') || jsonb_build_object(
        'privacy', coalesce(policies -> 'privacy', '{}'::jsonb) || coalesce(:changes::jsonb -> 'privacy', '{}'::jsonb)))
    WHERE tenant_id = :tenant RETURNING policies
""")


class PgPolicies:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def read(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = await self._session.fetchval(_READ)
        return found

    async def change(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = await self._session.fetchval(_WRITE, changes=dict(changes))
        return found
