"""Refusals around the audit trail."""

from service.domain.errors import NotFound, Unavailable


class AuditUnwritable(Unavailable):
    code = "audit-unwritable"
    title = "The audit trail can't be written right now, so nothing is shown and nothing is changed."


class NoSuchPlace(NotFound):
    code = "audit-place-not-found"
    title = "The month's chain has no such place."
