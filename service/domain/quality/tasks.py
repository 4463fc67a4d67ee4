"""What there is to mend for each curator, and by when: so many days from when it was found, or a day that was set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from service.domain.access import Principal
from service.domain.errors import Rejected
from service.domain.ports import Clock, UnitOfWork
from service.domain.quality.due import MendingPolicy
from service.domain.quality.fixing import NoIssue
from service.domain.quality.fixing_ports import Card, MendingTransaction, TaskAsk

_FARTHEST = timedelta(days=366)
_TIMEOUT_MS = 30_000


class DueTooFar(Rejected):
    code = "due-too-far"
    title = "An issue is due today at the earliest, and within a year."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """One page of tasks, and the day that they are told on."""

    rows: Sequence[Card]
    today: date


class TaskService:
    def __init__(self, uow: UnitOfWork[MendingTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def page(
        self,
        principal: Principal,
        *,
        curator_id: UUID | None,
        overdue: bool,
        after: tuple[date, UUID] | None,
        limit: int,
    ) -> Tasks:
        """Open issues of a curator's records, one's own and those one stands in for if none is named, by their day."""
        curators = (curator_id,) if curator_id else principal.owners or (principal.staff_id,)
        today = self._clock.today(principal.time_zone)
        ask = TaskAsk(curators=curators, by=today - timedelta(days=1) if overdue else None, after=after, limit=limit)
        async with self._uow.begin(principal) as tx:
            rows = await tx.tasks.tasks(ask, await _days(tx), principal.time_zone)
        return Tasks(rows=rows, today=today)

    async def workload(self, principal: Principal, *, after: UUID | None, limit: int) -> Sequence[Card]:
        """Of each curator within reach how much is open and overdue."""
        today = self._clock.today(principal.time_zone)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            return await tx.tasks.workload(await _days(tx), principal.time_zone, today, after, limit)

    async def schedule(self, principal: Principal, issue_id: UUID, due_on: date | None) -> Card:
        """Set the day by which an issue is due; None goes back to the usual one. Raises NoIssue, DueTooFar."""
        today = self._clock.today(principal.time_zone)
        if due_on is not None and not today <= due_on <= today + _FARTHEST:
            raise DueTooFar(pointer="/due_on")
        async with self._uow.begin(principal) as tx:
            if not await tx.tasks.schedule(issue_id, due_on):
                raise NoIssue
            card = await tx.mending.issue(issue_id)
            assert card is not None
            await tx.journal.audit(
                "quality.schedule", "customer", card["customer_id"], issue_id=str(issue_id), due_on=str(due_on or "")
            )
            await tx.commit()
        return card


async def _days(tx: MendingTransaction) -> Mapping[str, int]:
    policies, _ = await tx.mending.policy()
    return MendingPolicy.of(policies).due_days
