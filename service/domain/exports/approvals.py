"""A second person decides on an export: sees what would leave, to whom and why, and agrees or not.

He is another than the one who asked, with the reach over the whole tenant, so that he could see every record himself;
to anybody else the export does not exist. The job is queued with the last word that is needed, and runs as the one who
asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from service.domain.access import Principal, Reach, Scope
from service.domain.exports.errors import (
    AlreadyApproved,
    ApproverUnfit,
    ExportChanged,
    ExportRejected,
    NoExport,
    NotAwaiting,
)
from service.domain.exports.ports import ExportsTransaction, StoredExport
from service.domain.ports import UnitOfWork


class ApprovalService:
    def __init__(self, uow: UnitOfWork[ExportsTransaction]) -> None:
        self._uow = uow

    async def waiting(self, principal: Principal, *, before: UUID | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """The exports that wait for this person's word, the newest first."""
        principal.require(Scope.EXPORTS_APPROVE)
        if not _fit(principal):
            return ()
        async with self._uow.begin(principal) as tx:
            return await tx.export_approvals.waiting(before=before, limit=limit)

    async def approve(self, principal: Principal, export_id: UUID, *, rows: int | None = None) -> None:
        """Agree; `rows` is the number that was seen, refused if it is another by now."""
        async with self._uow.begin(principal) as tx:
            export = await _to_decide(tx, principal, export_id)
            if rows is not None and rows != export.asked_rows:
                raise ExportChanged(rows=export.asked_rows)
            before = set(await tx.export_approvals.fresh(export_id))
            if principal.staff_id in before | set(export.approvers):
                raise AlreadyApproved
            await tx.export_approvals.agree(export)
            given = len(before) + 1
            job_id = await tx.export_approvals.release(export) if given >= export.needs else None
            await tx.journal.audit(
                "exports.approve",
                "export",
                export_id,
                records=0,
                rows=export.asked_rows,
                requester=str(export.staff_id),
                kind=export.request.kind,
                given=given,
                needed=export.needs,
                job_id=None if job_id is None else str(job_id),
            )
            await tx.commit()

    async def reject(self, principal: Principal, export_id: UUID, reason: str) -> None:
        """Decide against it; who asked reads why."""
        error = ExportRejected(reason)
        problem = {"type": f"/problems/{error.code}", "title": error.title, "detail": error.detail}
        async with self._uow.begin(principal) as tx:
            export = await _to_decide(tx, principal, export_id)
            await tx.export_approvals.reject(export_id, problem)
            await tx.journal.audit(
                "exports.reject", "export", export_id, records=0, reason=reason, requester=str(export.staff_id)
            )
            await tx.commit()


async def _to_decide(tx: ExportsTransaction, principal: Principal, export_id: UUID) -> StoredExport:
    principal.require(Scope.EXPORTS_APPROVE)
    export = await tx.export_approvals.find(export_id)
    if export is None:
        raise NoExport
    if export.staff_id == principal.staff_id or not _fit(principal):
        raise ApproverUnfit
    if export.state != "awaiting_approval":
        raise NotAwaiting(state=export.state)
    return export


def _fit(principal: Principal) -> bool:
    return principal.reach is Reach.TENANT and principal.kind == "person" and not principal.leaving
