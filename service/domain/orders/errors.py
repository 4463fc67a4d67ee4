"""What can be refused about purchases."""

from service.domain.errors import Conflict, NotFound, Rejected


class NoOrder(NotFound):
    code = "order-not-found"
    title = "There is no such order within the caller's reach."


class OrderIdTaken(Conflict):
    code = "order-id-taken"
    title = "Another purchase has this external id already."


class RefundTooLarge(Rejected):
    code = "refund-too-large"
    title = "The refunds of an order can't exceed its total."


class TotalMissing(Rejected):
    code = "total-missing"
    title = "An order needs a total or at least one line."
