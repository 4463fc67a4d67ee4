"""What can be refused about hand-overs, undoing them, and deputies."""

from service.domain.errors import Conflict, Forbidden, NotFound, Rejected


class LeadNeeded(Forbidden):
    code = "lead-needed"
    title = "Portfolios are handed over by those whose reach is a team or the whole tenant."


class NoAssignment(NotFound):
    code = "assignment-not-found"
    title = "There is no such hand-over within the caller's reach."


class SelectionEmpty(Rejected):
    code = "selection-empty"
    title = "A hand-over says which records it means: a filter, a list of ids, a curator, or the pool."


class TargetUnclear(Rejected):
    code = "target-unclear"
    title = "A hand-over goes to a person, to a team, over the members of a team, or back into the pool."


class ReceiverUnfit(Rejected):
    code = "receiver-unfit"
    title = "Who receives records is an active person, and a member of the team that is named."


class OutsideOwnTeams(Rejected):
    code = "outside-own-teams"
    title = "Whoever leads teams hands over within these teams only."


class SelectionChanged(Conflict):
    code = "selection-changed"
    title = "The selection has another number of records than expected; look at a dry run again."


class AssignmentUndone(Conflict):
    code = "assignment-undone"
    title = "This hand-over was undone already."


class DeputyUnfit(Rejected):
    code = "deputy-unfit"
    title = "A deputy is another active person, for days that end no earlier than they begin and not in the past."


class DeputyKnown(Conflict):
    code = "deputy-known"
    title = "This person is a deputy of that one from this day on already."


class NoDeputy(NotFound):
    code = "deputy-not-found"
    title = "There is no such deputy within the caller's reach."
