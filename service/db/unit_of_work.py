"""The unit of work: every repository of the service, on one transaction of one principal."""

from functools import cached_property

import asyncpg

from service.db.purchases import PgPurchases
from service.db.session import Transaction, preamble
from service.domain.access import Principal


class PgTransaction(Transaction):
    @cached_property
    def purchases(self) -> PgPurchases:
        return PgPurchases(self.session)


class PgUnitOfWork:
    def __init__(self, pool: asyncpg.Pool, *, acquire_timeout: float = 2.0) -> None:
        self._pool = pool
        self._acquire_timeout = acquire_timeout

    def begin(self, principal: Principal, *, snapshot: bool = False, timeout_ms: int = 5_000) -> PgTransaction:
        opening = preamble(principal, snapshot=snapshot, timeout_ms=timeout_ms)
        return PgTransaction(self._pool, principal, opening, self._acquire_timeout)
