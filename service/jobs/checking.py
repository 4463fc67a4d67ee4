"""Beside the jobs, the worker examines records after each change, and the whole base once a night."""

import asyncio

import structlog

from service.domain.quality.following import Follower
from service.jobs.rounds import Tenants, for_each, keep

_log = structlog.get_logger("quality")
_EVERY_S = 2.0
_TROUBLE = "records not examined"


async def keep_checked(
    tenants: Tenants, follower: Follower, shutdown: asyncio.Event, *, every_s: float = _EVERY_S
) -> None:
    """Follow what is written until `shutdown` is set."""

    async def one(tenant_id: int) -> None:
        examined = await follower.follow(tenant_id)
        whole = await follower.nightly(tenant_id)
        if examined or whole:
            _log.info("records examined", tenant=tenant_id, records=examined, whole=whole)

    await keep(lambda: for_each(tenants, one, _log, _TROUBLE), shutdown, every_s=every_s, log=_log, trouble=_TROUBLE)
