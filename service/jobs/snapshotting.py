"""Beside the jobs, the worker makes each tenant's RFM snapshots once its night has come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from service.domain.errors import Unavailable
from service.domain.segmentation.rfm_keeping import Night

_log = structlog.get_logger("snapshots")
_EVERY_S = 600.0


class Nights(Protocol):
    async def nightly(self, tenant_id: int) -> Night: ...


async def keep_snapshots(
    tenants: Callable[[], Awaitable[Sequence[int]]],
    nights: Nights,
    shutdown: asyncio.Event,
    *,
    every_s: float = _EVERY_S,
) -> None:
    """Look around now and then until `shutdown` is set; what fails is tried again next time."""
    while not shutdown.is_set():
        try:
            for tenant_id in await tenants():
                await _of_tenant(nights, tenant_id)
        except Unavailable as error:
            _log.warning("no snapshots", code=error.code)
        except Exception as error:
            _log.error("no snapshots", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(shutdown.wait(), every_s)


async def _of_tenant(nights: Nights, tenant_id: int) -> None:
    """One tenant's trouble is not that of the next."""
    try:
        night = await nights.nightly(tenant_id)
    except Unavailable:
        raise
    except Exception as error:
        _log.error("no snapshots", tenant=tenant_id, error=type(error).__name__)
        return
    if night.taken or night.failed or night.classes:
        told = {"taken": len(night.taken), "classes": night.classes, "failed": night.failed, "swept": night.swept}
        _log.info("snapshots", tenant=tenant_id, **told)
