"""What can be refused about customers."""

from service.domain.errors import Conflict, NotFound, Rejected


class NoCustomer(NotFound):
    code = "customer-not-found"
    title = "There is no such customer within the caller's reach."


class ExternalIdTaken(Conflict):
    code = "external-id-taken"
    title = "Another record has this external id already."


class CustomerErased(Conflict):
    code = "customer-erased"
    title = "The personal data of this record was erased; nothing can be written to it, undone or brought back."


class CustomerHasOrders(Conflict):
    code = "customer-has-orders"
    title = "The record has purchases; archive it, or erase it under the privacy rules, instead of deleting it."


class ContactKnown(Conflict):
    code = "contact-known"
    title = "The record has this contact already."


class NameMissing(Rejected):
    code = "name-missing"
    title = "A person needs a family or given name, an organisation a legal or trade name."


class OutsideOwnReach(Rejected):
    code = "outside-reach"
    title = "The curator or team would put the record out of the caller's own reach."


class RepeatedInBatch(Conflict):
    code = "repeated-in-batch"
    title = "An earlier item of this batch has the same external id."
