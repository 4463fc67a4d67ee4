"""Beside the jobs, the worker lets live segments follow what is written, and the day."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.domain.segments.refreshing import Refreshed
from service.jobs.rounds import keep

_log = structlog.get_logger("segments")
_EVERY_S = 2.0


async def keep_refreshed(
    refresh: Callable[[], Awaitable[Refreshed]], shutdown: asyncio.Event, *, every_s: float = _EVERY_S
) -> None:
    """Refresh every few seconds until `shutdown` is set."""

    async def once() -> None:
        done = await refresh()
        if done.moved:
            _log.info("segments refreshed", segments=done.segments, moved=done.moved)

    await keep(once, shutdown, every_s=every_s, log=_log, trouble="segments not refreshed")
