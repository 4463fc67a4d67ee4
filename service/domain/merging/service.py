"""Merging records into one, and taking that back: decided here, carried out in sets by the database.

Either is one transaction, with all of its records locked in the order of their ids. What is merged must lie within the
caller's reach as a whole, before and after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from service.domain.access import Principal, Scope
from service.domain.customers.errors import CustomerErased, NoCustomer, OutsideOwnReach
from service.domain.customers.history import Event, differences, events, moved
from service.domain.customers.model import Record, checked, placed
from service.domain.customers.ports import Written
from service.domain.errors import Precondition
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.merging.contacts import Pooled, pooled
from service.domain.merging.errors import KindsDiffer, MarkedAsDifferent, MergeSuperseded, MergeUndone, NoMerge
from service.domain.merging.model import Candidate, MergeOrder
from service.domain.merging.ports import Merge, MergingTransaction
from service.domain.merging.survivorship import Decision, decide, merged, provenance_of, survivor_of
from service.domain.merging.undoing import TakenBack, taken_back
from service.domain.ports import Clock, UnitOfWork

_TIMEOUT_MS = 120_000
_SOURCE = "merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a merge will do: who stays, what becomes of each unit and contact, what moves."""

    survivor: Candidate
    candidates: Sequence[Candidate]
    decisions: Sequence[Decision]
    record: Record
    contacts: Sequence[Pooled]
    hanging: Mapping[str, int]

    @property
    def others(self) -> list[UUID]:
        return [one.customer_id for one in self.candidates if one is not self.survivor]


