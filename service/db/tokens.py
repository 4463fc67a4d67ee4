"""Tokens that were taken back; they are only ever added, and read wherever a token is looked up."""

from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.tokens import Revocation

_ADD = sql("""
    INSERT INTO token_revocations (tenant_id, revocation_id, token_id, owner_id, issued_before, until, reason, staff_id)
    VALUES (:tenant, :revocation_id, :token_id, :owner_id, :issued_before, :until, :reason, :staff_id)
""")


class PgRevocations:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, revocation_id: UUID, revocation: Revocation) -> None:
        await self._session.execute(
            _ADD,
            revocation_id=revocation_id,
            token_id=revocation.token_id,
            owner_id=revocation.owner_id,
            issued_before=revocation.issued_before,
            until=revocation.until,
            reason=revocation.reason,
            staff_id=self._session.principal.staff_id,
        )
