"""What can be refused about merging records, and about taking that back."""

from service.domain.errors import Conflict, NotFound, Rejected


class NoMerge(NotFound):
    code = "merge-not-found"
    title = "There is no such merge within the caller's reach."


class MergeUndone(Conflict):
    code = "merge-undone"
    title = "The merge was undone already."


class MergeSuperseded(Conflict):
    code = "merge-superseded"
    title = "A later merge holds these records; undo that one first."


class CustomerMerged(Conflict):
    code = "customer-merged"
    title = "The record was merged into another one; write to that one."


class KindsDiffer(Rejected):
    code = "kinds-differ"
    title = "A person and an organisation are never the same record; link them instead."


class MarkedAsDifferent(Conflict):
    code = "marked-as-different"
    title = "Two of these records are marked as never to be merged; take the mark away first."


class BadSurvivorship(Rejected):
    code = "bad-survivorship"
    title = "The field, the rule or the record to take a value from is none that fits this merge."
