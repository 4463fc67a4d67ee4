"""Reading the audit trail, which is audited itself, and holding it against its seals and the anchors."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from service.domain.access import Principal, Reach, Scope
from service.domain.audit.anchors import Anchored, Anchors
from service.domain.audit.chain import beginning, month_of
from service.domain.audit.errors import NoSuchPlace
from service.domain.audit.inspection import Finding, Inspector, without_echoes
from service.domain.audit.ports import Asked, AuditTransaction, Trail
from service.domain.ports import Clock, UnitOfWork
from service.domain.staff import TenantReachNeeded

_AT_ONCE = 10_000
_TIMEOUT_MS = 60_000
_NAMED = 1_000
_NOBODY = UUID(int=0)
_NOBODYS = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What an inspection of one month has seen so far."""

    month: date
    checked: int
    through: int
    last: int
    findings: Sequence[Finding]
    anchored_at: datetime | None
    forged_anchors: int

    @property
    def complete(self) -> bool:
        return self.through >= self.last


def operator(tenant_id: int) -> Principal:
    """Who verifies a tenant from the command line: nobody of its staff."""
    return Principal(
        tenant_id=tenant_id,
        tenant="",
        staff_id=_NOBODY,
        subject="operator",
        reach=Reach.TENANT,
        scopes=frozenset({Scope.AUDIT_READ}),
    )


class AuditService:
    def __init__(self, uow: UnitOfWork[AuditTransaction], clock: Clock, anchors: Anchors) -> None:
        self._uow = uow
        self._clock = clock
        self._anchors = anchors

    async def page(
        self, principal: Principal, asked: Asked, *, before: UUID | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """Rows of the trail; that they were read, and by which question, is a row itself."""
        _of_the_tenant(principal)
        question = {
            name: str(value)
            for name in Asked.__slots__
            if (value := getattr(asked, name)) is not None and name != "record_id"
        }
        async with self._uow.begin(principal) as tx:
            rows = await tx.audit.page(asked, before=before, limit=limit)
            await tx.journal.audit("audit.read", "audit", asked.record_id, records=len(rows), asked=question)
            await tx.commit()
        return rows

    async def verify(self, principal: Principal, month: date | None, *, after: int, most: int) -> Verified:
        """Hold a bounded part of a month's chain against its rows and the anchors; the part itself is audited."""
        _of_the_tenant(principal)
        month = month or month_of(self._clock.now())
        anchored = self._anchors.of(principal.tenant_id)
        async with self._uow.begin(principal) as tx:
            await tx.journal.audit("audit.verify", "audit", month=month.isoformat(), after=after)
            await tx.commit()
        steps = [one async for one in self.going_along(principal, month, anchored, after=after, most=most)]
        return steps[-1]

    def whole_month(self, principal: Principal, month: date) -> AsyncIterator[Verified]:
        """All of a month's chain, told after each step, against the anchors of this moment."""
        return self.going_along(principal, month, self._anchors.of(principal.tenant_id))

    def anchored(self) -> Anchored | None:
        """How many anchors there are, and which lines are none; None where there are none at all."""
        return self._anchors.of(_NOBODYS)

    async def going_along(
        self, principal: Principal, month: date, anchored: Anchored | None, *, after: int = 0, most: int | None = None
    ) -> AsyncIterator[Verified]:
        """The inspection of one month, told after each step. Raises NoSuchPlace."""
        places = anchored.places.get(month, {}) if anchored else {}
        inspector: Inspector | None = None
        findings: list[Finding] = []
        while True:
            async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
                last = dict(await tx.audit.months()).get(month, 0)
                if inspector is None:
                    before = (
                        beginning(principal.tenant_id, month) if not after else await tx.audit.chain_at(month, after)
                    )
                    if before is None:
                        raise NoSuchPlace(pointer="/after")
                    inspector = Inspector(month, before=before, after=after, anchored=places)
                left = _AT_ONCE if most is None else min(_AT_ONCE, most - inspector.checked)
                seen = inspector.seq
                findings += await _gone_along(tx.audit, month, inspector, left)
                over = inspector.seq >= last or inspector.seq == seen
                if over:
                    findings += inspector.at_the_end()
                    inserted = await tx.audit.unsealed(month, limit=_NAMED)
                    findings += [Finding(kind="row-inserted", month=month, audit_id=one) for one in inserted]
            yield Verified(
                month=month,
                checked=inspector.checked,
                through=inspector.seq,
                last=last,
                findings=without_echoes(findings),
                anchored_at=anchored.last_at if anchored else None,
                forged_anchors=len(anchored.forged) if anchored else 0,
            )
            if over or inspector.checked == most:
                return

    async def months(self, principal: Principal) -> Sequence[tuple[date, int]]:
        """The months to look through: those that have a chain, and those of which an anchor says that they had."""
        anchored = self._anchors.of(principal.tenant_id)
        async with self._uow.begin(principal) as tx:
            found = dict(await tx.audit.months())
        for month in anchored.places if anchored else ():
            found.setdefault(month, 0)
        return sorted(found.items())


async def _gone_along(trail: Trail, month: date, inspector: Inspector, limit: int) -> list[Finding]:
    """The findings in the next so many links: where they hold they are passed over as one, else each is looked at."""
    if not limit:
        return []
    after, before = inspector.seq, inspector.before
    if before is not None:
        places = inspector.places(limit)
        if stretch := await trail.stretch(month, after=after, before=before, limit=limit, places=places):
            inspector.over(stretch)
            return []
    return list(inspector.along(await trail.links(month, after=after, limit=limit)))


def _of_the_tenant(principal: Principal) -> None:
    principal.require(Scope.AUDIT_READ)
    if principal.reach is not Reach.TENANT:
        raise TenantReachNeeded
