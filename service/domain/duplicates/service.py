"""What people do about duplicates: search the whole base, ask for those elsewhere, part those that are none."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from service.domain.access import Principal, Reach
from service.domain.customers.errors import NoCustomer
from service.domain.customers.ports import CustomerSearch
from service.domain.customers.request_tokens import RequestTokens
from service.domain.customers.search import ProbesUsedUp, probe_limit
from service.domain.duplicates.grouping import ordered
from service.domain.duplicates.matching import regroup
from service.domain.duplicates.model import BaseReachNeeded, NotMarked, SameRecord
from service.domain.duplicates.ports import Duplicates, MatchingTransaction
from service.domain.idempotency import Idempotency, Once
from service.domain.ports import Clock, UnitOfWork

KIND = "duplicates"


class DuplicatesTransaction(MatchingTransaction, Protocol):
    @property
    def duplicates(self) -> Duplicates: ...

    @property
    def search(self) -> CustomerSearch: ...

    @property
    def idempotency(self) -> Idempotency: ...


class DuplicateService:
    def __init__(self, uow: UnitOfWork[DuplicatesTransaction], clock: Clock, tokens: RequestTokens) -> None:
        self._uow = uow
        self._clock = clock
        self._tokens = tokens

    async def start(self, principal: Principal, once: Once | None = None) -> UUID:
        """Search the whole base anew; the job, which may be under way already."""
        if principal.reach is not Reach.TENANT:
            raise BaseReachNeeded
        async with self._uow.begin(principal) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["job_id"])
            if under_way := await tx.duplicates.under_way(KIND):
                return under_way
            job_id = await tx.jobs.enqueue(KIND, unit="records", request={})
            await tx.journal.audit("duplicates.scan", "job", job_id)
            await tx.idempotency.remember(once, 202, {"job_id": str(job_id)})
            await tx.commit()
        return job_id

    async def elsewhere(self, principal: Principal, customer_id: UUID) -> Sequence[Mapping[str, Any]]:
        """The likes of one's own record that others hold: that there are some, whom to ask, and a pass for that.

        Whoever writes records to learn who is a customer elsewhere is counted as one who looks up contacts.
        """
        async with self._uow.begin(principal) as tx:
            if await tx.duplicates.of_customer(customer_id) is None:
                raise NoCustomer
            limit = probe_limit(await tx.search.policies())
            if not await tx.search.use_probe(limit):
                raise ProbesUsedUp(limit=limit)
            found = await tx.duplicates.elsewhere(customer_id)
            for row in found:
                await tx.journal.audit("customers.disclose", "customer", row["customer_id"], reason="duplicates")
            await tx.journal.audit("duplicates.elsewhere", "customer", customer_id, found=len(found))
            await tx.commit()
        return [self._told(principal, row) for row in found]

    def _told(self, principal: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
        token = self._tokens.make(
            tenant_id=principal.tenant_id,
            staff_id=principal.staff_id,
            customer_id=row["customer_id"],
            now=self._clock.now(),
        )
        return {"kind": row["kind"], "team": row["team"], "request_token": token}

    async def mark(self, principal: Principal, one: UUID, other: UUID, once: Once | None = None) -> Mapping[str, Any]:
        """Say that two records are never to be merged; the mark. Raises NoCustomer."""
        if one == other:
            raise SameRecord(pointer="/other_id")
        pair = ordered(one, other)
        async with self._uow.begin(principal) as tx:
            if await tx.idempotency.recall(once) is None:
                added = await tx.duplicates.mark(*pair)
                if added is None:
                    raise NoCustomer
                if added:
                    await self._settle(tx, "customers.never_merge", pair)
                await tx.idempotency.remember(once, 201, {})
            mark = await tx.duplicates.the_mark(*pair)
            await tx.commit()
        if mark is None:
            raise NotMarked
        return mark

    async def unmark(self, principal: Principal, one: UUID, other: UUID) -> None:
        """Take a mark back. Raises NotMarked."""
        pair = ordered(one, other)
        async with self._uow.begin(principal) as tx:
            if not await tx.duplicates.unmark(*pair):
                raise NotMarked
            await self._settle(tx, "customers.may_merge", pair)
            await tx.commit()

    async def _settle(self, tx: DuplicatesTransaction, action: str, pair: tuple[UUID, UUID]) -> None:
        async with tx.matching.acting():
            await tx.matching.begin(patiently=True)
            await regroup(tx, pair)
        await tx.journal.audit(action, "customer", records=2, touched=pair)
