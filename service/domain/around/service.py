"""Writing beside a record (notes, contacts made, consents), and asking for a record that is another's.

Whoever writes keeps the record from being erased meanwhile, or sees that it was.
"""

from uuid import UUID

from service.domain.access import Principal, Scope
from service.domain.around.errors import (
    AccessAsked,
    AccessDecided,
    AskedForNothing,
    AskerGone,
    BadRequestToken,
    NoAccessRequest,
    NoInteraction,
    NoNote,
    NotAnswering,
    NotYours,
    OwnRequest,
    WithinReach,
)
from service.domain.around.model import NewConsent, NewInteraction, happened
from service.domain.around.ports import AccessTransaction, AroundTransaction, Card
from service.domain.customers.errors import CustomerErased, NoCustomer
from service.domain.customers.finding import masked
from service.domain.customers.model import ExternalId
from service.domain.customers.request_tokens import RequestTokens
from service.domain.customers.search import ProbesUsedUp, probe_limit
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


class AccessService:
    """Asking for a record of another portfolio, and answering.

    Who asks learns no more than the masked card, whatever the answer is, until the record is his: a granted request
    makes him its curator, with one row of history, and the one who answered for it so far answers for it no longer.
    It is answered by the record's curator, by his deputy, or by somebody who may hand records over.
    """

    def __init__(self, uow: UnitOfWork[AccessTransaction], clock: Clock, tokens: RequestTokens) -> None:
        self._uow = uow
        self._clock = clock
        self._tokens = tokens

    async def ask(
        self,
        principal: Principal,
        reason: str,
        *,
        token: str | None = None,
        external_id: ExternalId | None = None,
        once: Once | None = None,
    ) -> Card:
        """Ask for the record of a pass, or of an external id, which uses up a probe."""
        if (token is None) is (external_id is None):
            raise AskedForNothing
        async with self._uow.begin(principal) as tx:
            known = await tx.idempotency.recall(once)
            request_id = UUID(known["request_id"]) if known else new_id()
            if not known:
                customer_id = await self._wanted(tx, principal, token, external_id)
                await self._may_ask(tx, customer_id)
                await tx.access_requests.add(request_id, customer_id, reason)
                await tx.journal.audit("access.ask", "customer", customer_id, request_id=str(request_id))
                await tx.idempotency.remember(once, 201, {"request_id": str(request_id)})
            card = await tx.access_requests.card(request_id)
            await tx.commit()
        if card is None:
            raise NoAccessRequest
        return _as_seen(card)

    async def page(
        self, principal: Principal, *, own: bool | None, state: str | None, before: UUID | None, limit: int
    ) -> list[Card]:
        """Requests of one's own and those that one could answer, the newest first."""
        async with self._uow.begin(principal) as tx:
            return [
                _as_seen(card)
                for card in await tx.access_requests.page(own=own, state=state, before=before, limit=limit)
            ]

    async def answer(self, principal: Principal, request_id: UUID, *, grant: bool, answer: str | None) -> Card:
        """Grant a request, which moves the record, or refuse it."""
        async with self._uow.begin(principal) as tx:
            card = await tx.access_requests.card(request_id, lock=True)
            if card is None:
                raise NoAccessRequest
            _check_answer(principal, card)
            customer_id = card["customer_id"]
            await _hold_any(tx, customer_id)
            await tx.access_requests.decide(request_id, "granted" if grant else "refused", answer)
            action = "access.grant" if grant else "access.refuse"
            await tx.journal.audit(action, "customer", customer_id, request_id=str(request_id))
            if grant:
                if card["staff_state"] != "active":
                    raise AskerGone
                # Told first: afterwards it may be out of the reach of who answers.
                await tx.journal.changed("customer", "updated", customer_id, customer_id)
                await tx.access_requests.give(customer_id, card["staff_id"])
            decided = await tx.access_requests.card(request_id)
            await tx.commit()
        # Whose record it was may see neither it nor the request any more.
        state = "granted" if grant else "refused"
        now = {"state": state, "answer": answer, "decided_by": principal.staff_id, "decided_at": self._clock.now()}
        return _as_seen(decided or {**card, **now})

    async def _wanted(
        self, tx: AccessTransaction, principal: Principal, token: str | None, external_id: ExternalId | None
    ) -> UUID:
        if token is not None:
            found = self._tokens.read(
                token, tenant_id=principal.tenant_id, staff_id=principal.staff_id, now=self._clock.now()
            )
            if found is None:
                raise BadRequestToken(pointer="/request_token")
            return found
        assert external_id is not None
        limit = probe_limit(await tx.search.policies())
        if not await tx.search.use_probe(limit):
            raise ProbesUsedUp(limit=limit)
        found = await tx.access_requests.by_external_id(external_id)
        if found is None:
            await tx.commit()  # the probe was used
            raise NoCustomer
        return found

    async def _may_ask(self, tx: AccessTransaction, customer_id: UUID) -> None:
        await _hold_any(tx, customer_id)
        if await tx.around.reaches(customer_id):
            raise WithinReach(customer_id=str(customer_id))
        if earlier := await tx.access_requests.open_one(customer_id):
            raise AccessAsked(request_id=str(earlier))


async def _hold_any(tx: AccessTransaction, customer_id: UUID) -> None:
    held = await tx.access_requests.hold(customer_id)
    if held is None or held.erased:
        raise NoCustomer


def _check_answer(principal: Principal, card: Card) -> None:
    if card["staff_id"] == principal.staff_id:
        raise OwnRequest
    if not card["within_reach"]:
        raise NoAccessRequest
    if card["curator_id"] not in principal.owners and not principal.may(Scope.ASSIGNMENTS_WRITE):
        raise NotAnswering
    if card["state"] != "open":
        raise AccessDecided


def _as_seen(card: Card) -> Card:
    """A request with the record as its reader may see it."""
    shown = {name: value for name, value in card.items() if name not in ("within_reach", "curator_id", "staff_state")}
    if not card["within_reach"]:
        shown |= {"customer_id": None, "display_name": masked(card["display_name"] or "")}
    return shown
