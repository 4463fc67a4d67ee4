"""Hand-overs, undoing them, the pool, and deputies: decided here, carried out in sets by the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.assignments.errors import (
    AssignmentUndone,
    DeputyKnown,
    DeputyUnfit,
    NoAssignment,
    NoDeputy,
    SelectionChanged,
    SelectionEmpty,
)
from service.domain.assignments.model import (
    Bounds,
    Person,
    Receiver,
    Selection,
    Spread,
    Target,
    bounds_of,
    receivers,
)
from service.domain.assignments.portfolio import Tenure, tenures
from service.domain.assignments.ports import AssignmentsTransaction, Card, Returned, Share
from service.domain.customers.errors import NoCustomer
from service.domain.errors import UnknownReference
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.money import money_text
from service.domain.ports import Clock, UnitOfWork

# A hundred thousand records take some ten seconds, and nobody sees half of them.
_TIMEOUT_MS = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What a hand-over does, or would do: `missing` are the ids of a list that it doesn't find within its bounds."""

    assignment_id: UUID | None
    records: int
    unchanged: int
    missing: int
    receivers: Sequence[Mapping[str, Any]]


class AssignmentService:
    def __init__(self, uow: UnitOfWork[AssignmentsTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def preview(self, principal: Principal, selection: Selection, target: Target) -> HandedOver:
        """Who would get how much; nothing changes."""
        bounds = _bounds(principal, selection)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            return await self._deal(tx, principal, selection, target, bounds, None)

    async def hand_over(
        self,
        principal: Principal,
        selection: Selection,
        target: Target,
        *,
        expected: int | None = None,
        reason: str | None = None,
        once: Once | None = None,
    ) -> UUID:
        """Move the records, all of them or none, and tell it to their histories and to the audit trail."""
        bounds = _bounds(principal, selection)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["assignment_id"])
            assignment_id = new_id()
            done = await self._deal(tx, principal, selection, target, bounds, assignment_id)
            if expected is not None and done.records != expected:
                raise SelectionChanged(expected=expected, found=done.records)
            request = {"select": selection.told, "to": target.told, "reason": reason}
            outcome = {name: getattr(done, name) for name in ("unchanged", "missing", "receivers")}
            await tx.assignments.add(assignment_id, request, outcome, done.records)
            await tx.journal.audit(
                "assignments.create",
                "assignment",
                assignment_id,
                records=done.records,
                reason=reason,
                select=selection.told,
                to=target.told,
            )
            await tx.idempotency.remember(once, 201, {"assignment_id": str(assignment_id)})
            await tx.commit()
        return assignment_id

    async def undo(self, principal: Principal, assignment_id: UUID) -> Returned:
        """Give back what has not moved since; refuses the second time."""
        bounds = bounds_of(principal)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            card = await tx.assignments.card(assignment_id, lock=True)
            if card is None:
                raise NoAssignment
            if card["state"] == "undone":
                raise AssignmentUndone
            done = await tx.assignments.give_back(assignment_id, new_id(), bounds)
            undone = {"returned": done.returned, "kept": done.kept, "kept_ids": [str(one) for one in done.kept_ids]}
            await tx.assignments.mark_undone(assignment_id, undone)
            await tx.journal.audit(
                "assignments.undo", "assignment", assignment_id, records=done.returned, kept=done.kept
            )
            await tx.commit()
        return done

    async def pool(
        self, principal: Principal, *, after: UUID | None, limit: int, counted: bool
    ) -> tuple[Sequence[Card], int | None]:
        """The records that nobody answers for, for those who may hand them out."""
        bounds_of(principal)
        async with self._uow.begin(principal) as tx:
            found = await tx.assignments.pool(after, limit)
            return found, await tx.assignments.pool_size() if counted else None

    async def history(self, principal: Principal, customer_id: UUID) -> list[Tenure]:
        """Who answered for a record and when, newest first."""
        async with self._uow.begin(principal) as tx:
            found = await tx.assignments.moves(customer_id)
        if found is None:
            raise NoCustomer
        present, moves = found
        return tenures(present["created_at"], present, moves)

    async def deputise(
        self, principal: Principal, *, owner_id: UUID, deputy_id: UUID, from_on: date | None, until_on: date | None
    ) -> date:
        """Let one person look after another one's customers for some days; the first of them is the answer."""
        bounds = bounds_of(principal)
        today = self._clock.today(principal.time_zone)
        begins = from_on or today
        async with self._uow.begin(principal) as tx:
            owner, deputy = await tx.assignments.person(owner_id), await tx.assignments.person(deputy_id)
            if not _may_deputise(owner, deputy, bounds) or begins < today or (until_on and until_on < begins):
                raise DeputyUnfit
            if not await tx.assignments.add_deputy(owner_id, deputy_id, begins, until_on):
                raise DeputyKnown
            await tx.journal.audit(
                "deputies.create",
                "staff",
                deputy_id,
                owner_id=str(owner_id),
                from_on=str(begins),
                until_on=str(until_on) if until_on else None,
            )
            await tx.commit()
        return begins

    async def end_deputy(self, principal: Principal, *, owner_id: UUID, deputy_id: UUID, from_on: date) -> None:
        """From now on the deputy is none any more."""
        bounds = bounds_of(principal)
        today = self._clock.today(principal.time_zone)
        async with self._uow.begin(principal) as tx:
            row = await tx.assignments.deputy(owner_id, deputy_id, from_on)
            owner = await tx.assignments.person(owner_id)
            if row is None or owner is None or not _leads(bounds, owner):
                raise NoDeputy
            if row["until_on"] is None or row["until_on"] >= today:
                await tx.assignments.end_deputy(owner_id, deputy_id, from_on, today)
                await tx.journal.audit("deputies.delete", "staff", deputy_id, owner_id=str(owner_id))
            await tx.commit()

    async def _deal(
        self,
        tx: AssignmentsTransaction,
        principal: Principal,
        selection: Selection,
        target: Target,
        bounds: Bounds,
        assignment_id: UUID | None,
    ) -> HandedOver:
        to = await _receivers(tx, selection, target, bounds)
        shares = await tx.assignments.deal(
            selection,
            bounds,
            to,
            target.spread or Spread.ROUND_ROBIN,
            currency=principal.currency,
            assignment_id=assignment_id,
        )
        moved, unchanged = sum(one.moved for one in shares), sum(one.unchanged for one in shares)
        asked = len(set(selection.customer_ids)) if selection.customer_ids is not None else moved + unchanged
        by_receiver = {one.receiver: one for one in shares}
        return HandedOver(
            assignment_id=assignment_id,
            records=moved,
            unchanged=unchanged,
            missing=asked - moved - unchanged,
            receivers=[_told(one, by_receiver.get(index)) for index, one in enumerate(to)],
        )


def _bounds(principal: Principal, selection: Selection) -> Bounds:
    bounds = bounds_of(principal)
    if selection.empty:
        raise SelectionEmpty(pointer="/select")
    return bounds


async def _receivers(
    tx: AssignmentsTransaction, selection: Selection, target: Target, bounds: Bounds
) -> tuple[Receiver, ...]:
    person = await tx.assignments.person(target.curator_id) if target.curator_id else None
    members: Sequence[Person] = ()
    if target.team_id is not None:
        found = await tx.assignments.members(target.team_id)
        if found is None:
            raise UnknownReference("There is no such team.", pointer="/to/team_id")
        members = found
    giving = selection.filters.get("curator_id")
    return receivers(
        target, bounds, person=person, members=members, giving=giving if isinstance(giving, UUID) else None
    )


def _told(receiver: Receiver, share: Share | None) -> Mapping[str, Any]:
    """What one receiver gets, as plain values that can be kept."""
    return {
        "curator_id": str(receiver.curator_id) if receiver.curator_id else None,
        "team_id": str(receiver.team_id) if receiver.team_id else None,
        "name": receiver.name,
        "records": share.moved if share else 0,
        "unchanged": share.unchanged if share else 0,
        "revenue": money_text(share.revenue if share else 0),
    }


def _may_deputise(owner: Person | None, deputy: Person | None, bounds: Bounds) -> bool:
    if owner is None or deputy is None or not deputy.active or owner.staff_id == deputy.staff_id:
        return False
    return _leads(bounds, owner) and _leads(bounds, deputy)


def _leads(bounds: Bounds, person: Person) -> bool:
    return bounds.teams is None or any(bounds.hold(team_id) for team_id in person.teams)
