"""Writing customer records: create, change, upsert, remove, and show contacts in clear."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers import provenance
from service.domain.customers.attributes import Definitions, conform
from service.domain.customers.contacts import normalise
from service.domain.customers.errors import ExternalIdTaken, NoCustomer, RepeatedInBatch
from service.domain.customers.finding import TELLING, PossibleDuplicate
from service.domain.customers.history import Event, differences, events, moved, source_of
from service.domain.customers.model import (
    Contact,
    ContactInput,
    ExternalId,
    Record,
    as_mapping,
    checked,
    merge_patch,
    with_one_primary,
)
from service.domain.customers.ports import CustomersTransaction, Refuse, Stored, WriteJudge, Written
from service.domain.errors import DomainError, Precondition, retold, told
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.ports import Clock, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a caller sends: some fields of a record (None inside `changes` clears), contacts and ids if given."""

    changes: Mapping[str, Any]
    contacts: Sequence[ContactInput] | None = None
    external_ids: Sequence[ExternalId] = ()
    by_customer: bool = False

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The values of the tenant's own fields that are sent."""
        return self.changes.get("attributes") or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one item of a batch."""

    index: int
    outcome: str
    customer_id: UUID | None = None
    problem: DomainError | None = None


class LookupKey:
    """The keyed hash by which a contact is found without storing it readable to those who search."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, normal: str) -> bytes:
        return hmac.digest(self._key, f"{kind}\0{normal}".encode(), hashlib.sha256)[:16]


