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

from service.domain.access import Principal, Scope
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
# Examined together.
AT_ONCE = 500
# Findings lock their records until they are committed: so few that nobody waits for it.
_KEPT_AT_ONCE = 100
TIMEOUT_MS = 120_000
LONG_MS = 900_000


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
        async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
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
                    more = len(cards.ids) == AT_ONCE
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
        async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
            return await tx.quality_scanning.after(scope, behind, AT_ONCE)

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
        async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
            own = await _own_found(tx, sight, cards.ids)
        kept = await self._keep_found(principal, [*found, *own], judged)
        async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
            done = scan.examined + len(cards.ids)
            await tx.jobs.advance(job, done=done, total=max(total, done))
            if scan.scope == "all":
                await tx.quality_scanning.tidy(scan.watermark, cards.ids[-1])
            await tx.quality_scanning.keep(cards.ids, judged, [*found, *own])
            scan = replace(scan, watermark=cards.ids[-1], examined=done, found=scan.found + kept)
            await tx.quality_scanning.note(scan)
            await tx.commit()
        return scan

    async def _keep_found(self, principal: Principal, found: Sequence[Found], judged: Sequence[Judged]) -> int:
        """What was found, a little at a time; how much of it is new."""
        versions = {one.customer_id: one.version for one in judged}
        kept = 0
        for start in range(0, len(found), _KEPT_AT_ONCE):
            async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
                kept += await tx.quality_scanning.keep_found(found[start : start + _KEPT_AT_ONCE], versions)
                await tx.commit()
        return kept

    async def base_wide(self, principal: Principal) -> None:
        """What only the whole base can tell; kept in pieces."""
        sight = await self.sight(principal)
        for code, check in BASE_WIDE.items():
            found: Sequence[Found] = ()
            if code not in sight.look.off:
                async with self._uow.begin(principal, timeout_ms=LONG_MS) as tx:
                    found = await tx.quality_scanning.base_wide(code, check.values)
                severity = sight.look.severities.get(code, check.severity).value
                found = [one._replace(severity=severity, value_hash=self._hash(one)) for one in found]
            await self._keep_found(principal, found, ())
            async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
                await tx.quality_scanning.base_wide_gone(code, found)
                await tx.commit()

    def _hash(self, one: Found) -> bytes:
        if one.detail_id:
            return one.value_hash
        return hashlib.blake2b(one.value_hash, key=self._key[:64], digest_size=16).digest()

    async def _end(self, principal: Principal, job: Job, scan: Scan, state: str) -> None:
        async with self._uow.begin(principal, timeout_ms=LONG_MS) as tx:
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
        for start in range(0, len(ids), AT_ONCE):
            async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
                cards = await tx.quality_scanning.cards(ids[start : start + AT_ONCE])
                own = await _own_found(tx, sight, cards.ids)
            judged, found = await self._examiner.examine(cards.rows, sight.look)
            kept += await self._keep_found(principal, [*found, *own], judged)
            async with self._uow.begin(principal, timeout_ms=TIMEOUT_MS) as tx:
                await tx.quality_scanning.keep(cards.ids, judged, [*found, *own])
                await tx.commit()
        return kept

    async def rest(self) -> None:
        """There is nothing to examine for a while."""
        await self._examiner.rest()


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
