"""Refusals into the audit trail, in a transaction of their own."""

from collections.abc import Mapping

from service.db.unit_of_work import PgUnitOfWork
from service.domain.access import Principal
from service.domain.audit.refusals import Refusal

_TIMEOUT_MS = 2_000


class PgRefusals:
    def __init__(self, uow: PgUnitOfWork) -> None:
        self._uow = uow

    async def keep(self, principal: Principal, counted: Mapping[Refusal, int]) -> None:
        """One row for each kind of refusal, with its count. Raises Unavailable."""
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            for refusal, times in counted.items():
                await tx.journal.refused(refusal, times)
            await tx.commit()
