"""Beside the jobs, the worker takes away what has had its time, once an hour."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from service.domain.errors import Unavailable

_log = structlog.get_logger("sweep")
_EVERY_S = 3_600.0


async def keep_swept(
    sweep: Callable[[], Awaitable[object]], shutdown: asyncio.Event, *, every_s: float = _EVERY_S
) -> None:
    """Sweep now and then until `shutdown` is set; a sweep that fails is made good by the next."""
    while not shutdown.is_set():
        try:
            _log.info("swept", taken=str(await sweep()))
        except Unavailable as error:
            _log.warning("not swept", code=error.code)
        except Exception as error:
            _log.error("not swept", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(shutdown.wait(), every_s)
