"""Finding records by what is theirs alone: a whole contact, a requisite. Every look is counted, by person and hour, and
audited: that it found a record tells whose the contact is.

A search sees only what is within reach. A new record may be told that there is one like it anywhere in the tenant, by
exact key only: what lies out of reach is shown as a masked card with a pass to ask for it, and that is audited.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers.contacts import ContactKind, normalise
from service.domain.customers.finding import TELLING, Match, masked
from service.domain.customers.model import ContactInput
from service.domain.customers.ports import CustomersTransaction
from service.domain.customers.request_tokens import RequestTokens
from service.domain.customers.search import ProbesUsedUp, probe_limit
from service.domain.customers.service import Draft, LookupKey
from service.domain.idempotency import Once
from service.domain.ports import Clock, UnitOfWork


class FindingService:
    def __init__(
        self,
        uow: UnitOfWork[CustomersTransaction],
        clock: Clock,
        lookup: LookupKey,
        tokens: RequestTokens,
        default_region: str = "RU",
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._lookup = lookup
        self._tokens = tokens
        self._region = default_region

    async def by_contact(
        self,
        principal: Principal,
        given: ContactInput,
        filters: Mapping[str, object],
        words: Sequence[str] = (),
        fields: tuple[str, ...] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """The cards of the records within reach that have just this contact, newest first; a probe is used up."""
        kind, lookup = self._key(given)
        told = fields if fields is None or "customer_id" in fields else (*fields, "customer_id")
        async with self._uow.begin(principal) as tx:
            await self._use_probe(tx)
            found = await tx.search.with_contact(lookup, filters, words, told)
            ids = [UUID(row["customer_id"]) for row in found]
            one, several = (ids[0], []) if len(ids) == 1 else (None, ids)
            await tx.journal.audit("customers.probe", "customer", one, records=len(ids), touched=several, contact=kind)
            await tx.commit()
        return found if told == fields else [{name: row[name] for name in fields or ()} for row in found]

    async def duplicates(self, principal: Principal, draft: Draft, once: Once | None) -> Sequence[Match]:
        """Records of the tenant that have a contact or requisite of the draft; foreign ones are masked, and counted."""
        country = draft.changes.get("country")
        keys = [self._key(given, country) for given in draft.contacts or ()]
        wanted = {key: kind for kind, key in keys if kind in TELLING}
        if not wanted:
            return ()
        async with self._uow.begin(principal) as tx:
            if await tx.idempotency.recall(once) is not None:
                return ()  # the record of that key is there, and like itself
            limit = probe_limit(await tx.search.policies())
            if await tx.search.probes_used() >= limit:
                raise self._used_up(limit)
            rows = await tx.search.existing(list(wanted))
            matches = [self._match(principal, row, wanted) for row in rows]
            foreign = [row["customer_id"] for row in rows if not row["within_reach"]]
            if foreign:
                await self._use_probe(tx)
                for customer_id in foreign:
                    await tx.journal.audit("customers.disclose", "customer", customer_id, reason="duplicate check")
                await tx.commit()
        return matches

    def _key(self, given: ContactInput, region: str | None = None) -> tuple[ContactKind, bytes]:
        form = normalise(given.kind, given.value, region or self._region)
        return form.kind, self._lookup.of(form.kind, form.normal)

    def _match(self, principal: Principal, row: Mapping[str, Any], wanted: Mapping[bytes, ContactKind]) -> Match:
        matched = tuple(sorted({str(wanted[bytes(one)]) for one in row["lookups"]}))
        if row["within_reach"]:
            return Match(
                matched=matched, kind=row["kind"], display_name=row["display_name"], customer_id=row["customer_id"]
            )
        token = self._tokens.make(
            tenant_id=principal.tenant_id,
            staff_id=principal.staff_id,
            customer_id=row["customer_id"],
            now=self._clock.now(),
        )
        return Match(matched=matched, kind=row["kind"], display_name=masked(row["display_name"]), request_token=token)

    async def _use_probe(self, tx: CustomersTransaction) -> None:
        limit = probe_limit(await tx.search.policies())
        if not await tx.search.use_probe(limit):
            raise self._used_up(limit)

    def _used_up(self, limit: int) -> ProbesUsedUp:
        now = self._clock.now()
        return ProbesUsedUp(limit=limit, retry_after_seconds=_rest_of_the_hour(now))


def _rest_of_the_hour(now: datetime) -> int:
    following = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return max(1, int((following - now).total_seconds()) + 1)
