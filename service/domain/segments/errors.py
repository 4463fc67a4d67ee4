"""Why something can't be done with a segment."""

from service.domain.errors import Conflict, NotFound, Rejected


class NoSegment(NotFound):
    code = "segment-not-found"
    title = "There is no such segment."


class SegmentCycle(Rejected):
    code = "segment-cycle"
    title = "The rule asks for a segment that is, itself or by way of others, built on this one."


class SegmentInUse(Conflict):
    code = "segment-in-use"
    title = "Other segments are built on this one; change or delete them first."


class NotRuled(Conflict):
    code = "segment-not-live"
    title = "Only a live segment has a rule."


class NotListed(Conflict):
    code = "segment-not-static"
    title = "Only the list of a static segment can be edited; a live one follows its rule, a snapshot stays as it is."
