"""Claim, run, settle: PgQueuer hands a job over, the service named by its kind carries it out.

A job's principal is resolved anew when it starts, so what the staff row no longer allows is not done, and narrowed to
the scopes of the token that asked; a job whose person may no longer act at all ends as failed. Each run takes an epoch;
a run that was thought dead and comes back writes nothing more. A worker that is told to stop lets go of its jobs at
once: they go back to the queue, and on from where they were.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import orjson
import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as Claimed
from pgqueuer.queries import Queries

from service.domain.access import Principal, narrowed
from service.domain.errors import DomainError, Unavailable
from service.domain.jobs import Job, JobsTransaction, Superseded
from service.domain.ports import UnitOfWork
from service.domain.staff import Directory, StaffBlocked
from service.jobs.handlers import Handler
from service.telemetry import IMPORT_ROWS

_log = structlog.get_logger("jobs")
# A database that is away for a moment, or another job that goes first; this one goes on behind its last watermark.
_AGAIN = timedelta(seconds=2)
T = TypeVar("T")


class Stopping(Unavailable):
    code = "worker-stopping"
    title = "The worker stops; another takes the job up."


class Runner:
    def __init__(self, uow: UnitOfWork[JobsTransaction], directory: Directory, handlers: "dict[str, Handler]") -> None:
        self._uow = uow
        self._directory = directory
        self._handlers = handlers
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let go of what is being done; nothing is lost by it, since each step is a transaction."""
        self._stopping.set()

    async def run(self, payload: bytes) -> None:
        """Carry one job out to its end, whatever that is; a lost database leaves it to be taken up again."""
        try:
            await self._unless_stopped(self._run(orjson.loads(payload)))
        except Stopping as error:
            raise RetryRequested(reason=error.code) from error
        except Unavailable as error:
            raise RetryRequested(delay=_pause(error), reason=error.code) from error

    async def _run(self, named: Mapping[str, str]) -> None:
        job_id = UUID(named["job"])
        tenant, staff_id = named["tenant"], UUID(named["staff"])
        try:
            principal = await self._directory.by_id(tenant, staff_id)
        except StaffBlocked as error:
            await self._refuse(await self._directory.departed(tenant, staff_id), job_id, error)
            return
        async with self._uow.begin(principal) as tx:
            job = await tx.jobs.start(job_id)
            await tx.commit()
        if job is None:
            return
        principal = narrowed(principal, job.scopes)
        try:
            counted = await self._handlers[job.kind](principal, job)
            for ending, rows in (counted or {}).items():
                IMPORT_ROWS.labels(ending).inc(rows)
            outcome = "ended"
        except Superseded:
            outcome = "superseded"
        except Unavailable:
            raise
        except Exception as error:
            outcome = "failed"
            await self._fail(principal, job, error)
        _log.info("job", kind=job.kind, job_id=str(job_id), epoch=job.epoch, outcome=outcome)

    async def _refuse(self, departed: Principal, job_id: UUID, error: DomainError) -> None:
        """End what nobody may carry out any more; it would wait for ever."""
        problem = {"type": f"/problems/{error.code}", "title": error.title, "detail": error.detail}
        async with self._uow.begin(departed) as tx:
            for entity, entity_id in await tx.jobs.refuse(job_id, problem):
                await tx.journal.audit(f"{entity}s.end", entity, entity_id, state="failed", code=error.code)
            await tx.commit()
        _log.info("job", job_id=str(job_id), outcome="refused", code=error.code)

    async def _unless_stopped(self, work: Awaitable[T]) -> T:
        doing = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise Stopping
            return await doing
        finally:
            stopping.cancel()
            doing.cancel()
            await asyncio.gather(doing, stopping, return_exceptions=True)

    async def _fail(self, principal: Principal, job: Job, error: Exception) -> None:
        code = error.code if isinstance(error, DomainError) else "internal-error"
        _log.error(
            "job failed",
            job_id=str(job.job_id),
            kind=job.kind,
            error=type(error).__name__,
            code=code,
            at=_places(error),
        )
        with suppress(Superseded):  # the service may have ended it with more to say
            async with self._uow.begin(principal) as tx:
                await tx.jobs.finish(job, "failed", {"type": f"/problems/{code}", "title": "The job failed."})
                await tx.commit()


def _pause(error: Unavailable) -> timedelta:
    """How long a job waits for its next try, where it says so."""
    told = error.extra.get("retry_in")
    return timedelta(seconds=told) if isinstance(told, (int, float)) else _AGAIN


def _places(error: BaseException) -> list[str]:
    """Where it failed, without the words of the error: they may quote a value."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]


def queue_manager(queue: Queries, entrypoint: str, runner: Runner) -> QueueManager:
    """PgQueuer's manager with our one entrypoint, which looks up the kind of the job."""
    manager = QueueManager(queue)

    @manager.entrypoint(entrypoint)
    async def carry_out(claimed: Claimed) -> None:
        assert claimed.payload is not None
        await runner.run(claimed.payload)

    return manager


async def work(manager: QueueManager, *, heartbeat_s: float, concurrency: int) -> None:
    """Run jobs until `manager.shutdown` is set."""
    await manager.run(
        dequeue_timeout=timedelta(seconds=heartbeat_s / 2),
        batch_size=1,
        max_concurrent_tasks=concurrency,
        heartbeat_timeout=timedelta(seconds=heartbeat_s),
    )
