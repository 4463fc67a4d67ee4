"""What can be refused about verifying and linking records."""

from service.domain.errors import Conflict, NotFound, Rejected


class NothingToVerify(Rejected):
    code = "nothing-to-verify"
    title = "A field that holds nothing, and a contact that the record does not have, can't be found right."


class NoLink(NotFound):
    code = "link-not-found"
    title = "There is no such link between records within the caller's reach."


class LinkToItself(Rejected):
    code = "link-to-itself"
    title = "A record can't be linked to itself."


class LinkKnown(Conflict):
    code = "link-known"
    title = "These records are linked in this way already."
