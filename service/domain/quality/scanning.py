"""The base is looked through: all of it as a job, and what has changed right after it has.

Reading, examining and keeping are apart: nothing is open while records are examined, and what was found is kept in
short transactions, so that no writer waits. What has changed meanwhile is not kept but examined anew. A scan that was
killed goes on behind its watermark.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from service.domain.access import Principal, Reach, Scope
from service.domain.errors import Conflict, NotFound, Rejected
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.jobs import Cancelled, Job, Superseded
from service.domain.ports import Clock, UnitOfWork
from service.domain.quality.base_wide import BASE_WIDE
from service.domain.quality.examining import Found, Judged, Look
from service.domain.quality.policy import OwnCheck, QualityPolicy
from service.domain.quality.ports import Cards, Examiner, Scan, ScanTransaction
from service.domain.rules.binding import bind
from service.domain.rules.fields import Catalogue
from service.domain.rules.model import Asked
from service.domain.rules.parsing import parse
from service.domain.staff import administer

KIND = "quality_scan"
# Kept in one transaction: short enough that nobody waits for it.
_AT_ONCE = 500
_TIMEOUT_MS = 120_000
_BASE_WIDE_TIMEOUT_MS = 900_000
_NIGHT_ENDS_AT = 3
_NOBODY = UUID(int=0)


class NoScan(NotFound):
    code = "scan-not-found"
    title = "There is no such scan within the caller's reach."


class ScanUnderWay(Conflict):
    code = "scan-under-way"
    title = "A scan of the base is at work already; the answer names its job."


class Sight(NamedTuple):
    """How a tenant's records are looked at."""

    look: Look
    own: Sequence[tuple[OwnCheck, Asked]]


class ScanService:
    def __init__(
        self, uow: UnitOfWork[ScanTransaction], clock: Clock, examiner: Examiner, *, region: str, key: bytes
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._examiner = examiner
        self._region = region
        self._key = key

    async def start(self, principal: Principal, scope: str, once: Once | None = None) -> UUID:
        """Queue a scan of the whole base; returns its job. Raises ScanUnderWay."""
        administer(principal)
        async with self._uow.begin(principal) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["job_id"])
            if running := await tx.quality_scanning.running():
                raise ScanUnderWay(job_id=str(running))
            scan_id = new_id()
            job_id = await tx.jobs.enqueue(KIND, unit="records", request={"scan_id": str(scan_id)})
            await tx.quality_scanning.add_scan(scan_id, job_id, scope)
            await tx.journal.audit("quality.scan", "scan", scan_id, scope=scope)
            await tx.idempotency.remember(once, 202, {"job_id": str(job_id)})
            await tx.commit()
        return job_id

    async def run(self, principal: Principal, job: Job) -> Mapping[str, int] | None:
        """Carry a scan out, from its watermark on."""
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            scan = await tx.quality_scanning.scan_of(job.job_id)
            if scan is None:
                raise NoScan
            total = await tx.quality_scanning.size(scan.scope)
        try:
            scan = await self._all(principal, job, scan, total)
            if scan.scope == "all":
                await self.base_wide(principal)
            await self._end(principal, job, scan, "done")
        except Cancelled:
            await self._end(principal, job, scan, "cancelled")
        except Superseded:
            raise
        finally:
            await self._examiner.rest()
        return None

    async def _all(self, principal: Principal, job: Job, scan: Scan, total: int) -> Scan:
        """Examine ahead while what was examined before is being kept."""
        sight = await self.sight(principal)
        under_way: deque[tuple[Cards, asyncio.Task[tuple[Sequence[Judged], Sequence[Found]]]]] = deque()
        behind, more = scan.watermark, True
        try:
            while more or under_way:
                if more and len(under_way) <= self._examiner.at_once:
                    cards = await self._next(principal, scan.scope, behind)
                    more = len(cards.ids) == _AT_ONCE
                    if cards.ids:
                        behind = cards.ids[-1]
                        task = asyncio.create_task(self._examiner.examine(cards.rows, sight.look))
                        under_way.append((cards, task))
                    continue
                cards, task = under_way.popleft()
                scan = await self._keep(principal, job, scan, cards, await task, sight, total)
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
        return scan

    async def _next(self, principal: Principal, scope: str, behind: UUID | None) -> Cards:
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            return await tx.quality_scanning.after(scope, behind, _AT_ONCE)

    async def _keep(
        self,
        principal: Principal,
        job: Job,
        scan: Scan,
        cards: Cards,
        examined: tuple[Sequence[Judged], Sequence[Found]],
        sight: Sight,
        total: int,
    ) -> Scan:
        judged, found = examined
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            own = await _own_found(tx, sight, cards.ids)
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            done = scan.examined + len(cards.ids)
            await tx.jobs.advance(job, done=done, total=max(total, done))
            if scan.scope == "all":
                await tx.quality_scanning.tidy(scan.watermark, cards.ids[-1])
            kept = await tx.quality_scanning.keep(cards.ids, judged, [*found, *own])
            scan = replace(scan, watermark=cards.ids[-1], examined=done, found=scan.found + kept)
            await tx.quality_scanning.note(scan)
            await tx.commit()
        return scan

    async def base_wide(self, principal: Principal) -> None:
        """What only the whole base can tell; kept in pieces."""
        sight = await self.sight(principal)
        for code, check in BASE_WIDE.items():
            found: Sequence[Found] = ()
            if code not in sight.look.off:
                async with self._uow.begin(principal, timeout_ms=_BASE_WIDE_TIMEOUT_MS) as tx:
                    found = await tx.quality_scanning.base_wide(code, check.values)
                severity = sight.look.severities.get(code, check.severity).value
                found = [one._replace(severity=severity, value_hash=self._hash(one)) for one in found]
            for start in range(0, len(found), _AT_ONCE):
                async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
                    await tx.quality_scanning.keep_base_wide(found[start : start + _AT_ONCE])
                    await tx.commit()
            async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
                await tx.quality_scanning.base_wide_gone(code, found)
                await tx.commit()

    def _hash(self, one: Found) -> bytes:
        if one.detail_id:
            return one.value_hash
        return hashlib.blake2b(one.value_hash, key=self._key[:64], digest_size=16).digest()

    async def _end(self, principal: Principal, job: Job, scan: Scan, state: str) -> None:
        async with self._uow.begin(principal, timeout_ms=_BASE_WIDE_TIMEOUT_MS) as tx:
            await tx.jobs.finish(job, state)
            if state == "done":
                await tx.quality_scanning.finish(scan, self._clock.today(principal.time_zone))
            await tx.commit()

    async def sight(self, principal: Principal) -> Sight:
        """How this tenant's records are looked at today."""
        async with self._uow.begin(principal) as tx:
            policy = QualityPolicy.of(await tx.policies.read())
            catalogue = Catalogue.of(await tx.attributes.all())
            here = await tx.quality_scanning.here()
        today = self._clock.today(here.time_zone)
        look = Look(
            today=today,
            phone_region=self._region,
            key=self._key,
            off=policy.off,
            severities=policy.severities,
            weights=policy.weights,
            lives=policy.lives,
            required=policy.required,
        )
        asked: list[tuple[OwnCheck, Asked]] = []
        for check in policy.own:
            try:
                rule = bind(parse(check.rule).rule, catalogue, frozenset(Scope), today)
            except Rejected:
                continue  # a field of it was taken away; whoever keeps the policies sees it there
            of_today = Asked(
                rule=rule, catalogue=catalogue, today=today, time_zone=here.time_zone, currency=here.currency
            )
            asked.append((check, of_today))
        return Sight(look, asked)

    async def check(self, principal: Principal, ids: Sequence[UUID], sight: Sight | None = None) -> int:
        """Examine these records right now and keep what is found; how many findings are new."""
        sight = sight or await self.sight(principal)
        kept = 0
        for start in range(0, len(ids), _AT_ONCE):
            async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
                cards = await tx.quality_scanning.cards(ids[start : start + _AT_ONCE])
                own = await _own_found(tx, sight, cards.ids)
            judged, found = await self._examiner.examine(cards.rows, sight.look)
            async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
                kept += await tx.quality_scanning.keep(cards.ids, judged, [*found, *own])
                await tx.commit()
        return kept


