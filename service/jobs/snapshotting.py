"""Beside the jobs, the worker makes each tenant's RFM snapshots once its night has come."""

import asyncio
from typing import Protocol

import structlog

from service.domain.segmentation.rfm_keeping import Night
from service.jobs.rounds import Tenants, for_each, keep

_log = structlog.get_logger("snapshots")
_EVERY_S = 600.0
_TROUBLE = "no snapshots"


class Nights(Protocol):
    async def nightly(self, tenant_id: int) -> Night: ...


async def keep_snapshots(
    tenants: Tenants, nights: Nights, shutdown: asyncio.Event, *, every_s: float = _EVERY_S
) -> None:
    """Look around now and then until `shutdown` is set; what fails is tried again next time."""

    async def one(tenant_id: int) -> None:
        night = await nights.nightly(tenant_id)
        if night.taken or night.failed or night.classes:
            told = {"taken": len(night.taken), "classes": night.classes, "failed": night.failed, "swept": night.swept}
            _log.info("snapshots", tenant=tenant_id, **told)

    await keep(lambda: for_each(tenants, one, _log, _TROUBLE), shutdown, every_s=every_s, log=_log, trouble=_TROUBLE)