class CustomerService:
    def __init__(
        self,
        uow: UnitOfWork[CustomersTransaction],
        clock: Clock,
        lookup: LookupKey,
        default_region: str = "RU",
        judge: WriteJudge | None = None,
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._lookup = lookup
        self._region = default_region
        self._judge = judge

    async def create(
        self, principal: Principal, draft: Draft, once: Once | None = None, *, alone: bool = False
    ) -> UUID:
        """Write a new record; the same idempotency key gives the id of the one written before.

        With `alone`, raises PossibleDuplicate if some record has one of its contacts by now: of two such records that
        come at the same moment, the second one sees the first.
        """
        written = self._fresh(draft, principal)
        _let_through(await self._refusing(principal), written)
        telling = [one.lookup for one in written.contacts or () if one.form.kind in TELLING] if alone else []
        async with self._uow.begin(principal) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["customer_id"])
            if telling:
                await tx.search.hold(telling)
                if await tx.search.existing(telling):
                    raise PossibleDuplicate
            await self._conform(tx, draft)
            if await tx.customers.insert([written]):
                raise ExternalIdTaken
            await tx.journal.changed("customer", "created", written.customer_id, written.customer_id)
            await tx.journal.audit("customers.create", "customer", written.customer_id)
            await tx.idempotency.remember(once, 201, {"customer_id": str(written.customer_id)})
            await tx.commit()
        return written.customer_id

    async def change(self, principal: Principal, customer_id: UUID, draft: Draft, expected: int | None) -> None:
        """Change the named fields of a record. `expected` is the version the caller has read, if he says so."""
        refuse = await self._refusing(principal)
        async with self._uow.begin(principal) as tx:
            stored = (await tx.customers.lock([customer_id])).get(customer_id)
            if stored is None:
                raise NoCustomer
            if expected is not None and stored.version != expected:
                raise Precondition(current_version=stored.version)
            await self._conform(tx, draft)
            written = self._changed(stored, draft, principal)
            _let_through(refuse, written)
            if await tx.customers.replace([written]):
                raise ExternalIdTaken
            await tx.journal.changed("customer", "updated", customer_id, customer_id)
            await tx.journal.audit("customers.update", "customer", customer_id, fields=sorted(draft.changes))
            await tx.commit()

    async def put(self, principal: Principal, external_id: ExternalId, draft: Draft) -> tuple[UUID, bool]:
        """Create the record of an external id, or change the fields that the draft names. True when created."""
        draft = _with_id(draft, external_id)
        result = (await self.batch(principal, [draft], atomic=True))[0]
        if isinstance(result.problem, ExternalIdTaken):  # by one who was a moment faster, if not out of reach
            result = (await self.batch(principal, [draft], atomic=True))[0]
        if result.problem is not None:
            raise result.problem
        assert result.customer_id is not None
        return result.customer_id, result.outcome == "created"

    async def batch(
        self, principal: Principal, drafts: Sequence[Draft | DomainError], *, atomic: bool, once: Once | None = None
    ) -> list[ItemResult]:
        """Upsert many by external id in one transaction; refused items say why, the others are written.

        With `atomic`, one refused item refuses all, and nothing is written.
        """
        refuse = await self._refusing(principal)
        async with self._uow.begin(principal, timeout_ms=60_000) as tx:
            if known := await tx.idempotency.recall(once):
                return [_recalled(index, item) for index, item in enumerate(known)]
            plan = await self._plan(tx, principal, drafts, refuse)
            taken: set[UUID] = set()
            for outcome, write in (("created", tx.customers.insert), ("updated", tx.customers.replace)):
                chosen = [written for item, written in plan if written and item.outcome == outcome]
                if chosen:
                    taken |= await write(chosen)
                ids = [written.customer_id for written in chosen if written.customer_id not in taken]
                await tx.journal.changed_many("customer", outcome, ids, ids)
            results = [_refused_if_taken(item, taken) for item, _ in plan]
            if atomic and any(item.problem for item in results):
                return [item if item.problem else ItemResult(index=item.index, outcome="skipped") for item in results]
            touched = [item.customer_id for item in results if item.customer_id]
            await tx.journal.audit("customers.batch", "customer", records=len(touched), touched=touched)
            await tx.idempotency.remember(once, 200, [_kept(item) for item in results])
            await tx.commit()
        return results

    async def remove(self, principal: Principal, customer_id: UUID, expected: int | None) -> None:
        """Delete a record that has no purchases."""
        async with self._uow.begin(principal) as tx:
            stored = (await tx.customers.lock([customer_id])).get(customer_id)
            if stored is None:
                raise NoCustomer
            if expected is not None and stored.version != expected:
                raise Precondition(current_version=stored.version)
            # Told first: afterwards it is within nobody's reach, and a narrow one may tell of its own records alone.
            await tx.journal.changed("customer", "deleted", customer_id, customer_id)
            await tx.customers.delete(customer_id)
            await tx.journal.audit("customers.delete", "customer", customer_id)
            await tx.commit()

    def contact(self, given: ContactInput, region: str | None = None) -> Contact:
        """The stored form of a contact; refuses one that can't be."""
        form = normalise(given.kind, given.value, region or self._region)
        return Contact(
            form=form,
            lookup=self._lookup.of(form.kind, form.normal),
            label=given.label,
            is_primary=given.is_primary,
        )

    async def _plan(
        self,
        tx: CustomersTransaction,
        principal: Principal,
        drafts: Sequence[Draft | DomainError],
        refuse: Refuse | None,
    ) -> list[tuple[ItemResult, Written | None]]:
        ids = [one for draft in drafts if isinstance(draft, Draft) for one in draft.external_ids]
        definitions = await _definitions(tx, [draft for draft in drafts if isinstance(draft, Draft)])
        owners = await tx.customers.owners_of(ids)
        locked = await tx.customers.lock(sorted(set(owners.values())))
        plan: list[tuple[ItemResult, Written | None]] = []
        fresh: dict[ExternalId, Written] = {}
        for index, draft in enumerate(drafts):
            try:
                if isinstance(draft, DomainError):
                    raise draft
                conform(definitions, draft.attributes)
                stored = next((locked[owners[one]] for one in draft.external_ids if one in owners), None)
                if stored is None and (earlier := next((one for one in draft.external_ids if one in fresh), None)):
                    raise RepeatedInBatch(external_id=earlier.external_id)
                written = self._changed(stored, draft, principal) if stored else self._fresh(draft, principal)
                _let_through(refuse, written)
                fresh.update(dict.fromkeys(draft.external_ids, written))
                outcome = "updated" if stored else "created"
                plan.append((ItemResult(index=index, outcome=outcome, customer_id=written.customer_id), written))
            except DomainError as problem:
                plan.append((ItemResult(index=index, outcome="refused", problem=problem), None))
        return plan

    async def _refusing(self, principal: Principal) -> Refuse | None:
        return await self._judge.refusing(principal, "write") if self._judge else None

    def _fresh(self, draft: Draft, principal: Principal) -> Written:
        record = checked(Record(**{k: v for k, v in draft.changes.items() if v is not None}), principal)
        return begun(
            new_id(),
            record,
            source="customer" if draft.by_customer else source_of(principal, record),
            contacts=self._contacts(record, draft),
            external_ids=draft.external_ids,
            told=(Event(kind="created", detail={}),),
        )

    async def _conform(self, tx: CustomersTransaction, draft: Draft) -> None:
        conform(await _definitions(tx, [draft]), draft.attributes)

    def _changed(self, stored: Stored, draft: Draft, principal: Principal) -> Written:
        record = checked(_patched(stored.record, draft.changes), principal)
        return gone_on(
            stored,
            record,
            source="customer" if draft.by_customer else source_of(principal, record),
            now=self._clock.now(),
            contacts=self._contacts(record, draft),
            external_ids=draft.external_ids,
        )

    def _contacts(self, record: Record, draft: Draft) -> list[Contact] | None:
        if draft.contacts is None:
            return None
        return with_one_primary([self.contact(given, record.country) for given in draft.contacts])


