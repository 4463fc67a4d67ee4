"""Personal-data law: the restriction of processing, the report to the person, and erasure.

An erasure is one transaction. Its audit row is written first, the act with it; then a role of its own takes the person
out of every table and of the files that name him, while the record is locked. What remains is a shell without a name on
which the orders hang, and the act: by whom, when, why, how many rows of which table, and the record's own trail.
Imports and exports that are not over could bring him back, so they are waited for.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date
from uuid import UUID

from service.domain.access import Principal, Reach, Scope
from service.domain.customers.errors import CustomerErased, NoCustomer
from service.domain.errors import Precondition
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.ports import Clock, UnitOfWork
from service.domain.privacy.deadlines import asked, due_on
from service.domain.privacy.errors import BulkWorkAtHand, NoErasure, NotConfirmed, ReasonNamesPerson, WholeBaseNeeded
from service.domain.privacy.markers import FileSearch, Markers, markers_of
from service.domain.privacy.ports import Card, ErasureOrder, ImportFile, PrivacyTransaction
from service.domain.reveals.service import take

_TIMEOUT_MS = 600_000
_PAGE = 500
_LOG = 1_000
# In this order they stand in the report; the first is the record itself.
SECTIONS = (
    "record",
    "external_ids",
    "contacts",
    "links",
    "consents",
    "notes",
    "interactions",
    "orders",
    "refunds",
    "events",
    "ownerships",
    "imports",
    "exports",
    "accesses",
)


class PrivacyService:
    def __init__(self, uow: UnitOfWork[PrivacyTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def restrict(self, principal: Principal, customer_id: UUID, reason: str, *, restricted: bool) -> None:
        """Restrict the processing of a record, or lift that; asking for what is so already changes nothing."""
        principal.require(Scope.PRIVACY_WRITE)
        async with self._uow.begin(principal) as tx:
            held = await tx.privacy.lock(customer_id)
            if held is None:
                raise NoCustomer
            if held.erased_at is not None:
                raise CustomerErased
            if (held.restricted_at is not None) is not restricted:
                action = "customers.restrict" if restricted else "customers.unrestrict"
                await tx.journal.audit(action, "customer", customer_id, reason=reason)
                await tx.privacy.restrict(customer_id, restricted=restricted)
                await tx.journal.changed("customer", "updated", customer_id, customer_id)
            await tx.commit()

    async def report(self, principal: Principal, customer_id: UUID, asked_on: date | None = None) -> date:
        """Open the access report: the audit row is written first, or nothing is shown. Returns by when it is due."""
        _whole(principal)
        on = asked(asked_on, self._clock.today(principal.time_zone))
        async with self._uow.begin(principal) as tx:
            async with tx.reveals.turn():
                if not (await take(tx.reveals, principal, [customer_id])).reached:
                    raise NoCustomer
            due = due_on(await tx.privacy.policies(), "access", on)
            await tx.journal.audit("privacy.report", "customer", customer_id, due_on=due.isoformat())
            await tx.leaks.touched([customer_id], by="access report")
            await tx.commit()
        return due

    async def section(self, principal: Principal, customer_id: UUID, name: str) -> AsyncIterator[Sequence[str]]:
        """The rows of one section as JSON, page by page; a slow reader holds no connection."""
        after = ""
        while True:
            async with self._uow.begin(principal, timeout_ms=60_000) as tx:
                rows = await tx.privacy.section(name, customer_id, after=after, limit=_PAGE)
            yield [text for _, text in rows]
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    async def erase(
        self, principal: Principal, order: ErasureOrder, expected: int | None = None, once: Once | None = None
    ) -> Card:
        """Take a person out of everything; returns the act. The same idempotency key gives the act of before."""
        _whole(principal)
        if order.confirm != order.customer_id:
            raise NotConfirmed(pointer="/confirm")
        today = self._clock.today(principal.time_zone)
        on = asked(order.asked_on, today)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            known = await tx.idempotency.recall(once)
            erasure_id = UUID(known["erasure_id"]) if known else new_id()
            if not known:
                await self._check(tx, order, expected)
                due = due_on(await tx.privacy.policies(), "erasure", on)
                act = {"asked_on": on.isoformat(), "due_on": due.isoformat(), "in_time": today <= due}
                await self._carry_out(tx, erasure_id, order, act)
                await tx.idempotency.remember(once, 201, {"erasure_id": str(erasure_id)})
            card = await tx.privacy.act(erasure_id)
            await tx.commit()
        if card is None:
            raise NoErasure
        return card

    async def _check(self, tx: PrivacyTransaction, order: ErasureOrder, expected: int | None) -> None:
        held = await tx.privacy.lock(order.customer_id)
        if held is None:
            raise NoCustomer
        if held.erased_at is not None:
            raise CustomerErased
        if expected is not None and held.version != expected:
            raise Precondition(current_version=held.version)

    async def _carry_out(
        self, tx: PrivacyTransaction, erasure_id: UUID, order: ErasureOrder, act: dict[str, object]
    ) -> None:
        if await tx.privacy.bulk_work():
            raise BulkWorkAtHand
        customer_id = order.customer_id
        markers = markers_of(await tx.erasing.person(customer_id))
        if markers.tell_of(order.reason):
            raise ReasonNamesPerson(pointer="/reason")
        await tx.journal.audit(
            "customers.erase", "customer", customer_id, reason=order.reason, erasure_id=str(erasure_id)
        )
        rejects = await tx.erasing.rejects(markers)
        named = {import_id for import_id, _ in rejects}
        files = await self._telling(tx, await tx.erasing.import_files(customer_id), markers, named)
        counts = await tx.erasing.erase(customer_id, markers, files=[one.file_id for one in files], rejects=rejects)
        if named_in := await tx.erasing.reasons(markers):
            # Without this row, which is sealed with its list, the gaps would count as tampering.
            await tx.journal.audit("audit.erase_reasons", "audit", records=len(named_in), touched=named_in)
        counts["reasons"] = len(named_in)
        # One that was asked for meanwhile may have read what is gone now.
        if await tx.privacy.bulk_work():
            raise BulkWorkAtHand
        log = [dict(row) for row in await tx.privacy.log(customer_id, _LOG)]
        act |= {"counts": counts, "imports": [str(one.import_id) for one in files], "log": log}
        await tx.privacy.keep_act(erasure_id, customer_id, order.reason, act)
        await tx.journal.changed("customer", "erased", customer_id, customer_id)

    async def _telling(
        self, tx: PrivacyTransaction, files: Sequence[ImportFile], markers: Markers, named: set[UUID]
    ) -> list[ImportFile]:
        """The files that speak of the person: by what the base knows of them, else by their contents."""
        return [one for one in files if one.linked or one.import_id in named or await self._found(tx, one, markers)]

    async def _found(self, tx: PrivacyTransaction, file: ImportFile, markers: Markers) -> bool:
        search = FileSearch(markers, source=file.source, encoding=file.encoding)
        number = 0
        while (part := await tx.erasing.part(file.file_id, number)) is not None:
            if await asyncio.to_thread(search.found_in, part):
                return True
            number += 1
        return False


def _whole(principal: Principal) -> None:
    principal.require(Scope.PRIVACY_WRITE)
    if principal.reach is not Reach.TENANT:
        raise WholeBaseNeeded
