"""Bulk out under rights: a request with a purpose becomes a job, the job a file, and each step a line of the audit.

The rows are read in one snapshot within the caller's reach and go to the file as they come, through a short queue: a
second transaction of the same principal writes them, and file, counts and audit become visible together or not at all;
so does the ledger, which tells by id whose records left with the file, read in the same snapshot.
A file with contacts in clear is a reveal: its audit line is written before the first row is read. Where somebody must
agree, there is no job before he has; and the job counts again, in the snapshot that it writes from.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.errors import DomainError, Unavailable
from service.domain.exports.agreement import ExportPolicy, grown
from service.domain.exports.columns import with_own
from service.domain.exports.errors import ApprovalNeeded, NoExport
from service.domain.exports.marks import SPARSE_ABOVE, MarkKey, MarkKeys
from service.domain.exports.policy import ExportPlan, ExportRequest, check_group, decide
from service.domain.exports.ports import ExportsTransaction, StoredExport
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.jobs import Cancelled, Job, Superseded
from service.domain.ports import Clock, UnitOfWork
from service.domain.rules.binding import told
from service.domain.rules.model import Asked
from service.domain.rules.service import RuleService
from service.domain.segmentation import rfm
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.rfm import RfmScheme

_TIMEOUT_MS = 3_600_000
_COUNTING_MS = 60_000
_BOM = "\ufeff".encode()
# Pieces come as the socket gives them, at most a quarter of a megabyte each.
_WAITING = 16
_TELL_S = 1.0
# Of the ledger; a page is three quarters of a megabyte.
_PAGES_WAITING = 2


class ExportService:
    def __init__(self, uow: UnitOfWork[ExportsTransaction], clock: Clock, marks: MarkKeys, rules: RuleService) -> None:
        self._uow = uow
        self._rules = rules
        self._clock = clock
        self._marks = marks

    async def request(
        self, principal: Principal, request: ExportRequest, once: Once | None = None
    ) -> tuple[UUID, UUID | None]:
        """Ask for an export; returns its id and its job's, which there is none of while somebody has to agree. The same
        idempotency key gives those of the one before."""
        plan = await self._plan(principal, request)
        asked = await self._asked(principal, request)
        rows = await self._count(principal, request, asked)
        export_id = new_id()
        async with self._uow.begin(principal) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["export_id"]), None if known["job_id"] is None else UUID(known["job_id"])
            policy = ExportPolicy.of(await tx.policies.read())
            needs = policy.approvals(request.kind, rows, await tx.exports.lately(export_id))
            named = {"export_id": str(export_id)}
            job_id = None if needs else await tx.jobs.enqueue("export", unit="rows", request=named)
            await tx.exports.add(export_id, job_id, request, plan, rows=rows, needs=needs)
            about = {"rows": rows, "needs": needs}
            await _audit(tx, "exports.request", export_id, request, plan, asked, records=0, **about)
            answer = named | {"job_id": None if job_id is None else str(job_id)}
            await tx.idempotency.remember(once, 202, answer)
            await tx.commit()
        return export_id, job_id

    async def _plan(self, principal: Principal, request: ExportRequest) -> ExportPlan:
        async with self._uow.begin(principal) as tx:
            own = await tx.attributes.all()
        known = with_own(definition.name for definition in own)
        plan = decide(principal, request.what, request.columns, request.kind, known)
        check_group(principal, request.group)
        return plan

    async def _asked(self, principal: Principal, request: ExportRequest) -> Asked | None:
        """The rule as it means today, with no more fields than the caller may see now."""
        return None if request.rule is None else await self._rules.asked(principal, text=request.rule)

    async def _count(self, principal: Principal, request: ExportRequest, asked: Asked | None) -> int:
        """In a transaction of its own, which is not committed: the members of a group are noted in it.

        Canaries are counted even where they will not leave: a narrow request that is never agreed to would tell them
        by the number.
        """
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_COUNTING_MS) as tx:
            await self._choose(tx, principal, request.group, asked)
            return await tx.exports.count(request.filters)

    async def run(self, principal: Principal, job: Job) -> None:
        """Carry an export out, with the rights of the request that the staff row still allows."""
        export_id = UUID(str(job.request["export_id"]))
        async with self._uow.begin(principal) as tx:
            stored = await tx.exports.find(export_id)
        if stored is None:
            raise NoExport
        try:
            await self._carry_out(principal, job, stored)
        except (Superseded, Unavailable):
            raise
        except ApprovalNeeded as error:
            await self._ask_again(principal, job, stored, error)
        except DomainError as error:
            await self._end(principal, job, export_id, error)

    async def _carry_out(self, principal: Principal, job: Job, stored: StoredExport) -> None:
        request = stored.request
        plan = await self._plan(principal, request)
        asked = await self._asked(principal, request)
        pipe = _Pipe()
        await _together(
            self._read(principal, stored, plan, asked, pipe),
            self._write(principal, job, stored, plan, asked, pipe),
            self._tell(principal, job, pipe),
        )

    async def _read(
        self, principal: Principal, stored: StoredExport, plan: ExportPlan, asked: Asked | None, pipe: "_Pipe"
    ) -> None:
        request = stored.request
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            await self._choose(tx, principal, request.group, asked)
            if plan.exact:
                tx.exports.leave_out(await tx.canaries.ids())
            total = pipe.total = await tx.exports.count(request.filters)
            await _check_agreed(tx, stored, total)
            if not plan.exact:
                sparse = total > SPARSE_ABOVE
                pipe.key = self._marks.of(principal.tenant_id, stored.export_id, sparse=sparse)
            if plan.clear:
                await _audit(tx, "contacts.reveal", stored.export_id, request, plan, asked, records=total)
            if request.bom:
                await pipe.put(_BOM)
            pipe.rows = await tx.exports.stream(
                plan, request, principal.currency, pipe.put, expected=total, key=pipe.key
            )
            await pipe.close()
            async for chunks in tx.exports.taken(request):
                await pipe.ledger.put(chunks)
            await tx.exports.forget_choice()
            await tx.commit()
        await pipe.end()

    async def _write(
        self,
        principal: Principal,
        job: Job,
        stored: StoredExport,
        plan: ExportPlan,
        asked: Asked | None,
        pipe: "_Pipe",
    ) -> None:
        # Only now: a transaction that waits idle for the first row of a large base would be ended by the server.
        await pipe.begun.wait()
        now = self._clock.now()
        name = f"{plan.what}-{now:%Y-%m-%d}-{stored.export_id.hex[-8:]}.csv"
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            kept = timedelta(hours=ExportPolicy.of(await tx.policies.read()).kept_hours)
            file_id, size, digest = await tx.files.write(
                pipe.pieces(), name=name, media_type="text/csv; charset=utf-8", expires_at=now + kept
            )
            async for chunks in pipe.chunks():
                await tx.exports.record(stored.export_id, chunks)
            if plan.clear:
                await tx.leaks.export_touched(stored.export_id)
            mark = None if pipe.key is None else pipe.key.check
            await tx.exports.settle(
                stored.export_id, "done", rows=pipe.rows, file_id=file_id, clear=plan.clear, mark=mark
            )
            approved = [str(one) for one in stored.approvers]
            seal = {"bytes": size, "sha256": digest.hex(), "approved_by": approved, "marked": mark is not None}
            await pipe.told.wait()
            await _audit(tx, "exports.create", stored.export_id, stored.request, plan, asked, records=pipe.rows, **seal)
            await tx.jobs.advance(job, done=pipe.rows, total=pipe.rows)
            await tx.jobs.finish(job, "done")
            await tx.commit()

    async def _tell(self, principal: Principal, job: Job, pipe: "_Pipe") -> None:
        """Progress, once a second until the last row is read; here a wish to stop is heard."""
        while not pipe.ended.is_set():
            # A moment without a free connection is no reason to give the whole work up.
            with suppress(Unavailable):
                async with self._uow.begin(principal) as tx:
                    await tx.jobs.advance(job, done=pipe.seen, total=pipe.total)
                    await tx.commit()
            with suppress(TimeoutError):
                await asyncio.wait_for(pipe.ended.wait(), _TELL_S)
        pipe.told.set()

    async def _choose(
        self, tx: ExportsTransaction, principal: Principal, group: str | None, asked: Asked | None
    ) -> None:
        if group is not None:
            await self._choose_group(tx, principal, group)
        if asked is not None:
            await tx.exports.choose_meant(asked)

    async def _choose_group(self, tx: ExportsTransaction, principal: Principal, group: str) -> None:
        scheme = RfmScheme()
        basis = Basis(currency=principal.currency, as_of=self._clock.today(principal.time_zone))
        distribution = await tx.purchases.distribution(basis, scheme.monetary, rfm.wanted_fractions(scheme))
        scores = rfm.cuts(distribution, scheme, basis.as_of)
        every = product(range(1, scheme.bins + 1), repeat=3)
        wanted = [cell for cell in every if scheme.groups.group_of(*cell) == group]
        await tx.exports.choose(basis, scheme.monetary, scores, wanted)

    async def _ask_again(self, principal: Principal, job: Job, stored: StoredExport, error: ApprovalNeeded) -> None:
        rows, needs = int(str(error.extra["rows"])), int(str(error.extra["needs"]))
        async with self._uow.begin(principal) as tx:
            await tx.export_approvals.ask_again(stored.export_id, rows=rows, needs=needs)
            await tx.journal.audit(
                "exports.ask_again", "export", stored.export_id, records=0, rows=rows, agreed=stored.asked_rows
            )
            await tx.jobs.finish(job, "failed", _problem(error))
            await tx.commit()

    async def _end(self, principal: Principal, job: Job, export_id: UUID, error: DomainError) -> None:
        state = "cancelled" if isinstance(error, Cancelled) else "failed"
        problem = _problem(error)
        async with self._uow.begin(principal) as tx:
            await tx.exports.settle(export_id, state, error=problem)
            await tx.jobs.finish(job, state, problem)
            await tx.commit()


async def _check_agreed(tx: ExportsTransaction, stored: StoredExport, total: int) -> None:
    """What is about to be written is what was agreed to, by as many as it takes. Raises ApprovalNeeded."""
    if grown(stored.asked_rows, total):
        policy = ExportPolicy.of(await tx.policies.read())
        needs = policy.approvals(stored.request.kind, total, await tx.exports.lately(stored.export_id))
        if needs:
            raise ApprovalNeeded(rows=total, needs=max(needs, stored.needs))
    elif stored.needs and len(await tx.export_approvals.fresh(stored.export_id)) < stored.needs:
        raise ApprovalNeeded(rows=total, needs=stored.needs)


def _problem(error: DomainError) -> dict[str, str]:
    return {"type": f"/problems/{error.code}", "title": error.title, "detail": error.detail}


async def _audit(
    tx: ExportsTransaction,
    action: str,
    export_id: UUID,
    request: ExportRequest,
    plan: ExportPlan,
    asked: Asked | None,
    *,
    records: int,
    **more: Any,
) -> None:
    await tx.journal.audit(
        action,
        "export",
        export_id,
        records=records,
        reason=request.purpose,
        kind=request.kind,
        columns=plan.names,
        clear=plan.clear,
        group=request.group,
        filters=dict(request.filters),
        # Without its values: they may be of persons.
        rule_fields=None if asked is None else told(asked.rule),
        **more,
    )


class _Pipe:
    """Bytes on their way from the reading to the writing transaction, a few pieces at a time."""

    def __init__(self) -> None:
        self.key: MarkKey | None = None
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=_WAITING)
        self.ledger: asyncio.Queue[Sequence[str] | None] = asyncio.Queue(maxsize=_PAGES_WAITING)
        self._lines = 0
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        # The last word on progress is the writer's: it waits until no other is on its way.
        self.told = asyncio.Event()
        self.total: int | None = None
        self.rows = 0

    @property
    def seen(self) -> int:
        """Rows so far, told by line ends: a line break inside a cell counts too, so never more than there are."""
        return min(max(self._lines - 1, 0), self.total or 0)

    async def put(self, piece: bytes) -> None:
        self._lines += piece.count(b"\n")
        await self._queue.put(piece)
        self.begun.set()

    async def close(self) -> None:
        """The file is whole; the ledger follows."""
        await self._queue.put(None)

    async def end(self) -> None:
        await self.ledger.put(None)
        self.ended.set()

    async def chunks(self) -> AsyncIterator[Sequence[str]]:
        while (page := await self.ledger.get()) is not None:
            yield page

    async def pieces(self) -> AsyncIterator[bytes]:
        while (piece := await self._queue.get()) is not None:
            yield piece


async def _together(*work: Awaitable[None]) -> None:
    """Run all; the first failure stops the others, and is what the caller hears once they have stopped."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
