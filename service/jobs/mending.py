"""Beside the jobs, the worker makes the fixes of which a tenant is sure enough, soon after they were found."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from service.domain.errors import Unavailable

_log = structlog.get_logger("quality")
_EVERY_S = 60.0


async def keep_mended(
    tenants: Callable[[], Awaitable[Sequence[int]]],
    mend: Callable[[int], Awaitable[int]],
    shutdown: asyncio.Event,
    *,
    every_s: float = _EVERY_S,
) -> None:
    """Look around now and then until `shutdown` is set; one tenant's trouble is not that of the next."""
    while not shutdown.is_set():
        try:
            for tenant_id in await tenants():
                await _of_tenant(mend, tenant_id)
        except Unavailable as error:
            _log.warning("nothing mended", code=error.code)
        except Exception as error:
            _log.error("nothing mended", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(shutdown.wait(), every_s)


async def _of_tenant(mend: Callable[[int], Awaitable[int]], tenant_id: int) -> None:
    try:
        made = await mend(tenant_id)
    except Unavailable:
        raise
    except Exception as error:
        _log.error("nothing mended", tenant=tenant_id, error=type(error).__name__)
        return
    if made:
        _log.info("mended", tenant=tenant_id, fixes=made)
