"""The watch over the base: canaries, signals and who has seen to them, the look back at somebody who leaves."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from service.domain.access import Principal, Reach
from service.domain.errors import Forbidden, NotFound
from service.domain.idempotency import Once
from service.domain.leaks.planting import Portfolio, PortfolioTooSmall, grow
from service.domain.leaks.ports import Card, LeaksTransaction, Lookup, Observatory, SignalFilter
from service.domain.leaks.rules import judge, peers_of
from service.domain.ports import Clock, UnitOfWork

LOOK_BACK_DAYS = 60
MOST_CANARIES = 5_000
_TIMEOUT_MS = 120_000
# Each round looks for free numbers farther away.
_ROUNDS = (500, 5_000, 50_000, 5_000_000)


class WholeTenantWatched(Forbidden):
    code = "whole-tenant-watched"
    title = "Canaries and leak signals are for those whose reach is the whole tenant."


class NoSignal(NotFound):
    code = "leak-signal-not-found"
    title = "There is no such leak signal."


class NobodyToLookBackAt(NotFound):
    code = "no-one-to-look-back-at"
    title = "There is no such member of the staff to look back at."


class LeakService:
    def __init__(self, uow: UnitOfWork[LeaksTransaction], clock: Clock, lookup: Lookup) -> None:
        self._uow = uow
        self._clock = clock
        self._lookup = lookup

    async def plant(
        self, principal: Principal, *, curator_id: UUID | None, count: int | None, once: Once | None = None
    ) -> dict[str, Any]:
        """Plant canaries in one portfolio or in all; says how many, by portfolio."""
        _watching(principal)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            if known := await tx.idempotency.recall(once):
                return dict(known)
            portfolios = [one for one in await tx.canaries.portfolios(curator_id) if one.hides]
            if curator_id is not None and not portfolios:
                raise PortfolioTooSmall
            planted: list[tuple[UUID, int]] = []
            left = MOST_CANARIES
            for portfolio in portfolios:
                wanted = min(portfolio.wanted(count), left)
                ids = await self._fill(tx, portfolio, wanted) if wanted else []
                left -= len(ids)
                planted.append((portfolio.curator_id, len(ids)))
            total = sum(number for _, number in planted)
            portfolios_told = [{"curator_id": str(curator), "planted": number} for curator, number in planted]
            answer = {"planted": total, "portfolios": portfolios_told}
            # How many, never which: the trail is read by more people than the list of canaries.
            await tx.journal.audit("canaries.plant", "tenant", records=total)
            await tx.idempotency.remember(once, 201, answer)
            await tx.commit()
        return answer

    async def _fill(self, tx: LeaksTransaction, portfolio: Portfolio, wanted: int) -> list[UUID]:
        rng = random.SystemRandom()
        planted: list[UUID] = []
        for off in _ROUNDS:
            missing = wanted - len(planted)
            if not missing:
                break
            seeds = list(await tx.canaries.seeds(portfolio, max(2 * missing, 200)))
            shapes = (seeds * (missing // max(len(seeds), 1) + 1))[:missing]
            found = await tx.canaries.plant(portfolio, grow(shapes, seeds, rng, off=off), self._lookup)
            await tx.journal.changed_many("customer", "created", found, found)
            planted += found
        return planted

    async def canaries(self, principal: Principal, *, after: UUID | None, limit: int) -> tuple[Sequence[Card], int]:
        """A page of the canaries, and how many there are: so many records are in counts and nobody's."""
        _watching(principal)
        async with self._uow.begin(principal) as tx:
            found = await tx.canaries.page(after, limit), await tx.canaries.count()
            await tx.journal.audit("canaries.list", "tenant", records=len(found[0]))
            await tx.commit()
        return found

    async def signals(
        self, principal: Principal, wanted: SignalFilter, *, before: UUID | None, limit: int
    ) -> Sequence[Card]:
        _watching(principal)
        async with self._uow.begin(principal) as tx:
            return await tx.leaks.signals(wanted, before=before, limit=limit)

    async def acknowledge(self, principal: Principal, signal_id: UUID, note: str) -> Card:
        """Somebody has seen to it; what he found out is the note."""
        _watching(principal)
        async with self._uow.begin(principal) as tx:
            card = await tx.leaks.acknowledge(signal_id, note)
            if card is None:
                raise NoSignal
            await tx.journal.audit("leaks.acknowledge", "leak_signal", signal_id)
            await tx.commit()
        return card

    async def look_back(self, principal: Principal, staff_id: UUID) -> Card:
        """What somebody has done in sixty days: before people leave, they take along."""
        _watching(principal)
        since = self._clock.now() - timedelta(days=LOOK_BACK_DAYS)
        async with self._uow.begin(principal) as tx:
            found = await tx.leaks.look_back(staff_id, since)
            if found is None:
                raise NobodyToLookBackAt
            await tx.journal.audit("leaks.look_back", "staff", staff_id)
            await tx.commit()
        return {**found, "since": since}


class Evaluation:
    """Judges everybody's day so far, tenant by tenant, now and then."""

    def __init__(self, observatory: Observatory) -> None:
        self._observatory = observatory

    async def evaluate(self) -> list[str]:
        """Once through all tenants; the kinds of the signals that are new."""
        raised: list[str] = []
        for tenant_id in await self._observatory.tenants():
            gathered = await self._observatory.gather(tenant_id)
            if gathered is None:
                continue
            peers = peers_of([day for _, day in gathered.people], [person.before for person, _ in gathered.people])
            found = [
                (person.staff_id, signal)
                for person, day in gathered.people
                if day.worked or day.crossings
                for signal in judge(person, day, peers, gathered.limits)
            ]
            raised += await self._observatory.raise_signals(tenant_id, gathered.today, found)
        return raised


def _watching(principal: Principal) -> None:
    if principal.reach is not Reach.TENANT:
        raise WholeTenantWatched
