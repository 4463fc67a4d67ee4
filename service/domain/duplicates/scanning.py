"""The job over the whole base: every record in the order of ids, each compared with those before it.

Each step is a transaction that notes how far it is, so that a job that was killed goes on from there.
"""

from service.domain.access import Principal
from service.domain.duplicates.matching import AT_ONCE, Matcher, system
from service.domain.duplicates.ports import MatchingTransaction
from service.domain.jobs import Cancelled, Job
from service.domain.ports import UnitOfWork

_TIMEOUT_MS = 120_000


class DuplicateScan:
    def __init__(self, uow: UnitOfWork[MatchingTransaction], matcher: Matcher) -> None:
        self._uow = uow
        self._matcher = matcher

    async def run(self, principal: Principal, job: Job) -> None:
        """Carry the job out; all of the tenant is compared, whoever asked and whoever holds it."""
        try:
            while await self._step(principal.tenant_id, job):
                pass
        except Cancelled:
            async with self._uow.begin(principal) as tx:
                await tx.jobs.finish(job, "cancelled")
                await tx.commit()

    async def _step(self, tenant_id: int, job: Job) -> bool:
        async with self._uow.begin(system(tenant_id), timeout_ms=_TIMEOUT_MS) as tx:
            far = await tx.jobs.card(job.job_id)
            async with tx.matching.acting():
                begun = await tx.matching.begin(patiently=True)
                assert begun is not None
                after = await tx.matching.scanned_to(job.job_id)
                ids = await tx.matching.records(after, AT_ONCE)
                await self._matcher.match(tx, begun, ids, earlier=True)
                await tx.matching.scanned(job.job_id, ids[-1] if ids else None)
                known = far["total"] if far and after else None
                total = known or await tx.matching.size()
            done = (far["done"] if far and after else 0) + len(ids)
            await tx.jobs.advance(job, done=done, total=max(total, done))
            if not ids:
                await tx.jobs.finish(job, "done")
            await tx.commit()
        return bool(ids)