class MergingService:
    def __init__(self, uow: UnitOfWork[MergingTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def preview(self, principal: Principal, order: MergeOrder) -> Plan:
        """What the merge would do; nothing changes."""
        principal.require(Scope.CUSTOMERS_MERGE)
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            return await _planned(tx, principal, order, lock=False)

    async def merge(self, principal: Principal, order: MergeOrder, once: Once | None = None) -> UUID:
        """Make one record of several; the same idempotency key gives the merge that was made before."""
        principal.require(Scope.CUSTOMERS_MERGE)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["merge_id"])
            plan = await _planned(tx, principal, order, lock=True)
            merge = Merge(merge_id=new_id(), survivor_id=plan.survivor.customer_id, others=plan.others)
            # A canary that is merged is none any more: told before, or merging would be a way around the watch.
            await tx.leaks.touched(merge.all_ids, by="merge")
            await tx.merging.apply(merge, plan.contacts, order.told)
            await tx.customers.replace([_written(plan, merge)])
            today = self._clock.today(principal.time_zone)
            await tx.totals.refresh([merge.survivor_id], today, source=_SOURCE)
            await tx.merging.keep_result(merge, {"moved": dict(plan.hanging)})
            await _tell(tx, merge, "merged")
            await tx.journal.audit(
                "customers.merge",
                "customer",
                merge.survivor_id,
                records=len(merge.all_ids),
                reason=order.reason,
                touched=merge.all_ids,
                merge_id=str(merge.merge_id),
            )
            await tx.idempotency.remember(once, 201, {"merge_id": str(merge.merge_id)})
            await tx.commit()
        return merge.merge_id

    async def undo(self, principal: Principal, merge_id: UUID) -> Mapping[str, Any]:
        """Bring the records back as they were, and say what has been written since and stays."""
        principal.require(Scope.CUSTOMERS_MERGE)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            merge, now = await _undoable(tx, merge_id)
            images = await tx.merging.images(merge)
            if images is None:
                raise CustomerErased
            others = [one for one in images.before if one.customer_id != merge.survivor_id]
            survivor = next(one for one in images.before if one.customer_id == merge.survivor_id)
            back = taken_back(survivor, images.after, now)
            for record in (back.record, *(one.record for one in others)):
                _within(record, principal)
            found = await tx.merging.bring_back(merge, others)
            await tx.customers.replace([_rewritten(now, back, merge)])
            today = self._clock.today(principal.time_zone)
            await tx.totals.refresh(merge.all_ids, today, source=_SOURCE)
            report = {"fields": [asdict(one) for one in back.conflicts], **found}
            await tx.merging.finish_undo(merge, report, status_back=back.status_back)
            await _tell(tx, merge, "unmerged")
            await tx.journal.audit(
                "merges.undo",
                "customer",
                merge.survivor_id,
                records=len(merge.all_ids),
                touched=merge.all_ids,
                merge_id=str(merge_id),
                conflicts=len(back.conflicts),
            )
            await tx.commit()
        return {"merge_id": merge_id, "survivor_id": merge.survivor_id, "restored": merge.others, **report}

    async def led_to(self, principal: Principal, old_id: UUID) -> UUID | None:
        """The record within reach that holds what the record of this id had."""
        async with self._uow.begin(principal) as tx:
            return await tx.merging.led_to(old_id)


async def _planned(tx: MergingTransaction, principal: Principal, order: MergeOrder, *, lock: bool) -> Plan:
    candidates = await tx.merging.candidates(order.customer_ids, lock=lock)
    _check(order, candidates)
    if await tx.merging.marked(order.customer_ids):
        raise MarkedAsDifferent
    survivor = survivor_of(candidates, order.survivor_id)
    decisions = decide(candidates, survivor, order)
    others = [one.customer_id for one in candidates if one is not survivor]
    return Plan(
        survivor=survivor,
        candidates=candidates,
        decisions=decisions,
        record=checked(merged(survivor, decisions), principal),
        contacts=pooled(survivor.customer_id, await tx.merging.contacts(order.customer_ids)),
        hanging=await tx.merging.hanging(others),
    )


def _check(order: MergeOrder, candidates: Sequence[Candidate]) -> None:
    if {one.customer_id for one in candidates} != set(order.customer_ids):
        raise NoCustomer
    if any(one.erased for one in candidates):
        raise CustomerErased
    for one in candidates:
        if order.versions.get(one.customer_id, one.version) != one.version:
            raise Precondition(customer_id=str(one.customer_id), current_version=one.version)
    if len({one.record.kind for one in candidates}) > 1:
        raise KindsDiffer


def _written(plan: Plan, merge: Merge) -> Written:
    """The survivor with what it gets, and what its history says of that."""
    old, new = plan.survivor.record, plan.record
    told = Event(
        kind="merged",
        detail={
            "merge_id": str(merge.merge_id),
            "customers": [
                {"customer_id": str(one.customer_id), "display_name": one.record.shown}
                for one in plan.candidates
                if one is not plan.survivor
            ],
            "fields": differences(old, new),
        },
    )
    return Written(
        customer_id=merge.survivor_id,
        record=new,
        source=_SOURCE,
        provenance=provenance_of(plan.survivor, plan.candidates, plan.decisions).stored(),
        events=(told, *(one for one in events(old, new) if one.kind == "status")),
        moved=moved(old, new),
    )


def _rewritten(now: Candidate, back: TakenBack, merge: Merge) -> Written:
    """The survivor without what the merge had brought."""
    told = Event(
        kind="unmerged",
        detail={
            "merge_id": str(merge.merge_id),
            "customers": [{"customer_id": str(one)} for one in merge.others],
            "fields": sorted(differences(now.record, back.record)),
        },
    )
    return Written(
        customer_id=merge.survivor_id,
        record=back.record,
        source=_SOURCE,
        provenance=back.provenance.stored(),
        events=(told, *(one for one in events(now.record, back.record) if one.kind == "status")),
        moved=moved(now.record, back.record),
    )


async def _undoable(tx: MergingTransaction, merge_id: UUID) -> tuple[Merge, Candidate]:
    """The merge, and the record that holds it, locked: whoever touches one has to hold the other."""
    card = await tx.merging.card(merge_id)
    if card is None:
        raise NoMerge
    locked = await tx.merging.candidates([card["customer_id"]], lock=True)
    card = await tx.merging.card(merge_id)
    if card is None or not locked:
        raise NoMerge
    if card["state"] == "undone":
        raise MergeUndone
    if locked[0].erased:
        raise CustomerErased
    merge = Merge(merge_id=merge_id, survivor_id=card["survivor_id"], others=card["merged_ids"])
    if later := await tx.merging.later(merge_id, card["customer_id"]):
        raise MergeSuperseded(merge_id=str(later))
    return merge, locked[0]


def _within(record: Record, principal: Principal) -> None:
    """Refuse to bring back a record that the caller would not reach."""
    if placed(record, principal) != record:
        raise OutsideOwnReach


async def _tell(tx: MergingTransaction, merge: Merge, kind: str) -> None:
    """Systems that keep a copy learn of every record that was merged; what hung on it belongs to another one now."""
    count = len(merge.others)
    holders = [merge.survivor_id] * count if kind == "merged" else list(merge.others)
    await tx.journal.changed_many("customer", kind, merge.others, holders)
    await tx.journal.changed("customer", "updated", merge.survivor_id, merge.survivor_id)
