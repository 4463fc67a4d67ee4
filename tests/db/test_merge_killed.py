"""A merge, and its undo, killed before any of their statements: whole or not at all.

The server's process behind the connection is ended, or the caller's task is cancelled; nothing of the attempt is left,
and the next one does all of it. The suite strikes at every seventh statement, `make proofs` at each.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import asyncpg

from service.clock import SystemClock
from service.db.session import open_pool
from service.db.unit_of_work import PgUnitOfWork
from service.domain.errors import Unavailable
from service.domain.merging.model import MergeOrder
from service.domain.merging.service import MergingService
from tests.db.stepping import Fault, Moment, SteppingPool
from tests.merging import Company, Rows, lost_and_found, told
from tests.postgres import TestDatabase
from tests.support import a_tenant

_MOMENTS: tuple[Moment, ...] = ("kill before", "cancel before")
Act = Callable[[MergingService], Awaitable[Any]]


class Stage:
    """Three records of one company, and merges of them that are struck at some statement."""

    def __init__(self, pool: asyncpg.Pool, company: Company, ids: list[UUID]) -> None:
        self._pool = pool
        self.company = company
        self._ids = ids

    async def merge(self, merging: MergingService) -> Any:
        return await merging.merge(self.company.principal, MergeOrder(customer_ids=self._ids))

    def undoing(self, merge_id: UUID) -> Act:
        return lambda merging: merging.undo(self.company.principal, merge_id)

    async def struck(self, act: Act, at: int, moment: Moment) -> Fault:
        """Do it, ended at that statement; it must not come through, unless it was over before."""
        fault = Fault(at=at, moment=moment, kill=self._kill)
        uow = PgUnitOfWork(SteppingPool(self._pool, fault))  # type: ignore[arg-type]
        task = asyncio.ensure_future(act(MergingService(uow, SystemClock())))
        fault.victim = task
        with suppress(Unavailable, asyncio.CancelledError):
            await task
        return fault

    async def _kill(self, pid: int) -> None:
        await self.company.root.execute("SELECT pg_terminate_backend($1, 5000)", pid)


@asynccontextmanager
async def a_stage(database: TestDatabase) -> AsyncIterator[Stage]:
    pool = await open_pool(database.service_url, size=4)
    root = await asyncpg.connect(database.superuser_url or database.owner_url)
    try:
        tenant = await a_tenant(pool, database.owner_url, database.service_url)
        company = Company(tenant, await tenant.staff(), root)
        yield Stage(pool, company, await company.furnish(random.Random(7), 3))
    finally:
        await root.close()
        await asyncio.wait_for(pool.close(), 10)


async def _struck_everywhere(stage: Stage, act: Act, before: Rows, every: int) -> int:
    at = struck = 0
    while True:
        at += 1
        moment = _MOMENTS[at % 2]
        if at % every:
            continue
        fault = await stage.struck(act, at, moment)
        if not fault.struck:  # it has come through: there are no more statements
            return struck
        struck += 1
        assert told(lost_and_found(before, await stage.company.rows())) == "", f"{moment} statement {at}"


async def kill_everywhere(database: TestDatabase, *, every: int) -> int:
    """Strike a merge and an undo at every so many-th statement; how often."""
    async with a_stage(database) as stage:
        before = await stage.company.rows()
        struck = await _struck_everywhere(stage, stage.merge, before, every)
        merged = await stage.company.rows()
        assert lost_and_found(before, merged) != {}
        async with stage.company.tenant.uow.begin(stage.company.principal) as tx:
            (card,) = await tx.merging.page(customer_id=None, before=None, limit=2)
        struck += await _struck_everywhere(stage, stage.undoing(card["merge_id"]), merged, every)
        assert told(lost_and_found(before, await stage.company.rows())) == ""
        return struck


def test_a_merge_that_is_killed_is_whole_or_not_at_all(database: TestDatabase) -> None:
    assert asyncio.run(kill_everywhere(database, every=7)) > 10
