"""Beside the jobs, the worker makes the fixes of which a tenant is sure enough, soon after they were found."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.jobs.rounds import Tenants, for_each, keep

_log = structlog.get_logger("quality")
_EVERY_S = 60.0
_TROUBLE = "nothing mended"


async def keep_mended(
    tenants: Tenants,
    mend: Callable[[int], Awaitable[int]],
    shutdown: asyncio.Event,
    *,
    every_s: float = _EVERY_S,
) -> None:
    """Look around now and then until `shutdown` is set."""

    async def one(tenant_id: int) -> None:
        if made := await mend(tenant_id):
            _log.info("mended", tenant=tenant_id, fixes=made)

    await keep(lambda: for_each(tenants, one, _log, _TROUBLE), shutdown, every_s=every_s, log=_log, trouble=_TROUBLE)
