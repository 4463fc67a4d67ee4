"""What becomes of a write that holds something wrong, as the tenant has decided: noted, told of, or refused.

Noting costs a write nothing, since records are examined right after they have changed. Who wants to be told at once, or
refuses errors, has each record examined before it is written.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers.model import RECORD_FIELDS
from service.domain.customers.ports import Written
from service.domain.ports import Clock, UnitOfWork
from service.domain.quality.catalogue import CHECKS, examined
from service.domain.quality.examining import FIELDS
from service.domain.quality.model import Card, ContactSeen, Finding, Severity
from service.domain.quality.policy import DataRefused, QualityPolicy, Verdicts
from service.domain.quality.ports import QualityTransaction
from service.domain.quality.scanning import ScanService

Refuse = Callable[[Written], DataRefused | None]
# A tenant that decides anew waits so long in other processes.
_REMEMBERED_S = 2.0


class WriteVerdicts:
    def __init__(
        self, uow: UnitOfWork[QualityTransaction], clock: Clock, scans: ScanService, *, region: str = "RU"
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._scans = scans
        self._region = region
        self._policies: dict[int, tuple[float, QualityPolicy]] = {}

    def forget(self, tenant_id: int) -> None:
        """The tenant has decided anew."""
        self._policies.pop(tenant_id, None)

    async def refusing(self, principal: Principal, way: Literal["write", "import"]) -> Refuse | None:
        """How records are looked at before they are written; None where everything is taken."""
        policy = await self._policy(principal)
        if _chosen(policy, way) != "refuse":
            return None
        today = self._clock.today(principal.time_zone)

        def refuse(written: Written) -> DataRefused | None:
            card = _card(written, today, self._region)
            return refusal(examined(card, checks), policy)

        checks = [check for code, check in CHECKS.items() if code not in policy.off]
        return refuse

    async def warned(self, principal: Principal, customer_id: UUID) -> Sequence[Mapping[str, Any]] | None:
        """What is wrong with the record that was just written; None where the tenant doesn't want to be told."""
        if (await self._policy(principal)).on_write != "warn":
            return None
        await self._scans.check(principal, [customer_id])
        async with self._uow.begin(principal) as tx:
            return await tx.quality.page({"state": "open", "customer_id": customer_id}, None, 50)

    async def _policy(self, principal: Principal) -> QualityPolicy:
        known = self._policies.get(principal.tenant_id)
        now = time.monotonic()
        if known is not None and now - known[0] < _REMEMBERED_S:
            return known[1]
        async with self._uow.begin(principal) as tx:
            policy = QualityPolicy.of(await tx.policies.read())
        self._policies[principal.tenant_id] = (now, policy)
        return policy


def _chosen(policy: QualityPolicy, way: Literal["write", "import"]) -> Verdicts:
    return policy.on_write if way == "write" else policy.on_import


def refusal(findings: Sequence[Finding], policy: QualityPolicy) -> DataRefused | None:
    """The errors among the findings as a refusal that names each place, and never a value."""
    errors = [
        {"pointer": _pointer(one), "detail": CHECKS[one.code].title, "code": one.code}
        for one in findings
        if policy.severities.get(one.code, CHECKS[one.code].severity) is Severity.ERROR
    ]
    return DataRefused(pointer=errors[0]["pointer"], errors=errors) if errors else None


def _pointer(one: Finding) -> str:
    return f"/contacts/{one.detail_id}" if one.field == "contacts" else f"/{one.field}"


def _card(written: Written, today: Any, region: str) -> Card:
    record = written.record
    texts = {name: text for name in FIELDS if name in RECORD_FIELDS and (text := getattr(record, name))}
    return Card(
        customer_id=None,
        kind=record.kind,
        status=record.status,
        fields=texts,
        birth_date=record.birth_date,
        birth_year_known=record.birth_year_known,
        gender=record.gender,
        contacts=tuple(
            ContactSeen(kind=one.form.kind, value=one.form.value, detail_id=str(place), normal=one.form.normal)
            for place, one in enumerate(written.contacts or ())
        ),
        today=today,
        phone_region=record.country if record.country and len(record.country) == 2 else region,
    )