async def _own_found(tx: ScanTransaction, sight: Sight, ids: Sequence[UUID]) -> list[Found]:
    found: list[Found] = []
    for check, asked in sight.own:
        meant = await tx.quality_scanning.own_found(asked, ids) if ids else ()
        found += [_own(check, customer_id) for customer_id in meant]
    return found


def _own(check: OwnCheck, customer_id: UUID) -> Found:
    return Found(
        customer_id=str(customer_id),
        code=check.code,
        field=check.field,
        detail_id=None,
        cause=check.cause.value,
        severity=check.severity.value,
        confidence=1.0,
        proposal=None,
        value_hash=b"",
        source="rule",
        import_id=None,
        author_id=None,
    )


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

    async def follow(self, tenant_id: int, *, most: int = 2_000) -> int:
        """What has changed since the last time, as far as it is over; how many records were examined."""
        principal = system(tenant_id)
        examined = 0
        while True:
            async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as turn:
                if not await turn.quality_scanning.take_turn():
                    return examined
                ids, place = await turn.quality_scanning.changed(most)
                if ids:
                    await self._scans.check(principal, ids)
                await turn.quality_scanning.followed(place)
                await turn.commit()
            examined += len(ids)
            if len(ids) < most:
                return examined

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
            async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
                cards = await tx.quality_scanning.after("all", behind, _AT_ONCE)
            if not cards.ids:
                break
            behind = cards.ids[-1]
            await self._scans.check(principal, cards.ids, sight)
        await self._scans.base_wide(principal)
        async with self._uow.begin(principal, timeout_ms=_BASE_WIDE_TIMEOUT_MS) as tx:
            await tx.quality_scanning.measure(sight.look.today)
            await tx.commit()