def _let_through(refuse: Refuse | None, written: Written) -> None:
    """Raises what the tenant refuses the record for."""
    problem = refuse(written) if refuse else None
    if problem is not None:
        raise problem


async def _definitions(tx: CustomersTransaction, drafts: Sequence[Draft]) -> Definitions:
    names = {name for draft in drafts for name in draft.attributes}
    return await tx.attributes.among(names) if names else {}


def begun(
    customer_id: UUID,
    record: Record,
    *,
    source: str,
    contacts: Sequence[Contact] | None,
    external_ids: Sequence[ExternalId],
    told: Sequence[Event] = (),
    import_id: UUID | None = None,
) -> Written:
    """A record that is new, as `source` has it."""
    return Written(
        customer_id=customer_id,
        record=record,
        contacts=contacts,
        external_ids=external_ids,
        source=source,
        provenance=provenance.begun(source).stored(),
        events=told,
        import_id=import_id,
    )


def gone_on(
    stored: Stored,
    record: Record,
    *,
    source: str,
    now: datetime,
    contacts: Sequence[Contact] | None,
    external_ids: Sequence[ExternalId],
) -> Written:
    """A stored record after `source` has changed it, with what its history says of that."""
    fields = differences(stored.record, record)
    known = provenance.restored(stored.provenance)
    return Written(
        customer_id=stored.customer_id,
        record=record,
        contacts=contacts,
        external_ids=external_ids,
        source=source,
        provenance=known.set(fields, source, now).stored() if fields else stored.provenance,
        events=tuple(events(stored.record, record)),
        moved=moved(stored.record, record),
    )


def _refused_if_taken(item: ItemResult, taken: set[UUID]) -> ItemResult:
    if item.customer_id not in taken:
        return item
    return ItemResult(index=item.index, outcome="refused", problem=ExternalIdTaken())


def _kept(item: ItemResult) -> list[Any]:
    customer_id = str(item.customer_id) if item.customer_id else None
    return [item.outcome, customer_id, told(item.problem) if item.problem else None]


def _recalled(index: int, kept: Sequence[Any]) -> ItemResult:
    outcome, customer_id, problem = kept
    return ItemResult(
        index=index,
        outcome=outcome,
        customer_id=UUID(customer_id) if customer_id else None,
        problem=retold(problem) if problem else None,
    )


def _patched(record: Record, changes: Mapping[str, Any]) -> Record:
    return Record(**merge_patch(as_mapping(record), changes))


def _with_id(draft: Draft, external_id: ExternalId) -> Draft:
    others = [one for one in draft.external_ids if one != external_id]
    return replace(draft, external_ids=(external_id, *others))
