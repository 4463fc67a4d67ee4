"""Terms of use and acceptances; rows are added, and the roles can do nothing else with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.db.session import Session
from service.db.statement import sql

# One version at a time: the next one sees the one before.
_MY_TURN = sql("SELECT pg_advisory_xact_lock(hashtextextended('terms ' || :tenant::int::text, 0))")
_PUBLISH = sql("""
    INSERT INTO terms (tenant_id, version, text, sha256, staff_id)
    SELECT :tenant, coalesce(max(version), 0) + 1, :text, :sha256, :staff_id FROM terms WHERE tenant_id = :tenant
    RETURNING version, text, sha256, published_at, NULL::timestamptz AS accepted_at
""")
_SHOWN = """
    SELECT t.version, {text} t.sha256, t.published_at, a.accepted_at FROM terms t
    LEFT JOIN terms_acceptances a ON a.tenant_id = t.tenant_id AND a.version = t.version AND a.staff_id = :staff_id
    WHERE t.tenant_id = :tenant
"""
_WHOLE, _BRIEF = _SHOWN.format(text="t.text,"), _SHOWN.format(text="")
_VERSION = sql(_WHOLE + "AND t.version = :version")
_PAGE = sql(_WHOLE + "AND (:before::int IS NULL OR t.version < :before::int) ORDER BY t.version DESC LIMIT :limit")
_CURRENT = sql(_BRIEF + "ORDER BY t.version DESC LIMIT 1")
_ACCEPT = sql("""
    INSERT INTO terms_acceptances (tenant_id, staff_id, version, sha256, address)
    SELECT :tenant, :staff_id, version, sha256, :address FROM terms WHERE tenant_id = :tenant AND version = :version
    ON CONFLICT DO NOTHING
""")


class PgTerms:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._caller = {"staff_id": session.principal.staff_id}

    async def publish(self, text: str, sha256: str) -> Mapping[str, Any]:
        await self._session.execute(_MY_TURN)
        row = await self._session.fetchrow(_PUBLISH, text=text, sha256=sha256, **self._caller)
        assert row is not None
        return dict(row)

    async def version(self, version: int) -> Mapping[str, Any] | None:
        row = await self._session.fetchrow(_VERSION, version=version, **self._caller)
        return None if row is None else dict(row)

    async def page(self, before: int | None, limit: int) -> Sequence[Mapping[str, Any]]:
        return [dict(row) for row in await self._session.fetch(_PAGE, before=before, limit=limit, **self._caller)]

    async def current(self) -> Mapping[str, Any] | None:
        row = await self._session.fetchrow(_CURRENT, **self._caller)
        return None if row is None else dict(row)

    async def accept(self, version: int, address: str | None) -> None:
        await self._session.execute(_ACCEPT, version=version, address=address, **self._caller)
