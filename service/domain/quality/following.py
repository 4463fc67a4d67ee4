"""Records are examined right after they have changed, and the whole base once a night; beside any job."""

import time
from uuid import UUID
from zoneinfo import ZoneInfo

from service.domain.access import Principal, Reach
from service.domain.ports import Clock, UnitOfWork
from service.domain.quality.policy import QualityPolicy
from service.domain.quality.ports import ScanTransaction
from service.domain.quality.scanning import AT_ONCE, LONG_MS, TIMEOUT_MS, ScanService

_NIGHT_ENDS_AT = 3
_MEASURED_EVERY_S = 600.0
_NOBODY = UUID(int=0)


def system(tenant_id: int) -> Principal:
    """The service itself within one tenant, which looks at all records."""
    return Principal(
        tenant_id=tenant_id,
        tenant="",
        staff_id=_NOBODY,
        subject="quality",
        kind="system",
        reach=Reach.TENANT,
        scopes=frozenset(),
    )


class Follower:
    """Records are examined again once they have changed; and all of them each night."""

    def __init__(self, scans: ScanService, uow: UnitOfWork[ScanTransaction], clock: Clock) -> None:
        self._scans = scans
        self._uow = uow
        self._clock = clock
        self._measured: dict[int, float] = {}

    async def follow(self, tenant_id: int, *, most: int = 2_000) -> int:
        """What has changed since the last time, as far as it is over; how many records were examined."""
        principal = system(tenant_id)
        examined, more = 0, True
        while more:
            async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as turn:
                if not await turn.quality_scanning.take_turn():
                    break
                ids, place, more = await turn.quality_scanning.changed(most)
                if ids:
                    await self._scans.check(principal, ids)
                await turn.quality_scanning.followed(place)
                await turn.commit()
            examined += len(ids)
        if examined:
            await self._scans.rest()
            await self._measure(principal)
        return examined

    async def _measure(self, principal: Principal) -> None:
        """The numbers of the day, now and then."""
        now = time.monotonic()
        if now - self._measured.get(principal.tenant_id, -_MEASURED_EVERY_S) < _MEASURED_EVERY_S:
            return
        self._measured[principal.tenant_id] = now
        async with self._uow.begin(principal, timeout_ms=LONG_MS) as tx:
            here = await tx.quality_scanning.here()
            await tx.quality_scanning.measure(self._clock.today(here.time_zone))
            await tx.commit()

    async def nightly(self, tenant_id: int) -> bool:
        """Once the night has come to the tenant, look through all of it; whether it did."""
        principal = system(tenant_id)
        async with self._uow.begin(principal) as tx:
            here, scanned_on = await tx.quality_scanning.here(), await tx.quality_scanning.scanned_on()
            policy = QualityPolicy.of(await tx.policies.read())
        now = self._clock.now().astimezone(ZoneInfo(here.time_zone))
        if not policy.nightly or now.hour < _NIGHT_ENDS_AT or scanned_on == now.date():
            return False
        async with self._uow.begin(principal) as tx:
            first = await tx.quality_scanning.asked_for(now.date())
            await tx.commit()
        if first:
            await self.whole(principal)
        return first

    async def whole(self, principal: Principal) -> None:
        """All records, outside any job: base-wide checks too, and the numbers of the day."""
        behind: UUID | None = None
        sight = await self._scans.sight(principal)
        while True:
            async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
                cards = await tx.quality_scanning.after("all", behind, AT_ONCE)
            if not cards.ids:
                break
            behind = cards.ids[-1]
            await self._scans.check(principal, cards.ids, sight)
        await self._scans.rest()
        await self._scans.base_wide(principal)
        async with self._uow.begin(principal, timeout_ms=LONG_MS) as tx:
            await tx.quality_scanning.measure(sight.look.today)
            await tx.commit()
