"""What can be said against an export."""

from service.domain.errors import Conflict, DomainError, Forbidden, NotFound, Rejected
from service.domain.exports.agreement import APPROVAL_HOURS


class NoExport(NotFound):
    code = "export-not-found"
    title = "There is no such export within the caller's reach."


class ExportNotReady(Conflict):
    code = "export-not-ready"
    title = "The export has no file: it is not done yet, or it has failed."


class ExportExpired(NotFound):
    code = "export-expired"
    title = "The file of this export has had its time and is gone; ask for a new one."


class ExportOfAnother(Forbidden):
    code = "export-of-another"
    title = "Only the person who asked for an export may fetch its file."


class ExportFetched(Conflict):
    code = "export-fetched"
    title = "The file has been fetched; a link fetches it once more."


class LinkSpent(NotFound):
    code = "export-link-spent"
    title = "There is no such link, it has been used, or its minutes are over."


class ApproverUnfit(Forbidden):
    code = "export-approver-unfit"
    title = "Another person agrees to an export: not the one who asked, nobody who is leaving, and no system."


class NotAwaiting(Conflict):
    code = "export-not-awaiting"
    title = f"The export does not wait for approval: it was decided, or nobody did so within {APPROVAL_HOURS} hours."


class AlreadyApproved(Conflict):
    code = "export-approved-already"
    title = "You have agreed to this export already; it needs another person too."


class ExportChanged(Conflict):
    code = "export-rows-changed"
    title = "The export holds another number of rows than the one that you agree to."


class MigrationNeedsAll(Forbidden):
    code = "export-migration-reach"
    title = "A migration takes the reach over the whole tenant."


class MigrationIsWhole(Rejected):
    code = "export-migration-columns"
    title = "A migration has all columns; leave `columns` out."


class ApprovalNeeded(DomainError):
    """In a job only: there is more than was agreed to, or the agreement is too old."""

    code = "export-needs-approval"
    title = "The export waits for approval: it holds more than was agreed to, or the agreement is too old."


class ExportRejected(DomainError):
    """In an export only."""

    code = "export-rejected"
    title = "Somebody has decided against the export."
