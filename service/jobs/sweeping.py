"""Beside the jobs, the worker takes away what has had its time, once an hour."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.jobs.rounds import keep

_log = structlog.get_logger("sweep")
_EVERY_S = 3_600.0


async def keep_swept(
    sweep: Callable[[], Awaitable[object]], shutdown: asyncio.Event, *, every_s: float = _EVERY_S
) -> None:
    """Sweep now and then until `shutdown` is set."""

    async def once() -> None:
        _log.info("swept", taken=str(await sweep()))

    await keep(once, shutdown, every_s=every_s, log=_log, trouble="not swept")
