"""Who stands behind a verified token: the tenant and the staff row, read by a role that sees one tenant's staff."""

from typing import Any
from uuid import UUID

import asyncpg

from service.db.errors import translate
from service.db.session import TRANSLATED, quote, without_principal
from service.db.statement import Statement, sql
from service.domain.access import Principal, Scope, grant, widest_reach
from service.domain.errors import Unavailable
from service.domain.staff import StaffBlocked
from service.domain.tokens import Held, TokenRevoked

_STAFF = """
SELECT s.tenant_id, s.staff_id, s.subject, s.kind, s.state, s.scopes, t.slug, t.time_zone, t.currency,
       coalesce(ARRAY(SELECT m.team_id FROM team_members m
                      WHERE m.tenant_id = s.tenant_id AND m.staff_id = s.staff_id), '{}') AS teams,
       coalesce(ARRAY(SELECT d.owner_id FROM deputies d
                      WHERE d.tenant_id = s.tenant_id AND d.deputy_id = s.staff_id
                        AND d.from_on <= (now() AT TIME ZONE t.time_zone)::date
                        AND coalesce(d.until_on, 'infinity') >= (now() AT TIME ZONE t.time_zone)::date
                     ), '{}') AS owners,
       EXISTS (SELECT FROM token_revocations r
               WHERE r.tenant_id = s.tenant_id AND r.token_id = :token_id AND r.until > now()
                   AND coalesce(r.owner_id, s.staff_id) = s.staff_id)
       OR EXISTS (SELECT FROM token_revocations r
                  WHERE r.tenant_id = s.tenant_id AND r.owner_id = s.staff_id AND r.token_id IS NULL AND r.until > now()
                      AND to_timestamp(:issued_at) < coalesce(r.issued_before, 'infinity')) AS revoked,
       (SELECT max(u.version) FROM terms u WHERE u.tenant_id = s.tenant_id) AS terms_version,
       (SELECT max(a.version) FROM terms_acceptances a
        WHERE a.tenant_id = s.tenant_id AND a.staff_id = s.staff_id) AS terms_accepted
FROM staff s JOIN tenants t ON t.tenant_id = s.tenant_id
"""
_BY_SUBJECT = sql(_STAFF + " WHERE s.subject = :subject")
_BY_ID = sql(_STAFF + " WHERE s.staff_id = :staff_id")


class PgDirectory:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def by_subject(
        self, tenant: str, subject: str, asked: tuple[str, ...], *, held: Held | None = None
    ) -> Principal:
        """The principal of a token: its scopes narrowed to those of the staff row. Unknown or blocked: refused."""
        return self._principal(await self._find(tenant, _BY_SUBJECT, held, subject=subject), asked)

    async def by_id(self, tenant: str, staff_id: UUID) -> Principal:
        """The principal of a job, resolved anew, with all that the staff row allows today."""
        return self._principal(await self._find(tenant, _BY_ID, staff_id=staff_id), None)

    async def departed(self, tenant: str, staff_id: UUID) -> Principal:
        """Somebody who may no longer act, without any scope and of own reach: to end what he has left undone."""
        row = await self._find(tenant, _BY_ID, staff_id=staff_id)
        if row is None:
            raise StaffBlocked
        return self._granted(row, frozenset())

    async def _find(self, tenant: str, statement: Statement, held: Held | None = None, **values: object) -> Any:
        opening = f"BEGIN READ ONLY; SET LOCAL ROLE clientbase_directory; SET LOCAL app.slug = {quote(tenant)}"
        values |= {"token_id": held and held.token_id, "issued_at": held and held.issued_at}
        try:
            async with without_principal(self._pool, opening, patience=2) as connection:
                return await connection.fetchrow(statement.text, *statement.arguments(values))
        except TRANSLATED as error:
            translated = translate(error)
            raise translated if isinstance(translated, Unavailable) else Unavailable() from error

    @staticmethod
    def _principal(row: Any, asked: tuple[str, ...] | None) -> Principal:
        if row is None or row["state"] == "blocked":
            raise StaffBlocked
        if row["revoked"]:
            raise TokenRevoked
        scopes = grant(row["scopes"] if asked is None else asked, row["scopes"])
        if row["state"] == "leaving":
            scopes -= {Scope.EXPORTS_CREATE, Scope.EXPORTS_APPROVE}
        return PgDirectory._granted(row, scopes)

    @staticmethod
    def _granted(row: Any, scopes: frozenset[Scope]) -> Principal:
        return Principal(
            tenant_id=row["tenant_id"],
            tenant=row["slug"],
            staff_id=row["staff_id"],
            subject=row["subject"],
            kind=row["kind"],
            reach=widest_reach(scopes),
            scopes=scopes,
            teams=tuple(row["teams"]),
            owners=(row["staff_id"], *row["owners"]),
            time_zone=row["time_zone"],
            currency=row["currency"],
            leaving=row["state"] == "leaving",
            terms_due=_terms_due(row),
        )


def _terms_due(row: Any) -> int | None:
    current: int | None = row["terms_version"]
    return None if row["kind"] != "person" or current == row["terms_accepted"] else current
