"""What a tenant has decided for itself; what it has not decided is not stored."""

from collections.abc import Mapping
from typing import Any

from service.db.session import Session
from service.db.statement import sql

_READ = sql("SELECT policies FROM tenants WHERE tenant_id = :tenant")
# Members are set one by one, those of a section (`privacy`, `exports` …) too, and a null takes one back.
_WRITE = sql("""
    UPDATE tenants t SET policies = jsonb_strip_nulls(t.policies || (
        SELECT coalesce(jsonb_object_agg(c.key, CASE WHEN jsonb_typeof(c.value) = 'object'
            THEN coalesce(t.policies -> c.key, '{}'::jsonb) || c.value ELSE c.value END), '{}'::jsonb)
        FROM jsonb_each(:changes::jsonb) c))
    WHERE t.tenant_id = :tenant RETURNING t.policies
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
