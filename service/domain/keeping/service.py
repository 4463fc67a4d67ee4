"""Keeping records true: which of their values somebody has found right, and how records belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers import provenance
from service.domain.customers.errors import NoCustomer
from service.domain.customers.history import Event, filled, source_of
from service.domain.customers.model import as_mapping
from service.domain.customers.ports import Stored
from service.domain.errors import Precondition
from service.domain.idempotency import Once
from service.domain.keeping.errors import LinkKnown, LinkToItself, NoLink, NothingToVerify
from service.domain.keeping.ports import KeepingTransaction
from service.domain.ports import Clock, UnitOfWork

# Who answers and where the record stands is dated by itself; nobody checks it with the customer.
UNCHECKED = frozenset({"kind", "status", "curator_id", "team_id"})
LinkKind = Literal["works_at", "subsidiary_of", "household", "referred_by"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found right; fields and contacts of None are all that there are, unless the others are named."""

    fields: Sequence[str] | None = None
    contacts: Sequence[UUID] | None = None
    by_customer: bool = False

    @property
    def of_all(self) -> bool:
        return self.fields is None and self.contacts is None


class KeepingService:
    def __init__(self, uow: UnitOfWork[KeepingTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def verify(
        self, principal: Principal, customer_id: UUID, given: Verification, expected: int | None = None
    ) -> None:
        """Date values as found right. Raises NoCustomer, Precondition, NothingToVerify."""
        async with self._uow.begin(principal) as tx:
            stored = await _locked(tx, customer_id, expected)
            fields = _fields(stored, given)
            details = () if given.contacts is None and not given.of_all else given.contacts
            contacts = await tx.contacts.verify(customer_id, details)
            if given.contacts is not None and len(contacts) != len(set(given.contacts)):
                raise NothingToVerify(pointer="/contacts")
            known = provenance.restored(stored.provenance).verify(fields, self._clock.now())
            await tx.history.verified(customer_id, known.stored())
            await tx.tasks.verified(customer_id, fields, [row["detail_id"] for row in contacts])
            shown = [{"kind": row["kind"], "value": row["masked"]} for row in contacts]
            source = "customer" if given.by_customer else source_of(principal, stored.record)
            event = Event(kind="verified", detail={"fields": fields, "contacts": shown})
            await tx.history.event(customer_id, event, source)
            await tx.journal.changed("customer", "verified", customer_id, customer_id)
            await tx.journal.audit("customers.verify", "customer", customer_id, fields=fields, contacts=len(contacts))
            await tx.commit()

    async def link(
        self, principal: Principal, customer_id: UUID, kind: LinkKind, other_id: UUID, once: Once | None = None
    ) -> None:
        """Say that the record works at, is a subsidiary of, lives with or was referred by the other one."""
        if other_id == customer_id:
            raise LinkToItself(pointer="/other_id")
        async with self._uow.begin(principal) as tx:
            if await tx.idempotency.recall(once):
                return
            if len(await tx.customers.lock([customer_id, other_id])) < 2:
                raise NoCustomer
            if not await tx.links.add(customer_id, kind, other_id):
                raise LinkKnown
            await self._told(tx, "linked", customer_id, kind, other_id)
            await tx.idempotency.remember(once, 201, {"other_id": str(other_id)})
            await tx.commit()

    async def unlink(self, principal: Principal, customer_id: UUID, kind: LinkKind, other_id: UUID) -> None:
        """Take a link away."""
        async with self._uow.begin(principal) as tx:
            if len(await tx.customers.lock([customer_id, other_id])) < 2:
                raise NoLink
            if not await tx.links.remove(customer_id, kind, other_id):
                raise NoLink
            await self._told(tx, "unlinked", customer_id, kind, other_id)
            await tx.commit()

    async def _told(self, tx: KeepingTransaction, what: str, customer_id: UUID, kind: LinkKind, other_id: UUID) -> None:
        both = [customer_id, other_id]
        for one, other, direction in ((customer_id, other_id, "to"), (other_id, customer_id, "from")):
            event = Event(kind=what, detail={"link": kind, "direction": direction, "other_id": str(other)})
            await tx.history.event(one, event, "api")
        await tx.journal.changed_many("customer", what, both, both)
        await tx.journal.audit(f"customers.{what}", "customer", customer_id, kind=kind, other_id=str(other_id))


def _fields(stored: Stored, given: Verification) -> list[str]:
    there = [name for name in filled(as_mapping(stored.record)) if name not in UNCHECKED]
    if given.of_all:
        return there
    wanted = list(dict.fromkeys(given.fields or ()))
    for index, name in enumerate(wanted):
        if name not in there:
            raise NothingToVerify(pointer=f"/fields/{index}")
    return wanted


async def _locked(tx: KeepingTransaction, customer_id: UUID, expected: int | None) -> Stored:
    stored = (await tx.customers.lock([customer_id])).get(customer_id)
    if stored is None:
        raise NoCustomer
    if expected is not None and stored.version != expected:
        raise Precondition(current_version=stored.version)
    return stored
