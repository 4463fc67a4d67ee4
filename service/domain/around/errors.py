"""What can be refused about notes, contacts made, consents and the wish to see a record."""

from service.domain.errors import Conflict, Forbidden, NotFound, Rejected


class NoNote(NotFound):
    code = "note-not-found"
    title = "The record has no such note."


class NoInteraction(NotFound):
    code = "interaction-not-found"
    title = "The record has no such interaction."


class NotYours(Forbidden):
    code = "not-yours"
    title = "Only who has written it may take it back."


class InTheFuture(Rejected):
    code = "in-the-future"
    title = "What is recorded has happened already; its time can't lie ahead."


class NoAccessRequest(NotFound):
    code = "access-request-not-found"
    title = "There is no such request for access within the caller's reach."


class AccessDecided(Conflict):
    code = "access-decided"
    title = "This request for access was answered already."


class AccessAsked(Conflict):
    code = "access-asked"
    title = "You have asked for this record already, and the answer is still open."


class WithinReach(Conflict):
    code = "within-reach"
    title = "The record is within your reach already."


class OwnRequest(Forbidden):
    code = "own-request"
    title = "Nobody answers a request of his own."


class NotAnswering(Forbidden):
    code = "not-answering"
    title = "A request is answered by the record's curator, a deputy, or somebody with `assignments:write`."


class AskerGone(Conflict):
    code = "asker-gone"
    title = "Who has asked is leaving or no longer on the staff, and gets no more records."


class BadRequestToken(Rejected):
    code = "bad-request-token"
    title = "The token was not made for you, is damaged, or is older than a day; create the record again to get one."


class AskedForNothing(Rejected):
    code = "asked-for-nothing"
    title = "Name the record by its request_token or by its external_id, not by both."
