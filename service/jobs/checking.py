"""Beside the jobs, the worker examines records after each change, and the whole base once a night."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from service.domain.errors import Unavailable
from service.domain.quality.following import Follower

_log = structlog.get_logger("quality")
_EVERY_S = 2.0


async def keep_checked(
    tenants: Callable[[], Awaitable[Sequence[int]]],
    follower: Follower,
    shutdown: asyncio.Event,
    *,
    every_s: float = _EVERY_S,
) -> None:
    """Follow what is written until `shutdown` is set; a round that fails is made good by the next."""
    while not shutdown.is_set():
        try:
            for tenant_id in await tenants():
                await _of_tenant(follower, tenant_id)
        except Unavailable as error:
            _log.warning("records not examined", code=error.code)
        except Exception as error:
            _log.error("records not examined", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(shutdown.wait(), every_s)


async def _of_tenant(follower: Follower, tenant_id: int) -> None:
    """One tenant's trouble is not that of the next."""
    try:
        examined = await follower.follow(tenant_id)
        whole = await follower.nightly(tenant_id)
    except Unavailable:
        raise
    except Exception as error:
        _log.error("records not examined", tenant=tenant_id, error=type(error).__name__)
        return
    if examined or whole:
        _log.info("records examined", tenant=tenant_id, records=examined, whole=whole)
