"""Writing beside a record: notes, contacts made, consents; each takes the record from being erased meanwhile."""

from uuid import UUID

from service.domain.access import Principal
from service.domain.around.errors import NoInteraction, NoNote, NotYours
from service.domain.around.model import NewConsent, NewInteraction, happened
from service.domain.around.ports import AroundTransaction, Card
from service.domain.customers.errors import CustomerErased, NoCustomer
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.ports import Clock, UnitOfWork


class AroundService:
    def __init__(self, uow: UnitOfWork[AroundTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def write_note(self, principal: Principal, customer_id: UUID, text: str, once: Once | None = None) -> Card:
        """A note of the caller; the same idempotency key gives the one before, as long as it is there."""
        async with self._uow.begin(principal) as tx:
            await _hold(tx, customer_id)
            known = await tx.idempotency.recall(once)
            note_id = UUID(known["note_id"]) if known else new_id()
            if not known:
                await tx.around.add_note(customer_id, note_id, text)
                await tx.journal.changed("note", "created", note_id, customer_id)
                await tx.journal.audit("notes.create", "customer", customer_id, note_id=str(note_id))
                await tx.idempotency.remember(once, 201, {"note_id": str(note_id)})
            note = await tx.around.note(customer_id, note_id)
            await tx.commit()
        if note is None:
            raise NoNote
        return note

    async def take_note_back(self, principal: Principal, customer_id: UUID, note_id: UUID) -> None:
        """Remove a note of one's own."""
        async with self._uow.begin(principal) as tx:
            await _hold(tx, customer_id)
            note = await tx.around.note(customer_id, note_id)
            if note is None:
                raise NoNote
            if note["staff_id"] != principal.staff_id:
                raise NotYours
            await tx.around.drop_note(customer_id, note_id)
            await tx.journal.changed("note", "deleted", note_id, customer_id)
            await tx.journal.audit("notes.delete", "customer", customer_id, note_id=str(note_id))
            await tx.commit()

    async def write_interaction(
        self, principal: Principal, customer_id: UUID, new: NewInteraction, once: Once | None = None
    ) -> Card:
        """A contact that was made, by the caller, now or at the moment that he states."""
        at = happened(new.at, self._clock.now(), principal.time_zone)
        async with self._uow.begin(principal) as tx:
            await _hold(tx, customer_id)
            known = await tx.idempotency.recall(once)
            interaction_id = UUID(known["interaction_id"]) if known else new_id()
            if not known:
                await tx.around.add_interaction(customer_id, interaction_id, new, at)
                await tx.journal.changed("interaction", "created", interaction_id, customer_id)
                await tx.journal.audit(
                    "interactions.create", "customer", customer_id, interaction_id=str(interaction_id), kind=new.kind
                )
                await tx.idempotency.remember(once, 201, {"interaction_id": str(interaction_id)})
            interaction = await tx.around.interaction(customer_id, interaction_id)
            await tx.commit()
        if interaction is None:
            raise NoInteraction
        return interaction

    async def take_interaction_back(self, principal: Principal, customer_id: UUID, interaction_id: UUID) -> None:
        """Remove an interaction of one's own."""
        async with self._uow.begin(principal) as tx:
            await _hold(tx, customer_id)
            interaction = await tx.around.interaction(customer_id, interaction_id)
            if interaction is None:
                raise NoInteraction
            if interaction["staff_id"] != principal.staff_id:
                raise NotYours
            await tx.around.drop_interaction(customer_id, interaction_id)
            await tx.journal.changed("interaction", "deleted", interaction_id, customer_id)
            await tx.journal.audit("interactions.delete", "customer", customer_id, interaction_id=str(interaction_id))
            await tx.commit()

    async def record_consent(
        self, principal: Principal, customer_id: UUID, new: NewConsent, once: Once | None = None
    ) -> Card:
        """One more row: given or withdrawn, for what, by which channel, when, and what proves it."""
        at = happened(new.at, self._clock.now(), principal.time_zone)
        async with self._uow.begin(principal) as tx:
            await _hold(tx, customer_id)
            known = await tx.idempotency.recall(once)
            consent_id = UUID(known["consent_id"]) if known else new_id()
            if not known:
                await tx.around.add_consent(customer_id, consent_id, new, at)
                await tx.journal.changed("consent", "created", consent_id, customer_id)
                await tx.journal.audit(
                    "consents.create", "customer", customer_id, consent_id=str(consent_id), given=new.given
                )
                await tx.idempotency.remember(once, 201, {"consent_id": str(consent_id)})
            consent = await tx.around.consent(customer_id, consent_id)
            await tx.commit()
        assert consent is not None
        return consent


async def _hold(tx: AroundTransaction, customer_id: UUID) -> None:
    held = await tx.around.hold(customer_id)
    if held is None:
        raise NoCustomer
    if held.erased:
        raise CustomerErased
