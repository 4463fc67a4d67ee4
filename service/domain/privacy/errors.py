"""What can be refused about restriction, access reports and erasure."""

from service.domain.errors import Conflict, Forbidden, NotFound, Rejected


class WholeBaseNeeded(Forbidden):
    code = "privacy-needs-tenant-reach"
    title = "All that is kept on a person is reported and erased by somebody whose reach is the whole tenant."


class NotConfirmed(Rejected):
    code = "erasure-not-confirmed"
    title = "Erasing can't be undone: `confirm` must repeat the customer's id."


class ReasonNamesPerson(Rejected):
    code = "reason-names-person"
    title = "The reason outlives the erasure, so it must not name the person or hold a contact of his."


class BulkWorkAtHand(Conflict):
    code = "bulk-work-at-hand"
    title = "An import or export of this tenant is not over yet, and its file may hold the person; repeat when it is."


class NoErasure(NotFound):
    code = "erasure-not-found"
    title = "There is no such erasure within the caller's reach."


class FutureRequest(Rejected):
    code = "future-request"
    title = "The person can't have asked later than today."
